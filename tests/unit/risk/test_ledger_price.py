"""What attempts may cost: every tree of answers is enumerated, and its prices are added up exactly."""

from dataclasses import dataclass, replace
from decimal import Decimal
from fractions import Fraction
from itertools import combinations
from math import prod

import pytest

from sentei.risk.ledger import (
    LAST_ATTEMPT,
    answer_cost,
    attempt_price,
    attempt_share,
    history_weight,
    joining_share,
)

# Archimedes would do, but these digits are from a table.
PI_BELOW, PI_ABOVE = Fraction("3.14159265358979323846"), Fraction("3.14159265358979323847")


def test_a_share_is_six_over_pi_squared_j_squared_and_never_more():
    for j in (1, 2, 7, LAST_ATTEMPT):
        assert 6 / (PI_ABOVE * j) ** 2 < attempt_share(j) < 6 / (PI_BELOW * j) ** 2
    assert all(attempt_share(j) * PI_ABOVE**2 * j**2 < 6 + Fraction(1, 10**17) for j in (1, 1000))


@dataclass(frozen=True)
class Predecessor:
    n_passes: int
    state: str = "silent"
    n_waits: int = 0


def looks(predecessors):
    """Everything that one more reservation may find, given what the one before it found."""
    if not predecessors:
        yield ()
        return
    *others, last = predecessors
    answers = ["silent", "refused", *["certified"] * last.n_passes] if last.state == "silent" else [last.state]
    for before in looks(tuple(others)):
        for answer in answers:
            yield *before, replace(last, state=answer, n_waits=last.n_waits + (answer == "silent"))


def histories(n_before, n_passes_after):
    """Every history of that many attempts, when families depend on everything that was seen before them."""
    if not n_before:
        return [()]
    found = []
    for seen in histories(n_before - 1, n_passes_after):
        found += looks((*seen, Predecessor(n_passes_after(seen))))
    return found


def weight(history):
    costs = [answer_cost(one.state, one.n_passes, one.n_waits) for one in history]
    return history_weight(len(history), [cost for cost in costs if cost is not None])


def one_variant(seen):
    return 1


def three_variants(seen):
    return 3


def as_answered(seen):
    """Larger families after passes, smaller ones while somebody is silent."""
    return 1 + sum({"certified": 2, "refused": 1, "silent": 0}[one.state] + one.n_waits for one in seen) % 3


@pytest.mark.parametrize("n_passes_after", [one_variant, three_variants, as_answered])
@pytest.mark.parametrize("n_before", [0, 1, 2, 3, 4])
def test_the_weights_of_all_histories_of_one_length_sum_to_exactly_one(n_before, n_passes_after):
    assert sum(map(weight, histories(n_before, n_passes_after))) == 1


def test_a_pass_or_a_wait_that_costs_nothing_would_overspend():
    """The enumeration sees what it is there for: each answer that is counted as if it told nothing is missed."""
    for free in ("certified", "silent"):
        spent = sum(
            weight([one if one.state != free else replace(one, state="refused", n_waits=0) for one in history])
            for history in histories(3, three_variants)
        )
        assert spent > 1


def test_the_weight_is_that_of_a_history_of_half_the_passes_and_so_on():
    """2^-(m+1) / (C(j-1, m) prod K), and what the levels up to j-1 passes leave of 1 is shared out."""
    for j, costs, ways in ((1, [], 1), (2, [5], 1), (4, [5, 7], 3), (6, [15], 5), (9, [], 1)):
        stated = Fraction(1, 2 ** (len(costs) + 1) * ways * prod(costs))
        assert history_weight(j - 1, costs) == stated / (1 - Fraction(1, 2**j))


def test_failures_cost_nothing_but_their_number():
    assert all(history_weight(n_before, ()) > Fraction(1, 2) for n_before in range(60))


def test_a_pass_costs_twice_its_branches_and_its_place():
    price, after = (Fraction(attempt_price("0.05", 1, costs)) for costs in ((), (15,)))
    assert price / after == pytest.approx(2 * 15, rel=1e-4)


def test_all_chains_together_that_a_chain_can_be_joined_with_fit_into_what_its_attempts_leave():
    chains = range(1, 12)
    rest = 1 - sum(map(attempt_share, range(1, LAST_ATTEMPT + 1)))
    for chain in chains:
        others = [other for other in chains if other != chain]
        sets = [(chain, *some) for size in range(1, len(others) + 1) for some in combinations(others, size)]
        assert sum(map(joining_share, sets)) < rest * Fraction(7, 10)  # the chains from 12 on add 4 % of the rest


def test_joined_chains_are_worth_the_same_in_any_order():
    assert joining_share([3, 1]) == joining_share([1, 3]) > joining_share([1, 4]) > joining_share([1, 3, 4])


@pytest.mark.parametrize(
    ("price", "exact"),
    [
        (("0.05", 0, ()), Fraction(1, 20)),
        (("0.1", 3, (4, 12)), Fraction(1, 10) / 16 / 8 / Fraction(15, 16) / 3 / 48),
        (("0.05", 999, (15,) * 7), None),
        (("1E-30", 5, ()), None),
    ],
)
def test_a_price_is_rounded_down_to_six_digits(price, exact):
    text = attempt_price(*price)
    delta, n_before, costs = price
    whole = Fraction(delta) * attempt_share(n_before + 1) * history_weight(n_before, costs)
    assert Fraction(text) <= whole < Fraction(text) * (1 + Fraction(1, 10**5))
    assert len(Decimal(text).as_tuple().digits) <= 6
    if exact:
        assert float(text) == pytest.approx(float(exact * 6 / PI_BELOW**2), rel=1e-5)


@pytest.mark.parametrize(
    ("broken", "told"),
    [
        (lambda: attempt_share(0), "number must be an integer between 1 and 1000"),
        (lambda: attempt_share(1001), "received 1001"),
        (lambda: attempt_share(1.0), "received 1.0"),
        (lambda: answer_cost("silent", 3, 0), "n_waits must be an integer of at least 1"),
        (lambda: answer_cost("refused", 0, 0), "n_passes must be an integer of at least 1"),
        (lambda: history_weight(1, (2, 2)), "costly answers must be an integer between 0 and 1"),
        (lambda: history_weight(2, (2, 0)), "a cost must be an integer of at least 1"),
        (lambda: joining_share([]), "one or more different chains"),
        (lambda: joining_share([1, 1]), "one or more different chains"),
        (lambda: joining_share([0]), "a rank must be"),
        (lambda: attempt_price("0", 0, ()), "delta must be"),
        (lambda: attempt_price("1", 0, ()), "delta must be"),
        (lambda: attempt_price(0.05, 0, ()), "decimal text"),
        (lambda: attempt_price("0.05", 1000, ()), "received 1001"),
    ],
)
def test_impossible_counts_are_refused(broken, told):
    with pytest.raises(ValueError, match=told):
        broken()
