"""Every form of a claim that a recipe may hold, and every one that it may not, with the line and a way out."""

import pytest

from sentei.errors import RecipeError
from sentei.recipe import parse_recipe
from sentei.recipe.claims import METHODS, NEEDS, TAKES
from sentei.risk import Claim
from sentei.risk.claims import KINDS

HEAD = """\
name: small
data:
  source: digits
  splits: {scoring: 100, selection: 300, calibration: 600, test: 200}
model: {architecture: mlp}
family: {variants: [{sparsity: 0.5}]}
"""
LINE = 1 + HEAD.count("\n")

VALUES = {
    "epsilon": "0.01",
    "alpha": "0.1",
    "loss": "dice",
    "coverage": "0.5",
    "method": "clipped",
    "attack": "{radius: 0.03}",
}
SETTINGS = {
    "accuracy_drop": {"method": "auto"},
    "risk": {"loss": "zero_one", "method": "auto"},
    "disagreement": {},
    "loss_drop": {"loss": "dice"},
    "selective_risk": {"coverage": "0.5"},
    "worst_class_drop": {"method": "paired"},
    "robust_accuracy_drop": {"method": "auto", "attack": "pgd", "radius": "0.03", "steps": "20", "seed": "0"},
}


ROBUST = "{kind: robust_accuracy_drop, epsilon: 0.1, "


def written(kind, *names, **more):
    values = {name: VALUES[name] for name in names} | {name: str(value) for name, value in more.items()}
    return "{" + ", ".join(f"{name}: {value}" for name, value in {"kind": kind, **values}.items()) + "}"


def claims_of(claim, rest=""):
    """The claims that the engine makes of what was written."""
    recipe = parse_recipe(f"{HEAD}claim: {claim}\n{rest}")
    return [Claim(c.kind, c.tolerance, c.delta, c.gamma, c.settings) for c in recipe.claim]


def mistakes(claim, rest=""):
    with pytest.raises(RecipeError) as caught:
        parse_recipe(f"{HEAD}claim: {claim}\n{rest}")
    return [line.strip() for line in str(caught.value).splitlines()[1:]]


def test_recipes_know_every_kind():
    assert set(TAKES) == set(NEEDS) == set(KINDS) == set(SETTINGS)
    assert all(set(NEEDS[kind]) <= set(TAKES[kind]) for kind in KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_with_what_it_needs_a_kind_is_accepted_and_has_its_defaults(kind):
    (claim,) = claims_of(written(kind, *NEEDS[kind]))
    assert (claim.kind, claim.delta) == (kind, "0.05")
    assert claim.tolerance == VALUES["epsilon" if "epsilon" in NEEDS[kind] else "alpha"]
    assert claim.settings == SETTINGS[kind]


@pytest.mark.parametrize("kind", KINDS)
def test_everything_that_it_needs_is_missed_by_name(kind):
    for missing in NEEDS[kind]:
        (only,) = mistakes(written(kind, *(name for name in NEEDS[kind] if name != missing)))
        wanted = {"loss": "dice, iou or false_negative", "attack": "a section"}.get(missing, "a number")
        assert only == f"claim.{missing} (line {LINE}): expected {wanted}, because kind is '{kind}'"


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_else_is_taken(kind):
    for name in sorted(set(VALUES) - set(TAKES[kind])):
        (only,) = mistakes(written(kind, *NEEDS[kind], name))
        assert only.startswith(f"claim.{name} (line {LINE}): expected nothing here, because kind is '{kind}'")


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "risk"])
@pytest.mark.parametrize("method", ["auto", "paired", "clipped", "betting", "hoeffding-bentkus", "binomial"])
def test_a_method_is_one_of_its_kind(kind, method):
    claim, known = written(kind, *NEEDS[kind], method=method), METHODS.get(kind, ())
    if method in known:
        assert claims_of(claim)[0].settings["method"] == method
    else:
        wanted = f"one of {', '.join(known)}" if known else "nothing here"
        assert mistakes(claim) == [
            f"claim.method (line {LINE}): expected {wanted}, because kind is '{kind}'; received '{method}'"
        ]


