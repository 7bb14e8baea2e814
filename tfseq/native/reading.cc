// Reading records as an operation of TensorFlow.

#include <cerrno>
#include <exception>
#include <memory>
#include <string>
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

  // Finds the record of a place, which is the number of its file and, in the lower half, its own.
  Found Find(int64_t place) { return files.Find(place >> 32, place & 0xffffffff); }
};

// The places of the records that are wanted, and where those go.
struct Wanted {
  int64_t records;
  const int64_t* places;
  float *waveform, *label;
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

void CopyRecord(const Reading& reading, const Found& found, const Wanted& wanted, int64_t record) {
  const int64_t values = reading.channels * reading.steps;
  found.Use([&](std::string_view example) {
    Copy(example, "waveform", values, wanted.waveform + record * values);
    Copy(example, "label", reading.steps, wanted.label + record * reading.steps);
  });
}

void ReadBatch(Reading& reading, const Wanted& wanted) {
  // A disk is told of all: of one after the other it would do one at a time.
  std::vector<Found> found;
  for (int64_t record = 0; record < wanted.records; ++record) {
    found.push_back(reading.Find(wanted.places[record]));
    found.back().Fetch();
  }
  for (int64_t record = 0; record < wanted.records; ++record) {
    CopyRecord(reading, found[record], wanted, record);
  }
}

void ReadOnAllProcessors(Reading& reading, const Wanted& wanted) {
  std::mutex mutex;
  std::exception_ptr failure;
  ForEach(wanted.records, [&](int record) {
    try {
      CopyRecord(reading, reading.Find(wanted.places[record]), wanted, record);
    } catch (...) {
      const std::lock_guard<std::mutex> lock(mutex);
      failure = std::current_exception();
    }
  });
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
  const auto* values = static_cast<const int64_t*>(TF_TensorData(places));
  const Wanted wanted = {records, values, waveform, label};
  try {
    (reading.on_all_processors ? ReadOnAllProcessors : ReadBatch)(reading, wanted);
  } catch (const DataLoss& loss) {
    call.Refuse(loss.what(), TF_DATA_LOSS);
  } catch (const FileError& error) {
    call.Refuse(error.what(), error.number == ENOENT ? TF_NOT_FOUND : TF_UNKNOWN);
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
  TF_Bool all = 0, are_held = 0;
  TF_OpKernelConstruction_GetAttrBool(construction, "on_all_processors", &all, status.get());
  TF_OpKernelConstruction_GetAttrBool(construction, "are_held", &are_held, status.get());
  if (TF_GetCode(status.get()) != TF_OK) {
    TF_OpKernelConstruction_Failure(construction, status.get());
    return nullptr;
  }
  reading->on_all_processors = all;
  for (size_t i = 0; i < paths.size(); ++i) {
    reading->files.Add(std::string(paths[i], lengths[i]), are_held);
  }
  return reading.release();
}

void DeleteReading(void* reading) { delete static_cast<Reading*>(reading); }

const bool registered = Register(
    {"TfseqReadRecords",
     {"paths: list(string)", "channels: int", "steps: int", "on_all_processors: bool",
      "are_held: bool"},
     {"places: int64"}, {"waveform: float", "label: float"},
     NewReading, Read, DeleteReading});

}  // namespace
}  // namespace tfseq
#endif  // TFSEQ_CHECKSUM
