"""The largest network of a family that a budget allows."""

from collections.abc import Callable, Mapping

import numpy as np
import torch

from sentei.errors import ModelError
from sentei.sparsity.budget import Budget
from sentei.sparsity.exceptions import Exceptions, excepted
from sentei.sparsity.units import keep_units, unit_pools
from sentei.structure import Keep, Structure

Cost = Callable[[Keep], float]
"""What a network costs once the units are gone: ``structure.macs``, ``structure.n_parameters``, or a measurement."""


def fit_units(
    structure: Structure,
    scores: Mapping[str, torch.Tensor],
    budget: Budget,
    allocation: str,
    cost: Cost,
    exceptions: Exceptions | None = None,
    round_to: int = 1,
    n_evaluations: int | None = None,
) -> Keep:
    """The largest network of the family ``keep_units(share)`` whose cost is within the budget.

    Args:
        structure: The network's prunable groups.
        scores: By group: ``(n_units,)``, larger = keep.
        budget: The most that the network may cost.
        allocation: As in `keep_units`.
        cost: In the unit of the budget; called for the dense network first when the budget is a share.
        exceptions: As in `keep_units`.
        round_to: As in `keep_units`.
        n_evaluations: Bound on the networks whose cost is asked for beside the dense and the smallest one, for costs
            that are measured; without it the bisection is exact, with at most log2 of the number of units.

    Returns:
        By group: ``(n_units,)`` bool, True = keep.

    Raises:
        ModelError: Even the smallest network of the family costs more than the budget.

    Guarantee:
        The cost of the returned network was asked for, and was within the budget. Without ``n_evaluations``, and with
        a cost that never falls when units stay, no network of the family that keeps more units is within it.
    """
    limit = budget.limit(cost({}) if budget.is_share else 0.0)
    shares = distinct_shares(structure, allocation, exceptions, n_evaluations)
    family = [*shares, 1.0]

    def keep_at(step: int) -> Keep:
        return keep_units(structure, scores, family[step], allocation, exceptions, round_to)

    fits, best = len(shares), keep_at(len(shares))
    if (least := cost(best)) > limit:
        raise ModelError(
            f"the smallest network that {allocation} pruning reaches costs {least:.12g} {budget.measure}, "
            f"the budget is {limit:.12g}; raise the budget, or except fewer groups"
        )
    over = -1
    while fits - over > 1:
        middle = (over + fits) // 2
        keep = keep_at(middle)
        over, fits, best = (over, middle, keep) if cost(keep) <= limit else (middle, fits, best)
    return best


def distinct_shares(
    structure: Structure,
    allocation: str,
    exceptions: Exceptions | None = None,
    n_evaluations: int | None = None,
) -> list[float]:
    """Shares of which each gives another family member: between two of them the masks of some group change.

    Args:
        structure: The network's prunable groups.
        allocation: As in `keep_units`.
        exceptions: As in `keep_units`.
        n_evaluations: Bisection over the returned shares takes at most so many steps; without it all shares count.

    Returns:
        Growing, in [0, 1); the first is 0, and there are no more than units beside it.
    """
    n_excepted = len(excepted((group.name for group in structure.groups), exceptions))
    pools = unit_pools(structure, 0.0, allocation, exceptions)[n_excepted:]
    sizes = {sum(group.n_units for group in groups) for groups, _ in pools}
    changes = np.unique(np.concatenate([(2 * np.arange(1, n + 1) - 1) / (2 * n) for n in sizes] or [np.zeros(0)]))
    shares = [0.0, *((changes[:-1] + changes[1:]) / 2).tolist()]
    if n_evaluations is None or len(shares) < 2**n_evaluations:
        return shares
    n_steps = 2**n_evaluations - 1
    return [shares[step * len(shares) // n_steps] for step in range(n_steps)]
