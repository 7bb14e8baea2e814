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

// What happens to the values of a channel: a number that was drawn for the channel of a record,
// what is negative times a slope, batch normalization, and again a slope.
struct Chain {
  float mask, before, scale, shift, after;
  float factor, level;  // of the normalization's gradient

  // What is normalized of a value, and what comes of that.
  Vector Normalized(Vector x) const { return Bent(x * mask, before); }
  Vector After(Vector value) const { return Bent(value * scale + shift, after); }
  // What of a gradient reaches the normalization's output; and from there, x.
  Vector Slope(Vector upstream, Vector value) const {
    return Sloped(upstream, value * scale + shift, after);
  }
  Vector Back(Vector slope, Vector x, Vector value) const {
    return Sloped(slope * scale + value * factor + level, x * mask, before) * mask;
  }

 private:
  static Vector Bent(Vector x, float slope) { return x >= 0 ? x : x * slope; }
  static Vector Sloped(Vector upstream, Vector x, float slope) {
    return x > 0 ? upstream : upstream * slope;
  }
};

// Its weights: both slopes; if it normalizes, gamma, beta, numbers near the means; epsilon.
class ChainLayer : public Layer {
 public:
  ChainLayer(Reader& from, const Images& images) {
    in.emplace_back(from);
    out = from.Number();
    mask_ = from.Number();
    normalizes_ = from.Number();
    size_ = images[out].size;
    scale_.assign(size_.channels, 1.0f), std_ = scale_;
    shift_.assign(size_.channels, 0.0f), mean_ = shift_, factor_ = shift_, level_ = shift_;
  }

  int Weights() const override { return 2 + (normalizes_ ? 3 * size_.channels + 1 : 0); }
  void Read(const float* weights) override {
    before_ = weights[0], after_ = weights[1];
    weights_ = weights + 2;
  }
  bool normalizes() const { return normalizes_; }
  int statistics() const { return 2 * size_.channels; }
  // Of what is normalized.
  const Size& size() const { return size_; }

  void Compute(Frame& frame) const override {
    ForRows(frame.values[out], [&](int channel, int row, float* to) {
      const float* x = in[0].At(frame.values, channel, row);
      const Chain chain = Of(frame, channel);
      ForVectors(size_.width, to,
                 [&](int step) { return chain.After(chain.Normalized(Load(x + step))); });
    });
  }

  void HandBack(Frame& frame, int, bool fresh) const override {
    Image& to = frame.gradients[in[0].image];
    ForRows(frame.gradients[out], [&](int channel, int row, const float* upstream) {
      const float* from = in[0].At(frame.values, channel, row);
      const Chain chain = Of(frame, channel);
      AddToRow(fresh, to.At(channel, row), to.size.width, in[0].start, size_.width, [&](int step) {
        const Vector x = Load(from + step), value = chain.Normalized(x);
        return chain.Back(chain.Slope(Load(upstream + step), value), x, value);
      });
    });
  }

  // Adds the sums over a record of what is normalized, less what is near the mean, and its squares.
  void AddMoments(Frame& frame, double* sums) const {
    for (int line = 0; line < size_.rows(); ++line) {
      const int channel = line / size_.height;
      const float* x = in[0].At(frame.values, channel, line % size_.height);
      const Chain chain = Of(frame, channel);
      const float near = weights_[2 * size_.channels + channel];
      AddSumsOf(size_.width, sums + 2 * channel, [&](int step) {
        const Vector value = chain.Normalized(Load(x + step)) - near;
        return std::pair(value, value * value);
      });
    }
  }

  // Writes the means, and behind them the variances, of `count` values.
  void WriteStatistics(const float* totals, double count, float* to) const {
    const int channels = size_.channels;
    for (int channel = 0; channel < channels; ++channel) {
      const double offset = totals[2 * channel] / count;
      to[channel] = weights_[2 * channels + channel] + offset;
      to[channels + channel] = std::max(0.0, totals[2 * channel + 1] / count - offset * offset);
    }
  }

  void ReadStatistics(const float* statistics) {
    const int channels = size_.channels;
    for (int channel = 0; channel < channels; ++channel) {
      mean_[channel] = statistics[channel];
      std_[channel] = std::sqrt(statistics[channels + channel] + weights_[3 * channels]);
      scale_[channel] = weights_[channel] / std_[channel];
      shift_[channel] = weights_[channels + channel] - mean_[channel] * scale_[channel];
    }
  }

  // Adds the sums over a record of the normalization's gradient, and of that times x - mean.
  virtual void AddGradients(Frame& frame, double* sums) const {
    ForRows(frame.gradients[out], [&](int channel, int row, const float* upstream) {
      const float* x = in[0].At(frame.values, channel, row);
      const Chain chain = Of(frame, channel);
      const float mean = mean_[channel];
      AddSumsOf(size_.width, sums + 2 * channel, [&](int step) {
        const Vector value = chain.Normalized(Load(x + step));
        const Vector slope = chain.Slope(Load(upstream + step), value);
        return std::pair(slope, slope * (value - mean));
      });
    });
  }

  // Writes the gradients of its weights.
  void ReadGradients(const float* totals, double count, float* to) {
    const int channels = size_.channels;
    for (int channel = 0; channel < channels; ++channel) {
      const float scale = scale_[channel], gamma = totals[2 * channel + 1] / std_[channel];
      to[2 + channel] = gamma;
      to[2 + channels + channel] = totals[2 * channel];
      factor_[channel] = -scale * gamma / (std_[channel] * count);
      level_[channel] = -scale * totals[2 * channel] / count - mean_[channel] * factor_[channel];
    }
  }

 protected:
  Chain Of(const Frame& frame, int channel) const {
    const float mask = mask_ < 0 ? 1.0f : frame.masks[mask_ + channel];
    return {mask,   before_,          scale_[channel], shift_[channel],
            after_, factor_[channel], level_[channel]};
  }
  float Mean(int channel) const { return mean_[channel]; }

 private:
  Size size_;
  int mask_;
  bool normalizes_;
  float before_ = 1, after_ = 1;
  const float* weights_ = nullptr;
  std::vector<float> mean_, std_, scale_, shift_, factor_, level_;
};

}  // namespace tfseq

#endif  // TFSEQ_NATIVE_CHAIN_LAYER_H_
