// A chain with the pooling of what it computes, which so is never written.
#ifndef TFSEQ_NATIVE_POOLED_CHAIN_LAYER_H_
#define TFSEQ_NATIVE_POOLED_CHAIN_LAYER_H_

#include <algorithm>
#include <utility>

#include "chain_layer.h"
#include "layers.h"
#include "pooling.h"

namespace tfseq {

class PooledChainLayer : public ChainLayer {
 public:
  // Whether it can take their place, if nothing else reads what lies between.
  static bool Covers(const ChainLayer& chain, const PoolLayer& pool) {
    return chain.out == pool.in[0].image && pool.in[0].start == 0 && chain.in[0].start == 0;
  }

  PooledChainLayer(const ChainLayer& chain, const PoolLayer& pool)
      : ChainLayer(chain), height_(pool.height()) {
    out = pool.out;
  }

  bool StaysInside(const Images& images, int) const override {
    return size().width <= images[in[0].image].size.width;
  }
  bool HandsAll(const Frame& frame, int) const override {
    const Size& from = frame.values[in[0].image].size;
    return from.width == size().width && from.height == size().height;
  }

  void Compute(Frame& frame) const override {
    ForRows(frame.values[out], [&](int channel, int row, float* to) {
      const Chain chain = Of(frame, channel);
      const float* upper = in[0].At(frame.values, channel, First(row));
      const float* lower = in[0].At(frame.values, channel, Last(row));
      ForVectors(frame.values[out].size.width, to, [&](int step) {
        Window window(upper + 2 * step, lower + 2 * step);
        for (int place = 0; place < 4; ++place) {
          window.values[place] = chain.After(chain.Normalized(window.values[place]));
        }
        return window.Largest();
      });
    });
  }

  void HandBack(Frame& frame, int, bool fresh) const override {
    if (height_ == 2) {
      fresh ? HandBackOf<2, true>(frame) : HandBackOf<2, false>(frame);
    } else {
      fresh ? HandBackOf<1, true>(frame) : HandBackOf<1, false>(frame);
    }
  }

  void AddGradients(Frame& frame, double* sums) const override {
    height_ == 2 ? AddGradientsOf<2>(frame, sums) : AddGradientsOf<1>(frame, sums);
  }

 private:
  // Finds what is normalized of some windows, and what of a gradient reaches that.
  static void Reach(const Chain& chain, const Window& x, Vector upstream, Window* values,
                    Vector* slopes) {
    Window largest;
    for (int place = 0; place < 4; ++place) {
      values->values[place] = chain.Normalized(x.values[place]);
      largest.values[place] = chain.After(values->values[place]);
    }
    largest.Place(upstream, slopes);
    for (int place = 0; place < 4; ++place) {
      slopes[place] = chain.Slope(slopes[place], values->values[place]);
    }
  }

  int First(int row) const { return row * height_; }
  int Last(int row) const { return row * height_ + height_ - 1; }

  template <int kHeight>
  void AddGradientsOf(Frame& frame, double* sums) const {
    Image& from = frame.gradients[out];
    ForRows(from, [&](int channel, int row, const float* upstream) {
      const Chain chain = Of(frame, channel);
      const float mean = Mean(channel);
      const float* upper = in[0].At(frame.values, channel, First(row));
      const float* lower = in[0].At(frame.values, channel, Last(row));
      AddSumsOf(from.size.width, sums + 2 * channel, [&](int step) {
        Window values;
        Vector slopes[4], sum = {}, product = {};
        Reach(chain, Window(upper + 2 * step, lower + 2 * step), Load(upstream + step), &values,
              slopes);
        for (int place = 0; place < 2 * kHeight; ++place) {
          sum += slopes[place];
          product += slopes[place] * (values.values[place] - mean);
        }
        return std::pair(sum, product);
      });
    });
  }

  template <int kHeight, bool kFresh>
  void HandBackOf(Frame& frame) const {
    Image &from = frame.gradients[out], &to = frame.gradients[in[0].image];
    ForRows(from, [&](int channel, int row, const float* upstream) {
      const Chain chain = Of(frame, channel);
      const float* upper = in[0].At(frame.values, channel, First(row));
      const float* lower = in[0].At(frame.values, channel, Last(row));
      float* rows[2] = {to.At(channel, First(row)), to.At(channel, Last(row))};
      const auto windows = [&](int step, Vector some, auto add) {
        const Window x(upper + 2 * step, lower + 2 * step);
        Window values;
        Vector slopes[4];
        Reach(chain, x, some, &values, slopes);
        for (int place = 0; place < 4; ++place) {
          slopes[place] = chain.Back(slopes[place], x.values[place], values.values[place]);
        }
        for (int line = 0; line < kHeight; ++line) {
          Vector first, second;
          Join(slopes[2 * line], slopes[2 * line + 1], &first, &second);
          add(first, rows[line] + 2 * step, 2 * (from.size.width - step));
          add(second, rows[line] + 2 * step + kLanes, 2 * (from.size.width - step) - kLanes);
        }
      };
      int step = 0;
      for (; step + kLanes <= from.size.width; step += kLanes) {
        windows(step, Load(upstream + step), [](Vector value, float* at, int) {
          Store(kFresh ? value : Load(at) + value, at);
        });
      }
      if (step < from.size.width) {
        const auto add = [](Vector value, float* at, int left) {
          const int steps = std::min(left, kLanes);
          AddToRow(kFresh, at, steps, 0, steps, [value](int) { return value; });
        };
        windows(step, LoadSome(upstream + step, from.size.width - step), add);
      }
    });
    HandBackOfRest(frame, kFresh);
  }

  // The gradient of what no window has looked at: it moved the moments.
  void HandBackOfRest(Frame& frame, bool fresh) const {
    const Size& pooled = frame.values[out].size;
    for (int line = 0; line < size().rows(); ++line) {
      const int channel = line / size().height, row = line % size().height;
      const Chain chain = Of(frame, channel);
      const float* from = in[0].At(frame.values, channel, row);
      const int start = row < pooled.height * height_ ? 2 * pooled.width : 0;
      Image& to = frame.gradients[in[0].image];
      AddToRow(fresh, to.At(channel, row), to.size.width, start, size().width - start,
               [&](int step) {
                 const Vector x = Load(from + start + step);
                 return chain.Back(Vector{}, x, chain.Normalized(x));
               });
    }
  }

  const int height_;
};

}  // namespace tfseq

#endif  // TFSEQ_NATIVE_POOLED_CHAIN_LAYER_H_
