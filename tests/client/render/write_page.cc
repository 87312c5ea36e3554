// Writes a page of what is made up, for page_test.py and comparison_page_test.py: write_page
// cifar|many|hostile|examples|large|two|four|two-many|two-hostile FILE.
#include <fstream>
#include <functional>
#include <map>
#include <string>

#include "client/render/render.h"
#include "tests/client/render/made_up_comparison.h"
#include "tests/client/render/made_up_examples.h"
#include "tests/client/render/made_up_report.h"

namespace {

using namespace assay::render;

std::string Report(const MadeUp& what) { return RenderReport(MadeUpReport(what), Format::kHtml); }

std::string WithExamples(int side) {
  const auto report = MadeUpReport(Cifar());
  const auto examples = MadeUpExamples(report, 4, 3, side);
  return RenderReport(report, Format::kHtml, {}, {false, false, &examples});
}

std::string Comparison(const MadeUpModels& what) {
  return RenderComparison(MadeUpComparison(what), Format::kHtml, false);
}

}  // namespace

int main(int argc, char** argv) {
  const std::map<std::string, std::function<std::string()>> pages = {
      {"cifar", [] { return Report(Cifar()); }},
      {"many", [] { return Report(ManyClasses()); }},
      {"hostile", [] { return Report(Hostile()); }},
      // With images as they come from there, and with large ones.
      {"examples", [] { return WithExamples(32); }},
      {"large", [] { return WithExamples(224); }},
      {"two", [] { return Comparison(TwoModels()); }},
      {"four", [] { return Comparison(FourModels()); }},
      {"two-many", [] { return Comparison(TwoOfManyClasses()); }},
      {"two-hostile", [] { return Comparison(HostileModels()); }},
  };
  if (argc != 3 || pages.count(argv[1]) == 0) return 2;
  std::ofstream(argv[2], std::ios::binary) << pages.at(argv[1])();
  return 0;
}
