#include "client/cli/arguments.h"

#include <map>
#include <sstream>
#include <utility>

#include "CLI/CLI.hpp"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "client/cli/completion.h"
#include "client/cli/config.h"
#include "client/cli/exit_codes.h"
#include "client/lib/client.h"
#include "core/base/errors.h"
#include "core/conditions/condition.h"

namespace assay::cli {
namespace {

using render::Format;

const std::map<std::string, Format>& Formats() {
  static const auto* const formats =
      new std::map<std::string, Format>{{"table", Format::kTable},
                                        {"json", Format::kJson},
                                        {"csv", Format::kCsv},
                                        {"markdown", Format::kMarkdown}};
  return *formats;
}

constexpr char kOrderOfClasses[] =
    "Order of classes: class i is logit i. Class folders have the order of --classes, or of "
    "classes.txt in their folder;\nwithout these, names that are all numbers have the order of the "
    "numbers, others are sorted bytewise.\n";

// What the parser fills besides Arguments.
struct Raw {
  std::vector<std::string> suites;
  std::string config_path;
  std::string format;
  std::string shape;
  std::string shell;
};

class Grammar {
 public:
  Grammar() : app_("Assay measures how robust image classifiers are, class by class.", "assay") {
    app_.set_version_flag("--version", "assay " ASSAY_VERSION);
    app_.require_subcommand(1);
    // Options of `assay` itself may stand after a subcommand too.
    app_.fallthrough();
    app_.footer(
        "Options of assay itself may stand anywhere. Exit codes: 0 fine, 2 usage, 3 evaluation "
        "failed, 4 cancelled,\n"
        "5 not found or precondition, 6 authentication, 7 unavailable or timeout.");
    app_.add_option("--server", arguments_.server,
                    absl::StrCat("Server as host:port (ASSAY_SERVER; default ",
                                 client::kDefaultAddress, ")"))
        ->type_name("HOST:PORT");
    std::vector<std::string> names;
    for (const auto& [name, format] : Formats()) names.push_back(name);
    app_.add_option("-o,--output", raw_.format, "Format of the result on stdout (default table)")
        ->check(CLI::IsMember(names));
    app_.add_flag("-q,--quiet", arguments_.quiet, "Only errors on stderr");
    app_.add_option("--config", raw_.config_path,
                    "Config file (default ~/.config/assay/config.toml)")
        ->type_name("FILE");
    AddEvaluate();
    AddModel();
    AddDataset();
    AddEvaluation();
    AddCorrupt();
    auto* conditions = Leaf(app_, "conditions", "Show conditions as the server understands them",
                            Command::kConditions);
    conditions->add_option("expressions", arguments_.conditions,
                           "Conditions; without any, everything that can be written is listed");
    conditions->footer("Example: assay conditions 'attack/pgd:norm=linf,eps=8/255'");
    auto* completion =
        Leaf(app_, "completion", "Print a completion script for a shell", Command::kCompletion);
    completion->add_option("shell", raw_.shell, "The shell")
        ->required()
        ->check(CLI::IsMember({"bash"}));
    completion->footer("Use: source <(assay completion bash)");
  }

  std::variant<Arguments, Exit> Parse(int argc, const char* const* argv,
                                      const std::string& environment_server) {
    const absl::Status known = CheckCommandWords(argc, argv);
    if (!known.ok()) return Exit{kExitUsage, "", ErrorText(known)};
    try {
      app_.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
      std::ostringstream out;
      std::ostringstream err;
      const int code = app_.exit(error, out, err);
      return Exit{code == 0 ? kExitOk : kExitUsage, out.str(), err.str()};
    }
    const absl::Status status = Complete(environment_server);
    if (!status.ok()) return Exit{ExitCodeOf(status), "", ErrorText(status)};
    return std::move(arguments_);
  }

 private:
  // A mistyped command, with the one that was meant: CLI11 would only ask for "a subcommand".
  absl::Status CheckCommandWords(int argc, const char* const* argv) const {
    const CLI::App* level = &app_;
    for (int i = 1; i < argc && argv[i][0] != '-'; ++i) {
      std::vector<std::string> names;
      const CLI::App* next = nullptr;
      for (const CLI::App* sub : level->get_subcommands(nullptr)) {
        names.push_back(sub->get_name());
        if (sub->get_name() == argv[i]) next = sub;
      }
      if (names.empty()) break;
      if (next == nullptr) {
        const std::string nearest = Nearest(argv[i], names);
        return InvalidFields(
            {{"command",
              absl::StrCat("there is no '", argv[i], "'; ",
                           nearest.empty() ? absl::StrCat("known are ", absl::StrJoin(names, ", "))
                                           : absl::StrCat("did you mean ", nearest, "?"))}});
      }
      level = next;
    }
    return absl::OkStatus();
  }

