// What a command of `assay` is made of: a function declares its options on its leaf of the command
// line, and returns what runs it. The options lie where the two share them.
//
// Example:
//   CommandRun Greet(Leaf& leaf) {
//     const auto name = std::make_shared<std::string>();
//     leaf.Add("--name", name.get(), "Whom to greet").Required().TypeName("NAME");
//     return [name](Session& session) { return session.Print(*name + "\n"); };
//   }
//
// Leaf and Option are CLI11's App and Option, as far as commands need them: CLI11's header takes
// seconds to compile, and one file includes it here instead of every command.
#ifndef ASSAY_CLIENT_CLI_BASE_COMMAND_H_
#define ASSAY_CLIENT_CLI_BASE_COMMAND_H_

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "client/cli/base/session.h"

namespace CLI {
class App;
class Option;
}  // namespace CLI

namespace assay::cli {

// Prints results to stdout and talks to stderr; its status becomes the exit code.
using CommandRun = std::function<absl::Status(Session&)>;

class Option {
 public:
  explicit Option(CLI::Option* option) : option_(option) {}
  Option& Required();
  // What the help shows for its value.
  Option& TypeName(const std::string& name);
  Option& OneOf(const std::vector<std::string>& values);
  // Of an option that takes several values: one each time that it is given.
  Option& OneAtATime();
  Option& Positive();
  Option& From(int first, int last);
  // Above 0 and below 1; `example` is in the message.
  Option& Share(const std::string& example);
  Option& Needs(const Option& other);
  Option& Excludes(const Option& other);

 private:
  CLI::Option* option_;
};

class Leaf {
 public:
  explicit Leaf(CLI::App& app) : app_(app) {}
  // `names`: "-m,--model", or "file" for an argument without a dash. `value` is set by the parser
  // and must live as long as the command line.
  Option Add(const std::string& names, std::string* value, const std::string& text);
  Option Add(const std::string& names, std::vector<std::string>* value, const std::string& text);
  Option Add(const std::string& names, int32_t* value, const std::string& text);
  Option Add(const std::string& names, int64_t* value, const std::string& text);
  Option Add(const std::string& names, double* value, const std::string& text);
  // A switch, which takes no value.
  Option Add(const std::string& names, bool* value, const std::string& text);
  // An option of `assay` itself: "--server".
  Option Common(const std::string& name) const;
  // Follows the options in the help.
  void Footer(const std::string& text);
  CLI::App& app() const { return app_; }
  // The whole command line.
  CLI::App& root() const;

 private:
  CLI::App& app_;
};

}  // namespace assay::cli

#endif  // ASSAY_CLIENT_CLI_BASE_COMMAND_H_
