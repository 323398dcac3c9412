import json
from decimal import Decimal, localcontext
from fractions import Fraction
from itertools import product
from math import prod

import numpy as np
import pytest

from sentei.risk import EProcess, binomial_p_value
from sentei.risk.mixture import SHARES


def exact_wealth(gains, largest_bet):
    """After each row, with sixty digits: every row's capital, multiplied by the factors from that row on."""
    path = []
    with localcontext() as context:
        context.prec = 60
        for t in range(1, len(gains) + 1):
            aside = Fraction(1, t + 1)
            total = Decimal(aside.numerator) / Decimal(aside.denominator)
            for share in SHARES:
                factors = [1 + Decimal(share) * largest_bet * gain for gain in gains[:t]]
                starts = (prod(factors[j:], start=1 / Decimal((j + 1) * (j + 2))) for j in range(t))
                total += sum(starts) / len(SHARES)
            path.append(total)
    return path


ROWS = [0, 1, 0, 0, 1, 1, -1, 0, 1, 0.25, -0.5, 0.999]


@pytest.mark.parametrize("epsilon", ["0.01", "0", "0.7"])
def test_to_certify_each_row_multiplies_by_one_plus_a_bet_on_being_below(epsilon):
    path = exact_wealth([Decimal(epsilon) - Decimal(d) for d in ROWS], Decimal("0.9") / (1 - Decimal(epsilon)))
    evidence = EProcess.certify(epsilon).update(ROWS)
    assert evidence.wealth == pytest.approx(float(path[-1]), rel=1e-11)
    assert evidence.wealth < path[-1]
    assert evidence.peak == pytest.approx(max(1.0, *map(float, path)), rel=1e-11)
    assert evidence.peak <= max(1, *path)


@pytest.mark.parametrize(("limit", "low"), [("0.02", "-1"), ("0.5", "-1"), ("1", "-1")])
def test_to_revoke_each_row_multiplies_by_one_plus_a_bet_on_being_above(limit, low):
    path = exact_wealth([Decimal(d) - Decimal(limit) for d in ROWS], Decimal("0.9") / (Decimal(limit) - Decimal(low)))
    evidence = EProcess.revoke(limit, low).update(ROWS)
    assert evidence.wealth == pytest.approx(float(path[-1]), rel=1e-11)
    assert evidence.wealth < path[-1]
    assert evidence.peak <= max(1, *path)


# One row's values and chances, with a mean of exactly the limit.
AT_THE_LIMIT = [
    (EProcess.revoke("0.25"), {0: 0.75, 1: 0.25}),
    (EProcess.revoke("0.5"), {0.25: 0.5, 0.75: 0.5}),
    (EProcess.revoke("0", low="-1"), {-1: 0.25, 0: 0.5, 1: 0.25}),
    (EProcess.certify("0"), {-1: 0.25, 0: 0.5, 1: 0.25}),
    (EProcess.certify("0.25", low="0"), {0: 0.75, 1: 0.25}),
    (EProcess.certify("0.125"), {-1: 0.125, 0: 0.625, 1: 0.25}),
]


def enumerated(evidence, chances, n):
    """Every sequence of n rows: its chance, the wealth at its end and the largest on the way."""
    for rows in product(chances, repeat=n):
        end = evidence.update(rows)
        yield prod(chances[row] for row in rows), end.wealth, end.peak


@pytest.mark.parametrize(("evidence", "chances"), AT_THE_LIMIT)
def test_the_wealth_is_expected_to_stay_what_it_was(evidence, chances):
    expected = sum(chance * wealth for chance, wealth, _ in enumerated(evidence, chances, 7))
    assert 1 - 1e-10 < expected <= 1


def excess(evidence, chances, n):
    """How far the chance of ever reaching a wealth rises above one over it, at its worst."""
    ends = sorted(((peak, chance) for chance, _, peak in enumerated(evidence, chances, n)), reverse=True)
    reached = np.cumsum([chance for _, chance in ends])
    return float(np.max(reached - np.minimum(1, 1 / np.array([peak for peak, _ in ends]))))


@pytest.mark.parametrize(("evidence", "chances"), AT_THE_LIMIT)
def test_the_wealth_ever_reaches_one_over_delta_no_more_often_than_delta(evidence, chances):
    assert excess(evidence, chances, 11 if len(chances) == 2 else 7) <= 1e-12


def test_a_p_value_looked_at_after_every_row_would_not_be_valid():
    """The exact binomial test that a rate is above 0.25, made anew with every row."""
    claims = 0.0
    for rows in product([0, 1], repeat=12):
        chance = 0.25 ** sum(rows) * 0.75 ** (12 - sum(rows))
        smallest = min(binomial_p_value(t - sum(rows[:t]), t, 0.75) for t in range(1, 13))
        claims += chance * (smallest <= 0.1)
    assert claims > 0.15


def test_pieces_give_the_same_bits_as_the_whole():
    rng = np.random.default_rng(0)
    rows = rng.choice([-1.0, 0.0, 0.3, 1.0], 3000, p=[0.1, 0.6, 0.1, 0.2])
    whole = EProcess.certify("0.3").update(rows)
    for cuts in ([1], [1500], [0, 3, 3, 4, 1024, 2999], list(range(1, 3000, 7))):
        evidence = EProcess.certify("0.3")
        for piece in np.split(rows, cuts):
            evidence = EProcess.resumed(json.loads(json.dumps(evidence.update(piece).state())))
        assert evidence == whole