  CLI::App* Leaf(CLI::App& parent, const std::string& name, const std::string& text,
                 Command command) {
    CLI::App* leaf = parent.add_subcommand(name, text);
    leaf->callback([this, command] { arguments_.command = command; });
    return leaf;
  }

  CLI::App* Group(const std::string& name, const std::string& text) {
    CLI::App* group = app_.add_subcommand(name, text);
    group->require_subcommand(1);
    return group;
  }

  CLI::App* NamedLeaf(CLI::App& parent, const std::string& name, const std::string& text,
                      Command command, const std::string& collection) {
    CLI::App* leaf = Leaf(parent, name, text, command);
    leaf->add_option("name", arguments_.name, absl::StrCat(collection, "/ID, or the ID alone"))
        ->required();
    return leaf;
  }

  void AddDataOptions(CLI::App& app) {
    app.add_option("--labels", arguments_.labels,
                   "Labels of IDX and NPY images (default: looked for beside the images)")
        ->type_name("FILE");
    app.add_option("--format", arguments_.data_format,
                   "Format of the data: auto, cifar10, cifar100, idx, npy, npz, folder")
        ->check(CLI::IsMember({"auto", "cifar10", "cifar100", "idx", "npy", "npz", "folder"}));
    app.add_option("--classes", arguments_.classes,
                   "Names of the classes, one a line, in the order of the logits (default: "
                   "classes.txt beside the images, or in the folder of class folders)")
        ->type_name("FILE");
    app.add_flag("--allow-missing-classes", arguments_.allow_missing_classes,
                 "Accept classes without images, and a number of named classes that is not that "
                 "of the model's logits");
    app.add_option("--limit", arguments_.limit, "Use the first N samples")
        ->check(CLI::PositiveNumber)
        ->type_name("N");
  }

  void AddResultOptions(CLI::App& app) {
    app.add_option("--confidence-level", arguments_.confidence_level,
                   "Level of the intervals (default 0.95)")
        ->check([](const std::string& text) -> std::string {
          double level = 0;
          if (absl::SimpleAtod(text, &level) && level > 0 && level < 1) return "";
          return "must be between 0 and 1, for example 0.95";
        })
        ->type_name("LEVEL");
    app.add_option("--reference", arguments_.reference,
                   "Errors that normalise corruption errors: a JSON file, alexnet or alexnet-mean")
        ->type_name("FILE|NAME");
    app.add_option("--report", arguments_.report_path, "Write the report as JSON, too")
        ->type_name("FILE");
  }

  void AddEvaluate() {
    CLI::App* evaluate = Leaf(app_, "evaluate", "Upload what is missing, evaluate, wait, report",
                              Command::kEvaluate);
    evaluate
        ->add_option("-m,--model", arguments_.model, "TorchScript file, or models/ID of the server")
        ->required()
        ->type_name("FILE|models/ID");
    evaluate
        ->add_option("-d,--data", arguments_.data,
                     "File or folder of images (several CIFAR files are joined), datasets/ID, or "
                     "the folder of a ready-made set (CIFAR-10-C, ImageNet-C)")
        ->required()
        ->type_name("FILE|datasets/ID");
    evaluate
        ->add_option("-c,--condition", arguments_.conditions,
                     "Conditions, for example clean attack/pgd:norm=linf,eps=8/255")
        ->type_name("CONDITION");
    std::vector<std::string> suites;
    for (const SuiteHelp& suite : AllSuites()) suites.push_back(suite.name);
    evaluate->add_option("--suite", raw_.suites, "Sets of conditions, beside those of -c")
        ->check(CLI::IsMember(suites));
    evaluate
        ->add_option("--other-model", arguments_.other_models,
                     "Models that conditions name (surrogates=ID, ensemble=ID), to be uploaded")
        ->type_name("ID=FILE");
    AddDataOptions(*evaluate);
    evaluate
        ->add_option("--clean-data", arguments_.clean_data,
                     "With a ready-made set: its images without corruption, for the relative error")
        ->type_name("FILE");
    evaluate->add_option("--seed", arguments_.seed, "Seed of every random draw (default 0)");
    evaluate->add_option("--id", arguments_.id, "Id of the evaluation (default: chosen)");
    evaluate
        ->add_option("--task-samples", arguments_.task_samples,
                     "Samples of one task (default: chosen; outcomes do not depend on it)")
        ->check(CLI::PositiveNumber);
    AddResultOptions(*evaluate);
    evaluate->add_option("--outcomes", arguments_.outcomes_path, "Write every outcome as CSV, too")
        ->type_name("FILE");
    evaluate
        ->add_option("--keep-adversarials", arguments_.adversarials_path,
                     "Keep the adversarial examples, and write them as NPY into this directory")
        ->type_name("DIR");
    auto* stream = evaluate->add_flag("--stream", arguments_.stream,
                                      "Work on samples while the rest is still being sent");
    auto* detach = evaluate->add_flag("--detach", arguments_.detach,
                                      "Do not wait: print the evaluation's name");
    auto* local =
        evaluate->add_flag("--local", arguments_.local, "Start a private server for this call");
    evaluate
        ->add_option("--data-dir", arguments_.data_dir,
                     "Data directory of the private server (default: temporary)")
        ->needs(local)
        ->type_name("DIR");
    evaluate
        ->add_option("--batch-size", arguments_.batch_size,
                     "Images in every model pass of the private server; 0: measured once for each "
                     "model, and remembered")
        ->needs(local)
        ->check(CLI::Range(0, 65536));
    evaluate
        ->add_option("--threads", arguments_.threads,
                     "CPU threads of the private server; 0: one a core")
        ->needs(local)
        ->check(CLI::Range(0, 1024));
    evaluate
        ->add_option("--frost-directory", arguments_.frost_directory,
                     "Photographs for corruption/frost, given to the private server")
        ->needs(local)
        ->type_name("DIR");
    local->excludes(detach)->excludes(app_.get_option("--server"));
    stream->excludes(detach)->excludes(evaluate->get_option("--task-samples"));
    evaluate->footer(
        absl::StrCat(kOrderOfClasses,
                     "Example: assay evaluate --local -m resnet.pt -d test_batch.bin -c clean "
                     "attack/pgd:norm=linf,eps=8/255\nServer, format, quiet: see assay --help."));
  }

