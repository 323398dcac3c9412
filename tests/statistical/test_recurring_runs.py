"""How often thirty runs on one calibration set promote something false, when an adversary chooses every family.

A chain is 30 runs. Before each, the adversary has seen every answer of the chain. A chain is false if one of its runs
certifies a variant whose true risk is the limit or more. With a ledger at most delta = 0.1 of all chains are false, so
among 2000 there are more than the upper 1e-6 quantile of Bin(2000, 0.1), 267, less than once in a million such tests;
the simulations are seeded, so the tests repeat. What makes 15 % of all chains false is caught with a probability of
98 %. With the ledger 0.2 to 6.6 % are; without it the same adversaries make 43 to 93 % of all chains false, and the
same count says so.
"""

from functools import cache

import numpy as np
import pytest
import scipy.stats

from sentei.risk.ledger import answer_cost, attempt_price
from sentei.steps.ledger import FolderShelf, Ledger
from tests.statistical.adversaries import ADVERSARIES, correlated, draw_rows, is_false

N_CHAINS, N_MUTANT_CHAINS, N_RUNS, N_ROWS = 2000, 500, 30, 200
DELTA, LIMIT_OF_RISK = "0.1", 0.2
SEED = 7


def limit(n_chains):
    """More false chains than this are seen once in a million, if delta of all chains are false."""
    return int(scipy.stats.binom.isf(1e-6, n_chains, float(DELTA)))


class Prices:
    """What the ledger would ask, without its files: thousands of chains in seconds."""

    def __init__(self):
        self.runs = []

    def reserve(self, n_variants):
        for run in self.runs:
            run["waits"] += run["state"] == "silent"
        costs = [answer_cost(run["state"], run["n"], run["waits"]) for run in self.runs]
        self.runs.append({"n": n_variants, "state": "silent", "waits": 0})
        return price_after(len(costs), tuple(cost for cost in costs if cost is not None))

    def answer(self, number, winner):
        self.runs[number]["state"] = "refused" if winner is None else "certified"


class WholeDelta(Prices):
    """No ledger: every run tests at the whole delta."""

    def reserve(self, n_variants):
        super().reserve(n_variants)
        return DELTA


class ForgetsRefusals(Prices):
    """A ledger of certificates only: what was refused never happened."""

    def reserve(self, n_variants):
        self.runs = [run for run in self.runs if run["state"] == "certified"]
        return super().reserve(n_variants)

    def answer(self, number, winner):
        super().answer(-1, winner)


@cache
def price_after(n_before, costs):
    return attempt_price(DELTA, n_before, costs)


@cache
def most_errors(price):
    """The most errors with which a variant passes: the largest k with P(Bin(n, alpha) <= k) <= price."""
    return (
        int(np.searchsorted(scipy.stats.binom.cdf(range(N_ROWS + 1), N_ROWS, LIMIT_OF_RISK), float(price), "right")) - 1
    )


def certified(family, price, counts):
    """The fixed sequence: how many variants pass before the first that does not."""
    most = most_errors(price)
    for index, (way, cells) in enumerate(family):
        if counts[way][cells].sum() > most:
            return index
    return len(family)


def is_false_chain(adversary, ledger, rng, patience):
    """Whether one of the runs certifies something false; runs answer ``patience`` reservations late."""
    counts, chooses = draw_rows(rng, N_ROWS), adversary(rng)
    family, waiting = next(chooses), []
    for number in range(N_RUNS):
        n_passed = certified(family, ledger.reserve(len(family)), counts)
        if any(map(is_false, family[:n_passed])):
            return True
        waiting.append((number, n_passed - 1 if n_passed else None))
        told = None
        while len(waiting) > patience:
            told = waiting.pop(0)
            ledger.answer(*told)
        family = chooses.send(told and told[1])
    return False


def n_false_chains(adversary, ledger, patience=0, n_chains=N_CHAINS):
    rng = np.random.default_rng(SEED)
    return sum(is_false_chain(adversary, ledger(), rng, patience) for _ in range(n_chains))


@pytest.mark.parametrize("adversary", ADVERSARIES, ids=lambda one: one.__name__)
def test_thirty_runs_together_are_false_as_rarely_as_one_may_be(adversary):
    assert n_false_chains(adversary, Prices) <= limit(N_CHAINS)


def test_runs_that_overlap_gain_nothing():
    assert n_false_chains(correlated, Prices, patience=2) <= limit(N_CHAINS)


@pytest.mark.parametrize("mutant", [WholeDelta, ForgetsRefusals])
@pytest.mark.parametrize("adversary", ADVERSARIES, ids=lambda one: one.__name__)
def test_without_a_ledger_or_with_a_forgetful_one_the_same_count_is_too_high(adversary, mutant):
    assert n_false_chains(adversary, mutant, n_chains=N_MUTANT_CHAINS) > limit(N_MUTANT_CHAINS)


@pytest.mark.parametrize("patience", [0, 2])
def test_the_simulated_prices_are_those_of_a_ledger_on_disk(tmp_path, patience):
    rng = np.random.default_rng(SEED)
    rows = rng.integers(256, size=(N_ROWS, 32), dtype=np.uint8)
    ledger, prices = Ledger(FolderShelf(tmp_path)), Prices()
    waiting = []
    for number in range(N_RUNS):
        n_variants, winner = int(rng.integers(1, 9)), "v1" if rng.random() < 0.3 else None
        attempt = ledger.reserve(rows, "0" * 64, f"{number:064}", DELTA, n_variants, "2026-01-31T12:00:00Z")
        assert attempt.price == prices.reserve(n_variants)
        waiting.append((number, attempt, winner))
        while len(waiting) > patience:
            number_of, answering, won = waiting.pop(0)
            ledger.answer(answering, "certified" if won else "refused", won, "1" * 64)
            prices.answer(number_of, won)
