// The separable Gaussian filter of scipy.ndimage and scikit-image, operation for operation: the
// blurs truncate its result to bytes, so a last bit decides a grey level.
#ifndef ASSAY_CORE_CORRUPTIONS_GAUSSIAN_FILTER_H_
#define ASSAY_CORE_CORRUPTIONS_GAUSSIAN_FILTER_H_

#include <cstddef>
#include <vector>

namespace assay::corruptions {

// What lies beyond the edge of a b c d: "nearest" is a a | a b c d | d d, "reflect" is
// b a | a b c d | d c.
enum class Border { kNearest, kReflect };

// The index within [0, size) that stands for any index under the border rule; size > 0.
int BorderIndex(int index, int size, Border border);

// The right half of the kernel, centre first: radius int(truncate * sigma + 1/2), sum of the whole
// kernel 1.
std::vector<double> GaussianHalfKernel(double sigma, double truncate);

// Filters rows x columns pixels of interleaved channels along both spatial axes: first down the
// columns, then along the rows. T is float or double; input and output may not overlap.
template <typename T>
void GaussianFilter(const T* in, int height, int width, int channels, double sigma, double truncate,
                    Border border, T* out);

}  // namespace assay::corruptions

#endif  // ASSAY_CORE_CORRUPTIONS_GAUSSIAN_FILTER_H_
