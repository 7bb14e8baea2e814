// 2 x 2 windows of two rows.
#ifndef TFSEQ_NATIVE_POOLING_H_
#define TFSEQ_NATIVE_POOLING_H_

#include "rows.h"

namespace tfseq {

// The four values of some windows, times a sign. Of equal ones the first is the largest, and NaN is
// larger than a number.
struct Window {
  Vector values[4];

  Window(const Rows& rows, int step, float sign) {
    for (int place = 0; place < 4; ++place) {
      values[place] = Load(rows.data() + rows.Offset(place / 2, place % 2, step)) * sign;
    }
  }

  static auto Wins(Vector a, Vector b) { return (a >= b) | (a != a); }
  static Vector Larger(Vector a, Vector b) { return Wins(a, b) ? a : b; }
  Vector Upper() const { return Larger(values[0], values[1]); }
  Vector Lower() const { return Larger(values[2], values[3]); }
  Vector Largest() const { return Larger(Upper(), Lower()); }
};

}  // namespace tfseq

#endif  // TFSEQ_NATIVE_POOLING_H_
