// Convolutions of sequences with many channels as operations of TensorFlow.

#include "frame_convolution.h"
#include "groups.h"
#include "operation.h"

namespace tfseq {
namespace {

// The attributes of a convolution.
struct Convolution {
  int taps = 0, stride = 1, dilation = 1;

  // Returns the sizes of a call; refuses what does not fit together.
  Taps Of(Call& call, const std::vector<int64_t>& x, int64_t filters) const {
    bool fits = x.size() == 3 && x[2] > 0 && filters > 0 && filters % kLanes == 0;
    fits = fits && stride > 0 && dilation > 0 && taps > 0 && taps % stride == 0;
    if (fits && (stride == 1 || dilation == 1)) {
      return Taps::Same(x[1], x[2], filters, taps, stride, dilation);
    }
    call.Refuse("expected (batch, steps, channels), filters that fill vectors, and whole frames");
    return {};
  }
};

void* NewConvolution(TF_OpKernelConstruction* construction) {
  const Status status(TF_NewStatus());
  auto made = std::make_unique<Convolution>();
  const auto read = [&](const char* name, int* to) {
    int32_t value = 0;
    TF_OpKernelConstruction_GetAttrInt32(construction, name, &value, status.get());
    *to = value;
  };
  read("taps", &made->taps), read("stride", &made->stride), read("dilation", &made->dilation);
  if (TF_GetCode(status.get()) == TF_OK) return made.release();
  TF_OpKernelConstruction_Failure(construction, status.get());
  return nullptr;
}

void DeleteConvolution(void* convolution) { delete static_cast<Convolution*>(convolution); }

// x, kernel, bias: the output.
void Forward(void* kernel, TF_OpKernelContext* context) {
  Call call(context);
  const TF_Tensor *x = call.In(0), *weights = call.In(1), *bias = call.In(2);
  if (!call.ok()) return;
  const auto& attributes = *static_cast<Convolution*>(kernel);
  const Taps of = attributes.Of(call, ShapeOf(x), TF_TensorElementCount(bias));
  if (call.ok() && TF_TensorElementCount(weights) != int64_t(of.Weights())) {
    call.Refuse("expected a kernel of (taps, channels, filters)");
  }
  const int records = call.ok() ? TF_Dim(x, 0) : 0;
  float* to = call.Out(0, {records, of.steps, of.filters});
  if (!call.ok()) return;
  const FrameConvolution convolve(of, Values(weights), Values(bias));
  ForEach(records, [&](int record) {
    convolve(Values(x) + size_t(record) * of.values, to + record * of.Sums());
  });
}

// The gradient of the output, kernel: that of the input, whose steps fill the frames of a stride.
void OfInput(void* kernel, TF_OpKernelContext* context) {
  Call call(context);
  const TF_Tensor *upstream = call.In(0), *weights = call.In(1);
  if (!call.ok()) return;
  const auto& attributes = *static_cast<Convolution*>(kernel);
  std::vector<int64_t> shape = ShapeOf(upstream), by = ShapeOf(weights);
  if (shape.size() != 3 || by.size() != 3 || shape[2] != by[2] || by[0] != attributes.taps ||
      (attributes.stride == 1 ? by[1] : by[0] * by[1]) % kLanes) {
    return call.Refuse("expected (batch, steps, filters) and (taps, channels, filters)");
  }
  shape[1] *= attributes.stride, shape[2] = by[1];
  const Taps of = attributes.Of(call, shape, by[2]);
  float* to = call.Out(0, shape);
  if (!call.ok()) return;
  const auto for_records = [&](const auto& back) {
    ForEach(shape[0], [&](int record) {
      back(Values(upstream) + record * of.Sums(), to + size_t(record) * of.values);
    });
  };
  if (attributes.stride == 1) return for_records(FrameConvolution::Back(of, Values(weights)));
  for_records(FramesBack(of, Values(weights)));
}

// x, the gradient of the output: those of kernel and bias.
void OfWeights(void* kernel, TF_OpKernelContext* context) {
  Call call(context);
  const TF_Tensor *x = call.In(0), *upstream = call.In(1);
  if (!call.ok()) return;
  const auto& attributes = *static_cast<Convolution*>(kernel);
  const std::vector<int64_t> shape = ShapeOf(x), above = ShapeOf(upstream);
  const Taps of = attributes.Of(call, shape, above.empty() ? 0 : above.back());
  if (call.ok() && above != std::vector<int64_t>{shape[0], of.steps, of.filters}) {
    call.Refuse("expected a gradient of (batch, frames, filters)");
  }
  if (!call.ok()) return;
  float* of_weights = call.Out(0, {attributes.taps, shape[2], of.filters});
  float* of_bias = call.Out(1, {of.filters});
  if (!call.ok()) return;
  const FrameGradients gradients(of);
  Floats sums(gradients.Sums());
  SumByGroup(shape[0], gradients.Sums(), sums.data(), [&](int record, float* own) {
    gradients.Add(Values(x) + size_t(record) * of.values, Values(upstream) + record * of.Sums(),
                  own);
  });
  gradients.Write(sums.data(), of_weights, of_bias);
}

const std::vector<const char*> kAttributes = {"taps: int", "stride: int", "dilation: int"};

const bool registered[] = {
    Register({"TfseqConvolveFrames", kAttributes,
              {"x: float", "kernel: float", "bias: float"}, {"output: float"},
              NewConvolution, Forward, DeleteConvolution}),
    Register({"TfseqConvolveFramesOfInput", kAttributes,
              {"upstream: float", "kernel: float"}, {"of_x: float"},
              NewConvolution, OfInput, DeleteConvolution}),
    Register({"TfseqConvolveFramesOfWeights", kAttributes,
              {"x: float", "upstream: float"}, {"of_kernel: float", "of_bias: float"},
              NewConvolution, OfWeights, DeleteConvolution}),
};

}  // namespace
}  // namespace tfseq
