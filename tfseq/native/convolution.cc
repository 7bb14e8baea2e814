// Convolutions of images with few channels: (record, channel, row, step) in memory.
//
// A row of the output is a sum of rows of the image, shifted in time, each times a number of the
// kernel: whole vectors of steps at a time, for several output channels at once, so that what is
// read is used often. Three functions are all that a convolution and a transposed one need: the
// input's gradient of the one is what the other computes.

#include <algorithm>
#include <vector>

#include "loops.h"
#include "records.h"
#include "rows.h"

namespace tfseq {
namespace {

struct Size {
  int channels, height, width;
  int rows() const { return channels * height; }
  size_t values() const { return static_cast<size_t>(rows()) * width; }
  size_t At(int record, int channel, int row) const {
    return record * values() + (channel * static_cast<size_t>(height) + row) * width;
  }
};

// A convolution of an image to maps; a transposed one makes an image of maps. For both, the kernel
// is (height, width, image's channels, maps' channels).
struct Convolution {
  int records;
  Size image, maps;
  int kernel_height, kernel_width, stride, stride_in_time, offset, offset_in_time;
  bool transposed;

  Convolution(const char* text, size_t length) {
    const std::vector<int> at = Integers(text, length);
    records = at[0];
    image = {at[1], at[2], at[3]};
    maps = {at[4], at[5], at[6]};
    kernel_height = at[7], kernel_width = at[8];
    stride = at[9], stride_in_time = at[10];
    offset = at[11], offset_in_time = at[12];
    transposed = at[13];
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

struct Place {
  int phase, step;
};

// Which phase of a row a step lies in, and where. The step may be negative.
Place InPhases(int step, int phases) {
  const int phase = (step % phases + phases) % phases;
  return {phase, (step - phase) / phases};
}

// The rows of the image that a row of the maps is a sum of.
Terms TermsOfMaps(const Convolution& of, const Rows& image, int row) {
  Terms terms;
  for (int tap = 0; tap < of.taps(); ++tap) {
    const int image_row = row * of.stride + tap / of.kernel_width - of.offset;
    if (image_row < 0 || image_row >= of.image.height) continue;
    const Place place = InPhases(tap % of.kernel_width - of.offset_in_time, of.stride_in_time);
    for (int channel = 0; channel < of.image.channels; ++channel) {
      const int index = channel * of.image.height + image_row;
      terms.Add(image.Offset(index, place.phase, place.step),
                (tap * of.image.channels + channel) * of.maps.channels);
    }
  }
  return terms;
}

// The rows of the maps that a phase of a row of the image is a sum of.
Terms TermsOfImage(const Convolution& of, const Rows& maps, int row, int phase) {
  Terms terms;
  for (int tap = 0; tap < of.taps(); ++tap) {
    const int down = row + of.offset - tap / of.kernel_width;
    const int map_row = down / of.stride;
    if (down < 0 || down % of.stride || map_row >= of.maps.height) continue;
    const Place place =
        InPhases(phase + of.offset_in_time - tap % of.kernel_width, of.stride_in_time);
    if (place.phase != 0) continue;
    for (int channel = 0; channel < of.maps.channels; ++channel) {
      const int index = channel * of.maps.height + map_row;
      terms.Add(maps.Offset(index, 0, place.step),
                tap * of.image.channels * of.maps.channels + channel);
    }
  }
  return terms;
}

// Gathers the weights of terms; those of the output channels stand `distance` apart.
RowSum Weighted(const Terms& terms, const float* kernel, int channels, int distance) {
  RowSum sum{channels, terms.offsets, {}};
  for (const int weight : terms.weights) {
    for (int channel = 0; channel < channels; ++channel) {
      sum.weights.push_back(kernel[weight + channel * distance]);
    }
  }
  return sum;
}

void Convolve(const Convolution& of, const float* image, const float* kernel, const float* bias,
              float* maps) {
  const Rows empty(of.image.rows(), of.image.width, of.stride_in_time);
  std::vector<RowSum> sums;
  for (int row = 0; row < of.maps.height; ++row) {
    sums.push_back(Weighted(TermsOfMaps(of, empty, row), kernel, of.maps.channels, 1));
  }
  ForEachRecord(of.records, empty, [&](int record, Rows& rows) {
    rows.CopyFrom(image + of.image.At(record, 0, 0));
    std::vector<float*> to(of.maps.channels);
    for (int row = 0; row < of.maps.height; ++row) {
      for (int channel = 0; channel < of.maps.channels; ++channel) {
        to[channel] = maps + of.maps.At(record, channel, row);
      }
      SumRows(rows.data(), sums[row], bias, to.data(), of.maps.width);
    }
  });
}

void ConvolveTransposed(const Convolution& of, const float* maps, const float* kernel,
                        const float* bias, float* image) {
  struct Scratch {
    Rows maps, image;  // all maps, and one row of the image, in phases
  };
  const int phases = of.stride_in_time;
  const Scratch empty{Rows(of.maps.rows(), of.maps.width, 1),
                      Rows(of.image.channels, of.image.width, phases)};
  std::vector<RowSum> sums;
  for (int row = 0; row < of.image.height * phases; ++row) {
    sums.push_back(Weighted(TermsOfImage(of, empty.maps, row / phases, row % phases), kernel,
                            of.image.channels, of.maps.channels));
  }
  ForEachRecord(of.records, empty, [&](int record, Scratch& scratch) {
    scratch.maps.CopyFrom(maps + of.maps.At(record, 0, 0));
    std::vector<float*> to(of.image.channels);
    for (int row = 0; row < of.image.height; ++row) {
      for (int phase = 0; phase < phases; ++phase) {
        for (int channel = 0; channel < of.image.channels; ++channel) {
          to[channel] = phases == 1 ? image + of.image.At(record, channel, row)
                                    : scratch.image.At(channel, phase);
        }
        SumRows(scratch.maps.data(), sums[row * phases + phase], bias, to.data(),
                (of.image.width - phase + phases - 1) / phases);
      }
      for (int channel = 0; phases > 1 && channel < of.image.channels; ++channel) {
        scratch.image.CopyTo(channel, image + of.image.At(record, channel, row));
      }
    }
  });
}

// Adds the sum of each channel to sums.
void AddChannels(const Size& size, const Rows& rows, double* sums) {
  for (int row = 0; row < size.rows(); ++row) sums[row / size.height] += rows.SumOf(row);
}

// The gradient of the kernel, and behind it that of the bias.
void WeightsGradient(const Convolution& of, const float* image, const float* maps, float* to) {
  struct Scratch {
    Rows image, maps;
  };
  const Size& biased = of.transposed ? of.image : of.maps;
  const Scratch empty{Rows(of.image.rows(), of.image.width, of.stride_in_time),
                      Rows(of.maps.rows(), of.maps.width, 1)};
  std::vector<Terms> terms;
  for (int row = 0; row < of.maps.height; ++row) terms.push_back(TermsOfMaps(of, empty.image, row));
  SumsByRecord sums(of.records, of.weights() + biased.channels);
  ForEachRecord(of.records, empty, [&](int record, Scratch& scratch) {
    scratch.image.CopyFrom(image + of.image.At(record, 0, 0));
    scratch.maps.CopyFrom(maps + of.maps.At(record, 0, 0));
    const int channels = of.maps.channels;
    std::vector<const float*> rows(channels);
    for (int row = 0; row < of.maps.height; ++row) {
      for (int channel = 0; channel < channels; ++channel) {
        rows[channel] = scratch.maps.At(channel * of.maps.height + row, 0);
      }
      std::vector<double> products(terms[row].offsets.size() * channels, 0.0);
      ProductsOfRows(scratch.image.data(), terms[row].offsets, rows.data(), of.maps.width, channels,
                     products.data());
      for (size_t index = 0; index < products.size(); ++index) {
        const int weight = terms[row].weights[index / channels];
        sums.Of(record)[weight + index % channels] += products[index];
      }
    }
    AddChannels(biased, of.transposed ? scratch.image : scratch.maps,
                sums.Of(record) + of.weights());
  });
  sums.Totals(to);
}

}  // namespace
}  // namespace tfseq

TFSEQ_CALL(tfseq_convolve, Convolve({text, length}, in[0], in[1], in[2], out))
TFSEQ_CALL(tfseq_convolve_transposed,
           ConvolveTransposed({text, length}, in[0], in[1], in[2], out))
TFSEQ_CALL(tfseq_weights_gradient, WeightsGradient({text, length}, in[0], in[1], out))
