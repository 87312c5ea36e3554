#include "server/scheduler/energy_meter.h"

#include <filesystem>
#include <fstream>
#include <regex>
#include <system_error>

#include "absl/strings/match.h"

namespace assay::scheduler {
namespace {

namespace fs = std::filesystem;

std::optional<int64_t> ReadNumber(const fs::path& path) {
  std::ifstream file(path);
  int64_t number = 0;
  if (!(file >> number) || number < 0) return std::nullopt;
  return number;
}

}  // namespace

EnergyMeter::EnergyMeter(const std::string& directory) {
  // "intel-rapl:0" is a package (AMD's are named so, too); "intel-rapl:0:0" a part of one, and one
  // by the name of psys the whole machine, packages included.
  static const std::regex* const kZone = new std::regex("[a-z-]+rapl:[0-9]+");
  std::error_code error;
  MutexLock lock(mutex_);
  for (const auto& entry : fs::directory_iterator(directory, error)) {
    if (!std::regex_match(entry.path().filename().string(), *kZone)) continue;
    std::string name;
    std::ifstream(entry.path() / "name") >> name;
    const auto range = ReadNumber(entry.path() / "max_energy_range_uj");
    const auto now = ReadNumber(entry.path() / "energy_uj");
    if (!absl::StartsWith(name, "package")) continue;
    if (!range || !now) {
      // A part of the processors would be a wrong number.
      counters_.clear();
      return;
    }
    counters_.push_back({(entry.path() / "energy_uj").string(), *range, *now});
  }
}

void EnergyMeter::Divide() {
  bool known = !counters_.empty();
  double joules = 0;
  for (Counter& counter : counters_) {
    const auto now = ReadNumber(counter.path);
    known = known && now.has_value();
    if (!now) continue;
    const int64_t used =
        *now >= counter.last ? *now - counter.last : *now + counter.range - counter.last;
    joules += static_cast<double>(used) / 1e6;
    counter.last = *now;
  }
  for (Share* share : running_) {
    share->joules_ += joules / static_cast<double>(running_.size());
    share->known_ = share->known_ && known;
  }
}

EnergyMeter::Share::Share(EnergyMeter& meter) : meter_(meter) {
  MutexLock lock(meter_.mutex_);
  meter_.Divide();
  meter_.running_.insert(this);
}

EnergyMeter::Share::~Share() {
  MutexLock lock(meter_.mutex_);
  meter_.Divide();
  meter_.running_.erase(this);
}

std::optional<double> EnergyMeter::Share::Joules() {
  MutexLock lock(meter_.mutex_);
  meter_.Divide();
  if (!known_) return std::nullopt;
  return joules_;
}

}  // namespace assay::scheduler
