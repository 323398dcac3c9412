"""How many calibration rows a variant needs, judged from what the selection split said of it."""

from collections.abc import Callable

from scipy.special import betaincc

from sentei.risk.arguments import check_count, check_probability
from sentei.risk.binomial import binomial_p_value
from sentei.risk.power import paired_power, rows_by_normal_scores

MOST_ROWS = 10**9


def binomial_rows_needed(n_errors: int, n_examples: int, alpha: float, delta: float, power: float = 0.8) -> int | None:
    """With how many calibration rows a variant that errs as often as observed would be certified.

    Args:
        n_errors: Errors on the selection split; between 0 and ``n_examples``.
        n_examples: Rows of the selection split; at least 1.
        alpha: Largest acceptable risk, in (0, 1).
        delta: Acceptable chance of a false claim, in (0, 1).
        power: Wanted chance of a pass, in (0, 1).

    Returns:
        The smallest number of rows with that chance, exactly; None if the observed risk is not below ``alpha`` or
        more than a thousand million rows would be needed. The observed risk is an estimate, and so is this number.

    Raises:
        ValueError: An argument lies outside its range.

    Example:
        >>> binomial_rows_needed(n_errors=0, n_examples=500, alpha=0.01, delta=0.05)
        299
    """
    n = check_count("n_examples", n_examples, 1)
    risk = check_count("n_errors", n_errors, 0, n) / n
    alpha, delta = check_probability("alpha", alpha), check_probability("delta", delta)
    power = check_probability("power", power)
    if risk >= alpha:
        return None

    def rows(k: int) -> int:
        """Fewest rows on which ``k`` errors still pass; a pass is likeliest there, and rarer until ``k + 1`` pass."""
        return _smallest(lambda m: m > k and binomial_p_value(k, m, alpha) <= delta, 1)

    def enough(k: int) -> bool:
        m = rows(k)
        return m > MOST_ROWS or float(betaincc(k + 1, m - k, risk)) >= power

    needed = rows(_smallest(lambda k: enough(k - 1), 1) - 1)
    return needed if needed <= MOST_ROWS else None


def paired_rows_needed(
    n_harmed: int,
    n_helped: int,
    n_examples: int,
    epsilon: float,
    delta: float,
    power: float = 0.8,
    gamma: float = 0.002,
) -> int | None:
    """With how many calibration rows a variant that harms and helps as often as observed would be certified.

    Args:
        n_harmed: Selection rows that the variant gets wrong and the dense model right.
        n_helped: Selection rows that the variant gets right and the dense model wrong.
        n_examples: Rows of the selection split; at least 1.
        epsilon: Largest acceptable accuracy drop, in [0, 1].
        delta: Acceptable chance of a false claim, in (0, 1).
        power: Wanted chance of a pass, in (0, 1).
        gamma: As in ``paired_drop_p_value``.

    Returns:
        The number of rows, within one percent of the smallest with that chance (which rises in small teeth, since
        counts are whole numbers); None if the observed drop is not below ``epsilon``, if ``gamma`` leaves nothing of
        ``delta``, or if more than a thousand million rows would be needed. The observed rates are estimates, and so
        is this number.

    Raises:
        ValueError: An argument lies outside its range.

    Example:
        >>> paired_rows_needed(n_harmed=30, n_helped=31, n_examples=2000, epsilon=0.01, delta=0.05) // 1000
        2
    """
    n = check_count("n_examples", n_examples, 1)
    harmed, helped = check_count("n_harmed", n_harmed, 0, n) / n, check_count("n_helped", n_helped, 0, n) / n
    check_count("n_harmed + n_helped", n_harmed + n_helped, 0, n)
    epsilon = check_probability("epsilon", epsilon, zero=True, one=True)
    delta, power = check_probability("delta", delta), check_probability("power", power)
    gamma = check_probability("gamma", gamma, zero=True)
    if harmed - helped >= epsilon or gamma >= delta:
        return None
    first = rows_by_normal_scores(harmed, helped, epsilon, delta - gamma, power)
    if first > MOST_ROWS:
        return None
    needed = _smallest(lambda m: paired_power(harmed, helped, m, epsilon, delta, gamma) >= power, first, tolerance=0.01)
    return needed if needed <= MOST_ROWS else None


def _smallest(holds: Callable[[int], bool], guess: int, tolerance: float = 0.0) -> int:
    """Smallest number of at least 1 that holds, up to the tolerance; above ``MOST_ROWS`` if none up to there does.

    Steps from the guess grow until they bracket the answer; then the bracket is halved.
    """
    low = high = guess
    step = max(1, guess // 16)
    while low > 0 and holds(low):
        low, high, step = max(0, low - step), low, 2 * step
    while high <= MOST_ROWS and (high == low or not holds(high)):
        low, high, step = high, high + step, 2 * step
    while high - low > max(1.0, tolerance * high):
        middle = (low + high) // 2
        low, high = (low, middle) if holds(middle) else (middle, high)
    return high
