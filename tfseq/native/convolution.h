// A convolution and a transposed one of one record: which rows each row of the output is a sum of.
#ifndef TFSEQ_NATIVE_CONVOLUTION_H_
#define TFSEQ_NATIVE_CONVOLUTION_H_

#include <vector>

#include "loops.h"
#include "rows.h"

namespace tfseq {

struct Size {
  int channels, height, width;
  int rows() const { return channels * height; }
  size_t values() const { return static_cast<size_t>(rows()) * width; }
  // Where a row lies among all, one behind another.
  size_t At(int channel, int row) const {
    return (channel * static_cast<size_t>(height) + row) * width;
  }
};

// A convolution of an image to maps; a transposed one makes an image of maps. For both, the kernel
// is (height, width, image's channels, maps' channels).
struct Convolution {
  static constexpr int kNumbers = 13;

  Size image, maps;
  int kernel_height, kernel_width, stride, stride_in_time, offset, offset_in_time;
  bool transposed;

  explicit Convolution(const std::vector<int>& at) {
    image = {at[0], at[1], at[2]};
    maps = {at[3], at[4], at[5]};
    kernel_height = at[6], kernel_width = at[7];
    stride = at[8], stride_in_time = at[9];
    offset = at[10], offset_in_time = at[11];
    transposed = at[12];
  }

  int taps() const { return kernel_height * kernel_width; }
  int weights() const { return taps() * image.channels * maps.channels; }
};

// The rows of a sum: where each begins, and where its weight for the first output channel stands.
struct Terms {
  std::vector<size_t> offsets;
  std::vector<int> weights;

  void Add(size_t offset, int weight) {
    offsets.push_back(offset);
    weights.push_back(weight);
  }
};

struct PhaseStep {
  int phase, step;
};

// Which phase of a row a step lies in, and where. The step may be negative.
inline PhaseStep InPhases(int step, int phases) {
  const int phase = (step % phases + phases) % phases;
  return {phase, (step - phase) / phases};
}

// The rows of the image that each row of the maps is a sum of.
inline std::vector<Terms> TermsOfMaps(const Convolution& of, const Rows& image) {
  std::vector<Terms> rows(of.maps.height);
  for (int index = 0; index < of.maps.height * of.taps(); ++index) {
    const int row = index / of.taps(), tap = index % of.taps();
    const int image_row = row * of.stride + tap / of.kernel_width - of.offset;
    if (image_row < 0 || image_row >= of.image.height) continue;
    const PhaseStep at = InPhases(tap % of.kernel_width - of.offset_in_time, of.stride_in_time);
    for (int channel = 0; channel < of.image.channels; ++channel) {
      rows[row].Add(image.Offset(channel * of.image.height + image_row, at.phase, at.step),
                    (tap * of.image.channels + channel) * of.maps.channels);
    }
  }
  return rows;
}

// The rows of the maps that each phase of each row of the image is a sum of.
inline std::vector<Terms> TermsOfImage(const Convolution& of, const Rows& maps) {
  const int phases = of.stride_in_time;
  std::vector<Terms> rows(of.image.height * phases);
  for (int index = 0; index < of.image.height * phases * of.taps(); ++index) {
    const int row = index / of.taps() / phases, phase = index / of.taps() % phases;
    const int tap = index % of.taps(), down = row + of.offset - tap / of.kernel_width;
    const int map_row = down / of.stride;
    if (down < 0 || down % of.stride || map_row >= of.maps.height) continue;
    const PhaseStep at = InPhases(phase + of.offset_in_time - tap % of.kernel_width, phases);
    if (at.phase != 0) continue;
    for (int channel = 0; channel < of.maps.channels; ++channel) {
      rows[row * phases + phase].Add(
          maps.Offset(channel * of.maps.height + map_row, 0, at.step),
          tap * of.image.channels * of.maps.channels + channel);
    }
  }
  return rows;
}

// Gathers the weights of terms; those of the output channels stand `distance` apart.
inline std::vector<RowSum> Weighted(const std::vector<Terms>& rows, const float* kernel,
                                    int channels, int distance) {
  std::vector<RowSum> sums;
  for (const Terms& terms : rows) {
    sums.push_back({channels, terms.offsets, {}});
    for (const int weight : terms.weights) {
      for (int channel = 0; channel < channels; ++channel) {
        sums.back().weights.push_back(kernel[weight + channel * distance]);
      }
    }
  }
  return sums;
}

// The sums that the rows of the maps are, and those of the image.
inline std::vector<RowSum> SumsOfMaps(const Convolution& of, const std::vector<Terms>& rows,
                                      const float* kernel) {
  return Weighted(rows, kernel, of.maps.channels, 1);
}
inline std::vector<RowSum> SumsOfImage(const Convolution& of, const std::vector<Terms>& rows,
                                       const float* kernel) {
  return Weighted(rows, kernel, of.image.channels, of.maps.channels);
}

// Computes the maps of a record. row_of(channel, row) is where a row of them goes.
template <class RowOf, class OfSum>
void SumMaps(const Convolution& of, const std::vector<RowSum>& sums, const Rows& image,
             const float* bias, RowOf row_of, OfSum finish) {
  std::vector<float*> to(of.maps.channels);
  for (int row = 0; row < of.maps.height; ++row) {
    for (int channel = 0; channel < of.maps.channels; ++channel) to[channel] = row_of(channel, row);
    SumRows(image.data(), sums[row], bias, to.data(), of.maps.width, finish);
  }
}

// Computes the image of a record's maps; `one_row` is room for a row of all channels, in phases.
template <class RowOf, class OfSum>
void SumImage(const Convolution& of, const std::vector<RowSum>& sums, const Rows& maps,
              const float* bias, Rows& one_row, RowOf row_of, OfSum finish) {
  const int phases = of.stride_in_time;
  std::vector<float*> to(of.image.channels);
  for (int row = 0; row < of.image.height; ++row) {
    for (int phase = 0; phase < phases; ++phase) {
      for (int channel = 0; channel < of.image.channels; ++channel) {
        to[channel] = phases == 1 ? row_of(channel, row) : one_row.At(channel, phase);
      }
      SumRows(maps.data(), sums[row * phases + phase], bias, to.data(),
              (of.image.width - phase + phases - 1) / phases, finish);
    }
    for (int channel = 0; phases > 1 && channel < of.image.channels; ++channel) {
      one_row.CopyTo(channel, row_of(channel, row));
    }
  }
}

// Adds the gradient of the kernel to sums.
inline void AddWeightGradients(const Convolution& of, const std::vector<Terms>& terms,
                               const Rows& image, const Rows& maps, double* sums) {
  const int channels = of.maps.channels;
  std::vector<const float*> rows(channels);
  for (int row = 0; row < of.maps.height; ++row) {
    for (int channel = 0; channel < channels; ++channel) {
      rows[channel] = maps.data() + maps.Offset(channel * of.maps.height + row, 0, 0);
    }
    std::vector<double> products(terms[row].offsets.size() * channels, 0.0);
    ProductsOfRows(image.data(), terms[row].offsets, rows.data(), of.maps.width, channels,
                   products.data());
    for (size_t index = 0; index < products.size(); ++index) {
      sums[terms[row].weights[index / channels] + index % channels] += products[index];
    }
  }
}

}  // namespace tfseq

#endif  // TFSEQ_NATIVE_CONVOLUTION_H_
