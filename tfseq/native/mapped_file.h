// A file as a part of memory: the pages in which the system keeps what it has read of it, which are
// neither copied nor held twice.
#ifndef TFSEQ_NATIVE_MAPPED_FILE_H_
#define TFSEQ_NATIVE_MAPPED_FILE_H_

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

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

// Who reads what a file no longer has, or what its disk cannot read, gets a signal that ends the
// process, in place of an error. (It does so again if somebody sets another handler later, which
// does not call the one before it.)
class BusErrors {
 public:
  // Calls work() and returns true; false if it ended in such a signal. What it then leaves behind
  // is not destroyed: it makes nothing that would have to be.
  template <class Work>
  static bool Survives(Work work) {
    ListenOnce();
    sigjmp_buf here;
    const Restored restored{std::exchange(back_, &here)};
    if (sigsetjmp(here, 0) != 0) return false;
    work();
    return true;
  }

 private:
  struct Restored {
    sigjmp_buf* const before;
    ~Restored() { back_ = before; }
  };

  // Not in the template, of which each kind of work has its own: it would call itself as the one
  // before it.
  static void ListenOnce() {
    [[maybe_unused]] static const bool listens = [] {
      struct sigaction action = {};
      action.sa_sigaction = Handle;
      action.sa_flags = SA_SIGINFO | SA_NODEFER | SA_ONSTACK;
      return sigaction(SIGBUS, &action, &before_) == 0;
    }();
  }

  static void Handle(int number, siginfo_t*, void*) {
    if (back_) siglongjmp(*back_, 1);
    // Somebody else's.
    sigaction(number, &before_, nullptr);
    raise(number);
  }

  static inline thread_local sigjmp_buf* back_ = nullptr;
  static inline struct sigaction before_ = {};
};

// A file that is open for as long as somebody reads from it.
class MappedFile {
 public:
  explicit MappedFile(const std::string& path)
      : path_(path), descriptor_(open(path.c_str(), O_RDONLY | O_CLOEXEC)) {
    if (descriptor_ < 0) throw FileError(path_, errno);
    if (fstat(descriptor_, &status_) == 0) {
      if (status_.st_size == 0) return;  // nothing to map
      void* begin = mmap(nullptr, status_.st_size, PROT_READ, MAP_SHARED, descriptor_, 0);
      if (begin != MAP_FAILED) {
        begin_ = static_cast<const char*>(begin);
        return;
      }
    }
    const int number = errno;
    close(descriptor_);
    throw FileError(path_, number);
  }
  MappedFile(const MappedFile&) = delete;
  ~MappedFile() {
    if (begin_) munmap(const_cast<char*>(begin_), status_.st_size);
    close(descriptor_);
  }

  const std::string& path() const { return path_; }

  // Of when it was opened, and of now.
  const struct stat& status() const { return status_; }
  struct stat Now() const {
    struct stat now;
    if (fstat(descriptor_, &now) < 0) throw FileError(path_, errno);
    return now;
  }

  // Calls work(bytes) with bytes of the file; it is as BusErrors has it.
  template <class Work>
  void Use(uint64_t offset, uint64_t count, Work work) const {
    const uint64_t size = status_.st_size;
    if (offset > size || count > size - offset) {
      throw DataLoss(path_ + ": it ends at byte " + std::to_string(size));
    }
    const std::string_view bytes(begin_ + offset, count);
    if (!BusErrors::Survives([&] { work(bytes); })) {
      throw FileError(path_, Now().st_size == status_.st_size ? EIO : ESTALE);
    }
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
  const char* begin_ = nullptr;
};

}  // namespace tfseq

#endif  // TFSEQ_NATIVE_MAPPED_FILE_H_
