// What the average over a record says to each of its frames: two small dense layers.
#ifndef TFSEQ_NATIVE_FRAME_CONTEXT_H_
#define TFSEQ_NATIVE_FRAME_CONTEXT_H_

#include <algorithm>
#include <cmath>

#include "rows.h"

namespace tfseq {

// Of one record; the gradients take the places of what they are of.
struct ContextValues {
  Floats mean, squeezed, level;
};

// The weights, of the first layer and then of the second, each with its bias, must outlive it.
class FrameContext {
 public:
  struct Sizes {
    int channels, squeezed;
  };

  FrameContext(const Sizes& sizes, const float* const* weights)
      : channels_(sizes.channels), squeezed_(sizes.squeezed), weights_(weights) {}

  // Where the average belongs.
  float* Mean(ContextValues& values) const {
    values.mean.Resize(channels_);
    return values.mean.data();
  }

  // Returns what is added to each frame.
  const float* Forward(ContextValues& values) const {
    values.squeezed.Resize(squeezed_), values.level.Resize(channels_);
    float *squeezed = values.squeezed.data(), *level = values.level.data();
    std::copy_n(weights_[1], squeezed_, squeezed);
    for (int c = 0; c < channels_; ++c) {
      for (int s = 0; s < squeezed_; ++s) {
        squeezed[s] += values.mean.data()[c] * weights_[0][c * squeezed_ + s];
      }
    }
    std::copy_n(weights_[3], channels_, level);
    for (int s = 0; s < squeezed_; ++s) {
      const float active = squeezed[s] * Sigmoid(squeezed[s]);
      for (int c = 0; c < channels_; ++c) level[c] += active * weights_[2][s * channels_ + c];
    }
    return level;
  }

  size_t Sums() const { return 2 * size_t(channels_) * squeezed_ + squeezed_ + channels_; }

  // Where the gradient of what was added belongs.
  float* OfLevel(ContextValues& values) const { return values.level.data(); }

  // Returns the gradient of the average; adds to those of the weights.
  const float* Backward(ContextValues& values, float* sums) const {
    const float* of_level = values.level.data();
    float *mean = values.mean.data(), *squeezed = values.squeezed.data();
    float* of_squeeze = sums;
    float* of_squeeze_bias = of_squeeze + size_t(channels_) * squeezed_;
    float* of_excite = of_squeeze_bias + squeezed_;
    float* of_excite_bias = of_excite + size_t(channels_) * squeezed_;
    for (int s = 0; s < squeezed_; ++s) {
      const float sigmoid = Sigmoid(squeezed[s]);
      float of_active = 0;
      for (int c = 0; c < channels_; ++c) {
        of_excite[s * channels_ + c] += squeezed[s] * sigmoid * of_level[c];
        of_active += weights_[2][s * channels_ + c] * of_level[c];
      }
      squeezed[s] = of_active * sigmoid * (1.0f + squeezed[s] * (1.0f - sigmoid));
      of_squeeze_bias[s] += squeezed[s];
    }
    for (int c = 0; c < channels_; ++c) {
      float of_mean = 0;
      for (int s = 0; s < squeezed_; ++s) {
        of_squeeze[c * squeezed_ + s] += mean[c] * squeezed[s];
        of_mean += weights_[0][c * squeezed_ + s] * squeezed[s];
      }
      of_excite_bias[c] += of_level[c];
      mean[c] = of_mean;
    }
    return mean;
  }

 private:
  static float Sigmoid(float x) { return 1.0f / (1.0f + std::exp(-x)); }

  int channels_, squeezed_;
  const float* const* weights_;
};

}  // namespace tfseq

#endif  // TFSEQ_NATIVE_FRAME_CONTEXT_H_
