// Holds the kernels for many channels against sums written out: see test_native.py.

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <vector>

#include "checks.h"
#include "frame_block.h"

namespace {

using Doubles = std::vector<double>;

// A convolution of frames with its gradients; with a stride, frames of several steps.
double Convolutions() {
  const int stride = Between(0, 1) ? 1 : Between(2, 5), dilation = stride > 1 ? 1 : Between(1, 9);
  const int taps = stride * Between(1, stride > 1 ? 4 : 9), filters = tfseq::kLanes * Between(1, 5);
  const int channels = stride > 1 ? Between(1, 20) : tfseq::kLanes * Between(1, 5);
  const int steps = Between(1, Between(0, 4) ? 40 : 130);
  const auto of = tfseq::Taps::Same(steps, channels, filters, taps, stride, dilation);
  const auto x = Noise(steps * channels), kernel = Noise(of.Weights()), bias = Noise(filters);
  const auto upstream = Noise(of.Sums());
  Doubles sums(of.Sums()), of_x(x.size()), of_kernel(kernel.size()), of_bias(filters);
  for (size_t at = 0; at < sums.size(); ++at) {
    const int filter = at % filters, frame = at / filters;
    sums[at] = bias[filter];
    of_bias[filter] += upstream[at];
    for (size_t weight = filter; weight < kernel.size(); weight += filters) {
      const int channel = weight / filters % channels, tap = weight / filters / channels;
      const int step = frame * stride + tap * dilation - of.before / channels;
      if (step < 0 || step >= steps) continue;
      const int from = step * channels + channel;
      sums[at] += double(x[from]) * kernel[weight];
      of_x[from] += double(upstream[at]) * kernel[weight];
      of_kernel[weight] += double(upstream[at]) * x[from];
    }
  }
  std::vector<float> found(of.Sums()), found_x(x.size());
  std::vector<float> found_kernel(kernel.size()), found_bias(filters);
  tfseq::FrameConvolution(of, kernel.data(), bias.data())(x.data(), found.data());
  const tfseq::FrameGradients gradients(of);
  std::vector<float> added(gradients.Sums());
  gradients.Add(x.data(), upstream.data(), added.data());
  gradients.Write(added.data(), found_kernel.data(), found_bias.data());
  if (stride == 1) {
    tfseq::FrameConvolution::Back(of, kernel.data())(upstream.data(), found_x.data());
  } else if (taps * channels % tfseq::kLanes == 0) {
    tfseq::FramesBack(of, kernel.data())(upstream.data(), found_x.data());
  } else {
    std::copy(of_x.begin(), of_x.end(), found_x.begin());
  }
  return std::max({Difference(sums, found), Difference(of_kernel, found_kernel),
                   Difference(of_bias, found_bias), Difference(of_x, found_x)});
}

double Silu(double x) { return x / (1 + std::exp(-x)); }

// A residual block, written out.
struct Block {
  const tfseq::BlockSizes sizes = {Between(1, 40), tfseq::kLanes * Between(1, 3),
                                   Between(1, 9),  Between(1, 9), Between(1, 9), 1e-3f};
  std::array<Doubles, tfseq::kBlockArrays> weights;
  Doubles x, mask;

