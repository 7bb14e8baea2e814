// Residual blocks of frames as operations of TensorFlow.

#include "frame_block.h"

#include "groups.h"
#include "operation.h"

namespace tfseq {
namespace {

struct Attributes {
  int32_t dilation = 1;
  float epsilon = 0;
};

void* NewBlock(TF_OpKernelConstruction* construction) {
  const Status status(TF_NewStatus());
  auto made = std::make_unique<Attributes>();
  TF_OpKernelConstruction_GetAttrInt32(construction, "dilation", &made->dilation, status.get());
  if (TF_GetCode(status.get()) == TF_OK) {
    TF_OpKernelConstruction_GetAttrFloat(construction, "epsilon", &made->epsilon, status.get());
  }
  if (TF_GetCode(status.get()) == TF_OK) return made.release();
  TF_OpKernelConstruction_Failure(construction, status.get());
  return nullptr;
}

void DeleteBlock(void* attributes) { delete static_cast<Attributes*>(attributes); }

// What both operations take: records, masks that may be none, and what a block learns.
struct Taken {
  Taken(Call& call, const Attributes& attributes, int first_weights) {
    const TF_Tensor *image = call.In(0), *masks = call.In(1);
    std::array<const TF_Tensor*, kBlockArrays> arrays;
    for (auto& array : arrays) array = call.In(first_weights++);
    if (!call.ok()) return;
    shape = ShapeOf(image);
    const std::vector<int64_t> kernel = ShapeOf(arrays[kKernel]);
    bool fits = shape.size() == 3 && kernel.size() == 3 && kernel[0] > 0;
    fits = fits && shape[1] > 0 && shape[2] > 0;
    fits = fits && shape[2] % kLanes == 0 && attributes.dilation > 0;
    if (fits) {
      sizes = {int(shape[1]), int(shape[2]), int(kernel[0]), attributes.dilation,
               int(TF_TensorElementCount(arrays[kSqueezeBias])), attributes.epsilon};
      const int64_t kept = TF_TensorElementCount(masks);
      fits = kept == 0 || kept == shape[0] * shape[2];
      mask = kept ? Values(masks) : nullptr;
    }
    for (int array = 0; array < kBlockArrays; ++array) {
      fits = fits && TF_TensorElementCount(arrays[array]) == int64_t(sizes.Size(array));
      weights[array] = Values(arrays[array]);
    }
    if (!fits) call.Refuse("expected (batch, steps, channels), full vectors, and a block");
    x = Values(image);
  }

  const float* Mask(int record) const { return mask ? mask + record * sizes.channels : nullptr; }

  std::vector<int64_t> shape;
  BlockSizes sizes;
  BlockWeights weights;
  const float *x = nullptr, *mask = nullptr;
};

// x, masks, weights: the output, and what its convolution wrote.
void Forward(void* attributes, TF_OpKernelContext* context) {
  Call call(context);
  const Taken taken(call, *static_cast<Attributes*>(attributes), 2);
  if (!call.ok()) return;
  float *to = call.Out(0, taken.shape), *convolved = call.Out(1, taken.shape);
  if (!call.ok()) return;
  const FrameBlock forward(taken.sizes, taken.weights);
  ForEach(taken.shape[0], [&](int record) {
    const size_t at = record * taken.sizes.Values();
    forward(taken.x + at, taken.Mask(record), convolved + at, to + at);
  });
}

// x, masks, what the convolution wrote, the gradient of the output, weights: those of x and of the
// weights.
void Backward(void* attributes, TF_OpKernelContext* context) {
  Call call(context);
  const Taken taken(call, *static_cast<Attributes*>(attributes), 4);
  const TF_Tensor *convolved = call.In(2), *upstream = call.In(3);
  if (!call.ok()) return;
  if (ShapeOf(convolved) != taken.shape || ShapeOf(upstream) != taken.shape) {
    return call.Refuse("expected a gradient of the shape of x");
  }
  float* of_x = call.Out(0, taken.shape);
  std::array<float*, kBlockArrays> of_weights;
  for (int array = 0; array < kBlockArrays; ++array) {
    of_weights[array] = call.OutLike(4 + array, 1 + array);
  }
  if (!call.ok()) return;
  const FrameBlockBack back(taken.sizes, taken.weights);
  Floats sums(back.Sums());
  SumByGroup(taken.shape[0], back.Sums(), sums.data(), [&](int record, float* own) {
    const size_t at = record * taken.sizes.Values();
    back(taken.x + at, taken.Mask(record), Values(convolved) + at, Values(upstream) + at,
         of_x + at, own);
  });
  back.Write(sums.data(), of_weights);
}

// The names of some values, and behind them of what a block learns, or of the gradients of that.
std::vector<const char*> With(std::vector<const char*> names, bool gradients) {
  const std::initializer_list<const char*> learned = {
      "scale: float", "shift: float", "kernel: float", "bias: float", "squeeze: float",
      "squeeze_bias: float", "excite: float", "excite_bias: float", "mixing: float",
      "mixing_bias: float"};
  const std::initializer_list<const char*> of_learned = {
      "of_scale: float", "of_shift: float", "of_kernel: float", "of_bias: float",
      "of_squeeze: float", "of_squeeze_bias: float", "of_excite: float", "of_excite_bias: float",
      "of_mixing: float", "of_mixing_bias: float"};
  names.insert(names.end(), gradients ? of_learned : learned);
  return names;
}

const std::vector<const char*> kAttributes = {"dilation: int", "epsilon: float"};

const bool registered[] = {
    Register({"TfseqFrameBlock", kAttributes, With({"x: float", "masks: float"}, false),
              {"output: float", "convolved: float"}, NewBlock, Forward, DeleteBlock}),
    Register({"TfseqFrameBlockBackward", kAttributes,
              With({"x: float", "masks: float", "convolved: float", "upstream: float"}, false),
              With({"of_x: float"}, true), NewBlock, Backward, DeleteBlock}),
};

}  // namespace
}  // namespace tfseq
