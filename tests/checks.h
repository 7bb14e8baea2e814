// What the programs that hold kernels against sums written out have in common.
#ifndef TFSEQ_TESTS_CHECKS_H_
#define TFSEQ_TESTS_CHECKS_H_

#include <algorithm>
#include <cmath>
#include <random>
#include <vector>

inline std::mt19937 generator(1);

inline int Between(int low, int high) {
  return std::uniform_int_distribution<int>(low, high)(generator);
}

inline std::vector<float> Noise(size_t values) {
  std::vector<float> noise(values);
  for (float& value : noise) value = Between(-1000, 1000) / 1000.0f;
  return noise;
}

template <class Expected>
inline double Difference(const Expected& expected, const std::vector<float>& found) {
  double difference = 0;
  for (size_t i = 0; i < expected.size(); ++i) {
    const double off = std::abs(double(expected[i]) - found[i]);
    difference = std::max(difference, std::isnan(off) ? INFINITY : off);
  }
  return difference;
}

#endif  // TFSEQ_TESTS_CHECKS_H_
