// What batch normalization and 2 x 2 max pooling of (record, channel, row, step) go through.

#include "pooling.h"

#include <algorithm>
#include <cstring>
#include <vector>

#include "records.h"
#include "rows.h"

namespace tfseq {
namespace {

struct Shape {
  int records, channels, height, width;

  size_t At(int record, int channel, int row) const {
    return ((record * static_cast<size_t>(channels) + channel) * height + row) * width;
  }

  // An odd last row or step falls away.
  Shape Pooled() const { return {records, channels, height / 2, width / 2}; }
};

Shape ShapeOf(const char* text, size_t length) {
  const std::vector<int> at = Integers(text, length);
  return {at[0], at[1], at[2], at[3]};
}

// The sums over `count` values of x - x_centre, and of that times y - y_centre.
void AddSums(const float* x, const float* y, float x_centre, float y_centre, size_t count,
             double* sums) {
  constexpr size_t kPiece = 512;  // longer sums in float32 would lose digits
  for (size_t start = 0; start < count; start += kPiece) {
    const size_t stop = std::min(count, start + kPiece);
    Vector sum[2] = {}, products[2] = {};
    size_t at = start;
    for (; at + 2 * kLanes <= stop; at += 2 * kLanes) {
      for (int half = 0; half < 2; ++half) {
        const Vector centred = Load(x + at + half * kLanes) - x_centre;
        sum[half] += centred;
        products[half] += centred * (Load(y + at + half * kLanes) - y_centre);
      }
    }
    sums[0] += Sum(sum[0] + sum[1]);
    sums[1] += Sum(products[0] + products[1]);
    for (; at < stop; ++at) {
      sums[0] += x[at] - x_centre;
      sums[1] += (x[at] - x_centre) * (y[at] - y_centre);
    }
  }
}

// (channel, 2) of those sums.
void ChannelSums(const Shape& shape, const float* x, const float* y, const float* x_centre,
                 const float* y_centre, float* to) {
  const int channels = shape.channels;
  SumsByRecord sums(shape.records, 2 * channels);
  ForEachRecord(shape.records, 0, [&](int record, int) {
    for (int channel = 0; channel < channels; ++channel) {
      const size_t at = shape.At(record, channel, 0);
      AddSums(x + at, y + at, x_centre[channel], y_centre[channel],
              static_cast<size_t>(shape.height) * shape.width, sums.Of(record) + 2 * channel);
    }
  });
  sums.Totals(to);
}

// Pools x * sign, and returns it times sign.
void Largest(const Shape& shape, const float* x, const float* signs, float* to) {
  const Shape pooled = shape.Pooled();
  ForEachRecord(shape.records, Rows(2, shape.width, 2), [&](int record, Rows& rows) {
    for (int line = 0; line < shape.channels * pooled.height; ++line) {
      const int channel = line / pooled.height, row = line % pooled.height;
      rows.CopyFrom(x + shape.At(record, channel, 2 * row));
      float* largest = to + pooled.At(record, channel, row);
      const float sign = signs[channel];
      ForVectors(pooled.width, largest,
                 [&](int step) { return Window(rows, step, sign).Largest() * sign; });
    }
  });
}

// In place of two rows of x: factor * x + level, and the slope of each window where it is largest.
void AddSlopes(const float* slopes, float sign, float factor, float level, int width, Rows& rows) {
  for (int step = 0; step < (width + 1) / 2; step += kLanes) {
    Vector slope = {};
    const int left = std::min(kLanes, width / 2 - step);
    if (left > 0) std::memcpy(&slope, slopes + step, left * sizeof(float));
    const Window window(rows, step, sign);
    const auto upper = Window::Wins(window.Upper(), window.Lower());
    const auto first = Window::Wins(window.values[0], window.values[1]);
    const auto third = Window::Wins(window.values[2], window.values[3]);
    const decltype(upper) wins[4] = {upper & first, upper & ~first, ~upper & third,
                                     ~upper & ~third};
    for (int place = 0; place < 4; ++place) {
      float* at = rows.At(place / 2, place % 2) + step;
      const Vector found = Load(at) * factor + level + (wins[place] ? slope : Vector{});
      std::memcpy(at, &found, sizeof(found));
    }
  }
}

// The gradient of `Largest`, and factor * x + level of each channel on top.
void LargestGradient(const Shape& shape, const float* x, const float* signs, const float* slopes,
                     const float* factors, const float* levels, float* to) {
  const Shape pooled = shape.Pooled();
  ForEachRecord(shape.records, Rows(2, shape.width, 2), [&](int record, Rows& rows) {
    for (int line = 0; line < shape.channels * pooled.height; ++line) {
      const int channel = line / pooled.height, row = line % pooled.height;
      const size_t at = shape.At(record, channel, 2 * row);
      rows.CopyFrom(x + at);
      AddSlopes(slopes + pooled.At(record, channel, row), signs[channel], factors[channel],
                levels[channel], shape.width, rows);
      rows.CopyTo(0, to + at);
      rows.CopyTo(1, to + at + shape.width);
    }
    for (int channel = 0; shape.height % 2 && channel < shape.channels; ++channel) {
      const size_t at = shape.At(record, channel, shape.height - 1);
      for (int step = 0; step < shape.width; ++step) {
        to[at + step] = factors[channel] * x[at + step] + levels[channel];
      }
    }
  });
}

}  // namespace
}  // namespace tfseq

TFSEQ_CALL(tfseq_channel_sums, ChannelSums(ShapeOf(text, length), in[0], in[1], in[2], in[3], out))
TFSEQ_CALL(tfseq_largest, Largest(ShapeOf(text, length), in[0], in[1], out))
TFSEQ_CALL(tfseq_largest_gradient,
           LargestGradient(ShapeOf(text, length), in[0], in[1], in[2], in[3], in[4], out))
