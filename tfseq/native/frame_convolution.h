// A convolution of frames, and the gradient of its weights, in the way that is the fastest.
#ifndef TFSEQ_NATIVE_FRAME_CONVOLUTION_H_
#define TFSEQ_NATIVE_FRAME_CONVOLUTION_H_

#include <algorithm>
#include <utility>

#include "frames.h"
#include "winograd.h"

namespace tfseq {

// The weights and the bias, which may be none, must outlive it.
class FrameConvolution {
 public:
  FrameConvolution(const Taps& of, const float* weights, const float* bias)
      : of_(of), tiles_(of), in_tiles_(Tiles::Pay(of)), weights_(weights), bias_(bias) {
    if (in_tiles_) {
      own_.Resize(tiles_.Weights());
      tiles_.WeightsAtPoints(weights, own_.data());
    }
  }

  FrameConvolution(FrameConvolution&&) = default;  // a copy would read the weights of the other

  // What takes gradients back from the output of a convolution to its input.
  static FrameConvolution Back(const Taps& of, const float* weights) {
    Floats turned = Turned(of, weights);
    FrameConvolution back(of.Back(), turned.data(), nullptr);
    if (!back.in_tiles_) back.own_ = std::move(turned);  // which stays where it is
    return back;
  }

  void operator()(const float* record, float* to) const {
    static thread_local Padded padded;
    OfPadded(padded.Of(record, of_), to);
  }

  void OfPadded(const float* from, float* to) const {
    if (in_tiles_) return tiles_.Convolve(from, own_.data(), bias_, to);
    ConvolveFrames(from, of_, weights_, bias_, to);
  }

 private:
  Taps of_;
  Tiles tiles_;
  bool in_tiles_;
  const float *weights_, *bias_;
  Floats own_;
};

// What takes gradients back from the output of a convolution to its input, whatever the stride: a
// product for all taps of a frame, which are added where they come from.
class FramesBack {
 public:
  FramesBack(const Taps& of, const float* weights)
      : of_(of), columns_(of.taps * of.channels),
        product_(FrameConvolution::Back(
            {of.steps, columns_, of.filters, 1, 1, 0, of.steps * columns_}, weights)) {}

  void operator()(const float* upstream, float* to) const {
    static thread_local Floats by_frame;
    by_frame.Resize(size_t(of_.steps) * columns_);
    product_(upstream, by_frame.data());
    std::fill_n(to, of_.values, 0.0f);
    const float* from = by_frame.data();
    for (int frame = 0; frame < of_.steps; ++frame, from += columns_) {
      const int first = frame * of_.channels - of_.before;  // of the values of the input
      for (int at = std::max(0, -first); at < std::min(columns_, of_.values - first); ++at) {
        to[first + at] += from[at];
      }
    }
  }

 private:
  Taps of_;
  int columns_;
  FrameConvolution product_;
};

// The gradients of the weights and, behind them, of the bias.
class FrameGradients {
 public:
  explicit FrameGradients(const Taps& of)
      : of_(of), tiles_(of), in_tiles_(Tiles::Pay(of)),
        weights_(in_tiles_ ? tiles_.Weights() : of.Weights()) {}

  size_t Sums() const { return weights_ + of_.filters; }

  void Add(const float* record, const float* upstream, float* sums) const {
    static thread_local Padded padded;
    AddOfPadded(padded.Of(record, of_), upstream, sums);
  }

  void AddOfPadded(const float* from, const float* upstream, float* sums) const {
    if (in_tiles_) {
      tiles_.AddGradients(from, upstream, sums);
    } else {
      AddWeightGradients(from, of_, upstream, sums);
    }
    AddRows(upstream, of_.steps, of_.filters, sums + weights_);
  }

  void Write(const float* sums, float* of_weights, float* of_bias) const {
    if (in_tiles_) {
      tiles_.GradientOfTaps(sums, of_weights);
    } else {
      std::copy_n(sums, weights_, of_weights);
    }
    std::copy_n(sums + weights_, of_.filters, of_bias);
  }

 private:
  Taps of_;
  Tiles tiles_;
  bool in_tiles_;
  size_t weights_;
};

}  // namespace tfseq

#endif  // TFSEQ_NATIVE_FRAME_CONVOLUTION_H_
