// Holds the kernels against sums written out, for many sizes, under sanitizers: see test_native.py.

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <random>

#include "convolution.cc"
#include "dense.cc"
#include "inference.cc"
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
    const double off = std::abs(double(expected[i]) - found[i]);
    difference = std::max(difference, std::isnan(off) ? INFINITY : off);
  }
  return difference;
}

// What a convolution of a random size, its transpose and its gradient give, written out.
struct Case {
  const int records = Between(1, 3), channels = Between(1, 9), filters = Between(1, 9);
  const int height = Between(1, 5), width = Between(1, 300), kernel_height = Between(1, 3);
  const int stride = Between(1, 3), stride_in_time = Between(1, 4), offset = Between(0, 2);
  int kernel_width, before, maps_height, maps_width;
  std::vector<float> image, maps, kernel;
  std::vector<double> in_maps, in_image, in_weights;

  explicit Case(bool far) {
    before = Between(0, far ? 64 : 8);
    const int padded = width + before + Between(0, far ? 64 : 8);
    kernel_width = std::min(padded, far ? Between(1, 64) : Between(1, 9));
    maps_height = std::max(0, height + 2 * offset - kernel_height + stride) / stride;
    maps_width = (padded - kernel_width) / stride_in_time + 1;
    image = Noise(size_t(records) * channels * height * width);
    maps = Noise(size_t(records) * filters * maps_height * maps_width);
    kernel = Noise(size_t(kernel_height) * kernel_width * channels * filters);
    WriteOut();
  }

  void WriteOut() {
    in_maps.assign(maps.size(), 0);
    in_image.assign(image.size(), 0);
    in_weights.assign(kernel.size() + filters, 0);
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
  }
};

// Returns the largest difference.
double Convolutions(bool far) {
  const Case each(far);
  char text[200];
  const int length = std::snprintf(
      text, sizeof(text), "%d %d %d %d %d %d %d %d %d %d %d %d %d 0", each.records, each.channels,
      each.height, each.width, each.filters, each.maps_height, each.maps_width, each.kernel_height,
      each.kernel_width, each.stride, each.stride_in_time, each.offset, each.before);
  const auto &image = each.image, &maps = each.maps, &kernel = each.kernel;
  const std::vector<float> zeros(9, 0.0f);
  std::vector<float> to_maps(maps.size()), to_image(image.size()), weights(each.in_weights.size());
  const float* forward[] = {image.data(), kernel.data(), zeros.data()};
  tfseq_convolve(to_maps.data(), forward, text, length, nullptr);
  const float* backward[] = {maps.data(), kernel.data(), zeros.data()};
  tfseq_convolve_transposed(to_image.data(), backward, text, length, nullptr);
  const float* pair[] = {image.data(), maps.data()};
  tfseq_weights_gradient(weights.data(), pair, text, length, nullptr);
  return std::max({Difference(each.in_maps, to_maps), Difference(each.in_image, to_image),
                   Difference(each.in_weights, weights) / 10});
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

// What a stage computes of some records.
std::vector<float> Run(tfseq::Stage* stage, const std::vector<float>& in, size_t out, int records) {
  std::vector<float> found(out);
  if (!tfseq_run(stage, in.data(), found.data(), records)) found.assign(out, NAN);
  tfseq_delete(stage);
  return found;
}

// A convolution, its transpose or none; a pooling; the sum of that with itself; a number for each
// channel.
double Networks(bool far) {
  const Case each(far);
  const bool transposed = Between(0, 1);
  const auto& in = transposed ? each.maps : each.image;
  const auto& convolved = transposed ? each.in_image : each.in_maps;
  const int channels = transposed ? each.channels : each.filters;
  const int height = transposed ? each.height : each.maps_height;
  const int width = transposed ? each.width : each.maps_width;
  const int rows = Between(1, 2), pooled_height = height / rows, pooled_width = width / 2;
  if (!each.maps_height || !pooled_height || !pooled_width) return 0;
  const int in_channels = transposed ? each.filters : each.channels;
  const int in_height = transposed ? each.maps_height : each.height;
  const int in_width = transposed ? each.maps_width : each.width;
  const std::vector<int> numbers = {
      4, 3, in_channels, in_height, in_width, channels, height, width,
      channels, pooled_height, pooled_width, channels, pooled_height, pooled_width,
      4,
      0, 0, 1, 0, each.channels, each.height, each.width, each.filters, each.maps_height,
      each.maps_width, each.kernel_height, each.kernel_width, each.stride, each.stride_in_time,
      each.offset, each.before, transposed,
      1, 1, 0, 2, rows,
      2, 2, 0, 2, 0, 3,
      3, 3};
  const auto bias = Noise(channels), factors = Noise(channels), summands = Noise(channels);
  std::vector<float> weights = each.kernel;
  const auto append = [&](const std::vector<float>& more) {
    weights.insert(weights.end(), more.begin(), more.end());
  };
  append(bias), append({0.5f}), append(factors), append(summands);
  append({0.25f}), append(factors), append(summands);
  std::vector<double> expected;
  for (int line = 0; line < each.records * channels * pooled_height; ++line) {
    const int channel = line / pooled_height % channels;
    const size_t first = (line / pooled_height * size_t(height) + line % pooled_height * rows);
    const auto finish = [&](double value, double slope) {
      return (value < 0 ? value * slope : value) * factors[channel] + summands[channel];
    };
    for (int step = 0; step < 2 * pooled_width; step += 2) {
      double largest = -INFINITY;
      for (int place = 0; place < 2 * rows; ++place) {
        const size_t at = (first + place / 2) * width + step + place % 2;
        largest = std::max(largest, finish(convolved[at] + bias[channel], 0.5));
      }
      expected.push_back(finish(2 * largest, 0.25));
    }
  }
  const auto stage = tfseq_new_network(numbers.data(), weights.data());
  return Difference(expected, Run(stage, in, expected.size(), each.records));
}

double DenseLayers() {
  const int records = Between(1, 9), rows = Between(1, 40), columns = Between(1, 70);
  const auto in = Noise(records * rows), weights = Noise(rows * columns + columns);
  std::vector<double> expected;
  for (int at = 0; at < records * columns; ++at) {
    expected.push_back(weights[rows * columns + at % columns]);
    for (int row = 0; row < rows; ++row) {
      expected.back() +=
          in[at / columns * rows + row] * double(weights[row * columns + at % columns]);
    }
  }
  const int numbers[] = {rows, columns};
  const auto stage = tfseq_new_dense(numbers, weights.data());
  return Difference(expected, Run(stage, in, expected.size(), records));
}

}  // namespace

int main() {
  double difference = 0;
  for (int time = 0; time < 300; ++time) {
    const bool far = time % 5 == 0;
    difference = std::max(
        {difference, Convolutions(far), Poolings(), Networks(far), DenseLayers()});
  }
  std::printf("%d lanes: %g\n", tfseq::kLanes, difference);
  return difference < 1e-3 ? 0 : 1;
}
