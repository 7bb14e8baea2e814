// The layers of a network in training: what each computes of a record, and what it hands back of a
// gradient.
#ifndef TFSEQ_NATIVE_LAYERS_H_
#define TFSEQ_NATIVE_LAYERS_H_

#include <algorithm>
#include <cstring>
#include <vector>

#include "pooling.h"
#include "rows.h"
#include "stage.h"
#include "steps.h"

namespace tfseq {

// What a thread works with on one record.
struct Frame {
  Images values, gradients, rooms;
  const float* masks;  // of the record
};

// Adds value(step) to some steps of a row from `start` on, or writes it if there is nothing yet.
// What lies beside the row falls away.
template <class OfStep>
void AddToRow(bool fresh, float* row, int width, int start, int steps, OfStep value) {
  float* to = row + start;
  int step = std::max(0, -start);
  const int stop = std::min(steps, width - start);
  if (fresh) {
    for (; step + kLanes <= stop; step += kLanes) Store(value(step), to + step);
  } else {
    for (; step + kLanes <= stop; step += kLanes) Store(Load(to + step) + value(step), to + step);
  }
  if (step < stop) {
    const Vector last = value(step) + (fresh ? Vector{} : Load(to + step));
    std::memcpy(to + step, &last, (stop - step) * sizeof(float));
  }
}

class Layer {
 public:
  std::vector<View> in;
  int out = 0;

  virtual ~Layer() = default;
  // How many weights it has, and where they are for a batch.
  virtual int Weights() const { return 0; }
  virtual void Read(const float* weights) { static_cast<void>(weights); }
  // Whether the gradient of what it reads depends on that.
  virtual bool LooksBack() const { return true; }
  // Whether what it reads may have anything before and behind its rows, and the gradient of what
  // it writes.
  virtual bool StaysInside(const Images& images, int operand) const {
    const View& view = in[operand];
    return view.start >= 0 && view.start + images[out].size.width <= images[view.image].size.width;
  }
  virtual bool TakesGradientsFromElsewhere() const { return true; }
  // Whether the gradient that it hands back is one of all values that it could read.
  virtual bool HandsAll(const Frame& frame, int operand) const {
    const Size &from = frame.values[in[operand].image].size, &to = frame.values[out].size;
    return in[operand].start == 0 && from.width == to.width && from.height == to.height;
  }
  virtual void Compute(Frame& frame) const = 0;
  // Adds to the gradient of an operand, or writes it if it is fresh.
  virtual void HandBack(Frame& frame, int operand, bool fresh) const = 0;

 protected:
  // Calls work(channel, row, width) for each row of the output.
  template <class Work>
  void ForRows(const Frame& frame, Work work) const {
    const Size& size = frame.values[out].size;
    for (int channel = 0; channel < size.channels; ++channel) {
      for (int row = 0; row < size.height; ++row) work(channel, row, size.width);
    }
  }
};

class SumLayer : public Layer {
 public:
  explicit SumLayer(Reader& from) {
    in.emplace_back(from);
    in.emplace_back(from);
    out = from.Number();
  }
  bool LooksBack() const override { return false; }

  void Compute(Frame& frame) const override {
    ForRows(frame, [&](int channel, int row, int width) {
      const float* first = in[0].At(frame.values, channel, row);
      const float* second = in[1].At(frame.values, channel, row);
      ForVectors(width, frame.values[out].At(channel, row),
                 [&](int step) { return Load(first + step) + Load(second + step); });
    });
  }

  void HandBack(Frame& frame, int operand, bool fresh) const override {
    Image& to = frame.gradients[in[operand].image];
    ForRows(frame, [&](int channel, int row, int width) {
      const float* upstream = frame.gradients[out].At(channel, row);
      AddToRow(fresh, to.At(channel, row), to.size.width, in[operand].start, width,
               [&](int step) { return Load(upstream + step); });
    });
  }
};

// The largest of two steps of one row or of two. What it reads is not padded.
class PoolLayer : public Layer {
 public:
  explicit PoolLayer(Reader& from) {
    in.emplace_back(from);
    out = from.Number();
    height_ = from.Number();
  }

  bool TakesGradientsFromElsewhere() const override { return false; }
  bool StaysInside(const Images&, int) const override { return in[0].start >= 0; }
  bool HandsAll(const Frame& frame, int) const override {
    const Size &from = frame.values[in[0].image].size, &to = frame.values[out].size;
    return in[0].start == 0 && from.width == 2 * to.width && from.height == height_ * to.height;
  }

  void Compute(Frame& frame) const override {
    ForRows(frame, [&](int channel, int row, int width) {
      const float* upper = in[0].At(frame.values, channel, row * height_);
      const float* lower = in[0].At(frame.values, channel, row * height_ + height_ - 1);
      ForVectors(width, frame.values[out].At(channel, row), [&](int step) {
        return Window(upper + 2 * step, lower + 2 * step).Largest();
      });
    });
  }

  void HandBack(Frame& frame, int, bool fresh) const override {
    ForRows(frame, [&](int channel, int row, int width) {
      const int last = height_ - 1;
      const float* upper = in[0].At(frame.values, channel, row * height_);
      const float* lower = in[0].At(frame.values, channel, row * height_ + last);
      const float* upstream = frame.gradients[out].At(channel, row);
      Image& image = frame.gradients[in[0].image];
      float* to[2] = {image.At(channel, row * height_) + in[0].start,
                      image.At(channel, row * height_ + last) + in[0].start};
      for (int step = 0; step < width; step += kLanes) {
        Vector slopes[4], joined[4];
        Window(upper + 2 * step, lower + 2 * step).Place(Load(upstream + step), slopes);
        Join(slopes[0], slopes[1], &joined[0], &joined[1]);
        Join(slopes[2], slopes[3], &joined[2], &joined[3]);
        for (int place = 0; place < 2 * height_; ++place) {
          float* at = to[place / 2] + 2 * step + place % 2 * kLanes;
          Store(fresh ? joined[place] : Load(at) + joined[place], at);  // zeros behind the row
        }
      }
    });
  }

 private:
  int height_;
};

}  // namespace tfseq

#endif  // TFSEQ_NATIVE_LAYERS_H_
