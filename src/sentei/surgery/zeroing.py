"""The masked network: every weight of the units that leave is zero, and nothing is smaller yet."""

import numpy as np
import torch
from torch import nn

from sentei.structure import Keep, Structure


@torch.no_grad()
def zero_units(model: nn.Module, structure: Structure, keep: Keep) -> None:
    """Zeroes everything that belongs to the units that leave.

    Args:
        model: Changed in place.
        structure: Of this network.
        keep: By group; True = keep.

    Guarantee:
        The network answers as the one that `cut` makes of it, up to the order of floating-point operations.
    """
    tensors = {**dict(model.named_parameters()), **dict(model.named_buffers())}
    for name, dims in structure.kept(keep).items():
        for dim, stays in dims.items():
            gone = torch.from_numpy(np.flatnonzero(~stays)).to(tensors[name].device)
            tensors[name].index_fill_(dim, gone, 0.0)
