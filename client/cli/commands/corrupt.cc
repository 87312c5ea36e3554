// `assay corrupt`: the corrupted images themselves, as files. The engine's code with the engine's
// random keys, so the same bytes as in an evaluation with that seed and condition.
#include <algorithm>
#include <atomic>
#include <filesystem>
#include <map>
#include <set>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/strip.h"
#include "client/cli/base/command.h"
#include "client/cli/base/png_file.h"
#include "client/cli/base/uploads.h"
#include "client/data/npy_writer.h"
#include "client/render/numbers.h"
#include "core/base/errors.h"
#include "core/conditions/condition.h"
#include "core/corruptions/plan.h"

namespace assay::cli {
namespace {

namespace fs = std::filesystem;
using client::NpyWriter;
using corruptions::Image;

constexpr int64_t kBlock = 256;       // samples in memory at a time
constexpr size_t kSheetColumns = 10;  // images on a contact sheet
constexpr int kSheetGap = 2;          // pixels between them

// The first images, as they are and under each severity of one corruption.
struct Sheet {
  std::vector<std::vector<Image>> rows;
};

struct CorruptOptions {
  DataOptions data;
  std::vector<std::string> conditions;
  int64_t seed = 0;
  std::string frost_directory;
  std::string out_dir;
  // Write PNG files too.
  bool png = false;
};

class Corruption {
 public:
  Corruption(Session& session, const CorruptOptions& options)
      : session_(session), options_(options) {}

  absl::Status Run() {
    ASSAY_ASSIGN_OR_RETURN(const auto conditions, ParseConditions(options_.conditions));
    for (const v1::Condition& condition : conditions) {
      // The clean images of a suite need no copy.
      if (condition.family() == kFamilyClean) continue;
      if (condition.family() != kFamilyCorruption) {
        return Error(Reason::kInvalidCondition,
                     absl::StrCat(condition.id(),
                                  " is no corruption: only conditions of the "
                                  "family 'corruption' make images"));
      }
      conditions_.push_back(condition);
    }
    if (conditions_.empty()) {
      return Error(Reason::kInvalidCondition, "there is no corruption among the conditions");
    }
    if (!options_.frost_directory.empty()) {
      ASSAY_ASSIGN_OR_RETURN(frost_, corruptions::FrostPhotographs::Load(options_.frost_directory));
    }
    ASSAY_ASSIGN_OR_RETURN(reader_, OpenData(session_, options_.data));
    samples_ =
        options_.data.limit > 0 ? std::min(options_.data.limit, reader_->size()) : reader_->size();
    std::error_code error;
    fs::create_directories(options_.out_dir, error);
    if (error) {
      return Error(Reason::kStorageFailed,
                   absl::StrCat("cannot create ", options_.out_dir, ": ", error.message()));
    }
    // Everything that can be refused is, before the first file.
    std::vector<corruptions::CorruptionPlan> plans;
    for (const v1::Condition& condition : conditions_) {
      ASSAY_ASSIGN_OR_RETURN(
          auto plan, corruptions::CorruptionPlan::Make(condition, reader_->shape(), frost_.get()));
      plans.push_back(std::move(plan));
    }
    ASSAY_RETURN_IF_ERROR(WriteLabels());
    session_.progress().Begin();
    for (size_t i = 0; i < plans.size(); ++i) {
      ASSAY_RETURN_IF_ERROR(WriteCondition(conditions_[i], plans[i], i));
    }
    ASSAY_RETURN_IF_ERROR(WriteSheets());
    session_.progress().Clear();
    SayNotes(session_, *reader_);
    session_.Say(absl::StrCat(
        "wrote ", render::Count(samples_), " images under ", conditions_.size(),
        conditions_.size() == 1 ? " condition" : " conditions", " to ", options_.out_dir));
    return absl::OkStatus();
  }

 private:
  // "corruption/fog/3/grid=4,cell=5" -> "fog_3_grid=4,cell=5".
  static std::string FileName(const v1::Condition& condition) {
    return absl::StrReplaceAll(
        absl::StripPrefix(condition.id(), absl::StrCat(kFamilyCorruption, "/")), {{"/", "_"}});
  }

  std::string Path(const std::string& name) const {
    return absl::StrCat(options_.out_dir, "/", name);
  }