  Doubles Output() const {
    const int steps = sizes.steps, channels = sizes.channels;
    const auto& w = weights;
    Doubles normal(x.size()), active(x.size()), squeezed = w[tfseq::kSqueezeBias];
    for (int step = 0; step < steps; ++step) {
      double mean = 0, variance = 0;
      const double* frame = &x[step * channels];
      for (int c = 0; c < channels; ++c) mean += frame[c] / channels;
      for (int c = 0; c < channels; ++c) variance += std::pow(frame[c] - mean, 2) / channels;
      for (int c = 0; c < channels; ++c) {
        const double value = (frame[c] - mean) / std::sqrt(variance + sizes.epsilon);
        normal[step * channels + c] = value * w[tfseq::kScale][c] + w[tfseq::kShift][c];
      }
    }
    const int before = sizes.Convolution().before / channels;
    for (int at = 0; at < steps * channels; ++at) {
      const int c = at % channels;
      double sum = w[tfseq::kBias][c];
      for (int tap = 0; tap < sizes.taps; ++tap) {
        const int step = at / channels + tap * sizes.dilation - before;
        for (int from = 0; step >= 0 && step < steps && from < channels; ++from) {
          sum += normal[step * channels + from] *
                 w[tfseq::kKernel][(tap * channels + from) * channels + c];
        }
      }
      active[at] = Silu(sum);
      for (int s = 0; s < sizes.squeezed; ++s) {
        squeezed[s] += active[at] / steps * w[tfseq::kSqueeze][c * sizes.squeezed + s];
      }
    }
    Doubles level = w[tfseq::kExciteBias], output(x.size());
    for (int c = 0; c < channels; ++c) {
      for (int s = 0; s < sizes.squeezed; ++s) {
        level[c] += Silu(squeezed[s]) * w[tfseq::kExcite][s * channels + c];
      }
    }
    for (int at = 0; at < steps * channels; ++at) {
      const int c = at % channels;
      output[at] = x[at] + w[tfseq::kMixingBias][c];
      for (int from = 0; from < channels; ++from) {
        const double kept = mask.empty() ? 1 : mask[from];
        const double mixed = (active[at - c + from] + level[from]) * kept;
        output[at] += mixed * w[tfseq::kMixing][from * channels + c];
      }
    }
    return output;
  }
};

Doubles Wide(const std::vector<float>& values) { return {values.begin(), values.end()}; }

// Adds a multiple.
void Move(Doubles& values, const std::vector<float>& along, double by) {
  for (size_t at = 0; at < values.size(); ++at) values[at] += along[at] * by;
}

// The output of a block, and its slope in a direction in which all that it depends on moves.
double Blocks() {
  Block block;
  const auto& sizes = block.sizes;
  const auto x = Noise(sizes.Values()), mask = Noise(Between(0, 1) ? sizes.channels : 0);
  const auto upstream = Noise(x.size()), of_x_along = Noise(x.size());
  std::array<std::vector<float>, tfseq::kBlockArrays> weights, along, of_weights;
  tfseq::BlockWeights taken;
  std::array<float*, tfseq::kBlockArrays> written;
  for (int array = 0; array < tfseq::kBlockArrays; ++array) {
    weights[array] = Noise(sizes.Size(array)), along[array] = Noise(sizes.Size(array));
    for (float& weight : weights[array]) weight *= 0.3f;
    of_weights[array].resize(sizes.Size(array));
    taken[array] = weights[array].data(), written[array] = of_weights[array].data();
    block.weights[array] = Wide(weights[array]);
  }
  block.x = Wide(x), block.mask = Wide(mask);

  const tfseq::FrameBlockBack back(sizes, taken);
  const float* kept = mask.empty() ? nullptr : mask.data();
  std::vector<float> convolved(x.size()), output(x.size()), of_x(x.size()), sums(back.Sums());
  tfseq::FrameBlock(sizes, taken)(x.data(), kept, convolved.data(), output.data());
  back(x.data(), kept, convolved.data(), upstream.data(), of_x.data(), sums.data());
  back.Write(sums.data(), written);
  const double difference = Difference(block.Output(), output);

  double slope = 0, size = 1;
  const auto add = [&](const std::vector<float>& gradient, const std::vector<float>& direction) {
    for (size_t at = 0; at < gradient.size(); ++at) {
      slope += double(gradient[at]) * direction[at], size += std::abs(gradient[at]);
    }
  };
  add(of_x, of_x_along);
  for (int array = 0; array < tfseq::kBlockArrays; ++array) add(of_weights[array], along[array]);
  double expected = 0;
  for (const double side : {1.0, -1.0}) {
    Block moved = block;
    Move(moved.x, of_x_along, side * 1e-5);
    for (int array = 0; array < tfseq::kBlockArrays; ++array) {
      Move(moved.weights[array], along[array], side * 1e-5);
    }
    const Doubles there = moved.Output();
    for (size_t at = 0; at < there.size(); ++at) expected += side * there[at] * upstream[at] / 2e-5;
  }
  return std::max(difference, std::abs(slope - expected) / size * 100);
}

}  // namespace

int main() {
  double difference = 0;
  for (int time = 0; time < 300; ++time) {
    difference = std::max({difference, Convolutions(), time % 3 ? 0 : Blocks()});
  }
  std::printf("%d lanes: %g\n", tfseq::kLanes, difference);
  return difference < 1e-3 ? 0 : 1;
}
