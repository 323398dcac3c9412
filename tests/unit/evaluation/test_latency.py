"""How long answers take: who is called how often and in which order, and what the numbers mean. No time is asserted."""

import time

import numpy as np
import pytest
from torch import nn

from sentei.data.preprocessing import Preprocessing
from sentei.evaluation import latency
from sentei.evaluation.export import export_onnx
from sentei.evaluation.latency import compare_latency, measure_latency
from sentei.evaluation.served import ServedModel

ROW = np.zeros((1, 4), np.uint8)


@pytest.fixture
def clock(monkeypatch):
    """A clock in nanoseconds that stands still unless it is told to go on."""

    class Clock:
        now = 0

        def taking(self, *milliseconds):
            """A function of rows that takes these times in turn, and remembers when it was called."""
            times = iter(milliseconds)

            def call(rows):
                call.seen.append((self.now, rows))
                self.now += round(1e6 * next(times))

            call.seen = []
            return call

    clock = Clock()
    monkeypatch.setattr(latency, "perf_counter_ns", lambda: clock.now)
    return clock


def test_the_ratio_is_the_median_over_turns_and_not_of_the_medians(clock):
    base, other = clock.taking(9, 1, 2, 4), clock.taking(9, 3, 2, 10)
    found = compare_latency(base, other, ROW, repeats=3, warm_up=1)
    assert (found.base_ms, found.ratio, found.n_turns) == (2.0, 2.5, 3)  # of 3/1, 2/2 and 10/4
    assert found.low == 1.0  # in 7 of 27 samples of three turns two or more are the least
    assert found.high == 3.0


def test_what_slows_the_machine_for_a_while_slows_both_and_leaves_the_ratio(clock):
    speeds = [1.0] * 10 + [7.0] * 8 + [1.0] * 12
    base, other = clock.taking(*speeds), clock.taking(*(2 * speed for speed in speeds))
    found = compare_latency(base, other, ROW, repeats=30, warm_up=0)
    assert (found.ratio, found.low, found.high) == (2.0, 2.0, 2.0)


def test_they_are_called_in_turns_and_neither_is_always_the_second(clock):
    base, other = clock.taking(*[1] * 9), clock.taking(*[1] * 9)
    compare_latency(base, other, ROW, repeats=4, warm_up=5)
    timed = sorted([(when, "base") for when, _ in base.seen[5:]] + [(when, "other") for when, _ in other.seen[5:]])
    assert [who for _, who in timed] == ["other", "base", "base", "other"] * 2
    assert all(rows is ROW for _, rows in base.seen + other.seen)
    assert max(when for when, _ in base.seen[:5] + other.seen[:5]) < timed[0][0]


def test_the_interval_repeats_and_holds_the_ratio(clock):
    times = np.random.default_rng(1).uniform(1, 3, (2, 2, 40))
    one, again = (compare_latency(clock.taking(*times[0, 0]), clock.taking(*times[0, 1]), ROW, 40, 0) for _ in "ab")
    assert one == again
    assert one.low < one.ratio < one.high


@pytest.fixture(scope="module")
def served():
    net = nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2)).eval()
    return ServedModel(export_onnx(net, Preprocessing(1 / 255, (0.0,) * 4, (1.0,) * 4), (4,), "uint8"), threads=1)


def test_served_networks_and_functions_can_be_compared(served):
    found = compare_latency(served, lambda rows: served.logits(rows, len(rows)), ROW, repeats=5, warm_up=1)
    assert 0 < found.low <= found.ratio <= found.high < np.inf
    assert found.base_ms > 0


def test_the_quantiles_of_calls_are_in_order_and_of_the_time_that_passed(served):
    start = time.perf_counter()
    found = measure_latency(served, ROW, repeats=30, warm_up=2)
    passed_ms = 1000 * (time.perf_counter() - start)
    assert 0 < found.p10_ms <= found.median_ms <= found.p90_ms
    assert found.n_calls == 30
    assert 15 * found.median_ms <= passed_ms
