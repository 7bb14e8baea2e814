// Convolutions of frames with half of the products or less: Winograd's, of Toom and Cook.
#ifndef TFSEQ_NATIVE_WINOGRAD_H_
#define TFSEQ_NATIVE_WINOGRAD_H_

#include <algorithm>

#include "frames.h"

// After Lavin and Gray, 2016, "Fast algorithms for convolutional neural networks", in one
// dimension. Taps, and the gradients of frames, are coefficients of polynomials. The product of two
// takes as many products as coefficients of the one times those of the other, but only as many as
// it has coefficients itself where both are known by their values at as many points. A convolution
// is the transpose of such a product. There are eight points here, for three to seven taps. What is
// rounded is as large as the largest of the eight frames that a tile reads, and what of them is not
// a number makes all that the tile writes such.
namespace tfseq {

// At each of the points 0, 1, -1, 2, -2, 1/2, -1/2 and infinity.
using AtPoints = Vector[kPoints];

// One over the product of the differences of a point to the others.
constexpr float kFactors[kPoints] = {-1.0f,        -2.0f / 9.0f,   -2.0f / 9.0f,   1.0f / 90.0f,
                                     1.0f / 90.0f, 32.0f / 45.0f, 32.0f / 45.0f, 1.0f};

// The values of a polynomial, from its coefficients.
template <class Coefficient>
inline void Evaluate(int coefficients, Coefficient coefficient, AtPoints& at) {
  const Vector first = coefficient(0);
  Vector even[3] = {first, first, first}, odd[3] = {};
  float two = 1, half = 1;
  for (int power = 1; power < coefficients; ++power) {
    const Vector next = coefficient(power);
    Vector* sums = power % 2 ? odd : even;
    sums[0] += next, sums[1] += next * (two *= 2), sums[2] += next * (half *= 0.5f);
  }
  at[0] = first;
  for (int p = 0; p < 3; ++p) at[1 + 2 * p] = even[p] + odd[p], at[2 + 2 * p] = even[p] - odd[p];
  at[kPoints - 1] = coefficient(coefficients - 1);
}

// The transpose of that: calls write(power, sum) with the sum over what stands at the points, times
// the power of the point.
template <class Write>
inline void SumPowers(int powers, const AtPoints& at, Write write) {
  Vector even[3], odd[3];
  for (int p = 0; p < 3; ++p) {
    even[p] = at[1 + 2 * p] + at[2 + 2 * p], odd[p] = at[1 + 2 * p] - at[2 + 2 * p];
  }
  float two = 1, half = 1;
  for (int power = 0; power < powers; ++power, two *= 2, half *= 0.5f) {
    const Vector* of = power % 2 ? odd : even;
    Vector sum = of[0] + of[1] * two + of[2] * half;
    if (power == 0) sum += at[0];
    if (power == powers - 1) sum += at[kPoints - 1];
    write(power, sum);
  }
}

// What a convolution reads, at the points: rows of the coefficients of the polynomials that are 0
// at all points but one.
inline void Spread(const AtPoints& x, AtPoints& at) {
  at[0] = x[6] - x[0] + 5.25f * (x[2] - x[4]);
  const auto both = [&](int point, Vector even, Vector odd) {
    at[point] = even + odd, at[point + 1] = even - odd;
  };
  both(1, x[6] - 4.25f * x[4] + x[2], x[5] - 4.25f * x[3] + x[1]);
  both(3, x[6] - 1.25f * x[4] + 0.25f * x[2], 2.0f * x[5] - 2.5f * x[3] + 0.5f * x[1]);
  both(5, x[6] - 5.0f * x[4] + 4.0f * x[2], 0.5f * x[5] - 2.5f * x[3] + 2.0f * x[1]);
  at[7] = x[7] - x[1] + 5.25f * (x[3] - x[5]);
}

// Tiles of frames that are convolved together.
class Tiles {
 public:
  explicit Tiles(const Taps& of)
      : of_(of), frames_(kPoints + 1 - of.taps), matrix_(size_t(of.channels) * of.filters) {}

  // Whether that can be, and takes enough fewer products.
  static bool Pay(const Taps& of) {
    if (!of.FitTiles()) return false;
    const Tiles tiles(of);
    long count = 0;
    tiles.ForTiles([&](int) { ++count; });
    return 4L * of.steps * of.taps >= 5L * count * kPoints;
  }

  // Of weights that are known at the points.
  size_t Weights() const { return kPoints * matrix_; }

  void WeightsAtPoints(const float* weights, float* to) const {
    for (size_t place = 0; place < matrix_; place += kLanes) {
      AtPoints at;
      Evaluate(of_.taps, [&](int tap) { return Load(weights + tap * matrix_ + place); }, at);
      for (int p = 0; p < kPoints; ++p) Store(at[p] * kFactors[p], to + p * matrix_ + place);
    }
  }

