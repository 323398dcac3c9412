"""How often a test both ways demotes a champion whose claim holds, or recertifies one whose claim does not.

A simulation draws a selection split of 80 rows and 240 fresh rows of one network at the very limit of its claim, the
worst case on either side: there the claim holds, so a refutation is wrong; and its certificate is wrong as soon as the
network is any worse. Each of the two happens with probability delta = 0.1 at most, so among 400 simulations there are
more than ``LIMIT`` (the upper 1e-6 quantile of Bin(400, 0.1), 71) less than once in a million such tests. The seeds are
fixed, so the tests repeat. A rule that is wrong in 25 % of all simulations is caught with a probability above 99.9 %.
"""

from functools import cache

import numpy as np
import pytest
import scipy.stats

from sentei.risk import Claim
from sentei.risk.claims import paired_drop
from sentei.risk.ledger import answer_cost, attempt_price
from sentei.risk.opposite import opposite
from sentei.risk.pair import Pair
from sentei.risk.tally import Counts
from tests.statistical.worlds import DELTA, N_CALIBRATION, N_SELECTION, WORLDS, draw_family

N, N_RUNS, N_ROWS = 400, 12, 200
LIMIT = int(scipy.stats.binom.isf(1e-6, N, float(DELTA)))
SEED = 23


@pytest.fixture(autouse=True, scope="module")
def _remembered():
    """The paired tests are functions of five numbers, and asked for the same ones again and again."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("paired_drop_p_value", "paired_excess_p_value"):
            patch.setattr(paired_drop, name, cache(getattr(paired_drop, name)))
        yield


def pairs(names, at_limit=True):
    """The network beside its dense model on the selection rows, and on fresh ones."""
    rng, worlds = np.random.default_rng(SEED), [WORLDS[name] for name in names]
    for seed in range(N):
        drawn = [draw_family(worlds, ((at_limit,) * len(names),), rng, n) for n in (N_SELECTION, N_CALIBRATION)]
        yield tuple(Pair(variants["v0"], dense, seed) for dense, variants in drawn)


def outcome(claims, before, fresh):
    """As a trial decides: certified by the largest p-value, refuted by the smallest of the other side."""
    settled = [claim.settle(before, N_CALIBRATION) for claim in claims]
    seen = [claim.see(fresh, choice) for claim, choice in zip(claims, settled, strict=True)]
    if all(
        claim.holds(claim.p_value(*one)) for claim, one in zip(claims, zip(seen, settled, strict=True), strict=True)
    ):
        return "recertified"
    return "refuted" if opposite(claims, seen, settled).proven else "undecided"


def counted(names, at_limit=True):
    claims = [WORLDS[name].claim for name in names]
    found = [outcome(claims, *drawn) for drawn in pairs(names, at_limit)]
    return {name: found.count(name) for name in ("recertified", "refuted", "undecided")}


def test_the_odds_are_those_that_are_stated():
    assert LIMIT == 71
    assert scipy.stats.binom.cdf(LIMIT, N, 0.25) < 1e-3


@pytest.mark.parametrize("name", WORLDS)
def test_false_demotions_and_false_certificates_are_both_as_rare_as_promised(name):
    found = counted((name,))
    assert found["refuted"] <= LIMIT
    assert found["recertified"] <= LIMIT


@pytest.mark.parametrize("name", WORLDS)
def test_a_safe_champion_is_recertified_and_never_demoted(name):
    found = counted((name,), at_limit=False)
    assert found["recertified"] > 0.9 * N
    assert found["refuted"] == 0


def four_at_their_limits():
    """What rows say against four claims at once, each exactly at its limit, with errors of their own."""
    claims = [Claim("risk", "0.2", DELTA)] * 4
    for errors in np.random.default_rng(SEED).binomial(N_CALIBRATION, 0.2, (N, 4)).tolist():
        seen = [Counts(N_CALIBRATION, k, k, 0, 0) for k in errors]
        yield opposite(claims, seen, [{}] * 4)


def test_several_claims_at_their_limits_at_once_are_refuted_no_more_often():
    assert sum(found.proven for found in four_at_their_limits()) <= LIMIT


def test_the_smallest_of_several_p_values_without_its_price_is_caught():
    """What a test would do that demotes as soon as any of four claims looks false at the whole delta."""
    n_false = sum(min(map(float, found.p_values)) <= float(DELTA) for found in four_at_their_limits())
    assert n_false > LIMIT


@pytest.mark.parametrize(("rate", "least"), [(0.3, 0.95), (0.26, 0.6)])
def test_a_champion_whose_risk_has_risen_is_demoted(rate, least):
    rng, claim = np.random.default_rng(SEED), Claim("risk", "0.2", DELTA)
    errors = rng.binomial(N_CALIBRATION, rate, N)
    found = [opposite([claim], [Counts(N_CALIBRATION, int(k), int(k), 0, 0)], [{}]).proven for k in errors]
    assert sum(found) > least * N


@cache
def price_after(n_before, costs):
    return attempt_price(DELTA, n_before, costs)


@cache
def answers(price):
    """The most errors with which a network is recertified, and the fewest with which it is refuted."""
    law, level = scipy.stats.binom(N_ROWS, 0.2), float(price)
    return int(np.searchsorted(law.cdf(range(N_ROWS + 1)), level, "right")) - 1, int(law.isf(level)) + 1


def wrong(rng, priced):
    """Which wrong answers one set of rows gives in twelve tests of networks at the limit: refuted, recertified.

    After a refutation the next network shares half of its errors with the last one; otherwise it is drawn anew.
    """
    costs, found = [], set()
    fails = rng.random(N_ROWS)
    for number in range(N_RUNS):
        low, high = answers(price_after(number, tuple(costs)) if priced else DELTA)
        n_errors = int((fails < 0.2).sum())
        proof = "recertified" if n_errors <= low else "refuted" if n_errors >= high else None
        if proof:
            found.add(proof)
            costs.append(answer_cost("certified", 2, 0))
        fails = np.where(rng.random(N_ROWS) < (0.5 if proof == "refuted" else 0), fails, rng.random(N_ROWS))
    return found


@pytest.mark.parametrize("side", ["refuted", "recertified"])
def test_a_set_of_rows_that_is_used_twelve_times_is_wrong_as_rarely_as_once(side):
    rng = np.random.default_rng(SEED)
    assert sum(side in wrong(rng, priced=True) for _ in range(N)) <= LIMIT


@pytest.mark.parametrize("side", ["refuted", "recertified"])
def test_without_prices_the_same_count_is_too_high(side):
    rng = np.random.default_rng(SEED)
    assert sum(side in wrong(rng, priced=False) for _ in range(N)) > LIMIT
