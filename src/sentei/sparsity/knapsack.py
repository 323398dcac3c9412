"""How many units each group keeps, so that the sum of their damages is least within a limit on the cost."""

from collections.abc import Iterable, Iterator
from math import exp, log, prod

import numpy as np

from sentei.sparsity.exchange import exchange
from sentei.sparsity.moves import fill, polish
from sentei.sparsity.problem import Choice, Problem

_N_ENUMERATED = 200_000
_N_BISECTIONS = 30
_N_SWEEPS = 20
_N_EXCHANGED = 6
_N_POLISHED = 3
_N_EXCHANGES = 8


def solve(problem: Problem, starts: Iterable[Choice]) -> list[Choice]:
    """Different choices within the limit, the least damage first; none when even the smallest is above it.

    Args:
        problem: What to choose from.
        starts: Where the descents begin; those within the limit are improved as well.

    Guarantee:
        No worse than any start that is within the limit. Of up to 200 000 choices the first is the best there is. The
        same problem and starts give the same answer.
    """
    if prod(len(options) for options in problem.options) <= _N_ENUMERATED:
        return exhaust(problem)
    return approach(problem, starts)


def exhaust(problem: Problem) -> list[Choice]:
    """The few best of all choices within the limit.

    Args:
        problem: With so few options that all choices fit into memory.
    """
    grids = np.meshgrid(*(np.arange(len(options)) for options in problem.options), indexing="ij")
    choices = np.stack([grid.ravel() for grid in grids], axis=-1) if grids else np.zeros((1, 0), np.intp)
    counts = np.stack([options[choices[:, g]] for g, options in enumerate(problem.options)], axis=-1)
    damage = sum((values[choices[:, g]] for g, values in enumerate(problem.damage)), np.zeros(len(choices)))
    costs = problem.cost(counts)
    within = np.flatnonzero(costs <= problem.limit)
    best = within[np.lexsort((-costs[within], damage[within]))][:_N_POLISHED]
    return [tuple(int(index) for index in choices[row]) for row in best]


def approach(problem: Problem, starts: Iterable[Choice]) -> list[Choice]:
    """What `solve` does for problems with too many choices to try.

    Guarantee:
        No worse than any start that is within the limit. In the first choice no group can grow for the better, and no
        two groups can trade for the better in steps of 1, 2, 4, ... options.

    Source:
        Everett, Generalized Lagrange multiplier method, Operations Research 11(3), 1963, as descent by coordinates, and
        local search from what it finds.
    """
    least = tuple(0 for _ in problem.options)
    whole = tuple(len(options) - 1 for options in problem.options)
    begun = list(dict.fromkeys([whole, least, *starts]))
    found = [choice for choice in begun if problem.cost_of(choice) <= problem.limit]
    if not found:
        return []
    found += [choice for start in begun for choice in _descents(problem, start)]
    filled = _by_damage(problem, [fill(problem, choice) for choice in dict.fromkeys(found)])
    exchanged = _by_damage(problem, [_exchanged(problem, choice) for choice in filled[:_N_EXCHANGED]])
    polished = [_exchanged(problem, polish(problem, choice)) for choice in exchanged[:_N_POLISHED]]
    return _by_damage(problem, [*polished, *exchanged, *filled])


def _exchanged(problem: Problem, choice: Choice) -> Choice:
    """The choice, improved while exchanging all groups at once helps."""
    for _ in range(_N_EXCHANGES):
        found = exchange(problem, choice)
        better = None if found is None else fill(problem, found)
        if better is None or problem.damage_of(better) >= problem.damage_of(choice):
            break
        choice = better
    return choice


def _by_damage(problem: Problem, choices: Iterable[Choice]) -> list[Choice]:
    return sorted(set(choices), key=lambda choice: (problem.damage_of(choice), choice))


def _descents(problem: Problem, start: Choice) -> Iterator[Choice]:
    """Choices within the limit that are least in damage + price * cost, for prices ever nearer to the right one."""
    choice = _descend(problem, start, 0.0)
    if problem.cost_of(choice) <= problem.limit:
        yield choice
        return
    span = sum(float(damage[0] - damage[-1]) for damage in problem.damage)
    low, high = log(1e-9), log(1e9)
    for _ in range(_N_BISECTIONS):
        middle = (low + high) / 2
        choice = _descend(problem, start, exp(middle) * max(span, 1e-300) / max(problem.limit, 1.0))
        if problem.cost_of(choice) <= problem.limit:
            high = middle
            yield choice
        else:
            low = middle


def _descend(problem: Problem, choice: Choice, price: float) -> Choice:
    for _ in range(_N_SWEEPS):
        before = choice
        for group, damage in enumerate(problem.damage):
            best = int(np.argmin(damage + price * problem.costs_along(choice, group)))
            choice = (*choice[:group], best, *choice[group + 1 :])
        if choice == before:
            break
    return choice
