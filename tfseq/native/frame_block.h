// A residual block of frames (tfseq/models/seqnet.py): all that lies between stays in the cache.
#ifndef TFSEQ_NATIVE_FRAME_BLOCK_H_
#define TFSEQ_NATIVE_FRAME_BLOCK_H_

#include <algorithm>
#include <array>

#include "frame_context.h"
#include "frame_convolution.h"
#include "frame_values.h"

namespace tfseq {

// What a block learns.
enum BlockArray {
  kScale, kShift, kKernel, kBias, kSqueeze, kSqueezeBias, kExcite, kExciteBias, kMixing,
  kMixingBias, kBlockArrays
};
using BlockWeights = std::array<const float*, kBlockArrays>;

struct BlockSizes {
  int steps, channels, taps, dilation, squeezed;
  float epsilon;

  Taps Convolution() const { return Taps::Same(steps, channels, channels, taps, 1, dilation); }
  Taps Mixing() const { return Taps::Same(steps, channels, channels, 1, 1, 1); }
  size_t Values() const { return size_t(steps) * channels; }

  // Of an array.
  size_t Size(int array) const {
    switch (array) {
      case kKernel: return size_t(taps) * channels * channels;
      case kMixing: return size_t(channels) * channels;
      case kSqueeze: case kExcite: return size_t(channels) * squeezed;
      case kSqueezeBias: return squeezed;
      default: return channels;
    }
  }
};

// What the passes of a block have in common.
class BlockInside {
 protected:
  // What lies between x and the output of one record.
  struct Between {
    Padded normal, mixed;
    ContextValues context;
  };

  BlockInside(const BlockSizes& sizes, const BlockWeights& weights)
      : sizes_(sizes), weights_(weights), normalization_(sizes.channels, sizes.epsilon),
        context_({sizes.channels, sizes.squeezed}, &weights_[kSqueeze]) {}

  BlockInside(const BlockInside&) = delete;  // the context reads its weights here

  // Writes what the convolution takes.
  void Normalize(const float* x, Between& between) const {
    float* to = between.normal.Room(sizes_.Convolution());
    for (size_t at = 0; at < sizes_.Values(); at += sizes_.channels) {
      normalization_.Forward(x + at, weights_[kScale], weights_[kShift], to + at);
    }
  }

  // Writes what the mixing takes, and the slopes of the activation, if they are wanted.
  void Activate(const float* convolved, const float* mask, Between& between, float* slopes) const {
    float* to = between.mixed.Room(sizes_.Mixing());
    float* mean = context_.Mean(between.context);
    for (int channel = 0; channel < sizes_.channels; channel += kLanes) {
      Vector sum = {};
      for (size_t at = channel; at < sizes_.Values(); at += sizes_.channels) {
        Vector slope;
        const Vector value = Silu(Load(convolved + at), &slope);
        if (slopes) Store(slope, slopes + at);
        Store(value, to + at);
        sum += value;
      }
      Store(sum / float(sizes_.steps), mean + channel);
    }
    const float* level = context_.Forward(between.context);
    for (int channel = 0; channel < sizes_.channels; channel += kLanes) {
      const Vector more = Load(level + channel), kept = Kept(mask, channel);
      for (size_t at = channel; at < sizes_.Values(); at += sizes_.channels) {
        Store((Load(to + at) + more) * kept, to + at);
      }
    }
  }

  static Vector Kept(const float* mask, int channel) {
    return mask ? Load(mask + channel) : Vector{} + 1.0f;
  }

  BlockSizes sizes_;
  BlockWeights weights_;
  FrameNormalization normalization_;
  FrameContext context_;
};

// Normalization, convolution, SiLU, context, dropout and mixing; plus what it takes. The mask, one
// number a channel, may be none.
class FrameBlock : BlockInside {
 public:
  FrameBlock(const BlockSizes& sizes, const BlockWeights& weights)
      : BlockInside(sizes, weights),
        convolution_(sizes.Convolution(), weights[kKernel], weights[kBias]),
        mixing_(sizes.Mixing(), weights[kMixing], weights[kMixingBias]) {}

  // Writes the output of a record, and what the convolution wrote, which its gradient needs.
  void operator()(const float* x, const float* mask, float* convolved, float* to) const {
    static thread_local Between between;
    Normalize(x, between);
    convolution_.OfPadded(between.normal.data(), convolved);
    Activate(convolved, mask, between, nullptr);
    mixing_.OfPadded(between.mixed.data(), to);
    for (size_t at = 0; at < sizes_.Values(); at += kLanes) {
      Store(Load(to + at) + Load(x + at), to + at);
    }
  }

