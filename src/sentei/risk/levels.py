"""P-values and levels as exact numbers, so that a tie at the threshold is decided exactly."""

import math
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction

Exact = float | Decimal | Fraction
Ask = Callable[[int], Exact]


def exact_probability(name: str, value: Exact) -> Fraction:
    """The value itself, with no rounding, once it is known to lie in [0, 1].

    Raises:
        ValueError: The value is no number or lies outside the range.

    Example:
        >>> exact_probability("delta", Decimal("0.05")), exact_probability("delta", 0.5)
        (Fraction(1, 20), Fraction(1, 2))
    """
    known = isinstance(value, int | float | Decimal | Fraction) and not isinstance(value, bool)
    if not known or (isinstance(value, float | Decimal) and not math.isfinite(value)) or not 0 <= value <= 1:
        raise ValueError(f"{name} must be a float, Decimal or Fraction in [0, 1], received {value!r}")
    return Fraction(value)


def exact_level(delta: Exact) -> Fraction:
    """The acceptable chance of a false claim, exactly; strictly between 0 and 1.

    Raises:
        ValueError: It is no number or lies outside the range.
    """
    level = exact_probability("delta", delta)
    if not 0 < level < 1:
        raise ValueError(f"delta must lie strictly between 0 and 1, received {delta!r}")
    return level


def asked(ask: Ask, index: int) -> Fraction:
    """The p-value that ``ask`` gives for this hypothesis, exactly.

    Raises:
        ValueError: It is no probability.
    """
    return exact_probability(f"p_values[{index}]", ask(index))
