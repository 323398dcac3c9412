"""What each kind of claim counts, against loops over the rows, and what it refuses to count."""

import hashlib
from dataclasses import replace
from decimal import Decimal

import numpy as np
import pytest
import scipy.stats

from sentei.risk import Claim, Counts
from sentei.risk.claims import KINDS
from sentei.risk.pair import Pair
from sentei.risk.tally import Accepted, Disagreements, LossRows, LossSum, PerClass, Stratum, tally_of
from tests.unit.risk.claim_rows import CLAIMS, ROBUST, pair_of, settled_on

N = 300


def by_hand(name, variant, dense, settled):
    """The tally of one claim, row by row, in plain Python."""
    rows = range(len(dense["loss"]))
    ours, theirs = ({key: column.tolist() for key, column in columns.items()} for columns in (variant, dense))

    def counts(column, taken):
        pairs = [(ours[column][i], theirs[column][i]) for i in taken]
        both = [pairs.count(case) for case in ((1, 0), (0, 1), (1, 1))]
        return Counts(len(pairs), both[0] + both[2], both[1] + both[2], both[0], both[1])

    if name in ("drop", "drop-clipped", "risk", "robust-drop"):
        return counts(ROBUST if name == "robust-drop" else "loss", rows)
    if name == "disagreement":
        named = [(ours["prediction"][i], theirs["prediction"][i]) for i in rows]
        return Disagreements(len(named), sum(not (a == b and a >= 0) for a, b in named))
    if name == "selective-risk":
        taken = [i for i in rows if theirs["confidence"][i] >= int(settled["threshold"])]
        return Accepted(len(rows), len(taken), sum(ours["loss"][i] for i in taken))
    if name.startswith("worst-class"):
        return PerClass(
            len(rows),
            tuple(Stratum(c, counts("loss", [i for i in rows if theirs["label"][i] == c])) for c in (0, 1, 2)),
        )
    loss = CLAIMS[name].settings["loss"]
    return sum(ours[loss][i] - (theirs[loss][i] if name == "loss-drop" else 0) for i in rows)


@pytest.mark.parametrize("name", CLAIMS)
@pytest.mark.parametrize("seed", [0, 1])
def test_what_is_counted_is_what_a_loop_counts(name, seed):
    pair, settled = pair_of(seed, N), settled_on(CLAIMS[name])
    tally = tally_of(CLAIMS[name].see(pair, settled))
    expected = by_hand(name, pair.variant, pair.dense, settled)
    if isinstance(tally, LossSum):
        assert (tally.n_examples, tally.total) == (N, expected)
    else:
        assert tally == expected


def test_there_is_a_claim_of_every_kind_here():
    assert {claim.kind for claim in CLAIMS.values()} == set(KINDS)


@pytest.mark.parametrize("name", CLAIMS)
def test_a_claim_reads_the_columns_that_it_names_and_no_other(name):
    claim, pair = CLAIMS[name], pair_of(3, N)
    settled = settled_on(claim)
    ours, theirs = (
        {key: columns[key] for key in names}
        for columns, names in ((pair.variant, claim.variant_columns), (pair.dense, claim.dense_columns))
    )
    seen = claim.see(Pair(ours, theirs, pair.seed), settled)
    assert tally_of(seen) == tally_of(claim.see(pair, settled))
    for whose, names in (("variant", ours), ("dense", theirs)):
        for missing in names:
            left = {key: column for key, column in names.items() if key != missing}
            lacking = Pair(left, theirs, 0) if whose == "variant" else Pair(ours, left, 0)
            with pytest.raises(ValueError, match=f"{whose}: expected the column '{missing}'"):
                claim.see(lacking, settled)


def damaged(column):
    """Columns that no evaluation writes."""
    yield "a list", column.tolist()
    yield "no row", column[:0]
    yield "two dimensions", column.reshape(-1, 1)
    yield "floats", column.astype(np.float64)
    yield "truths", column.astype(bool)


@pytest.mark.parametrize("name", CLAIMS)
def test_columns_of_another_form_are_refused(name):
    claim, pair = CLAIMS[name], pair_of(4, N)
    settled = settled_on(claim)
    for column in claim.variant_columns:
        for _, wrong in damaged(pair.variant[column]):
            with pytest.raises(ValueError, match=r"must h|must be"):
                claim.see(replace(pair, variant={**pair.variant, column: wrong}), settled)
    shorter = {key: column[1:] for key, column in pair.variant.items()}
    with pytest.raises(ValueError, match="paired with"):
        claim.see(replace(pair, variant=shorter), settled)


