// What a training goes through, and in which order.
#ifndef TFSEQ_NATIVE_PLAN_H_
#define TFSEQ_NATIVE_PLAN_H_

#include <algorithm>
#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "chain_layer.h"
#include "convolution_layer.h"
#include "layers.h"
#include "pooled_chain_layer.h"

namespace tfseq {

// Layers that are computed record by record, and the normalization that ends them, if one does.
struct Phase {
  std::vector<const ConvolutionLayer*> convolutions;
  ChainLayer* normalization = nullptr;
};

// Values that are read behind the last one of a record, and not used.
constexpr int kBehind = 64;

class Plan {
 public:
  explicit Plan(const std::vector<int>& numbers) {
    Reader from(numbers.data(), nullptr);
    wants_input_ = from.Number();
    const int count = from.Number();
    output_ = from.Number();
    for (int image = 0; image < count; ++image) {
      const std::vector<int> size = from.Numbers(3);
      images_.emplace_back(Size{size[0], size[1], size[2]});
    }
    writers_.resize(count), readers_.resize(count), kept_.resize(count, -1);
    for (int left = from.Number(); left > 0; --left) layers_.push_back(Made(from));
    PoolChains();
    for (const auto& layer : layers_) Add(layer.get());
    kept_of_a_record_ += kBehind, handed_of_a_record_ += kBehind;
    Cut();
    FindUncopied();
  }

 protected:
  struct Use {
    const Layer* layer;
    int operand;
  };

  int wants_input_, output_, statistics_ = 0, weights_ = 0;
  Images images_, rooms_;
  std::vector<std::unique_ptr<Layer>> layers_;
  std::vector<Layer*> writers_;            // of each image
  std::vector<std::vector<Use>> readers_;  // of each image
  std::vector<long> kept_;                 // where each image is kept, or -1
  std::map<const Layer*, size_t> handed_at_, weight_at_;
  size_t kept_of_a_record_ = 0, handed_of_a_record_ = 0;
  std::vector<char> wanted_;        // which images depend on a weight
  std::vector<char> stays_;         // which are read where they are kept
  std::vector<char> handed_whole_;  // whose gradient is what a convolution hands back
  std::vector<Phase> forward_, backward_;

 private:
  std::unique_ptr<Layer> Made(Reader& from) {
    switch (from.Number()) {
      case kConvolve: return std::make_unique<ConvolutionLayer>(from, images_, rooms_);
      case kPool: return std::make_unique<PoolLayer>(from);
      case kAdd: return std::make_unique<SumLayer>(from);
      default: return std::make_unique<ChainLayer>(from, images_);
    }
  }

  // Makes a layer of each chain and the pooling that alone reads it.
  void PoolChains() {
    std::vector<int> reads(images_.size(), 0);
    reads[output_] = 1;
    for (const auto& layer : layers_) {
      for (const View& view : layer->in) ++reads[view.image];
    }
    for (auto& layer : layers_) {
      auto* pool = dynamic_cast<const PoolLayer*>(layer.get());
      if (!pool || reads[pool->in[0].image] != 1) continue;
      for (auto& other : layers_) {
        auto* chain = dynamic_cast<const ChainLayer*>(other.get());
        if (!chain || !PooledChainLayer::Covers(*chain, *pool)) continue;
        other = std::make_unique<PooledChainLayer>(*chain, *pool);
        layer.reset();
        break;
      }
    }
    layers_.erase(std::remove(layers_.begin(), layers_.end(), nullptr), layers_.end());
  }

  void Add(Layer* layer) {
    for (size_t operand = 0; operand < layer->in.size(); ++operand) {
      readers_[layer->in[operand].image].push_back({layer, static_cast<int>(operand)});
    }
    writers_[layer->out] = layer;
    if (dynamic_cast<ConvolutionLayer*>(layer)) {
      kept_[layer->out] = kept_of_a_record_;
      kept_of_a_record_ += images_[layer->out].size.values();
      handed_at_[layer] = handed_of_a_record_;
      handed_of_a_record_ += images_[layer->in[0].image].size.values();
    }
    weight_at_[layer] = weights_;
    weights_ += layer->Weights();
  }

  // Finds the phases, and which images depend on a weight.
  void Cut() {
    wanted_.assign(images_.size(), false);
    wanted_[0] = wants_input_;
    Phase phase;
    for (const auto& layer : layers_) {
      auto* convolution = dynamic_cast<ConvolutionLayer*>(layer.get());
      auto* normalization = Normalization(layer.get());
      wanted_[layer->out] = convolution || normalization;
      for (const View& view : layer->in) {
        if (wanted_[view.image]) wanted_[layer->out] = true;
      }
      if (convolution) phase.convolutions.push_back(convolution);
      if (!normalization) continue;
      statistics_ += normalization->statistics();
      phase.normalization = normalization;
      forward_.push_back(std::exchange(phase, {}));
    }
    forward_.push_back(std::exchange(phase, {}));
    for (auto layer = layers_.rbegin(); layer != layers_.rend(); ++layer) {
      auto* convolution = dynamic_cast<ConvolutionLayer*>(layer->get());
      phase.normalization = Normalization(layer->get());
      if (convolution) phase.convolutions.push_back(convolution);
      if (phase.normalization) backward_.push_back(std::exchange(phase, {}));
    }
    backward_.push_back(phase);
  }

  // Finds what need not be copied.
  void FindUncopied() {
    stays_.assign(images_.size(), false);
    handed_whole_.assign(images_.size(), false);
    for (size_t image = 1; image < images_.size(); ++image) {
      const auto& readers = readers_[image];
      const auto stays = [&](const Use& use) {
        return use.layer->StaysInside(images_, use.operand);
      };
      stays_[image] = kept_[image] >= 0 && int(image) != output_ &&
                      std::all_of(readers.begin(), readers.end(), stays);
      handed_whole_[image] = readers.size() == 1 && int(image) != output_ && writers_[image] &&
                             dynamic_cast<const ConvolutionLayer*>(readers[0].layer) &&
                             writers_[image]->TakesGradientsFromElsewhere();
    }
  }

  static ChainLayer* Normalization(Layer* layer) {
    auto* chain = dynamic_cast<ChainLayer*>(layer);
    return chain && chain->normalizes() ? chain : nullptr;
  }
};

}  // namespace tfseq

#endif  // TFSEQ_NATIVE_PLAN_H_
