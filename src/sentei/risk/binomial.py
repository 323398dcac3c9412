"""The exact binomial test for losses of 0 and 1."""

import sys

from scipy.special import betainc, betaincc, betainccinv

from sentei.risk.arguments import check_count, check_probability

# Smaller probabilities lose their digits and then vanish; a p-value of 0 would lie below the true one.
LEAST = sys.float_info.min


def binomial_p_value(n_errors: int, n_examples: int, alpha: float) -> float:
    """How often a variant sitting exactly at the limit would look this good by luck.

    Args:
        n_errors: Calibration examples with loss 1; between 0 and ``n_examples``.
        n_examples: Size of the calibration set; at least 1.
        alpha: Largest acceptable risk; a probability strictly between 0 and 1.

    Returns:
        P[Bin(n_examples, alpha) <= n_errors], in (0, 1]; where that is below ``LEAST`` (about 2e-308), ``LEAST``.

    Raises:
        ValueError: An argument lies outside its range.

    Guarantee:
        If the examples are independent and the true risk is alpha or more, then
        P[p <= u] <= u for every u in [0, 1].

    Source:
        Angelopoulos et al., Learn then Test, arXiv:2110.01052 (p-values for 0/1 losses).

    Example:
        >>> round(binomial_p_value(n_errors=30, n_examples=1000, alpha=0.05), 4)
        0.0013
    """
    n = check_count("n_examples", n_examples, 1)
    k = check_count("n_errors", n_errors, 0, n)
    return max(LEAST, _cdf(k, n, check_probability("alpha", alpha)))


def binomial_excess_p_value(n_errors: int, n_examples: int, alpha: float) -> float:
    """How often a variant sitting exactly at the limit would look this bad by luck.

    The test of the opposite: a small value shows that the risk is larger than ``alpha``.

    Args:
        n_errors: Examples with loss 1; between 0 and ``n_examples``.
        n_examples: Number of examples; at least 1.
        alpha: Largest acceptable risk; a probability strictly between 0 and 1.

    Returns:
        P[Bin(n_examples, alpha) >= n_errors], in (0, 1]; where that is below ``LEAST`` (about 2e-308), ``LEAST``.

    Raises:
        ValueError: An argument lies outside its range.

    Guarantee:
        If the examples are independent and the true risk is alpha or less, then P[p <= u] <= u for every u in [0, 1].

    Example:
        >>> round(binomial_excess_p_value(n_errors=68, n_examples=1000, alpha=0.05), 4)
        0.0074
    """
    n = check_count("n_examples", n_examples, 1)
    k = check_count("n_errors", n_errors, 0, n)
    alpha = check_probability("alpha", alpha)
    return 1.0 if k == 0 else max(LEAST, float(betainc(k, n - k + 1, alpha)))


def binomial_upper_bound(n_errors: int, n_examples: int, delta: float) -> float:
    """The risk that the variant stays below, with confidence 1 - ``delta``.

    Args:
        n_errors: Calibration examples with loss 1; between 0 and ``n_examples``.
        n_examples: Size of the calibration set; at least 1.
        delta: Acceptable chance of a false bound, in (0, 1); as small as wanted.

    Returns:
        The smallest alpha whose p-value is at most ``delta``, rounded up; in (0, 1], and 1 if every example failed.

    Raises:
        ValueError: An argument lies outside its range.

    Guarantee:
        If the examples are independent, P[true risk > bound] <= ``delta``.

    Source:
        Clopper and Pearson (1934).

    Example:
        >>> round(binomial_upper_bound(n_errors=0, n_examples=298, delta=0.05), 4)
        0.01
    """
    n = check_count("n_examples", n_examples, 1)
    k = check_count("n_errors", n_errors, 0, n)
    delta = check_probability("delta", delta)
    if k == n:
        return 1.0
    # The complement's inverse keeps its digits when delta is tiny; 1 - delta would not.
    bound, step = float(betainccinv(k + 1, n - k, delta)), 1e-14
    while bound < 1 and _cdf(k, n, bound) > delta:
        bound, step = min(1.0, bound * (1 + step) + 1e-300), 2 * step
    return bound


def _cdf(k: int, n: int, alpha: float) -> float:
    return 1.0 if k == n else float(betaincc(k + 1, n - k, alpha))
