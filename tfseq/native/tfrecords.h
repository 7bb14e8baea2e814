// Records of TFRecord files, read by their place in a file: what TensorFlow reads one after the
// other, and copies on the way.
#ifndef TFSEQ_NATIVE_TFRECORDS_H_
#define TFSEQ_NATIVE_TFRECORDS_H_

#include <sys/stat.h>

#include <atomic>
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
#include "mapped_file.h"

#ifdef TFSEQ_CHECKSUM
namespace tfseq {

// Refuses what is not what its checksum, which lies behind it, was taken of.
inline void Verify(const MappedFile& file, std::string_view content) {
  uint32_t expected;
  std::memcpy(&expected, content.data() + content.size(), sizeof(expected));
  if (MaskedChecksum(content) != expected) {
    throw DataLoss(file.path() + ": a checksum does not match");
  }
}

// Where a record lies in its file.
struct Place {
  Place(uint64_t offset, uint64_t length) : offset(offset), length(length) {}

  const uint64_t offset, length;
  std::atomic<bool> is_verified = false;  // for good
};

// A record that was found in a file, by its header.
struct Found {
  std::shared_ptr<const MappedFile> file;
  Place& place;
  bool is_held;
  bool opened;  // the file, just now

  // Has the system read it meanwhile, if it was not read before.
  void Fetch() const {
    if (!place.is_verified) file->Fetch(place.offset, place.length + sizeof(uint32_t));
  }

  // Calls work(record) with what is verified, see MappedFile::Use. To verify takes as long as to
  // copy: what is held is verified once, and again where work cannot make sense of it.
  template <class Work>
  void Use(Work work) const {
    try {
      Use(work, !place.is_verified);
    } catch (const std::invalid_argument&) {
      Use([](std::string_view) {}, /*verifies=*/true);
      throw;
    }
    place.is_verified = is_held;
  }

 private:
  template <class Work>
  void Use(Work work, bool verifies) const {
    file->Use(place.offset, place.length + sizeof(uint32_t), [&](std::string_view bytes) {
      const std::string_view record = bytes.substr(0, place.length);
      if (verifies) Verify(*file, record);
      work(record);
    });
  }
};

// The records of a file, found as far as they were asked for. Each is its length, that number's
// checksum, so many bytes, and their checksum.
class RecordFile {
 public:
  RecordFile(std::string path, bool is_held) : path_(std::move(path)), is_held_(is_held) {}

  Found Find(int64_t index) {
    const std::lock_guard<std::mutex> lock(mutex_);
    const bool opens = !file_;
    if (opens) file_ = std::make_shared<MappedFile>(path_);
    try {
      return {file_, Known(index), is_held_, opens};
    } catch (...) {
      if (opens) file_.reset();  // nobody is told that it is open
      throw;
    }
  }

  void Close() {
    const std::lock_guard<std::mutex> lock(mutex_);
    file_.reset();
  }

 private:
  Place& Known(int64_t index) {
    if (places_.empty()) status_ = file_->status();
    if (!AreTheSame(Now(), status_)) throw FileError(path_, ESTALE);
    while (int64_t(places_.size()) <= index) FindNext();
    return places_[index];
  }

  // Of a file that is not held, what is at its path counts, though another may still be open.
  struct stat Now() const {
    if (is_held_) return file_->Now();
    struct stat now;
    if (stat(path_.c_str(), &now) < 0) throw FileError(path_, errno);
    return now;
  }

  static bool AreTheSame(const struct stat& one, const struct stat& other) {
    // Not their numbers: file systems over a network may give a file another one.
    return one.st_size == other.st_size && one.st_mtim.tv_sec == other.st_mtim.tv_sec &&
           one.st_mtim.tv_nsec == other.st_mtim.tv_nsec;
  }

  static constexpr size_t kHeader = sizeof(uint64_t) + sizeof(uint32_t);
  static constexpr uint64_t kAhead = 8 << 20;

  void FindNext() {
    const uint64_t offset = end_ + kHeader;
    uint64_t length;
    file_->Use(end_, kHeader, [&](std::string_view header) {
      Verify(*file_, header.substr(0, sizeof(length)));
      std::memcpy(&length, header.data(), sizeof(length));
    });
    const uint64_t left = status_.st_size - offset;
    if (left < sizeof(uint32_t) || length > left - sizeof(uint32_t)) {
      throw DataLoss(path_ + ": it ends in a record");
    }
    places_.emplace_back(offset, length);
    end_ = offset + length + sizeof(uint32_t);
    // Records are looked for in the order of the file, whatever the order that they are read in: a
    // disk does not have to go back and forth.
    if (end_ + kAhead / 2 > fetched_) {
      file_->Fetch(fetched_, end_ + kAhead - fetched_);
      fetched_ = end_ + kAhead;
    }
  }

  const std::string path_;
  const bool is_held_;
  std::mutex mutex_;
  std::shared_ptr<const MappedFile> file_;
  struct stat status_ = {};  // when the first record was found
  std::deque<Place> places_;
  uint64_t end_ = 0, fetched_ = 0;
};

// Many files, of which some are open: those that were opened last.
class RecordFiles {
 public:
  // Whether they are held as they were when they were opened, if they go or are replaced.
  void Add(std::string path, bool are_held) {
    files_.push_back(std::make_unique<RecordFile>(std::move(path), are_held));
  }

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
