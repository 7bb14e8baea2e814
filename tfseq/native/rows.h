// Rows of an image in memory that vector instructions can read beyond the ends of each row.
#ifndef TFSEQ_NATIVE_ROWS_H_
#define TFSEQ_NATIVE_ROWS_H_

#include <cstddef>
#include <cstring>
#include <vector>

namespace tfseq {

// How many floats one instruction computes at a time.
#ifdef __AVX512F__
constexpr int kLanes = 16;
#else
constexpr int kLanes = 8;
#endif
using Vector = float __attribute__((vector_size(kLanes * sizeof(float))));

// One instruction, wherever in memory it reads.
inline Vector Load(const float* from) {
  Vector vector;
  std::memcpy(&vector, from, sizeof(vector));
  return vector;
}

inline float Sum(Vector vector) {
  float sum = 0;
  for (int lane = 0; lane < kLanes; ++lane) sum += vector[lane];
  return sum;
}

inline void Store(Vector vector, float* to) { std::memcpy(to, &vector, sizeof(vector)); }

// Writes vector(step) to each step of a row.
template <class OfStep>
void ForVectors(int steps, float* to, OfStep vector) {
  int step = 0;
  for (; step + kLanes <= steps; step += kLanes) Store(vector(step), to + step);
  if (step < steps) {
    const Vector last = vector(step);
    std::memcpy(to + step, &last, (steps - step) * sizeof(float));
  }
}

// The most vectors of a row that a loop computes at a time.
constexpr int kMostVectors = 8;

// Rows of one record with zeros before and behind each. Where a convolution has a stride, every
// stride-th step is a row of its own, a phase: step t lies in phase t % phases.
class Rows {
 public:
  // Steps of zeros on both sides of a row: nothing that is read may lie further away.
  static constexpr int kMargin = 64;

  Rows(int count, int width, int phases)
      : count_(count), width_(width), phases_(phases), steps_((width + phases - 1) / phases) {
    distance_ = kMargin + steps_ + kMargin + kMostVectors * kLanes;  // a loop's last vectors
    data_.assign(static_cast<size_t>(count) * phases * distance_, 0.0f);
  }

  const float* data() const { return data_.data(); }

  // Where a step of a phase lies in data(); it may be up to kMargin steps outside of the row.
  size_t Offset(int row, int phase, int step) const {
    return (static_cast<size_t>(row) * phases_ + phase) * distance_ + kMargin + step;
  }

  float* At(int row, int phase) { return data_.data() + Offset(row, phase, 0); }

  double SumOf(int row) const {
    double sum = 0;
    for (int phase = 0; phase < phases_; ++phase) {
      Vector sums = {};
      const float* from = data() + Offset(row, phase, 0);
      for (int step = 0; step < steps_; step += kLanes) sums += Load(from + step);
      sum += Sum(sums);
    }
    return sum;
  }

  bool Finite() const {
    Vector sums = {};  // of zeros, unless something is not finite
    for (size_t at = 0; at + kLanes <= data_.size(); at += kLanes) sums += Load(&data_[at]) * 0.0f;
    return Sum(sums) == 0;
  }

  // Copies rows that lie behind one another.
  void CopyFrom(const float* from) {
    for (int row = 0; row < count_; ++row, from += width_) CopyRow(row, from);
  }

  void CopyRow(int row, const float* from) {
    if (phases_ == 1) {
      std::memcpy(At(row, 0), from, width_ * sizeof(float));
    } else if (phases_ == 2) {
      Split(from, At(row, 0), At(row, 1));
    } else {
      for (int step = 0; step < width_; ++step) {
        At(row, step % phases_)[step / phases_] = from[step];
      }
    }
  }

  // Joins the phases of a row.
  void CopyTo(int row, float* to) {
    if (phases_ == 2) {
      Join(At(row, 0), At(row, 1), to);
    } else {
      for (int step = 0; step < width_; ++step) to[step] = At(row, step % phases_)[step / phases_];
    }
  }

 private:
  // Loops that the compiler makes vector instructions of.
  void Split(const float* __restrict from, float* __restrict even, float* __restrict odd) const {
    for (int step = 0; step < width_ / 2; ++step) {
      even[step] = from[2 * step];
      odd[step] = from[2 * step + 1];
    }
    if (width_ % 2) even[width_ / 2] = from[width_ - 1];
  }

  void Join(const float* __restrict even, const float* __restrict odd, float* __restrict to) const {
    for (int step = 0; step < width_ / 2; ++step) {
      to[2 * step] = even[step];
      to[2 * step + 1] = odd[step];
    }
    if (width_ % 2) to[width_ - 1] = even[width_ / 2];
  }

  int count_, width_, phases_, steps_, distance_;
  std::vector<float> data_;
};

}  // namespace tfseq

#endif  // TFSEQ_NATIVE_ROWS_H_
