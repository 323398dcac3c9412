"""Choices of counts and the masks, predicted and true costs that they stand for."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from sentei.sparsity.counting import Numbers
from sentei.sparsity.fitting import Cost
from sentei.sparsity.knapsack import solve
from sentei.sparsity.problem import Choice, Problem
from sentei.sparsity.units import highest
from sentei.structure import Group, Keep


@dataclass(frozen=True)
class Space:
    """What the search chooses from, and what a choice means.

    Attributes:
        groups: In the order of the network.
        ranks: By group: the scores that say which units leave first.
        problem: Predicts damage and cost by counts.
        cost: The true cost.
        limit: On the true cost.
    """

    groups: tuple[Group, ...]
    ranks: Mapping[str, Numbers]
    problem: Problem
    cost: Cost
    limit: float

    def keep(self, choice: Choice) -> Keep:
        """The masks of a choice."""
        counts = self.problem.counts(choice)
        return {g.name: highest(self.ranks[g.name], int(n)) for g, n in zip(self.groups, counts, strict=True)}

    def choice(self, keep: Keep) -> Choice:
        """The choice of masks that keep the highest scores."""
        pairs = zip(self.groups, self.problem.options, strict=True)
        return tuple(int(np.searchsorted(options, int(keep[group.name].sum()))) for group, options in pairs)

    def allows(self, choice: Choice) -> bool:
        """Whether the true cost is within the budget."""
        return self.cost(self.keep(choice)) <= self.limit

    def agrees(self, choices: Iterable[Choice]) -> bool:
        """Whether the problem knows the true cost: of these choices, the dense and the smallest network."""
        ends = [tuple(len(options) - 1 for options in self.problem.options), tuple(0 for _ in self.problem.options)]
        return all(self.problem.cost_of(choice) == self.cost(self.keep(choice)) for choice in [*ends, *choices])

    def aligned(self, starts: Sequence[Choice], n_evaluations: int) -> Self:
        """The same space, with the problem's limit as high as the true cost of its solution allows.

        Args:
            starts: For `solve`.
            n_evaluations: Steps of the bisection; each asks for the true cost of one network.
        """
        low = self.problem.cost_of(tuple(0 for _ in self.problem.options))
        high = self.problem.cost_of(tuple(len(options) - 1 for options in self.problem.options))
        for _ in range(n_evaluations):
            middle = (low + high) / 2
            solution = solve(replace(self.problem, limit=middle), starts)[0]
            low, high = (middle, high) if self.allows(solution) else (low, middle)
        return replace(self, problem=replace(self.problem, limit=low))


def remembered(cost: Cost) -> Cost:
    """The same cost, asked once for each network.

    Example:
        >>> asked = remembered(lambda keep: float(next(numbers)))
        >>> numbers = iter([3, 4])
        >>> asked({}), asked({})
        (3.0, 3.0)
    """
    known: dict[tuple[tuple[str, bytes], ...], float] = {}

    def ask(keep: Keep) -> float:
        key = tuple((name, mask.tobytes()) for name, mask in sorted(keep.items()))
        if key not in known:
            known[key] = cost(keep)
        return known[key]

    return ask
