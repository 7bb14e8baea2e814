// Layers of sequences that look at each frame or at each value alone.
#ifndef TFSEQ_NATIVE_FRAME_VALUES_H_
#define TFSEQ_NATIVE_FRAME_VALUES_H_

#include <algorithm>
#include <cmath>
#include <cstring>

#include "rows.h"

namespace tfseq {

using Whole = int __attribute__((vector_size(kLanes * sizeof(int))));

// To a few units in the last place.
inline Vector Exp(Vector x) {
  x = x < -87.0f ? Vector{} - 87.0f : x > 88.0f ? Vector{} + 88.0f : x;
  const Vector half = x < 0 ? Vector{} - 0.5f : Vector{} + 0.5f;
  const Whole power = __builtin_convertvector(x * 1.44269504f + half, Whole);
  const Vector times = __builtin_convertvector(power, Vector);
  // The logarithm of 2 in two parts: the first has zeros behind, and its products are exact.
  const Vector rest = x - times * 0.693359375f + times * 2.12194440e-4f;
  Vector sum = Vector{} + 1.9875691500e-4f;
  for (const float term : {1.3981999507e-3f, 8.3334519073e-3f, 4.1665795894e-2f,
                           1.6666665459e-1f, 5.0000001201e-1f, 1.0f, 1.0f}) {
    sum = sum * rest + term;
  }
  const Whole scale = (power + 127) << 23;
  Vector scaled;
  std::memcpy(&scaled, &scale, sizeof(scaled));
  return sum * scaled;
}

inline Vector Sigmoid(Vector x) { return 1.0f / (1.0f + Exp(-x)); }

inline Vector Silu(Vector x) { return x * Sigmoid(x); }

// Returns a value; writes its slope.
inline Vector Silu(Vector x, Vector* slope) {
  const Vector sigmoid = Sigmoid(x);
  *slope = sigmoid * (1.0f + x * (1.0f - sigmoid));
  return x * sigmoid;
}

// Frames of some channels, full vectors, that are brought to mean 0 and variance 1 each, and then
// scaled and shifted channel by channel.
class FrameNormalization {
 public:
  FrameNormalization(int channels, float epsilon) : channels_(channels), epsilon_(epsilon) {}

  void Forward(const float* x, const float* scale, const float* shift, float* to) const {
    const auto [mean, factor] = Moments(x);
    for (int c = 0; c < channels_; c += kLanes) {
      Store((Load(x + c) - mean) * (factor * Load(scale + c)) + Load(shift + c), to + c);
    }
  }

  // Writes the gradient of a frame; adds to those of scale and shift.
  void Backward(const float* x, const float* scale, const float* upstream, float* of_x,
                float* of_scale, float* of_shift) const {
    const auto [mean, factor] = Moments(x);
    Vector slopes = {}, products = {};
    for (int c = 0; c < channels_; c += kLanes) {
      const Vector normal = (Load(x + c) - mean) * factor, above = Load(upstream + c);
      const Vector slope = above * Load(scale + c);
      slopes += slope;
      products += slope * normal;
      Store(Load(of_scale + c) + above * normal, of_scale + c);
      Store(Load(of_shift + c) + above, of_shift + c);
    }
    const float level = Sum(slopes) / channels_, along = Sum(products) / channels_;
    for (int c = 0; c < channels_; c += kLanes) {
      const Vector normal = (Load(x + c) - mean) * factor;
      const Vector slope = Load(upstream + c) * Load(scale + c);
      Store((slope - level - normal * along) * factor, of_x + c);
    }
  }

 private:
  struct MeanAndFactor {
    float mean, factor;
  };

  MeanAndFactor Moments(const float* x) const {
    Vector sums = {}, squares = {};
    for (int c = 0; c < channels_; c += kLanes) sums += Load(x + c);
    const float mean = Sum(sums) / channels_;
    for (int c = 0; c < channels_; c += kLanes) {
      const Vector offset = Load(x + c) - mean;
      squares += offset * offset;
    }
    return {mean, 1.0f / std::sqrt(Sum(squares) / channels_ + epsilon_)};
  }

  int channels_;
  float epsilon_;
};

}  // namespace tfseq

#endif  // TFSEQ_NATIVE_FRAME_VALUES_H_