  void AddModel() {
    CLI::App* model = Group("model", "Models of the server");
    CLI::App* upload = Leaf(*model, "upload", "Upload a TorchScript file", Command::kModelUpload);
    upload->add_option("file", arguments_.path, "TorchScript file")->required();
    upload->add_option("--id", arguments_.id, "Id of the model (default: file name and digest)");
    Leaf(*model, "list", "List the models", Command::kModelList);
    NamedLeaf(*model, "show", "Show one model", Command::kModelShow, "models");
    NamedLeaf(*model, "delete", "Delete a model", Command::kModelDelete, "models");
    NamedLeaf(*model, "load", "Start an engine for a model and check it", Command::kModelLoad,
              "models")
        ->add_option("--shape", raw_.shape, "Shape of the images that it will see")
        ->type_name("CxHxW");
    NamedLeaf(*model, "unload", "Stop the engines of a model", Command::kModelUnload, "models");
  }

  void AddDataset() {
    CLI::App* dataset = Group("dataset", "Datasets of the server");
    CLI::App* upload = Leaf(*dataset, "upload", "Upload labelled images", Command::kDatasetUpload);
    upload->add_option("file", arguments_.data, "Files of one format, or a folder of class folders")
        ->required();
    upload->add_option("--id", arguments_.id, "Id of the dataset (default: file name and digest)");
    AddDataOptions(*upload);
    upload->footer(kOrderOfClasses);
    Leaf(*dataset, "list", "List the datasets", Command::kDatasetList);
    NamedLeaf(*dataset, "show", "Show one dataset", Command::kDatasetShow, "datasets");
    NamedLeaf(*dataset, "delete", "Delete a dataset", Command::kDatasetDelete, "datasets");
  }

  void AddEvaluation() {
    CLI::App* group = Group("evaluation", "Evaluations of the server");
    const std::string collection = "evaluations";
    Leaf(*group, "list", "List the evaluations, newest first", Command::kEvaluationList);
    NamedLeaf(*group, "show", "Show one evaluation", Command::kEvaluationShow, collection);
    CLI::App* watch = NamedLeaf(*group, "watch", "Wait for an evaluation and report it",
                                Command::kEvaluationWatch, collection);
    AddResultOptions(*watch);
    watch->add_option("--outcomes", arguments_.outcomes_path, "Write every outcome as CSV, too")
        ->type_name("FILE");
    NamedLeaf(*group, "cancel", "Stop an evaluation; its outcomes so far are kept",
              Command::kEvaluationCancel, collection);
    NamedLeaf(*group, "retry", "Queue what a failed or cancelled evaluation has not done",
              Command::kEvaluationRetry, collection);
    NamedLeaf(*group, "delete", "Delete an evaluation and its outcomes", Command::kEvaluationDelete,
              collection);
    CLI::App* report = NamedLeaf(*group, "report", "Report the outcomes so far",
                                 Command::kEvaluationReport, collection);
    AddResultOptions(*report);
    report
        ->add_option("--alpha", arguments_.alpha,
                     "Certify again from the stored counts, at this failure probability")
        ->check([](const std::string& text) -> std::string {
          double alpha = 0;
          if (absl::SimpleAtod(text, &alpha) && alpha > 0 && alpha < 1) return "";
          return "must be between 0 and 1, for example 0.001";
        })
        ->type_name("ALPHA");
    report
        ->add_option("--n", arguments_.n,
                     "Certify as if the observed shares had come from N draws, at most those made")
        ->check(CLI::PositiveNumber)
        ->type_name("N");
    NamedLeaf(*group, "outcomes", "Write every outcome as CSV", Command::kEvaluationOutcomes,
              collection)
        ->add_option("file", arguments_.path, "CSV file; - for stdout")
        ->required();
    NamedLeaf(*group, "adversarials", "Write the adversarial examples that were kept as NPY",
              Command::kEvaluationAdversarials, collection)
        ->add_option("directory", arguments_.adversarials_path, "Directory for the files")
        ->required();
  }

