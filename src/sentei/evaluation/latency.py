"""How long one answer takes."""

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
