"""Units that leave because the weights that make them are small."""

import numpy as np
import numpy.typing as npt
from torch import nn

from sentei.structure import Group


def unit_norms(model: nn.Module, group: Group) -> npt.NDArray[np.float64]:
    """The L1 norm of the weights that make each unit, divided by the size of the kernel.

    Args:
        model: Only read.
        group: Of its structure.

    Returns:
        ``(n_units,)``: the sum over the unit's places, and the mean over the layers that make it. Biases do not count.

    Source:
        Li et al., Pruning filters for efficient ConvNets, arXiv:1608.08710; divided by the kernel's size as in Meng et
        al., arXiv:2204.00783.

    Example:
        >>> from sentei.structure import trace
        >>> net = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Conv2d(2, 1, 1))
        >>> _ = nn.init.constant_(net[0].weight, 0.5)
        >>> unit_norms(net, trace(net, (1, 4, 4)).groups[0]).tolist()
        [0.5, 0.5]
    """
    state = model.state_dict()
    sums, n_layers = np.zeros(group.n_units), np.zeros(group.n_units)
    for member in group.members:
        weight = state[member.tensor].double().cpu()
        if member.role != "out" or weight.dim() < 2:
            continue
        norms = weight.abs().movedim(member.dim, 0).flatten(1).sum(1) / weight[0, 0].numel()
        made = member.units >= 0
        sums += np.bincount(member.units[made], norms.numpy()[made], group.n_units)
        n_layers += np.bincount(np.unique(member.units[made]), minlength=group.n_units)
    norm: npt.NDArray[np.float64] = sums / np.maximum(n_layers, 1)
    return norm


def smallest(norms: npt.NDArray[np.float64], group: Group, n: int) -> npt.NDArray[np.bool_]:
    """Which units stay when the n smallest leave.

    Args:
        norms: ``(n_units,)``, as `unit_norms` gives them.
        group: Of the units.
        n: How many leave, as far as every layer keeps one that it makes.

    Returns:
        ``(n_units,)`` bool, True = stays. Of equal norms the earlier unit leaves.
    """
    stays = np.ones(group.n_units, np.bool_)
    makers = [np.unique(member.units[member.units >= 0]) for member in group.members if member.role == "out"]
    for unit in np.argsort(norms, kind="stable"):
        if stays.size - int(stays.sum()) == n:
            break
        stays[unit] = False
        if any(not stays[units].any() for units in makers):
            stays[unit] = True
    return stays
