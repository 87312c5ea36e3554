// Named sets of conditions.
#include "absl/strings/str_cat.h"
#include "core/conditions/table.h"

namespace assay::conditions {
namespace {

// Clean and the 15 corruptions of the benchmarks at all severities, with the parameters of `table`.
std::vector<std::string> CommonCorruptions(const std::string& frost, const std::string& table) {
  std::vector<std::string> expressions = {"clean"};
  for (const std::string& name :
       {std::string("gaussian_noise"), std::string("shot_noise"), std::string("impulse_noise"),
        std::string("defocus_blur"), std::string("glass_blur"), std::string("motion_blur"),
        std::string("zoom_blur"), std::string("snow"), frost, std::string("fog"),
        std::string("brightness"), std::string("contrast"), std::string("elastic_transform"),
        std::string("pixelate"), std::string("jpeg_compression")}) {
    expressions.push_back(absl::StrCat("corruption/", name, ":table=", table));
  }
  return expressions;
}

}  // namespace

std::vector<Suite> Suites() {
  return {
      {"autoattack",
       "clean accuracy and AutoAttack, the protocol of RobustBench for linf at 8/255",
       {"clean", "attack/autoattack:norm=linf,eps=8/255"}},
      {"classwise",
       "class by class: clean, PGD at growing budgets, every class towards every other "
       "(arXiv 2411.19853)",
       {"clean", "attack/pgd:norm=linf,eps=1/255+2/255+4/255+8/255,steps=20",
        "attack/pgd:norm=linf,eps=8/255,steps=20,target=every"}},
      {"cifar10-c", "clean and the 15 corruptions of CIFAR-10-C; needs the frost photographs",
       CommonCorruptions("frost", "32")},
      {"cifar10-c-procedural",
       "the same with drawn frost, so its mean error is not the benchmark's",
       CommonCorruptions("frost-procedural", "32")},
      {"imagenet-c", "clean and the 15 corruptions of ImageNet-C; needs the frost photographs",
       CommonCorruptions("frost", "224")},
      {"imagenet-c-procedural", "the same with drawn frost, so there is no mCE",
       CommonCorruptions("frost-procedural", "224")},
  };
}

}  // namespace assay::conditions
