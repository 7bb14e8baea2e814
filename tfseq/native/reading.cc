// Reading records as an operation of TensorFlow.

#include <exception>
#include <memory>
#include <string>
#include <system_error>
#include <vector>

#include "example.h"
#include "operation.h"
#include "records.h"
#include "tfrecords.h"

#ifdef TFSEQ_CHECKSUM
namespace tfseq {
namespace {

struct Reading {
  RecordFiles files;
  int64_t channels, steps;
  bool on_all_processors;
  Desks<std::vector<char>> buffers;
};

void Copy(std::string_view example, const char* name, int64_t values, float* to) {
  const std::string_view content = Feature(example, name);
  const size_t expected = values * sizeof(float);
  if (content.size() != expected) {
    throw std::invalid_argument("a record's " + std::string(name) + " has " +
                                std::to_string(content.size()) + " bytes; expected " +
                                std::to_string(expected));
  }
  std::memcpy(to, content.data(), expected);
}

void ReadRecords(Reading& reading, const int64_t* places, int64_t records, float* waveform,
                 float* label) {
  std::mutex mutex;
  std::exception_ptr failure;
  const auto read = [&](int record, std::vector<char>& buffer) {
    try {
      const size_t file = places[record] >> 32;
      const int64_t index = places[record] & 0xffffffff, values = reading.channels * reading.steps;
      const std::string_view example = reading.files.Read(file, index, buffer);
      Copy(example, "waveform", values, waveform + record * values);
      Copy(example, "label", reading.steps, label + record * reading.steps);
    } catch (...) {
      const std::lock_guard<std::mutex> lock(mutex);
      failure = std::current_exception();
    }
  };
  const auto make = [] { return std::vector<char>(); };
  if (reading.on_all_processors) {
    reading.buffers.ForEachRecord(records, make, read);
  } else {
    std::vector<char> buffer;
    for (int record = 0; record < records; ++record) read(record, buffer);
  }
  if (failure) std::rethrow_exception(failure);
}

void Read(void* kernel, TF_OpKernelContext* context) {
  auto& reading = *static_cast<Reading*>(kernel);
  Call call(context);
  const TF_Tensor* places = call.In(0);
  if (!call.ok()) return;
  const int64_t records = TF_TensorElementCount(places);
  float* waveform = call.Out(0, {records, reading.channels, reading.steps});
  float* label = call.Out(1, {records, reading.steps});
  if (!call.ok()) return;
  try {
    ReadRecords(reading, static_cast<const int64_t*>(TF_TensorData(places)), records, waveform,
                label);
  } catch (const DataLoss& loss) {
    call.Refuse(loss.what(), TF_DATA_LOSS);
  } catch (const std::system_error& error) {
    call.Refuse(error.what(), error.code() == std::errc::no_such_file_or_directory ? TF_NOT_FOUND
                                                                                   : TF_UNKNOWN);
  } catch (const std::exception& error) {
    call.Refuse(error.what());
  }
}

void* NewReading(TF_OpKernelConstruction* construction) {
  const Status status(TF_NewStatus());
  int32_t count = 0, bytes = 0;
  TF_OpKernelConstruction_GetAttrSize(construction, "paths", &count, &bytes, status.get());
  std::vector<char*> paths(std::max(count, 0));
  std::vector<size_t> lengths(paths.size());
  std::vector<char> storage(std::max(bytes, 0));
  auto reading = std::make_unique<Reading>();
  TF_OpKernelConstruction_GetAttrStringList(construction, "paths", paths.data(), lengths.data(),
                                            count, storage.data(), bytes, status.get());
  TF_OpKernelConstruction_GetAttrInt64(construction, "channels", &reading->channels, status.get());
  TF_OpKernelConstruction_GetAttrInt64(construction, "steps", &reading->steps, status.get());
  TF_Bool all = 0;
  TF_OpKernelConstruction_GetAttrBool(construction, "on_all_processors", &all, status.get());
  if (TF_GetCode(status.get()) != TF_OK) {
    TF_OpKernelConstruction_Failure(construction, status.get());
    return nullptr;
  }
  reading->on_all_processors = all;
  for (size_t i = 0; i < paths.size(); ++i) {
    reading->files.Add(std::string(paths[i], lengths[i]));
  }
  return reading.release();
}

void DeleteReading(void* reading) { delete static_cast<Reading*>(reading); }

const bool registered = Register(
    {"TfseqReadRecords",
     {"paths: list(string)", "channels: int", "steps: int", "on_all_processors: bool"},
     {"places: int64"}, {"waveform: float", "label: float"},
     NewReading, Read, DeleteReading});

}  // namespace
}  // namespace tfseq
#endif  // TFSEQ_CHECKSUM
