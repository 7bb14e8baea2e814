// What looks at each frame or at each value alone, as operations of TensorFlow.

#include "frame_values.h"
#include "groups.h"
#include "operation.h"

namespace tfseq {
namespace {

// Writes vector(at, count), of the values from a place on, to all of an array of any size.
template <class OfStep>
void ForAll(int64_t values, float* to, OfStep vector) {
  constexpr int kPart = 1 << 14;
  const auto part = [&](int number) {
    const int64_t start = int64_t(number) * kPart;
    const int count = std::min<int64_t>(kPart, values - start);
    int step = 0;
    for (; step + kLanes <= count; step += kLanes) {
      Store(vector(start + step, kLanes), to + start + step);
    }
    if (step < count) {
      const Vector last = vector(start + step, count - step);
      std::memcpy(to + start + step, &last, (count - step) * sizeof(float));
    }
  };
  const int parts = (values + kPart - 1) / kPart;
  ForEach(parts, part);
}

void SiluForward(void*, TF_OpKernelContext* context) {
  Call call(context);
  const TF_Tensor* x = call.In(0);
  if (!call.ok()) return;
  const float* from = Values(x);
  float* to = call.Out(0, ShapeOf(x));
  if (!call.ok()) return;
  ForAll(TF_TensorElementCount(x), to,
         [&](int64_t at, int count) { return Silu(LoadSome(from + at, count)); });
}

void SiluBackward(void*, TF_OpKernelContext* context) {
  Call call(context);
  const TF_Tensor *x = call.In(0), *upstream = call.In(1);
  if (!call.ok()) return;
  if (ShapeOf(x) != ShapeOf(upstream)) return call.Refuse("expected a gradient of its shape");
  const float *from = Values(x), *above = Values(upstream);
  float* to = call.Out(0, ShapeOf(x));
  if (!call.ok()) return;
  ForAll(TF_TensorElementCount(x), to, [&](int64_t at, int count) {
    Vector slope;
    Silu(LoadSome(from + at, count), &slope);
    return LoadSome(above + at, count) * slope;
  });
}

void* NewNormalization(TF_OpKernelConstruction* construction) {
  const Status status(TF_NewStatus());
  auto epsilon = std::make_unique<float>(0.0f);
  TF_OpKernelConstruction_GetAttrFloat(construction, "epsilon", epsilon.get(), status.get());
  if (TF_GetCode(status.get()) == TF_OK) return epsilon.release();
  TF_OpKernelConstruction_Failure(construction, status.get());
  return nullptr;
}

void DeleteNormalization(void* epsilon) { delete static_cast<float*>(epsilon); }

// Frames of (batch, frames, channels).
struct Frames {
  int records, frames, channels;
  size_t Values() const { return size_t(frames) * channels; }
};

// Returns the sizes of a call; refuses what does not fit together.
Frames FramesOf(Call& call, const TF_Tensor* x, const TF_Tensor* scale, const TF_Tensor* last,
                bool forward) {
  if (!call.ok()) return {};
  const std::vector<int64_t> shape = ShapeOf(x);
  bool fits = shape.size() == 3 && shape[2] % kLanes == 0;
  fits = fits && TF_TensorElementCount(scale) == shape[2];
  if (!fits || TF_TensorElementCount(last) != (forward ? shape[2] : TF_TensorElementCount(x))) {
    call.Refuse("expected (batch, steps, channels), full vectors, and an array of the channels");
    return {};
  }
  return {int(shape[0]), int(shape[1]), int(shape[2])};
}

void NormalizeForward(void* epsilon, TF_OpKernelContext* context) {
  Call call(context);
  const TF_Tensor *x = call.In(0), *scale = call.In(1), *shift = call.In(2);
  const Frames of = FramesOf(call, x, scale, shift, true);
  if (!call.ok()) return;
  float* to = call.Out(0, ShapeOf(x));
  if (!call.ok()) return;
  const FrameNormalization normalization(of.channels, *static_cast<float*>(epsilon));
  ForEach(of.records, [&](int record) {
    for (size_t at = record * of.Values(); at < (record + 1) * of.Values(); at += of.channels) {
      normalization.Forward(Values(x) + at, Values(scale), Values(shift), to + at);
    }
  });
}

void NormalizeBackward(void* epsilon, TF_OpKernelContext* context) {
  Call call(context);
  const TF_Tensor *x = call.In(0), *scale = call.In(1), *upstream = call.In(2);
  const Frames of = FramesOf(call, x, scale, upstream, false);
  if (!call.ok()) return;
  float *of_x = call.Out(0, ShapeOf(x)), *of_scale = call.Out(1, {of.channels});
  float* of_shift = call.Out(2, {of.channels});
  if (!call.ok()) return;
  const FrameNormalization normalization(of.channels, *static_cast<float*>(epsilon));
  std::vector<float> both(2 * of.channels);
  SumByGroup(of.records, 2 * of.channels, both.data(), [&](int record, float* sums) {
    for (size_t at = record * of.Values(); at < (record + 1) * of.Values(); at += of.channels) {
      normalization.Backward(Values(x) + at, Values(scale), Values(upstream) + at, of_x + at, sums,
                             sums + of.channels);
    }
  });
  std::copy_n(both.data(), of.channels, of_scale);
  std::copy_n(both.data() + of.channels, of.channels, of_shift);
}

const bool registered[] = {
    Register({"TfseqSilu", {}, {"x: float"}, {"output: float"}, nullptr, SiluForward, nullptr}),
    Register({"TfseqSiluBackward", {}, {"x: float", "upstream: float"}, {"of_x: float"}, nullptr,
              SiluBackward, nullptr}),
    Register({"TfseqNormalizeFrames", {"epsilon: float"},
              {"x: float", "scale: float", "shift: float"}, {"output: float"},
              NewNormalization, NormalizeForward, DeleteNormalization}),
    Register({"TfseqNormalizeFramesBackward", {"epsilon: float"},
              {"x: float", "scale: float", "upstream: float"},
              {"of_x: float", "of_scale: float", "of_shift: float"},
              NewNormalization, NormalizeBackward, DeleteNormalization}),
};

}  // namespace
}  // namespace tfseq