  // The original images of a block.
  absl::StatusOr<std::vector<Image>> ReadBlock(int64_t first, int64_t count) {
    std::vector<int32_t> labels;
    std::string bytes;
    ASSAY_RETURN_IF_ERROR(reader_->Read(first, count, &labels, &bytes));
    const v1::ImageShape& shape = reader_->shape();
    const auto elements = static_cast<size_t>(shape.channels()) *
                          static_cast<size_t>(shape.height()) * static_cast<size_t>(shape.width());
    const bool floats = reader_->pixel_type() == v1::FLOAT32;
    std::vector<Image> images;
    std::vector<float> planes(elements);
    for (size_t i = 0; i < static_cast<size_t>(count); ++i) {
      if (floats) {
        std::copy_n(bytes.data() + i * elements * sizeof(float), elements * sizeof(float),
                    reinterpret_cast<char*>(planes.data()));
      } else {
        for (size_t k = 0; k < elements; ++k) {
          planes[k] = static_cast<float>(static_cast<uint8_t>(bytes[i * elements + k])) / 255.0F;
        }
      }
      images.push_back(corruptions::ImageFromPlanes(planes.data(), shape));
    }
    return images;
  }

  absl::Status WriteLabels() {
    ASSAY_ASSIGN_OR_RETURN(const auto writer,
                           NpyWriter::Create(Path("labels.npy"), NpyWriter::Type::kInt64, {}));
    for (int64_t first = 0; first < samples_; first += kBlock) {
      std::vector<int32_t> labels;
      std::string pixels;
      ASSAY_RETURN_IF_ERROR(
          reader_->Read(first, std::min(kBlock, samples_ - first), &labels, &pixels));
      const std::vector<int64_t> wide(labels.begin(), labels.end());
      ASSAY_RETURN_IF_ERROR(writer->Append(absl::string_view(
          reinterpret_cast<const char*>(wide.data()), wide.size() * sizeof(int64_t))));
    }
    return writer->Finish();
  }

  absl::Status WriteCondition(const v1::Condition& condition,
                              const corruptions::CorruptionPlan& plan, size_t number) {
    const v1::ImageShape& shape = reader_->shape();
    const RandomKey key(options_.seed, condition.id());
    const std::string name = FileName(condition);
    std::vector<int64_t> item = {shape.height(), shape.width()};
    // Grayscale images are (n, h, w), as everywhere else.
    if (shape.channels() > 1) item.push_back(shape.channels());
    ASSAY_ASSIGN_OR_RETURN(const auto writer,
                           NpyWriter::Create(Path(name + ".npy"), NpyWriter::Type::kUint8, item));
    std::error_code error;
    if (options_.png) {
      fs::create_directories(Path(name), error);
      if (error) {
        return Error(Reason::kStorageFailed,
                     absl::StrCat("cannot create ", Path(name), ": ", error.message()));
      }
    }
    Sheet& sheet = sheets_[condition.method()];
    std::vector<Image> originals, row;
    for (int64_t first = 0; first < samples_; first += kBlock) {
      ASSAY_RETURN_IF_ERROR(session_.interrupt().Check());
      const int64_t count = std::min(kBlock, samples_ - first);
      ASSAY_ASSIGN_OR_RETURN(std::vector<Image> images, ReadBlock(first, count));
      if (first == 0) originals.assign(images.begin(), images.begin() + SheetWidth(images));
      ApplyToAll(plan, key, first, &images);
      if (first == 0) row.assign(images.begin(), images.begin() + SheetWidth(images));
      for (size_t i = 0; i < images.size(); ++i) {
        const auto& pixels = images[i].pixels;
        ASSAY_RETURN_IF_ERROR(writer->Append(
            absl::string_view(reinterpret_cast<const char*>(pixels.data()), pixels.size())));
        if (!options_.png) continue;
        ASSAY_RETURN_IF_ERROR(WritePng(
            absl::StrCat(Path(name), "/", first + static_cast<int64_t>(i), ".png"), images[i]));
      }
      Report(condition.id(), number, first + count);
    }
    if (sheet.rows.empty()) sheet.rows.push_back(std::move(originals));
    sheet.rows.push_back(std::move(row));
    return writer->Finish();
  }

