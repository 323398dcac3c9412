"""The betting test for losses that may lie anywhere below a limit, such as differences of losses."""

import math
from collections.abc import Iterator, Sequence
from numbers import Real

import numpy as np
from numpy.typing import ArrayLike

from sentei.risk.arguments import check_count, check_probability
from sentei.risk.binomial import LEAST
from sentei.risk.crossing import last_passing
from sentei.risk.pmf import Floats, Ints
from sentei.risk.wealth import Stakes, log_wealth

# Above what the exponential and the mean of a few wealths miss.
_ROUND_UP = 1 + 1e-12


def betting_p_value(
    losses: ArrayLike,
    alpha: float,
    *,
    upper: float = 1.0,
    seed: int = 0,
    n_permutations: int = 1,
    delta: float = 0.05,
) -> float:
    """How often a variant whose risk is ``alpha`` would let a gambler win this much who bets that it is below.

    The rows are shuffled by ``seed`` and bet on one after another. The result depends on the order given and on the
    seed, so both have to be settled before the losses are seen; taking the best of several seeds is not valid.

    Args:
        losses: One per row, shape (n,), each at most ``upper``; a lower limit is not needed.
        alpha: Largest acceptable risk, below ``upper``; 0 or less is fine for differences of losses.
        upper: Largest loss there can be.
        seed: An integer of at least 0 that was fixed beforehand, such as the digest of the calibration rows.
        n_permutations: Orders to bet in. With one, p is 1 over the largest wealth on the way. With several it is 1 over
            the mean of the last wealths (a mean of largest ones would not be valid). One proves more, and its bound
            depends more on the seed; docs/adr/0007-betting.md has the figures.
        delta: The level at which the bets are most likely to reach 1 / delta; in (0, 1). Any value is valid.

    Returns:
        The p-value, rounded up; in (0, 1].

    Raises:
        ValueError: A loss is NaN, infinite or above ``upper``, there is none, or an argument lies outside its range.

    Guarantee:
        If the rows are independent and the true risk is alpha or more, then P[p <= u] <= u for every u in [0, 1].

    Source:
        Waudby-Smith and Ramdas, Estimating means of bounded random variables by betting, arXiv:2010.09686.

    Example:
        >>> losses = np.tile([0.0, 0.02, 0.04, 0.06], 250)
        >>> betting_p_value(losses, alpha=0.1) < 0.001 < 0.5 < betting_p_value(losses, alpha=0.03)
        True
    """
    rows, upper = check_losses(losses, upper)
    alpha, delta = check_limit(alpha, upper), check_probability("delta", delta)
    stakes = [Stakes.on(rows[order], delta) for order in _orders(len(rows), seed, n_permutations)]
    return one_over_wealth(stakes, alpha, upper)


def betting_excess_p_value(
    losses: ArrayLike, alpha: float, *, lower: float, seed: int = 0, delta: float = 0.05
) -> float:
    """How often a variant whose risk is ``alpha`` would let a gambler win this much who bets that it is above.

    The test of the opposite: a small value shows that the mean loss is larger than ``alpha``. The bets are those of
    ``betting_p_value`` on ``1 - loss``, that it is below ``1 - alpha``.

    Args:
        losses: One per row, shape (n,), each at least ``lower``.
        alpha: Largest acceptable risk, above ``lower``.
        lower: Smallest loss there can be: 0, or -1 for differences of losses.
        seed: As in ``betting_p_value``.
        delta: As in ``betting_p_value``.

    Returns:
        The p-value, rounded up; in (0, 1].

    Raises:
        ValueError: A loss is NaN, infinite or below ``lower``, there is none, or an argument lies outside its range.

    Guarantee:
        If the rows are independent and the true risk is alpha or less, then P[p <= u] <= u for every u in [0, 1].

    Example:
        >>> losses = np.tile([0.0, 0.2, 0.4, 0.6], 100)
        >>> betting_excess_p_value(losses, alpha=0.1, lower=0) < 0.001 < betting_excess_p_value(losses, 0.3, lower=0)
        True
    """
    rows = 1 - np.asarray(losses, np.float64)
    limit = math.nextafter(1 - alpha, -math.inf)  # the subtraction is rounded: below is the safe side
    return betting_p_value(rows, limit, upper=1 - lower, seed=seed, delta=delta)


