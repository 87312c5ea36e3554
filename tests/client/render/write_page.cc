// Writes the page of a made-up report, for page_test.py: write_page cifar|many|hostile|
// examples|large FILE.
#include <fstream>
#include <string>

#include "client/render/render.h"
#include "tests/client/render/made_up_examples.h"
#include "tests/client/render/made_up_report.h"

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  const std::string which = argv[1];
  const auto report = assay::render::MadeUpReport(which == "many" ? assay::render::ManyClasses()
                                                  : which == "hostile" ? assay::render::Hostile()
                                                                       : assay::render::Cifar());
  // Of CIFAR-10 with images as they come from there, and with large ones.
  const bool has_examples = which == "examples" || which == "large";
  const auto examples = assay::render::MadeUpExamples(report, 4, 3, which == "large" ? 224 : 32);
  std::ofstream(argv[2], std::ios::binary) << assay::render::RenderReport(
      report, assay::render::Format::kHtml, false, {}, has_examples ? &examples : nullptr);
  return 0;
}
