// Trains: what a batch of records gives, and the gradients of that, by one call each.
//
// A network is cut at its batch normalizations, since the moments are those of all records. What
// lies between is computed record by record, so that it stays in the cache. What convolutions write
// is kept from one cut to the next and for the gradients, and so are the gradients of what they
// read; all else is computed again where it is needed, which takes less time than to keep it.
#ifndef TFSEQ_NATIVE_TRAINING_H_
#define TFSEQ_NATIVE_TRAINING_H_

#include <algorithm>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "plan.h"
#include "records.h"

namespace tfseq {

// What a training begins with: records, what each is multiplied by, and the weights.
struct Batch {
  int records, masks;  // masks of a record
  const float *image, *mask_values, *weights;
};

class Training : private Plan {
 public:
  using Plan::Plan;

  // How many values come of all normalizations, and are kept for the gradients of some records.
  size_t statistics() const { return statistics_; }
  size_t kept(int records) const { return records * kept_of_a_record_; }
  const Size& output() const { return images_[output_].size; }
  const Size& input() const { return images_[0].size; }
  int64_t weights() const { return weights_; }
  bool wants_input() const { return wants_input_; }

  // Writes the output of all records, the statistics of all normalizations and what is kept.
  void Forward(const Batch& batch, float* to, float* statistics, float* kept) {
    std::lock_guard<std::mutex> lock(mutex_);
    Begin(batch, kept);
    known_.assign(images_.size(), false);
    for (const Phase& phase : forward_) {
      SumsByRecord sums(records_, phase.normalization ? phase.normalization->statistics() : 0);
      ForEachFrame([&](int record, Work& work) {
        for (const auto* layer : phase.convolutions) {
          Image& written = work.frame.values[layer->out];
          if (stays_[layer->out]) written.elsewhere = Kept(record, layer->out);
          Value(record, work, layer->out);
          if (!stays_[layer->out]) written.CopyTo(Kept(record, layer->out));
        }
        if (phase.normalization) {
          Value(record, work, phase.normalization->in[0].image);
          phase.normalization->AddMoments(work.frame, sums.Of(record));
        } else {
          Value(record, work, output_);
          work.frame.values[output_].CopyTo(to + record * images_[output_].size.values());
        }
      });
      for (const auto* layer : phase.convolutions) known_[layer->out] = true;
      if (phase.normalization) {
        std::vector<float> totals(phase.normalization->statistics());
        sums.Totals(totals.data());
        phase.normalization->WriteStatistics(totals.data(), Count(*phase.normalization),
                                             statistics);
        phase.normalization->ReadStatistics(statistics);
        statistics += phase.normalization->statistics();
      }
    }
  }

  // Writes the gradients of all weights, and that of the image, if it is wanted.
  void Backward(const Batch& batch, const float* statistics, const float* kept,
                const float* upstream, float* of_weights, float* of_image) {
    std::lock_guard<std::mutex> lock(mutex_);
    Begin(batch, const_cast<float*>(kept));
    known_.assign(images_.size(), true);
    for (const Phase& phase : forward_) {
      if (!phase.normalization) continue;
      phase.normalization->ReadStatistics(statistics);
      statistics += phase.normalization->statistics();
    }
    upstream_ = upstream;
    const std::unique_ptr<float[]> handed(new float[records_ * handed_of_a_record_]);
    handed_ = handed.get();
    std::fill(of_weights, of_weights + weights_, 0.0f);
    for (const Phase& phase : backward_) RunBackward(phase, of_weights);
    if (!wants_input_) return;
    ForEachFrame([&](int record, Work& work) {
      Gradient(record, work, 0);
      work.frame.gradients[0].CopyTo(of_image + record * images_[0].size.values());
    });
  }

 private:
  // A thread's frame, and what of it is that of the record.
  struct Work {
    Frame frame;
    std::vector<char> has_value, has_gradient;
  };

  void Begin(const Batch& batch, float* kept) {
    records_ = batch.records, masks_ = batch.masks;
    image_ = batch.image, mask_values_ = batch.mask_values, kept_values_ = kept;
    for (const auto& layer : layers_) layer->Read(batch.weights + weight_at_[layer.get()]);
  }

  // Calls run(record, work) for each record.
  template <class Run>
  void ForEachFrame(Run run) {
    const auto make = [this] { return Work{{images_, images_, rooms_, nullptr}, {}, {}}; };
    desks_.ForEachRecord(records_, make, [&](int record, Work& work) {
      work.has_value.assign(images_.size(), false);
      work.has_gradient.assign(images_.size(), false);
      work.frame.masks = mask_values_ + record * size_t(masks_);
      run(record, work);
    });
  }

