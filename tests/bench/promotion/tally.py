"""What became of many repetitions: false promotions with their interval and odds, and what the right ones are worth."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import scipy.stats

from tests.bench.promotion.worlds import World

Promoted = Sequence[tuple[World, str | None]]
"""In each repetition: the family, and the name of the variant that was promoted, or None."""


def tally(promoted: Promoted, epsilon: str) -> dict[str, Any]:
    """False promotions, and the worth of the others.

    Returns:
        ``correct``: how often something admissible was promoted. ``mean_saving``: the cost truly saved, as a share of
        what the best admissible variant would save, with 0 for refusals and false promotions. Both are means over the
        repetitions in which there was something to find, and None if there was none. ``interval``: Clopper and
        Pearson's, 95 %, of the rate of false promotions.
    """
    n_false, n = count_false(promoted, epsilon), len(promoted)
    findable = [(world, name) for world, name in promoted if world.admissible(epsilon)]
    return {
        "n": n,
        "n_false": n_false,
        "false_promotion_rate": round(n_false / n, 5),
        "interval": interval(n_false, n),
        "n_refused": sum(name is None for _, name in promoted),
        "n_findable": len(findable),
        "correct": _mean([name in world.admissible(epsilon) for world, name in findable]),
        "mean_saving": _mean([world.saving(name, epsilon) for world, name in findable]),
    }


def odds(promoted: Promoted, epsilon: str, delta: str) -> dict[str, Any]:
    """How the count stands to the promise.

    Returns:
        ``limit``: what a valid decision exceeds less than once in a million benchmarks. ``chance_of_as_many``: the
        chance of this count or a larger one if every decision were wrong with probability delta.
    """
    n, n_false = len(promoted), count_false(promoted, epsilon)
    limit = int(scipy.stats.binom.isf(1e-6, n, float(delta)))
    as_many = float(scipy.stats.binom.sf(n_false - 1, n, float(delta)))
    return {"limit": limit, "within_limit": n_false <= limit, "chance_of_as_many": float(f"{as_many:.3g}")}


def count_false(promoted: Promoted, epsilon: str) -> int:
    """Repetitions in which a variant was promoted whose true drop is above epsilon."""
    return sum(name is not None and name not in world.admissible(epsilon) for world, name in promoted)


def interval(n_hits: int, n: int) -> list[float]:
    """Both ends of Clopper and Pearson's 95 % interval.

    Example:
        >>> interval(0, 100)
        [0.0, 0.03622]
    """
    found = scipy.stats.binomtest(n_hits, n).proportion_ci(0.95, "exact")
    return [round(float(end), 5) for end in (found.low, found.high)]


def _mean(values: Sequence[float]) -> float | None:
    return round(float(np.mean(values)), 4) if values else None
