import math
from decimal import Decimal, localcontext
from fractions import Fraction
from itertools import product

import numpy as np
import pytest

from sentei.risk import betting_p_value, betting_upper_bound
from sentei.risk.wealth import Stakes, log_wealth


def exact_p_value(losses, bets, alpha, upper):
    """The product, factor by factor with fifty digits, for the bets as they stand."""
    with localcontext() as context:
        context.prec = 50
        wealth = largest = Decimal(1)
        limit = Decimal(alpha)
        for loss, bet in zip(losses.tolist(), bets.tolist(), strict=True):
            nu = min(Decimal(bet), Decimal("0.9") / (Decimal(upper) - limit))
            wealth *= 1 - nu * (Decimal(loss) - limit)
            largest = max(largest, wealth)
        return float(1 / largest), float(1 / wealth)


def expected_bets(losses, delta):
    """The published rule, one row after the other."""
    n, bets, variance, total, squares = len(losses), [], 0.25, 0.0, 0.0
    for i, loss in enumerate(losses, start=1):
        bets.append(math.sqrt(2 * math.log(1 / delta) / (n * variance)))
        total += loss
        squares += (loss - (0.5 + total) / (1 + i)) ** 2
        variance = (0.25 + squares) / (1 + i)
    return bets


def drawn(kind, n, seed=0):
    rng = np.random.default_rng(seed)
    rare = (rng.random(n) < 0.1) * rng.uniform(-1, 1, n)
    return {"beta": rng.beta(1, 9, n), "differences": rare, "ones": (rng.random(n) < 0.1) * 1.0}[kind]


@pytest.mark.parametrize("kind", ["beta", "differences", "ones"])
@pytest.mark.parametrize("n", [1, 2, 300])
@pytest.mark.parametrize("delta", [0.05, 1e-6])
def test_the_bets_are_those_of_the_published_rule(kind, n, delta):
    losses = drawn(kind, n)
    assert Stakes.on(losses, delta).bets == pytest.approx(expected_bets(losses, delta), rel=1e-12)


@pytest.mark.parametrize("kind", ["beta", "differences", "ones"])
@pytest.mark.parametrize("n", [1, 50, 4000])
@pytest.mark.parametrize("alpha", [0.02, 0.11, 0.4, 0.999])
def test_rounding_never_adds_to_the_wealth_and_takes_next_to_nothing(kind, n, alpha):
    stakes = Stakes.on(drawn(kind, n), 0.05)
    largest, last = (math.exp(-wealth) for wealth in log_wealth(stakes, alpha, 1.0))
    exact_largest, exact_last = exact_p_value(stakes.losses, stakes.bets, alpha, 1.0)
    assert exact_largest * (1 - 1e-15) <= largest <= exact_largest * (1 + 1e-8)
    assert exact_last * (1 - 1e-15) <= last <= exact_last * (1 + 1e-8)


def test_a_million_rows_lose_a_millionth_of_the_wealth_to_rounding():
    stakes = Stakes.on(drawn("beta", 10**6), 0.05)
    _, last = log_wealth(stakes, 0.1005, 1.0)
    nu = np.minimum(stakes.bets, 0.9 / (1 - 0.1005))
    exact = math.fsum(math.log1p(-x) for x in (nu * (stakes.losses - 0.1005)).tolist())
    assert 0 < exact - last < 1e-6


# Values and chances with a mean of exactly 1/4, and of exactly 0 for differences.
SHAPES = [
    ({0.0: 0.75, 1.0: 0.25}, 0.25),
    ({0.0: 0.5, 0.25: 0.25, 0.75: 0.25}, 0.25),
    ({-1.0: 0.125, 0.0: 0.75, 1.0: 0.125}, 0.0),
    ({-1.0: 0.25, 0.0: 0.25, 0.5: 0.5}, 0.0),
]


def worst_excess(p_value, shape, n):
    """How far P[p <= u] rises above u, over every sequence of n rows."""
    p, chance = [], []
    for rows in product(shape, repeat=n):
        p.append(p_value(np.array(rows)))
        chance.append(math.prod(shape[row] for row in rows))
    order = np.argsort(p)
    p, reached = np.array(p)[order], np.cumsum(np.array(chance)[order])
    return float(np.max((reached - p)[np.append(np.diff(p) > 0, True)]))


@pytest.mark.parametrize(("shape", "alpha"), SHAPES)
@pytest.mark.parametrize("n_permutations", [1, 3])
@pytest.mark.parametrize("delta", [0.05, 0.5])
def test_the_p_value_is_valid_at_the_limit(shape, alpha, n_permutations, delta):
    options = {"n_permutations": n_permutations, "delta": delta, "seed": 5}
    for n in (1, 3, 7 if len(shape) == 2 else 6):
        assert worst_excess(lambda rows: betting_p_value(rows, alpha, **options), shape, n) <= 1e-9


@pytest.mark.parametrize(("shape", "alpha"), SHAPES)
def test_the_last_wealth_is_expected_to_be_what_was_there_at_first(shape, alpha):
    expected = 0.0
    for rows in product(shape, repeat=6):
        _, last = log_wealth(Stakes.on(np.array(rows), 0.2), alpha, 1.0)
        expected += math.prod(shape[row] for row in rows) * math.exp(last)
    assert expected == pytest.approx(1, abs=1e-9)


ORDERS = [np.random.default_rng(seed).permutation(6) for seed in range(8)]


