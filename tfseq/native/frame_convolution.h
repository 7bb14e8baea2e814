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

  // What takes gradients back from the output of a convolution to its input.
  static FrameConvolution Back(const Taps& of, const float* weights) {
    Floats turned = Turned(of, weights);
    FrameConvolution back(of.Back(), turned.data(), nullptr);
    if (!back.in_tiles_) back.own_ = std::move(turned);  // which stays where it is
    return back;
  }

  void operator()(const float* record, float* to) const {
    static thread_local Padded padded;
    const float* from = padded.Of(record, of_);
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

// The gradients of the weights and, behind them, of the bias.
class FrameGradients {
 public:
  explicit FrameGradients(const Taps& of)
      : of_(of), tiles_(of), in_tiles_(Tiles::Pay(of)),
        weights_(in_tiles_ ? tiles_.Weights() : of.Weights()) {}

  size_t Sums() const { return weights_ + of_.filters; }

  void Add(const float* record, const float* upstream, float* sums) const {
    static thread_local Padded padded;
    const float* from = padded.Of(record, of_);
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
