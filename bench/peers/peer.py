"""What the scripts beside this one share: arguments, images, model, seconds, and the result file
that side_by_side reads.

Each runs one peer through its public functions on a TorchScript model and a CIFAR-10 binary file.
The peer is what its authors publish, called as its users call it.
"""

import argparse
import fractions
import json
import time

import torch

IMAGE_BYTES = 3 * 32 * 32


def fraction(text):
    return float(fractions.Fraction(text))


def parser(description):
    arguments = argparse.ArgumentParser(description=description)
    arguments.add_argument(
        "--model", required=True, help="TorchScript, images in [0, 1] in, logits out"
    )
    arguments.add_argument("--data", required=True, help="CIFAR-10 binary file")
    arguments.add_argument("--limit", type=int, required=True, help="the first images")
    arguments.add_argument("--threads", type=int, required=True)
    arguments.add_argument("--batch", type=int, required=True)
    arguments.add_argument("--seed", type=int, default=0)
    arguments.add_argument("--out", required=True, help="the result file")
    arguments.add_argument(
        "--warm-up",
        action="store_true",
        help="pass a batch a few times first, so that the seconds lack TorchScript's first passes",
    )
    arguments.add_argument(
        "--correct-only",
        action="store_true",
        help="attack only what is classified correctly, where the peer does not see to it itself",
    )
    return arguments


class Task:
    """Model, images and labels as the arguments name them."""

    def __init__(self, arguments):
        torch.set_num_threads(arguments.threads)
        torch.manual_seed(arguments.seed)
        self.arguments = arguments
        self.model = torch.jit.load(arguments.model).eval()
        # Gradients of the weights are of no use here; without this foolbox would compute them.
        for weights in self.model.parameters():
            weights.requires_grad_(False)
        with open(arguments.data, "rb") as file:
            content = bytearray(file.read((1 + IMAGE_BYTES) * arguments.limit))
        records = torch.frombuffer(content, dtype=torch.uint8).view(-1, 1 + IMAGE_BYTES)
        self.labels = records[:, 0].long()
        self.images = records[:, 1:].reshape(-1, 3, 32, 32).float() / 255
        if arguments.warm_up:
            for _ in range(3):
                batch = self.images[: arguments.batch].clone().requires_grad_()
                torch.autograd.grad(self.model(batch).sum(), batch)
        self._begin = time.monotonic(), time.process_time()

    @torch.no_grad()
    def predict(self, images):
        return torch.cat(
            [self.model(batch).argmax(1) for batch in images.split(self.arguments.batch)]
        )

    def to_attack(self, correct):
        """Positions that are attacked."""
        chosen = correct if self.arguments.correct_only else torch.ones_like(correct)
        return chosen.nonzero()[:, 0]

    def finish(self, versions, **result):
        """Ends the seconds, which run from the end of the constructor, and writes the result."""
        wall, cpu = self._begin
        result["seconds"] = time.monotonic() - wall
        result["cpu_seconds"] = time.process_time() - cpu
        result["versions"] = f"torch {torch.__version__}, {versions}, batch {self.arguments.batch}"
        with open(self.arguments.out, "w") as file:
            json.dump(result, file)
