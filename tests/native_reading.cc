// Reads a TFRecord file, whole, cut short and with each byte changed, under sanitizers: see
// test_native_reading.py.

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <iterator>
#include <random>

#include "example.h"
#include "tfrecords.h"

namespace {

// Of its very size: to read behind it is found.
std::string_view Exactly(std::string_view content, std::vector<char>& held) {
  std::vector<char>(content.begin(), content.end()).swap(held);
  return {held.data(), held.size()};
}

std::vector<std::string> Records(const std::string& path, int count) {
  tfseq::RecordFiles files;
  files.Add(path, /*are_held=*/false);
  std::vector<std::string> records(count);
  for (int index = 0; index < count; ++index) {
    std::string& read = records[index];
    files.Find(0, index).Use([&](std::string_view record) { read = record; });
  }
  return records;
}

// Bit by bit, by the definition of CRC-32C.
uint32_t PlainChecksum(std::string_view content) {
  uint32_t crc = ~0u;
  for (const char byte : content) {
    crc ^= static_cast<unsigned char>(byte);
    for (int bit = 0; bit < 8; ++bit) crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78u : 0);
  }
  crc = ~crc;
  return (crc >> 15 | crc << 17) + 0xa282ead8u;
}

bool ChecksumsAreRight() {
  std::mt19937 generator(1);
  std::string content(10000, ' ');
  for (char& each : content) each = static_cast<char>(generator());
  std::vector<char> held;
  // Parts of eight bytes, and three of 1024 at once.
  for (const size_t near : {8, 3072, 6144, 9992}) {
    for (size_t size = near - 8; size <= near + 8; ++size) {
      const std::string_view some = Exactly(std::string_view(content).substr(0, size), held);
      if (tfseq::MaskedChecksum(some) != PlainChecksum(some)) return false;
    }
  }
  return true;
}

// What was found is cut off before it is read: the system would end the process.
bool ACutIsAnError(const std::string& path, const std::string& content) {
  std::ofstream(path, std::ios::binary) << content;
  tfseq::RecordFiles files;
  files.Add(path, /*are_held=*/true);
  const tfseq::Found found = files.Find(0, 0);
  if (truncate(path.c_str(), 0) != 0) return false;
  for (int time = 0; time < 2; ++time) {
    try {
      found.Use([](std::string_view) {});
      return false;
    } catch (const tfseq::FileError& error) {
      if (error.number != ESTALE) return false;
    }
  }
  return true;
}

bool Refuses(const std::string& path, const std::string& content, int count) {
  std::ofstream(path, std::ios::binary) << content;
  try {
    Records(path, count);
    return false;
  } catch (const tfseq::DataLoss&) {
    return true;
  }
}

// What is held is not verified again, unless it makes no sense.
bool DamageOfWhatIsHeldIsFound(const std::string& path, const std::string& content) {
  std::ofstream(path, std::ios::binary) << content;
  tfseq::RecordFiles files;
  files.Add(path, /*are_held=*/true);
  const tfseq::Found found = files.Find(0, 0);
  const auto make_no_sense = [](std::string_view) { throw std::invalid_argument("it is odd"); };
  try {
    found.Use(make_no_sense);
    return false;
  } catch (const std::invalid_argument&) {
  }
  found.Use([](std::string_view) {});
  std::fstream file(path, std::ios::binary | std::ios::in | std::ios::out);
  file.seekp(20);
  file.put(static_cast<char>(content[20] ^ 1));
  file.close();
  try {
    found.Use(make_no_sense);
    return false;
  } catch (const tfseq::DataLoss&) {
    return true;
  }
}

bool WhatIsBehindTheEndIsNotRead(const std::string& path, const std::string& content) {
  std::ofstream(path, std::ios::binary) << content;
  const tfseq::MappedFile file(path);
  for (const uint64_t offset : {content.size() - 3, content.size() + 9, ~size_t(0) - 1}) {
    try {
      file.Use(offset, 4, [](std::string_view) {});
      return false;
    } catch (const tfseq::DataLoss&) {
    }
  }
  return true;
}

constexpr int kSignalled = 7;

// A signal that no reading brought about comes to who listened for it before.
bool OtherSignalsAreHandedOn() {
  const pid_t child = fork();
  if (child == 0) {
    alarm(20);
    raise(SIGBUS);
    _exit(0);
  }
  int status = 0;
  waitpid(child, &status, 0);
  return WIFEXITED(status) && WEXITSTATUS(status) == kSignalled;
}

// Whatever is in an example, what is found lies in it.
void Search(std::string_view example) {
  std::vector<char> held;
  example = Exactly(example, held);
  for (const char* name : {"waveform", "label", ""}) {
    try {
      const std::string_view found = tfseq::Feature(example, name);
      if (found.size() > example.size()) std::abort();
      for (const char each : found) static_cast<void>(static_cast<volatile const char&>(each));
    } catch (const std::invalid_argument&) {
    }
  }
}

}  // namespace

int main(int, char** arguments) {
  signal(SIGBUS, [](int) { _exit(kSignalled); });
  const std::string path = arguments[1], damaged = path + ".damaged";
  const int count = std::stoi(arguments[2]);
  std::ifstream stream(path, std::ios::binary);
  const std::string content{std::istreambuf_iterator<char>(stream), {}};
  const std::vector<std::string> records = Records(path, count);
  for (const std::string& record : records) {
    std::printf("%s %s\n", std::string(tfseq::Feature(record, "waveform")).c_str(),
                std::string(tfseq::Feature(record, "label")).c_str());
  }
  if (!ChecksumsAreRight() || !WhatIsBehindTheEndIsNotRead(damaged, content)) return 1;
  if (!ACutIsAnError(damaged, content) || !OtherSignalsAreHandedOn()) return 1;
  if (!DamageOfWhatIsHeldIsFound(damaged, content)) return 1;
  for (size_t at = 0; at < content.size(); ++at) {
    std::string changed = content;
    changed[at] ^= 1 << at % 8;
    if (!Refuses(damaged, content.substr(0, at), count) || !Refuses(damaged, changed, count)) {
      std::printf("byte %zu\n", at);
      return 1;
    }
  }
  // Lengths that no file has, with their checksums.
  for (const uint64_t length : {~uint64_t(0), ~uint64_t(0) - 15, uint64_t(1) << 40}) {
    std::string changed = content;
    std::memcpy(changed.data(), &length, sizeof(length));
    const uint32_t checksum = tfseq::MaskedChecksum({changed.data(), sizeof(length)});
    std::memcpy(changed.data() + sizeof(length), &checksum, sizeof(checksum));
    if (!Refuses(damaged, changed, count)) return 1;
  }
  std::mt19937 generator(1);
  for (const std::string& record : records) {
    for (size_t at = 0; at < record.size(); ++at) {
      Search(std::string_view(record).substr(0, at));
      for (int time = 0; time < 20; ++time) {
        std::string changed = record;
        changed[at] = static_cast<char>(generator());
        Search(changed);
      }
    }
  }
  return 0;
}