def test_a_state_holds_texts_and_integers_alone():
    state = EProcess.revoke("0.02").update([0, 1, 0.5]).state()
    flat = [each for value in state.values() for each in (value if isinstance(value, list) else [value])]
    assert {type(each) for each in flat} == {str, int}


@pytest.mark.parametrize(
    "change",
    [
        {"format": "sentei.eprocess/2"},
        {"extra": 1},
        {"peak": 30.0},
        {"peak": "inf"},
        {"peak": "nan"},
        {"peak": "0.5"},
        {"peak": "2.50"},
        {"stakes": ["0.1"]},
        {"stakes": ["-1.0", "0.0", "0.0", "0.0"]},
        {"n_rows": -1},
        {"n_rows": 1.0},
        {"limit": "0"},
        {"limit": 0.02},
        {"direction": "both"},
        {"total": None},
    ],
)
def test_a_state_that_was_not_written_like_this_is_refused(change):
    state = {**EProcess.revoke("0.02").update([0, 1]).state(), **change}
    with pytest.raises(ValueError, match=r"expected|must be"):
        EProcess.resumed(state)


def test_a_state_with_a_field_missing_is_refused():
    state = EProcess.revoke("0.02").state()
    for name in state:
        with pytest.raises(ValueError, match="expected a state"):
            EProcess.resumed({key: value for key, value in state.items() if key != name})


def test_crossing_is_for_ever():
    evidence = EProcess.revoke("0.02").update([1] * 20)
    assert evidence.crossed(Decimal("0.05"))
    later = evidence.update([0] * 2000)
    assert later.wealth < 1 < 20 <= later.peak == evidence.peak
    assert later.crossed(Decimal("0.05"))


def test_crossing_is_decided_exactly():
    evidence = EProcess("revoke", "0.02", "0", "1", 5, 1.0, (5.0, 5.0, 5.0, 5.0), 20.0)
    assert evidence.crossed(Decimal("0.05"))
    assert not evidence.crossed(Decimal("0.049999999999999999999"))
    assert evidence.p_value == pytest.approx(0.05, rel=1e-12)


def test_before_the_first_row_nothing_is_known():
    evidence = EProcess.certify("0.01")
    assert (evidence.wealth, evidence.peak, evidence.p_value, evidence.n_rows) == (1.0, 1.0, 1.0, 0)
    assert np.isnan(evidence.mean)
    assert evidence.update([]) == evidence
    assert not evidence.crossed(0.999)


def test_the_mean_is_the_mean():
    assert EProcess.certify("0.01").update([1, 0, -1]).update([1, 0.5]).mean == pytest.approx(0.3)


def test_rows_that_can_prove_a_small_drop_do():
    """A thousand rows without harm prove a drop below one point; a fixed test needs 299."""
    evidence = EProcess.certify("0.01").update(np.zeros(1000))
    assert evidence.crossed(0.05)
    assert not EProcess.certify("0.01").update(np.zeros(299)).crossed(0.05)


def test_a_change_after_many_good_rows_is_seen_soon():
    rng = np.random.default_rng(1)
    good = EProcess.revoke("0.05").update((rng.random(50_000) < 0.02).astype(float))
    assert good.peak < 4
    assert good.update((rng.random(2500) < 0.1).astype(float)).crossed(0.05)


def test_endless_evidence_stays_finite():
    evidence = EProcess.revoke("0.02").update(np.ones(5000))
    assert 1e299 < evidence.wealth < 1e302
    assert EProcess.resumed(evidence.state()) == evidence


def test_what_follows_from_the_past_may_change_with_it():
    """Rows need not be independent: here each row's mean is at the limit given the last, and they come in runs."""
    ends = []
    for rows in product([0, 1], repeat=11):
        chance, last = 1.0, 0
        values = []
        for row in rows:  # after a one, the values spread more widely round the same mean
            values.append((0.0 if row else 0.5) if not last else (0.2 if row else 0.3))
            chance *= 0.5
            last = row
        ends.append((EProcess.revoke("0.25").update(values).peak, chance))
    ends.sort(reverse=True)
    reached = np.cumsum([chance for _, chance in ends])
    assert np.max(reached - 1 / np.array([peak for peak, _ in ends])) <= 1e-12


@pytest.mark.parametrize(
    "values", [[1.5], [-0.1], [float("nan")], [float("inf")], [[0.1]], ["0.1"], [True], [None], 0.5]
)
def test_values_out_of_range_are_refused(values):
    with pytest.raises(ValueError, match="values must"):
        EProcess.revoke("0.02").update(values)


@pytest.mark.parametrize(
    "start",
    [
        lambda: EProcess.certify("1"),
        lambda: EProcess.certify("-1.1"),
        lambda: EProcess.certify(0.01),
        lambda: EProcess.certify("nan"),
        lambda: EProcess.revoke("0"),
        lambda: EProcess.revoke("1.1"),
        lambda: EProcess.revoke("-1", low="-1"),
        lambda: EProcess("sideways", "0.1", "0", "1"),
    ],
)
def test_limits_beyond_which_there_is_nothing_are_refused(start):
    with pytest.raises(ValueError, match=r"expected|must be"):
        start()


@pytest.mark.parametrize("delta", [0, 1, -1, float("nan"), "0.05", None])
def test_levels_that_are_none_are_refused(delta):
    with pytest.raises(ValueError, match="delta must"):
        EProcess.revoke("0.02").crossed(delta)