@pytest.mark.parametrize(
    ("loss", "method", "good"),
    [
        (None, "auto", True),
        (None, "binomial", True),
        (None, "betting", False),
        ("zero_one", "binomial", True),
        ("zero_one", "hoeffding-bentkus", False),
        ("dice", "auto", True),
        ("iou", "betting", True),
        ("false_negative", "hoeffding-bentkus", True),
        ("dice", "binomial", False),
        ("dice", "paired", False),
    ],
)
def test_the_method_of_a_risk_fits_its_loss(loss, method, good):
    more = {"method": method} | ({"loss": loss} if loss else {})
    claim = written("risk", "alpha", **more)
    if good:
        assert claims_of(claim)[0].settings == {"loss": loss or "zero_one", "method": method}
    else:
        (only,) = mistakes(claim)
        assert only.startswith(f"claim.method (line {LINE}): expected one of auto, ")


@pytest.mark.parametrize(
    ("claim", "told"),
    [
        (
            "{kind: loss_drop, epsilon: 0.1, loss: zero_one}",
            "claim.loss: expected dice, iou or false_negative: the",
        ),
        ("{kind: loss_drop, epsilon: 0.1, loss: dise}", "claim.loss: expected one of zero_one, dice, iou"),
        ("{kind: loss_drop, epsilon: 1, loss: dice}", "claim.epsilon: expected"),
        ("{kind: disagreement, alpha: 0}", "claim.alpha: expected"),
        ("{kind: disagreement, alpha: 1}", "claim.alpha: expected"),
        ("{kind: selective_risk, alpha: 0.1, coverage: 0}", "claim.coverage: expected a number > 0 and <= 1"),
        ("{kind: selective_risk, alpha: 0.1, coverage: 0.0}", "claim.coverage: expected a number > 0 and <= 1"),
        ("{kind: selective_risk, alpha: 0.1, coverage: 1.01}", "claim.coverage: expected a number"),
        ("{kind: selective_risk, alpha: 0.1, coverage: true}", "claim.coverage: expected"),
        ("{epsilon: 0, method: clipped}", "claim.method: expected paired: an epsilon of 0 leaves no room"),
        (
            "{kind: worst_class_drop, epsilon: 0.0, method: clipped}",
            "claim.method: expected paired: an epsilon of 0 leaves no room",
        ),
        (ROBUST + "attack: 0.03}", "claim.attack: expected a mapping of names"),
        (ROBUST + "attack: {}}", "claim.attack.radius: required"),
        (
            ROBUST + "attack: {radius: 0}}",
            "claim.attack.radius: expected a number > 0",
        ),
        (ROBUST + "attack: {radius: 0.1, steps: 0}}", "claim.attack.steps: expected"),
        (
            ROBUST + "attack: {radius: 0.1, steps: 1.5}}",
            "claim.attack.steps: expected",
        ),
        (ROBUST + "attack: {radius: 0.1, seed: -1}}", "claim.attack.seed: expected"),
        (
            ROBUST + "attack: {radius: 0.1, name: pgdd}}",
            "claim.attack.name: expected one of fgsm, pgd; received 'pgdd'; did you mean 'pgd'?",
        ),
        (
            ROBUST + "attack: {radius: 0.1, norm: 2}}",
            "claim.attack.norm: unknown name",
        ),
        ("{kind: selective_risc, alpha: 0.1}", "claim.kind: expected one of"),
        ("[]", "claim: expected a claim, or a list of claims"),
        ("[{epsilon: 0.1}, 3]", "claim.1: expected a mapping of names to values, received 3"),
        ("[{epsilon: 0.1}, {kind: risk}]", "claim.1.alpha: expected a number, because kind is 'risk'"),
        ("[{epsilon: 0.1, delta: 0.1}, {kind: risk, alpha: 0.1}]", "claim: expected one delta for all claims"),
    ],
)
def test_what_can_claim_nothing_is_told_with_its_place(claim, told):
    place, _, what = told.partition(": ")
    found = [line for line in mistakes(claim) if line.startswith(place + (" (line" if what != "required" else ""))]
    assert len(found) == 1
    assert what in found[0]


def test_an_attack_is_written_out():
    claim = "{kind: robust_accuracy_drop, epsilon: 0.1, attack: {name: fgsm, radius: 0.10, steps: 7, seed: 3}}"
    (found,) = claims_of(claim)
    assert found.settings == {"method": "auto", "attack": "fgsm", "radius": "0.1", "steps": "7", "seed": "3"}
    assert found.variant_columns == found.dense_columns == ("robust_loss.fgsm.0.1.7.3",)


