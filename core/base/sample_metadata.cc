#include "core/base/sample_metadata.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <functional>
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

// A column that was to be one of numbers is often spoilt by a single word.
std::string NumbersAmong(const std::vector<std::string>& values) {
  size_t numbers = 0;
  std::string other;
  for (const std::string& value : values) {
    const bool is_number = AsNumber(value).has_value();
    numbers += is_number ? 1 : 0;
    if (!is_number && other.empty()) other = value;
  }
  if (2 * numbers < values.size() || other.empty()) return "";
  return absl::StrCat(" (it is no column of numbers because of '", other.substr(0, kShownBytes),
                      "')");
}

// Takes the cells of a column whose kind is known.
class ColumnReader {
 public:
  ColumnReader(std::string name, bool numeric) {
    column_.name = std::move(name);
    column_.numeric = numeric;
  }

  absl::Status Add(int64_t line, const std::string& text) {
    return column_.numeric ? AddNumber(line, text) : AddText(line, text);
  }
  MetadataColumn Take() { return std::move(column_); }

 private:
  absl::Status Wrong(int64_t line, absl::string_view what) const {
    return Error(Reason::kInvalidArgument,
                 absl::StrCat("line ", line, ", column '", column_.name, "': ", what));
  }

  absl::Status AddNumber(int64_t line, const std::string& text) {
    if (text.empty()) {
      column_.numbers.push_back(kNoNumber);
      return absl::OkStatus();
    }
    const std::optional<double> value = AsNumber(text);
    if (!value.has_value() || !std::isfinite(*value)) {
      return Wrong(line, absl::StrCat("'", text.substr(0, kShownBytes),
                                      "' is no number that can be in a range; leave the cell empty "
                                      "where a value is missing"));
    }
    // Without the sign of zero, which nobody means.
    column_.numbers.push_back(*value + 0.0);
    return absl::OkStatus();
  }

  absl::Status AddText(int64_t line, const std::string& text) {
    if (text.empty()) {
      column_.value_of.push_back(-1);
      return absl::OkStatus();
    }
    if (text.size() > kMaxMetadataBytes) {
      return Wrong(line,
                   absl::StrCat("a text of ", text.size(), " bytes; at most ", kMaxMetadataBytes));
    }
    if (text == kMissingValue) {
      return Wrong(line, absl::StrCat("'", kMissingValue,
                                      "' is what reports call an empty cell; leave the cell empty, "
                                      "or write something else"));
    }
    const auto [place, is_new] =
        position_of_.emplace(text, static_cast<int32_t>(column_.values.size()));
    if (is_new) {
      if (column_.values.size() == kMaxMetadataValues) {
        return Wrong(line, absl::StrCat("more than ", kMaxMetadataValues,
                                        " distinct texts, and each would be a slice; leave the "
                                        "column out, or group its values",
                                        NumbersAmong(column_.values)));
      }
      column_.values.push_back(text);
    }
    column_.value_of.push_back(place->second);
    return absl::OkStatus();
  }

  MetadataColumn column_;
  std::map<std::string, int32_t> position_of_;
};

// Reads a CSV twice: what its columns are, then their cells, so that a cell is never in memory but
// as a number.
class TableReader {
 public:
  // `declared` is null where the columns decide by themselves what they are.
  TableReader(absl::string_view csv, const v1::SampleMetadata* declared)
      : csv_(csv), declared_(declared) {}

  absl::StatusOr<MetadataTable> Read() {
    ASSAY_RETURN_IF_ERROR(ForEach([this](const CsvRecord& record) { return Look(record); }));
    if (names_.empty()) return Wrong("is empty; the first line has the names of the columns");
    std::vector<ColumnReader> readers;
    for (size_t i = 0; i < names_.size(); ++i) {
      const bool numeric = declared_ != nullptr ? declared_->columns(static_cast<int>(i)).numeric()
                                                : has_numbers_[i] && !has_texts_[i];
      readers.emplace_back(names_[i], numeric);
    }
    bool header = true;
    const auto add = [&](const CsvRecord& record) {
      absl::Status status;
      for (size_t i = 0; i < readers.size() && !header && status.ok(); ++i) {
        status = readers[i].Add(record.line, Stripped(record.fields[i]));
      }
      header = false;
      return status;
    };
    ASSAY_RETURN_IF_ERROR(ForEach(add));
    MetadataTable table;
    table.samples = rows_;
    for (size_t i = 0; i < readers.size(); ++i) {
      table.columns.push_back(readers[i].Take());
      if (declared_ == nullptr) continue;
      const auto& edges = declared_->columns(static_cast<int>(i)).edges();
      table.columns.back().edges.assign(edges.begin(), edges.end());
    }
    return table;
  }

