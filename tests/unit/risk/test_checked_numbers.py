"""Arguments and tallies at the edges of their ranges: one step further is refused."""

import math
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest

from sentei.risk import Claim
from sentei.risk.bentkus import hoeffding_bentkus_p_value
from sentei.risk.claims.bounded import loss_rows
from sentei.risk.counts import Counts
from sentei.risk.decimals import decimal_up
from sentei.risk.eprocess import EProcess
from sentei.risk.ledger import joining_share
from sentei.risk.order import pareto_order
from sentei.risk.pair import Pair
from sentei.risk.planning import paired_rows_needed
from sentei.risk.tally import MILLION, Accepted, Disagreements, LossSum, PerClass, Stratum

DIGEST = "0" * 64


@pytest.mark.parametrize("text", ["0.1", "0.3", "0.01", "0.02", "0.05", "0.5"])
def test_the_limit_is_the_double_next_to_the_text_on_the_side_that_is_harder_to_pass(text):
    certified, revoked = EProcess.certify(text)._limit(), EProcess.revoke(text)._limit()
    assert Fraction(certified) <= Fraction(text) < Fraction(math.nextafter(certified, 1))
    assert Fraction(math.nextafter(revoked, 0)) < Fraction(text) <= Fraction(revoked)


def test_a_chain_that_joins_pays_twice_its_rank_times_the_next():
    alone = joining_share([1, 2]) * 12
    for rank in (3, 4, 7):
        assert joining_share([1, rank]) == alone / (2 * rank * (rank + 1))
        assert joining_share([1, 2, rank]) == alone / (24 * rank * (rank + 1))


@pytest.mark.parametrize("mean", [Fraction(3, 2), 2, Fraction(-1, 2), True])
def test_an_exact_mean_outside_0_and_1_is_refused(mean):
    with pytest.raises(ValueError, match="mean_loss must be"):
        hoeffding_bentkus_p_value(mean, 10, 0.5)


@pytest.mark.parametrize("total", [-MILLION, MILLION])
def test_a_sum_of_losses_may_be_all_and_no_more(total):
    assert LossSum(1, total, DIGEST).total == total
    with pytest.raises(ValueError, match="total must be"):
        LossSum(1, 2 * total, DIGEST)
    with pytest.raises(ValueError, match="n_examples must be"):
        LossSum(0, 0, DIGEST)


def test_parts_of_the_rows_may_be_all_and_no_more():
    assert Disagreements(1, 1).n_disagreements == Accepted(1, 1, 1).n_errors == 1
    with pytest.raises(ValueError, match="n_disagreements must be"):
        Disagreements(3, 4)
    with pytest.raises(ValueError, match="n_accepted must be"):
        Accepted(3, 4, 0)
    with pytest.raises(ValueError, match="n_errors must be"):
        Accepted(3, 2, 3)


@pytest.mark.parametrize("losses", [[-1, 5], [5, MILLION + 1]])
def test_a_bounded_loss_outside_on_either_side_is_refused(losses):
    assert loss_rows(np.array([0, MILLION], np.int32), 0).tally.total == MILLION
    with pytest.raises(ValueError, match="losses"):
        loss_rows(np.array(losses, np.int32), 0)


@pytest.mark.parametrize("column", [np.zeros(3), np.zeros((3, 1), int), np.zeros(0, int), [0, 1]], ids=repr)
@pytest.mark.parametrize("whose", ["variant", "dense"])
def test_a_column_that_is_no_row_of_integers_is_refused_by_its_owner(whose, column):
    right = {"loss": np.zeros(3, int)}
    pair = Pair({"loss": column}, right) if whose == "variant" else Pair(right, {"loss": column})
    for read in (pair.of, pair.of_variant if whose == "variant" else pair.of_dense):
        with pytest.raises(ValueError, match=f"^{whose}: column 'loss' must hold integers"):
            read("loss")


@pytest.mark.parametrize("kind", ["accuracy_drop", "worst_class_drop", "loss_drop"])
def test_no_drop_at_all_may_be_claimed_and_a_whole_one_may_not(kind):
    settings = {"loss": "dice"} if kind == "loss_drop" else {}
    assert Claim(kind, "0", "0.05", settings=settings).value == 0
    for tolerance in ("1", "-0.01"):
        with pytest.raises(ValueError, match="tolerance"):
            Claim(kind, tolerance, "0.05", settings=settings)


def test_a_coverage_of_all_rows_may_be_asked_for_and_no_more():
    assert Claim("selective_risk", "0.2", "0.05", settings={"coverage": "1"}).settings["coverage"] == "1"
    for coverage in ("0", "1.01", "1.5"):
        with pytest.raises(ValueError, match="coverage must lie in"):
            Claim("selective_risk", "0.2", "0.05", settings={"coverage": coverage})


@pytest.mark.parametrize("settings", [{}, {"method": "clipped"}])
def test_half_a_level_takes_half_of_gamma_along(settings):
    claim = Claim("accuracy_drop", "0.02", "0.05", settings=settings)
    half = claim.at("0.025")
    assert claim.at("0.05") == claim
    assert (half.delta, Decimal(half.gamma)) == ("0.025", Decimal(claim.gamma) / 2)


@pytest.mark.parametrize(
    ("limit", "words"), [("0.01", "1 point"), ("0.1", "10 points"), ("0.005", "0.5 points"), ("0", "0 points")]
)
def test_a_limit_is_spoken_of_in_points_without_idle_zeros(limit, words):
    said = Claim("accuracy_drop", limit, "0.05").describe_limit()
    assert f"at most {words} below" in said


@pytest.mark.parametrize(("drops", "costs", "named"), [([math.nan], [1], "drops"), ([1], [math.inf], "costs")])
def test_the_list_that_holds_no_number_is_named(drops, costs, named):
    with pytest.raises(ValueError, match=f"^{named}"):
        pareto_order(drops, costs)


def test_a_zero_has_no_sign_in_a_record():
    assert decimal_up(-0.0) == decimal_up(0.0) == "0"


def test_rows_are_not_planned_from_more_changes_than_rows():
    with pytest.raises(ValueError, match=r"n_harmed \+ n_helped must"):
        paired_rows_needed(30, 31, 60, epsilon=0.05, delta=0.05)


def test_a_class_that_would_have_no_row_has_no_chance():
    right = Stratum(0, Counts(999, 0, 0, 0, 0)), Stratum(1, Counts(1, 0, 0, 0, 0))
    assert Claim("worst_class_drop", "0.5", "0.05").chance(PerClass(1000, right), 900) == 0


def test_more_power_needs_more_rows_among_those_that_are_accepted():
    claim = Claim("selective_risk", "0.2", "0.05", settings={"coverage": "0.5"})
    seen = Accepted(400, 200, 30)
    assert claim.rows_needed(seen, power=0.5) < claim.rows_needed(seen) < claim.rows_needed(seen, power=0.95)
