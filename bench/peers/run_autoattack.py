"""The original AutoAttack (repository fra31/auto-attack), standard version."""

import peer
from autoattack import AutoAttack

arguments = peer.parser(__doc__)
arguments.add_argument("--eps", type=peer.fraction, required=True)
arguments.add_argument("--norm", default="Linf", choices=["Linf", "L2", "L1"])
arguments = arguments.parse_args()
task = peer.Task(arguments)

attack = AutoAttack(
    task.model,
    norm=arguments.norm,
    eps=arguments.eps,
    version="standard",
    seed=arguments.seed,
    device="cpu",
    verbose=False,
)
_, predictions = attack.run_standard_evaluation(
    task.images, task.labels, bs=arguments.batch, return_labels=True
)
task.finish("auto-attack", robust=(predictions == task.labels).tolist())
