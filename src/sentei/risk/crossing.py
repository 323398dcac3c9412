"""Where a falling p-value reaches its limit; the way from a test to a confidence bound."""

from collections.abc import Callable

from scipy.special import ndtri

_RELATIVE = 1e-9


def last_passing(
    p_value: Callable[[float], float], delta: float, floor: float, low: float, high: float, width: float = 0.0
) -> float:
    """The smallest tolerance that passes, up to one part in 1e9 and never below it.

    Args:
        p_value: Non-increasing in its argument.
        delta: A tolerance passes when its p-value is at most this.
        floor: Smallest value that ``p_value`` can take; only guides the search.
        low: Smallest tolerance to consider.
        high: A tolerance that is known to pass.
        width: The search may also end when the answer is known up to this much; needed where it may be 0 or less.

    Returns:
        A tolerance whose p-value was computed and found to be at most ``delta`` (or ``high``).
    """
    if p_value(low) <= delta:
        return low
    z_goal = _z(delta - floor)
    z_low, z_high = _z(p_value(low) - floor), -8.0
    slow = 0
    while high - low > max(_RELATIVE * high, width):
        middle = _guess(low, high, z_low - z_goal, z_high - z_goal, slow)
        if not low < middle < high:
            break  # there is no number in between
        p = p_value(middle)
        if p <= delta:
            slow = max(slow, 0) + 1
            high, z_high = middle, _z(p - floor)
        else:
            slow = min(slow, 0) - 1
            low, z_low = middle, _z(p - floor)
    return high


def _z(p: float) -> float:
    return float(ndtri(min(max(p, 1e-15), 1 - 1e-15)))


def _guess(low: float, high: float, above: float, below: float, slow: int) -> float:
    """In normal scores a p-value is nearly a line; when one end stays put twice, the interval is halved instead."""
    if abs(slow) >= 2 or above <= below:
        return (low + high) / 2
    share = above / (above - below)
    inside = min(max(share, 1e-3), 1 - 1e-3)
    return low + (high - low) * inside
