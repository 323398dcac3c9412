"""What every kind of claim can do."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Protocol

from sentei.risk.pair import Pair
from sentei.risk.tally import Seen, Tally


@dataclass(frozen=True)
class Terms:
    """A claim's numbers, checked, with what was settled on the selection split put among its settings.

    Attributes:
        tolerance: Epsilon or alpha.
        delta: Acceptable chance of a false claim.
        gamma: The part of it that a nuisance parameter takes; 0 for kinds without one.
        settings: Texts by name.
    """

    tolerance: float
    delta: float
    gamma: float
    settings: Mapping[str, str]


class Kind(Protocol):
    """A claim about a true risk: how it is counted, tested, bounded, planned and said.

    ``seen`` is always what ``see`` returned, hence Any: each kind counts in its own way.
    """

    @property
    def name(self) -> str:
        """The word in recipes and certificates."""

    @property
    def default_gamma(self) -> str:
        """Decimal text of the gamma that is used when none is asked for; "0" where there is no nuisance parameter."""

    @property
    def defaults(self) -> Mapping[str, str]:
        """Every setting that the kind takes, with its default; an empty text where one must be given."""

    def check(self, tolerance: Decimal, delta: Decimal, gamma: Decimal, settings: Mapping[str, str]) -> None:
        """Raise ``ValueError`` if no data at all could prove this claim, or if it claims nothing."""

    def columns(self, settings: Mapping[str, str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Names of the columns that it reads of a variant, and of the dense model."""

    def settle(self, selection: Pair, n_rows: int, terms: Terms) -> dict[str, str]:
        """What the selection split decides: the method, a threshold; ``n_rows`` is the number of calibration rows."""

    def see(self, pair: Pair, settings: Mapping[str, str]) -> Seen:
        """Count one variant on some rows."""

    def p_value(self, seen: Any, terms: Terms) -> float:
        """Valid p-value of the hypothesis that the claim is false."""

    def counter_p_value(self, seen: Any, terms: Terms) -> float:
        """Valid p-value of the hypothesis that the claim is true: a small one refutes it."""

    def upper_bound(self, seen: Any, terms: Terms) -> float:
        """The smallest tolerance that these rows prove."""

    def estimate(self, tally: Any) -> tuple[int, int]:
        """What was observed, as a fraction: numerator and denominator."""

    def chance(self, seen: Any, terms: Terms, n_rows: int) -> float:
        """How likely a variant like this one passes on ``n_rows`` calibration rows; an estimate."""

    def rows_needed(self, seen: Any, terms: Terms, power: float) -> int | None:
        """Calibration rows with which such a variant would pass with probability ``power``; None if none would do."""

    def flawless(self, n_rows: int, settings: Mapping[str, str]) -> Seen:
        """The best that could be seen on so many rows."""

    def describe_limit(self, limit: Decimal, settings: Mapping[str, str]) -> str:
        """The claim in words, after "with confidence ..."."""

    def describe_tally(self, tally: Any) -> str:
        """The counts that the test rests on, in words."""


__all__ = ["Kind", "Tally", "Terms"]
