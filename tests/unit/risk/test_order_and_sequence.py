import numpy as np
import pytest

from sentei.risk import Claim, Counts, Finding, fixed_sequence, pareto_order
from tests.examined import examined

CLAIM = Claim("risk", "0.1", "0.05")
GOOD, BETTER, BAD = Counts(1000, 60, 60, 0, 0), Counts(1000, 50, 50, 0, 0), Counts(1000, 99, 99, 0, 0)


@pytest.mark.parametrize(
    ("p_values", "rejected"),
    [
        ([], ()),
        ([0.06, 0.001], ()),
        ([0.001, 0.06, 0.001], (0,)),
        ([0.05, 0.05], (0, 1)),
        ([0.0, 1.0], (0,)),
    ],
)
def test_a_sequence_ends_at_its_first_failure(p_values, rejected):
    assert fixed_sequence(p_values, 0.05) == rejected


@pytest.mark.parametrize("p_values", [[0.01, float("nan")], [-0.1], [1.1], ["0.1"]])
def test_values_that_are_no_p_values_are_refused(p_values):
    with pytest.raises(ValueError, match=r"p_values\["):
        fixed_sequence(p_values, 0.05)


def test_the_front_holds_exactly_the_variants_that_nothing_beats():
    rng = np.random.default_rng(7)
    for _ in range(200):
        drops, costs = rng.integers(0, 6, 8) / 100, rng.integers(0, 6, 8)
        points = list(zip(drops.tolist(), costs.tolist(), strict=True))
        beaten = {
            i for i, (d, c) in enumerate(points) if any(x <= d and y <= c and (x, y) != (d, c) for x, y in points)
        }
        front = pareto_order(drops.tolist(), costs.tolist())
        assert {points[i] for i in front} == {points[i] for i in range(8) if i not in beaten}
        assert [points[i] for i in front] == sorted({points[i] for i in front})
        assert all(points.index(points[i]) == i for i in front)


@pytest.mark.parametrize(
    ("drops", "costs"), [([0.1], [1, 2]), ([float("nan")], [1]), ([0.1], [float("inf")]), ([True], [1]), (["0.1"], [1])]
)
def test_an_order_needs_finite_numbers_for_every_variant(drops, costs):
    with pytest.raises(ValueError, match=r"expected|finite"):
        pareto_order(drops, costs)


def test_variants_beyond_the_first_failure_are_never_counted():
    asked = []

    def counts_of(name):
        asked.append(name)
        return {"a": GOOD, "b": BAD, "c": GOOD}[name]

    decision = examined(["a", "b", "c"], counts_of, CLAIM, {"a": 3, "b": 2, "c": 1})
    assert asked == ["a", "b"]
    assert (decision.certified, decision.chosen) == (("a",), "a")
    assert [test.passed for test in decision.tests] == [True, False]
    assert "ended at 'b'" in decision.reason
    assert "n = 1000, 99 errors" in decision.reason


def test_the_cheapest_certified_variant_is_chosen_wherever_it_stands():
    counts = {"a": BETTER, "b": GOOD, "c": GOOD}
    assert examined("abc", counts.__getitem__, CLAIM, {"a": 5, "b": 1, "c": 2}).chosen == "b"
    assert examined("abc", counts.__getitem__, CLAIM, {"a": 5, "b": 1, "c": 1}).chosen == "b"


def test_a_refusal_names_the_safest_variant_and_its_numbers():
    claim = Claim("accuracy_drop", "0.003", "0.05")
    safest = Counts(10_000, 741, 722, 41, 22)
    decision = examined(["l1-global-0.50", "b"], lambda _: safest, claim, {"l1-global-0.50": 1, "b": 1})
    assert (decision.certified, decision.chosen, len(decision.tests)) == ((), None, 1)
    words, _, p = decision.reason.removesuffix(" > 0.05").partition("p = ")
    assert words == "the safest variant 'l1-global-0.50' did not pass: n = 10 000, 41 harmed, 22 helped, "
    assert 0 <= float(p) - float(claim.p_value(safest)) < 0.001  # three digits, rounded up


def test_without_variants_nothing_is_chosen():
    decision = examined([], lambda _: GOOD, CLAIM, {})
    assert (decision.chosen, decision.reason) == (None, "there was no variant to test")


@pytest.mark.parametrize(("order", "costs"), [("aa", {"a": 1}), ("ab", {"a": 1}), ("a", {"a": float("nan")})])
def test_an_order_with_repeated_or_costless_variants_is_refused(order, costs):
    with pytest.raises(ValueError, match="variant"):
        examined(order, lambda _: GOOD, CLAIM, costs)


@pytest.mark.parametrize("p_value", ["0.01x", 0.01, "", "NaN"])
def test_a_finding_holds_a_decimal_text(p_value):
    with pytest.raises(ValueError, match="decimal text"):
        Finding({}, GOOD, p_value)
