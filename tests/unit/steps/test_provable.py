"""What a plan says can be proven, against the tests themselves, row by row."""

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom

from sentei.certificate.sentence import statement
from sentei.risk import Claim, Counts
from sentei.steps.provable import fewest_rows, most_errors, provable
from sentei.steps.wording import drop, proven, rate

DROPS = [Claim("accuracy_drop", "0.01", "0.05"), Claim("accuracy_drop", "0.2", "0.05")]
RISKS = [Claim("risk", "0.107", "0.05"), Claim("risk", "0.02", "0.001")]


def passes(claim, n):
    seen = Counts(n, 0, 0, 0, 0)
    return any(claim.holds(claim.p_value(seen, {"method": method})) for method in ("paired", "clipped"))


@pytest.mark.parametrize("claim", DROPS + RISKS, ids=str)
def test_the_fewest_rows_are_the_first_on_which_a_flawless_variant_passes(claim):
    fewest = fewest_rows(claim)
    assert [n for n in range(1, fewest + 50) if passes(claim, n)] == list(range(fewest, fewest + 50))
    assert "cannot be proven" not in provable(claim, fewest)[0]
    assert provable(claim, fewest - 1)[0].endswith(f"it takes at least {fewest} rows")


@pytest.mark.parametrize(("n", "alpha"), [(600, "0.1"), (10_000, "0.107"), (60, "0.05"), (58, "0.05")])
def test_the_most_errors_are_those_of_the_binomial_distribution(n, alpha):
    passing = [k for k in range(n + 1) if binom.cdf(k, n, float(alpha)) <= 0.05]
    assert most_errors(Claim("risk", alpha, "0.05"), n) == (passing[-1] if passing else -1)


def test_no_number_of_rows_is_promised_where_none_would_do():
    (first, _) = provable(Claim("accuracy_drop", "0", "0.05"), 600)
    assert first.endswith("only a variant that helps more rows than it harms can pass")
    (first, _) = provable(Claim("accuracy_drop", "0.000000001", "0.05"), 600)
    assert first.endswith("it takes more than 100 000 000 rows")


@given(st.decimals("0.0000001", "0.9999999", places=7))
@settings(max_examples=300)
def test_what_is_said_of_a_bound_is_never_below_it_and_near(bound):
    for said in (drop(str(bound)), rate(str(bound))):
        value = Decimal(said.split()[0])
        assert 0 <= value - 100 * bound < max(Decimal("0.01"), bound * 10)


def test_claims_are_said_in_words():
    assert (
        statement([DROPS[0]])
        == "with 95 % confidence the variant's accuracy is at most 1 point below the dense model's"
    )
    assert statement([RISKS[1]]) == "with 99.9 % confidence the variant errs on at most 2 % of rows"
    assert (
        proven(RISKS[0], "0.1018001")
        == "the smallest error rate that these rows prove for this variant alone: 10.19 % (0.1018001)"
    )
    assert drop("0") == "0.00 points"