  // No sample depends on another, so any number of threads makes the same bytes.
  static void ApplyToAll(const corruptions::CorruptionPlan& plan, const RandomKey& key,
                         int64_t first, std::vector<Image>* images) {
    std::atomic<size_t> next = 0;
    const auto work = [&] {
      for (size_t i = next++; i < images->size(); i = next++) {
        plan.Apply(key, first + static_cast<int64_t>(i), (*images)[i]);
      }
    };
    std::vector<std::thread> others;
    for (unsigned t = 1; t < std::thread::hardware_concurrency(); ++t) others.emplace_back(work);
    work();
    for (std::thread& thread : others) thread.join();
  }

  static std::ptrdiff_t SheetWidth(const std::vector<Image>& images) {
    return static_cast<std::ptrdiff_t>(std::min(images.size(), kSheetColumns));
  }

  void Report(const std::string& label, size_t number, int64_t done) {
    const int64_t total = samples_ * static_cast<int64_t>(conditions_.size());
    const int64_t all = static_cast<int64_t>(number) * samples_ + done;
    ProgressPoint point;
    point.label = label;
    point.fraction = total > 0 ? static_cast<double>(all) / static_cast<double>(total) : 1;
    point.done = static_cast<double>(all);
    point.amount = absl::StrCat(render::Count(all), " of ", render::Count(total), " images");
    point.rate_unit = "images/s";
    session_.progress().Update(point);
  }

  // One for each corruption: rows are the originals and then its conditions, columns are images.
  absl::Status WriteSheets() const {
    for (const auto& [method, sheet] : sheets_) {
      const Image& first = sheet.rows[0][0];
      const int rows = static_cast<int>(sheet.rows.size());
      const int columns = static_cast<int>(sheet.rows[0].size());
      Image whole{rows * (first.height + kSheetGap) - kSheetGap,
                  columns * (first.width + kSheetGap) - kSheetGap,
                  first.channels,
                  {}};
      const auto channels = static_cast<size_t>(first.channels);
      const size_t line = static_cast<size_t>(whole.width) * channels;
      whole.pixels.assign(static_cast<size_t>(whole.height) * line, 255);
      for (size_t r = 0; r < sheet.rows.size(); ++r) {
        for (size_t c = 0; c < sheet.rows[r].size(); ++c) {
          const Image& image = sheet.rows[r][c];
          const size_t width = static_cast<size_t>(image.width) * channels;
          const size_t left = c * (width + kSheetGap * channels);
          const size_t top = r * static_cast<size_t>(image.height + kSheetGap);
          for (size_t y = 0; y < static_cast<size_t>(image.height); ++y) {
            std::copy_n(image.pixels.data() + y * width, width,
                        whole.pixels.data() + (top + y) * line + left);
          }
        }
      }
      ASSAY_RETURN_IF_ERROR(WritePng(Path(absl::StrCat(method, "_contact_sheet.png")), whole));
    }
    return absl::OkStatus();
  }

  Session& session_;
  const CorruptOptions& options_;
  std::vector<v1::Condition> conditions_;
  std::shared_ptr<const corruptions::FrostPhotographs> frost_;
  std::unique_ptr<client::DatasetReader> reader_;
  int64_t samples_ = 0;
  std::map<std::string, Sheet> sheets_;  // by corruption
};

}  // namespace

CommandRun Corrupt(Leaf& leaf) {
  const auto options = std::make_shared<CorruptOptions>();
  leaf.Add("-d,--data", &options->data.paths, "File or folder of images")
      .Required()
      .TypeName("FILE");
  leaf.Add("-c,--condition", &options->conditions,
           "Conditions of the family corruption, or suite/NAME")
      .Required()
      .TypeName("CONDITION");
  leaf.Add("--out", &options->out_dir,
           "Directory for NAME_SEVERITY.npy, labels.npy and contact sheets")
      .Required()
      .TypeName("DIR");
  leaf.Add("--png", &options->png, "Write every image as a PNG file, too");
  options->data.AddTo(leaf);
  leaf.Add("--seed", &options->seed, "Seed of every random draw (default 0)");
  leaf.Add("--frost-directory", &options->frost_directory, "Photographs for corruption/frost")
      .TypeName("DIR");
  leaf.Footer("Example: assay corrupt -d test_batch.bin -c corruption/fog --out fog");
  return [options](Session& session) { return Corruption(session, *options).Run(); };
}

}  // namespace assay::cli
