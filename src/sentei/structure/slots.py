"""Slots: what may be one unit, before it is known which of them have to leave together."""

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from sentei.structure.groups import Role

Ids = npt.NDArray[np.int64]
FIXED = 0
"""The slot of everything that cannot leave."""


class Slots:
    """A slot for each place in a dimension of a tensor, and which slots are tied to one another.

    Attributes:
        vectors: By tensor and dimension, in order of use: role, and ``(size,)`` slots.
    """

    def __init__(self) -> None:
        self.vectors: dict[tuple[str, int], tuple[Role, Ids]] = {}
        self._n = 1
        self._ties: list[tuple[Ids, Ids]] = []
        self._kept: set[str] = set()

    def of(self, tensor: str, dim: int, size: int, role: Role) -> Ids:
        """The slots of one dimension; the same ones each time."""
        if (tensor, dim) not in self.vectors:
            self.vectors[tensor, dim] = role, self.fresh(size)
        return self.vectors[tensor, dim][1]

    def fresh(self, n: int) -> Ids:
        """Slots that nothing is tied to yet, ``(n,)``."""
        self._n += n
        return np.arange(self._n - n, self._n, dtype=np.int64)

    def tie(self, some: Ids, others: Ids) -> None:
        """Slots at equal places leave together or not at all."""
        self._ties.append(tuple(np.broadcast_arrays(some, others)))  # type: ignore[arg-type]  # two in, two out

    def fix(self, some: Ids) -> None:
        """These slots cannot leave."""
        self.tie(np.unique(some), np.array([FIXED]))

    def keep(self, tensor: str) -> None:
        """Nothing of this tensor can leave, whatever reads it before or afterwards."""
        self._kept.add(tensor)

    def units(self) -> Ids:
        """The unit of every slot, ``(n_slots,)``; slots that are tied share one, and -1 cannot leave."""
        for (tensor, _), (_, ids) in self.vectors.items():
            if tensor in self._kept:
                self.fix(ids)
        pairs: Iterable[tuple[Ids, Ids]] = self._ties or [(np.zeros(1, np.int64), np.zeros(1, np.int64))]
        rows, columns = (np.concatenate([side.ravel() for side in sides]) for sides in zip(*pairs, strict=True))
        ties = coo_array((np.ones(len(rows), np.int8), (rows, columns)), shape=(self._n, self._n))
        _, unit = connected_components(ties, directed=False)
        return np.where(unit == unit[FIXED], -1, unit).astype(np.int64)