 private:
  absl::Status ForEach(const std::function<absl::Status(const CsvRecord&)>& visit) const {
    return ReadCsv(csv_, kMaxMetadataColumns + 1, visit);
  }

  absl::Status Look(const CsvRecord& record) {
    if (names_.empty()) return ReadHeader(record.fields);
    if (record.fields.size() != names_.size()) {
      const bool blank = record.fields.size() == 1 && record.fields[0].empty();
      return Wrong(
          absl::StrCat("line ", record.line,
                       blank ? " is empty"
                             : absl::StrCat(" has ", record.fields.size(),
                                            record.fields.size() == 1 ? " value" : " values"),
                       "; the header has ", names_.size(), " columns"));
    }
    ++rows_;
    for (size_t i = 0; i < names_.size(); ++i) {
      const std::string text = Stripped(record.fields[i]);
      if (text.empty()) continue;
      (AsNumber(text).has_value() ? has_numbers_ : has_texts_)[i] = true;
    }
    return absl::OkStatus();
  }

  absl::Status ReadHeader(const std::vector<std::string>& fields) {
    if (fields.size() > kMaxMetadataColumns) {
      return Wrong(absl::StrCat("has more than ", kMaxMetadataColumns, " columns"));
    }
    std::map<std::string, size_t> position_of;
    for (size_t i = 0; i < fields.size(); ++i) {
      const std::string name = Stripped(fields[i]);
      if (const std::string problem = NameProblem(name); !problem.empty()) {
        return Wrong(absl::StrCat("line 1: column ", i + 1, " ", problem));
      }
      if (const auto [first, is_new] = position_of.emplace(name, i); !is_new) {
        return Wrong(absl::StrCat("line 1: columns ", first->second + 1, " and ", i + 1,
                                  " are both called '", name, "'"));
      }
      const int index = static_cast<int>(i);
      if (declared_ != nullptr &&
          (index >= declared_->columns_size() || declared_->columns(index).name() != name)) {
        return Wrong(absl::StrCat("column ", i + 1, " is called '", name,
                                  "', which is not what was declared"));
      }
      names_.push_back(name);
    }
    if (declared_ != nullptr && declared_->columns_size() != static_cast<int>(names_.size())) {
      return Wrong(absl::StrCat("has ", names_.size(), " columns; declared are ",
                                declared_->columns_size()));
    }
    has_numbers_.resize(names_.size());
    has_texts_.resize(names_.size());
    return absl::OkStatus();
  }

  const absl::string_view csv_;
  const v1::SampleMetadata* const declared_;
  std::vector<std::string> names_;
  int64_t rows_ = 0;
  // Of each column: whether any cell is one.
  std::vector<bool> has_numbers_;
  std::vector<bool> has_texts_;
};

}  // namespace

absl::StatusOr<MetadataTable> ReadMetadata(absl::string_view csv) {
  return TableReader(csv, nullptr).Read();
}

absl::StatusOr<MetadataTable> ReadDeclaredMetadata(const v1::SampleMetadata& declared,
                                                   absl::string_view csv) {
  auto table = TableReader(csv, &declared).Read();
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
  std::map<double, int32_t> position_of;
  for (const double number : column->numbers) {
    if (std::isnan(number)) continue;
    position_of.emplace(number, static_cast<int32_t>(position_of.size()));
  }
  if (position_of.size() > kMaxMetadataValues) {
    return Wrong(absl::StrCat("column '", column->name, "' has ", position_of.size(),
                              " distinct numbers; as values of their own at most ",
                              kMaxMetadataValues, " can be reported"));
  }
  column->values.resize(position_of.size());
  for (const auto& [number, position] : position_of) {
    column->values[static_cast<size_t>(position)] = NumberText(number);
  }
  for (const double number : column->numbers) {
    column->value_of.push_back(std::isnan(number) ? -1 : position_of[number]);
  }
  column->numeric = false;
  column->numbers.clear();
  column->edges.clear();
  return absl::OkStatus();
}

void Truncate(int64_t samples, MetadataTable* table) {
  if (samples >= table->samples) return;
  table->samples = samples;
  const auto size = static_cast<size_t>(samples);
  for (MetadataColumn& column : table->columns) {
    if (column.numeric) {
      column.numbers.resize(size);
    } else {
      column.value_of.resize(size);
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
        const int32_t value = column.value_of[row];
        if (value >= 0) absl::StrAppend(&csv, CsvField(column.values[static_cast<size_t>(value)]));
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
