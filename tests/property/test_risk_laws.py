from hypothesis import given, settings
from hypothesis import strategies as st

from sentei.risk import (
    binomial_p_value,
    binomial_upper_bound,
    fixed_sequence,
    paired_drop_p_value,
    paired_drop_upper_bound,
    pareto_order,
)

LITTLE = 1e-9
limits = st.floats(0.0005, 0.9)


@st.composite
def tables(draw):
    """Harmed, helped and all rows, with room for one more discordant row."""
    n = draw(st.integers(2, 3000))
    harmed = draw(st.integers(0, n - 1))
    return harmed, draw(st.integers(0, n - 1 - harmed)), n


@given(st.integers(1, 10**6), st.data(), limits)
def test_more_errors_raise_a_binomial_p_value(n, data, alpha):
    k = data.draw(st.integers(0, n - 1))
    assert 0 <= binomial_p_value(k, n, alpha) <= binomial_p_value(k + 1, n, alpha) + LITTLE <= 1 + LITTLE


@given(st.integers(1, 10**6), st.data(), limits, st.floats(1e-12, 0.5))
def test_a_binomial_bound_and_its_p_value_say_the_same(n, data, alpha, delta):
    k = data.draw(st.integers(0, n))
    bound = binomial_upper_bound(k, n, delta)
    if binomial_p_value(k, n, alpha) <= delta:
        assert bound <= alpha * (1 + LITTLE)
    else:
        assert bound >= alpha * (1 - LITTLE)


@settings(max_examples=60, deadline=None)
@given(tables(), st.floats(0, 0.9))
def test_a_harmed_row_more_raises_the_paired_p_value(table, epsilon):
    h, b, n = table
    fewer, more = paired_drop_p_value(h, b, n, epsilon), paired_drop_p_value(h + 1, b, n, epsilon)
    assert 0.002 <= fewer <= more + LITTLE <= 1 + LITTLE


@settings(max_examples=60, deadline=None)
@given(tables(), st.floats(0, 0.9))
def test_harm_in_place_of_help_raises_the_paired_p_value(table, epsilon):
    h, b, n = table
    assert paired_drop_p_value(h, b + 1, n, epsilon) <= paired_drop_p_value(h + 1, b, n, epsilon) + LITTLE


@settings(max_examples=60, deadline=None)
@given(tables(), st.floats(0, 0.4), st.floats(0, 0.4))
def test_a_wider_tolerance_lowers_the_paired_p_value(table, epsilon, more):
    h, b, n = table
    assert paired_drop_p_value(h, b, n, epsilon + more) <= paired_drop_p_value(h, b, n, epsilon) + LITTLE


@settings(max_examples=40, deadline=None)
@given(tables(), limits, st.floats(0.003, 0.5))
def test_a_paired_bound_and_its_p_value_say_the_same(table, epsilon, delta):
    h, b, n = table
    bound = paired_drop_upper_bound(h, b, n, delta)
    if paired_drop_p_value(h, b, n, epsilon) <= delta:
        assert bound <= epsilon * (1 + 1e-6)
    else:
        assert bound >= epsilon * (1 - 1e-6)


@given(st.lists(st.floats(0, 1), max_size=12), st.floats(0.001, 0.5))
def test_rejections_are_the_longest_run_of_small_p_values_at_the_start(p_values, delta):
    rejected = fixed_sequence(p_values, delta)
    assert rejected == tuple(range(len(rejected)))
    assert all(p_values[i] <= delta for i in rejected)
    assert len(rejected) == len(p_values) or p_values[len(rejected)] > delta


@given(st.lists(st.tuples(st.integers(-5, 5), st.integers(0, 5)), max_size=10), st.randoms(use_true_random=False))
def test_the_front_depends_on_the_values_and_not_on_their_places(points, random):
    shuffled = random.sample(points, len(points))
    front, again = ([p[i] for i in pareto_order(*_columns(p))] for p in (points, shuffled))
    assert front == again
    assert pareto_order(*_columns(points)) == pareto_order(*_columns(points))


def _columns(points):
    return [drop / 100 for drop, _ in points], [float(cost) for _, cost in points]
