"""What a network costs by the number of units that each group keeps: quick enough to be asked a million times."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sentei.structure import Structure

Numbers = npt.NDArray[np.float64]
Counts = npt.NDArray[np.int64]


@dataclass(frozen=True)
class CountCost:
    """A cost that is a sum of products of tensor sizes, which grow linearly with the kept counts.

    Attributes:
        sizes: ``(n_sizes,)``: the sizes without any unit; the last one is 1 and belongs to no group.
        by_unit: ``(n_sizes, n_groups)``: places that each unit adds.
        terms: ``(n_terms, n_factors)``: which sizes each product takes.
        times: ``(n_terms,)``: how often each product counts.
        per_unit: ``(n_groups,)``: cost of a unit by itself.
        fixed: Cost that no count changes.
        touched: By group: the terms that its count changes.
    """

    sizes: Numbers
    by_unit: Numbers
    terms: npt.NDArray[np.intp]
    times: Numbers
    per_unit: Numbers
    fixed: float
    touched: tuple[npt.NDArray[np.intp], ...]

    def __call__(self, counts: Counts) -> Numbers:
        """The cost of each row of counts, ``(..., n_groups)``."""
        sizes = self.sizes + counts @ self.by_unit.T
        products = np.prod(sizes[..., self.terms], axis=-1)
        costs: Numbers = products @ self.times + counts @ self.per_unit + self.fixed
        return costs

    def along(self, counts: Counts, group: int, options: Counts) -> Numbers:
        """The cost of all counts of a group, ``(n_options,)``, the others as given: only what it touches is redone."""
        rows, added = self.touched[group], options - counts[group]
        now = (self.sizes + self.by_unit @ counts)[self.terms[rows]]
        moved = now + added[:, None, None] * self.by_unit[self.terms[rows], group]
        changes: Numbers = (np.prod(moved, axis=-1) - np.prod(now, axis=-1)) @ self.times[rows]
        costs: Numbers = self(counts) + changes + added * self.per_unit[group]
        return costs


def macs_by_counts(structure: Structure) -> CountCost:
    """``structure.macs`` by the kept counts.

    Guarantee:
        Equal to it, as long as it is below 2^53, where the units of each group take equally many places of a tensor;
        otherwise as if each took their mean.
    """
    per_unit = np.array([float(structure.head_macs.get(group.name, 0)) for group in structure.groups])
    uses = [(use.weight, use.n_positions) for use in structure.products]
    return _cost(structure, uses, per_unit, structure.other_macs)


def parameters_by_counts(structure: Structure) -> CountCost:
    """``structure.n_parameters`` by the kept counts; see `macs_by_counts`."""
    return _cost(structure, [(name, 1) for name in structure.parameters], np.zeros(len(structure.groups)), 0)


def _cost(structure: Structure, uses: Iterable[tuple[str, int]], per_unit: Numbers, fixed: int) -> CountCost:
    places = _places(structure)
    rows: dict[tuple[str, int], int] = {}
    terms, times, constant = [], [], float(fixed)
    for tensor, n_uses in uses:
        shape = structure.shapes[tensor]
        moving = [(tensor, dim) for dim in range(len(shape)) if (tensor, dim) in places]
        standing = float(np.prod([size for dim, size in enumerate(shape) if (tensor, dim) not in places])) * n_uses
        if moving:
            terms.append([rows.setdefault(place, len(rows)) for place in moving])
            times.append(standing)
        else:
            constant += standing
    by_unit = np.array([places[place] for place in rows]).reshape(len(rows), len(structure.groups))
    full = np.array([float(structure.shapes[tensor][dim]) for tensor, dim in rows])
    sizes = full - by_unit @ np.array([float(group.n_units) for group in structure.groups])
    n_factors = max((len(term) for term in terms), default=1)
    factors = np.array([term + [len(rows)] * (n_factors - len(term)) for term in terms], np.intp).reshape(-1, n_factors)
    moves = np.vstack([by_unit, np.zeros((1, len(structure.groups)))])
    return CountCost(
        sizes=np.append(sizes, 1.0),
        by_unit=moves,
        terms=factors,
        times=np.array(times),
        per_unit=per_unit,
        fixed=constant,
        touched=tuple(np.flatnonzero((moves[factors, group] != 0).any(-1)) for group in range(moves.shape[1])),
    )


def _places(structure: Structure) -> dict[tuple[str, int], Numbers]:
    """By tensor and dimension: how many places a unit of each group takes there, on average."""
    places: dict[tuple[str, int], Numbers] = {}
    for index, group in enumerate(structure.groups):
        for member in group.members:
            row = places.setdefault((member.tensor, member.dim), np.zeros(len(structure.groups)))
            row[index] = np.count_nonzero(member.units >= 0) / group.n_units
    return places
