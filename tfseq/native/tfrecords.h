// Records of TFRecord files, read by their place in a file: what TensorFlow reads one after the
// other, and copies three times on the way.
#ifndef TFSEQ_NATIVE_TFRECORDS_H_
#define TFSEQ_NATIVE_TFRECORDS_H_

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <mutex>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include "checksum.h"

#ifdef TFSEQ_CHECKSUM
namespace tfseq {

// What is damaged: a checksum that does not match, or a file that ends too early.
struct DataLoss : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// A file whose records are found as far as they were asked for. Each is its length, that number's
// checksum, so many bytes, and their checksum.
class RecordFile {
 public:
  explicit RecordFile(std::string path) : path_(std::move(path)) {}
  RecordFile(const RecordFile&) = delete;
  ~RecordFile() {
    if (descriptor_ >= 0) close(descriptor_);
  }

  // Reads a record into a buffer that grows to hold it, verifies it, and returns what it holds.
  std::string_view Read(int64_t index, std::vector<char>& buffer) {
    const Place place = Find(index);
    buffer.resize(std::max(buffer.size(), place.length + sizeof(uint32_t)));
    ReadAt(place.offset, buffer.data(), place.length + sizeof(uint32_t));
    const std::string_view record(buffer.data(), place.length);
    Verify(record, buffer.data() + place.length);
    return record;
  }

 private:
  struct Place {
    uint64_t offset, length;
  };

  static constexpr size_t kHeader = sizeof(uint64_t) + sizeof(uint32_t);
  static constexpr uint64_t kAhead = 8 << 20;

  Place Find(int64_t index) {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (descriptor_ < 0) Open();
    while (int64_t(places_.size()) <= index) FindNext();
    return places_[index];
  }

  void Open() {
    descriptor_ = open(path_.c_str(), O_RDONLY | O_CLOEXEC);
    if (descriptor_ < 0) throw std::system_error(errno, std::generic_category(), path_);
  }

  void FindNext() {
    char header[kHeader];
    ReadAt(end_, header, kHeader);
    Verify({header, sizeof(uint64_t)}, header + sizeof(uint64_t));
    Place place{end_ + kHeader, 0};
    std::memcpy(&place.length, header, sizeof(place.length));
    end_ = place.offset + place.length + sizeof(uint32_t);
    places_.push_back(place);
    if (end_ + kAhead / 2 > fetched_) FetchTo(end_ + kAhead);
  }

  // Has the system read the file up to here, meanwhile. Records are looked for in the order of the
  // file, whatever the order that they are read in: a disk does not have to go back and forth.
  void FetchTo(uint64_t end) {
    posix_fadvise(descriptor_, fetched_, end - fetched_, POSIX_FADV_WILLNEED);
    fetched_ = end;
  }

  void ReadAt(uint64_t offset, char* to, size_t bytes) const {
    while (bytes > 0) {
      const ssize_t read = pread(descriptor_, to, bytes, offset);
      if (read < 0 && errno == EINTR) continue;
      if (read < 0) throw std::system_error(errno, std::generic_category(), path_);
      if (read == 0) throw DataLoss(path_ + ": it ends at byte " + std::to_string(offset));
      offset += read, to += read, bytes -= read;
    }
  }

  void Verify(std::string_view content, const char* stored) const {
    uint32_t expected;
    std::memcpy(&expected, stored, sizeof(expected));
    if (MaskedChecksum(content) != expected) throw DataLoss(path_ + ": a checksum does not match");
  }

  const std::string path_;
  int descriptor_ = -1;
  std::mutex mutex_;
  std::vector<Place> places_;
  uint64_t end_ = 0, fetched_ = 0;
};

}  // namespace tfseq
#endif  // TFSEQ_CHECKSUM

#endif  // TFSEQ_NATIVE_TFRECORDS_H_
