"""The alias champion moves to what is cheaper under a claim at least as strict, and to nothing else."""

from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentei.adapters.mlflow.promotion import Standing, promotes

CHAMPION = Standing("c1", "accuracy_drop", "0.01", "0.05", "10000", "bytes", "5000", "dense", "counted")
CHEAPER = replace(CHAMPION, certificate_sha256="c2", cost="4000")
DECIMALS = st.decimals("0.001", "10", places=3).map(str)
STANDINGS = st.builds(
    Standing,
    st.just("c"),
    st.sampled_from(["accuracy_drop", "risk"]),
    DECIMALS,
    DECIMALS,
    st.just("100"),
    st.sampled_from(["bytes", "macs"]),
    DECIMALS,
    st.sampled_from(["d1", "d2"]),
    st.sampled_from(["counted", "none"]),
)


@given(STANDINGS, STANDINGS)
def test_a_champion_is_replaced_exactly_by_what_is_better(new, old):
    """Compared with the rule written in exact fractions."""
    same = (new.claim, new.cost_name, new.dense_digest) == (old.claim, old.cost_name, old.dense_digest)
    stricter = Fraction(new.tolerance) <= Fraction(old.tolerance) and Fraction(new.delta) <= Fraction(old.delta)
    stricter &= (new.ledger, old.ledger) != ("none", "counted")

    assert promotes(new, old.tags(), "cheaper")[0] == (same and stricter and Fraction(new.cost) < Fraction(old.cost))


@given(STANDINGS)
def test_nothing_replaces_itself(standing):
    assert not promotes(standing, standing.tags(), "cheaper")[0]


@given(STANDINGS)
def test_tags_say_all_of_a_standing(standing):
    assert Standing.of(standing.tags()) == standing


@pytest.mark.parametrize(
    ("new", "reason"),
    [
        (CHEAPER, "cheaper under a claim at least as strict: 4000 bytes against the champion's 5000"),
        (replace(CHEAPER, cost="5000.0"), "not cheaper"),
        (replace(CHEAPER, tolerance="0.02"), "stricter: tolerance 0.01 against 0.02"),
        (replace(CHEAPER, delta="0.1"), "stricter: delta 0.05 against 0.1"),
        (replace(CHEAPER, claim="risk"), "claim is about accuracy_drop"),
        (replace(CHEAPER, cost_name="macs"), "cost is in bytes"),
        (replace(CHEAPER, dense_digest="other"), "another dense model"),
        (replace(CHEAPER, ledger="none"), "a ledger counts the attempts behind the champion's claim, and none those"),
    ],
)
def test_the_reason_names_what_decided(new, reason):
    moves, said = promotes(new, CHAMPION.tags(), "cheaper")

    assert reason in said
    assert moves == (new is CHEAPER)


@pytest.mark.parametrize("name", sorted({*CHAMPION.tags()} - {"ledger"}))
def test_a_champion_that_does_not_say_what_it_claims_stays(name):
    """Fails closed: without one of its tags nothing can be shown to be better."""
    tags = {key: value for key, value in CHAMPION.tags().items() if key != name}

    moves, reason = promotes(CHEAPER, tags, "cheaper")

    assert not moves
    assert "missing" in reason


def test_a_champion_that_says_nothing_of_a_ledger_has_none():
    """Versions from before the tag; to take them for counted would keep the counted ones out, too."""
    old = {key: value for key, value in CHAMPION.tags().items() if key != "ledger"}

    assert Standing.of(old).ledger == "none"
    for ledger in ("none", "counted"):
        assert promotes(replace(CHEAPER, ledger=ledger), old, "cheaper")[0]
    moves, reason = promotes(CHEAPER, {**old, "ledger": "perhaps"}, "cheaper")
    assert (moves, "tag ledger is 'perhaps'" in reason) == (False, True)


@pytest.mark.parametrize("text", ["many", "NaN", "Infinity", "1e", "4_000x"])
def test_a_champion_whose_cost_is_no_number_stays(text):
    moves, reason = promotes(CHEAPER, {**CHAMPION.tags(), "cost": text}, "cheaper")

    assert not moves
    assert "not a number" in reason


def test_the_settings_come_first():
    assert promotes(CHEAPER, None, "never")[0] is False
    assert promotes(replace(CHEAPER, cost="9999"), CHAMPION.tags(), "certified")[0] is True
    assert promotes(CHEAPER, None, "cheaper") == (True, "there was no champion")
    with pytest.raises(ValueError, match="expected promote among"):
        promotes(CHEAPER, None, "always")
