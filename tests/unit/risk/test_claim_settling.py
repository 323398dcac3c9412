"""What the selection split decides before a calibration row is read, and what a claim may ask for at all."""

from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
import scipy.stats

from sentei.risk import Claim
from sentei.risk.pair import Pair
from tests.unit.risk.claim_rows import CLAIMS, pair_of


def losses(n, n_harmed, n_helped, column="loss"):
    """A selection split on which the dense model errs on the first ten rows."""
    dense, variant = np.zeros(n, np.uint8), np.zeros(n, np.uint8)
    dense[:10] = 1
    variant[n_helped:10] = 1
    variant[10 : 10 + n_harmed] = 1
    return Pair({column: variant}, {column: dense})


def method(claim, pair, n_rows):
    return claim.settle(pair, n_rows)["method"]


DROP = Claim("accuracy_drop", "0.02", "0.05")


@pytest.mark.parametrize(
    ("harmed", "helped", "n_rows", "expected"),
    [
        (0, 0, 1000, "clipped"),  # 0.98 ** 1000 is below gamma, which the paired test never is
        (4, 0, 1000, "clipped"),  # P[Bin(1000, 0.02) <= 10] = 0.0102; nothing was helped that the paired test could use
        (8, 8, 1000, "paired"),  # P[Bin(1000, 0.02) <= 20] = 0.56, but harm and help are in balance
        (2, 9, 400, "paired"),  # P[Bin(400, 0.02) <= 2] = 0.013; nine helped rows say more
        (0, 0, 1, "clipped"),  # 0.98; the paired test adds gamma to as much
        (8, 0, 1000, "clipped"),
    ],
)
def test_the_method_is_the_one_that_would_do_better_on_rows_like_these(harmed, helped, n_rows, expected):
    assert method(DROP, losses(400, harmed, helped), n_rows) == expected


def test_figures_are_scaled_to_the_calibration_split_and_rounded_up():
    """Of 400 rows 5 harmed and 5 helped are 1.25 each on 100: counted as 2 and 2, not as 1 and 1."""
    claim = Claim("accuracy_drop", "0.05", "0.05")
    assert method(claim, losses(100, 2, 2), 100) == "paired"
    assert method(claim, losses(100, 1, 1), 100) == "clipped"
    assert method(claim, losses(400, 5, 5), 100) == "paired"


def test_what_more_rows_than_there_are_would_show_is_left_to_the_paired_test():
    """Rounded up, one harmed and one helped row of 400 would be two discordant rows among one."""
    assert method(DROP, losses(400, 1, 1), 1) == "paired"
    assert method(Claim("accuracy_drop", "0", "0.05"), losses(400, 0, 0), 1000) == "paired"


@pytest.mark.parametrize("wanted", ["paired", "clipped"])
@pytest.mark.parametrize("kind", ["accuracy_drop", "worst_class_drop"])
def test_a_method_that_was_asked_for_is_kept(kind, wanted):
    claim = Claim(kind, "0.05", "0.05", settings={"method": wanted})
    assert claim.settle(pair_of(0, 200), 1000)["method"] == wanted


def test_the_settled_method_is_the_one_that_is_used():
    seen = DROP.see(losses(400, 2, 9))
    p_values = {name: DROP.p_value(seen, {"method": name}) for name in ("paired", "clipped")}
    assert p_values["paired"] != p_values["clipped"]
    assert p_values["clipped"] == Claim("accuracy_drop", "0.02", "0.05", settings={"method": "clipped"}).p_value(seen)
    assert float(p_values["clipped"]) == pytest.approx(scipy.stats.binom.cdf(2, 400, 0.02), rel=1e-5)


def dice(values, seed=0):
    column = {"dice": np.array(values, np.int32)}
    return Pair(column, column, seed)


def test_of_two_tests_of_losses_the_better_one_on_the_selection_split_is_settled():
    claim = Claim("risk", "0.1", "0.05", settings={"loss": "dice"})
    near_its_mean, all_or_nothing = [50_000] * 300, [0] * 299 + [1_000_000]
    for values, expected in ((near_its_mean, "betting"), (all_or_nothing, "hoeffding-bentkus")):
        pair = dice(values)
        seen = claim.see(pair)
        p_values = {name: float(claim.p_value(seen, {"method": name})) for name in ("betting", "hoeffding-bentkus")}
        assert min(p_values, key=p_values.get) == expected == method(claim, pair, 1000)
    wanted = Claim("risk", "0.1", "0.05", settings={"loss": "dice", "method": "hoeffding-bentkus"})
    assert method(wanted, dice(near_its_mean), 1000) == "hoeffding-bentkus"
    assert Claim("risk", "0.1", "0.05").settle(losses(400, 1, 1), 9) == {"method": "binomial"}


