"""CERTIFY of Cohen et al. (repository locuslab/smoothing; its folder code is on PYTHONPATH)."""

import peer
import torch
from core import Smooth

arguments = peer.parser(__doc__)
arguments.add_argument("--sigma", type=float, required=True)
arguments.add_argument("--n0", type=int, required=True)
arguments.add_argument("--n", type=int, required=True)
arguments.add_argument("--alpha", type=float, default=0.001)
arguments = arguments.parse_args()
task = peer.Task(arguments)

# The published code asks for noise on a GPU by name.
randn_like = torch.randn_like
torch.randn_like = lambda tensor, device=None: randn_like(tensor)

classes = task.model(task.images[:1]).shape[1]
smooth = Smooth(task.model, classes, arguments.sigma)
certificates = [
    smooth.certify(image, arguments.n0, arguments.n, arguments.alpha, arguments.batch)
    for image in task.images
]
prediction, radius = zip(*certificates)
task.finish("locuslab/smoothing", prediction=prediction, radius=[float(each) for each in radius])
