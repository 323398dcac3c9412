"""What a claim counts on some rows: integers only, so that records of them have one text."""

import hashlib
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sentei.risk.arguments import check_count
from sentei.risk.counts import Counts

MILLION = 1_000_000
"""Bounded losses are integers in millionths: the loss of a row is rounded to six decimals by definition."""


@dataclass(frozen=True)
class Disagreements:
    """Rows on which two networks name different classes.

    Attributes:
        n_examples: Number of rows, at least 1.
        n_disagreements: Rows where the classes differ, or where one of the networks names none.
    """

    n_examples: int
    n_disagreements: int

    def __post_init__(self) -> None:
        check_count("n_examples", self.n_examples, 1)
        check_count("n_disagreements", self.n_disagreements, 0, self.n_examples)


@dataclass(frozen=True)
class Accepted:
    """Errors among the rows of which the dense model is confident.

    Attributes:
        n_examples: Number of rows, at least 1.
        n_accepted: Rows where the dense model's confidence reaches the threshold.
        n_errors: Rows among these that the variant gets wrong.
    """

    n_examples: int
    n_accepted: int
    n_errors: int

    def __post_init__(self) -> None:
        check_count("n_examples", self.n_examples, 1)
        check_count("n_accepted", self.n_accepted, 0, self.n_examples)
        check_count("n_errors", self.n_errors, 0, self.n_accepted)


@dataclass(frozen=True)
class Stratum:
    """The rows of one class; the counts are None where there is no row of it."""

    label: int
    counts: Counts | None


@dataclass(frozen=True)
class PerClass:
    """Counts within each class.

    Attributes:
        n_examples: Number of rows, at least 1; every row belongs to one class.
        classes: One stratum per class, by rising label.
    """

    n_examples: int
    classes: tuple[Stratum, ...]

    def __post_init__(self) -> None:
        check_count("n_examples", self.n_examples, 1)
        labels = [stratum.label for stratum in self.classes]
        total = sum(stratum.counts.n_examples for stratum in self.classes if stratum.counts)
        if labels != sorted(set(labels)) or total != self.n_examples:
            raise ValueError(
                f"expected every row in one class, labels rising, received {labels} with {total} of {self.n_examples}"
            )


@dataclass(frozen=True)
class LossSum:
    """The sum of bounded losses, and the digest of the losses in their order.

    Attributes:
        n_examples: Number of rows, at least 1.
        total: Sum of the losses in millionths; of loss differences where the claim compares two networks.
        losses_digest: SHA-256 of the losses in millionths, int32, little-endian, in the rows' order.
    """

    n_examples: int
    total: int
    losses_digest: str

    def __post_init__(self) -> None:
        check_count("n_examples", self.n_examples, 1)
        check_count("total", self.total, -MILLION * self.n_examples, MILLION * self.n_examples)


@dataclass(frozen=True, eq=False)
class LossRows:
    """Bounded losses row by row, for tests that go through them one after another.

    Attributes:
        losses: Millionths, shape (n_examples,), int32; each in [-1 000 000, 1 000 000].
        seed: Pins the order in which a betting test goes through the rows; fixed before they are seen.
    """

    losses: NDArray[np.int32]
    seed: int

    def __post_init__(self) -> None:
        losses: Any = self.losses
        if not isinstance(losses, np.ndarray) or losses.dtype != np.int32 or losses.ndim != 1 or losses.size == 0:
            raise ValueError(f"losses must be int32 of shape (n_examples,) with a row or more, received {losses!r:.60}")
        if np.abs(losses.astype(np.int64)).max() > MILLION:
            raise ValueError("losses are millionths within [-1 000 000, 1 000 000]; received a larger one")

    @property
    def tally(self) -> LossSum:
        """Their sum and digest."""
        digest = hashlib.sha256(self.losses.astype("<i4").tobytes()).hexdigest()
        return LossSum(len(self.losses), int(self.losses.sum(dtype=np.int64)), digest)


Tally = Counts | Disagreements | Accepted | PerClass | LossSum
Seen = Counts | Disagreements | Accepted | PerClass | LossRows


def tally_of(seen: Seen) -> Tally:
    """What a record keeps of it."""
    return seen.tally if isinstance(seen, LossRows) else seen
