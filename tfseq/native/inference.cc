// Labels records: all layers of a network on one record, which stays in the cache, then the next.

#include <atomic>
#include <cstring>
#include <memory>
#include <vector>

#include "records.h"
#include "stage.h"
#include "steps.h"

namespace tfseq {
namespace {

class Network : public Stage {
 public:
  // The first image is the record; the step that was written last writes the label.
  explicit Network(Reader from) {
    const int count = from.Number();
    output_ = from.Number();
    for (int image = 0; image < count; ++image) {
      const std::vector<int> size = from.Numbers(3);
      empty_.emplace_back(Size{size[0], size[1], size[2]});
    }
    for (int left = from.Number(); left > 0; --left) steps_.push_back(ReadStep(from));
  }

  // Returns whether all that it read and all that it wrote is finite.
  bool Run(const float* in, float* out, int records) const override {
    const size_t read = empty_[0].size.values(), written = empty_[output_].size.values();
    std::atomic<bool> finite{true};
    const auto make = [this] { return empty_; };
    desks_.ForEachRecord(records, make, [&](int record, Images& images) {
      if (!RunOne(in + record * read, out + record * written, images)) finite = false;
    });
    return finite;
  }

 private:
  std::unique_ptr<Step> ReadStep(Reader& from) {
    switch (from.Number()) {
      case kConvolve: return std::make_unique<ConvolveStep>(from, empty_);
      case kPool: return std::make_unique<PoolStep>(from);
      case kAdd: return std::make_unique<AddStep>(from);
      default: return std::make_unique<MapStep>(from, empty_);
    }
  }

  bool RunOne(const float* in, float* out, Images& images) const {
    images[0].rows.CopyFrom(in);
    for (const auto& step : steps_) step->Run(images);
    Image& label = images[output_];
    label.CopyTo(out);
    return images[0].rows.Finite() && label.rows.Finite();
  }

  Images empty_;
  int output_;
  std::vector<std::unique_ptr<Step>> steps_;
  mutable Desks<Images> desks_;
};

}  // namespace
}  // namespace tfseq

extern "C" {

tfseq::Stage* tfseq_new_network(const int* numbers, const float* weights) {
  return new tfseq::Network(tfseq::Reader(numbers, weights));
}

void tfseq_delete(tfseq::Stage* stage) { delete stage; }

int tfseq_run(const tfseq::Stage* stage, const float* in, float* out, int records) {
  return stage->Run(in, out, records);
}

}  // extern "C"
