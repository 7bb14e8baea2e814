// The kernels of a training as operations of TensorFlow, by its C interface, whose headers take no
// time to read.

#include <memory>
#include <vector>

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

// A call of an operation. After the first thing that fails nothing more is done.
class Call {
 public:
  explicit Call(TF_OpKernelContext* context) : context_(context), status_(TF_NewStatus()) {}

  ~Call() {
    if (!ok()) TF_OpKernelContext_Failure(context_, status_.get());
  }

  bool ok() const { return TF_GetCode(status_.get()) == TF_OK; }

  const TF_Tensor* In(int index) {
    TF_Tensor* tensor = nullptr;
    if (ok()) TF_GetInput(context_, index, &tensor, status_.get());
    return (held_.emplace_back(tensor), tensor);
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

const float* Values(const TF_Tensor* tensor) {
  return tensor ? static_cast<const float*>(TF_TensorData(tensor)) : nullptr;
}

Batch BatchOf(Call& call) {
  const TF_Tensor *image = call.In(0), *masks = call.In(1), *weights = call.In(2);
  if (!call.ok()) return {};
  return {int(TF_Dim(image, 0)), int(TF_Dim(masks, 1)), Values(image), Values(masks),
          Values(weights)};
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
  const Batch batch = BatchOf(call);
  const Size& size = training.output();
  float* output = call.Out(0, {batch.records, size.channels, size.height, size.width});
  float* statistics = call.Out(1, {int64_t(training.statistics())});
  float* kept = call.Out(2, {int64_t(training.kept(batch.records))});
  if (call.ok()) training.Forward(batch, output, statistics, kept);
}

void Backward(void* kernel, TF_OpKernelContext* context) {
  auto& training = *static_cast<Training*>(kernel);
  Call call(context);
  const Batch batch = BatchOf(call);
  const TF_Tensor *statistics = call.In(3), *kept = call.In(4), *upstream = call.In(5);
  if (!call.ok()) return;
  float* of_weights = call.Out(0, {training.weights()});
  const Size size = training.wants_input() ? training.input() : Size{0, 0, 0};
  float* of_image = call.Out(1, {batch.records, size.channels, size.height, size.width});
  if (!call.ok()) return;
  training.Backward(batch, Values(statistics), Values(kept), Values(upstream), of_weights,
                    of_image);
}

bool Register(const char* name, std::vector<const char*> inputs, std::vector<const char*> outputs,
              void (*compute)(void*, TF_OpKernelContext*)) {
  const Status status(TF_NewStatus());
  TF_OpDefinitionBuilder* definition = TF_NewOpDefinitionBuilder(name);
  TF_OpDefinitionBuilderAddAttr(definition, "numbers: list(int)");
  for (const char* input : inputs) TF_OpDefinitionBuilderAddInput(definition, input);
  for (const char* output : outputs) TF_OpDefinitionBuilderAddOutput(definition, output);
  TF_RegisterOpDefinition(definition, status.get());
  if (TF_GetCode(status.get()) != TF_OK) return false;
  TF_RegisterKernelBuilder(
      name, TF_NewKernelBuilder(name, "CPU", NewTraining, compute, DeleteTraining), status.get());
  return TF_GetCode(status.get()) == TF_OK;
}

const bool registered[] = {
    Register("TfseqTrainForward", {"image: float", "masks: float", "weights: float"},
             {"output: float", "statistics: float", "kept: float"}, Forward),
    Register("TfseqTrainBackward",
             {"image: float", "masks: float", "weights: float", "statistics: float",
              "kept: float", "upstream: float"},
             {"of_weights: float", "of_image: float"}, Backward),
};

}  // namespace
}  // namespace tfseq