@pytest.mark.parametrize(
    ("name", "column", "value"),
    [
        ("drop", "loss", 2),
        ("risk", "loss", 2),
        ("worst-class", "loss", 2),
        ("robust-drop", ROBUST, 2),
        ("selective-risk", "loss", 2),
        ("risk-betting", "dice", 1_000_001),
        ("risk-betting", "dice", -1),
        ("risk-hoeffding-bentkus", "iou", 1_000_001),
        ("risk-hoeffding-bentkus", "iou", -1),
        ("loss-drop", "false_negative", 1_000_001),
        ("loss-drop", "false_negative", -1),
    ],
)
def test_values_that_no_loss_has_are_refused(name, column, value):
    pair = pair_of(5, N)
    wrong = pair.variant[column].copy()
    wrong[17] = value
    with pytest.raises(ValueError, match=r"0 and 1|millionths"):
        CLAIMS[name].see(replace(pair, variant={**pair.variant, column: wrong}), settled_on(CLAIMS[name]))


def test_losses_of_zero_and_one_are_bytes_where_they_are_paired():
    pair = pair_of(5, N)
    wide = {**pair.variant, "loss": pair.variant["loss"].astype(np.int64)}
    with pytest.raises(ValueError, match="uint8"):
        CLAIMS["drop"].see(replace(pair, variant=wide))


@pytest.mark.parametrize("name", ["worst-class", "selective-risk"])
def test_what_stands_beside_the_losses_is_as_long_as_they_are(name):
    claim, pair = CLAIMS[name], pair_of(6, N)
    column = {"worst-class": "label", "selective-risk": "confidence"}[name]
    shorter = replace(pair, dense={**pair.dense, column: pair.dense[column][1:]})
    with pytest.raises(ValueError, match="paired with"):
        claim.see(shorter, settled_on(claim))


def test_a_network_that_names_no_class_disagrees_with_everything_even_with_silence():
    ours, theirs = np.array([0, -1, 1, -1, 2], np.int32), np.array([0, 0, -1, -1, 2], np.int32)
    seen = CLAIMS["disagreement"].see(Pair({"prediction": ours}, {"prediction": theirs}))
    assert seen == Disagreements(5, 3)


# Estimates, p-values and bounds from elsewhere.


def settled_p(name, seen, **settled):
    return float(CLAIMS[name].p_value(seen, settled))


def test_p_values_of_counts_are_those_of_the_binomial_distribution():
    cdf = scipy.stats.binom.cdf
    assert settled_p("disagreement", Disagreements(400, 60)) == pytest.approx(cdf(60, 400, 0.2), rel=1e-5)
    assert settled_p("selective-risk", Accepted(400, 170, 20)) == pytest.approx(cdf(20, 170, 0.2), rel=1e-5)
    assert settled_p("risk", Counts(400, 100, 90, 15, 5)) == pytest.approx(cdf(100, 400, 0.3), rel=1e-5)
    assert settled_p("drop", Counts(400, 100, 90, 15, 5), method="clipped") == pytest.approx(
        cdf(15, 400, 0.05), rel=1e-5
    )


def test_bounds_of_counts_are_those_of_clopper_and_pearson():
    def bound(k, n):
        return scipy.stats.beta.ppf(0.9, k + 1, n - k)

    for name, seen, k, n in (
        ("disagreement", Disagreements(400, 60), 60, 400),
        ("selective-risk", Accepted(400, 170, 20), 20, 170),
        ("risk", Counts(400, 100, 90, 15, 5), 100, 400),
        ("drop-clipped", Counts(400, 100, 90, 15, 5), 15, 400),
    ):
        assert float(CLAIMS[name].upper_bound(seen)) == pytest.approx(bound(k, n), rel=1e-5)


