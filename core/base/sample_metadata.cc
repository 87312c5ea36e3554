#include "core/base/sample_metadata.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "core/base/csv.h"
#include "core/base/digest.h"

namespace assay {
namespace {

constexpr double kNoNumber = std::numeric_limits<double>::quiet_NaN();
constexpr size_t kShownBytes = 40;

absl::Status Wrong(absl::string_view what) { return Error(Reason::kInvalidArgument, what); }

absl::Status WrongAt(int64_t line, absl::string_view column, absl::string_view what) {
  return Wrong(absl::StrCat("line ", line, ", column '", column, "': ", what));
}

std::string Stripped(absl::string_view text) {
  return std::string(absl::StripAsciiWhitespace(text));
}

// NaN and infinities included; nullopt for what is no number. Hexadecimal numbers are texts.
std::optional<double> AsNumber(const std::string& text) {
  double value = 0;
  if (text.find_first_of("xX") != std::string::npos) return std::nullopt;
  if (!absl::SimpleAtod(text, &value)) return std::nullopt;
  return value;
}

// Empty: fine.
std::string NameProblem(const std::string& name) {
  if (name.empty()) return "has no name";
  if (name.size() > kMaxMetadataBytes) {
    return absl::StrCat("has a name of ", name.size(), " bytes; at most ", kMaxMetadataBytes);
  }
  for (const char* taken : {kBrightness, kContrast, kConfidence}) {
    if (name == taken) {
      return absl::StrCat("is called '", name,
                          "', as a column that every report has; give it another name");
    }
  }
  return "";
}

std::string EdgesProblem(const std::vector<double>& edges) {
  if (edges.size() >= kMaxMetadataValues) {
    return absl::StrCat("at most ", kMaxMetadataValues - 1, " edges; got ", edges.size());
  }
  for (size_t i = 0; i < edges.size(); ++i) {
    if (!std::isfinite(edges[i])) return "edges must be finite";
    if (i > 0 && !(edges[i] > edges[i - 1])) {
      return absl::StrCat("edges must ascend; ", NumberText(edges[i]), " follows ",
                          NumberText(edges[i - 1]));
    }
  }
  return "";
}

// Cells of one column, which decide by themselves what they are unless it is declared.
class ColumnReader {
 public:
  ColumnReader(std::string name, std::optional<bool> numeric) : declared_(numeric) {
    column_.name = std::move(name);
  }

  void Add(int64_t line, std::string text) {
    lines_.push_back(line);
    column_.texts.push_back(std::move(text));
  }

  absl::StatusOr<MetadataColumn> Finish() {
    column_.numeric = declared_.value_or(AllNumbers());
    ASSAY_RETURN_IF_ERROR(column_.numeric ? FinishNumbers() : FinishTexts());
    return std::move(column_);
  }

 private:
  // What is left out altogether is no number.
  bool AllNumbers() const {
    bool any = false;
    for (const std::string& text : column_.texts) {
      if (text.empty()) continue;
      if (!AsNumber(text).has_value()) return false;
      any = true;
    }
    return any;
  }

  absl::Status FinishNumbers() {
    column_.numbers.reserve(column_.texts.size());
    for (size_t i = 0; i < column_.texts.size(); ++i) {
      const std::string& text = column_.texts[i];
      const std::optional<double> value = text.empty() ? kNoNumber : AsNumber(text);
      if (!value.has_value() || (!text.empty() && !std::isfinite(*value))) {
        return WrongAt(lines_[i], column_.name,
                       absl::StrCat("'", text.substr(0, kShownBytes),
                                    "' is no number that can be in a range; leave the cell empty "
                                    "where a value is missing"));
      }
      // Without the sign of zero, which nobody means.
      column_.numbers.push_back(*value + 0.0);
    }
    column_.texts.clear();
    column_.texts.shrink_to_fit();
    return absl::OkStatus();
  }

  absl::Status FinishTexts() const {
    std::set<absl::string_view> values;
    for (size_t i = 0; i < column_.texts.size(); ++i) {
      const std::string& text = column_.texts[i];
      if (text.size() > kMaxMetadataBytes) {
        return WrongAt(
            lines_[i], column_.name,
            absl::StrCat("a text of ", text.size(), " bytes; at most ", kMaxMetadataBytes));
      }
      if (text == kMissingValue) {
        return WrongAt(lines_[i], column_.name,
                       absl::StrCat("'", kMissingValue,
                                    "' is what reports call an empty cell; "
                                    "leave the cell empty, or write something else"));
      }
      values.insert(text);
      if (values.size() > kMaxMetadataValues + (values.count("") > 0 ? 1 : 0)) {
        return WrongAt(lines_[i], column_.name,
                       absl::StrCat("more than ", kMaxMetadataValues,
                                    " distinct texts, and each would be a slice; leave the column "
                                    "out, or group its values",
                                    NumbersAmong(values)));
      }
    }
    return absl::OkStatus();
  }

