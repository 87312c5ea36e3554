// Where numbers stand on an axis, and which of them are written there.
#ifndef ASSAY_CLIENT_RENDER_PLOT_AXIS_H_
#define ASSAY_CLIENT_RENDER_PLOT_AXIS_H_

#include <string>
#include <vector>

namespace assay::plot {

struct Range {
  double low = 0;
  double high = 1;
};

// The multiples of 1, 2 or 5 times a power of ten in the range, `wanted` of them or the next fewer.
std::vector<double> RoundTicks(const Range& range, int wanted);

// As many digits for each as their step needs: "0.0", "0.5", "1.0".
std::vector<std::string> TickLabels(const std::vector<double>& ticks);

// From numbers to positions. What is outside of the numbers goes to the nearer end.
class Scale {
 public:
  Scale(const Range& numbers, const Range& positions) : numbers_(numbers), positions_(positions) {}
  double operator()(double number) const;
  const Range& numbers() const { return numbers_; }
  const Range& positions() const { return positions_; }

 private:
  Range numbers_;
  Range positions_;
};

}  // namespace assay::plot

#endif  // ASSAY_CLIENT_RENDER_PLOT_AXIS_H_
