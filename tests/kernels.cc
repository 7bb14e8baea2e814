// Holds the kernels against sums written out, for many sizes, under sanitizers: see test_native.py.

#include <cmath>
#include <cstdio>
#include <random>

#include "convolution.cc"
#include "pooling.cc"

// TensorFlow is not linked: nothing is registered.
namespace xla {
CustomCallTargetRegistry* CustomCallTargetRegistry::Global() {
  static CustomCallTargetRegistry registry;
  return &registry;
}
void CustomCallTargetRegistry::Register(const std::string&, void*, const std::string&) {}
}  // namespace xla

namespace {

std::mt19937 generator(1);

int Between(int low, int high) {
  return std::uniform_int_distribution<int>(low, high)(generator);
}

std::vector<float> Noise(size_t values) {
  std::vector<float> noise(values);
  for (float& value : noise) value = Between(-1000, 1000) / 1000.0f;
  return noise;
}

template <class Expected>
double Difference(const Expected& expected, const std::vector<float>& found) {
  double difference = 0;
  for (size_t i = 0; i < expected.size(); ++i) {
    difference = std::max(difference, std::abs(double(expected[i]) - found[i]));
  }
  return difference;
}

// A convolution of a random size, its transpose and its gradient; returns the largest difference.
double Convolutions(bool far) {
  const int records = Between(1, 3), channels = Between(1, 9), filters = Between(1, 9);
  const int height = Between(1, 5), width = Between(1, 300), kernel_height = Between(1, 3);
  const int kernel_width = far ? Between(1, 64) : Between(1, 9);
  const int stride = Between(1, 3), stride_in_time = Between(1, 4), offset = Between(0, 2);
  const int before = Between(0, far ? 64 : 8), after = Between(0, far ? 64 : 8);
  const int maps_height = (height + 2 * offset - kernel_height) / stride + 1;
  const int maps_width = (width + before + after - kernel_width) / stride_in_time + 1;
  if (height + 2 * offset < kernel_height || width + before + after < kernel_width) return 0;
  char text[200];
  const int length = std::snprintf(
      text, sizeof(text), "%d %d %d %d %d %d %d %d %d %d %d %d %d 0", records, channels, height,
      width, filters, maps_height, maps_width, kernel_height, kernel_width, stride, stride_in_time,
      offset, before);

  const auto image = Noise(size_t(records) * channels * height * width);
  const auto maps = Noise(size_t(records) * filters * maps_height * maps_width);
  const auto kernel = Noise(size_t(kernel_height) * kernel_width * channels * filters);
  const std::vector<float> zeros(9, 0.0f);
  std::vector<float> to_maps(maps.size()), to_image(image.size()), weights(kernel.size() + filters);
  const float* forward[] = {image.data(), kernel.data(), zeros.data()};
  tfseq_convolve(to_maps.data(), forward, text, length, nullptr);
  const float* backward[] = {maps.data(), kernel.data(), zeros.data()};
  tfseq_convolve_transposed(to_image.data(), backward, text, length, nullptr);
  const float* pair[] = {image.data(), maps.data()};
  tfseq_weights_gradient(weights.data(), pair, text, length, nullptr);

  std::vector<double> in_maps(maps.size()), in_image(image.size()), in_weights(weights.size());
  for (size_t map = 0; map < maps.size(); ++map) {
    const int step = map % maps_width, row = map / maps_width % maps_height;
    const int filter = map / maps_width / maps_height % filters;
    const int record = map / maps_width / maps_height / filters;
    in_weights[kernel.size() + filter] += maps[map];
    for (size_t weight = filter; weight < kernel.size(); weight += filters) {
      const int channel = weight / filters % channels;
      const int tap = weight / filters / channels;
      const int from_row = row * stride + tap / kernel_width - offset;
      const int from_step = step * stride_in_time + tap % kernel_width - before;
      if (from_row < 0 || from_row >= height || from_step < 0 || from_step >= width) continue;
      const size_t from = ((record * channels + channel) * height + from_row) * width + from_step;
      in_maps[map] += image[from] * double(kernel[weight]);
      in_image[from] += maps[map] * double(kernel[weight]);
      in_weights[weight] += image[from] * double(maps[map]);
    }
  }
  return std::max({Difference(in_maps, to_maps), Difference(in_image, to_image),
                   Difference(in_weights, weights) / 10});
}

// The gradient of a pooling goes to the largest value of a window and nowhere else.
double Poolings() {
  const int records = Between(1, 3), channels = Between(1, 4);
  const int height = Between(1, 5), width = Between(1, 100);
  char text[200];
  const int length =
      std::snprintf(text, sizeof(text), "%d %d %d %d", records, channels, height, width);
  const auto x = Noise(size_t(records) * channels * height * width);
  const std::vector<float> ones(channels, 1.0f), zeros(channels, 0.0f);
  std::vector<float> largest(size_t(records) * channels * (height / 2) * (width / 2));
  const float* pooled[] = {x.data(), ones.data()};
  tfseq_largest(largest.data(), pooled, text, length, nullptr);
  // With the largest values as slopes, what comes back is each of them in its place.
  std::vector<float> slopes(x.size()), sums(2 * channels);
  const float* gradient[] = {x.data(),    ones.data(),  largest.data(),
                             zeros.data(), zeros.data()};
  tfseq_largest_gradient(slopes.data(), gradient, text, length, nullptr);
  double total = 0, difference = 0;
  for (const float value : largest) total += value;
  for (size_t at = 0; at < x.size(); ++at) {
    total -= slopes[at];
    if (slopes[at] != 0) difference = std::max(difference, double(std::abs(slopes[at] - x[at])));
  }
  const float* moments[] = {x.data(), x.data(), zeros.data(), ones.data()};
  tfseq_channel_sums(sums.data(), moments, text, length, nullptr);
  std::vector<double> in_sums(2 * channels);
  for (size_t at = 0; at < x.size(); ++at) {
    const int channel = at / (height * width) % channels;
    in_sums[2 * channel] += x[at];
    in_sums[2 * channel + 1] += x[at] * (x[at] - 1.0);
  }
  return std::max({std::abs(total), difference, Difference(in_sums, sums)});
}

}  // namespace

int main() {
  double difference = 0;
  for (int time = 0; time < 300; ++time) {
    difference = std::max({difference, Convolutions(time % 5 == 0), Poolings()});
  }
  std::printf("%d lanes: %g\n", tfseq::kLanes, difference);
  return difference < 1e-3 ? 0 : 1;
}
