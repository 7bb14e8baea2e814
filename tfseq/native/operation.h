// An operation of TensorFlow, by its C interface, whose headers take no time to read.
#ifndef TFSEQ_NATIVE_OPERATION_H_
#define TFSEQ_NATIVE_OPERATION_H_

#include <algorithm>
#include <cstdint>
#include <memory>
#include <vector>

#include "tensorflow/c/kernels.h"
#include "tensorflow/c/ops.h"

namespace tfseq {

template <auto kDelete>
struct Deleter {
  template <class T>
  void operator()(T* held) const { kDelete(held); }
};
using Status = std::unique_ptr<TF_Status, Deleter<TF_DeleteStatus>>;
using Tensor = std::unique_ptr<TF_Tensor, Deleter<TF_DeleteTensor>>;

inline const float* Values(const TF_Tensor* tensor) {
  return tensor ? static_cast<const float*>(TF_TensorData(tensor)) : nullptr;
}

inline std::vector<int64_t> ShapeOf(const TF_Tensor* tensor) {
  std::vector<int64_t> shape(TF_NumDims(tensor));
  for (size_t axis = 0; axis < shape.size(); ++axis) shape[axis] = TF_Dim(tensor, axis);
  return shape;
}

// A call of an operation. After the first thing that fails nothing more is done.
class Call {
 public:
  explicit Call(TF_OpKernelContext* context) : context_(context), status_(TF_NewStatus()) {}

  ~Call() {
    if (!ok()) TF_OpKernelContext_Failure(context_, status_.get());
  }

  bool ok() const { return TF_GetCode(status_.get()) == TF_OK; }

  void Refuse(const char* why, TF_Code code = TF_INVALID_ARGUMENT) {
    TF_SetStatus(status_.get(), code, why);
  }

  const TF_Tensor* In(int index) {
    TF_Tensor* tensor = nullptr;
    if (ok()) TF_GetInput(context_, index, &tensor, status_.get());
    return (held_.emplace_back(tensor), tensor);
  }

  // The arrays from an index on, one after the other.
  std::vector<float> InsFrom(int index) {
    std::vector<float> values;
    for (; ok() && index < TF_NumInputs(context_); ++index) {
      if (const TF_Tensor* array = In(index)) {
        values.insert(values.end(), Values(array), Values(array) + TF_TensorElementCount(array));
      }
    }
    return values;
  }

  // Gives arrays of the shapes of those from an index on out, from another index on.
  void OutsLike(int in, int out, const float* values) {
    for (; ok() && in < TF_NumInputs(context_); ++in, ++out) {
      const TF_Tensor* array = In(in);
      if (!array) return;
      const int64_t size = TF_TensorElementCount(array);
      if (float* to = Out(out, ShapeOf(array))) std::copy(values, values + size, to);
      values += size;
    }
  }

  float* OutLike(int in, int out) {
    const TF_Tensor* array = In(in);
    return array ? Out(out, ShapeOf(array)) : nullptr;
  }

  float* Out(int index, const std::vector<int64_t>& shape) {
    size_t bytes = sizeof(float);
    for (const int64_t size : shape) bytes *= size;
    if (!ok()) return nullptr;
    TF_Tensor* tensor = TF_AllocateOutput(context_, index, TF_FLOAT, shape.data(), shape.size(),
                                          bytes, status_.get());
    held_.emplace_back(tensor);
    return tensor ? static_cast<float*>(TF_TensorData(tensor)) : nullptr;
  }

 private:
  TF_OpKernelContext* context_;
  Status status_;
  std::vector<Tensor> held_;
};

struct Operation {
  const char* name;
  std::vector<const char*> attributes, inputs, outputs;
  void* (*make)(TF_OpKernelConstruction*);
  void (*compute)(void*, TF_OpKernelContext*);
  void (*destroy)(void*);
};

inline bool Register(const Operation& operation) {
  const Status status(TF_NewStatus());
  const char* name = operation.name;
  TF_OpDefinitionBuilder* definition = TF_NewOpDefinitionBuilder(name);
  for (const char* each : operation.attributes) TF_OpDefinitionBuilderAddAttr(definition, each);
  for (const char* each : operation.inputs) TF_OpDefinitionBuilderAddInput(definition, each);
  for (const char* each : operation.outputs) TF_OpDefinitionBuilderAddOutput(definition, each);
  TF_RegisterOpDefinition(definition, status.get());
  if (TF_GetCode(status.get()) != TF_OK) return false;
  TF_RegisterKernelBuilder(
      name,
      TF_NewKernelBuilder(name, "CPU", operation.make, operation.compute, operation.destroy),
      status.get());
  return TF_GetCode(status.get()) == TF_OK;
}

}  // namespace tfseq

#endif  // TFSEQ_NATIVE_OPERATION_H_
