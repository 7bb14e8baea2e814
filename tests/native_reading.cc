// Reads a TFRecord file, whole, cut short and with each byte changed, under sanitizers: see
// test_native_reading.py.

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
  files.Add(path);
  std::vector<std::string> records;
  std::vector<char> buffer;
  for (int index = 0; index < count; ++index) records.emplace_back(files.Find(0, index).Read(buffer));
  return records;
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
  const std::string path = arguments[1], damaged = path + ".damaged";
  const int count = std::stoi(arguments[2]);
  std::ifstream stream(path, std::ios::binary);
  const std::string content{std::istreambuf_iterator<char>(stream), {}};
  const std::vector<std::string> records = Records(path, count);
  for (const std::string& record : records) {
    std::printf("%s %s\n", std::string(tfseq::Feature(record, "waveform")).c_str(),
                std::string(tfseq::Feature(record, "label")).c_str());
  }
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
