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

// Values of two vectors, counted through both.
#ifdef __clang__
#define TFSEQ_SHUFFLE(first, second, ...) __builtin_shufflevector(first, second, __VA_ARGS__)
#else
using Places = int __attribute__((vector_size(kLanes * sizeof(int))));
#define TFSEQ_SHUFFLE(first, second, ...) __builtin_shuffle(first, second, Places{__VA_ARGS__})
#endif

// One instruction, wherever in memory it reads.
inline Vector Load(const float* from) {
  Vector vector;
  std::memcpy(&vector, from, sizeof(vector));
  return vector;
}

// By halves, quarters, and so on: each step waits for the one before.
inline float Sum(Vector vector) {
#if defined(__AVX512F__)
  vector += TFSEQ_SHUFFLE(vector, vector, 8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7);
  vector += TFSEQ_SHUFFLE(vector, vector, 4, 5, 6, 7, 0, 1, 2, 3, 12, 13, 14, 15, 8, 9, 10, 11);
  vector += TFSEQ_SHUFFLE(vector, vector, 2, 3, 0, 1, 6, 7, 4, 5, 10, 11, 8, 9, 14, 15, 12, 13);
#else
  vector += TFSEQ_SHUFFLE(vector, vector, 4, 5, 6, 7, 0, 1, 2, 3);
  vector += TFSEQ_SHUFFLE(vector, vector, 2, 3, 0, 1, 6, 7, 4, 5);
#endif
  return vector[0] + vector[1];
}

// As far as there is something to read; zeros behind that.
inline Vector LoadSome(const float* from, int count) {
  if (count >= kLanes) return Load(from);
  Vector vector = {};
  std::memcpy(&vector, from, count * sizeof(float));
  return vector;
}

inline void Store(Vector vector, float* to) { std::memcpy(to, &vector, sizeof(vector)); }

// Memory that begins where a line of the cache does: a vector in two lines takes twice as long.
class Floats {
 public:
  explicit Floats(size_t size = 0) { Resize(size); }

  void Resize(size_t size) { lines_.resize((size + kLine - 1) / kLine); }

  float* data() { return reinterpret_cast<float*>(lines_.data()); }
  const float* data() const { return reinterpret_cast<const float*>(lines_.data()); }

 private:
  static constexpr size_t kLine = 16;
  struct alignas(kLine * sizeof(float)) Line {
    float values[kLine];
  };

  std::vector<Line> lines_;
};

// Every second of 2 * kLanes values that follow one another, and the others.
inline void Split(Vector first, Vector second, Vector* even, Vector* odd) {
#if defined(__AVX512F__)
  *even = TFSEQ_SHUFFLE(first, second, 0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
  *odd = TFSEQ_SHUFFLE(first, second, 1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31);
#else
  *even = TFSEQ_SHUFFLE(first, second, 0, 2, 4, 6, 8, 10, 12, 14);
  *odd = TFSEQ_SHUFFLE(first, second, 1, 3, 5, 7, 9, 11, 13, 15);
#endif
}

// What `Split` undoes.
inline void Join(Vector even, Vector odd, Vector* first, Vector* second) {
#if defined(__AVX512F__)
  *first = TFSEQ_SHUFFLE(even, odd, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
  *second = TFSEQ_SHUFFLE(even, odd, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
#else
  *first = TFSEQ_SHUFFLE(even, odd, 0, 8, 1, 9, 2, 10, 3, 11);
  *second = TFSEQ_SHUFFLE(even, odd, 4, 12, 5, 13, 6, 14, 7, 15);
#endif
}

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

  void Clear() { std::memset(data_.data(), 0, data_.size() * sizeof(float)); }

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
      return;
    }
    int step = 0;
    for (; phases_ == 2 && step + 2 * kLanes <= width_; step += 2 * kLanes) {
      Vector even, odd;
      Split(Load(from + step), Load(from + step + kLanes), &even, &odd);
      Store(even, At(row, 0) + step / 2);
      Store(odd, At(row, 1) + step / 2);
    }
    for (; step < width_; ++step) At(row, step % phases_)[step / phases_] = from[step];
  }

  // Copies a row; joins its phases.
  void CopyTo(int row, float* to) {
    if (phases_ == 1) {
      std::memcpy(to, At(row, 0), width_ * sizeof(float));
      return;
    }
    int step = 0;
    for (; phases_ == 2 && step + 2 * kLanes <= width_; step += 2 * kLanes) {
      Vector first, second;
      Join(Load(At(row, 0) + step / 2), Load(At(row, 1) + step / 2), &first, &second);
      Store(first, to + step);
      Store(second, to + step + kLanes);
    }
    for (; step < width_; ++step) to[step] = At(row, step % phases_)[step / phases_];
  }

 private:
  int count_, width_, phases_, steps_, distance_;
  std::vector<float> data_;
};

}  // namespace tfseq

#endif  // TFSEQ_NATIVE_ROWS_H_
