"""Channels and heads leave a network, in one round or in several."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

from torch import Tensor, nn

from sentei.importance import ScoringRows, score_units
from sentei.models.attention import separate_heads
from sentei.sparsity import Budget, Curves, fit_units, keep_units, measure_curves, search
from sentei.sparsity.fitting import Cost
from sentei.sparsity.reconstruction import reconstruct_units
from sentei.steps import layout
from sentei.steps.costing import EVALUATIONS, budget_of, cost_of
from sentei.steps.damage import Damage, opinion, settle_batchnorm
from sentei.steps.made import Made, Making
from sentei.steps.networks import read_tensors
from sentei.steps.rounds import exceptions_of, step, totals
from sentei.steps.score import read_scores
from sentei.steps.sensitivity import search_key
from sentei.structure import Keep, Structure, trace
from sentei.surgery import History, cut


def prune_units(making: Making, model: nn.Module) -> Made:
    """Channels and heads leave.

    Raises:
        ModelError: The network cannot be traced, or does not get as small as asked, or the criterion does not fit it.
    """
    spec, scored = making.spec, making.scored
    scores = read_scores(scored, read_tensors(scored.file(layout.SCORES)), spec["criterion"], units=True)
    pruning = UnitPruning(spec, making.data, making.rows(), scored, spec["seed"])
    pruning.prune(model, scores, making.recover)
    return Made(model, surgery=pruning.surgery)


Recover = Callable[[nn.Module, int], None]
"""Trains a network between two rounds, in place; the second argument is the number of the round that is done."""


@dataclass
class UnitPruning:
    """The making of one variant by surgery.

    Attributes:
        spec: The variant's specification.
        data: The plan's ``examples`` part.
        rows: Of the scoring split.
        scored: The artifact with the scores of the dense model.
        seed: For criteria that draw.
        surgery: What was done so far.
    """

    spec: Mapping[str, Any]
    data: Mapping[str, Any]
    rows: ScoringRows
    scored: layout.Artifact
    seed: int
    surgery: History = field(default_factory=History)
    _whole: float = field(default=0.0, init=False)

    def prune(self, model: nn.Module, scores: Mapping[str, Tensor], recover: Recover) -> nn.Module:
        """The smaller network.

        Args:
            model: The dense model; changed in place.
            scores: Of its units, by the variant's criterion.
            recover: What happens between two rounds.

        Raises:
            ModelError: The network cannot be traced, or does not get as small as asked.
        """
        separate_heads(model)
        reached: tuple[float, ...] = ()
        for number in range(self.spec.get("rounds", 1)):
            structure = trace(model, tuple(self.data["input"]["shape"]))
            if number:
                recover(model, number)
                scores = score_units(model, self.spec["criterion"], structure, self.seed, self.rows)
            else:
                self._whole = self._cost(model, structure)({})
                reached = totals(self.spec, self._gone())
            self._cut(model, structure, self._chosen(model, structure, scores, reached, number))
        return model

    def _gone(self) -> float:
        """The share of the dense network that leaves in the end, in units or in the measure of the budget."""
        if "budget" not in self.spec:
            return float(self.spec["sparsity"])
        return max(0.0, 1 - budget_of(self.spec).limit(self._whole) / self._whole)

    def _cost(self, model: nn.Module, structure: Structure) -> Cost:
        measure = budget_of(self.spec).measure if "budget" in self.spec else "macs"
        return cost_of(measure, model, structure, self.data)

    def _chosen(
        self,
        model: nn.Module,
        structure: Structure,
        scores: Mapping[str, Tensor],
        reached: tuple[float, ...],
        number: int,
    ) -> Keep:
        allocation, round_to = self.spec["allocation"], int(self.spec.get("round_to", 1))
        others: dict[str, Any] = {"exceptions": self._exceptions(structure, number), "round_to": round_to}
        if "budget" not in self.spec:
            return keep_units(structure, scores, step(reached, number), allocation, **others)
        measure, cost = budget_of(self.spec).measure, self._cost(model, structure)
        budget = Budget(measure, self._limit(reached, number), is_share=False)
        others["n_evaluations"] = EVALUATIONS if measure == "latency_ms" else None
        if allocation != "search":
            return fit_units(structure, scores, budget, allocation, cost, **others)
        damage = Damage.of(model, structure, self.rows, reconstruct=self.spec.get("reconstruct", False))
        curves = measure_curves(structure, scores, damage, round_to=round_to) if number else self._curves()
        return search(structure, scores, curves, budget, cost, damage, **others)

    def _limit(self, reached: tuple[float, ...], number: int) -> float:
        if number == len(reached) - 1:
            return budget_of(self.spec).limit(self._whole)  # as asked, not as shares of shares round it
        return (1 - reached[number]) * self._whole

    def _exceptions(self, structure: Structure, number: int) -> dict[str, Any]:
        """Those that a group is left for: one of a single unit is no group any more."""
        found = exceptions_of(self.spec, number)
        left = [pattern for pattern in found if any(fnmatchcase(group.name, pattern) for group in structure.groups)]
        return {pattern: found[pattern] for pattern in left} if number else found

    def _curves(self) -> Curves:
        """Those of the dense network, which were measured with its scores."""
        stored = json.loads(self.scored.file(layout.CURVES).read_bytes())
        key = search_key(self.spec["criterion"], self.spec.get("round_to", 1), self.spec.get("reconstruct", False))
        return Curves.from_json(json.dumps(stored[key]))

    def _cut(self, model: nn.Module, structure: Structure, keep: Keep) -> None:
        expected = opinion(model, self.rows) if self.spec.get("reconstruct") else None
        if expected is not None:
            reconstruct_units(model, structure, keep, self.rows)
        self.surgery = self.surgery.then(cut(model, structure, keep, tuple(self.data["input"]["shape"])))
        settle_batchnorm(model, self.rows, expected)