@pytest.mark.parametrize(
    ("coverage", "threshold"),
    [("0.5", 60), ("1", 10), ("0.1", 100), ("0.11", 90), ("0.0001", 100), ("0.3", 80), ("0.35", 70), ("0.30", 80)],
)
def test_a_share_of_the_selection_rows_reaches_the_threshold(coverage, threshold):
    """Ten rows with confidences 10, 20, ..., 100: a share c of them, rounded up, is accepted."""
    claim = Claim("selective_risk", "0.1", "0.05", settings={"coverage": coverage})
    confidence = np.array([30, 100, 10, 20, 90, 60, 40, 50, 80, 70], np.int32)
    pair = Pair({"loss": np.zeros(10, np.uint8)}, {"confidence": confidence})
    assert claim.settle(pair, 1000) == {"threshold": str(threshold)}


def test_rows_that_are_as_confident_as_the_threshold_are_all_accepted():
    claim = Claim("selective_risk", "0.1", "0.05", settings={"coverage": "0.2"})
    pair = Pair({"loss": np.zeros(10, np.uint8)}, {"confidence": np.array([7] * 9 + [3], np.int32)})
    assert claim.see(pair, claim.settle(pair, 1000)).n_accepted == 9


def test_the_classes_of_the_selection_split_are_settled():
    pair = Pair({"loss": np.zeros(4, np.uint8)}, {"loss": np.zeros(4, np.uint8), "label": np.array([10, 2, 2, 0])})
    assert CLAIMS["worst-class"].settle(pair, 9) == {"method": "paired", "classes": "0,2,10"}
    seen = CLAIMS["worst-class"].see(pair, {"classes": "0,2,9,10"})
    assert [part.label for part in seen.classes] == [0, 2, 9, 10]


@pytest.mark.parametrize("name", ["disagreement", "loss-drop"])
def test_where_there_is_one_way_nothing_is_settled(name):
    assert CLAIMS[name].settle(pair_of(0, 200), 9) == {}


@pytest.mark.parametrize("name", CLAIMS)
def test_what_is_settled_are_texts_and_repeats(name):
    first, again = (CLAIMS[name].settle(pair_of(2, 200), 500) for _ in range(2))
    assert first == again
    assert all(isinstance(text, str) for text in first.values())


# What may be claimed.


@pytest.mark.parametrize(
    ("kind", "tolerance", "settings"),
    [
        ("accuracy_drop", "0.1", {"method": "binomial"}),
        ("accuracy_drop", "0", {"method": "clipped"}),
        ("accuracy_drop", "0.1", {"loss": "dice"}),
        ("accuracy_drop", "0.1", {"method": ""}),
        ("accuracy_drop", "0.1", {"method": None}),
        ("risk", "0.1", {"loss": "hamming"}),
        ("risk", "0.1", {"method": "betting"}),
        ("risk", "0.1", {"loss": "dice", "method": "binomial"}),
        ("risk", "0.1", {"loss": "dice", "method": "clipped"}),
        ("risk", "0.1", {"coverage": "0.5"}),
        ("disagreement", "0", {}),
        ("disagreement", "1", {}),
        ("disagreement", "0.1", {"method": "auto"}),
        ("loss_drop", "0.1", {}),
        ("loss_drop", "0.1", {"loss": "zero_one"}),
        ("loss_drop", "1", {"loss": "dice"}),
        ("loss_drop", "-0.1", {"loss": "dice"}),
        ("selective_risk", "0.1", {}),
        ("selective_risk", "0.1", {"coverage": "0"}),
        ("selective_risk", "0.1", {"coverage": "1.1"}),
        ("selective_risk", "0.1", {"coverage": "half"}),
        ("selective_risk", "0", {"coverage": "0.5"}),
        ("selective_risk", "1", {"coverage": "0.5"}),
        ("worst_class_drop", "0.1", {"method": "auto"}),
        ("worst_class_drop", "0", {"method": "clipped"}),
        ("worst_class_drop", "0.1", {"classes": "0,1"}),
        ("robust_accuracy_drop", "0.1", {}),
        ("robust_accuracy_drop", "0.1", {"radius": "0"}),
        ("robust_accuracy_drop", "0.1", {"radius": "-0.1"}),
        ("robust_accuracy_drop", "0.1", {"radius": "x"}),
        ("robust_accuracy_drop", "0.1", {"radius": "0.1", "attack": "cw"}),
        ("robust_accuracy_drop", "0.1", {"radius": "0.1", "steps": "0"}),
        ("robust_accuracy_drop", "0.1", {"radius": "0.1", "steps": "1.5"}),
        ("robust_accuracy_drop", "0.1", {"radius": "0.1", "steps": "\u0663"}),
        ("robust_accuracy_drop", "0.1", {"radius": "0.1", "seed": "-1"}),
        ("robust_accuracy_drop", "0.1", {"radius": "0.1", "seed": ""}),
    ],
)
def test_settings_that_a_kind_does_not_take_are_refused(kind, tolerance, settings):
    with pytest.raises(ValueError, match=r"claim|tolerance"):
        Claim(kind, tolerance, "0.05", settings=settings)


