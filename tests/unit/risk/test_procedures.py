from decimal import Decimal
from fractions import Fraction
from itertools import product

import numpy as np
import pytest
from mapie.risk_control.fwer_control import FWERFixedSequenceTesting, control_fwer
from statsmodels.stats.multitest import multipletests

from sentei.risk import (
    bonferroni,
    fallback,
    fixed_sequence,
    holm,
    multi_start,
    run_bonferroni,
    run_fallback,
    run_holm,
    run_multi_start,
)

HALVES = [Fraction(1, 2), Fraction(1, 4), Fraction(0), Fraction(1, 4)]


def draws(n_families, n, seed):
    """Families of p-values, many of them small."""
    return np.random.default_rng(seed).beta(0.25, 1, (n_families, n)).tolist()


@pytest.mark.parametrize("n", [1, 2, 7, 20])
@pytest.mark.parametrize(("procedure", "name"), [(bonferroni, "bonferroni"), (holm, "holm")])
def test_procedures_without_an_order_reject_what_others_reject(procedure, name, n):
    for p_values in draws(8, n, seed=n):  # it takes its time
        assert procedure(p_values, 0.1) == tuple(np.flatnonzero(multipletests(p_values, 0.1, method=name)[0]))


@pytest.mark.parametrize(("n", "n_starts"), [(1, 1), (6, 1), (6, 2), (6, 3), (20, 5), (20, 20)])
def test_runs_of_equal_length_reject_what_others_reject(n, n_starts):
    for p_values in draws(60, n, seed=n_starts):
        expected = control_fwer(np.array(p_values), 0.1, FWERFixedSequenceTesting(n_starts))
        assert multi_start(p_values, 0.1, n_starts) == tuple(np.unique(expected))


def test_runs_of_unequal_length_begin_where_they_are_said_to():
    """Seven in three: 0 1, 2 3, 4 5 6."""
    for gone in range(7):
        p_values = [0.0] * 7
        p_values[gone] = 1.0
        run = next(run for run in ({0, 1}, {2, 3}, {4, 5, 6}) if gone in run)
        assert set(range(7)) - set(multi_start(p_values, 0.1, 3)) == {index for index in run if index >= gone}


def test_all_weight_on_the_first_is_the_fixed_sequence():
    for p_values in draws(60, 8, seed=3):
        assert fallback(p_values, 0.1, [1] + [0] * 7) == fixed_sequence(p_values, 0.1)


def test_weights_hand_on_what_was_not_spent():
    """Worked by hand at delta = 0.04: levels 0.02; 0.02 + 0.01; 0.03; 0.03 + 0.01, and after a failure anew."""
    p_values = [Decimal(text) for text in ("0.02", "0.03", "0.03", "0.04")]
    assert fallback(p_values, Decimal("0.04"), HALVES) == (0, 1, 2, 3)
    assert fallback([Decimal("0.021"), *p_values[1:]], Decimal("0.04"), HALVES) == ()
    assert fallback([Decimal("0.02"), 0.5, Decimal(0), Decimal("0.01")], Decimal("0.04"), HALVES) == (0, 3)


def test_ties_at_a_divided_level_are_decided_exactly():
    """0.05 / 3 is no decimal, and 3 * 0.1 is not 0.3 in doubles."""
    third = Fraction(1, 60)
    assert bonferroni([third] * 3, Decimal("0.05")) == (0, 1, 2)
    assert bonferroni([third + Fraction(1, 10**40)] * 3, Decimal("0.05")) == ()
    assert multi_start([Decimal("0.1")] * 3, Decimal("0.3"), 3) == (0, 1, 2)
    assert multi_start([Decimal("0.1000000000000000001")] * 3, Decimal("0.3"), 3) == ()
    assert holm([Decimal("0.15"), Decimal("0.1"), Decimal("0.3")], Decimal("0.3")) == (0, 1, 2)


def recorded(p_values):
    asked = []

    def ask(index):
        asked.append(index)
        return p_values[index]

    return ask, asked


@pytest.mark.parametrize(
    ("run", "expected"),
    [
        (lambda ask: run_bonferroni(ask, 6, 0.06), [0, 1, 2, 3, 4, 5]),
        (lambda ask: run_holm(ask, 6, 0.06), [0, 1, 2, 3, 4, 5]),
        (lambda ask: run_multi_start(ask, 6, 0.06, 2), [0, 1, 3]),
        (lambda ask: run_fallback(ask, 6, 0.06, [0.5, 0, 0, 0.5, 0, 0]), [0, 1, 3]),
    ],
)
def test_nothing_is_asked_before_its_turn_or_twice(run, expected):
    ask, asked = recorded([0.0, 0.9, 0.0, 0.8, 0.0, 0.0])
    run(ask)
    assert asked == expected


