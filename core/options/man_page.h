// The man page of a program, made from the definition of its command line.
#ifndef ASSAY_CORE_OPTIONS_MAN_PAGE_H_
#define ASSAY_CORE_OPTIONS_MAN_PAGE_H_

#include <string>
#include <utility>
#include <vector>

namespace CLI {
class App;
}  // namespace CLI

namespace assay::options {

struct ManPageHead {
  int section = 1;
  // "measures how robust ...", behind the name.
  std::string summary;
  std::string version;
  // Titles and paragraphs that follow the options, with empty lines between paragraphs.
  std::vector<std::pair<std::string, std::string>> more;
};

// In man(7). Its date is that of SOURCE_DATE_EPOCH, or today.
std::string ManPage(const CLI::App& app, const ManPageHead& head);

// Makes the hidden option --man-page print it, which ends the parsing like --version.
void AddManPage(CLI::App& app, ManPageHead head);

}  // namespace assay::options

#endif  // ASSAY_CORE_OPTIONS_MAN_PAGE_H_
