"""What surgery did to a network, as JSON: enough to build the smaller network again before its weights are loaded."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, ClassVar, Protocol, Self

import numpy as np
import numpy.typing as npt
from torch import nn

from sentei.depth import Dropped, Linearised, Merged
from sentei.errors import ArtifactError
from sentei.models.attention import separate_heads
from sentei.surgery.removal import Places, remove_places

OF_CUTS = "sentei.surgery/1"
"""The format of a history of cuts alone: each step is what stayed."""

OF_ALL = "sentei.surgery/2"
"""The format of any history: each step has a kind beside its own fields."""


@dataclass(frozen=True)
class Step:
    """One cut: places left tensors.

    Attributes:
        kept: By tensor and dimension (as text): size before, and the places that stay, as ranges ``0-3,7``.
    """

    kept: Mapping[str, Mapping[str, tuple[int, str]]]
    kind: ClassVar[str] = "cut"

    @classmethod
    def of(cls, places: Places) -> Self:
        """The step that leaves these places."""
        return cls({name: {str(dim): (len(s), _ranges(s)) for dim, s in dims.items()} for name, dims in places.items()})

    def places(self) -> dict[str, dict[int, npt.NDArray[np.bool_]]]:
        """What stays, by tensor and dimension."""
        return {
            name: {_dimension(dim): _mask(size, ranges) for dim, (size, ranges) in dims.items()}
            for name, dims in self.kept.items()
        }

    def apply(self, model: nn.Module) -> None:
        """Takes the other places out of a network.

        Args:
            model: Changed in place.

        Raises:
            ModelError: The step is about another network.
        """
        remove_places(model, self.places())

    def to_json(self) -> dict[str, Any]:
        """The fields as JSON values."""
        return {"kept": {name: {dim: list(v) for dim, v in dims.items()} for name, dims in self.kept.items()}}

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Self:
        """What `to_json` wrote; a KeyError, TypeError, ValueError or AttributeError if the record is something else."""
        kept = record["kept"].items()
        step = cls({name: {d: (int(n), str(r)) for d, (n, r) in dims.items()} for name, dims in kept})
        step.places()
        return step


class Operation(Protocol):
    """One step of a history: it can be done again to a fresh network, and written down."""

    kind: ClassVar[str]

    def apply(self, model: nn.Module) -> None:
        """Does the same to a network that is as the first one was before; a ModelError if it is another one."""

    def to_json(self) -> dict[str, Any]:
        """The fields as JSON values."""


KINDS: Mapping[str, Any] = {kind.kind: kind for kind in (Step, Linearised, Merged, Dropped)}
"""What a step can be, by the word that stands for it in a file."""


@dataclass(frozen=True)
class History:
    """All operations on a network, in order.

    Attributes:
        steps: The first one is relative to the dense network, each other one to the network before it.
    """

    steps: tuple[Operation, ...] = ()

    def then(self, step: Operation) -> Self:
        """This history and one operation more."""
        return type(self)((*self.steps, step))

    def apply(self, model: nn.Module) -> nn.Module:
        """The smaller network, with whatever values stayed.

        Args:
            model: Built from the architecture; changed in place.

        Raises:
            ModelError: The steps are about another network.
        """
        separate_heads(model)
        for step in self.steps:
            step.apply(model)
        return model

    def to_json(self) -> dict[str, Any]:
        """The history as JSON values, in the oldest format that can say it."""
        if all(step.kind == Step.kind for step in self.steps):
            return {"format": OF_CUTS, "steps": [step.to_json()["kept"] for step in self.steps]}
        return {"format": OF_ALL, "steps": [{"kind": step.kind, **step.to_json()} for step in self.steps]}

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Self:
        """The history that `to_json` wrote.

        Raises:
            ArtifactError: The record is something else.
        """
        try:
            return cls(tuple(_step(step) for step in _with_kinds(record)))
        except (KeyError, TypeError, ValueError, AttributeError, MemoryError) as error:
            found = f"a record without {error}" if isinstance(error, KeyError) else str(error)
            raise ArtifactError(
                f"expected the history of a surgery in the format {OF_CUTS} or {OF_ALL}, received {found}; "
                "take the file from the artifact again, or prune again"
            ) from error


def _with_kinds(record: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The steps of a record as the newer format writes them."""
    if record["format"] == OF_CUTS:
        return [{"kind": Step.kind, "kept": step} for step in record["steps"]]
    if record["format"] == OF_ALL:
        return list(record["steps"])
    raise ValueError(f"format {record['format']!r}")


def _step(record: Mapping[str, Any]) -> Operation:
    kind = KINDS.get(str(record["kind"]))
    if kind is None:
        raise ValueError(f"a step of the kind {record['kind']!r}, which is none of {', '.join(KINDS)}")
    step: Operation = kind.from_json(record)
    if unknown := set(record) - {"kind", *step.to_json()}:
        raise ValueError(f"a step of the kind {record['kind']!r} with {', '.join(sorted(unknown))}")
    return step


def _ranges(stays: npt.NDArray[np.bool_]) -> str:
    """The True places as text.

    Example:
        >>> _ranges(np.array([True, True, False, True]))
        '0-1,3'
    """
    edges = np.flatnonzero(np.diff(np.concatenate([[0], stays.astype(np.int8), [0]])))
    spans = zip(edges[::2].tolist(), (edges[1::2] - 1).tolist(), strict=True)
    return ",".join(str(first) if first == last else f"{first}-{last}" for first, last in spans)


def _dimension(text: str) -> int:
    if int(text) < 0:
        raise ValueError(f"dimension {text}")
    return int(text)


def _mask(size: int, ranges: str) -> npt.NDArray[np.bool_]:
    stays = np.zeros(size, dtype=bool)
    ends = []
    for part in ranges.split(","):
        first, _, last = part.partition("-")
        start, stop = int(first), int(last or first)
        if not 0 <= start <= stop < size:
            raise ValueError(f"places {part} of {size}")
        stays[start : stop + 1] = True
        ends += [start - 0.5, stop + 0.5]
    if any(one >= other for one, other in pairwise(ends)):
        raise ValueError(f"places out of order: {ranges}")
    return stays
