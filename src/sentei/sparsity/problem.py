"""What there is to choose from when a budget is shared among groups."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sentei.sparsity.counting import CountCost, Counts, Numbers

Choice = tuple[int, ...]
"""By group: the index of the chosen option."""


@dataclass(frozen=True)
class Problem:
    """A knapsack in which the weight of one thing depends on the others.

    Attributes:
        options: By group: the counts to choose from, growing.
        damage: By group: the damage of each option, never growing with the count.
        cost: Of all counts together.
        limit: On the cost.
    """

    options: Sequence[Counts]
    damage: Sequence[Numbers]
    cost: CountCost
    limit: float

    def counts(self, choice: Choice) -> Counts:
        """By group: the chosen count."""
        return np.array([options[index] for options, index in zip(self.options, choice, strict=True)], np.int64)

    def damage_of(self, choice: Choice) -> float:
        """The sum of the damages."""
        return float(sum(damage[index] for damage, index in zip(self.damage, choice, strict=True)))

    def cost_of(self, choice: Choice) -> float:
        """The cost of the chosen counts."""
        return float(self.cost(self.counts(choice)))

    def costs_along(self, choice: Choice, group: int) -> Numbers:
        """The cost of every option of one group, the others as chosen."""
        return self.cost.along(self.counts(choice), group, self.options[group])
