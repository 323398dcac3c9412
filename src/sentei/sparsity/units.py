"""Scores of channels and heads become masks of them."""

from collections.abc import Mapping
from math import gcd

import numpy as np
import numpy.typing as npt
import torch

from sentei.errors import ModelError
from sentei.sparsity.allocation import ALLOCATIONS
from sentei.sparsity.exceptions import Exceptions, excepted
from sentei.structure import Group, Structure

Numbers = npt.NDArray[np.float64]


def keep_units(
    structure: Structure,
    scores: Mapping[str, torch.Tensor],
    share: float,
    allocation: str = "global",
    exceptions: Exceptions | None = None,
    round_to: int = 1,
) -> dict[str, npt.NDArray[np.bool_]]:
    """Masks that keep the channels and heads with the highest scores.

    Args:
        structure: The network's prunable groups.
        scores: By group: ``(n_units,)``, larger = keep.
        share: Share of the units to prune, in [0, 1]; excepted groups do not count towards it.
        allocation: ``uniform`` prunes the same share of each group. ``global`` compares all groups with one another,
            each group's scores divided by the mean of their absolute values. ``isomorphic`` compares the groups of
            equal signature, by the scores as they are, and prunes the same share of each signature.
        exceptions: By pattern of the group's name: the share to prune of each group that matches, or ``keep``.
        round_to: The places that a group keeps (units times width) are a multiple of this number, the nearest one and
            never 0. A group that loses no unit, or is not larger than one multiple, stays whole.

    Returns:
        By group, in the order of the network: ``(n_units,)`` bool, True = keep.

    Raises:
        ValueError: An argument lies outside its range, or the scores do not fit the groups.
        ModelError: A score is not a number.

    Guarantee:
        Before rounding, ``round(share * n)`` units leave of all (global), of each group (uniform) or of each signature
        (isomorphic), as far as every group keeps one. Of equal scores the earlier unit leaves first. Masks of growing
        share are nested, after rounding, too.

    Source:
        ``isomorphic``: Fang et al., Isomorphic pruning for vision models, arXiv:2407.04616. ``global``: Fang et al.,
        DepGraph, arXiv:2301.12900, make the scores of different groups comparable, too; on small convolution networks
        under a budget in MACs the mean kept more accuracy than the maximum, the Euclidean norm or raw scores.
    """
    if not 0 <= share <= 1:
        raise ValueError(f"the share of units to prune lies in [0, 1], received {share}")
    ranks = scores_as_numbers(structure, scores)
    kept = {group.name: group.n_units for group in structure.groups}
    for groups, part in unit_pools(structure, share, allocation, exceptions):
        kept |= _counts(groups, {group.name: _comparable(ranks[group.name], allocation) for group in groups}, part)
    return {
        group.name: highest(ranks[group.name], nearest_count(group, kept[group.name], round_to))
        for group in structure.groups
    }


def highest(scores: Numbers, n_kept: int) -> npt.NDArray[np.bool_]:
    """True for the units with the highest scores; of equal ones the later stay.

    Args:
        scores: ``(n_units,)``, without NaN.
        n_kept: How many stay.

    Example:
        >>> highest(np.array([2.0, 1.0, 1.0]), 2).tolist()
        [True, False, True]
    """
    keep = np.ones(scores.shape, np.bool_)
    keep[np.argsort(scores, kind="stable")[: scores.size - n_kept]] = False
    return keep


def countable(group: Group, round_to: int = 1) -> list[int]:
    """How many units a group may keep, in growing order.

    Args:
        group: The group.
        round_to: The kept places (units times width) are a multiple of this number, or the group stays whole.

    Returns:
        At least one count; the last is all units.

    Raises:
        ValueError: ``round_to`` is below 1.
    """
    if round_to < 1:
        raise ValueError(f"round_to is at least 1, received {round_to}")
    step = round_to // gcd(round_to, group.width)
    return [*range(step, group.n_units, step), group.n_units]


def nearest_count(group: Group, n_kept: int, round_to: int = 1) -> int:
    """The allowed number of units that is nearest; of two equally near the larger.

    Args:
        group: The group.
        n_kept: Wished for.
        round_to: See `countable`.
    """
    return min(countable(group, round_to), key=lambda count: (abs(count - n_kept), -count))


def scores_as_numbers(structure: Structure, scores: Mapping[str, torch.Tensor]) -> dict[str, Numbers]:
    """The scores of all groups, checked.

    Raises:
        ValueError: A group has no scores or another number of them.
        ModelError: A score is not a number.
    """
    return {group.name: _scores_of(group, scores) for group in structure.groups}


def _scores_of(group: Group, scores: Mapping[str, torch.Tensor]) -> Numbers:
    if group.name not in scores or scores[group.name].shape != (group.n_units,):
        found = tuple(scores[group.name].shape) if group.name in scores else "none"
        raise ValueError(f"group {group.name!r} needs scores of shape ({group.n_units},), received {found}")
    values: Numbers = scores[group.name].detach().double().cpu().numpy()
    if np.isnan(values).any():
        raise ModelError(
            f"the scores of {group.name!r} hold NaN, which has no place in an order; score the model again"
        )
    return values


def unit_pools(
    structure: Structure, share: float, allocation: str, exceptions: Exceptions | None = None
) -> list[tuple[list[Group], float]]:
    """Which groups are compared with one another, and which share of their units leaves.

    Args:
        structure: The network's prunable groups.
        share: For every group that is not excepted.
        allocation: As in `keep_units`.
        exceptions: As in `keep_units`.

    Returns:
        Groups and share; the excepted ones come first, each alone.

    Raises:
        ValueError: The allocation is unknown, or an exception matches nothing or asks for no share.
    """
    if allocation not in ALLOCATIONS:
        raise ValueError(f"allocation is one of {ALLOCATIONS}, received {allocation!r}")
    own = excepted((group.name for group in structure.groups), exceptions)
    together: dict[object, list[Group]] = {}
    for group in (group for group in structure.groups if group.name not in own):
        key = {"global": None, "uniform": group.name, "isomorphic": group.signature}[allocation]
        together.setdefault(key, []).append(group)
    alone = [([structure.group(name)], part) for name, part in own.items()]
    return alone + [(groups, share) for groups in together.values()]


def _comparable(scores: Numbers, allocation: str) -> Numbers:
    finite = np.abs(scores[np.isfinite(scores)])
    scale = float(finite.mean()) if finite.size else 0.0
    return scores / scale if allocation == "global" and scale > 0 else scores


def _counts(groups: list[Group], scores: Mapping[str, Numbers], share: float) -> dict[str, int]:
    """By group: how many stay when the lowest of all leave; the highest of each group never does."""
    ranked = [np.delete(scores[group.name], np.argsort(scores[group.name], kind="stable")[-1]) for group in groups]
    owner = np.repeat(np.arange(len(groups)), [part.size for part in ranked])
    n_leaving = round(share * sum(group.n_units for group in groups))
    leaving = owner[np.argsort(np.concatenate(ranked), kind="stable")[:n_leaving]]
    lost = np.bincount(leaving, minlength=len(groups))
    return {group.name: group.n_units - int(n) for group, n in zip(groups, lost, strict=True)}
