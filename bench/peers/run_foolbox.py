"""Minimum-norm attacks of foolbox.

FMN is that of Linf: in L2, foolbox 3.3.4 does not project on the ball, and distances stay those of
the first steps.
"""

from importlib import metadata

import foolbox
import peer
import torch

arguments = peer.parser(__doc__)
arguments.add_argument("method", choices=["cw", "fmn", "ddn"])
arguments.add_argument("--steps", type=int, required=True)
arguments.add_argument("--searches", type=int, default=9, help="weights that cw tries")
arguments = arguments.parse_args()
task = peer.Task(arguments)

attacks = foolbox.attacks
if arguments.method == "cw":
    attack = attacks.L2CarliniWagnerAttack(
        steps=arguments.steps, binary_search_steps=arguments.searches
    )
else:
    attack = {"fmn": attacks.LInfFMNAttack, "ddn": attacks.DDNAttack}[arguments.method](
        steps=arguments.steps
    )
order = float("inf") if arguments.method == "fmn" else 2
model = foolbox.PyTorchModel(task.model, bounds=(0, 1), device="cpu")

correct = task.predict(task.images) == task.labels
distances = [0.0] * len(task.images)
for part in task.to_attack(correct).split(arguments.batch):
    images = task.images[part]
    _, adversarial, found = attack(model, images, task.labels[part], epsilons=None)
    norms = torch.linalg.vector_norm((adversarial - images).flatten(1), ord=order, dim=1)
    for sample, norm, success in zip(part.tolist(), norms.tolist(), found.tolist()):
        if correct[sample]:
            distances[sample] = norm if success else None
task.finish(f"foolbox {metadata.version('foolbox')}", distance=distances)