  // The gradient of the weights from that of the weights at the points.
  void GradientOfTaps(const float* at_points, float* to) const {
    for (size_t place = 0; place < matrix_; place += kLanes) {
      AtPoints at;
      for (int p = 0; p < kPoints; ++p) at[p] = Load(at_points + p * matrix_ + place) * kFactors[p];
      SumPowers(of_.taps, at, [&](int tap, Vector sum) { Store(sum, to + tap * matrix_ + place); });
    }
  }

  // Convolves a record that is padded.
  void Convolve(const float* from, const float* at_points, const float* bias, float* to) const {
    static thread_local Block x, sums;
    ForBlocks([&](const int* starts, int tiles) {
      Spread(from, starts, tiles, x.Of(of_.channels));
      for (int p = 0; p < kPoints; ++p) {
        ConvolveFrames(x.At(p), Products(tiles), at_points + p * matrix_, nullptr,
                       sums.Of(of_.filters).At(p));
      }
      for (int tile = 0; tile < tiles; ++tile) {
        for (int filter = 0; filter < of_.filters; filter += kLanes) {
          const Vector first = bias ? Load(bias + filter) : Vector{};
          AtPoints at;
          for (int p = 0; p < kPoints; ++p) at[p] = Load(sums.At(p, tile) + filter);
          SumPowers(frames_, at, [&](int frame, Vector sum) {
            const int step = starts[tile] + frame * of_.dilation;
            if (step < of_.steps) Store(sum + first, to + size_t(step) * of_.filters + filter);
          });
        }
      }
    });
  }

  // Adds what a record that is padded adds to the gradient of the weights at the points.
  void AddGradients(const float* from, const float* upstream, float* to) const {
    static thread_local Block x, above;
    ForBlocks([&](const int* starts, int tiles) {
      Spread(from, starts, tiles, x.Of(of_.channels));
      above.Of(of_.filters);
      for (int tile = 0; tile < tiles; ++tile) {
        for (int filter = 0; filter < of_.filters; filter += kLanes) {
          AtPoints at;
          const auto frame = [&](int number) {
            const int step = starts[tile] + number * of_.dilation;
            return step < of_.steps ? Load(upstream + size_t(step) * of_.filters + filter)
                                    : Vector{};
          };
          Evaluate(frames_, frame, at);
          for (int p = 0; p < kPoints; ++p) Store(at[p], above.At(p, tile) + filter);
        }
      }
      for (int p = 0; p < kPoints; ++p) {
        AddWeightGradients(x.At(p), Products(tiles), above.At(p), to + p * matrix_);
      }
    });
  }

 private:
  static constexpr int kMost = 4 * kTileRows;  // tiles of a block, which stays in the cache

  // Rows of a block's tiles at each point.
  class Block {
   public:
    Block& Of(int columns) {
      columns_ = columns;
      data_.Resize(size_t(kPoints) * kMost * columns);
      return *this;
    }
    float* At(int point, int tile = 0) {
      return data_.data() + (size_t(point) * kMost + tile) * columns_;
    }

   private:
    int columns_ = 0;
    Floats data_;
  };

  // The rows of a block at one point, times a matrix.
  Taps Products(int tiles) const { return {tiles, of_.channels, of_.filters, 1, 1, 0, 0}; }

  // Calls work with the first step that each tile writes.
  template <class Work>
  void ForTiles(Work work) const {
    for (int phase = 0; phase < std::min(of_.dilation, of_.steps); ++phase) {
      for (int step = phase; step < of_.steps; step += frames_ * of_.dilation) work(step);
    }
  }

  template <class Work>
  void ForBlocks(Work work) const {
    int starts[kMost], tiles = 0;
    ForTiles([&](int step) {
      starts[tiles++] = step;
      if (tiles == kMost) work(starts, tiles), tiles = 0;
    });
    if (tiles) work(starts, tiles);
  }

  void Spread(const float* from, const int* starts, int tiles, Block& to) const {
    const size_t next = size_t(of_.dilation) * of_.channels;
    for (int tile = 0; tile < tiles; ++tile) {
      const float* first = from + size_t(starts[tile]) * of_.channels;
      for (int channel = 0; channel < of_.channels; channel += kLanes) {
        AtPoints x, at;
        for (int p = 0; p < kPoints; ++p) x[p] = Load(first + p * next + channel);
        tfseq::Spread(x, at);
        for (int p = 0; p < kPoints; ++p) Store(at[p], to.At(p, tile) + channel);
      }
    }
  }

  Taps of_;
  int frames_;  // that a tile writes
  size_t matrix_;
};

}  // namespace tfseq

#endif  // TFSEQ_NATIVE_WINOGRAD_H_
