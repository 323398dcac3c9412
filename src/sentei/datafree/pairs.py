"""Units of linear layers in pairs: one stays and takes over the outgoing weights of the other."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from sentei.structure import Group, Structure

CANCELLED = 1e-2
"""Share of two squared norms: if their squared distance is below, subtracting them has lost two digits or more."""
AT_ONCE = 1024
"""Pairs of rows whose difference is held in memory at once."""
Pairs = npt.NDArray[np.int64]
"""``(n, 2)``: the unit that stays, and the unit that leaves."""


@dataclass(frozen=True)
class Hidden:
    """A group of units that one linear layer makes and that layers read as it makes them.

    Attributes:
        name: Of the group.
        weight: Name of the weight that makes them; a unit is a row.
        incoming: ``(n_units, n_inputs)`` or one column more with the bias, float64.
        outgoing: ``(n_units,)`` float64: the norm of all weights that read a unit.
    """

    name: str
    weight: str
    incoming: torch.Tensor
    outgoing: torch.Tensor


def hidden(model: nn.Module, structure: Structure, group: Group) -> Hidden | None:
    """The group's weights, if its units can be merged.

    Args:
        model: Only read.
        structure: Of this network.
        group: Of the structure.

    Returns:
        None where several layers make the units, where one makes several places of a unit, where units are treated one
        by one in between, as normalisation does, or where the layer is no linear one.

    Guarantee:
        Between the maker and its readers nothing tells one unit from another, so that two units with the same incoming
        weights and bias are the same function of the input.
    """
    maker, *others = group.members
    bias = f"{maker.tensor.removesuffix('weight')}bias"
    own = [member for member in others if member.role != "in"]
    linear = len(structure.shapes[maker.tensor]) == 2 and maker.dim == 0 and maker.role == "out"
    alone = all(member.tensor == bias and member.role == "out" for member in own)
    whole = np.array_equal(maker.units, np.arange(group.n_units))
    if group.kind != "channels" or group.width != 1 or not (linear and alone and whole):
        return None
    state = model.state_dict()
    rows = state[maker.tensor].double().cpu()
    incoming = torch.cat([rows, state[bias].double().cpu()[:, None]], 1) if own else rows
    return Hidden(group.name, maker.tensor, incoming, _outgoing(state, group))


def _outgoing(state: dict[str, torch.Tensor], group: Group) -> torch.Tensor:
    squares = np.zeros(group.n_units)
    for member in group.members:
        if member.role == "in":
            columns = state[member.tensor].double().cpu().movedim(member.dim, 0).flatten(1).square().sum(1).numpy()
            squares += np.bincount(member.units[member.units >= 0], columns[member.units >= 0], group.n_units)
    return torch.from_numpy(np.sqrt(squares))


def saliency(units: Hidden) -> torch.Tensor:
    """How much a merge moves the readers, if all inputs are alike.

    Args:
        units: n of them.

    Returns:
        ``(n, n)``: in row i and column j, for i stays and j leaves, the distance of the incoming weights and biases
        times the norm of j's outgoing weights; infinite on the diagonal.

    Source:
        Srinivas and Babu, Data-free parameter pruning for deep neural networks, arXiv:1507.06149.
    """
    apart = distances(units.incoming) * units.outgoing
    return apart.fill_diagonal_(torch.inf)


def distances(rows: torch.Tensor) -> torch.Tensor:
    """Between all rows, by one matrix product; between rows that it cannot tell apart well, one by one.

    Args:
        rows: ``(n, d)`` float64.

    Returns:
        ``(n, n)``; exactly 0 between equal rows.
    """
    squares = rows.square().sum(1)
    sums = squares[:, None] + squares
    apart = sums - 2 * (rows @ rows.T)
    apart = ((apart + apart.T) / 2).clamp(min=0)
    near = torch.triu(apart < CANCELLED * sums, 1).nonzero()
    for start in range(0, len(near), AT_ONCE):
        one, other = near[start : start + AT_ONCE].T
        apart[one, other] = apart[other, one] = (rows[one] - rows[other]).square().sum(1)
    return apart.fill_diagonal_(0.0).sqrt()


def nearest(saliencies: torch.Tensor, n: int) -> Pairs:
    """The least salient pairs that can be merged together.

    Args:
        saliencies: ``(n_units, n_units)``, as `saliency` gives them.
        n: How many pairs are wanted.

    Returns:
        At most n pairs, the least salient first; fewer only if every unit is in one. Infinite saliencies are no pairs.

    Guarantee:
        Taken greedily in growing order; of equal ones the first in reading order. No unit leaves twice, and no unit
        that another one is merged into leaves: every choice of these pairs can be merged at once.
    """
    n_units = len(saliencies)
    flat = saliencies.flatten()
    order = torch.argsort(flat, stable=True)[: int(flat.isfinite().sum())].numpy()
    stays, leaves = np.zeros(n_units, np.bool_), np.zeros(n_units, np.bool_)
    found: list[tuple[int, int]] = []
    for place in order:
        kept, gone = divmod(int(place), n_units)
        if len(found) == n:
            break
        if not (leaves[kept] or leaves[gone] or stays[gone]):
            found.append((kept, gone))
            stays[kept], leaves[gone] = True, True
    return np.array(found, np.int64).reshape(-1, 2)


@torch.no_grad()
def merge(model: nn.Module, group: Group, pairs: Pairs) -> None:
    """Readers give the weights of each unit that leaves to the unit that stays.

    Args:
        model: Changed in place; the units that leave are still read, with weights of zero.
        group: Of hidden units that can be merged.
        pairs: Units that leave do so once, and none of them stays.

    Guarantee:
        The network answers as the one in which each unit that leaves has the incoming weights and bias of its partner,
        up to the rounding of sums.
    """
    tensors = dict(model.named_parameters())
    for member in (member for member in group.members if member.role == "in"):
        weight = tensors[member.tensor]
        columns = weight.movedim(member.dim, 0)
        for kept, gone in pairs:
            into, out_of = (np.flatnonzero(member.units == unit) for unit in (kept, gone))
            columns[into] += columns[out_of]  # both sides list a unit's places in the same order
            columns[out_of] = 0.0
