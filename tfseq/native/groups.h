// Sums over records that depend neither on the number of threads nor on which was faster.
#ifndef TFSEQ_NATIVE_GROUPS_H_
#define TFSEQ_NATIVE_GROUPS_H_

#include <algorithm>
#include <cstring>

#include "records.h"
#include "rows.h"

namespace tfseq {

// Calls work(record, sums) for each record, and writes the sums over all. One thread goes through
// a group of records in order, and the groups are added up in order. (`SumsByRecord`, for fewer
// sums, keeps those of each record.)
template <class Work>
void SumByGroup(int records, int sums, float* to, Work work) {
  constexpr int kGroups = 16, kPart = 1 << 12;
  const size_t distance = (sums + kLanes - 1) / kLanes * kLanes;
  static thread_local Floats held;
  held.Resize(kGroups * distance);
  float* by_group = held.data();
  ForEach(kGroups, [&](int group) {
    const int stop = long(records) * (group + 1) / kGroups;
    float* own = by_group + group * distance;
    std::fill_n(own, distance, 0.0f);
    for (int record = long(records) * group / kGroups; record < stop; ++record) work(record, own);
  });
  const auto add = [&](int part) {
    for (int at = part * kPart; at < std::min(sums, (part + 1) * kPart); at += kLanes) {
      Vector sum = {};
      const float* from = by_group + at;
      for (int group = 0; group < kGroups; ++group) sum += Load(from + group * distance);
      std::memcpy(to + at, &sum, std::min(kLanes, sums - at) * sizeof(float));
    }
  };
  ForEach((sums + kPart - 1) / kPart, add);
}

}  // namespace tfseq

#endif  // TFSEQ_NATIVE_GROUPS_H_
