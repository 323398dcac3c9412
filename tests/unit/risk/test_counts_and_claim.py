import math
from decimal import Decimal

import numpy as np
import pytest

from sentei.risk import Claim, Counts, binomial_p_value, paired_drop_p_value, paired_drop_upper_bound
from sentei.risk.decimals import decimal_up, fraction_up, parse_decimal


def test_counts_of_losses_are_those_counted_by_hand():
    variant = np.array([1, 1, 0, 0, 1, 0], np.uint8)
    dense = np.array([0, 1, 1, 0, 0, 0], np.uint8)
    assert Counts.of(variant, dense) == Counts(n_examples=6, n_errors=3, n_dense_errors=2, n_harmed=2, n_helped=1)


@pytest.mark.parametrize(
    "losses",
    [
        np.array([], np.uint8),
        np.array([0, 2], np.uint8),
        np.array([0, 1], np.int64),
        np.array([0.0, 1.0]),
        np.array([[0, 1]], np.uint8),
        np.array([0, 1, 1], np.uint8),
        [0, 1],
    ],
)
def test_losses_of_another_form_are_refused(losses):
    with pytest.raises(ValueError, match="losses"):
        Counts.of(losses, np.array([0, 1], np.uint8))


@pytest.mark.parametrize(
    "five",
    [(10, 3, 3, 1, 0), (10, 1, 1, 2, 2), (10, 9, 9, 3, 3), (10, 11, 11, 0, 0), (0, 0, 0, 0, 0), (10, 3.0, 3, 0, 0)],
)
def test_counts_that_contradict_each_other_are_refused(five):
    with pytest.raises(ValueError, match=r"count"):
        Counts(*five)


def test_a_claim_uses_the_test_of_its_kind():
    counts = Counts(2000, 120, 115, 12, 7)
    drop = Claim("accuracy_drop", "0.01", "0.05")
    risk = Claim("risk", "0.08", "0.05")
    assert drop.p_value(counts) == decimal_up(paired_drop_p_value(12, 7, 2000, 0.01, 0.002))
    assert risk.p_value(counts) == decimal_up(binomial_p_value(120, 2000, 0.08))
    assert (drop.estimate(counts), risk.estimate(counts)) == (5 / 2000, 120 / 2000)
    assert (drop.estimate_text(counts), risk.estimate_text(counts)) == ("0.0025", "0.06")


def test_a_bound_is_rounded_up_but_never_beyond_a_tolerance_that_passed():
    counts = Counts(2000, 120, 115, 12, 7)
    exact = paired_drop_upper_bound(12, 7, 2000, 0.05, 0.002)
    assert float(Claim("accuracy_drop", "0.02", "0.05").upper_bound(counts)) == pytest.approx(exact, rel=1e-5)
    assert Decimal(Claim("accuracy_drop", "0.02", "0.05").upper_bound(counts)) >= Decimal(exact)
    just_enough = f"{exact:.9f}"
    for tolerance in (just_enough, str(Decimal(just_enough) + Decimal("1e-9"))):
        claim = Claim("accuracy_drop", tolerance, "0.05")
        passes = claim.holds(claim.p_value(counts))
        assert passes == (Decimal(claim.upper_bound(counts)) <= Decimal(tolerance)) or not passes


def test_decimal_texts_are_compared_exactly():
    claim = Claim("risk", "0.1", "0.05")
    assert claim.holds("0.05")
    assert not claim.holds("0.0500001")


def test_gamma_is_the_kinds_own():
    assert Claim("accuracy_drop", "0.01", "0.05").gamma == "0.002"
    assert Claim("accuracy_drop", "0.01", "0.05", "0.001").gamma == "0.001"
    assert Claim("risk", "0.01", "0.05", "0.002").gamma == "0"


@pytest.mark.parametrize(
    "arguments",
    [
        ("accuracy", "0.01", "0.05"),
        ("accuracy_drop", "1", "0.05"),
        ("accuracy_drop", "-0.01", "0.05"),
        ("accuracy_drop", 0.01, "0.05"),
        ("accuracy_drop", "1e-2", "0.05"),
        ("accuracy_drop", "NaN", "0.05"),
        ("accuracy_drop", "0.01", "0"),
        ("accuracy_drop", "0.01", "1"),
        ("accuracy_drop", "0.01", "0.05", "0.05"),
        ("accuracy_drop", "0.01", "0.001"),
        ("risk", "0", "0.05"),
        ("risk", "1", "0.05"),
    ],
)
def test_claims_that_claim_nothing_are_refused(arguments):
    with pytest.raises(ValueError, match="received"):
        Claim(*arguments)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (1.0, "1"),
        (0.5, "0.5"),
        (1 / 3, "0.333334"),
        (0.1, "0.100001"),
        (3.2e-9, "3.2E-9"),
        (1e-300, "1E-300"),
    ],
)
def test_texts_are_rounded_up_to_six_digits(value, text):
    received = decimal_up(value)
    assert Decimal(received) >= Decimal(value)
    assert received in (text, str(Decimal(text).next_plus()), decimal_up(math.nextafter(value, 1)))
    assert parse_decimal("text", received) == Decimal(received)


def test_fractions_are_rounded_up():
    assert [fraction_up(*f) for f in [(0, 9), (1, 3), (-1, 3), (123456789, 1000000000)]] == [
        "0",
        "0.333334",
        "-0.333333",
        "0.123457",
    ]


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_what_is_not_finite_has_no_text(value):
    with pytest.raises(ValueError, match="finite"):
        decimal_up(value)
