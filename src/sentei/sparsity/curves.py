"""Sensitivity curves: the damage to the network when one group alone keeps fewer units."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import isfinite
from typing import Self

import torch

from sentei.errors import ModelError
from sentei.sparsity.units import highest, nearest_count, scores_as_numbers
from sentei.structure import Group, Keep, Structure

Probe = Callable[[Keep], float]
"""The damage of a masked network, smaller = better: such as its mean KL divergence from the dense one on scoring rows,
once BatchNorm is re-estimated. Equal masks give equal numbers."""

LEVELS = (0.875, 0.75, 0.625, 0.5, 0.375, 0.25, 0.125, 0.0)


@dataclass(frozen=True)
class Curves:
    """What was probed so far.

    Attributes:
        dense: Damage of the dense network, in the unit of the probe; None before it was probed.
        damage: By group, by number of kept units: the damage when all other groups are whole.
    """

    dense: float | None = None
    damage: Mapping[str, Mapping[int, float]] = field(default_factory=dict)

    def having(self, group: str | None, n_kept: int, damage: float) -> Self:
        """These curves and one more probe.

        Args:
            group: None for the dense network.
            n_kept: Units that the group kept; not used for the dense network.
            damage: What the probe measured.

        Raises:
            ModelError: The damage is not a finite number.
        """
        if not isfinite(damage):
            raise ModelError(
                f"the probe of {group or 'the dense network'} with {n_kept} units gave {damage}; let it return a large "
                "finite number where the network's outputs are not numbers"
            )
        if group is None:
            return type(self)(damage, self.damage)
        return type(self)(self.dense, {**self.damage, group: {**self.damage.get(group, {}), n_kept: damage}})

    def to_json(self) -> str:
        """A text that `from_json` reads back; every number returns bit for bit."""
        return json.dumps({"dense": self.dense, "damage": self.damage}, allow_nan=False)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """The curves that `to_json` wrote.

        Raises:
            ValueError: The text is no such thing.

        Example:
            >>> Curves.from_json(Curves(0.0, {"conv1": {4: 0.25}}).to_json())
            Curves(dense=0.0, damage={'conv1': {4: 0.25}})
        """
        try:
            read = json.loads(text)
            curves = cls(None if read["dense"] is None else float(read["dense"]))
            for group, levels in read["damage"].items():
                for n_kept, damage in levels.items():
                    curves = curves.having(group, int(n_kept), float(damage))
        except (KeyError, TypeError, AttributeError, ModelError) as mistake:
            raise ValueError(f"the text holds no sensitivity curves: {mistake!r}; measure them again") from mistake
        return curves


def measure_curves(
    structure: Structure,
    scores: Mapping[str, torch.Tensor],
    probe: Probe,
    levels: Sequence[float] = LEVELS,
    known: Curves | None = None,
    on_probe: Callable[[Curves], None] | None = None,
    round_to: int = 1,
) -> Curves:
    """The damage of every group at every level, each group pruned alone.

    Args:
        structure: The network's prunable groups.
        scores: By group: ``(n_units,)``, larger = keep; the lowest leave first.
        probe: Measures a masked network; is given the masks of one group, and none for the dense network.
        levels: Shares of units that a group keeps, in [0, 1); 0 stands for as few as a group can keep.
        known: Curves of the same network, scores and probe; what they hold is not probed again.
        on_probe: Called with all that is known after each probe, so that a killed run can go on from there.
        round_to: As in `keep_units`.

    Returns:
        The curves, with what was known.

    Raises:
        ValueError: A level or the scores lie outside their range, or ``known`` belongs to another network.
        ModelError: A probe gave no finite number, or a score is not a number.

    Guarantee:
        Run again from any curves that ``on_probe`` received, it returns what it would have returned.
    """
    if not all(0 <= level < 1 for level in levels):
        raise ValueError(f"levels are shares of kept units in [0, 1), received {tuple(levels)}")
    curves = known or Curves()
    refuse_foreign(structure, curves)
    ranks = scores_as_numbers(structure, scores)
    for group, n_kept in _open_places(structure, levels, curves, round_to):
        keep = {} if group is None else {group.name: highest(ranks[group.name], n_kept)}
        curves = curves.having(None if group is None else group.name, n_kept, float(probe(keep)))
        if on_probe is not None:
            on_probe(curves)
    return _in_order(structure, curves)


def refuse_foreign(structure: Structure, curves: Curves) -> None:
    """Refuse curves of another network.

    Raises:
        ValueError: They name a group that the structure does not have, or more units than it has.
    """
    sizes = {group.name: group.n_units for group in structure.groups}
    for name, levels in curves.damage.items():
        if name not in sizes or not all(1 <= n_kept <= sizes[name] for n_kept in levels):
            raise ValueError(
                f"the curves of {name!r} with {sorted(levels)} units do not fit this network; measure them again"
            )


def _open_places(
    structure: Structure, levels: Sequence[float], curves: Curves, round_to: int
) -> Iterator[tuple[Group | None, int]]:
    if curves.dense is None:
        yield None, 0
    for group in structure.groups:
        wished = {nearest_count(group, round(level * group.n_units), round_to) for level in levels}
        for n_kept in sorted(wished - {group.n_units} - set(curves.damage.get(group.name, {})), reverse=True):
            yield group, n_kept


def _in_order(structure: Structure, curves: Curves) -> Curves:
    """The same curves in the order of the network, so that resumed curves are written as uninterrupted ones."""
    found = {group.name: curves.damage.get(group.name, {}) for group in structure.groups}
    return Curves(curves.dense, {name: dict(sorted(levels.items())) for name, levels in found.items() if levels})
