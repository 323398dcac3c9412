"""Laws of every kind of claim, whatever the two networks do."""

from decimal import Decimal
from fractions import Fraction

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from sentei.risk import Claim
from sentei.risk.pair import Pair
from sentei.risk.tally import Accepted, Disagreements, LossSum, tally_of
from tests.unit.risk.claim_rows import CLAIMS, ORDER_FREE, pair_of, settled_on

names = st.sampled_from(sorted(CLAIMS))
pairs = st.builds(pair_of, st.integers(0, 10**6), st.integers(3, 80), st.floats(0, 1))
SETTLED = {name: settled_on(claim) for name, claim in CLAIMS.items()}


def p_and_tally(name, pair):
    claim = CLAIMS[name]
    seen = claim.see(pair, SETTLED[name])
    return claim.p_value(seen, SETTLED[name]), tally_of(seen)


def shuffled(pair, seed):
    order = np.random.default_rng(seed).permutation(len(pair.dense["loss"]))
    ours, theirs = ({name: c[order] for name, c in columns.items()} for columns in (pair.variant, pair.dense))
    return Pair(ours, theirs, pair.seed)


@settings(max_examples=150)
@given(st.sampled_from(ORDER_FREE), pairs, st.integers(0, 100))
def test_the_order_of_rows_does_not_matter_to_counts_and_means(name, pair, seed):
    (p, tally), (again, other) = p_and_tally(name, pair), p_and_tally(name, shuffled(pair, seed))
    assert p == again
    if isinstance(tally, LossSum):
        assert tally.total == other.total
    else:
        assert tally == other


@given(names, pairs)
def test_a_variant_that_is_the_dense_model_differs_nowhere(name, pair):
    same = Pair(pair.dense, pair.dense, pair.seed)
    claim = CLAIMS[name]
    tally = tally_of(claim.see(same, SETTLED[name]))
    if claim.kind in ("risk", "selective_risk"):
        return
    if isinstance(tally, Disagreements):
        assert tally.n_disagreements == (pair.dense["prediction"] < 0).sum()
    elif isinstance(tally, LossSum):
        assert tally.total == 0
    else:
        parts = [part.counts for part in tally.classes if part.counts] if hasattr(tally, "classes") else [tally]
        assert {(part.n_harmed, part.n_helped) for part in parts} == {(0, 0)}
        assert claim.estimate(tally) == 0


@given(pairs, st.decimals("0.001", "0.9", places=4))
def test_who_disagrees_little_cannot_have_dropped_much(pair, tolerance):
    """Every harmed row is a disagreement, so that a proof about disagreement is one about the drop."""
    agreement = Claim("disagreement", str(tolerance), "0.1")
    drop = Claim("accuracy_drop", str(tolerance), "0.1", settings={"method": "clipped"})
    disagreed, dropped = agreement.see(pair), drop.see(pair)
    assert dropped.n_harmed - dropped.n_helped <= dropped.n_harmed <= disagreed.n_disagreements
    assert Decimal(drop.p_value(dropped)) <= Decimal(agreement.p_value(disagreed))
    assert Decimal(drop.upper_bound(dropped)) <= Decimal(agreement.upper_bound(disagreed))


@given(pairs)
def test_of_all_rows_accepted_the_selective_risk_is_the_risk(pair):
    whole = Claim("selective_risk", "0.3", "0.1", settings={"coverage": "1"})
    risk = Claim("risk", "0.3", "0.1")
    accepted, counts = whole.see(pair, whole.settle(pair, 10)), risk.see(pair)
    assert accepted == Accepted(counts.n_examples, counts.n_examples, counts.n_errors)
    assert whole.p_value(accepted) == (risk.p_value(counts) if counts.n_examples >= 25 else "1")


@given(pairs)
def test_no_class_drops_more_than_the_worst_one(pair):
    worst, single = CLAIMS["worst-class-clipped"], Claim("accuracy_drop", "0.15", "0.1", settings={"method": "clipped"})
    seen = worst.see(pair, {"classes": "0,1,2"})
    parts = [part.counts for part in seen.classes if part.counts]
    assert worst.estimate(seen) >= single.estimate(single.see(pair))
    assert all(Decimal(single.p_value(part)) <= Decimal(worst.p_value(seen)) for part in parts)
    assert sum(part.n_harmed for part in parts) == single.see(pair).n_harmed


levels = st.decimals("0.0000001", "0.9", places=9, allow_nan=False).filter(lambda level: level > 0)


@given(st.decimals("0.01", "0.9", places=4), st.fractions(0, Fraction(9, 10)), levels)
def test_gamma_is_never_raised_at_another_level(delta, share, other):
    gamma = f"{Decimal(delta) * Decimal(share.numerator) / Decimal(share.denominator):.8f}"
    claim = Claim("accuracy_drop", "0.1", str(delta), gamma)
    moved = claim.at(f"{other:f}")
    before, after = (Fraction(Decimal(c.gamma)) / Fraction(Decimal(c.delta)) for c in (claim, moved))
    assert before * (1 - Fraction(1, 10**5)) <= after <= before


@settings(max_examples=60)
@given(names, pairs, st.integers(0, 2**60))
def test_p_values_are_probabilities_and_bounds_do_not_lie_below_estimates(name, pair, seed):
    claim = CLAIMS[name]
    seen = claim.see(Pair(pair.variant, pair.dense, seed), SETTLED[name])
    p, bound = (Decimal(text(seen, SETTLED[name])) for text in (claim.p_value, claim.upper_bound))
    assert 0 < p <= 1
    assert bound <= 1
    # A gambler who wins early may stop: where the order matters, a bound can lie below the mean of all rows.
    assert name not in ORDER_FREE or bound >= Decimal(claim.estimate_text(tally_of(seen)))
    assert claim.p_value(seen, SETTLED[name]) == str(p)