def test_gamma_is_the_paired_kinds_and_leaves_something_of_delta():
    for kind in ("accuracy_drop", "worst_class_drop", "robust_accuracy_drop"):
        (only,) = mistakes(written(kind, *NEEDS[kind], delta="0.01", gamma="0.01"))
        assert only.startswith(f"claim.gamma (line {LINE}): expected less than delta (0.01)")
    for kind in ("risk", "disagreement", "loss_drop", "selective_risk"):
        (claim,) = claims_of(written(kind, *NEEDS[kind], delta="0.001"))
        assert claim.gamma == "0"


# Several claims.


def test_several_claims_hold_together():
    three = ["{epsilon: 0.01}", "{kind: disagreement, alpha: 0.02}", written("selective_risk", "alpha", coverage=1)]
    found = claims_of("".join(f"\n  - {claim}" for claim in three))
    assert [claim.kind for claim in found] == ["accuracy_drop", "disagreement", "selective_risk"]
    assert {claim.delta for claim in found} == {"0.05"}


def test_one_claim_and_a_list_of_it_are_the_same():
    assert claims_of("{epsilon: 0.01}") == claims_of("[{epsilon: 0.01}]")


def test_deltas_are_compared_as_numbers():
    assert len(claims_of("[{epsilon: 0.1, delta: 0.05}, {kind: risk, alpha: 0.1, delta: 0.050}]")) == 2
    (only,) = mistakes("[{epsilon: 0.1, delta: 0.05}, {kind: risk, alpha: 0.1, delta: 0.1}]")
    assert only == (
        f"claim (line {LINE}): expected one delta for all claims, because they hold together or not at all; "
        "received 0.05, 0.1"
    )


def test_a_mistake_in_a_list_is_told_with_its_own_line():
    found = mistakes("\n  - {epsilon: 0.01}\n  - {kind: risk}\n  - {kind: disagreement, alpha: 2}")
    assert found[0] == f"claim.1.alpha (line {LINE + 2}): expected a number, because kind is 'risk'"
    assert found[1].startswith(f"claim.2.alpha (line {LINE + 3}): expected a number")


# Claims side by side.

COMPARED = "compare:\n  - {kind: risk, alpha: 0.2}\n"


@pytest.mark.parametrize("rest", ["", "ledger: {at: counted}\n", "ledger: {at: 's3://bucket/prefix'}\n"])
def test_nothing_is_compared_beside_a_ledger(rest):
    (only,) = mistakes("{epsilon: 0.01}", COMPARED + rest)
    assert only.startswith(
        f"compare (line {LINE + 1}): expected nothing here beside a ledger, which pays for one answer"
    )
    assert only.endswith("set ledger.at to none to see claims side by side")


def test_without_a_ledger_claims_stand_side_by_side():
    recipe = parse_recipe(f"{HEAD}claim: {{epsilon: 0.01}}\n{COMPARED}ledger: {{at: none}}\n")
    assert [claim.kind for claim in recipe.compare] == ["risk"]


def test_what_is_compared_is_held_to_the_same_rules():
    (only,) = mistakes("{epsilon: 0.01}", "compare: [{kind: loss_drop, epsilon: 0.1}]\nledger: {at: none}\n")
    assert only == (
        f"compare.0.loss (line {LINE + 1}): expected dice, iou or false_negative, because kind is 'loss_drop'"
    )


# How delta is shared.


@pytest.mark.parametrize("test", ["fixed-sequence", "bonferroni", "holm", "multi-start", "fallback"])
def test_a_procedure_has_a_name_and_starts_belong_to_one_of_them(test):
    rest = f"procedure: {{test: {test}}}\n"
    assert parse_recipe(f"{HEAD}claim: {{epsilon: 0.1}}\n{rest}").procedure.test == test
    more = rest.replace("}", ", starts: 3}")
    if test == "multi-start":
        assert parse_recipe(f"{HEAD}claim: {{epsilon: 0.1}}\n{more}").procedure.starts == 3
    else:
        (only,) = mistakes("{epsilon: 0.1}", more)
        assert only == f"procedure.starts (line {LINE + 1}): expected 1, because test is '{test}'; received 3"


@pytest.mark.parametrize("starts", ["0", "-1", "1.5", "many"])
def test_there_is_a_start(starts):
    (only,) = mistakes("{epsilon: 0.1}", f"procedure: {{test: multi-start, starts: {starts}}}\n")
    assert only.startswith(f"procedure.starts (line {LINE + 1}): expected")