  // Computes an image of a record, unless it was.
  void Value(int record, Work& work, int image) {
    if (std::exchange(work.has_value[image], true)) return;
    if (image == 0) {
      work.frame.values[0].rows.CopyFrom(image_ + record * images_[0].size.values());
    } else if (kept_[image] >= 0 && known_[image]) {
      if (stays_[image]) {
        work.frame.values[image].elsewhere = Kept(record, image);
      } else {
        work.frame.values[image].rows.CopyFrom(Kept(record, image));
      }
    } else {
      for (const View& view : writers_[image]->in) Value(record, work, view.image);
      writers_[image]->Compute(work.frame);
    }
  }

  // Computes the gradient of an image of a record, unless it was.
  void Gradient(int record, Work& work, int image) {
    if (std::exchange(work.has_gradient[image], true)) return;
    if (handed_whole_[image]) {
      work.frame.gradients[image].elsewhere = Handed(record, readers_[image][0].layer);
      return;
    }
    Image& gradient = work.frame.gradients[image];
    bool fresh = true;
    const auto add = [&](const float* from) {
      for (int line = 0; line < gradient.size.rows(); ++line, from += gradient.size.width) {
        AddToRow(fresh, gradient.rows.At(line, 0), gradient.size.width, 0, gradient.size.width,
                 [&](int step) { return LoadSome(from + step, gradient.size.width - step); });
      }
      fresh = false;
    };
    if (image == output_) add(upstream_ + record * gradient.size.values());
    for (const Use& use : readers_[image]) {
      if (dynamic_cast<const ConvolutionLayer*>(use.layer)) {
        add(Handed(record, use.layer));
        continue;
      }
      Gradient(record, work, use.layer->out);
      if (use.layer->LooksBack()) Value(record, work, image);
      if (fresh && !use.layer->HandsAll(work.frame, use.operand)) {
        gradient.rows.Clear();
        fresh = false;
      }
      use.layer->HandBack(work.frame, use.operand, fresh);
      fresh = false;
    }
    if (fresh) gradient.rows.Clear();
  }

  void RunBackward(const Phase& phase, float* to) {
    std::vector<SumsByRecord> sums;
    for (const auto* layer : phase.convolutions) sums.emplace_back(records_, layer->Weights());
    SumsByRecord moments(records_, phase.normalization ? phase.normalization->statistics() : 0);
    ForEachFrame([&](int record, Work& work) {
      for (size_t at = 0; at < phase.convolutions.size(); ++at) {
        const ConvolutionLayer& layer = *phase.convolutions[at];
        Gradient(record, work, layer.out);
        Value(record, work, layer.in[0].image);
        layer.AddGradients(work.frame, sums[at].Of(record));
        if (wanted_[layer.in[0].image]) layer.WriteGradient(work.frame, Handed(record, &layer));
      }
      if (!phase.normalization) return;
      Gradient(record, work, phase.normalization->out);
      Value(record, work, phase.normalization->in[0].image);
      phase.normalization->AddGradients(work.frame, moments.Of(record));
    });
    for (size_t at = 0; at < phase.convolutions.size(); ++at) {
      sums[at].Totals(to + weight_at_[phase.convolutions[at]]);
    }
    if (!phase.normalization) return;
    std::vector<float> totals(phase.normalization->statistics());
    moments.Totals(totals.data());
    phase.normalization->ReadGradients(totals.data(), Count(*phase.normalization),
                                       to + weight_at_[phase.normalization]);
  }

  // How many values a channel of a normalization has.
  double Count(const ChainLayer& layer) const {
    const Size& size = layer.size();
    return double(records_) * size.height * size.width;
  }

  float* Kept(int record, int image) const {
    return kept_values_ + record * kept_of_a_record_ + kept_[image];
  }
  float* Handed(int record, const Layer* layer) const {
    return handed_ + record * handed_of_a_record_ + handed_at_.at(layer);
  }

  // Of the batch.
  int records_ = 0, masks_ = 0;
  const float *image_ = nullptr, *mask_values_ = nullptr, *upstream_ = nullptr;
  float *kept_values_ = nullptr, *handed_ = nullptr;
  std::vector<char> known_;  // which images are kept by now
  std::mutex mutex_;
  Desks<Work> desks_;
};

}  // namespace tfseq

#endif  // TFSEQ_NATIVE_TRAINING_H_
