// Convolutions of sequences with many channels, which lie side by side: products of matrices.
#ifndef TFSEQ_NATIVE_FRAMES_H_
#define TFSEQ_NATIVE_FRAMES_H_

#include <algorithm>
#include <cstring>
#include <type_traits>

#include "rows.h"

namespace tfseq {

// As many sums as registers hold beside what they are made of: rows, and vectors of each.
#ifdef __AVX512F__
constexpr int kTileRows = 6, kTileVectors = 4;
#else
constexpr int kTileRows = 6, kTileVectors = 2;
#endif

// Frames that a tile reads (winograd.h).
constexpr int kPoints = 8;

// A convolution of frames, which lie behind one another in a record. One with a stride is that of
// longer frames: as many steps as it goes on at a time.
struct Taps {
  int steps;     // frames of the output
  int channels;  // of a frame
  int filters, taps, dilation;
  int before;  // zeros before the record
  int values;  // of the record

  // Of (taps, channels, filters) in TensorFlow's padding "SAME".
  static Taps Same(int steps, int channels, int filters, int taps, int stride, int dilation) {
    const int frames = (steps + stride - 1) / stride;
    const int padding = std::max(0, (frames - 1) * stride + (taps - 1) * dilation + 1 - steps);
    return {frames,   channels * stride,        filters,         taps / stride,
            dilation, padding / 2 * channels,   steps * channels};
  }

  // What takes gradients back from the output to the input; the stride is 1.
  Taps Back() const {
    const int behind = (taps - 1) * dilation - before / channels;
    return {steps, filters, channels, taps, dilation, behind * filters, steps * filters};
  }

  // Whether tiles can convolve it. Of two taps they would round more than of any other number.
  bool FitTiles() const {
    return taps > 2 && taps < kPoints && dilation < steps && channels % kLanes == 0;
  }

  size_t Sums() const { return size_t(steps) * filters; }
  size_t Weights() const { return size_t(taps) * channels * filters; }
};

// A record with zeros before and behind it, as far as whole tiles read.
class Padded {
 public:
  // Returns where the record is to be written.
  float* Room(const Taps& of) {
    const size_t reach = size_t(of.FitTiles() ? kPoints : of.taps) * of.dilation;
    const size_t size = (of.steps + kTileRows + reach) * of.channels;
    const size_t behind = size_t(of.before) + of.values;
    data_.Resize(size);
    std::fill_n(data_.data(), of.before, 0.0f);
    std::fill_n(data_.data() + behind, size - behind, 0.0f);
    return data_.data() + of.before;
  }

  const float* Of(const float* record, const Taps& of) {
    std::memcpy(Room(of), record, of.values * sizeof(float));
    return data_.data();
  }

  const float* data() const { return data_.data(); }

