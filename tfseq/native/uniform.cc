// Draws numbers from 0 to 1. XLA would draw them too, but takes a second to compile what it does.

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "records.h"
#include "tensorflow/core/lib/random/philox_random.h"

namespace tfseq {
namespace {

// Writes the numbers that belong to a seed, two integers of 32 bits.
void Uniform(const float* seed, int count, float* to) {
  uint32_t words[2];
  std::memcpy(words, seed, sizeof(words));
  tensorflow::random::PhiloxRandom draw(words[0], words[1]);
  for (int first = 0; first < count; first += draw.kResultElementCount) {
    const auto drawn = draw();
    for (int i = 0; i < std::min(count - first, draw.kResultElementCount); ++i) {
      to[first + i] = (drawn[i] >> 8) * 0x1p-24f;  // a float has 24 bits
    }
  }
}

}  // namespace
}  // namespace tfseq

TFSEQ_CALL(tfseq_uniform, Uniform(in[0], Integers(text, length)[0], out))
