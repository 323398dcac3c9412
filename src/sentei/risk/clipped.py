"""The clipped exact test: count only the harmed rows, and forgive nothing for the helped ones."""

from sentei.risk.arguments import check_count, check_probability
from sentei.risk.binomial import LEAST, binomial_p_value, binomial_upper_bound


def clipped_drop_p_value(n_harmed: int, n_examples: int, epsilon: float) -> float:
    """How often a variant that harms exactly a share ``epsilon`` of all rows would harm this few by luck.

    Tighter than the paired test where disagreements are a handful. Which of the two is used has to be settled before
    the calibration rows are looked at, on the selection split: the smaller of both p-values is none.

    Args:
        n_harmed: Calibration rows that the variant gets wrong and the dense model right.
        n_examples: Size of the calibration set; at least 1.
        epsilon: Largest acceptable accuracy drop, in [0, 1].

    Returns:
        P[Bin(n_examples, epsilon) <= n_harmed], in (0, 1]; 1 if ``epsilon`` is 0.

    Raises:
        ValueError: An argument lies outside its range.

    Guarantee:
        If the rows are independent and the true drop is ``epsilon`` or more, then P[p <= u] <= u for every u: the rate
        of harmed rows is never below the drop.

    Example:
        >>> round(clipped_drop_p_value(n_harmed=3, n_examples=1000, epsilon=0.01), 4)
        0.0101
    """
    n = check_count("n_examples", n_examples, 1)
    n_harmed = check_count("n_harmed", n_harmed, 0, n)
    epsilon = check_probability("epsilon", epsilon, zero=True, one=True)
    if epsilon in (0.0, 1.0):
        return LEAST if epsilon == 1 and n_harmed < n else 1.0
    return binomial_p_value(n_harmed, n, epsilon)


def clipped_drop_upper_bound(n_harmed: int, n_examples: int, delta: float) -> float:
    """The accuracy drop that the variant stays below, with confidence 1 - ``delta``, from its harmed rows alone.

    Args:
        n_harmed: Calibration rows that the variant gets wrong and the dense model right.
        n_examples: Size of the calibration set; at least 1.
        delta: Acceptable chance of a false bound, in (0, 1).

    Returns:
        The smallest epsilon whose p-value is at most ``delta``, rounded up; in (0, 1].

    Raises:
        ValueError: An argument lies outside its range.

    Guarantee:
        If the rows are independent, P[true drop > bound] <= ``delta``.

    Source:
        Clopper and Pearson (1934), for the rate of harmed rows.

    Example:
        >>> round(clipped_drop_upper_bound(n_harmed=0, n_examples=298, delta=0.05), 4)
        0.01
    """
    n = check_count("n_examples", n_examples, 1)
    return binomial_upper_bound(check_count("n_harmed", n_harmed, 0, n), n, delta)
