// The kernels of a training and of its loss as operations of TensorFlow.

#include <vector>

#include "losses.h"
#include "operation.h"
#include "training.h"

namespace tfseq {
namespace {

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
