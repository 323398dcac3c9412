"""Simulated annealing over a list of scores."""

import math

import numpy as np

from sentei.datafree.settings import Annealing


def annealed(scores: list[float], n: int, settings: Annealing, place: tuple[int, ...]) -> list[int]:
    """Some of a list, near the best ones.

    It begins with the best n. An exchange puts one of the others in the place of one that is chosen; it is taken if the
    sum of scores falls, and otherwise with probability exp(-rise / temperature). Temperatures fall geometrically.

    Args:
        scores: In growing order.
        n: How many are chosen; at most all.
        settings: Seed and temperatures.
        place: Tells the uses of one seed apart.

    Returns:
        Places in the list, in growing order: the last state, not the best one.

    Example:
        >>> annealed([0.1, 0.2, 0.9], 3, Annealing(seed=0), (1,))
        [0, 1, 2]
    """
    chosen, others = list(range(n)), list(range(n, len(scores)))
    spread = scores[-1] - scores[0] if scores else 0.0
    if not chosen or not others:
        return chosen
    chance = np.random.default_rng((settings.seed, *place))
    for sweep in range(settings.sweeps):
        temperature = settings.start * spread * settings.cooling**sweep
        for _ in range(n):
            leaving, coming = int(chance.integers(len(chosen))), int(chance.integers(len(others)))
            rise = scores[others[coming]] - scores[chosen[leaving]]
            if rise <= 0 or (temperature > 0 and chance.random() < math.exp(-rise / temperature)):
                chosen[leaving], others[coming] = others[coming], chosen[leaving]
    return sorted(chosen)
