"""The best choice if costs simply added up: exact for branches side by side, a large step for layers in a row."""

import numpy as np

from sentei.sparsity.counting import Numbers
from sentei.sparsity.problem import Choice, Problem

_N_CELLS = 2048
_N_CORRECTIONS = 6


def exchange(problem: Problem, choice: Choice) -> Choice | None:
    """The choice of least damage when every group costs what it adds to a given choice.

    Args:
        problem: What to choose from.
        choice: Around which the costs are taken; within the limit.

    Returns:
        A choice within the limit, or None if corrections did not lead to one.

    Source:
        The dynamic programme of the multiple-choice knapsack: Kellerer, Pferschy and Pisinger, Knapsack problems, 2004,
        chapter 11, with costs rounded up to cells of the budget.
    """
    now = problem.cost_of(choice)
    added = [problem.costs_along(choice, group) - now for group in range(len(choice))]
    least = [float(costs.min()) for costs in added]
    room = problem.limit - now - sum(least)
    for _ in range(_N_CORRECTIONS):
        if room < 0:
            return None
        costs = [values - low for values, low in zip(added, least, strict=True)]
        found = _share_out(costs, list(problem.damage), room)
        if (excess := problem.cost_of(found) - problem.limit) <= 0:
            return found
        room -= excess
    return None


def _share_out(costs: list[Numbers], damage: list[Numbers], room: float) -> Choice:
    """By group: the option of least total damage whose costs add up to no more than the room."""
    cells = [
        np.ceil(values * ((_N_CELLS - 1) / room) - 1e-9) if room else np.where(values > 0, np.inf, 0)
        for values in costs
    ]
    best, picks = np.zeros(_N_CELLS), []
    for values, sizes in zip(damage, cells, strict=True):
        reached, pick = np.full(_N_CELLS, np.inf), np.zeros(_N_CELLS, np.int64)
        for index in np.flatnonzero(sizes < _N_CELLS):
            size = int(sizes[index])
            total = best[: _N_CELLS - size] + values[index]
            better = total < reached[size:]
            reached[size:][better], pick[size:][better] = total[better], index
        best = reached
        picks.append(pick)
    chosen, cell = [], _N_CELLS - 1
    for pick, sizes in zip(reversed(picks), reversed(cells), strict=True):
        chosen.append(int(pick[cell]))
        cell -= int(sizes[chosen[-1]])
    return tuple(reversed(chosen))
