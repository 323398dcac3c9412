"""Evidence that may be looked at after every row, to certify while labels arrive, or to revoke."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from sentei.risk.arguments import check_count
from sentei.risk.decimals import parse_decimal
from sentei.risk.levels import Exact, exact_level
from sentei.risk.mixture import SHARES, play, wealth
from sentei.risk.pmf import Floats
from sentei.risk.wealth import CAP

FORMAT = "sentei.eprocess/1"


@dataclass(frozen=True)
class EProcess:
    """What a gambler owns who started with 1 and bets, row by row, against a hypothesis about a mean.

    To certify, the hypothesis is "the mean of D is ``limit`` or more", and a row multiplies the wealth by
    1 + mu (limit - D); to revoke, it is "the mean of D is ``limit`` or less", and the factor is 1 + mu (D - limit). The
    bet mu follows from the rows before, and risks 0.9 of the wealth at most.

    Four constant bets are played side by side, and capital enters the game little by little (``mixture.play``), which
    together is one such product. While all is well the evidence thus never shrinks to nothing, and when the world moves
    after 20 000 good rows, from 2 to 10 % against a limit of 5 %, that shows within 900 rows (median of seeded draws).
    A bet on the running mean, or the same four bets with all capital in the game at once, took 14 000.

    A value never changes: ``update`` gives a new one, ``state`` writes it down and ``resumed`` reads it back.

    Attributes:
        direction: ``certify`` or ``revoke``.
        limit: Decimal text between ``low`` and ``high``.
        low: Decimal text; smallest D there is.
        high: Decimal text; largest D there is.
        n_rows: Rows that were seen.
        total: Sum of D over them, for reports.
        stakes: What is in the game, at each of the bets.
        peak: Largest wealth so far.

    Raises:
        ValueError: The texts or numbers are not as above.

    Guarantee:
        If every D has a mean on the wrong side of ``limit``, given the rows before it, then the wealth ever reaches
        1 / delta with probability delta at most: look after every row, stop whenever you like, and go on if you like.

    Source:
        Ville (1939); Waudby-Smith and Ramdas, arXiv:2010.09686; Shin, Ramdas and Rinaldo, arXiv:2203.03532.

    Example:
        >>> evidence = EProcess.revoke("0.02").update([0, 0, 1, 0]).update([1, 1, 1])
        >>> evidence.n_rows, evidence.crossed(0.05), evidence.crossed(1e-9)
        (7, True, False)
    """

    direction: str
    limit: str
    low: str
    high: str
    n_rows: int = 0
    total: float = 0.0
    stakes: tuple[float, ...] = (0.0,) * len(SHARES)
    peak: float = 1.0

    def __post_init__(self) -> None:
        low, limit, high = (parse_decimal(name, getattr(self, name)) for name in ("low", "limit", "high"))
        inside = {"certify": low <= limit < high, "revoke": low < limit <= high}
        if not inside.get(self.direction, False):
            raise ValueError(
                "expected to certify with low <= limit < high, or to revoke with low < limit <= high, received "
                f"{self.direction!r} with {low}, {limit}, {high}; nothing else can be shown"
            )
        check_count("n_rows", self.n_rows, 0)
        owned = (*self.stakes, self.peak - 1)
        if len(self.stakes) != len(SHARES) or not all(math.isfinite(own) and own >= 0 for own in owned):
            raise ValueError(f"expected {len(SHARES)} stakes of 0 or more and a peak of 1 or more, received {self}")

    @classmethod
    def certify(cls, epsilon: str, low: str = "-1", high: str = "1") -> "EProcess":
        """No evidence yet that the mean of D is below ``epsilon``, where ``low`` <= epsilon < ``high``."""
        return cls("certify", epsilon, low, high)

    @classmethod
    def revoke(cls, limit: str, low: str = "0", high: str = "1") -> "EProcess":
        """No evidence yet that the mean of D is above ``limit``, where ``low`` < limit <= ``high``."""
        return cls("revoke", limit, low, high)

    def update(self, values: ArrayLike) -> "EProcess":
        """The evidence with some more rows; cut into pieces anywhere, the same rows give the same bits.

        Args:
            values: D of each row in the order in which they came, shape (n_more,), each in [low, high]; a million take
                two seconds.

        Raises:
            ValueError: A value is NaN or out of range, or they are no row of numbers.
        """
        rows = self._checked(values)
        if not rows.size:
            return self
        limit = self._limit()
        gains, room = (rows - limit, limit - float(self.low))
        if self.direction == "certify":
            gains, room = (limit - rows, float(self.high) - limit)
        stakes, peak = play(self.stakes, self.n_rows, gains, CAP / room)
        total = float(np.cumsum(np.concatenate([[self.total], rows]))[-1])
        n_rows = self.n_rows + rows.size
        return replace(self, n_rows=n_rows, total=total, stakes=stakes, peak=max(self.peak, peak))

    @property
    def wealth(self) -> float:
        """What is owned now; the evidence of this moment, 1 before the first row."""
        return wealth(self.stakes, self.n_rows) if self.n_rows else 1.0

    @property
    def mean(self) -> float:
        """Observed mean of D, NaN before the first row; an estimate and no bound."""
        return self.total / self.n_rows if self.n_rows else math.nan

    @property
    def p_value(self) -> float:
        """One over the largest wealth so far, rounded up: valid whenever it is looked at."""
        return min(1.0, math.nextafter(1.0 / self.peak, 2.0))

    def crossed(self, delta: Exact) -> bool:
        """Whether the wealth has ever reached 1 / ``delta``, a level in (0, 1) that was fixed beforehand."""
        return Fraction(self.peak) * exact_level(delta) >= 1

    def state(self) -> dict[str, Any]:
        """The whole of it for a JSON file: texts and integers, every float as the text that gives it back."""
        texts = {"total": repr(self.total), "stakes": [repr(own) for own in self.stakes], "peak": repr(self.peak)}
        return {"format": FORMAT, **{field.name: getattr(self, field.name) for field in fields(self)}, **texts}

    @classmethod
    def resumed(cls, state: Mapping[str, Any]) -> "EProcess":
        """The evidence that ``state`` wrote down, bit for bit.

        Raises:
            ValueError: The format is unknown, a field is missing or unknown, or a number is not as it was written.
        """
        names = {field.name for field in fields(cls)}
        if state.get("format") != FORMAT or set(state) != names | {"format"}:
            raise ValueError(f"expected a state of format {FORMAT} with {sorted(names)}, received {dict(state)}")
        stakes = tuple(_float(text) for text in state["stakes"])
        numbers: dict[str, Any] = {"total": _float(state["total"]), "stakes": stakes, "peak": _float(state["peak"])}
        return cls(**{name: numbers.get(name, state[name]) for name in names})

    def _limit(self) -> float:
        """The limit as a double on the safe side: a decimal text need not be one."""
        nearest = float(self.limit)
        safe = nearest >= Fraction(self.limit) if self.direction == "revoke" else nearest <= Fraction(self.limit)
        return nearest if safe else math.nextafter(nearest, math.inf if self.direction == "revoke" else -math.inf)

    def _checked(self, values: ArrayLike) -> Floats:
        rows = np.asarray(values)
        if rows.ndim != 1 or (rows.size and rows.dtype.kind not in "fiu"):
            raise ValueError(f"values must be numbers of shape (n_more,), received {rows.dtype} {rows.shape}")
        rows = rows.astype(np.float64)
        wrong = np.flatnonzero(~((rows >= float(self.low)) & (rows <= float(self.high))))
        if wrong.size:
            raise ValueError(
                f"values must lie in [{self.low}, {self.high}], received {rows[wrong[0]]} in row {wrong[0]} of these"
            )
        return rows


def _float(text: object) -> float:
    if not isinstance(text, str) or repr(value := float(text)) != text:
        raise ValueError(f"expected the text of a double, received {text!r}; a state is read as it was written")
    return value
