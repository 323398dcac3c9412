"""A network on its way: which units leave in each step, and the cut that takes them out."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from sentei.datafree.annealing import annealed
from sentei.datafree.impact import impacts, ordered
from sentei.datafree.norms import smallest, unit_norms
from sentei.datafree.pairs import Hidden, Pairs, hidden, merge, nearest, saliency
from sentei.datafree.settings import Settings
from sentei.datafree.size import Size
from sentei.datafree.tempo import departures
from sentei.errors import ModelError
from sentei.intervals import Box
from sentei.structure import Group, Keep, trace
from sentei.surgery import History, cut, zero_units


@dataclass(frozen=True)
class Merge:
    """One unit's outgoing weights went to another unit.

    Attributes:
        step: Number of the step, from 1.
        group: Name of the group.
        kept: Number of the unit that stays, as the given network counts them.
        removed: Number of the unit that left, likewise.
        score: What ranked the pair: the score or the width of its bounds, or its saliency.
    """

    step: int
    group: str
    kept: int
    removed: int
    score: float


@dataclass
class Shrinking:
    """A network that gets smaller in steps.

    Attributes:
        model: As small as it is by now; changed in place.
        input_shape: Of one row.
        domain: Of all inputs, one row.
        settings: How far and how fast.
        whole: Groups that stay whole, by name.
        history: What was cut.
        merges: In order.
        size: Of the model.
    """

    model: nn.Module
    input_shape: tuple[int, ...]
    domain: Box
    settings: Settings
    whole: Callable[[str], bool]
    history: History = field(default_factory=History)
    merges: list[Merge] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.structure = trace(self.model, self.input_shape)
        self.size = Size.of(self.model, self.structure, {})
        sizes = {group.name: group.n_units for group in self.structure.groups if not self.whole(group.name)}
        self._first, self._gone = sizes, dict.fromkeys(sizes, 0)
        self._units = {name: np.arange(n) for name, n in sizes.items()}  # numbers in the first network
        self._tempo = {name: departures(n, self.settings.step, self.settings.sparsity) for name, n in sizes.items()}
        self._n_steps = 0

    def advance(self) -> bool:
        """Steps until one of them takes units out.

        Returns:
            False if there are no steps left.
        """
        while self._due():
            keep = {group.name: self._leave(group, n) for group, n in self._wanted() if n > 0}
            if any(not mask.all() for mask in keep.values()):
                self._cut({name: mask for name, mask in keep.items() if not mask.all()})
                return True
        return False

    def _due(self) -> bool:
        """On to the next step of the tempo; False behind the last one."""
        self._n_steps += 1
        due = {name: next(tempo, None) for name, tempo in self._tempo.items()}
        self._gone |= {name: gone for name, gone in due.items() if gone is not None}
        return any(gone is not None for gone in due.values())

    def _wanted(self) -> list[tuple[Group, int]]:
        """Groups that this step may touch, and how many of their units are to leave."""
        sizes = {name: len(units) for name, units in self._units.items()}
        known = [group for group in self.structure.groups if sizes.get(group.name) == group.n_units]
        return [(g, g.n_units - (self._first[g.name] - self._gone[g.name])) for g in known]

    def _leave(self, group: Group, n: int) -> npt.NDArray[np.bool_]:
        """The units that stay; those that leave are zero afterwards, so that later groups see the network without."""
        units = hidden(self.model, self.structure, group)
        stays = self._merge(group, units, n) if units else smallest(unit_norms(self.model, group), group, n)
        zero_units(self.model, self.structure, {group.name: stays})
        return stays

    def _merge(self, group: Group, units: Hidden, n: int) -> npt.NDArray[np.bool_]:
        stays = np.ones(group.n_units, np.bool_)
        while (missing := n - int((~stays).sum())) > 0:
            pairs, scores = self._choose(units, stays, missing)
            merge(self.model, group, pairs)
            stays[pairs[:, 1]] = False
            numbers = self._units[group.name][pairs].tolist()
            for (kept, gone), score in zip(numbers, scores, strict=True):
                self.merges.append(Merge(self._n_steps, group.name, kept, gone, score))
            units = hidden(self.model, self.structure, group) or units
        return stays

    def _choose(self, units: Hidden, stays: npt.NDArray[np.bool_], n: int) -> tuple[Pairs, list[float]]:
        """At most n pairs of units that are there, with what ranked them."""
        apart = saliency(units)
        apart[torch.from_numpy(~stays)] = torch.inf
        apart[:, torch.from_numpy(~stays)] = torch.inf
        found = nearest(apart, 2 * n)
        if not len(found):
            raise ModelError(f"no two units of {units.name!r} can be compared: weights are not finite; train it again")
        scores = apart[found[:, 0], found[:, 1]]
        if self.settings.ranking != "saliency":
            impact = impacts(self.model, units.weight, found, self.domain)
            impact = impact if self.settings.ranking == "bounds" else impact[:, 1:]
            order = ordered(impact)
            found, scores = found[order], impact[order, 0]
        chosen, n = list(range(min(n, len(found)))), min(n, len(found))
        if self.settings.annealing is not None:
            place = (self._n_steps, list(self._units).index(units.name), int(stays.sum()))
            chosen = annealed(scores.tolist(), n, self.settings.annealing, place)
        return found[chosen], scores[chosen].tolist()

    def _cut(self, keep: Keep) -> None:
        self.size = Size.of(self.model, self.structure, keep)
        self.history = self.history.then(cut(self.model, self.structure, keep, self.input_shape))
        self._units |= {name: self._units[name][mask] for name, mask in keep.items()}
        left = [int(keep[group.name].sum()) if group.name in keep else group.n_units for group in self.structure.groups]
        if max(left) > 1:  # otherwise nothing can leave any more, and there is no structure
            self.structure = trace(self.model, self.input_shape)
