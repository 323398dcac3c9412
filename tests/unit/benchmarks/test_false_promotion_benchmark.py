"""The benchmark of false promotions counts what it says that it counts."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
import scipy.stats

from sentei.risk import Claim, Counts
from sentei.risk.pair import Pair
from tests.bench.false_promotion import CASES, DELTAS, choices, repeated
from tests.bench.promotion import worlds
from tests.bench.promotion.ours import RememberingClaim, ours
from tests.bench.promotion.rules import best_even_if_it_fails, best_point_estimate, last_not_violated
from tests.bench.promotion.tally import count_false, interval, odds, tally


@pytest.mark.parametrize(
    ("drops", "costs", "cheapest", "even_if", "last"),
    [
        ((0.00, 0.01, 0.02, 0.03), (4, 3, 2, 1), 1, 1, 1),
        ((0.00, 0.02, 0.01, 0.03), (4, 3, 2, 1), 2, 2, 2),
        ((0.00, 0.01, 0.00, 0.03), (4, 1, 2, 3), 1, 1, 2),
        ((0.05, 0.02, 0.03, 0.04), (4, 3, 2, 1), None, 1, None),
    ],
)
def test_rules_choose_by_the_estimate_alone(drops, costs, cheapest, even_if, last):
    arguments = np.array(drops), np.array(costs, float), 0.01
    assert best_point_estimate(*arguments) == cheapest
    assert best_even_if_it_fails(*arguments) == even_if
    assert last_not_violated(*arguments) == last


def small_world():
    """Six rows: the dense model errs on one; the variants drop by -1/6, 1/6 and 2/6."""
    dense = np.array([1, 0, 0, 0, 0, 0], np.uint8)
    losses = {
        "helps": np.zeros(6, np.uint8),
        "one": np.array([1, 1, 0, 0, 0, 0], np.uint8),
        "two": np.array([0, 1, 1, 1, 0, 0], np.uint8),
    }
    return worlds.from_population(dense, losses, {"helps": 80, "one": 50, "two": 20}, 100)


def test_the_truth_of_a_population_is_counted_over_all_of_it():
    world = small_world()
    assert world.drops == {"helps": Fraction(-1, 6), "one": Fraction(1, 6), "two": Fraction(1, 3)}
    assert world.admissible("0.2") == ("helps", "one")
    assert [world.saving(name, "0.2") for name in ("helps", "one", "two", None)] == [0.4, 1.0, 0.0, 0.0]


def test_rows_of_a_population_are_drawn_alike_for_all_networks():
    """With 60 000 draws each of six rows comes within 9 900 and 10 100 with five standard deviations to spare."""
    dense, losses = small_world().draw(np.random.default_rng(0), 60_000)
    assert np.count_nonzero(dense) == pytest.approx(10_000, abs=460)
    assert np.array_equal(losses["helps"], np.zeros(60_000))
    assert np.all(losses["one"] >= dense)
    assert np.count_nonzero(losses["two"]) == pytest.approx(30_000, abs=620)


@pytest.mark.parametrize("make", [worlds.curve, worlds.at_the_bar, worlds.hopeless], ids=lambda make: make.__name__)
def test_drawn_losses_have_the_rates_that_are_given(make):
    """Six standard errors of each of 20 variants: a false alarm is one in ten million."""
    world, n = make(), 200_000
    dense, losses = world.draw(np.random.default_rng(1), n)
    for name in world.names:
        counts = Counts.of(losses[name], dense)
        error = np.sqrt((counts.n_harmed + counts.n_helped) / n / n)
        assert (counts.n_harmed - counts.n_helped) / n == pytest.approx(float(world.drops[name]), abs=6 * error)


def test_the_synthetic_families_are_as_described():
    assert len(worlds.curve().admissible("0.01")) == 11
    assert worlds.at_the_bar().admissible("0.01") == worlds.hopeless().admissible("0.01") == ()
    assert max(worlds.curve().drops.values()) == Fraction("0.03")


@pytest.mark.parametrize("delta", ["0.01", "0.3"])
@pytest.mark.parametrize(("harmed", "helped"), [(0, 0), (2, 0), (11, 12), (40, 20)])
def test_a_remembered_p_value_is_that_of_the_claim(delta, harmed, helped):
    claim, remembering = (of("accuracy_drop", "0.02", delta) for of in (Claim, RememberingClaim))
    variant, dense = np.zeros(900, np.uint8), np.ones(900, np.uint8)
    dense[:600] = 0
    variant[:harmed], variant[600 + helped :] = 1, 1
    pair = Pair({"loss": variant}, {"loss": dense})
    settled = claim.settle(pair, 1000)
    assert remembering.settle(pair, 1000) == settled
    assert remembering.p_value(remembering.see(pair), settled) == claim.p_value(claim.see(pair), settled)
    assert remembering.p_value(remembering.see(pair)) == claim.p_value(claim.see(pair))


def test_ours_refuses_where_nothing_can_be_shown_and_finds_what_is_plain():
    rng = np.random.default_rng(2)
    hopeless, curve = worlds.hopeless(), worlds.curve()
    split = hopeless.draw(rng, 2000), hopeless.draw(rng, 2000)
    assert ours(hopeless, *split, "0.01", "0.05") is None
    large = curve.draw(rng, 20_000), curve.draw(rng, 20_000)
    assert ours(curve, *large, "0.01", "0.05") in curve.admissible("0.01")
    found = choices(curve, *large, "0.01")
    assert {delta for way, delta in found if way == "ours"} == set(DELTAS)
    assert found["ours", "0.05"] == ours(curve, *large, "0.01", "0.05")


def test_false_promotions_refusals_and_savings_are_told_apart():
    world = small_world()
    promoted = [(world, name) for name in ("two", "one", "helps", None, "one")]
    told = tally(promoted, "0.2")
    assert count_false(promoted, "0.2") == told["n_false"] == 1
    assert told["n_refused"] == 1
    assert told["correct"] == 0.6
    assert told["mean_saving"] == pytest.approx((0 + 1 + 0.4 + 0 + 1) / 5)
    assert tally(promoted, "-0.5")["correct"] is None


def test_the_interval_is_that_of_clopper_and_pearson():
    low, high = interval(7, 200)
    assert scipy.stats.binom.sf(6, 200, low) == pytest.approx(0.025, abs=1e-4)
    assert scipy.stats.binom.cdf(7, 200, high) == pytest.approx(0.025, abs=1e-4)


def test_odds_say_how_rare_a_count_is():
    world = small_world()
    told = odds([(world, "two")] * 30 + [(world, None)] * 970, "0.2", "0.01")
    assert scipy.stats.binom.sf(told["limit"], 1000, 0.01) <= 1e-6 < scipy.stats.binom.sf(told["limit"] - 1, 1000, 0.01)
    assert told["within_limit"] == (told["limit"] >= 30)
    assert told["chance_of_as_many"] == pytest.approx(1 - scipy.stats.binom.cdf(29, 1000, 0.01), rel=1e-2)


def test_a_repeated_case_tells_every_way():
    told = repeated(replace(CASES["hopeless"], n_repetitions=3))
    assert [row["delta"] for row in told["ours"]] == list(DELTAS)
    assert {row["n"] for row in [*told["ours"], *told["others"].values()]} == {3}
    assert told["others"]["the best, even if it fails"]["n_false"] == 3
