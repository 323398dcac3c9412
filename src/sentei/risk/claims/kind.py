"""What every kind of claim can do."""

from decimal import Decimal
from typing import Protocol

from sentei.risk.counts import Counts


class Kind(Protocol):
    """A claim about a true risk: how it is tested, bounded, planned and said.

    Tolerances, delta and gamma arrive checked: probabilities that came from decimal texts.
    """

    @property
    def name(self) -> str:
        """The word in recipes and certificates."""

    @property
    def default_gamma(self) -> str:
        """Decimal text of the gamma that is used when none is asked for; "0" where there is no nuisance parameter."""

    def check(self, tolerance: Decimal, delta: Decimal, gamma: Decimal) -> None:
        """Raise ``ValueError`` if no data at all could prove this claim, or if it claims nothing."""

    def p_value(self, counts: Counts, tolerance: float, gamma: float) -> float:
        """Valid p-value of the hypothesis that the claim is false."""

    def upper_bound(self, counts: Counts, delta: float, gamma: float) -> float:
        """The smallest tolerance that these counts prove."""

    def estimate(self, counts: Counts) -> tuple[int, int]:
        """What was observed, as a fraction: numerator and denominator."""

    def rows_needed(self, counts: Counts, tolerance: float, delta: float, gamma: float, power: float) -> int | None:
        """Calibration rows with which such a variant would pass with probability ``power``; None if none would do."""

    def describe_limit(self, limit: Decimal) -> str:
        """The claim in words, after "with confidence ..."."""

    def describe_counts(self, counts: Counts) -> str:
        """The counts that the test rests on, in words."""