 private:
  Floats data_;
};

// sums[row][...] += the sum over `count` numbers of what stands in the row, times rows of a matrix.
template <int kRows, int kVectors>
inline void AddProducts(const float* from, size_t from_row, size_t from_next, const float* matrix,
                        size_t matrix_row, int count, Vector (&sums)[kRows][kVectors]) {
  for (int number = 0; number < count; ++number, from += from_next, matrix += matrix_row) {
    Vector row[kVectors];
    for (int v = 0; v < kVectors; ++v) row[v] = Load(matrix + v * kLanes);
    for (int r = 0; r < kRows; ++r) {
      const Vector factor = Vector{} + from[r * from_row];
      for (int v = 0; v < kVectors; ++v) sums[r][v] += factor * row[v];
    }
  }
}

template <int kVectors>
void ConvolveColumns(const float* from, const Taps& of, const float* weights, const float* bias,
                     int column, float* to) {
  for (int step = 0; step < of.steps; step += kTileRows) {
    Vector sums[kTileRows][kVectors];
    for (int v = 0; v < kVectors; ++v) {
      const Vector first = bias ? Load(bias + column + v * kLanes) : Vector{};
      for (auto& row : sums) row[v] = first;
    }
    const float* read = from + size_t(step) * of.channels;
    for (int tap = 0; tap < of.taps; ++tap) {
      AddProducts(read + size_t(tap) * of.dilation * of.channels, of.channels, 1,
                  weights + size_t(tap) * of.channels * of.filters + column, of.filters,
                  of.channels, sums);
    }
    for (int r = 0; r < std::min(kTileRows, of.steps - step); ++r) {
      std::memcpy(to + size_t(step + r) * of.filters + column, sums[r], sizeof(sums[r]));
    }
  }
}

template <int kRows, int kVectors>
void AddGradientRows(const float* from, const Taps& of, const float* upstream, int column,
                     float* to) {
  Vector sums[kRows][kVectors];
  for (int r = 0; r < kRows; ++r) {
    std::memcpy(sums[r], to + size_t(r) * of.filters + column, sizeof(sums[r]));
  }
  AddProducts(from, 1, of.channels, upstream + column, of.filters, of.steps, sums);
  for (int r = 0; r < kRows; ++r) {
    std::memcpy(to + size_t(r) * of.filters + column, sums[r], sizeof(sums[r]));
  }
}

template <int kVectors>
void AddGradientColumns(const float* from, const Taps& of, const float* upstream, int column,
                        float* to) {
  for (int tap = 0; tap < of.taps; ++tap) {
    const float* read = from + size_t(tap) * of.dilation * of.channels;
    float* rows = to + size_t(tap) * of.channels * of.filters;
    int channel = 0;
    for (; channel + kTileRows <= of.channels; channel += kTileRows) {
      AddGradientRows<kTileRows, kVectors>(read + channel, of, upstream, column,
                                           rows + size_t(channel) * of.filters);
    }
    for (; channel + 4 <= of.channels; channel += 4) {
      AddGradientRows<4, kVectors>(read + channel, of, upstream, column,
                                   rows + size_t(channel) * of.filters);
    }
    for (; channel < of.channels; ++channel) {
      AddGradientRows<1, kVectors>(read + channel, of, upstream, column,
                                   rows + size_t(channel) * of.filters);
    }
  }
}

// Calls work(vectors, column) for all columns of a matrix, as many at a time as there are.
template <class Work>
void ForColumns(int columns, Work work) {
  int column = 0;
  const auto in_parts = [&](auto vectors) {
    for (; column + vectors * kLanes <= columns; column += vectors * kLanes) work(vectors, column);
  };
  in_parts(std::integral_constant<int, kTileVectors>());
  in_parts(std::integral_constant<int, 2>());
  in_parts(std::integral_constant<int, 1>());
}

// Convolves a record that is padded; the filters are a multiple of kLanes.
inline void ConvolveFrames(const float* from, const Taps& of, const float* weights,
                           const float* bias, float* to) {
  ForColumns(of.filters, [&](auto vectors, int column) {
    ConvolveColumns<vectors>(from, of, weights, bias, column, to);
  });
}

// Adds what a record adds to the gradient of the weights.
inline void AddWeightGradients(const float* from, const Taps& of, const float* upstream,
                               float* to) {
  ForColumns(of.filters, [&](auto vectors, int column) {
    AddGradientColumns<vectors>(from, of, upstream, column, to);
  });
}

// Adds up rows.
inline void AddRows(const float* from, int rows, int columns, float* to) {
  for (int column = 0; column < columns; column += kLanes) {
    Vector sums = Load(to + column);
    for (int row = 0; row < rows; ++row) sums += Load(from + size_t(row) * columns + column);
    Store(sums, to + column);
  }
}

// The weights of the convolution that takes a gradient back.
inline Floats Turned(const Taps& of, const float* weights) {
  Floats turned(of.Weights());
  for (int tap = 0; tap < of.taps; ++tap) {
    const float* from = weights + size_t(of.taps - 1 - tap) * of.channels * of.filters;
    float* to = turned.data() + size_t(tap) * of.filters * of.channels;
    for (int filter = 0; filter < of.filters; ++filter) {
      for (int channel = 0; channel < of.channels; ++channel) {
        to[size_t(filter) * of.channels + channel] = from[size_t(channel) * of.filters + filter];
      }
    }
  }
  return turned;
}

}  // namespace tfseq

#endif  // TFSEQ_NATIVE_FRAMES_H_
