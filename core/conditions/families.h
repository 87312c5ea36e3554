// The families of conditions, as expressions and ids spell them.
#ifndef ASSAY_CORE_CONDITIONS_FAMILIES_H_
#define ASSAY_CORE_CONDITIONS_FAMILIES_H_

namespace assay {

inline constexpr char kFamilyClean[] = "clean";
inline constexpr char kFamilyAttack[] = "attack";
inline constexpr char kFamilyCorruption[] = "corruption";
inline constexpr char kFamilySmoothing[] = "smoothing";
inline constexpr char kFamilyBounds[] = "bounds";
inline constexpr char kFamilyConformal[] = "conformal";
inline constexpr char kFamilySequence[] = "sequence";

}  // namespace assay

#endif  // ASSAY_CORE_CONDITIONS_FAMILIES_H_
