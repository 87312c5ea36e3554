// Writes the page of a made-up report, for page_test.py: write_page cifar|many FILE.
#include <fstream>
#include <string>

#include "client/render/render.h"
#include "tests/client/render/made_up_report.h"

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  const bool many = std::string(argv[1]) == "many";
  const auto report =
      assay::render::MadeUpReport(many ? assay::render::ManyClasses() : assay::render::Cifar());
  std::ofstream(argv[2], std::ios::binary)
      << assay::render::RenderReport(report, assay::render::Format::kHtml, false);
  return 0;
}
