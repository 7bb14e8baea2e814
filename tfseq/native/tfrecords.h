// Records of TFRecord files, read by their place in a file: what TensorFlow reads one after the
// other, and copies on the way.
#ifndef TFSEQ_NATIVE_TFRECORDS_H_
#define TFSEQ_NATIVE_TFRECORDS_H_

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <deque>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "checksum.h"

#ifdef TFSEQ_CHECKSUM
namespace tfseq {

// What is damaged: a checksum that does not match, or a file that ends too early.
struct DataLoss : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// What the system says of a file, in TensorFlow's words: `tfseq.cli` reads those.
struct FileError : std::runtime_error {
  FileError(const std::string& path, int number)
      : std::runtime_error(path + "; " + std::strerror(number)), number(number) {}
  const int number;
};

// A file that is open for as long as somebody reads from it.
class OpenFile {
 public:
  explicit OpenFile(const std::string& path)
      : path_(path), descriptor_(open(path.c_str(), O_RDONLY | O_CLOEXEC)) {
    if (descriptor_ < 0 || fstat(descriptor_, &status_) < 0) throw FileError(path_, errno);
  }
  OpenFile(const OpenFile&) = delete;
  ~OpenFile() {
    if (descriptor_ >= 0) close(descriptor_);
  }

  const struct stat& status() const { return status_; }

  void Read(uint64_t offset, char* to, size_t bytes) const {
    while (bytes > 0) {
      const ssize_t read = pread(descriptor_, to, bytes, offset);
      if (read < 0 && errno == EINTR) continue;
      if (read < 0) throw FileError(path_, errno);
      if (read == 0) throw DataLoss(path_ + ": it ends at byte " + std::to_string(offset));
      offset += read, to += read, bytes -= read;
    }
  }

  void Verify(std::string_view content, const char* stored) const {
    uint32_t expected;
    std::memcpy(&expected, stored, sizeof(expected));
    if (MaskedChecksum(content) != expected) throw DataLoss(path_ + ": a checksum does not match");
  }

  // Has the system read so many bytes meanwhile. Of more at a time Linux reads the beginning.
  void Fetch(uint64_t offset, uint64_t bytes) const {
    constexpr uint64_t kMost = 128 << 10;
    for (uint64_t at = 0; at < bytes; at += kMost) {
      posix_fadvise(descriptor_, offset + at, std::min(kMost, bytes - at), POSIX_FADV_WILLNEED);
    }
  }

 private:
  const std::string path_;
  const int descriptor_;
  struct stat status_ = {};
};

// A record that was found in a file, by its header.
struct Found {
  std::shared_ptr<const OpenFile> file;
  uint64_t offset, length;
  bool opened;  // the file, just now

  void Fetch() const { file->Fetch(offset, length + sizeof(uint32_t)); }

  // Reads it into a buffer that grows to hold it, verifies it, and returns what it holds.
  std::string_view Read(std::vector<char>& buffer) const {
    buffer.resize(std::max(buffer.size(), size_t(length + sizeof(uint32_t))));
    file->Read(offset, buffer.data(), length + sizeof(uint32_t));
    const std::string_view record(buffer.data(), length);
    file->Verify(record, buffer.data() + length);
    return record;
  }
};

// The records of a file, found as far as they were asked for. Each is its length, that number's
// checksum, so many bytes, and their checksum.
class RecordFile {
 public:
  explicit RecordFile(std::string path) : path_(std::move(path)) {}

  Found Find(int64_t index) {
    const std::lock_guard<std::mutex> lock(mutex_);
    struct stat now;
    // A file that went or that was written anew is not read on, though it may still be open.
    if (stat(path_.c_str(), &now) < 0) throw FileError(path_, errno);
    const bool opens = !file_;
    if (opens) file_ = std::make_shared<OpenFile>(path_);
    if (places_.empty()) status_ = file_->status();
    if (!AreTheSame(now, status_)) throw FileError(path_, ESTALE);
    while (int64_t(places_.size()) <= index) FindNext();
    return {file_, places_[index].offset, places_[index].length, opens};
  }

  void Close() {
    const std::lock_guard<std::mutex> lock(mutex_);
    file_.reset();
  }

 private:
  struct Place {
    uint64_t offset, length;
  };

  static bool AreTheSame(const struct stat& one, const struct stat& other) {
    // Not their numbers: file systems over a network may give a file another one.
    return one.st_size == other.st_size && one.st_mtim.tv_sec == other.st_mtim.tv_sec &&
           one.st_mtim.tv_nsec == other.st_mtim.tv_nsec;
  }

  static constexpr size_t kHeader = sizeof(uint64_t) + sizeof(uint32_t);
  static constexpr uint64_t kAhead = 8 << 20;

  void FindNext() {
    char header[kHeader];
    file_->Read(end_, header, kHeader);
    file_->Verify({header, sizeof(uint64_t)}, header + sizeof(uint64_t));
    Place place{end_ + kHeader, 0};
    std::memcpy(&place.length, header, sizeof(place.length));
    const uint64_t left = status_.st_size - place.offset;
    if (left < sizeof(uint32_t) || place.length > left - sizeof(uint32_t)) {
      throw DataLoss(path_ + ": it ends in a record");
    }
    end_ = place.offset + place.length + sizeof(uint32_t);
    places_.push_back(place);
    // Records are looked for in the order of the file, whatever the order that they are read in: a
    // disk does not have to go back and forth.
    if (end_ + kAhead / 2 > fetched_) {
      file_->Fetch(fetched_, end_ + kAhead - fetched_);
      fetched_ = end_ + kAhead;
    }
  }

  const std::string path_;
  std::mutex mutex_;
  std::shared_ptr<const OpenFile> file_;
  struct stat status_ = {};  // when the first record was found
  std::vector<Place> places_;
  uint64_t end_ = 0, fetched_ = 0;
};

// Many files, of which some are open: those that were opened last.
class RecordFiles {
 public:
  void Add(std::string path) { files_.push_back(std::make_unique<RecordFile>(std::move(path))); }

  // A record of a file, see RecordFile::Find.
  Found Find(size_t file, int64_t index) {
    RecordFile& in = *files_.at(file);
    const Found found = in.Find(index);
    if (found.opened) MakeRoomFor(&in);
    return found;
  }

 private:
  static constexpr size_t kMostOpen = 64;  // four times as many as are read by turns

  void MakeRoomFor(RecordFile* file) {
    const std::lock_guard<std::mutex> lock(mutex_);
    opened_.push_back(file);
    if (opened_.size() <= kMostOpen) return;
    opened_.front()->Close();
    opened_.pop_front();
  }

  std::vector<std::unique_ptr<RecordFile>> files_;
  std::mutex mutex_;
  std::deque<RecordFile*> opened_;
};

}  // namespace tfseq
#endif  // TFSEQ_CHECKSUM

#endif  // TFSEQ_NATIVE_TFRECORDS_H_
