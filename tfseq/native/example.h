// A string of a serialized tf.train.Example, where it lies: Example.features, of which each feature
// is an entry of a map, with a name and a list of strings.
#ifndef TFSEQ_NATIVE_EXAMPLE_H_
#define TFSEQ_NATIVE_EXAMPLE_H_

#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>

namespace tfseq {

// Goes through the fields of a message of protobuf's wire format.
class Fields {
 public:
  explicit Fields(std::string_view message) : left_(message) {}

  // Moves on to the next field that holds bytes; false at the end.
  bool Next() {
    while (!left_.empty()) {
      const uint64_t key = Varint();
      number_ = key >> 3;
      switch (key & 7) {
        case 0: Varint(); break;
        case 1: Bytes(8); break;
        case 2: content_ = Bytes(Varint()); return true;
        case 5: Bytes(4); break;
        default: Refuse();
      }
    }
    return false;
  }

  uint64_t number() const { return number_; }
  std::string_view content() const { return content_; }

 private:
  [[noreturn]] static void Refuse() { throw std::invalid_argument("it is no tf.train.Example"); }

  uint64_t Varint() {
    uint64_t value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      const auto byte = static_cast<unsigned char>(Bytes(1)[0]);
      value |= uint64_t(byte & 127) << shift;
      if (byte < 128) return value;
    }
    Refuse();
  }

  std::string_view Bytes(uint64_t count) {
    if (count > left_.size()) Refuse();
    const std::string_view bytes = left_.substr(0, count);
    left_.remove_prefix(count);
    return bytes;
  }

  std::string_view left_, content_;
  uint64_t number_ = 0;
};

// The last field of a number, which is the one that counts.
inline std::string_view Field(std::string_view message, uint64_t number) {
  std::string_view found;
  for (Fields fields(message); fields.Next();) {
    if (fields.number() == number) found = fields.content();
  }
  return found;
}

// The string that a feature of an example is.
inline std::string_view Feature(std::string_view example, std::string_view name) {
  std::string_view value;
  for (Fields entries(Field(example, 1)); entries.Next();) {
    const bool is_entry = entries.number() == 1;
    if (is_entry && Field(entries.content(), 1) == name) value = Field(entries.content(), 2);
  }
  return Field(Field(value, 1), 1);
}

}  // namespace tfseq

#endif  // TFSEQ_NATIVE_EXAMPLE_H_
