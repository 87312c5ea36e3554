// Two small convolutional networks for the built-in data set, made and trained in C++ alone: one
// trained plainly, one hardened with adversarial examples and noise. They show what Assay measures:
// nearly the same clean accuracy, very different robustness.
#ifndef ASSAY_SERVER_ENGINE_EXAMPLE_SMALL_CNN_H_
#define ASSAY_SERVER_ENGINE_EXAMPLE_SMALL_CNN_H_

#include <torch/script.h>

#include <cstdint>

namespace assay::example {

// A labelled set.
struct Pictures {
  at::Tensor images;  // uint8, N x rows x columns x channels
  at::Tensor labels;  // int64, N
};

// Draws pictures 0 to `count` - 1 of the set `seed` (shapes.h), on all threads of LibTorch.
Pictures DrawPictures(uint64_t seed, int64_t count);

enum class Recipe {
  kStandard,  // plain cross-entropy
  kRobust,    // half of every batch one-step adversarial examples, a quarter noisy pictures
};

// Trains a new network and returns it in evaluation mode: float32 N x 3 x 32 x 32 in [0,1] in,
// logits N x 10 out, normalisation inside, with submodules `features` and `classifier`. Reports
// each epoch on standard error. Works on one thread, and leaves the calling thread with one thread
// for LibTorch, so that networks can be trained side by side; on one machine the result is a
// function of the arguments. Throws what LibTorch throws.
torch::jit::Module TrainSmallCnn(Recipe recipe, const Pictures& pictures, uint64_t seed);

// What one of the networks does on a test set, each as a share of its pictures that are classified
// correctly. Rough numbers, to see that training worked: evaluations are the engine's business.
struct Quality {
  double clean;
  double noisy;  // Gaussian noise, sigma 0.25
  double
      adversarial;  // 10 steps of projected gradient ascent on the cross-entropy, L-infinity, 8/255
};
Quality Measure(torch::jit::Module& network, const Pictures& pictures);

}  // namespace assay::example

#endif  // ASSAY_SERVER_ENGINE_EXAMPLE_SMALL_CNN_H_
