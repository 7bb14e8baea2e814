// What every call does: go through the records on all processors, and sum up.
#ifndef TFSEQ_NATIVE_RECORDS_H_
#define TFSEQ_NATIVE_RECORDS_H_

#include <pthread.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <new>
#include <thread>
#include <utility>
#include <vector>

namespace tfseq {

// Threads that wait for work; they are never joined, and end with the process.
class Threads {
 public:
  static Threads& Shared() {
    static auto* threads = [] {
      // A process that is forked has none of them, and makes its own.
      pthread_atfork(nullptr, nullptr, [] { new (&Shared()) Threads; });
      return new Threads;
    }();
    return *threads;
  }

  // Calls work() once on each thread, the calling one being one of them, and waits for all.
  void Run(const std::function<void()>& work) {
    std::lock_guard<std::mutex> one_at_a_time(calls_);
    for (; started_ < count_ - 1; ++started_) std::thread([this] { Wait(); }).detach();
    {
      std::lock_guard<std::mutex> lock(mutex_);
      work_ = &work;
      busy_ = count_ - 1;
      ++call_;
    }
    called_.notify_all();
    work();
    std::unique_lock<std::mutex> lock(mutex_);
    done_.wait(lock, [this] { return busy_ == 0; });
  }

 private:
  void Wait() {
    for (long seen = 0;;) {
      const std::function<void()>* work;
      {
        std::unique_lock<std::mutex> lock(mutex_);
        called_.wait(lock, [&] { return call_ != seen; });
        seen = call_;
        work = work_;
      }
      (*work)();
      std::lock_guard<std::mutex> lock(mutex_);
      if (--busy_ == 0) done_.notify_one();
    }
  }

  const int count_ = std::max(1u, std::thread::hardware_concurrency());
  int started_ = 0;
  std::mutex calls_, mutex_;
  std::condition_variable called_, done_;
  const std::function<void()>* work_ = nullptr;
  int busy_ = 0;
  long call_ = 0;
};

// Calls work(index) for each of some things.
template <class Work>
void ForEach(int count, Work work) {
  if (count == 1) return work(0);  // to wake the other threads would take longer
  std::atomic<int> next{0};
  Threads::Shared().Run([&] {
    for (int index; (index = next++) < count;) work(index);
  });
}

// What a thread works with on a record, kept from one call to the next: to make it anew takes as
// long as a small network.
template <class Scratch>
class Desks {
 public:
  // Calls work(record, scratch) for each record; a thread has its own scratch, once made by make().
  template <class Make, class Work>
  void ForEachRecord(int records, Make make, Work work) {
    std::atomic<int> next{0};
    const auto run = [&] {
      Scratch own = Take(make);
      for (int record; (record = next++) < records;) work(record, own);
      std::lock_guard<std::mutex> lock(mutex_);
      free_.push_back(std::move(own));
    };
    if (records == 1) {
      run();  // to wake the other threads would take longer
    } else {
      Threads::Shared().Run(run);
    }
  }

 private:
  template <class Make>
  Scratch Take(Make make) {
    std::lock_guard<std::mutex> lock(mutex_);
    if (free_.empty()) return make();
    Scratch scratch = std::move(free_.back());
    free_.pop_back();
    return scratch;
  }

  std::mutex mutex_;
  std::vector<Scratch> free_;
};

// Sums over records that do not depend on which thread took which record: `values` a record.
class SumsByRecord {
 public:
  SumsByRecord(int records, int values) : values_(values), sums_(records * size_t(values), 0.0) {}

  double* Of(int record) { return sums_.data() + record * size_t(values_); }

  // Writes the sum of each value over all records.
  void Totals(float* to) const {
    for (int value = 0; value < values_; ++value) {
      double total = 0;
      for (size_t at = value; at < sums_.size(); at += values_) total += sums_[at];
      to[value] = static_cast<float>(total);
    }
  }

 private:
  int values_;
  std::vector<double> sums_;
};

}  // namespace tfseq

#endif  // TFSEQ_NATIVE_RECORDS_H_
