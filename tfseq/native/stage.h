// What Python calls: a part of a network, from the values of some records to others.
#ifndef TFSEQ_NATIVE_STAGE_H_
#define TFSEQ_NATIVE_STAGE_H_

#include <vector>

namespace tfseq {

class Stage {
 public:
  virtual ~Stage() = default;
  // Returns whether all that it wrote is finite.
  virtual bool Run(const float* in, float* out, int records) const = 0;
};

// The numbers and the weights that a stage was written in, one after another.
class Reader {
 public:
  Reader(const int* numbers, const float* weights) : numbers_(numbers), weights_(weights) {}

  int Number() { return *numbers_++; }
  std::vector<int> Numbers(int count) {
    numbers_ += count;
    return {numbers_ - count, numbers_};
  }
  std::vector<float> Weights(size_t count) {
    weights_ += count;
    return {weights_ - count, weights_};
  }

 private:
  const int* numbers_;
  const float* weights_;
};

}  // namespace tfseq

#endif  // TFSEQ_NATIVE_STAGE_H_