@pytest.mark.parametrize("combined", [np.mean, np.max])
def test_several_largest_wealths_together_would_not_be_valid(combined):
    """Neither their mean nor the best of them: each may be looked at, but only one."""

    def p_value(rows):
        largest = [math.exp(log_wealth(Stakes.on(rows[order], 0.05), 0.25, 1.0)[0]) for order in ORDERS]
        return 1 / float(combined(largest))

    assert worst_excess(p_value, SHAPES[0][0], 6) > 0.05


@pytest.mark.parametrize("kind", ["beta", "differences", "ones"])
@pytest.mark.parametrize("n_permutations", [1, 4])
@pytest.mark.parametrize("delta", [0.05, 1e-4])
def test_the_bound_is_the_smallest_limit_that_passes(kind, n_permutations, delta):
    losses = drawn(kind, 800, seed=2)
    options = {"seed": 7, "n_permutations": n_permutations}
    bound = betting_upper_bound(losses, delta, **options)
    assert losses.mean() < bound < 0.3
    assert betting_p_value(losses, bound, delta=delta, **options) <= delta
    assert betting_p_value(losses, bound - 1e-6, delta=delta, **options) > delta


def test_a_variant_that_is_clearly_better_has_a_bound_below_zero():
    assert -1 <= betting_upper_bound(np.tile([-0.5, 0.0, -0.1], 200), 0.05) < -0.1


def test_few_rows_prove_nothing():
    assert betting_upper_bound(np.array([0.0]), 0.05) == pytest.approx(1.0, abs=1e-6)
    assert betting_upper_bound(np.array([1.0, 1.0]), 0.05) == 1.0
    assert betting_upper_bound(np.ones(500), 0.05) == 1.0


def test_losses_above_the_limit_win_nothing():
    """A two-sided bet would win here: it is how one-sided tests were seen to go wrong."""
    assert betting_p_value(np.full(2000, 0.5), 0.1) == 1.0
    assert betting_p_value(np.full(2000, 0.5), 0.1, n_permutations=3) == 1.0


def test_small_p_values_do_not_vanish():
    assert 0 < betting_p_value(np.zeros(100_000), 0.5) < 1e-300


def test_the_upper_limit_scales_the_losses():
    losses = drawn("beta", 500)
    assert betting_upper_bound(losses, 0.05, upper=5.0) > betting_upper_bound(losses, 0.05)
    with pytest.raises(ValueError, match="at most upper"):
        betting_p_value(losses, 0.01, upper=0.1)


def test_the_order_follows_from_the_seed_alone():
    losses = drawn("differences", 400)
    assert betting_upper_bound(losses, 0.05, seed=3) == betting_upper_bound(
        losses.astype(object).astype(float), 0.05, seed=3
    )
    assert len({betting_upper_bound(losses, 0.05, seed=seed) for seed in (0, 1, 2**255 + 19)}) == 3


def test_a_seed_gives_the_same_order_for_ever():
    """Losses that tell the order: p moves with each place. The value was computed once and written down."""
    losses = 2.0 ** -np.arange(12.0)
    assert betting_p_value(losses, 0.9, seed=42) == pytest.approx(1.060785522866182e-05, rel=1e-9)


def test_several_orders_hardly_depend_on_the_seed():
    losses = drawn("beta", 1000)
    one, eight = (
        [betting_upper_bound(losses, 0.05, seed=seed, n_permutations=n) for seed in range(12)] for n in (1, 8)
    )
    assert np.std(eight) < np.std(one) / 3
    assert np.mean(one) < np.mean(eight)


@pytest.mark.parametrize(
    "losses",
    [
        [],
        [[0.1, 0.2]],
        [0.1, float("nan")],
        [0.1, float("inf")],
        [-math.inf, 0.1],
        [1.01],
        ["a"],
        [True, False],
        None,
        0.3,
    ],
)
def test_losses_that_are_none_are_refused(losses):
    with pytest.raises(ValueError, match="losses must be"):
        betting_p_value(losses, 0.1)
    with pytest.raises(ValueError, match="losses must be"):
        betting_upper_bound(losses, 0.1)


@pytest.mark.parametrize("alpha", [1.0, 2.0, float("nan"), float("inf"), -math.inf, "0.1", True, None])
def test_limits_that_cannot_be_are_refused(alpha):
    with pytest.raises(ValueError, match="alpha must be"):
        betting_p_value([0.1, 0.2], alpha)


@pytest.mark.parametrize(
    "options", [{"delta": 0.0}, {"delta": 1.0}, {"seed": -1}, {"seed": 1.0}, {"n_permutations": 0}, {"upper": math.nan}]
)
def test_options_out_of_range_are_refused(options):
    with pytest.raises(ValueError, match="must be"):
        betting_p_value([0.1, 0.2], 0.3, **options)
    with pytest.raises(ValueError, match="must be"):
        betting_upper_bound([0.1, 0.2], **{"delta": 0.05, **options})


def test_bets_know_nothing_of_the_rows_to_come():
    losses = drawn("beta", 60)
    for row in range(60):
        changed = losses.copy()
        changed[row:] = 1.0
        assert np.array_equal(Stakes.on(changed, 0.05).bets[: row + 1], Stakes.on(losses, 0.05).bets[: row + 1])


def test_whole_numbers_are_losses_too():
    assert betting_p_value([0, 1, 0, 0], Fraction(1, 2)) == betting_p_value([0.0, 1.0, 0.0, 0.0], 0.5)
