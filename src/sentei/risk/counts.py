"""Where two networks are right and wrong, as five integers."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sentei.risk.arguments import check_count


@dataclass(frozen=True)
class Counts:
    """How a variant and its dense model did on the same rows.

    Attributes:
        n_examples: Number of rows, at least 1.
        n_errors: Rows that the variant gets wrong.
        n_dense_errors: Rows that the dense model gets wrong.
        n_harmed: Rows that the variant gets wrong and the dense model right.
        n_helped: Rows that the variant gets right and the dense model wrong.

    Raises:
        ValueError: The five numbers cannot come from one set of rows.
    """

    n_examples: int
    n_errors: int
    n_dense_errors: int
    n_harmed: int
    n_helped: int

    def __post_init__(self) -> None:
        check_count("n_examples", self.n_examples, 1)
        for name in ("n_errors", "n_dense_errors", "n_harmed", "n_helped"):
            check_count(name, getattr(self, name), 0, self.n_examples)
        both_wrong = self.n_errors - self.n_harmed
        together = both_wrong + self.n_harmed + self.n_helped
        if both_wrong < 0 or both_wrong != self.n_dense_errors - self.n_helped or together > self.n_examples:
            raise ValueError(
                f"expected counts of one set of rows, received {self}: they contradict each other; count again"
            )

    @classmethod
    def of(cls, losses: NDArray[np.uint8], dense_losses: NDArray[np.uint8]) -> "Counts":
        """Count two arrays of 0/1 losses on the same rows in the same order.

        Args:
            losses: The variant's, shape (n_examples,), uint8, 0 or 1.
            dense_losses: The dense model's, same shape.

        Raises:
            ValueError: An array is empty, not uint8, not 0/1, or the lengths differ.

        Example:
            >>> variant, dense = np.array([1, 0, 1], np.uint8), np.array([0, 0, 1], np.uint8)
            >>> Counts.of(variant, dense)
            Counts(n_examples=3, n_errors=2, n_dense_errors=1, n_harmed=1, n_helped=0)
        """
        wrong, dense_wrong = _as_wrong("losses", losses), _as_wrong("dense_losses", dense_losses)
        if wrong.shape != dense_wrong.shape:
            raise ValueError(
                f"losses of {wrong.size} rows were paired with dense losses of {dense_wrong.size}; use the same rows"
            )
        return cls(
            n_examples=int(wrong.size),
            n_errors=int(np.count_nonzero(wrong)),
            n_dense_errors=int(np.count_nonzero(dense_wrong)),
            n_harmed=int(np.count_nonzero(wrong & ~dense_wrong)),
            n_helped=int(np.count_nonzero(~wrong & dense_wrong)),
        )


def _as_wrong(name: str, losses: Any) -> NDArray[np.bool_]:
    if not isinstance(losses, np.ndarray) or losses.dtype != np.uint8 or losses.ndim != 1 or losses.size == 0:
        received = f"{losses.dtype} {losses.shape}" if isinstance(losses, np.ndarray) else type(losses).__name__
        raise ValueError(f"{name} must be uint8 of shape (n_examples,) with a row or more, received {received}")
    if losses.max() > 1:
        raise ValueError(f"{name} must hold 0 and 1 only, received {int(losses.max())} in row {int(losses.argmax())}")
    return losses.astype(np.bool_)
