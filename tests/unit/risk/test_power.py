import numpy as np
import pytest
import scipy.stats

from sentei.risk import (
    betting_p_value,
    betting_power,
    binomial_p_value,
    binomial_power,
    clipped_drop_p_value,
    clipped_power,
    hoeffding_bentkus_p_value,
    hoeffding_bentkus_power,
)
from sentei.risk.power import paired_power


def enumerated(p_value, rate, n, limit, delta):
    """The chance of every count whose p-value passes, count by count."""
    counts = np.arange(n + 1)
    passes = np.array([p_value(int(k), n, limit) <= delta for k in counts])
    return float(scipy.stats.binom.pmf(counts, n, rate)[passes].sum())


@pytest.mark.parametrize("n", [1, 30, 299, 2000])
@pytest.mark.parametrize("rate", [0.0, 0.004, 0.02, 0.5, 1.0])
@pytest.mark.parametrize(("limit", "delta"), [(0.01, 0.05), (0.3, 1e-4)])
def test_the_power_of_counts_is_the_enumerated_one(n, rate, limit, delta):
    assert binomial_power(rate, n, limit, delta) == pytest.approx(
        enumerated(binomial_p_value, rate, n, limit, delta), abs=1e-10
    )
    assert clipped_power(rate, n, limit, delta) == pytest.approx(
        enumerated(clipped_drop_p_value, rate, n, limit, delta), abs=1e-10
    )


def test_a_million_rows_take_no_time_to_plan():
    assert binomial_power(0.0098, 10**6, 0.01, 0.05) == pytest.approx(
        scipy.stats.norm.cdf((10_000 - 1.645 * 99.5 - 9800) / 98.5), abs=0.01
    )


def test_no_drop_at_all_is_never_shown_by_harmed_rows():
    assert clipped_power(0.0, 10**6, 0.0, 0.05) == 0.0
    assert clipped_power(0.5, 10, 1.0, 0.05) == pytest.approx(1 - 0.5**10)


LOSSES = np.random.default_rng(4).beta(1, 9, 3000)


@pytest.mark.parametrize(
    ("power", "p_value"),
    [
        (betting_power, betting_p_value),
        (hoeffding_bentkus_power, lambda rows, alpha: hoeffding_bentkus_p_value(float(rows.mean()), len(rows), alpha)),
    ],
)
@pytest.mark.parametrize("alpha", [0.108, 0.12])
def test_the_power_of_losses_is_the_share_of_passes(power, p_value, alpha):
    """Both shares are of seeded draws; equal powers lie within 4.5 standard errors but once in 100 000 such tests."""
    rng = np.random.default_rng(5)
    share = np.mean([p_value(rng.choice(LOSSES, 1200), alpha) <= 0.05 for _ in range(400)])
    assert power(LOSSES, 1200, alpha, 0.05, n_draws=400) == pytest.approx(share, abs=4.5 * 0.5 * np.sqrt(2 / 400))


@pytest.mark.parametrize("power", [betting_power, hoeffding_bentkus_power])
def test_the_power_grows_with_room_and_rows_and_repeats(power):
    powers = [power(LOSSES, n, alpha, 0.05) for n, alpha in ((500, 0.105), (500, 0.12), (5000, 0.12))]
    assert powers == sorted(powers)
    assert powers[0] < 0.6 < 0.99 < powers[-1]
    assert power(LOSSES, 500, 0.115, 0.05, seed=3) == power(LOSSES, 500, 0.115, 0.05, seed=3)


def test_differences_of_losses_can_be_planned():
    rng = np.random.default_rng(6)
    losses = (rng.random(2000) < 0.05) * rng.uniform(-1, 1, 2000)
    assert betting_power(losses, 2000, 0.02, 0.05) > 0.9 > 0.2 > betting_power(losses, 50, 0.02, 0.05)
    with pytest.raises(ValueError, match="betting_power"):
        hoeffding_bentkus_power(losses, 2000, 0.02, 0.05)


@pytest.mark.parametrize("power", [binomial_power, clipped_power])
@pytest.mark.parametrize(
    ("rate", "n", "limit", "delta"),
    [
        (-0.1, 9, 0.1, 0.1),
        (1.1, 9, 0.1, 0.1),
        (0.1, 0, 0.1, 0.1),
        (0.1, 9.0, 0.1, 0.1),
        (0.1, 9, -0.1, 0.1),
        (0.1, 9, 0.1, 0.0),
        (0.1, 9, 0.1, 1.0),
        (float("nan"), 9, 0.1, 0.1),
        (0.1, 9, float("nan"), 0.1),
    ],
)
def test_counts_that_cannot_be_planned_are_refused(power, rate, n, limit, delta):
    with pytest.raises(ValueError, match="must be"):
        power(rate, n, limit, delta)


@pytest.mark.parametrize(
    "change",
    [
        {"harmed": -0.1},
        {"harmed": float("nan")},
        {"harmed": 0.6, "helped": 0.5},
        {"n_examples": 0},
        {"n_examples": 10.0},
        {"epsilon": 1.1},
        {"delta": 1.0},
        {"gamma": -0.1},
    ],
)
def test_rates_that_cannot_be_planned_are_refused(change):
    asked = {"harmed": 0.1, "helped": 0.1, "n_examples": 10, "epsilon": 0.1, "delta": 0.1, "gamma": 0.002, **change}
    with pytest.raises(ValueError, match="must be"):
        paired_power(**asked)


def test_the_ends_of_the_paired_test_can_be_planned():
    """Where gamma is all of delta only a discordance that is surely below epsilon passes; above it, nothing does."""
    assert paired_power(0.0, 0.0, 1000, 0.1, 0.05, 0.05) == 1.0
    surely_below = sum(binomial_p_value(m, 40, 0.2) < 0.05 for m in range(41))
    expected = scipy.stats.binom.cdf(surely_below - 1, 40, 0.1)
    assert paired_power(0.05, 0.05, 40, 0.2, 0.05, 0.05) == pytest.approx(expected, abs=1e-4)
    assert paired_power(0.0, 0.0, 1000, 0.1, 0.05, 0.06) == 0.0
    assert 0.999 < paired_power(0.7, 0.3, 50, 0.9, 0.05, 0.002) <= 1
    assert paired_power(1.0, 0.0, 400_000, 0.9, 0.05, 0.002) == 0.0


@pytest.mark.parametrize("power", [betting_power, hoeffding_bentkus_power])
@pytest.mark.parametrize(
    "change",
    [
        {"losses": []},
        {"losses": [float("nan")]},
        {"losses": [1.5]},
        {"n_examples": 0},
        {"n_examples": 10.0},
        {"alpha": 1.0},
        {"delta": 0.0},
        {"seed": -1},
        {"n_draws": 0},
    ],
)
def test_losses_that_cannot_be_planned_are_refused(power, change):
    asked = {"losses": [0.1, 0.2], "n_examples": 10, "alpha": 0.3, "delta": 0.05, **change}
    with pytest.raises(ValueError, match="must be"):
        power(**asked)
