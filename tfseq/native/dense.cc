// A dense layer: its kernel lies in panels of a few columns, each of which is read once for several
// records.

#include <algorithm>
#include <atomic>
#include <cstring>
#include <vector>

#include "records.h"
#include "rows.h"
#include "stage.h"

namespace tfseq {
namespace {

constexpr int kPanelVectors = 2;
constexpr int kPanel = kPanelVectors * kLanes;  // columns
constexpr int kTogether = 4;                    // records

class Dense : public Stage {
 public:
  explicit Dense(Reader from) : rows_(from.Number()), columns_(from.Number()) {
    const std::vector<float> kernel = from.Weights(size_t(rows_) * columns_);
    const std::vector<float> bias = from.Weights(columns_);
    panels_.assign(size_t(panels()) * kPanel * rows_, 0.0f);
    bias_.assign(size_t(panels()) * kPanel, 0.0f);
    std::copy(bias.begin(), bias.end(), bias_.begin());
    for (int row = 0; row < rows_; ++row) {
      for (int column = 0; column < columns_; ++column) {
        panels_[(size_t(column / kPanel) * rows_ + row) * kPanel + column % kPanel] =
            kernel[size_t(row) * columns_ + column];
      }
    }
  }

  bool Run(const float* in, float* out, int records) const override {
    // Some panels for some records at a time: also one record has work for all processors.
    const int groups = (records + kTogether - 1) / kTogether;
    const int pieces = std::min(panels(), 64 / std::min(groups, 64) + 1);
    std::atomic<bool> finite{true};
    ForEach(groups * pieces, [&](int item) {
      const int first = item / pieces * kTogether, count = std::min(kTogether, records - first);
      const float* from = in + size_t(first) * rows_;
      float* to = out + size_t(first) * columns_;
      const int start = long(panels()) * (item % pieces) / pieces;
      const int stop = long(panels()) * (item % pieces + 1) / pieces;
      Vector zeros = {};
      for (int panel = start; panel < stop; ++panel) {
        if (count == kTogether) {
          zeros += Multiply<kTogether>(from, to, panel);
        } else {
          for (int i = 0; i < count; ++i) {
            zeros += Multiply<1>(from + size_t(i) * rows_, to + size_t(i) * columns_, panel);
          }
        }
      }
      if (Sum(zeros) != 0) finite = false;
    });
    return finite;
  }

 private:
  int panels() const { return (columns_ + kPanel - 1) / kPanel; }

  // Returns zeros, unless a sum is not finite.
  template <int kRecords>
  Vector Multiply(const float* in, float* out, int panel) const {
    Vector sums[kRecords][kPanelVectors];
    for (int v = 0; v < kPanelVectors; ++v) {
      const Vector bias = Load(&bias_[size_t(panel) * kPanel + v * kLanes]);
      for (int record = 0; record < kRecords; ++record) sums[record][v] = bias;
    }
    const float* weights = &panels_[size_t(panel) * rows_ * kPanel];
    for (int row = 0; row < rows_; ++row, weights += kPanel) {
      Vector read[kPanelVectors];
      for (int v = 0; v < kPanelVectors; ++v) read[v] = Load(weights + v * kLanes);
      for (int record = 0; record < kRecords; ++record) {
        const float value = in[size_t(record) * rows_ + row];
        for (int v = 0; v < kPanelVectors; ++v) sums[record][v] += read[v] * value;
      }
    }
    Vector zeros = {};
    const int columns = std::min(kPanel, columns_ - panel * kPanel);
    for (int record = 0; record < kRecords; ++record) {
      std::memcpy(out + size_t(record) * columns_ + panel * kPanel, sums[record],
                  columns * sizeof(float));
      for (const Vector& sum : sums[record]) zeros += sum * 0.0f;
    }
    return zeros;
  }

  const int rows_, columns_;
  std::vector<float> panels_, bias_;
};

}  // namespace
}  // namespace tfseq

extern "C" tfseq::Stage* tfseq_new_dense(const int* numbers, const float* weights) {
  return new tfseq::Dense(tfseq::Reader(numbers, weights));
}
