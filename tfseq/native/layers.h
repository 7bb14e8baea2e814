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
};

class SumLayer : public Layer {
 public:
  explicit SumLayer(Reader& from) : step_(from) {
    in = {step_.first, step_.second};
    out = step_.to;
  }
  bool LooksBack() const override { return false; }
  void Compute(Frame& frame) const override { step_.Run(frame.values); }

  void HandBack(Frame& frame, int operand, bool fresh) const override {
    Image &from = frame.gradients[out], &to = frame.gradients[in[operand].image];
    ForRows(from, [&](int channel, int row, const float* upstream) {
      AddToRow(fresh, to.At(channel, row), to.size.width, in[operand].start, from.size.width,
               [&](int step) { return Load(upstream + step); });
    });
  }

 private:
  const AddStep step_;
};

// What it reads is not padded.
class PoolLayer : public Layer {
 public:
  explicit PoolLayer(Reader& from) : step_(from) {
    in = {step_.from};
    out = step_.to;
  }
  int height() const { return step_.height; }
  bool TakesGradientsFromElsewhere() const override { return false; }
  bool StaysInside(const Images&, int) const override { return in[0].start >= 0; }
  bool HandsAll(const Frame& frame, int) const override {
    const Size &from = frame.values[in[0].image].size, &to = frame.values[out].size;
    return in[0].start == 0 && from.width == 2 * to.width &&
           from.height == step_.height * to.height;
  }
  void Compute(Frame& frame) const override { step_.Run(frame.values); }

  void HandBack(Frame& frame, int, bool fresh) const override {
    Image &from = frame.gradients[out], &image = frame.gradients[in[0].image];
    const int height = step_.height;
    ForRows(from, [&](int channel, int row, const float* upstream) {
      const int first = row * height, last = first + height - 1;
      const float* upper = in[0].At(frame.values, channel, first);
      const float* lower = in[0].At(frame.values, channel, last);
      float* to[2] = {image.At(channel, first), image.At(channel, last)};
      for (int step = 0; step < from.size.width; step += kLanes) {
        Vector slopes[4], joined[4];
        Window(upper + 2 * step, lower + 2 * step).Place(Load(upstream + step), slopes);
        Join(slopes[0], slopes[1], &joined[0], &joined[1]);
        Join(slopes[2], slopes[3], &joined[2], &joined[3]);
        for (int place = 0; place < 2 * height; ++place) {
          float* at = to[place / 2] + in[0].start + 2 * step + place % 2 * kLanes;
          Store(fresh ? joined[place] : Load(at) + joined[place], at);  // zeros behind the row
        }
      }
    });
  }

 private:
  const PoolStep step_;
};

}  // namespace tfseq

#endif  // TFSEQ_NATIVE_LAYERS_H_
