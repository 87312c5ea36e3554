"""PGD of torchattacks."""

from importlib import metadata

import peer
import torchattacks

arguments = peer.parser(__doc__)
arguments.add_argument("--eps", type=peer.fraction, required=True)
arguments.add_argument("--steps", type=int, default=20)
arguments = arguments.parse_args()
task = peer.Task(arguments)

attack = torchattacks.PGD(
    task.model, eps=arguments.eps, alpha=arguments.eps / 4, steps=arguments.steps, random_start=True
)
robust = task.predict(task.images) == task.labels
attacked = task.to_attack(robust)
for part in attacked.split(arguments.batch):
    adversarial = attack(task.images[part], task.labels[part])
    robust[part] &= task.predict(adversarial) == task.labels[part]
task.finish(f"torchattacks {metadata.version('torchattacks')}", robust=robust.tolist())
