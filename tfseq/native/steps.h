// The steps of a network: each reads images of one record and writes another.
//
// All images are rows with zeros before and behind, so that a step may look beyond the ends of what
// the one before has written.
#ifndef TFSEQ_NATIVE_STEPS_H_
#define TFSEQ_NATIVE_STEPS_H_

#include <vector>

#include "convolution.h"
#include "pooling.h"
#include "rows.h"
#include "stage.h"

namespace tfseq {

struct Image {
  Size size;
  Rows rows;  // all of the first channel, then all of the next
  float* elsewhere = nullptr;  // where the values lie, row behind row, if not in `rows`

  explicit Image(const Size& of, int phases = 1)
      : size(of), rows(of.rows(), of.width, phases) {}

  float* At(int channel, int row) {
    return elsewhere ? elsewhere + size.At(channel, row)
                     : rows.At(channel * size.height + row, 0);
  }

  // Copies its rows, one behind another.
  void CopyTo(float* to) {
    for (int row = 0; row < size.rows(); ++row) rows.CopyTo(row, to + row * size_t(size.width));
  }
};
using Images = std::vector<Image>;

// What a step is, by the numbers of tfseq/native/program.py.
enum Kind { kConvolve, kPool, kAdd, kMap, kChain };

// Calls work(channel, row, values) for each row of an image.
template <class Work>
void ForRows(Image& image, Work work) {
  for (int channel = 0; channel < image.size.channels; ++channel) {
    for (int row = 0; row < image.size.height; ++row) work(channel, row, image.At(channel, row));
  }
}

// Where a step begins to read an image.
struct View {
  int image, start;

  View(int image, int start) : image(image), start(start) {}
  explicit View(Reader& from) : image(from.Number()), start(from.Number()) {}
  const float* At(Images& images, int channel, int row) const {
    return images[image].At(channel, row) + start;
  }
};

class Step {
 public:
  virtual ~Step() = default;
  virtual void Run(Images& images) const = 0;
};

// What happens to each value: a number times what is negative; then times a number, plus one.
struct Finish {
  float slope;
  std::vector<float> factors, summands;  // of each channel

  Finish(Reader& from, int channels)
      : slope(from.Weights(1)[0]), factors(from.Weights(channels)),
        summands(from.Weights(channels)) {}

  Vector Of(Vector value, int channel) const {
    value = value >= 0 ? value : value * slope;
    return value * factors[channel] + summands[channel];
  }
};

class ConvolveStep : public Step {
 public:
  // Adds the room that it needs to the images.
  ConvolveStep(Reader& from, Images& images)
      : from_(from.Number()), to_(from.Number()), of_(from.Numbers(Convolution::kNumbers)),
        room_(static_cast<int>(images.size())), kernel_(from.Weights(of_.weights())),
        bias_(from.Weights(Output().channels)), finish_(from, Output().channels) {
    if (of_.transposed) {
      images.emplace_back(Size{of_.image.channels, 1, of_.image.width}, of_.stride_in_time);
      sums_ = SumsOfImage(of_, TermsOfImage(of_, images[from_].rows), kernel_.data());
    } else {
      if (of_.stride_in_time > 1) images.emplace_back(images[from_].size, of_.stride_in_time);
      sums_ = SumsOfMaps(of_, TermsOfMaps(of_, images[Read()].rows), kernel_.data());
    }
  }

  void Run(Images& images) const override {
    const auto row_of = [&](int channel, int row) { return images[to_].At(channel, row); };
    const auto finish = [this](Vector sum, int channel) { return finish_.Of(sum, channel); };
    const Rows& rows = images[from_].rows;
    if (of_.transposed) {
      SumImage(of_, sums_, rows, bias_.data(), images[room_].rows, row_of, finish);
      return;
    }
    if (Read() != from_) {
      for (int row = 0; row < of_.image.rows(); ++row) {
        images[Read()].rows.CopyRow(row, rows.data() + rows.Offset(row, 0, 0));
      }
    }
    SumMaps(of_, sums_, images[Read()].rows, bias_.data(), row_of, finish);
  }

 private:
  const Size& Output() const { return of_.transposed ? of_.image : of_.maps; }
  int Read() const { return of_.stride_in_time > 1 ? room_ : from_; }

  const int from_, to_;
  const Convolution of_;
  const int room_;
  const std::vector<float> kernel_, bias_;
  const Finish finish_;
  std::vector<RowSum> sums_;
};

// The largest of two steps of one row or of two.
class PoolStep : public Step {
 public:
  const View from;
  const int to, height;

  explicit PoolStep(Reader& reader)
      : from(reader), to(reader.Number()), height(reader.Number()) {}

  void Run(Images& images) const override {
    ForRows(images[to], [&](int channel, int row, float* largest) {
      const float* upper = from.At(images, channel, row * height);
      const float* lower = from.At(images, channel, row * height + height - 1);
      ForVectors(images[to].size.width, largest, [&](int step) {
        return Window(upper + 2 * step, lower + 2 * step).Largest();
      });
    });
  }
};

class AddStep : public Step {
 public:
  const View first, second;
  const int to;

  explicit AddStep(Reader& reader) : first(reader), second(reader), to(reader.Number()) {}

  void Run(Images& images) const override {
    ForRows(images[to], [&](int channel, int row, float* sum) {
      const float* one = first.At(images, channel, row);
      const float* other = second.At(images, channel, row);
      ForVectors(images[to].size.width, sum,
                 [&](int step) { return Load(one + step) + Load(other + step); });
    });
  }
};

// What looks at each value alone, in place.
class MapStep : public Step {
 public:
  MapStep(Reader& from, const Images& images)
      : image_(from.Number()), finish_(from, images[image_].size.channels) {}

  void Run(Images& images) const override {
    ForRows(images[image_], [&](int channel, int, float* values) {
      ForVectors(images[image_].size.width, values,
                 [&](int step) { return finish_.Of(Load(values + step), channel); });
    });
  }

 private:
  const int image_;
  const Finish finish_;
};

}  // namespace tfseq

#endif  // TFSEQ_NATIVE_STEPS_H_
