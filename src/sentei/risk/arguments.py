"""What counts and probabilities must be before anything is computed from them."""

import math
from collections.abc import Sequence
from numbers import Integral, Real


def check_count(name: str, value: object, low: int, high: int | None = None) -> int:
    """The value as an int, once it is known to be a whole number from ``low`` to ``high``.

    Floats are refused even when whole: a count that was rebuilt from a rate may be off by one.

    Raises:
        ValueError: The value is no integer, or lies outside the range.

    Example:
        >>> check_count("n_errors", 3, 0, 10)
        3
    """
    limits = f"an integer of at least {low}" if high is None else f"an integer between {low} and {high}"
    if not isinstance(value, Integral) or isinstance(value, bool):
        raise ValueError(f"{name} must be {limits}, received {value!r}; count the rows, never multiply a rate")
    number = int(value)
    if number < low or (high is not None and number > high):
        raise ValueError(f"{name} must be {limits}, received {number}; check which rows were counted")
    return number


def check_probability(name: str, value: object, *, zero: bool = False, one: bool = False) -> float:
    """The value as a float, once it is known to be a probability.

    Args:
        name: What the message calls it.
        value: A real number; NaN and booleans are refused.
        zero: Whether 0 itself is allowed.
        one: Whether 1 itself is allowed.

    Raises:
        ValueError: The value is no number, or lies outside the range.

    Example:
        >>> check_probability("delta", 0.05)
        0.05
    """
    low, high = "[" if zero else "(", "]" if one else ")"
    if not isinstance(value, Real) or isinstance(value, bool):
        raise ValueError(f"{name} must be a number in {low}0, 1{high}, received {value!r}")
    number = float(value)
    inside = 0 < number < 1 or (zero and number == 0) or (one and number == 1)
    if not inside:
        raise ValueError(f"{name} must be a number in {low}0, 1{high}, received {number}")
    return number


def check_finite(name: str, values: Sequence[float]) -> tuple[float, ...]:
    """The values as floats, once none of them is NaN or infinite.

    Raises:
        ValueError: A value is not a finite number; the message gives its index.
    """
    for index, value in enumerate(values):
        if not isinstance(value, Real) or isinstance(value, bool) or not math.isfinite(value):
            raise ValueError(f"{name}[{index}] must be a finite number, received {value!r}")
    return tuple(float(value) for value in values)
