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
    return elsewhere ? elsewhere + size.At(0, channel, row)
                     : rows.At(channel * size.height + row, 0);
  }
};
using Images = std::vector<Image>;

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
      : from_(from.Number()), to_(from.Number()), of_(from.Numbers(14)),
        room_(static_cast<int>(images.size())), kernel_(from.Weights(of_.weights())),
        bias_(from.Weights(Output().channels)), finish_(from, Output().channels) {
    if (of_.transposed) {
      images.emplace_back(Size{of_.image.channels, 1, of_.image.width}, of_.stride_in_time);
      sums_ = SumsOfImage(of_, images[from_].rows, kernel_.data());
    } else {
      if (of_.stride_in_time > 1) images.emplace_back(images[from_].size, of_.stride_in_time);
      sums_ = SumsOfMaps(of_, images[Read()].rows, kernel_.data());
    }
  }

  void Run(Images& images) const override {
    const auto place = [&](int channel, int row) { return images[to_].At(channel, row); };
    const auto finish = [this](Vector sum, int channel) { return finish_.Of(sum, channel); };
    const Rows& rows = images[from_].rows;
    if (of_.transposed) {
      SumImage(of_, sums_, rows, bias_.data(), images[room_].rows, place, finish);
      return;
    }
    if (Read() != from_) {
      for (int row = 0; row < of_.image.rows(); ++row) {
        images[Read()].rows.CopyRow(row, rows.data() + rows.Offset(row, 0, 0));
      }
    }
    SumMaps(of_, sums_, images[Read()].rows, bias_.data(), place, finish);
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

// Where a step begins to read an image.
struct View {
  int image, start;

  View(int image, int start) : image(image), start(start) {}
  explicit View(Reader& from) : image(from.Number()), start(from.Number()) {}
  const float* At(Images& images, int channel, int row) const {
    return images[image].At(channel, row) + start;
  }
};

// The largest of two steps of one row or of two.
class PoolStep : public Step {
 public:
  explicit PoolStep(Reader& from) : from_(from), to_(from.Number()), height_(from.Number()) {}

  void Run(Images& images) const override {
    const Size& size = images[to_].size;
    for (int channel = 0; channel < size.channels; ++channel) {
      for (int row = 0; row < size.height; ++row) {
        const float* upper = from_.At(images, channel, row * height_);
        const float* lower = from_.At(images, channel, row * height_ + height_ - 1);
        ForVectors(size.width, images[to_].At(channel, row), [&](int step) {
          return Window(upper + 2 * step, lower + 2 * step).Largest();
        });
      }
    }
  }

 private:
  const View from_;
  const int to_, height_;
};

class AddStep : public Step {
 public:
  explicit AddStep(Reader& from) : first_(from), second_(from), to_(from.Number()) {}

  void Run(Images& images) const override {
    const Size& size = images[to_].size;
    for (int channel = 0; channel < size.channels; ++channel) {
      for (int row = 0; row < size.height; ++row) {
        const float* first = first_.At(images, channel, row);
        const float* second = second_.At(images, channel, row);
        ForVectors(size.width, images[to_].At(channel, row),
                   [&](int step) { return Load(first + step) + Load(second + step); });
      }
    }
  }

 private:
  const View first_, second_;
  const int to_;
};

// What looks at each value alone, in place.
class MapStep : public Step {
 public:
  MapStep(Reader& from, const Images& images)
      : image_(from.Number()), finish_(from, images[image_].size.channels) {}

  void Run(Images& images) const override {
    Image& image = images[image_];
    for (int row = 0; row < image.size.rows(); ++row) {
      float* values = image.rows.At(row, 0);
      ForVectors(image.size.width, values, [&](int step) {
        return finish_.Of(Load(values + step), row / image.size.height);
      });
    }
  }

 private:
  const int image_;
  const Finish finish_;
};

}  // namespace tfseq

#endif  // TFSEQ_NATIVE_STEPS_H_
