"""Ways to promote a variant by its estimate alone, as the field does it.

Each takes the drops as estimated on the calibration split, shape (n_variants,), the costs, same shape, and epsilon;
variants stand in the order of the sweep that made them, the most careful first. It returns the index of the variant
that it promotes, or None.
"""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def best_point_estimate(drops: Floats, costs: Floats, epsilon: float) -> int | None:
    """The cheapest variant whose estimated drop is within epsilon.

    Example:
        >>> best_point_estimate(np.array([0.0, 0.02, 0.01]), np.array([3.0, 2.0, 1.0]), 0.01)
        2
    """
    within = np.flatnonzero(drops <= epsilon)
    return int(within[np.argmin(costs[within])]) if within.size else None


def best_even_if_it_fails(drops: Floats, costs: Floats, epsilon: float) -> int:
    """The same; if no estimate is within epsilon, the variant that comes nearest.

    Example:
        >>> best_even_if_it_fails(np.array([0.04, 0.02, 0.03]), np.array([3.0, 2.0, 1.0]), 0.01)
        1
    """
    found = best_point_estimate(drops, costs, epsilon)
    return int(np.argmin(drops)) if found is None else found


def last_not_violated(drops: Floats, costs: Floats, epsilon: float) -> int | None:
    """The last variant of the sweep whose estimate is within epsilon, whatever was violated before it.

    Example:
        >>> last_not_violated(np.array([0.0, 0.02, 0.01, 0.03]), np.array([4.0, 3.0, 2.0, 1.0]), 0.01)
        2
    """
    within = np.flatnonzero(drops <= epsilon)
    return int(within[-1]) if within.size else None


RULES = {
    "best point estimate": best_point_estimate,
    "the best, even if it fails": best_even_if_it_fails,
    "last threshold not violated": last_not_violated,
}