def test_what_is_left_out_has_the_kinds_default():
    defaults = {name: dict(Claim(kind, "0.1", "0.05", settings=given).settings) for name, kind, given in (
        ("drop", "accuracy_drop", {}),
        ("risk", "risk", {}),
        ("worst", "worst_class_drop", {}),
        ("robust", "robust_accuracy_drop", {"radius": "0.03"}),
    )}  # fmt: skip
    assert defaults == {
        "drop": {"method": "auto"},
        "risk": {"loss": "zero_one", "method": "auto"},
        "worst": {"method": "paired"},
        "robust": {"method": "auto", "attack": "pgd", "radius": "0.03", "steps": "20", "seed": "0"},
    }


def test_equal_claims_are_one_claim():
    given = {"radius": "0.03", "steps": "20"}
    one, other = (Claim("robust_accuracy_drop", "0.1", "0.05", settings=s) for s in (given, given | {"attack": "pgd"}))
    assert one == other
    assert len({one, other, Claim("robust_accuracy_drop", "0.1", "0.05", settings={"radius": "0.04"})}) == 2


@pytest.mark.parametrize(
    ("name", "gamma"), [("drop", "0.002"), ("worst-class", "0.002"), ("robust-drop", "0.002"), ("drop-clipped", "0")]
)
def test_gamma_belongs_to_the_paired_test(name, gamma):
    assert CLAIMS[name].gamma == gamma


@pytest.mark.parametrize("name", [name for name, claim in CLAIMS.items() if claim.kind not in ("accuracy_drop",)])
def test_kinds_without_a_nuisance_parameter_have_no_gamma(name):
    claim = CLAIMS[name]
    paired = claim.kind.endswith("_drop") and claim.kind != "loss_drop" and claim.settings["method"] != "clipped"
    assert (claim.gamma == "0") == (not paired)


# The same claim at another level.


@pytest.mark.parametrize("delta", ["0.1", "0.05", "0.0303963", "0.000168868", "1.52599E-7", "0.9"])
@pytest.mark.parametrize("gamma", ["0.002", "0.001", "0.0333333"])
def test_gamma_keeps_its_share_of_delta_and_is_never_raised(delta, gamma):
    claim = Claim("accuracy_drop", "0.01", "0.1", gamma).at(delta)
    share = Fraction(Decimal(claim.gamma)) / Fraction(Decimal(delta))
    assert claim.delta == delta
    assert Fraction(gamma) / Fraction("0.1") * (1 - Fraction(1, 10**5)) < share <= Fraction(gamma) / Fraction("0.1")


@pytest.mark.parametrize("name", CLAIMS)
def test_at_another_level_everything_else_stays(name):
    claim = CLAIMS[name]
    other = claim.at("0.0123457")
    assert (other.kind, other.tolerance, other.settings) == (claim.kind, claim.tolerance, claim.settings)
    assert (other.gamma == "0") == (claim.gamma == "0")
    assert claim.at(claim.delta) is claim
    assert other.at("0.001").delta == "0.001"


def test_a_level_that_is_none_is_refused():
    for delta in ("0", "1", "-0.1", "x"):
        with pytest.raises((ValueError, ArithmeticError)):
            CLAIMS["drop"].at(delta)