@pytest.mark.parametrize(
    "procedure", [bonferroni, holm, lambda p, d: multi_start(p, d, 1), lambda p, d: fallback(p, d, [])]
)
def test_nothing_tested_is_nothing_rejected(procedure):
    assert procedure([], 0.05) == ()


PROCEDURES = {
    "bonferroni": bonferroni,
    "holm": holm,
    "multi-start": lambda p, d: multi_start(p, d, 2),
    "fallback": lambda p, d: fallback(p, d, [Fraction(1, 2), Fraction(1, 6), Fraction(1, 3)]),
}
N_LEVELS = 12


def chance_of_a_false_rejection(procedure, delta, true, shifts):
    """Three p-values that are one draw shifted round a circle, each uniform; those not ``true`` are always 0."""
    n_false = 0
    for draw in range(N_LEVELS):
        p = [
            Fraction((draw + shift) % N_LEVELS + 1, N_LEVELS) if null else 0
            for shift, null in zip(shifts, true, strict=True)
        ]
        n_false += any(true[index] for index in procedure(p, delta))
    return Fraction(n_false, N_LEVELS)


def worst_chance(procedure, delta=Fraction(6, N_LEVELS)):
    """Over every set of true hypotheses and every dependence of this kind, among them the worst there is."""
    shifts = [(0, a, b) for a in range(N_LEVELS) for b in range(N_LEVELS)]
    cases = product(product([False, True], repeat=3), shifts)
    return max(chance_of_a_false_rejection(procedure, delta, true, of) for true, of in cases)


@pytest.mark.parametrize("name", PROCEDURES)
def test_false_rejections_are_as_rare_as_promised_under_every_dependence(name):
    assert worst_chance(PROCEDURES[name]) == Fraction(6, N_LEVELS)


@pytest.mark.parametrize(
    "broken",
    [
        lambda p, d: tuple(i for i, each in enumerate(p) if each <= d),  # no correction
        lambda p, d: tuple(i for start in (0, 1) for i in fixed_sequence([float(x) for x in p[start:]], float(d))),
        lambda p, d: fallback(p, d, [Fraction(1, 2)] * 2 + [Fraction(0)]) + multi_start(p, d, 3),  # two procedures
    ],
)
def test_broken_procedures_are_caught_by_that_enumeration(broken):
    assert worst_chance(broken) > Fraction(6, N_LEVELS)


@pytest.mark.parametrize(
    "p", [-0.1, 1.1, float("nan"), Decimal("NaN"), Decimal("sNaN"), None, "0.1", True, float("inf")]
)
@pytest.mark.parametrize("procedure", PROCEDURES.values(), ids=PROCEDURES)
def test_p_values_that_are_none_are_refused(procedure, p):
    with pytest.raises(ValueError, match=r"p_values\[0\] must be|cannot convert"):
        procedure([p, 0.5, 0.5], 0.05)


@pytest.mark.parametrize("delta", [0, 1, -0.1, float("nan"), Decimal("NaN"), "0.05", None, True])
@pytest.mark.parametrize("procedure", PROCEDURES.values(), ids=PROCEDURES)
def test_levels_that_are_none_are_refused(procedure, delta):
    with pytest.raises(ValueError, match="delta must"):
        procedure([0.5, 0.5, 0.5], delta)


@pytest.mark.parametrize("n_starts", [0, 4, 1.0, True, -1])
def test_starts_that_cannot_be_are_refused(n_starts):
    with pytest.raises(ValueError, match="n_starts must be"):
        multi_start([0.5] * 3, 0.05, n_starts)


@pytest.mark.parametrize(
    "weights", [[0.5, 0.5], [0.5, 0.5, 0.5], [1, -0.1, 0], [float("nan"), 0, 0], [0.1] * 3 + [0.7], ["1", 0, 0]]
)
def test_weights_that_are_no_shares_are_refused(weights):
    with pytest.raises(ValueError, match="weight"):
        fallback([0.5] * 3, 0.05, weights)


def test_ten_tenths_in_doubles_are_more_than_one():
    with pytest.raises(ValueError, match="pass Decimals or Fractions"):
        fallback([0.5] * 10, 0.05, [0.1] * 10)
    assert fallback([0.5] * 10, 0.05, [Decimal("0.1")] * 10) == ()
