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

// Turned by 15 bits, plus a constant: what holds checksums has one that says something, too.
TFSEQ_CHECKSUM uint32_t MaskedChecksum(std::string_view content) {
  uint32_t crc = ~0u;
  size_t at = 0;
  for (uint64_t eight; at + sizeof(eight) <= content.size(); at += sizeof(eight)) {
    std::memcpy(&eight, content.data() + at, sizeof(eight));
    crc = Extended(crc, eight);
  }
  for (; at < content.size(); ++at) crc = Extended(crc, uint8_t(content[at]));
  crc = ~crc;
  return (crc >> 15 | crc << 17) + 0xa282ead8u;
}

}  // namespace tfseq
#endif  // TFSEQ_CHECKSUM

#endif  // TFSEQ_NATIVE_CHECKSUM_H_
