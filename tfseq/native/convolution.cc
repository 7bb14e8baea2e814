// What XLA calls for convolutions of images with few channels: (record, channel, row, step).
//
// A row of the output is a sum of rows of the image, shifted in time, each times a number of the
// kernel: whole vectors of steps at a time, for several output channels at once, so that what is
// read is used often. Three functions are all that a convolution and a transposed one need: the
// input's gradient of the one is what the other computes.

#include "convolution.h"

#include <vector>

#include "records.h"

namespace tfseq {
namespace {

// Leaves a sum as it is.
struct AsItIs {
  Vector operator()(Vector sum, int) const { return sum; }
};

void Convolve(const Convolution& of, const float* image, const float* kernel, const float* bias,
              float* maps) {
  const Rows empty(of.image.rows(), of.image.width, of.stride_in_time);
  const std::vector<RowSum> sums = SumsOfMaps(of, empty, kernel);
  ForEachRecord(of.records, empty, [&](int record, Rows& rows) {
    rows.CopyFrom(image + of.image.At(record, 0, 0));
    const auto place = [&](int channel, int row) {
      return maps + of.maps.At(record, channel, row);
    };
    SumMaps(of, sums, rows, bias, place, AsItIs());
  });
}

void ConvolveTransposed(const Convolution& of, const float* maps, const float* kernel,
                        const float* bias, float* image) {
  struct Scratch {
    Rows maps, one_row;
  };
  const Scratch empty{Rows(of.maps.rows(), of.maps.width, 1),
                      Rows(of.image.channels, of.image.width, of.stride_in_time)};
  const std::vector<RowSum> sums = SumsOfImage(of, empty.maps, kernel);
  ForEachRecord(of.records, empty, [&](int record, Scratch& scratch) {
    scratch.maps.CopyFrom(maps + of.maps.At(record, 0, 0));
    const auto place = [&](int channel, int row) {
      return image + of.image.At(record, channel, row);
    };
    SumImage(of, sums, scratch.maps, bias, scratch.one_row, place, AsItIs());
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

TFSEQ_CALL(tfseq_convolve, Convolve(Convolution(Integers(text, length)), in[0], in[1], in[2], out))
TFSEQ_CALL(tfseq_convolve_transposed,
           ConvolveTransposed(Convolution(Integers(text, length)), in[0], in[1], in[2], out))
TFSEQ_CALL(tfseq_weights_gradient,
           WeightsGradient(Convolution(Integers(text, length)), in[0], in[1], out))
