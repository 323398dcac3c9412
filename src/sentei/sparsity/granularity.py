"""What leaves as a whole: a weight, some of every few, a block, or a channel."""

import re
from dataclasses import dataclass
from typing import Literal, Self

_N_OF_M = re.compile(r"([1-9][0-9]{0,2}):([1-9][0-9]{0,2})", re.ASCII)
_BLOCK = re.compile(r"block:([1-9][0-9]{0,4})x([1-9][0-9]{0,4})", re.ASCII)


@dataclass(frozen=True)
class Granularity:
    """The smallest thing that a mask keeps or prunes as a whole.

    Attributes:
        kind: ``weight``; ``n:m`` (of every m weights along the input, n stay); ``block``; or ``channel``, which stands
            for channels and heads, and for which `keep_units` chooses.
        first: n of ``n:m``, rows of a block; 1 otherwise.
        second: m of ``n:m``, columns of a block; 1 otherwise.
    """

    kind: Literal["weight", "n:m", "block", "channel"] = "weight"
    first: int = 1
    second: int = 1

    def __post_init__(self) -> None:
        """Refuse what no mask can be.

        Raises:
            ValueError: A number is below 1, or n:m keeps all or more than all.
        """
        if min(self.first, self.second) < 1:
            raise ValueError(f"sizes of a granularity are at least 1, received {self.first} and {self.second}")
        if self.kind == "n:m" and self.first >= self.second:
            raise ValueError(f"n:m keeps n of every m weights, n < m, received {self.first}:{self.second}")

    @classmethod
    def parse(cls, text: str) -> Self:
        """The granularity that a text names.

        Args:
            text: ``weight``, ``channel``, ``2:4`` or any other n:m, ``block:4x4`` or any other rows x columns.

        Raises:
            ValueError: The text names none.

        Example:
            >>> Granularity.parse("2:4"), str(Granularity.parse("block:4x1"))
            (Granularity(kind='n:m', first=2, second=4), 'block:4x1')
        """
        if text == "weight":
            return cls("weight")
        if text == "channel":
            return cls("channel")
        if found := _N_OF_M.fullmatch(text):
            return cls("n:m", int(found[1]), int(found[2]))
        if found := _BLOCK.fullmatch(text):
            return cls("block", int(found[1]), int(found[2]))
        raise ValueError(
            f"granularity is 'weight', 'channel', n:m as '2:4', or a block as 'block:4x4'; received {text!r}"
        )

    def __str__(self) -> str:
        """The text that `parse` reads."""
        if self.kind == "n:m":
            return f"{self.first}:{self.second}"
        return f"block:{self.first}x{self.second}" if self.kind == "block" else self.kind


WEIGHT = Granularity("weight")
