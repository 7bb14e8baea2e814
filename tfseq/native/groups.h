// Sums over records that depend neither on the number of threads nor on which was faster.
#ifndef TFSEQ_NATIVE_GROUPS_H_
#define TFSEQ_NATIVE_GROUPS_H_

#include <algorithm>
#include <vector>

#include "records.h"

namespace tfseq {

// Calls work(record, sums) for each record, and writes the sums over all. One thread goes through a
// group of records in order, and the groups are added up in order.
template <class Work>
void SumByGroup(int records, int sums, float* to, Work work) {
  constexpr int kGroups = 16;
  std::vector<float> by_group(size_t(kGroups) * sums, 0.0f);
  ForEach(kGroups, [&](int group) {
    const int stop = long(records) * (group + 1) / kGroups;
    for (int record = long(records) * group / kGroups; record < stop; ++record) {
      work(record, by_group.data() + size_t(group) * sums);
    }
  });
  std::copy_n(by_group.data(), sums, to);
  for (int group = 1; group < kGroups; ++group) {
    for (int at = 0; at < sums; ++at) to[at] += by_group[size_t(group) * sums + at];
  }
}

}  // namespace tfseq

#endif  // TFSEQ_NATIVE_GROUPS_H_