def betting_upper_bound(
    losses: ArrayLike, delta: float, *, upper: float = 1.0, seed: int = 0, n_permutations: int = 1
) -> float:
    """The risk that the variant stays below, with confidence 1 - ``delta``, as far as a gambler's winnings show it.

    Args:
        losses: As in ``betting_p_value``, in the same order.
        delta: Acceptable chance of a false bound, in (0, 1); the bets are made for it.
        upper: As in ``betting_p_value``.
        seed: As in ``betting_p_value``.
        n_permutations: As in ``betting_p_value``.

    Returns:
        The smallest alpha whose p-value (with the same ``delta``) is at most ``delta``, rounded up; at most ``upper``.

    Raises:
        ValueError: A loss is NaN, infinite or above ``upper``, there is none, or an argument lies outside its range.

    Guarantee:
        If the rows are independent, P[true risk > bound] <= ``delta``. Bisection is sound because the p-value never
        rises with alpha: each factor 1 - nu (L - alpha) grows with alpha where nu is the bet itself, and also where it
        is the cap c / (upper - alpha), since (L - alpha) / (upper - alpha) falls when L <= upper.

    Example:
        >>> 0.03 < betting_upper_bound(np.tile([0.0, 0.02, 0.04, 0.06], 250), delta=0.05) < 0.05
        True
    """
    rows, upper = check_losses(losses, upper)
    delta = check_probability("delta", delta)
    stakes = [Stakes.on(rows[order], delta) for order in _orders(len(rows), seed, n_permutations)]
    low = float(np.min(rows))  # at the smallest loss every bet is lost
    if low >= upper:
        return upper
    return last_passing(
        lambda alpha: one_over_wealth(stakes, alpha, upper), delta, 0.0, low, upper, 1e-9 * (upper - low)
    )


def one_over_wealth(stakes: Sequence[Stakes], alpha: float, upper: float) -> float:
    """The p-value for rows that were put in order already: one order, or several of the same rows."""
    ends = [log_wealth(each, alpha, upper) for each in stakes]
    if len(ends) == 1:
        return _one_over(ends[0][0])
    last = np.array([end for _, end in ends])
    top = float(np.max(last))
    return _one_over(top + math.log(float(np.mean(np.exp(last - top)))))


def _one_over(log_wealth: float) -> float:
    return 1.0 if log_wealth <= 0 else min(1.0, max(LEAST, math.exp(-log_wealth) * _ROUND_UP))


def check_losses(losses: ArrayLike, upper: float) -> tuple[Floats, float]:
    """The losses as doubles and their upper limit, once there is a loss and none of them is above it.

    Raises:
        ValueError: A loss is NaN, infinite or above ``upper``, or they are no row of numbers.
    """
    upper = _finite("upper", upper)
    rows = np.asarray(losses)
    if rows.ndim != 1 or rows.size == 0 or rows.dtype.kind not in "fiu":
        raise ValueError(
            f"losses must be numbers of shape (n,) with a row or more, received {rows.dtype} {rows.shape}; "
            "pass one loss per row"
        )
    rows = rows.astype(np.float64)
    wrong = np.flatnonzero(~(np.isfinite(rows) & (rows <= upper)))
    if wrong.size:
        raise ValueError(
            f"losses must be finite and at most upper = {upper}, received {rows[wrong[0]]} in row {wrong[0]}"
        )
    return rows, upper


def check_limit(alpha: float, upper: float) -> float:
    """The limit as a float, once it is known to be below the largest loss.

    Raises:
        ValueError: It is not finite, or no risk could be above it.
    """
    alpha = _finite("alpha", alpha)
    if not alpha < upper:
        raise ValueError(f"alpha must be below upper = {upper}, received {alpha}; no risk can be above it anyway")
    return alpha


def _orders(n: int, seed: int, n_permutations: int) -> Iterator[Ints]:
    """Orders that stay the same in every version of numpy: it promises the raw stream, not ``permutation``."""
    seed = check_count("seed", seed, 0)
    for index in range(check_count("n_permutations", n_permutations, 1)):
        keys = np.random.PCG64(np.random.SeedSequence(seed, spawn_key=(index,))).random_raw(n)
        yield np.argsort(keys, kind="stable")


def _finite(name: str, value: object) -> float:
    if not isinstance(value, Real) or isinstance(value, bool) or not math.isfinite(value):
        raise ValueError(f"{name} must be a finite number, received {value!r}")
    return float(value)
