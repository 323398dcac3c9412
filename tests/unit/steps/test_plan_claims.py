"""Claims that these rows cannot bear are told by the plan, before any training."""

import numpy as np
import pytest

from sentei.errors import RecipeError
from sentei.steps.plan import plan

SPLITS = "{scoring: 10, selection: 20, calibration: 40, test: 20}"


@pytest.fixture
def rows(tmp_path):
    """Two hundred rows of four numbers, of a type."""

    def write(dtype):
        values = np.random.default_rng(0).integers(0, 256, (200, 4)).astype(dtype)
        np.savez(tmp_path / "rows.npz", x=values, y=np.arange(200) % 3)
        return f"source: npz, path: {tmp_path / 'rows.npz'}"

    return write


def recipe(data, claim, more=""):
    return (
        f"name: small\ndata: {{{data}, splits: {SPLITS}}}\nmodel: {{architecture: mlp, kwargs: {{hidden: [4]}}}}\n"
        f"family: {{variants: [{{sparsity: 0.5}}]}}\nclaim: {claim}\n{more}"
    )


def attacked(radius):
    return f"{{kind: robust_accuracy_drop, epsilon: 0.1, attack: {{radius: {radius}}}}}"


@pytest.mark.parametrize(("radius", "good"), [("0.0039", False), ("0.00393", True), ("0.001", False), ("2", True)])
def test_an_attack_moves_bytes_by_a_step_or_more(rows, radius, good):
    text = recipe(rows(np.uint8), attacked(radius))
    if good:
        assert plan(text).decision["claims"][0]["settings"]["radius"] == radius
        return
    with pytest.raises(RecipeError, match=rf"claim 0: expected a radius of 0\.00393 .* received {radius}"):
        plan(text)


def test_an_attack_moves_floats_as_little_as_it_likes(rows):
    assert plan(recipe(rows(np.float32), attacked("0.001"))).decision["claims"][0]["settings"]["radius"] == "0.001"


def test_what_is_compared_is_held_against_the_rows_too(rows):
    more = f"compare: [{attacked('0.001')}]\nledger: {{at: none}}\n"
    with pytest.raises(RecipeError, match="claim 1: expected a radius"):
        plan(recipe(rows(np.uint8), "{epsilon: 0.1}", more))


@pytest.mark.parametrize(
    "claim", ["{kind: loss_drop, epsilon: 0.1, loss: dice}", "{kind: risk, alpha: 0.1, loss: iou}"]
)
def test_rows_without_masks_have_no_losses_of_masks(rows, claim):
    with pytest.raises(RecipeError, match="claim 0: expected no loss of masks, because the rows have no masks"):
        plan(recipe(rows(np.uint8), claim))


def test_every_claim_of_a_list_is_frozen_with_its_settings(rows):
    claims = "[{epsilon: 0.1}, {kind: selective_risk, alpha: 0.2, coverage: 0.5}, " + attacked("0.1") + "]"
    decision = plan(recipe(rows(np.uint8), claims)).decision
    assert [claim["kind"] for claim in decision["claims"]] == [
        "accuracy_drop",
        "selective_risk",
        "robust_accuracy_drop",
    ]
    assert decision["attacks"] == [{"attack": "pgd", "radius": "0.1", "steps": "20", "seed": "0"}]


def test_selection_rows_meet_the_attacks_of_claims_and_of_robustness_each_once(rows):
    claim, more = attacked("0.1"), "robustness: {radii: [0.05, 0.1]}\n"
    frozen = plan(recipe(rows(np.uint8), claim, more))
    common = {"steps": "20", "seed": "0"}
    pgd, fgsm = ([{"attack": name, "radius": r, **common} for r in ("0.05", "0.1")] for name in ("pgd", "fgsm"))
    assert frozen.decision["attacks"] == [pgd[1]]
    assert list(frozen.attacks) == [pgd[1], *fgsm, pgd[0]]


def test_a_radius_of_robustness_moves_bytes_by_a_step_or_more(rows):
    with pytest.raises(RecipeError, match=r"robustness\.radii\.1: expected a radius of 0\.00393 .* received 0\.001"):
        plan(recipe(rows(np.uint8), "{epsilon: 0.1}", "robustness: {radii: [0.1, 0.001]}\n"))


def test_rows_without_labels_cannot_be_attacked(rows, tmp_path):
    bare = np.random.default_rng(1).normal(size=(300, 4)).astype(np.float32)
    np.savez(tmp_path / "bare.npz", x=bare)
    data = f"{rows(np.float32)}, unlabelled: {{source: npz, path: {tmp_path / 'bare.npz'}}}"
    with pytest.raises(RecipeError, match="robustness: expected selection rows with a class each"):
        plan(recipe(data, "{kind: disagreement, alpha: 0.5}", "robustness: {radii: [0.1]}\n"))
