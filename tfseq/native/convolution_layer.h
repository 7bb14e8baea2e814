// A convolution in training, or a transposed one.
#ifndef TFSEQ_NATIVE_CONVOLUTION_LAYER_H_
#define TFSEQ_NATIVE_CONVOLUTION_LAYER_H_

#include <vector>

#include "convolution.h"
#include "layers.h"

namespace tfseq {

// Leaves a sum as it is.
struct AsItIs {
  Vector operator()(Vector sum, int) const { return sum; }
};

class ConvolutionLayer : public Layer {
 public:
  ConvolutionLayer(Reader& from, const Images& images, Images& rooms)
      : first_room_(rooms.size()), of_(WithViews(from, in, out)), phased_(of_.stride_in_time > 1) {
    const Size& image = of_.image;
    rooms.emplace_back(Size{image.channels, phased_ ? image.height : 1, image.width},
                       of_.stride_in_time);
    rooms.emplace_back(Size{image.channels, 1, image.width}, of_.stride_in_time);
    const int from_image = of_.transposed ? out : in[0].image;
    const int from_maps = of_.transposed ? in[0].image : out;
    terms_of_maps_ = TermsOfMaps(of_, phased_ ? rooms[first_room_].rows : images[from_image].rows);
    terms_of_image_ = TermsOfImage(of_, images[from_maps].rows);
  }

  int Weights() const override { return of_.weights() + Output().channels; }

  void Read(const float* weights) override {
    kernel_ = weights;
    to_maps_ = SumsOfMaps(of_, terms_of_maps_, kernel_);
    to_image_ = SumsOfImage(of_, terms_of_image_, kernel_);
    zeros_.assign(std::max(of_.image.channels, of_.maps.channels), 0.0f);
  }

  void Compute(Frame& frame) const override {
    Image& to = frame.values[out];
    Apply(frame, frame.values[in[0].image], of_.transposed, kernel_ + of_.weights(),
          [&](int channel, int row) { return to.At(channel, row); });
  }

  // Writes the gradient of all that it reads, one row behind another.
  void WriteGradient(Frame& frame, float* to) const {
    const Size& size = of_.transposed ? of_.maps : of_.image;
    Apply(frame, frame.gradients[out], !of_.transposed, zeros_.data(),
          [&](int channel, int row) { return to + size.At(channel, row); });
  }

  void HandBack(Frame&, int, bool) const override {}
  bool StaysInside(const Images&, int) const override { return false; }
  bool TakesGradientsFromElsewhere() const override { return false; }

  // Adds the gradients of kernel and bias.
  void AddGradients(Frame& frame, double* sums) const {
    Image& input = frame.values[in[0].image];
    Image& output = frame.gradients[out];
    const Rows& image = RowsInPhases(frame, of_.transposed ? output : input);
    AddWeightGradients(of_, terms_of_maps_, image, of_.transposed ? input.rows : output.rows, sums);
    for (int row = 0; row < output.size.rows(); ++row) {
      sums[of_.weights() + row / output.size.height] += output.rows.SumOf(row);
    }
  }

 private:
  static Convolution WithViews(Reader& from, std::vector<View>& in, int& out) {
    in.emplace_back(from.Number(), 0);
    out = from.Number();
    return Convolution(from.Numbers(Convolution::kNumbers));
  }

  const Size& Output() const { return of_.transposed ? of_.image : of_.maps; }

  // Convolves an image, or maps.
  template <class RowOf>
  void Apply(Frame& frame, Image& from, bool transposed, const float* bias, RowOf row_of) const {
    if (transposed) {
      Rows& one_row = frame.rooms[first_room_ + 1].rows;
      SumImage(of_, to_image_, from.rows, bias, one_row, row_of, AsItIs());
    } else {
      SumMaps(of_, to_maps_, RowsInPhases(frame, from), bias, row_of, AsItIs());
    }
  }

  // Copies an image, unless it has one phase.
  const Rows& RowsInPhases(Frame& frame, Image& image) const {
    if (!phased_) return image.rows;
    Rows& rows = frame.rooms[first_room_].rows;
    for (int row = 0; row < image.size.rows(); ++row) rows.CopyRow(row, image.rows.At(row, 0));
    return rows;
  }

  const size_t first_room_;  // of two: an image in phases, and a row of one
  const Convolution of_;
  const bool phased_;
  std::vector<Terms> terms_of_maps_, terms_of_image_;
  const float* kernel_ = nullptr;
  std::vector<RowSum> to_maps_, to_image_;
  std::vector<float> zeros_;
};

}  // namespace tfseq

#endif  // TFSEQ_NATIVE_CONVOLUTION_LAYER_H_
