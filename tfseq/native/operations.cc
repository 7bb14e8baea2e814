// The kernels of a training and of its loss as operations of TensorFlow, by its C interface, whose
// headers take no time to read.

#include <memory>
#include <vector>

#include "losses.h"
#include "tensorflow/c/kernels.h"
#include "tensorflow/c/ops.h"
#include "training.h"

namespace tfseq {
namespace {

template <auto kDelete>
struct Deleter {
  template <class T>
  void operator()(T* held) const { kDelete(held); }
};
using Status = std::unique_ptr<TF_Status, Deleter<TF_DeleteStatus>>;
using Tensor = std::unique_ptr<TF_Tensor, Deleter<TF_DeleteTensor>>;

const float* Values(const TF_Tensor* tensor) {
  return tensor ? static_cast<const float*>(TF_TensorData(tensor)) : nullptr;
}

std::vector<int64_t> ShapeOf(const TF_Tensor* tensor) {
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

  void Refuse(const char* why) { TF_SetStatus(status_.get(), TF_INVALID_ARGUMENT, why); }

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

// What both operations begin with; the weights are their last.
Batch BatchOf(Call& call, const std::vector<float>& weights) {
  const TF_Tensor *image = call.In(0), *masks = call.In(1);
  if (!call.ok()) return {};
  return {int(TF_Dim(image, 0)), int(TF_Dim(masks, 1)), Values(image), Values(masks),
          weights.data()};
}

void* NewTraining(TF_OpKernelConstruction* construction) {
  const Status status(TF_NewStatus());
  int32_t count = 0, bytes = 0;
  TF_OpKernelConstruction_GetAttrSize(construction, "numbers", &count, &bytes, status.get());
  std::vector<int32_t> numbers(std::max(count, 0));
  TF_OpKernelConstruction_GetAttrInt32List(construction, "numbers", numbers.data(), count,
                                           status.get());
  if (TF_GetCode(status.get()) == TF_OK) return new Training(numbers);
  TF_OpKernelConstruction_Failure(construction, status.get());
  return nullptr;
}

void DeleteTraining(void* training) { delete static_cast<Training*>(training); }

void Forward(void* kernel, TF_OpKernelContext* context) {
  auto& training = *static_cast<Training*>(kernel);
  Call call(context);
  const std::vector<float> weights = call.InsFrom(2);
  const Batch batch = BatchOf(call, weights);
  const Size& size = training.output();
  float* output = call.Out(0, {batch.records, size.channels, size.height, size.width});
  float* statistics = call.Out(1, {int64_t(training.statistics())});
  float* kept = call.Out(2, {int64_t(training.kept(batch.records))});
  if (call.ok()) training.Forward(batch, output, statistics, kept);
}

void Backward(void* kernel, TF_OpKernelContext* context) {
  auto& training = *static_cast<Training*>(kernel);
  Call call(context);
  const std::vector<float> weights = call.InsFrom(5);
  const Batch batch = BatchOf(call, weights);
  const TF_Tensor *statistics = call.In(2), *kept = call.In(3), *upstream = call.In(4);
  const Size size = training.wants_input() ? training.input() : Size{0, 0, 0};
  float* of_image = call.Out(0, {batch.records, size.channels, size.height, size.width});
  if (!call.ok()) return;
  std::vector<float> of_weights(weights.size());
  training.Backward(batch, Values(statistics), Values(kept), Values(upstream),
                    of_weights.data(), of_image);
  call.OutsLike(5, 1, of_weights.data());
}

// What the operations of errors begin with: labels, and predictions of the same shape.
Predicted PredictedOf(Call& call) {
  const TF_Tensor *label = call.In(0), *prediction = call.In(1);
  if (!call.ok()) return {};
  const std::vector<int64_t> shape = ShapeOf(prediction);
  if (shape.empty() || ShapeOf(label) != shape) {
    call.Refuse("labels and predictions have to have one shape, of one axis or more");
    return {};
  }
  const int64_t steps = shape.back();
  return {steps ? TF_TensorElementCount(prediction) / steps : 0, steps, Values(label),
          Values(prediction)};
}

void Errors(void*, TF_OpKernelContext* context) {
  Call call(context);
  const Predicted of = PredictedOf(call);
  if (!call.ok()) return;
  std::vector<int64_t> shape = ShapeOf(call.In(1));
  shape.pop_back();
  float *squared = call.Out(0, shape), *absolute = call.Out(1, shape);
  if (call.ok()) MeanErrors(of, squared, absolute);
}

void GradientsOfErrors(void*, TF_OpKernelContext* context) {
  Call call(context);
  const Predicted of = PredictedOf(call);
  const TF_Tensor *squared = call.In(2), *absolute = call.In(3);
  if (!call.ok()) return;
  if (std::min(TF_TensorElementCount(squared), TF_TensorElementCount(absolute)) < of.records) {
    call.Refuse("gradients have to be one for each record");
  }
  float* to = call.Out(0, ShapeOf(call.In(1)));
  if (call.ok()) ErrorGradients(of, Values(squared), Values(absolute), to);
}

struct Operation {
  const char* name;
  std::vector<const char*> attributes, inputs, outputs;
  void* (*make)(TF_OpKernelConstruction*);
  void (*compute)(void*, TF_OpKernelContext*);
  void (*destroy)(void*);
};

bool Register(const Operation& operation) {
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

const std::vector<const char*> kOfProgram = {"numbers: list(int)", "arrays: int >= 0"};

const bool registered[] = {
    Register({"TfseqTrainForward", kOfProgram,
              {"image: float", "masks: float", "weights: arrays * float"},
              {"output: float", "statistics: float", "kept: float"},
              NewTraining, Forward, DeleteTraining}),
    Register({"TfseqTrainBackward", kOfProgram,
              {"image: float", "masks: float", "statistics: float", "kept: float",
               "upstream: float", "weights: arrays * float"},
              {"of_image: float", "of_weights: arrays * float"},
              NewTraining, Backward, DeleteTraining}),
    Register({"TfseqErrors", {}, {"label: float", "prediction: float"},
              {"squared: float", "absolute: float"}, nullptr, Errors, nullptr}),
    Register({"TfseqErrorsGradients", {},
              {"label: float", "prediction: float", "of_squared: float", "of_absolute: float"},
              {"of_prediction: float"}, nullptr, GradientsOfErrors, nullptr}),
};

}  // namespace
}  // namespace tfseq