  // A column that was to be one of numbers is often spoilt by a single word.
  std::string NumbersAmong(const std::set<absl::string_view>& values) const {
    size_t numbers = 0;
    absl::string_view other;
    for (const absl::string_view value : values) {
      const bool is_number = AsNumber(std::string(value)).has_value();
      numbers += is_number ? 1 : 0;
      if (!is_number && !value.empty() && other.empty()) other = value;
    }
    if (2 * numbers < values.size() || other.empty()) return "";
    return absl::StrCat(" (it is no column of numbers because of '", other.substr(0, kShownBytes),
                        "')");
  }

  const std::optional<bool> declared_;
  MetadataColumn column_;
  std::vector<int64_t> lines_;
};

// `declared` is null where the columns decide by themselves.
absl::StatusOr<MetadataTable> Read(absl::string_view csv, const v1::SampleMetadata* declared) {
  ASSAY_ASSIGN_OR_RETURN(std::vector<CsvRecord> records, ParseCsv(csv));
  if (records.empty()) return Wrong("is empty; the first line has the names of the columns");
  const std::vector<std::string>& header = records[0].fields;
  if (header.size() > kMaxMetadataColumns) {
    return Wrong(absl::StrCat("has ", header.size(), " columns; at most ", kMaxMetadataColumns));
  }
  std::vector<ColumnReader> readers;
  std::map<std::string, size_t> position_of;
  for (size_t i = 0; i < header.size(); ++i) {
    const std::string name = Stripped(header[i]);
    if (const std::string problem = NameProblem(name); !problem.empty()) {
      return Wrong(absl::StrCat("line 1: column ", i + 1, " ", problem));
    }
    if (const auto [first, is_new] = position_of.emplace(name, i); !is_new) {
      return Wrong(absl::StrCat("line 1: columns ", first->second + 1, " and ", i + 1,
                                " are both called '", name, "'"));
    }
    std::optional<bool> numeric;
    if (declared != nullptr) {
      const int index = static_cast<int>(i);
      if (index >= declared->columns_size() || declared->columns(index).name() != name) {
        return Wrong(absl::StrCat("column ", i + 1, " is called '", name,
                                  "', which is not what was declared"));
      }
      numeric = declared->columns(index).numeric();
    }
    readers.emplace_back(name, numeric);
  }
  if (declared != nullptr && declared->columns_size() != static_cast<int>(header.size())) {
    return Wrong(
        absl::StrCat("has ", header.size(), " columns; declared are ", declared->columns_size()));
  }
  for (size_t row = 1; row < records.size(); ++row) {
    CsvRecord& record = records[row];
    if (record.fields.size() != readers.size()) {
      const bool blank = record.fields.size() == 1 && record.fields[0].empty();
      return Wrong(
          absl::StrCat("line ", record.line,
                       blank ? " is empty"
                             : absl::StrCat(" has ", record.fields.size(),
                                            record.fields.size() == 1 ? " value" : " values"),
                       "; the header has ", readers.size(), " columns"));
    }
    for (size_t i = 0; i < readers.size(); ++i) {
      readers[i].Add(record.line, Stripped(record.fields[i]));
    }
  }
  MetadataTable table;
  table.samples = static_cast<int64_t>(records.size()) - 1;
  for (size_t i = 0; i < readers.size(); ++i) {
    ASSAY_ASSIGN_OR_RETURN(MetadataColumn column, readers[i].Finish());
    if (declared != nullptr) {
      const auto& edges = declared->columns(static_cast<int>(i)).edges();
      column.edges.assign(edges.begin(), edges.end());
    }
    table.columns.push_back(std::move(column));
  }
  return table;
}

}  // namespace

absl::StatusOr<MetadataTable> ReadMetadata(absl::string_view csv) { return Read(csv, nullptr); }

absl::StatusOr<MetadataTable> ReadDeclaredMetadata(const v1::SampleMetadata& declared,
                                                   absl::string_view csv) {
  auto table = Read(csv, &declared);
  if (table.ok()) return table;
  return Error(Reason::kInvalidDataset,
               absl::StrCat("the metadata of the samples: ", table.status().message()))
      .ToStatus();
}

std::vector<FieldViolation> CheckMetadata(const v1::SampleMetadata& declared,
                                          const std::string& prefix) {
  std::vector<FieldViolation> violations;
  const auto bad = [&](const std::string& field, const std::string& text) {
    violations.push_back({absl::StrCat(prefix, ".", field), text});
  };
  if (declared.columns().empty() || declared.columns_size() > kMaxMetadataColumns) {
    bad("columns",
        absl::StrCat("must be 1 to ", kMaxMetadataColumns, "; got ", declared.columns_size()));
    return violations;
  }
  std::set<std::string> names;
  for (int i = 0; i < declared.columns_size(); ++i) {
    const auto& column = declared.columns(i);
    const std::string path = absl::StrCat("columns[", i, "]");
    if (const std::string problem = NameProblem(column.name()); !problem.empty()) {
      bad(path + ".name", problem);
    } else if (!names.insert(column.name()).second) {
      bad(path + ".name", absl::StrCat("'", column.name(), "' is there twice"));
    }
    if (!column.numeric() && !column.edges().empty()) bad(path + ".edges", "are for numbers");
    const std::string problem = EdgesProblem({column.edges().begin(), column.edges().end()});
    if (!problem.empty()) bad(path + ".edges", problem);
  }
  if (!IsDigest(declared.digest())) bad("digest", "must be 64 lower-case hexadecimal digits");
  if (declared.size_bytes() < 1 || declared.size_bytes() > kMaxMetadataCsvBytes) {
    bad("size_bytes",
        absl::StrCat("must be 1 to ", kMaxMetadataCsvBytes, "; got ", declared.size_bytes()));
  }
  return violations;
}

absl::Status SetEdges(const std::vector<double>& edges, MetadataColumn* column) {
  if (!column->numeric) {
    return Wrong(absl::StrCat("column '", column->name, "' has texts, and edges are for numbers"));
  }
  if (edges.empty()) return Wrong("give at least one edge");
  if (const std::string problem = EdgesProblem(edges); !problem.empty()) return Wrong(problem);
  column->edges = edges;
  return absl::OkStatus();
}

absl::Status NumbersAsValues(MetadataColumn* column) {
  if (!column->numeric) return absl::OkStatus();
  std::set<std::string> values;
  for (const double number : column->numbers) {
    column->texts.push_back(std::isnan(number) ? "" : NumberText(number));
    if (!column->texts.back().empty()) values.insert(column->texts.back());
  }
  if (values.size() > kMaxMetadataValues) {
    return Wrong(absl::StrCat("column '", column->name, "' has ", values.size(),
                              " distinct numbers; as values of their own at most ",
                              kMaxMetadataValues, " can be reported"));
  }
  column->numeric = false;
  column->numbers.clear();
  column->edges.clear();
  return absl::OkStatus();
}

void Truncate(int64_t samples, MetadataTable* table) {
  if (samples >= table->samples) return;
  table->samples = samples;
  for (MetadataColumn& column : table->columns) {
    if (column.numeric) {
      column.numbers.resize(static_cast<size_t>(samples));
    } else {
      column.texts.resize(static_cast<size_t>(samples));
    }
  }
}

std::string MetadataCsv(const MetadataTable& table) {
  std::string csv;
  for (size_t i = 0; i < table.columns.size(); ++i) {
    absl::StrAppend(&csv, i > 0 ? "," : "", CsvField(table.columns[i].name));
  }
  csv.push_back('\n');
  for (size_t row = 0; row < static_cast<size_t>(table.samples); ++row) {
    for (size_t i = 0; i < table.columns.size(); ++i) {
      const MetadataColumn& column = table.columns[i];
      if (i > 0) csv.push_back(',');
      if (!column.numeric) {
        absl::StrAppend(&csv, CsvField(column.texts[row]));
      } else if (!std::isnan(column.numbers[row])) {
        absl::StrAppend(&csv, NumberText(column.numbers[row]));
      }
    }
    csv.push_back('\n');
  }
  return csv;
}

v1::SampleMetadata DeclareMetadata(const MetadataTable& table, absl::string_view csv) {
  v1::SampleMetadata declared;
  for (const MetadataColumn& column : table.columns) {
    v1::SampleMetadata::Column& entry = *declared.add_columns();
    entry.set_name(column.name);
    entry.set_numeric(column.numeric);
    entry.mutable_edges()->Add(column.edges.begin(), column.edges.end());
  }
  declared.set_digest(Sha256Hex(csv));
  declared.set_size_bytes(static_cast<int64_t>(csv.size()));
  return declared;
}

std::string NumberText(double value) {
  char buffer[32];
  const auto result = std::to_chars(buffer, buffer + sizeof(buffer), value);
  return std::string(buffer, result.ptr);
}

}  // namespace assay
