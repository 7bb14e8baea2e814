// CRC-32C as TFRecord files keep it, by the processor's own instruction.
#ifndef TFSEQ_NATIVE_CHECKSUM_H_
#define TFSEQ_NATIVE_CHECKSUM_H_

#include <cstdint>
#include <cstring>
#include <string_view>

// TensorFlow itself asks for SSE 4.2.
#if defined(__x86_64__)
#include <nmmintrin.h>
#define TFSEQ_CHECKSUM __attribute__((target("sse4.2"))) inline
#elif defined(__ARM_FEATURE_CRC32)
#include <arm_acle.h>
#define TFSEQ_CHECKSUM inline
#endif

#ifdef TFSEQ_CHECKSUM
namespace tfseq {

TFSEQ_CHECKSUM uint32_t Extended(uint32_t crc, uint64_t eight_bytes) {
#ifdef __x86_64__
  return static_cast<uint32_t>(_mm_crc32_u64(crc, eight_bytes));
#else
  return __crc32cd(crc, eight_bytes);
#endif
}

TFSEQ_CHECKSUM uint32_t Extended(uint32_t crc, uint8_t byte) {
#ifdef __x86_64__
  return _mm_crc32_u8(crc, byte);
#else
  return __crc32cb(crc, byte);
#endif
}

// What checksums become by so many bytes of zeros behind what they were taken of.
class ZerosBehind {
 public:
  TFSEQ_CHECKSUM static ZerosBehind Of(size_t bytes) {
    ZerosBehind zeros;
    for (int bit = 0; bit < 32; ++bit) {
      uint32_t crc = 1u << bit;
      for (size_t at = 0; at < bytes; at += sizeof(uint64_t)) crc = Extended(crc, uint64_t(0));
      // Those of a sum are the sum of theirs.
      const uint32_t place = bit % 8, half = 1u << place;
      uint32_t* const table = zeros.by_byte_[bit / 8];
      for (uint32_t low = 0; low < half; ++low) table[half + low] = table[low] ^ crc;
    }
    return zeros;
  }

  uint32_t operator()(uint32_t crc) const {
    return by_byte_[0][crc & 255] ^ by_byte_[1][crc >> 8 & 255] ^ by_byte_[2][crc >> 16 & 255] ^
           by_byte_[3][crc >> 24];
  }

 private:
  uint32_t by_byte_[4][256] = {};
};

// Three parts at once: the processor can begin the next before the last is done.
TFSEQ_CHECKSUM uint32_t ExtendedByParts(uint32_t crc, const char*& at, const char* end) {
  constexpr size_t kPart = 1024;
  static const ZerosBehind part = ZerosBehind::Of(kPart);
  for (; size_t(end - at) >= 3 * kPart; at += 3 * kPart) {
    uint32_t second = 0, third = 0;
    for (size_t byte = 0; byte < kPart; byte += sizeof(uint64_t)) {
      uint64_t eight[3];
      for (int i = 0; i < 3; ++i) std::memcpy(&eight[i], at + i * kPart + byte, sizeof(uint64_t));
      crc = Extended(crc, eight[0]);
      second = Extended(second, eight[1]);
      third = Extended(third, eight[2]);
    }
    crc = part(part(crc) ^ second) ^ third;
  }
  return crc;
}

// Turned by 15 bits, plus a constant: what holds checksums has one that says something, too.
TFSEQ_CHECKSUM uint32_t MaskedChecksum(std::string_view content) {
  const char *at = content.data(), *const end = at + content.size();
  uint32_t crc = ExtendedByParts(~0u, at, end);
  for (uint64_t eight; size_t(end - at) >= sizeof(eight); at += sizeof(eight)) {
    std::memcpy(&eight, at, sizeof(eight));
    crc = Extended(crc, eight);
  }
  for (; at < end; ++at) crc = Extended(crc, uint8_t(*at));
  crc = ~crc;
  return (crc >> 15 | crc << 17) + 0xa282ead8u;
}

}  // namespace tfseq
#endif  // TFSEQ_CHECKSUM

#endif  // TFSEQ_NATIVE_CHECKSUM_H_
