// The five photographs of the published frost corruption, by name and digest. Not Assay's to ship:
// whoever has them names their directory.
#ifndef ASSAY_CORE_CORRUPTIONS_FROST_FILES_H_
#define ASSAY_CORE_CORRUPTIONS_FROST_FILES_H_

#include <array>
#include <string>

#include "absl/status/statusor.h"

namespace assay {

// In the order in which the published scripts number them; their sixth file is never used.
inline constexpr std::array<const char*, 5> kFrostFiles = {"frost1.png", "frost2.png", "frost3.png",
                                                           "frost4.jpg", "frost5.jpg"};

// The bytes of the five files. kUnreadableInput when one is missing or has another SHA-256 than the
// published one.
absl::StatusOr<std::array<std::string, 5>> ReadFrostFiles(const std::string& directory);

// What to tell a user who asks for corruption/frost where there are no photographs.
inline constexpr char kFrostNeedsPhotographs[] =
    "corruption/frost lays the five published photographs over images, and they are not here; name "
    "their directory with --frost-directory, or use corruption/frost-procedural, which draws frost "
    "of its own (its numbers are not those of the published benchmark)";

}  // namespace assay

#endif  // ASSAY_CORE_CORRUPTIONS_FROST_FILES_H_