def test_estimates_are_shares_of_the_rows_that_count():
    strata = (
        Stratum(0, Counts(100, 30, 20, 15, 5)),
        Stratum(1, Counts(50, 20, 12, 9, 1)),
        Stratum(4, Counts(50, 0, 0, 0, 0)),
    )
    assert CLAIMS["drop"].estimate(Counts(400, 100, 90, 15, 5)) == 10 / 400
    assert CLAIMS["risk"].estimate(Counts(400, 100, 90, 15, 5)) == 100 / 400
    assert CLAIMS["disagreement"].estimate(Disagreements(400, 60)) == 0.15
    assert CLAIMS["selective-risk"].estimate(Accepted(400, 170, 20)) == 20 / 170
    assert CLAIMS["worst-class"].estimate(PerClass(200, strata)) == 8 / 50
    losses = LossRows(np.array([-100_000, 400_000, 0, 100_000], np.int32), 0)
    assert CLAIMS["loss-drop"].estimate(losses) == CLAIMS["risk-betting"].estimate(losses) == 0.1
    assert CLAIMS["loss-drop"].estimate_text(losses.tally) == "0.1"


@pytest.mark.parametrize("method", ["paired", "clipped"])
def test_of_classes_the_worst_one_speaks(method):
    claim = replace(CLAIMS["worst-class"], settings={"method": method})
    single = Claim("accuracy_drop", "0.15", "0.1", settings={"method": method})
    counts = [Counts(100, 30, 20, 15, 5), Counts(50, 20, 12, 9, 1), Counts(60, 3, 3, 1, 1)]
    seen = PerClass(210, tuple(Stratum(label, part) for label, part in enumerate(counts)))
    assert claim.p_value(seen) == max((single.p_value(part) for part in counts), key=Decimal)
    bounds = [single.upper_bound(part) for part in counts]
    assert claim.upper_bound(seen) == max(bounds, key=Decimal)


# What cannot be certified, whatever the other rows say.


@pytest.mark.parametrize(("n_accepted", "passes"), [(0, False), (1, False), (24, False), (25, True), (400, True)])
def test_fewer_than_25_accepted_rows_prove_nothing(n_accepted, passes):
    claim, seen = CLAIMS["selective-risk"], Accepted(400, n_accepted, 0)
    assert claim.holds(claim.p_value(seen)) == passes
    assert (claim.p_value(seen) == "1") == (claim.upper_bound(seen) == "1") == (not passes)


def test_where_no_row_is_accepted_every_estimate_is_the_worst_one():
    claim, none = CLAIMS["selective-risk"], Accepted(400, 0, 0)
    assert (claim.estimate(none), claim.rows_needed(none), claim.chance(none, 10**6)) == (1.0, None, 0.0)


def test_a_class_without_calibration_rows_cannot_pass():
    claim = CLAIMS["worst-class"]
    pair = pair_of(7, N)
    perfect = replace(pair, variant={"loss": pair.dense["loss"]})
    assert claim.holds(claim.p_value(claim.see(perfect, {"classes": "0,1,2"})))
    missing = claim.see(perfect, {"classes": "0,1,2,3"})
    assert missing.classes[3] == Stratum(3, None)
    assert (claim.p_value(missing), claim.upper_bound(missing), claim.estimate(missing)) == ("1", "1", 1.0)
    assert (claim.chance(missing, 10**6), claim.rows_needed(missing)) == (0.0, None)


def test_a_class_of_calibration_rows_that_the_selection_split_did_not_know_counts():
    seen = CLAIMS["worst-class"].see(pair_of(8, N), {"classes": "0,7"})
    assert [(part.label, part.counts is None) for part in seen.classes] == [
        (0, False), (1, False), (2, False), (7, True),
    ]  # fmt: skip


# What a tally may be.


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: Disagreements(0, 0),
        lambda: Disagreements(5, 6),
        lambda: Disagreements(5, -1),
        lambda: Disagreements(5, 1.0),
        lambda: Disagreements(5, True),
        lambda: Accepted(5, 6, 0),
        lambda: Accepted(5, 3, 4),
        lambda: Accepted(0, 0, 0),
        lambda: Accepted(5, -1, 0),
        lambda: PerClass(0, ()),
        lambda: PerClass(3, (Stratum(0, Counts(2, 0, 0, 0, 0)),)),
        lambda: PerClass(4, (Stratum(1, Counts(2, 0, 0, 0, 0)), Stratum(0, Counts(2, 0, 0, 0, 0)))),
        lambda: PerClass(4, (Stratum(1, Counts(2, 0, 0, 0, 0)), Stratum(1, Counts(2, 0, 0, 0, 0)))),
        lambda: LossSum(2, 2_000_001, "0" * 64),
        lambda: LossSum(2, -2_000_001, "0" * 64),
        lambda: LossSum(2, 0.5, "0" * 64),
        lambda: LossRows(np.zeros(0, np.int32), 0),
        lambda: LossRows(np.zeros(3, np.int64), 0),
        lambda: LossRows(np.zeros((3, 1), np.int32), 0),
        lambda: LossRows([0, 0], 0),
        lambda: LossRows(np.array([1_000_001], np.int32), 0),
        lambda: LossRows(np.array([-1_000_001], np.int32), 0),
        lambda: LossRows(np.array([-(2**31)], np.int32), 0),
    ],
)
def test_tallies_that_contradict_themselves_are_refused(wrong):
    with pytest.raises(ValueError, match=r"must be|must hold|received"):
        wrong()