 private:
  FrameConvolution convolution_, mixing_;
};

// What takes gradients back through a block.
class FrameBlockBack : BlockInside {
 public:
  FrameBlockBack(const BlockSizes& sizes, const BlockWeights& weights)
      : BlockInside(sizes, weights),
        convolution_back_(FrameConvolution::Back(sizes.Convolution(), weights[kKernel])),
        mixing_back_(FrameConvolution::Back(sizes.Mixing(), weights[kMixing])),
        of_convolution_(sizes.Convolution()), of_mixing_(sizes.Mixing()) {}

  // Of the gradients of what is learned.
  size_t Sums() const { return Offsets().end; }

  // Writes the gradient of a record; adds to the sums.
  void operator()(const float* x, const float* mask, const float* convolved,
                  const float* upstream, float* of_x, float* sums) const {
    static thread_local Between between;
    static thread_local Padded back;
    static thread_local Floats slopes, of_normal;
    const auto offsets = Offsets();
    Normalize(x, between);
    slopes.Resize(sizes_.Values());
    Activate(convolved, mask, between, slopes.data());
    of_mixing_.AddOfPadded(between.mixed.data(), upstream, sums + offsets.mixing);
    float* above = back.Room(sizes_.Convolution().Back());
    mixing_back_(upstream, above);
    BackToConvolved(mask, slopes.data(), between.context, above, sums + offsets.context);
    of_convolution_.AddOfPadded(between.normal.data(), above, sums + offsets.convolution);
    of_normal.Resize(sizes_.Values());
    convolution_back_.OfPadded(back.data(), of_normal.data());
    for (size_t at = 0; at < sizes_.Values(); at += sizes_.channels) {
      normalization_.Backward(x + at, weights_[kScale], of_normal.data() + at, of_x + at,
                              sums + offsets.scale, sums + offsets.shift);
      for (size_t c = at; c < at + sizes_.channels; c += kLanes) {
        Store(Load(of_x + c) + Load(upstream + c), of_x + c);
      }
    }
  }

  void Write(const float* sums, const std::array<float*, kBlockArrays>& to) const {
    const auto offsets = Offsets();
    of_convolution_.Write(sums + offsets.convolution, to[kKernel], to[kBias]);
    of_mixing_.Write(sums + offsets.mixing, to[kMixing], to[kMixingBias]);
    std::copy_n(sums + offsets.scale, sizes_.channels, to[kScale]);
    std::copy_n(sums + offsets.shift, sizes_.channels, to[kShift]);
    const float* from = sums + offsets.context;
    for (int array = kSqueeze; array <= kExciteBias; from += sizes_.Size(array++)) {
      std::copy_n(from, sizes_.Size(array), to[array]);
    }
  }

 private:
  // Where the sums lie; those of the context have any size, and are the last.
  struct SumOffsets {
    size_t scale, shift, convolution, mixing, context, end;
  };
  SumOffsets Offsets() const {
    const size_t channels = sizes_.channels, mixing = 2 * channels + of_convolution_.Sums();
    const size_t context = mixing + of_mixing_.Sums();
    return {0, channels, 2 * channels, mixing, context, context + context_.Sums()};
  }

  // Makes the gradient of what the convolution wrote of that of what the mixing took.
  void BackToConvolved(const float* mask, const float* slopes, ContextValues& context, float* above,
                       float* sums) const {
    float* of_level = context_.OfLevel(context);
    for (int channel = 0; channel < sizes_.channels; channel += kLanes) {
      const Vector kept = Kept(mask, channel);
      Vector sum = {};
      for (size_t at = channel; at < sizes_.Values(); at += sizes_.channels) {
        sum += Load(above + at) * kept;
      }
      Store(sum, of_level + channel);
    }
    const float* of_mean = context_.Backward(context, sums);
    for (int channel = 0; channel < sizes_.channels; channel += kLanes) {
      const Vector kept = Kept(mask, channel);
      const Vector more = Load(of_mean + channel) / float(sizes_.steps);
      for (size_t at = channel; at < sizes_.Values(); at += sizes_.channels) {
        Store((Load(above + at) * kept + more) * Load(slopes + at), above + at);
      }
    }
  }

  FrameConvolution convolution_back_, mixing_back_;
  FrameGradients of_convolution_, of_mixing_;
};

}  // namespace tfseq

#endif  // TFSEQ_NATIVE_FRAME_BLOCK_H_
