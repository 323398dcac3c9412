"""What a criterion is: a name, what it scores, and what it has to see for that."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import nn

from sentei.errors import ModelError
from sentei.importance.rows import ScoringRows
from sentei.structure.groups import Structure


@dataclass(frozen=True, eq=False)
class Subject:
    """What is scored, and what may be looked at.

    Attributes:
        model: The network; it is only read.
        seed: For criteria that draw.
        given: The rows that the caller gave, if any.
    """

    model: nn.Module
    seed: int
    given: ScoringRows | None = None

    @property
    def rows(self) -> ScoringRows:
        """The rows.

        Raises:
            ModelError: None were given.
        """
        if self.given is None:
            raise ModelError("this criterion looks at rows and received none; give it rows of the scoring set")
        return self.given


Scores = dict[str, torch.Tensor]
WeightScorer = Callable[[Subject, tuple[str, ...]], Scores]
"""By parameter, in its shape; larger = keep."""
UnitScorer = Callable[[Subject, Structure], Scores]
"""By group, ``(n_units,)``; larger = keep."""


@dataclass(frozen=True)
class Criterion:
    """One way to say how much a weight or a unit matters.

    Attributes:
        name: As recipes write it.
        weights: Scores single weights, or ``None``.
        units: Scores the units of prunable groups, or ``None``.
        needs_rows: Whether it looks at rows of the scoring set.
        needs_labels: Whether it looks at their labels, too. Where a row has none, the network's own most probable class
            stands for it.
    """

    name: str
    weights: WeightScorer | None
    units: UnitScorer | None
    needs_rows: bool = False
    needs_labels: bool = False