def test_the_digest_of_losses_is_that_of_their_bytes_in_order():
    losses = LossRows(np.array([5, -1, 1_000_000], np.int32), 0)
    text = (5).to_bytes(4, "little") + (-1).to_bytes(4, "little", signed=True) + (1_000_000).to_bytes(4, "little")
    assert losses.tally == LossSum(3, 1_000_004, hashlib.sha256(text).hexdigest())
    assert losses.tally != LossRows(losses.losses[::-1].copy(), 0).tally


def test_no_sum_of_losses_overflows():
    many = LossRows(np.full(5000, 1_000_000, np.int32), 0)
    assert many.tally.total == 5_000_000_000


# Words.


def test_every_limit_is_said_in_words():
    said = {name: claim.describe_limit() for name, claim in CLAIMS.items()}
    assert said == {
        "drop": "the variant's accuracy is at most 5 points below the dense model's",
        "drop-clipped": "the variant's accuracy is at most 5 points below the dense model's",
        "risk": "the variant errs on at most 30 % of rows",
        "risk-betting": "the variant's mean loss 1 - Dice is at most 0.3",
        "risk-hoeffding-bentkus": "the variant's mean loss 1 - IoU is at most 0.3",
        "disagreement": "the variant names another class than the dense model on at most 20 % of rows, "
        "so its accuracy is at most 20 points below",
        "loss-drop": "the variant's mean false-negative rate is at most 0.1 above the dense model's",
        "selective-risk": "the variant errs on at most 20 % of the rows of which the dense model is as confident as of "
        "its surest 50 % of selection rows",
        "worst-class": "in every class that selection or calibration rows show, the variant's accuracy is at most "
        "15 points below the dense model's",
        "worst-class-clipped": "in every class that selection or calibration rows show, the variant's accuracy is at "
        "most 15 points below the dense model's",
        "robust-drop": "on rows perturbed by pgd of 20 steps within 0.03, the variant's accuracy is at most 5 points "
        "below the dense model's",
    }
    one_step = Claim("robust_accuracy_drop", "0.01", "0.1", settings={"radius": "0.1", "attack": "fgsm"})
    assert one_step.describe_limit().startswith("on rows perturbed by fgsm within 0.1, the variant's accuracy is at")
    one_point = Claim("disagreement", "0.01", "0.1").describe_limit()
    assert one_point.endswith("at most 1 % of rows, so its accuracy is at most 1 point below")


def test_every_tally_is_said_in_words():
    strata = (
        Stratum(0, Counts(8000, 30, 20, 15, 5)),
        Stratum(3, Counts(3000, 20, 12, 9, 1)),
        Stratum(4, None),
    )
    losses = LossRows(np.array([-100_000, 400_000, 0, 100_001], np.int32), 0).tally
    assert CLAIMS["drop"].describe_tally(strata[0].counts) == "n = 8000, 15 harmed, 5 helped"
    assert CLAIMS["risk"].describe_tally(strata[0].counts) == "n = 8000, 30 errors"
    assert CLAIMS["disagreement"].describe_tally(Disagreements(10_000, 7)) == "n = 10 000, 7 disagreements"
    assert CLAIMS["selective-risk"].describe_tally(Accepted(30_000, 12_000, 7)) == (
        "n = 30 000, 12 000 accepted, 7 errors among them"
    )
    assert CLAIMS["worst-class"].describe_tally(PerClass(11_000, strata)) == (
        "11 000 rows of 3 classes; worst class 3: n = 3000, 9 harmed, 1 helped"
    )
    assert CLAIMS["loss-drop"].describe_tally(losses) == "n = 4, mean difference 0.10000"
    assert CLAIMS["risk-betting"].describe_tally(losses) == "n = 4, mean loss 0.10000"
