#include "server/scheduler/energy_meter.h"

#include <filesystem>
#include <fstream>
#include <optional>
#include <string>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "tests/server/store/store_test_util.h"

namespace assay::scheduler {
namespace {

using store::TempDirectory;

class EnergyMeterTest : public ::testing::Test {
 protected:
  void Zone(const std::string& zone, const std::string& name, int64_t microjoules) {
    std::filesystem::create_directories(directory_.File(zone));
    Write(zone, "name", name);
    Write(zone, "max_energy_range_uj", "10000000");
    Count(zone, microjoules);
  }
  void Count(const std::string& zone, int64_t microjoules) {
    Write(zone, "energy_uj", absl::StrCat(microjoules));
  }
  void Write(const std::string& zone, const std::string& file, const std::string& text) {
    std::ofstream(directory_.File(absl::StrCat(zone, "/", file))) << text << "\n";
  }

  const TempDirectory directory_;
};

TEST_F(EnergyMeterTest, PackagesAreAddedUpAndTheirPartsAreNot) {
  Zone("intel-rapl:0", "package-0", 5'000'000);
  Zone("intel-rapl:1", "package-1", 1'000'000);
  Zone("intel-rapl:0:0", "core", 0);
  Zone("intel-rapl:2", "psys", 0);
  EnergyMeter meter(directory_.File(""));
  EnergyMeter::Share share(meter);
  EXPECT_EQ(share.Joules(), 0.0);
  Count("intel-rapl:0", 7'500'000);
  Count("intel-rapl:1", 1'500'000);
  Count("intel-rapl:0:0", 1'000'000);
  Count("intel-rapl:2", 9'000'000);
  EXPECT_EQ(share.Joules(), 3.0);
  // Over the end of its range.
  Count("intel-rapl:0", 500'000);
  EXPECT_EQ(share.Joules(), 6.0);
}

TEST_F(EnergyMeterTest, TasksOfTheSameTimeShareIt) {
  Zone("intel-rapl:0", "package-0", 0);
  EnergyMeter meter(directory_.File(""));
  EnergyMeter::Share first(meter);
  Count("intel-rapl:0", 1'000'000);
  {
    EnergyMeter::Share second(meter);
    Count("intel-rapl:0", 3'000'000);
    EXPECT_EQ(second.Joules(), 1.0);
    Count("intel-rapl:0", 4'000'000);
  }
  Count("intel-rapl:0", 6'000'000);
  EXPECT_EQ(first.Joules(), 1 + 1 + 0.5 + 2);
}

TEST_F(EnergyMeterTest, NothingIsKnownWhereACounterIsMissing) {
  EnergyMeter none(directory_.File("nowhere"));
  EXPECT_EQ(EnergyMeter::Share(none).Joules(), std::nullopt);
  EnergyMeter empty(directory_.File(""));
  EXPECT_EQ(EnergyMeter::Share(empty).Joules(), std::nullopt);
  Zone("intel-rapl:0", "package-0", 0);
  Zone("intel-rapl:1", "package-1", 0);
  std::filesystem::remove(directory_.File("intel-rapl:1/energy_uj"));
  EnergyMeter part(directory_.File(""));
  EXPECT_EQ(EnergyMeter::Share(part).Joules(), std::nullopt);
  // Or goes while a task runs.
  Count("intel-rapl:1", 0);
  EnergyMeter meter(directory_.File(""));
  EnergyMeter::Share share(meter);
  EXPECT_TRUE(share.Joules().has_value());
  std::filesystem::remove(directory_.File("intel-rapl:0/energy_uj"));
  EXPECT_EQ(share.Joules(), std::nullopt);
}

}  // namespace
}  // namespace assay::scheduler
