// The inner loops of a convolution: sums of rows, and sums over time of products of rows.
#ifndef TFSEQ_NATIVE_LOOPS_H_
#define TFSEQ_NATIVE_LOOPS_H_

#include <cstring>
#include <vector>

#include "rows.h"

namespace tfseq {

// What a row of output channels is a sum of: rows that begin at these offsets, and for each of them
// a weight for every channel.
struct RowSum {
  int channels;
  std::vector<size_t> offsets;
  std::vector<float> weights;
};

// Some steps of `kChannels` output rows, from channel `first` on. A term is read once for all.
// finish(sum, channel) is what is written of a sum.
template <int kChannels, int kVectors, class OfSum>
void SumBlock(const float* from, const RowSum& sum, int first, const float* bias, float* const* to,
              int step, int steps, OfSum finish) {
  Vector sums[kChannels][kVectors];
  for (int c = 0; c < kChannels; ++c) {
    for (int v = 0; v < kVectors; ++v) sums[c][v] = Vector{} + bias[first + c];
  }
  const float* weights = sum.weights.data() + first;
  for (const size_t offset : sum.offsets) {
    Vector term[kVectors];
    for (int v = 0; v < kVectors; ++v) term[v] = Load(from + offset + step + v * kLanes);
    for (int c = 0; c < kChannels; ++c) {
      const Vector weight = Vector{} + weights[c];
      for (int v = 0; v < kVectors; ++v) sums[c][v] += weight * term[v];
    }
    weights += sum.channels;
  }
  const int left = steps - step;
  for (int c = 0; c < kChannels; ++c) {
    for (int v = 0; v < kVectors; ++v) sums[c][v] = finish(sums[c][v], first + c);
    if (left >= kVectors * kLanes) {
      std::memcpy(to[first + c] + step, sums[c], sizeof(sums[c]));  // of a size that is known
    } else {
      std::memcpy(to[first + c] + step, sums[c], left * sizeof(float));
    }
  }
}

template <int kChannels, int kVectors, class OfSum>
int SumSteps(const float* from, const RowSum& sum, int first, const float* bias, float* const* to,
             int steps, OfSum finish) {
  for (int step = 0; step < steps; step += kVectors * kLanes) {
    SumBlock<kChannels, kVectors>(from, sum, first, bias, to, step, steps, finish);
  }
  return kChannels;
}

// Sums of all channels. As many vectors at a time as keep both multipliers of a core busy while the
// sums fit into sixteen registers.
template <class OfSum>
void SumRows(const float* from, const RowSum& sum, const float* bias, float* const* to, int steps,
             OfSum finish) {
  for (int channel = 0; channel < sum.channels;) {
    const int left = sum.channels - channel;
    if (left == 1) {
      channel += SumSteps<1, kMostVectors>(from, sum, channel, bias, to, steps, finish);
    } else if (left == 2) {
      channel += SumSteps<2, 4>(from, sum, channel, bias, to, steps, finish);
    } else if (left == 4 || left > 6) {
      channel += SumSteps<4, 3>(from, sum, channel, bias, to, steps, finish);
    } else {
      channel += SumSteps<3, 4>(from, sum, channel, bias, to, steps, finish);
    }
  }
}

// Adds to sums[term * channels + channel] the sum over time of a term times a channel's row.
template <int kTerms, int kChannels>
void Products(const float* from, const size_t* offsets, const float* const* rows, int steps,
              int channels, double* sums) {
  Vector products[kTerms][kChannels] = {};
  for (int step = 0; step < steps; step += kLanes) {
    Vector row[kChannels];
    for (int c = 0; c < kChannels; ++c) row[c] = Load(rows[c] + step);
    for (int term = 0; term < kTerms; ++term) {
      const Vector read = Load(from + offsets[term] + step);
      for (int c = 0; c < kChannels; ++c) products[term][c] += read * row[c];
    }
  }
  for (int term = 0; term < kTerms; ++term) {
    for (int c = 0; c < kChannels; ++c) sums[term * channels + c] += Sum(products[term][c]);
  }
}

template <int kTerms, int kChannels>
int ProductsOfTerms(const float* from, const std::vector<size_t>& offsets, const float* const* rows,
                    int steps, int channels, double* sums) {
  size_t term = 0;
  for (; term + kTerms <= offsets.size(); term += kTerms) {
    Products<kTerms, kChannels>(from, &offsets[term], rows, steps, channels,
                                sums + term * channels);
  }
  for (; term < offsets.size(); ++term) {
    Products<1, kChannels>(from, &offsets[term], rows, steps, channels, sums + term * channels);
  }
  return kChannels;
}

// Products of all terms with all channels; behind the steps, `rows` are zero for a whole vector.
inline void ProductsOfRows(const float* from, const std::vector<size_t>& offsets,
                           const float* const* rows, int steps, int channels, double* sums) {
  for (int channel = 0; channel < channels;) {
    const int left = channels - channel;
    const float* const* own = rows + channel;
    double* to = sums + channel;
    if (left == 1) {
      channel += ProductsOfTerms<8, 1>(from, offsets, own, steps, channels, to);
    } else if (left == 2) {
      channel += ProductsOfTerms<6, 2>(from, offsets, own, steps, channels, to);
    } else if (left == 4 || left > 6) {
      channel += ProductsOfTerms<3, 4>(from, offsets, own, steps, channels, to);
    } else {
      channel += ProductsOfTerms<3, 3>(from, offsets, own, steps, channels, to);
    }
  }
}

}  // namespace tfseq

#endif  // TFSEQ_NATIVE_LOOPS_H_
