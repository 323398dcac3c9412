"""How often a test of losses passes, judged by drawing from the losses of the selection split."""

from collections.abc import Callable
from functools import partial

import numpy as np
from numpy.typing import ArrayLike

from sentei.risk.arguments import check_count, check_probability
from sentei.risk.bentkus import hoeffding_bentkus_p_value
from sentei.risk.betting import check_limit, check_losses, one_over_wealth
from sentei.risk.pmf import Floats
from sentei.risk.wealth import Stakes


def betting_power(
    losses: ArrayLike,
    n_examples: int,
    alpha: float,
    delta: float,
    upper: float = 1.0,
    seed: int = 0,
    n_draws: int = 200,
) -> float:
    """How often the betting test would pass on ``n_examples`` rows with losses like these.

    Rows are drawn from the given ones with replacement, and tested in the order in which they come. This is a plan and
    no promise: the given losses are an estimate, and losses that none of them shows are never drawn.

    Args:
        losses: Of the selection split, shape (n_selection,), each at most ``upper``.
        n_examples: Calibration rows; at least 1.
        alpha: Largest acceptable risk, below ``upper``.
        delta: Acceptable chance of a false claim, in (0, 1).
        upper: Largest loss there can be.
        seed: An integer of at least 0; the same one gives the same answer.
        n_draws: Data sets to draw; the answer is their share of passes, with a standard error of 0.035 at most for 200.
            A million rows take about 0.05 s each.

    Returns:
        A share in [0, 1].

    Raises:
        ValueError: A loss is NaN, infinite or above ``upper``, or an argument lies outside its range.

    Example:
        >>> betting_power(np.tile([0.0, 0.02, 0.04, 0.06], 50), 500, alpha=0.05, delta=0.05)
        1.0
    """
    rows, upper = check_losses(losses, upper)
    alpha, delta = check_limit(alpha, upper), check_probability("delta", delta)
    return _share(
        lambda drawn: one_over_wealth([Stakes.on(drawn, delta)], alpha, upper) <= delta, rows, n_examples, seed, n_draws
    )


def hoeffding_bentkus_power(
    losses: ArrayLike, n_examples: int, alpha: float, delta: float, seed: int = 0, n_draws: int = 200
) -> float:
    """How often the Hoeffding-Bentkus test would pass on ``n_examples`` rows with losses like these.

    Args:
        losses: Of the selection split, shape (n_selection,), each in [0, 1].
        n_examples: As in ``betting_power``, and so are all that follow.
        alpha: Largest acceptable risk, in (0, 1).
        delta: Acceptable chance of a false claim, in (0, 1).
        seed: An integer of at least 0.
        n_draws: Data sets to draw.

    Returns:
        A share in [0, 1]; a plan and no promise.

    Raises:
        ValueError: A loss is NaN or outside [0, 1], or an argument lies outside its range.
    """
    rows, _ = check_losses(losses, 1.0)
    if float(np.min(rows)) < 0:
        raise ValueError(f"losses must lie in [0, 1], received {np.min(rows)}; plan differences with betting_power")
    alpha, delta = check_probability("alpha", alpha), check_probability("delta", delta)
    return _share(partial(_mean_passes, alpha, delta), rows, n_examples, seed, n_draws)


def _mean_passes(alpha: float, delta: float, drawn: Floats) -> bool:
    return hoeffding_bentkus_p_value(float(np.mean(drawn)), len(drawn), alpha) <= delta


def _share(passes: Callable[[Floats], bool], rows: Floats, n_examples: int, seed: int, n_draws: int) -> float:
    """Of ``n_draws`` data sets; the raw stream is the same in every version of numpy."""
    n, n_draws = check_count("n_examples", n_examples, 1), check_count("n_draws", n_draws, 1)
    stream = np.random.PCG64(np.random.SeedSequence(check_count("seed", seed, 0)))
    return sum(passes(rows[stream.random_raw(n) % np.uint64(len(rows))]) for _ in range(n_draws)) / n_draws
