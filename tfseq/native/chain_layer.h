// Layers that look at each value alone, in training, as one.
#ifndef TFSEQ_NATIVE_CHAIN_LAYER_H_
#define TFSEQ_NATIVE_CHAIN_LAYER_H_

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

#include "layers.h"
#include "pooling.h"

namespace tfseq {

// One after another: a number that was drawn for the channel of a record, what is negative times a
// slope, batch normalization, and again a slope.
//
// Its weights: both slopes; if it normalizes, gamma, beta, numbers near the means; epsilon.
class ChainLayer : public Layer {
 public:
  ChainLayer(Reader& from, const Images& images) {
    in.emplace_back(from);
    out = from.Number();
    mask_ = from.Number();
    normalizes_ = from.Number();
    channels_ = images[out].size.channels;
    scale_.assign(channels_, 1.0f), std_ = scale_;
    shift_.assign(channels_, 0.0f), mean_ = shift_, factor_ = shift_, level_ = shift_;
  }

  int Weights() const override { return 2 + (normalizes_ ? 3 * channels_ + 1 : 0); }
  void Read(const float* weights) override {
    before_ = weights[0], after_ = weights[1];
    weights_ = weights + 2;
  }
  bool normalizes() const { return normalizes_; }
  int statistics() const { return 2 * channels_; }

  void Compute(Frame& frame) const override {
    Image& image = frame.values[out];
    ForRows(image, [&](int channel, int row, float* to) {
      const float* x = in[0].At(frame.values, channel, row);
      const float mask = Mask(frame, channel), scale = scale_[channel], shift = shift_[channel];
      ForVectors(image.size.width, to, [&](int step) {
        return Bent(Bent(Load(x + step) * mask, before_) * scale + shift, after_);
      });
    });
  }

  void HandBack(Frame& frame, int, bool fresh) const override {
    Image &from = frame.gradients[out], &to = frame.gradients[in[0].image];
    const int width = from.size.width;
    ForRows(from, [&](int channel, int row, const float* upstream) {
      const float* x = in[0].At(frame.values, channel, row);
      const float mask = Mask(frame, channel), scale = scale_[channel], shift = shift_[channel];
      const float factor = factor_[channel], level = level_[channel];
      AddToRow(fresh, to.At(channel, row), to.size.width, in[0].start, width, [&](int step) {
        const Vector masked = Load(x + step) * mask, value = Bent(masked, before_);
        const Vector slope = Sloped(Load(upstream + step), value * scale + shift, after_);
        return Sloped(slope * scale + value * factor + level, masked, before_) * mask;
      });
    });
  }

  // Adds the sums over a record of what is normalized, less what is near the mean, and its squares.
  void AddMoments(Frame& frame, double* sums) const {
    Image& image = frame.values[out];
    ForRows(image, [&](int channel, int row, const float*) {
      const float* x = in[0].At(frame.values, channel, row);
      const float mask = Mask(frame, channel), near = weights_[2 * channels_ + channel];
      AddSumsOf(image.size.width, sums + 2 * channel, [&](int step) {
        const Vector value = Bent(Load(x + step) * mask, before_) - near;
        return std::pair(value, value);
      });
    });
  }

  // Writes the means, and behind them the variances, of `count` values.
  void WriteStatistics(const float* totals, double count, float* to) const {
    for (int channel = 0; channel < channels_; ++channel) {
      const double offset = totals[2 * channel] / count;
      to[channel] = weights_[2 * channels_ + channel] + offset;
      to[channels_ + channel] = std::max(0.0, totals[2 * channel + 1] / count - offset * offset);
    }
  }

  void ReadStatistics(const float* statistics) {
    for (int channel = 0; channel < channels_; ++channel) {
      mean_[channel] = statistics[channel];
      std_[channel] = std::sqrt(statistics[channels_ + channel] + weights_[3 * channels_]);
      scale_[channel] = weights_[channel] / std_[channel];
      shift_[channel] = weights_[channels_ + channel] - mean_[channel] * scale_[channel];
    }
  }

  // Adds the sums over a record of the normalization's gradient, and of that times x - mean.
  void AddGradients(Frame& frame, double* sums) const {
    Image& from = frame.gradients[out];
    ForRows(from, [&](int channel, int row, const float* upstream) {
      const float* x = in[0].At(frame.values, channel, row);
      const float mask = Mask(frame, channel), scale = scale_[channel], shift = shift_[channel];
      const float mean = mean_[channel];
      AddSumsOf(from.size.width, sums + 2 * channel, [&](int step) {
        const Vector value = Bent(Load(x + step) * mask, before_);
        return std::pair(Sloped(Load(upstream + step), value * scale + shift, after_),
                         value - mean);
      });
    });
  }

  // Writes the gradients of its weights.
  void ReadGradients(const float* totals, double count, float* to) {
    for (int channel = 0; channel < channels_; ++channel) {
      const float scale = scale_[channel], gamma = totals[2 * channel + 1] / std_[channel];
      to[2 + channel] = gamma;
      to[2 + channels_ + channel] = totals[2 * channel];
      factor_[channel] = -scale * gamma / (std_[channel] * count);
      level_[channel] = -scale * totals[2 * channel] / count - mean_[channel] * factor_[channel];
    }
  }

 private:
  static Vector Bent(Vector x, float slope) { return x >= 0 ? x : x * slope; }
  static Vector Sloped(Vector upstream, Vector x, float slope) {
    return x > 0 ? upstream : upstream * slope;
  }
  float Mask(const Frame& frame, int channel) const {
    return mask_ < 0 ? 1.0f : frame.masks[mask_ + channel];
  }

  int mask_, channels_;
  bool normalizes_;
  float before_ = 1, after_ = 1;
  const float* weights_ = nullptr;
  std::vector<float> mean_, std_, scale_, shift_, factor_, level_;
};

}  // namespace tfseq

#endif  // TFSEQ_NATIVE_CHAIN_LAYER_H_