  void AddCorrupt() {
    CLI::App* corrupt = Leaf(app_, "corrupt",
                             "Write corrupted images, as an evaluation would make them; needs no "
                             "server",
                             Command::kCorrupt);
    corrupt->add_option("-d,--data", arguments_.data, "File or folder of images")
        ->required()
        ->type_name("FILE");
    corrupt
        ->add_option("-c,--condition", arguments_.conditions,
                     "Conditions of the family corruption, or suite/NAME")
        ->required()
        ->type_name("CONDITION");
    corrupt
        ->add_option("--out", arguments_.out_dir,
                     "Directory for NAME_SEVERITY.npy, labels.npy and contact sheets")
        ->required()
        ->type_name("DIR");
    corrupt->add_flag("--png", arguments_.png, "Write every image as a PNG file, too");
    AddDataOptions(*corrupt);
    corrupt->add_option("--seed", arguments_.seed, "Seed of every random draw (default 0)");
    corrupt
        ->add_option("--frost-directory", arguments_.frost_directory,
                     "Photographs for corruption/frost")
        ->type_name("DIR");
    corrupt->footer("Example: assay corrupt -d test_batch.bin -c corruption/fog --out fog");
  }

  // Environment, config file, and what CLI11 does not convert.
  absl::Status Complete(const std::string& environment_server) {
    ASSAY_ASSIGN_OR_RETURN(const Config config, LoadConfig(raw_.config_path));
    if (arguments_.server.empty()) arguments_.server = environment_server;
    if (arguments_.server.empty()) arguments_.server = config.server;
    if (arguments_.server.empty()) arguments_.server = client::kDefaultAddress;
    if (raw_.format.empty()) raw_.format = config.output;
    if (!raw_.format.empty()) {
      const auto format = Formats().find(raw_.format);
      if (format == Formats().end()) {
        return InvalidFields({{"output", absl::StrCat("must be table, json, csv or markdown; got '",
                                                      raw_.format, "'")}});
      }
      arguments_.format = format->second;
    }
    for (const std::string& suite : raw_.suites) {
      arguments_.conditions.push_back(absl::StrCat("suite/", suite));
    }
    if (arguments_.command == Command::kEvaluate && arguments_.conditions.empty()) {
      return InvalidFields({{"--condition", "give conditions with -c, or a --suite"}});
    }
    if (!raw_.shape.empty()) {
      ASSAY_ASSIGN_OR_RETURN(arguments_.shape, ParseShape(raw_.shape));
    }
    if (arguments_.command == Command::kCompletion) arguments_.script = BashCompletion(app_);
    return absl::OkStatus();
  }

  CLI::App app_;
  Arguments arguments_;
  Raw raw_;
};

}  // namespace

absl::StatusOr<v1::ImageShape> ParseShape(const std::string& text) {
  const std::vector<std::string> parts = absl::StrSplit(text, 'x');
  int32_t sides[3];
  bool valid = parts.size() == 3;
  for (size_t i = 0; i < 3 && valid; ++i) {
    valid = absl::SimpleAtoi(parts[i], &sides[i]) && sides[i] > 0;
  }
  if (!valid) {
    return InvalidFields(
        {{"--shape", absl::StrCat("must be channels x height x width, for example 3x32x32; got '",
                                  text, "'")}});
  }
  v1::ImageShape shape;
  shape.set_channels(sides[0]);
  shape.set_height(sides[1]);
  shape.set_width(sides[2]);
  return shape;
}

std::variant<Arguments, Exit> ParseArguments(int argc, const char* const* argv,
                                             const std::string& environment_server) {
  return Grammar().Parse(argc, argv, environment_server);
}

}  // namespace assay::cli
