from fractions import Fraction

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from sentei.risk import (
    EProcess,
    betting_p_value,
    betting_upper_bound,
    bonferroni,
    clipped_drop_p_value,
    fallback,
    fixed_sequence,
    hoeffding_bentkus_p_value,
    hoeffding_bentkus_upper_bound,
    holm,
    multi_start,
    paired_drop_p_value,
)

LITTLE = 1e-9
shares = st.fractions(0, 1, max_denominator=10**6)
limits = st.floats(0.0005, 0.95)
levels = st.floats(1e-6, 0.5)
losses = st.lists(st.floats(-1, 1), min_size=1, max_size=60)
families = st.lists(st.fractions(0, 1, max_denominator=64), min_size=1, max_size=9)
deltas = st.fractions(Fraction(1, 64), Fraction(63, 64), max_denominator=64)


@given(shares, shares, st.integers(1, 10**6), limits)
def test_a_larger_mean_raises_the_hoeffding_bentkus_p_value(one, other, n, alpha):
    smaller, larger = (hoeffding_bentkus_p_value(mean, n, alpha) for mean in sorted((one, other)))
    assert 0 < smaller <= larger * (1 + LITTLE) <= 1 + LITTLE


@given(shares, st.integers(1, 10**6), limits, limits)
def test_a_higher_limit_lowers_the_hoeffding_bentkus_p_value(mean, n, one, other):
    lower, higher = sorted((one, other))
    assert hoeffding_bentkus_p_value(mean, n, higher) <= hoeffding_bentkus_p_value(mean, n, lower) * (1 + LITTLE)


@given(shares, st.integers(1, 10**6), limits, levels)
def test_a_hoeffding_bentkus_bound_and_its_p_value_say_the_same(mean, n, alpha, delta):
    bound = hoeffding_bentkus_upper_bound(mean, n, delta)
    if hoeffding_bentkus_p_value(mean, n, alpha) <= delta:
        assert bound <= alpha * (1 + 1e-6)
    else:
        assert bound >= alpha * (1 - 1e-6)


@given(losses, st.floats(-1, 0.99), st.floats(-1, 0.99), levels, st.integers(0, 2**256), st.integers(1, 4))
def test_a_higher_limit_lowers_the_betting_p_value(rows, one, other, delta, seed, n_permutations):
    lower, higher = (
        betting_p_value(rows, alpha, delta=delta, seed=seed, n_permutations=n_permutations)
        for alpha in sorted((one, other))
    )
    assert 0 < higher <= lower * (1 + LITTLE) <= 1 + LITTLE


@given(losses, st.floats(-1, 0.99), levels, st.integers(0, 2**64), st.integers(1, 3))
def test_a_betting_bound_and_its_p_value_say_the_same(rows, alpha, delta, seed, n_permutations):
    options = {"seed": seed, "n_permutations": n_permutations}
    bound = betting_upper_bound(rows, delta, **options)
    assert min(rows) <= bound <= 1
    if betting_p_value(rows, alpha, delta=delta, **options) <= delta:
        assert bound <= alpha + 1e-6
    else:
        assert bound >= alpha - 1e-6


@settings(max_examples=60)
@given(st.integers(1, 2000), st.data(), limits)
def test_harmed_rows_alone_never_prove_more_than_they_do_without_help(n, data, epsilon):
    """With nobody helped, the paired test is the clipped one but for gamma, and for what the worst rate may add."""
    k = data.draw(st.integers(0, n))
    assert clipped_drop_p_value(k, n, epsilon) <= paired_drop_p_value(k, 0, n, epsilon, gamma=0.0) + LITTLE


@given(families, deltas)
def test_holm_rejects_what_bonferroni_does_and_more(p_values, delta):
    assert set(bonferroni(p_values, delta)) <= set(holm(p_values, delta))


@given(families, deltas, st.data())
def test_starts_and_weights_keep_their_shares(p_values, delta, data):
    n = len(p_values)
    equal = [Fraction(1, n)] * n
    assert set(bonferroni(p_values, delta)) <= set(fallback(p_values, delta, equal))
    assert multi_start(p_values, delta, n) == bonferroni(p_values, delta)
    assert multi_start(p_values, delta, 1) == tuple(i for i in range(n) if all(p <= delta for p in p_values[: i + 1]))


@given(families, deltas, deltas, st.data())
def test_smaller_p_values_and_larger_levels_never_reject_less(p_values, one, other, data):
    n_starts = data.draw(st.integers(1, len(p_values)))
    weights = [Fraction(1, 2 ** (index + 1)) for index in range(len(p_values))]
    smaller = [p * data.draw(st.fractions(0, 1, max_denominator=8)) for p in p_values]
    for procedure in (
        bonferroni,
        holm,
        lambda p, d: multi_start(p, d, n_starts),
        lambda p, d: fallback(p, d, weights),
    ):
        low, high = sorted((one, other))
        assert set(procedure(p_values, low)) <= set(procedure(p_values, high))
        assert set(procedure(p_values, low)) <= set(procedure(smaller, low))


@given(st.lists(st.floats(-1, 1), max_size=40), st.lists(st.integers(0, 40), max_size=5), st.booleans())
def test_evidence_in_pieces_is_the_evidence(rows, cuts, certify):
    start = EProcess.certify("0.03") if certify else EProcess.revoke("0.03", low="-1")
    evidence = start
    for piece in np.split(np.array(rows, np.float64), sorted(min(cut, len(rows)) for cut in cuts)):
        before, evidence = evidence.peak, EProcess.resumed(evidence.update(piece).state())
        assert evidence.peak >= before
    assert evidence == start.update(np.array(rows, np.float64))
    assert evidence.wealth <= evidence.peak


def test_the_fixed_sequence_is_one_start():
    assert multi_start([0.01, 0.02, 0.5, 0.01], 0.05, 1) == fixed_sequence([0.01, 0.02, 0.5, 0.01], 0.05)
