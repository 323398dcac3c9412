"""How long one answer takes."""

from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter_ns

import numpy as np

from sentei.evaluation.served import ServedModel


@dataclass(frozen=True)
class Latency:
    """The spread of the time that one call takes, in milliseconds.

    Attributes:
        median_ms: Half of the calls took at most this long.
        p10_ms: A tenth of them.
        p90_ms: Nine tenths of them.
        n_calls: Calls that were timed.
    """

    median_ms: float
    p10_ms: float
    p90_ms: float
    n_calls: int


def measure_latency(served: ServedModel, example: np.ndarray, repeats: int = 200, warm_up: int = 20) -> Latency:
    """How long the served network takes for these rows, call by call.

    Args:
        served: With the threads that shall be measured; one is the honest choice for comparing networks.
        example: Rows of one call, ``(n, ...)``; one row measures latency.
        repeats: Timed calls; at least 1.
        warm_up: Calls before them that do not count: the first ones allocate.

    Returns:
        Milliseconds, rounded to a tenth of a microsecond.
    """
    for _ in range(warm_up):
        served.logits(example, len(example))
    times = np.empty(repeats)
    for call in range(repeats):
        start = perf_counter_ns()
        served.logits(example, len(example))
        times[call] = (perf_counter_ns() - start) / 1e6
    p10, median, p90 = (round(float(value), 4) for value in np.quantile(times, (0.1, 0.5, 0.9)))
    return Latency(median, p10, p90, repeats)


@dataclass(frozen=True)
class Comparison:
    """Two networks timed in turns.

    Attributes:
        base_ms: Median of the first one's calls, in milliseconds.
        ratio: Median over the turns of the second one's time divided by the first one's.
        low: The 2.5 % quantile of that median over resampled turns.
        high: The 97.5 % quantile.
        n_turns: Turns that were timed.
    """

    base_ms: float
    ratio: float
    low: float
    high: float
    n_turns: int


def compare_latency(
    base: Callable[[np.ndarray], object] | ServedModel,
    other: Callable[[np.ndarray], object] | ServedModel,
    example: np.ndarray,
    repeats: int = 100,
    warm_up: int = 10,
) -> Comparison:
    """How long one network takes beside another, call by call in turns, so that what slows the machine slows both.

    Args:
        base: Served, or any function of rows.
        other: Likewise.
        example: Rows of one call, ``(n, ...)``.
        repeats: Timed turns; at least 1.
        warm_up: Turns before them that do not count.

    Returns:
        The ratio of the times, with an interval by bootstrap over turns (seeded).
    """
    calls = [one.logits if isinstance(one, ServedModel) else one for one in (base, other)]
    for call in calls * warm_up:
        call(example)
    times = np.empty((repeats, 2))
    for turn in range(repeats):
        for place in (0, 1) if turn % 2 else (1, 0):  # neither is always the one that comes second
            start = perf_counter_ns()
            calls[place](example)
            times[turn, place] = (perf_counter_ns() - start) / 1e6
    ratios = times[:, 1] / times[:, 0]
    resampled = np.random.default_rng(0).choice(ratios, (1000, repeats))
    low, high = np.quantile(np.median(resampled, axis=1), (0.025, 0.975))
    return Comparison(float(np.median(times[:, 0])), float(np.median(ratios)), float(low), float(high), repeats)
