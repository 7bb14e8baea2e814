// Sums over rows, and 2 x 2 windows of two rows.
#ifndef TFSEQ_NATIVE_POOLING_H_
#define TFSEQ_NATIVE_POOLING_H_

#include <algorithm>
#include <cstring>
#include <utility>

#include "rows.h"

namespace tfseq {

// The four values of some windows of two rows. Of equal ones the first is the largest, and NaN is
// larger than a number.
struct Window {
  Vector values[4];

  Window() = default;
  Window(const float* upper, const float* lower) {
    Split(Load(upper), Load(upper + kLanes), &values[0], &values[1]);
    Split(Load(lower), Load(lower + kLanes), &values[2], &values[3]);
  }

  static auto Wins(Vector a, Vector b) { return (a >= b) | (a != a); }
  static Vector Larger(Vector a, Vector b) { return Wins(a, b) ? a : b; }
  Vector Upper() const { return Larger(values[0], values[1]); }
  Vector Lower() const { return Larger(values[2], values[3]); }
  Vector Largest() const { return Larger(Upper(), Lower()); }

  // A slope for each window, where it is largest.
  void Place(Vector slope, Vector* slopes) const {
    const auto upper = Wins(Upper(), Lower());
    const auto first = Wins(values[0], values[1]), third = Wins(values[2], values[3]);
    const decltype(upper) wins[4] = {upper & first, upper & ~first, ~upper & third,
                                     ~upper & ~third};
    for (int place = 0; place < 4; ++place) slopes[place] = wins[place] ? slope : Vector{};
  }
};

// Adds the sums over some steps of both vectors that of(step) returns.
template <class OfStep>
void AddSumsOf(int steps, double* sums, OfStep of) {
  constexpr int kPiece = 512;  // longer sums in float32 would lose digits
  for (int start = 0; start < steps; start += kPiece) {
    const int stop = std::min(steps, start + kPiece);
    Vector firsts[2] = {}, seconds[2] = {};
    int step = start;
    for (; step + kLanes <= stop; step += kLanes) {
      const int half = step / kLanes % 2;
      const auto [first, second] = of(step);
      firsts[half] += first;
      seconds[half] += second;
    }
    if (step < stop) {
      const auto [first, second] = of(step);
      for (int lane = 0; lane < stop - step; ++lane) {
        firsts[0][lane] += first[lane];
        seconds[0][lane] += second[lane];
      }
    }
    sums[0] += Sum(firsts[0] + firsts[1]);
    sums[1] += Sum(seconds[0] + seconds[1]);
  }
}

}  // namespace tfseq

#endif  // TFSEQ_NATIVE_POOLING_H_
