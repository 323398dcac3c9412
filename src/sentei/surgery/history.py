"""What surgery did to a network, as JSON: enough to build the smaller network again before its weights are loaded."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from torch import nn

from sentei.errors import ArtifactError
from sentei.models.attention import separate_heads
from sentei.surgery.removal import Places, remove_places

FORMAT = "sentei.surgery/1"


@dataclass(frozen=True)
class Step:
    """One operation.

    Attributes:
        kept: By tensor and dimension (as text): size before, and the places that stay, as ranges ``0-3,7``.
    """

    kept: Mapping[str, Mapping[str, tuple[int, str]]]

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


@dataclass(frozen=True)
class History:
    """All operations on a network, in order.

    Attributes:
        steps: The first one is relative to the dense network, each other one to the network before it.
    """

    steps: tuple[Step, ...] = ()

    def then(self, step: Step) -> Self:
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
            remove_places(model, step.places())
        return model

    def to_json(self) -> dict[str, Any]:
        """The history as JSON values."""
        steps = [{name: {d: list(v) for d, v in dims.items()} for name, dims in s.kept.items()} for s in self.steps]
        return {"format": FORMAT, "steps": steps}

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Self:
        """The history that `to_json` wrote.

        Raises:
            ArtifactError: The record is something else.
        """
        try:
            if record["format"] != FORMAT:
                raise ValueError(f"format {record['format']!r}")
            steps = tuple(
                Step({name: {d: (int(n), str(r)) for d, (n, r) in dims.items()} for name, dims in step.items()})
                for step in record["steps"]
            )
            for step in steps:
                step.places()
            return cls(steps)
        except (KeyError, TypeError, ValueError, AttributeError, MemoryError) as error:
            found = f"a record without {error}" if isinstance(error, KeyError) else str(error)
            raise ArtifactError(
                f"expected the history of a surgery in the format {FORMAT}, received {found}; "
                "take the file from the artifact again, or prune again"
            ) from error


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
