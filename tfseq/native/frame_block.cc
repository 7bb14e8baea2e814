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
    bool fits = shape.size() == 3 && kernel.size() == 3 && shape[1] > 0 && shape[2] > 0;
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
  const FrameBlock block(taken.sizes, taken.weights);
  ForEach(taken.shape[0], [&](int record) {
    const size_t at = record * taken.sizes.Values();
    block.Forward(taken.x + at, taken.Mask(record), convolved + at, to + at);
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
  const TrainedFrameBlock block(taken.sizes, taken.weights);
  Floats sums(block.Sums());
  SumByGroup(taken.shape[0], block.Sums(), sums.data(), [&](int record, float* own) {
    const size_t at = record * taken.sizes.Values();
    block.Backward(taken.x + at, taken.Mask(record), Values(convolved) + at,
                   Values(upstream) + at, of_x + at, own);
  });
  block.Write(sums.data(), of_weights);
}

const std::vector<const char*> kAttributes = {"dilation: int", "epsilon: float", "arrays: int"};

const bool registered[] = {
    Register({"TfseqFrameBlock", kAttributes, {"x: float", "masks: float", "weights: arrays * float"},
              {"output: float", "convolved: float"}, NewBlock, Forward, DeleteBlock}),
    Register({"TfseqFrameBlockBackward", kAttributes,
              {"x: float", "masks: float", "convolved: float", "upstream: float",
               "weights: arrays * float"},
              {"of_x: float", "of_weights: arrays * float"}, NewBlock, Backward, DeleteBlock}),
};

}  // namespace
}  // namespace tfseq
