// Holds the kernels against sums written out, for many sizes, under sanitizers: see test_native.py.

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "checks.h"
#include "dense.cc"
#include "inference.cc"
#include "losses.h"
#include "training.h"

namespace {

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

// What a training of some records, each with some masks, gives: the output, and the gradients.
struct Trained {
  std::vector<float> output, gradients;

  Trained(int records, int masks, const std::vector<int>& numbers, const std::vector<float>& image,
          const std::vector<float>& mask_values, const std::vector<float>& weights,
          const std::vector<float>& upstream)
      : output(upstream.size()), gradients(weights.size() + image.size()) {
    tfseq::Training training(numbers);
    const tfseq::Batch batch{records, masks, image.data(), mask_values.data(), weights.data()};
    std::vector<float> statistics(training.statistics()), kept(training.kept(records));
    training.Forward(batch, output.data(), statistics.data(), kept.data());
    training.Backward(batch, statistics.data(), kept.data(), upstream.data(), gradients.data(),
                      gradients.data() + training.weights());
  }
};

// Returns the largest difference of a convolution, or a transposed one, and of its gradients.
double Convolutions(bool far, bool transposed) {
  const Case each(far);
  const std::vector<int> maps = {each.filters, each.maps_height, each.maps_width};
  const std::vector<int> image = {each.channels, each.height, each.width};
  const auto& from = transposed ? maps : image;
  const auto& to = transposed ? image : maps;
  std::vector<int> numbers = {1, 2, 1};
  numbers.insert(numbers.end(), from.begin(), from.end());
  numbers.insert(numbers.end(), to.begin(), to.end());
  for (const int number : {1, 0, 0, 1, image[0], image[1], image[2], maps[0], maps[1], maps[2],
                           each.kernel_height, each.kernel_width, each.stride,
                           each.stride_in_time, each.offset, each.before, int(transposed)}) {
    numbers.push_back(number);
  }
  std::vector<float> weights = each.kernel;
  weights.resize(weights.size() + to[0]);
  const auto& in = transposed ? each.maps : each.image;
  const auto& upstream = transposed ? each.image : each.maps;
  const Trained found(each.records, 0, numbers, in, {}, weights, upstream);
  std::vector<double> expected(each.in_weights.begin(),
                               each.in_weights.begin() + each.kernel.size());
  expected.resize(weights.size());
  for (size_t at = 0; at < upstream.size(); ++at) {
    expected[each.kernel.size() + at / (to[1] * to[2]) % to[0]] += upstream[at];
  }
  for (double& sum : expected) sum /= 10;
  std::vector<float> gradients = found.gradients;
  for (size_t at = 0; at < weights.size(); ++at) gradients[at] /= 10;
  const auto& of_input = transposed ? each.in_maps : each.in_image;
  expected.insert(expected.end(), of_input.begin(), of_input.end());
  return std::max(Difference(transposed ? each.in_image : each.in_maps, found.output),
                  Difference(expected, gradients));
}

// The gradient of a pooling goes to the largest value of a window and nowhere else.
double Poolings() {
  const int records = Between(1, 3), channels = Between(1, 4), rows = Between(1, 2);
  const int height = Between(rows, 5), width = Between(2, 100);
  const auto x = Noise(size_t(records) * channels * height * width);
  std::vector<float> largest;
  for (int line = 0; line < records * channels * (height / rows); ++line) {
    const int first = line / (height / rows) * height + line % (height / rows) * rows;
    for (int step = 0; step + 1 < width; step += 2) {
      largest.push_back(-INFINITY);
      for (int place = 0; place < 2 * rows; ++place) {
        const size_t at = size_t(first + place / 2) * width + step + place % 2;
        largest.back() = std::max(largest.back(), x[at]);
      }
    }
  }
  const std::vector<int> numbers = {1,        2,             1,         channels, height, width,
                                    channels, height / rows, width / 2, 1,        1,      0,
                                    0,        1,             rows};
  // With the largest values as upstream, what comes back is each of them in its place.
  const Trained found(records, 0, numbers, x, {}, {}, largest);
  double total = 0, difference = 0;
  for (const float value : largest) total += value;
  for (size_t at = 0; at < x.size(); ++at) {
    const float slope = found.gradients[at];
    total -= slope;
    if (slope != 0) difference = std::max(difference, double(std::abs(slope - x[at])));
  }
  const std::vector<double> expected(largest.begin(), largest.end());
  return std::max({std::abs(total), difference, Difference(expected, found.output)});
}

// All layers, of odd sizes, on views: the same bits twice, whichever thread took which record.
double Networks() {
  const int records = Between(1, 9), channels = Between(1, 3), height = Between(2, 5);
  const int width = Between(8, 90), start = Between(0, 3), filters = Between(1, 4);
  const int cropped = width - start - Between(0, 2), rows = Between(1, 2);
  const int pooled_height = height / rows, pooled = cropped / 2;
  const std::vector<int> numbers = {
      1, 6, 5,
      channels, height, width, filters, height, width, filters, height, cropped,
      filters, pooled_height, pooled, filters, pooled_height, pooled,
      filters, pooled_height, pooled + 3,
      5,
      0, 0, 1, channels, height, width, filters, height, width, 3, 3, 1, 1, 1, 1, 0,
      4, 1, start, 2, 0, 1,
      1, 2, 0, 3, rows,
      2, 3, 0, 3, 0, 4,
      4, 4, -2, 5, -1, 0};
  const auto image = Noise(size_t(records) * channels * height * width);
  const auto upstream = Noise(size_t(records) * filters * pooled_height * (pooled + 3));
  std::vector<float> weights = Noise(9 * channels * filters + filters + 2 + 3 * filters + 1 + 2);
  weights[weights.size() - 3] = 1e-3f;  // the normalization's epsilon
  const std::vector<float> masks(records * filters, 2.0f);
  const Trained once(records, filters, numbers, image, masks, weights, upstream);
  const Trained twice(records, filters, numbers, image, masks, weights, upstream);
  const bool same = once.output == twice.output && once.gradients == twice.gradients;
  return same ? 0 : INFINITY;
}

// Two chains of one image and poolings of both, or of one twice, summed up. With a chain that
// changes nothing before each pooling, they cannot be computed as one: that gives the same.
double PooledChains() {
  const int records = Between(1, 5), height = Between(2, 5), width = Between(4, 90);
  const int filters = Between(1, 4), rows = Between(1, 2);
  const bool viewed = !Between(0, 2), twice = !Between(0, 2);
  const int start = viewed * Between(0, 1), crop = viewed * Between(0, 1), wide = width - start;
  const int pooled = (wide - crop) / 2;
  const auto image = Noise(size_t(records) * height * width);
  const auto upstream = Noise(size_t(records) * filters * (height / rows) * pooled);
  const auto kernel = Noise(9 * filters + filters), slopes = Noise(3);
  const auto normalization = Noise(3 * filters);
  std::vector<float> masks = Noise(records * filters);
  std::vector<Trained> found;
  for (const bool apart : {false, true}) {
    std::vector<int> numbers = {1, 9, 6, 1, height, width};
    std::vector<float> weights = kernel;
    const auto add = [&](const std::vector<int>& more) {
      numbers.insert(numbers.end(), more.begin(), more.end());
    };
    for (const int image : {1, 2, 3, 4, 5, 6, 7, 8}) {
      const bool small = image == 3 || image == 5 || image == 6;
      const int steps = small ? pooled : image == 1 ? width : wide;
      add({filters, small ? height / rows : height, steps});
    }
    add({apart ? 8 : 6, 0, 0, 1, 1, height, width, filters, height, width, 3, 3, 1, 1, 1, 1, 0});
    for (const int to : {2, 4}) {
      add({4, 1, start, to, 0, to == 2});
      weights.insert(weights.end(), {slopes[0], slopes[to / 2]});
      if (to == 2) {
        weights.insert(weights.end(), normalization.begin(), normalization.end());
        weights.push_back(0.1f);
      }
      if (apart) {
        add({4, to, 0, to == 2 ? 7 : 8, -1, 0});
        weights.insert(weights.end(), {1.0f, 1.0f});
      }
      const int pooled_image = twice ? 2 : to;
      add({1, !apart ? pooled_image : pooled_image == 2 ? 7 : 8, crop, to + 1, rows});
    }
    add({2, 3, 0, 5, 0, 6});
    found.emplace_back(records, filters, numbers, image, masks, weights, upstream);
    if (!apart) continue;
    auto& gradients = found[1].gradients;  // the slopes that are 1 have none
    const auto chain = gradients.begin() + kernel.size() + 2 + normalization.size() + 1;
    gradients.erase(chain, chain + 2);
    gradients.erase(chain + 2, chain + 4);
  }
  return std::max(Difference(found[0].output, found[1].output),
                  Difference(found[0].gradients, found[1].gradients));
}

double Product(const std::vector<float>& one, const std::vector<float>& two, size_t first = 0) {
  double sum = 0;
  for (size_t at = 0; at < one.size(); ++at) sum += double(one[at]) * two[first + at];
  return sum;
}

// Two convolutions with views, masks, sums and poolings between them grow with what they read, and
// with the weights of each, in proportion: the gradient of each times that is the output times what
// comes back.
double Proportional() {
  const int records = Between(1, 9), channels = Between(1, 3), height = Between(1, 3);
  const int width = Between(8, 90), start = Between(-3, 3), filters = Between(1, 4);
  const int shifted = width + Between(-2, 2), last = Between(1, 3), pools = Between(0, 1);
  const int third = pools ? shifted / 2 : shifted, reached = third + 2;
  std::vector<int> numbers = {
      1, 6, 5,
      channels, height, width, filters, height, width, filters, height, shifted,
      filters, height, shifted, filters, height, third, last, height, reached,
      5,
      0, 0, 1, channels, height, width, filters, height, width, 3, 3, 1, 1, 1, 1, 0,
      4, 1, start, 2, 0, 0,
      2, 2, 0, 1, -start, 3};
  for (const int number : pools ? std::vector<int>{1, 3, 0, 4, 1}
                                : std::vector<int>{4, 3, 0, 4, -1, 0}) {
    numbers.push_back(number);
  }
  for (const int number : {0, 4, 5, filters, height, third, last, height, reached, 1, 3, 1, 1, 0,
                           2, 0}) {
    numbers.push_back(number);
  }
  const auto image = Noise(size_t(records) * channels * height * width);
  const auto upstream = Noise(size_t(records) * last * height * reached);
  const auto first = Noise(9 * channels * filters), second = Noise(3 * filters * last);
  std::vector<float> weights = first;
  weights.resize(first.size() + filters);
  weights.insert(weights.end(), pools ? 2 : 4, 1.0f);  // slopes
  const size_t at = weights.size();
  weights.insert(weights.end(), second.begin(), second.end());
  weights.resize(at + second.size() + last);
  std::vector<float> masks = Noise(records * filters);
  for (float& mask : masks) mask = std::abs(mask);
  const Trained found(records, filters, numbers, image, masks, weights, upstream);
  const double wanted = Product(upstream, found.output);
  double difference = std::abs(wanted - Product(image, found.gradients, weights.size()));
  difference = std::max(difference, std::abs(wanted - Product(first, found.gradients)));
  difference = std::max(difference, std::abs(wanted - Product(second, found.gradients, at)));
  return difference / (1 + std::abs(wanted)) / 100;
}

// What a stage computes of some records.
std::vector<float> Run(tfseq::Stage* stage, const std::vector<float>& in, size_t out, int records) {
  std::vector<float> found(out);
  if (!tfseq_run(stage, in.data(), found.data(), records)) found.assign(out, NAN);
  tfseq_delete(stage);
  return found;
}

// A convolution or a transposed one; a pooling; the sum of that with itself; a number for each
// channel.
double Inferences(bool far) {
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
      0, 0, 1, each.channels, each.height, each.width, each.filters, each.maps_height,
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

double Errors() {
  const int records = Between(1, 9), steps = Between(1, 70);
  const auto label = Noise(records * steps), prediction = Noise(records * steps);
  const auto of_squared = Noise(records), of_absolute = Noise(records);
  std::vector<double> means(2 * records), gradients;
  for (int at = 0; at < records * steps; ++at) {
    const int record = at / steps;
    const double error = double(prediction[at]) - label[at];
    means[record] += error * error / steps;
    means[records + record] += std::abs(error) / steps;
    const double sign = (error > 0) - (error < 0);
    gradients.push_back((2 * error * of_squared[record] + sign * of_absolute[record]) / steps);
  }
  const tfseq::Predicted of{records, steps, label.data(), prediction.data()};
  std::vector<float> found(2 * records), found_gradients(records * steps);
  tfseq::MeanErrors(of, found.data(), found.data() + records);
  tfseq::ErrorGradients(of, of_squared.data(), of_absolute.data(), found_gradients.data());
  return std::max(Difference(means, found), Difference(gradients, found_gradients));
}

}  // namespace

int main() {
  double difference = 0;
  for (int time = 0; time < 300; ++time) {
    const bool far = time % 5 == 0;
    difference = std::max({difference, Convolutions(far, time % 2), Poolings(), Networks(),
                           PooledChains(), Proportional(), Inferences(far), DenseLayers(),
                           Errors()});
  }
  std::printf("%d lanes: %g\n", tfseq::kLanes, difference);
  return difference < 1e-3 ? 0 : 1;
}
