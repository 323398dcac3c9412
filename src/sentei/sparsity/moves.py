"""Better choices nearby: groups that grow into what is left of the budget, and pairs of groups that trade."""

import numpy as np

from sentei.sparsity.problem import Choice, Problem

_N_PASSES = 4


def fill(problem: Problem, choice: Choice) -> Choice:
    """The choice, grown while the limit allows, by the most damage undone for what it costs.

    Args:
        problem: What to choose from.
        choice: Within the limit.
    """
    while True:
        now, best = problem.cost_of(choice), None
        for group, damage in enumerate(problem.damage):
            costs = problem.costs_along(choice, group)
            gains = (damage[choice[group]] - damage) / np.maximum(costs - now, 1e-300)
            gains[: choice[group] + 1] = -1.0
            gains[costs > problem.limit] = -1.0
            index = int(np.argmax(gains))
            if gains[index] >= 0 and (best is None or gains[index] > best[0]):
                best = (float(gains[index]), group, index)
        if best is None:
            return choice
        choice = (*choice[: best[1]], best[2], *choice[best[1] + 1 :])


def polish(problem: Problem, choice: Choice) -> Choice:
    """The choice, improved while changing two groups at once helps within the limit.

    Args:
        problem: What to choose from.
        choice: Within the limit.
    """
    for _ in range(_N_PASSES):
        before = choice
        for group in range(len(problem.options)):
            for index in _steps(len(problem.options[group]), choice[group]):
                moved = (*choice[:group], index, *choice[group + 1 :])
                better = _paired(problem, moved, group, problem.damage_of(choice))
                choice = choice if better is None else fill(problem, better)
        if choice == before:
            break
    return choice


def _paired(problem: Problem, moved: Choice, group: int, damage: float) -> Choice | None:
    """The best choice within the limit that also changes a second group, if it does less damage."""
    moves = [(other, index) for other in range(len(moved)) for index in _around(problem, moved, other, group)]
    rows = np.repeat(problem.counts(moved)[None], len(moves), axis=0)
    for row, (other, index) in enumerate(moves):
        rows[row, other] = problem.options[other][index]
    base = problem.damage_of(moved)
    sums = np.array(
        [base + problem.damage[other][index] - problem.damage[other][moved[other]] for other, index in moves]
    )
    sums[problem.cost(rows) > problem.limit] = np.inf
    best = int(np.argmin(sums))
    if not sums[best] < damage - 1e-12 * max(1.0, abs(damage)):
        return None
    other, index = moves[best]
    return (*moved[:other], index, *moved[other + 1 :])


def _around(problem: Problem, choice: Choice, other: int, group: int) -> list[int]:
    return [choice[other]] if other == group else _steps(len(problem.options[other]), choice[other])


def _steps(n_options: int, index: int) -> list[int]:
    """Options nearby, and ever farther away on both sides."""
    far = range(1, n_options) if n_options <= 16 else [2**power for power in range(n_options.bit_length())]
    return [near for step in far for near in (index - step, index + step) if 0 <= near < n_options]
