// How far predictions are from labels: what a step wants to know of that, in one pass over both.
#ifndef TFSEQ_NATIVE_LOSSES_H_
#define TFSEQ_NATIVE_LOSSES_H_

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "records.h"
#include "rows.h"

namespace tfseq {

// Records of some steps each.
struct Predicted {
  int64_t records, steps;
  const float *label, *prediction;

  // Calls work(vector, step, steps) for the errors of a record from each step on, so many of which
  // are there; behind those are zeros.
  template <class Work>
  void ForErrors(int record, Work work) const {
    const float *of_label = label + record * steps, *of_prediction = prediction + record * steps;
    int64_t step = 0;
    for (; step + kLanes <= steps; step += kLanes) {
      work(Load(of_prediction + step) - Load(of_label + step), step, kLanes);
    }
    if (step == steps) return;
    const int left = static_cast<int>(steps - step);
    work(LoadSome(of_prediction + step, left) - LoadSome(of_label + step, left), step, left);
  }
};

// Writes each record's mean of the squared errors, and of the absolute ones.
inline void MeanErrors(const Predicted& of, float* squared, float* absolute) {
  ForEach(static_cast<int>(of.records), [&](int record) {
    Vector squares = {}, sizes = {};
    of.ForErrors(record, [&](Vector error, int64_t, int) {
      squares += error * error;
      sizes += error < 0 ? -error : error;
    });
    squared[record] = Sum(squares) / of.steps;
    absolute[record] = Sum(sizes) / of.steps;
  });
}

// Writes the gradients of the predictions, from those of both means.
inline void ErrorGradients(const Predicted& of, const float* squared, const float* absolute,
                           float* to) {
  ForEach(static_cast<int>(of.records), [&](int record) {
    const float square = 2 * squared[record] / of.steps, size = absolute[record] / of.steps;
    of.ForErrors(record, [&](Vector error, int64_t step, int steps) {
      const Vector zero = {}, up = zero + size, down = zero - size;
      const Vector sign = error > 0 ? up : (error < 0 ? down : zero);
      const Vector gradient = error * square + sign;
      std::memcpy(to + record * of.steps + step, &gradient, steps * sizeof(float));
    });
  });
}

}  // namespace tfseq

#endif  // TFSEQ_NATIVE_LOSSES_H_
