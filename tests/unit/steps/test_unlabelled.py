"""Rows without labels: where they go, what can be learned of them, and what is refused at once."""

import json

import numpy as np
import pytest
from safetensors.torch import save_file
from sklearn.datasets import load_digits

from sentei.errors import DataError, RecipeError
from sentei.models import Architecture, build
from sentei.steps import layout
from sentei.steps.examples import open_split
from sentei.steps.finetune import finetune
from sentei.steps.frozen import to_text
from sentei.steps.plan import plan
from sentei.steps.prune import prune
from sentei.steps.score import score_importance
from sentei.steps.train import train

DIGITS = load_digits()
IMAGES = np.rint(DIGITS.images * 255 / 16).astype(np.uint8)[:, None]
CLAIM_SPLITS = ("selection", "calibration")
RECIPE = """\
name: bare
data: {{{data}, splits: {{scoring: 50, selection: 100, calibration: 200, test: 50}}}}
model: {{architecture: mlp, kwargs: {{hidden: [8]}}{model}}}
train: {{epochs: 1}}
finetune: {{{finetune}}}
family: {{variants: [{{sparsity: 0.5, finetune: {epochs}}}]}}
claim: {{kind: disagreement, alpha: 0.2}}
"""


def recipe(data, model="", finetune="", epochs=1):
    return RECIPE.format(data=data, model=model, finetune=finetune, epochs=epochs)


@pytest.fixture
def bare(tmp_path):
    np.savez(tmp_path / "bare.npz", x=IMAGES[:600])
    return f"source: npz, path: {tmp_path / 'bare.npz'}, n_classes: 10"


@pytest.fixture
def both(tmp_path):
    np.savez(tmp_path / "named.npz", x=IMAGES[:800], y=DIGITS.target[:800])
    np.savez(tmp_path / "bare.npz", x=IMAGES[800:1200])
    folder = tmp_path
    return f"source: npz, path: {folder / 'named.npz'}, unlabelled: {{source: npz, path: {folder / 'bare.npz'}}}"


@pytest.fixture
def brought(tmp_path):
    net = build(Architecture(name="mlp", input_shape=(1, 8, 8), n_classes=10, kwargs={"hidden": [8]}), seed=1)
    save_file(net.state_dict(), tmp_path / "dense.safetensors")
    return f", pretrained: {tmp_path / 'dense.safetensors'}, pretrained_is_independent: true"


def test_a_second_source_fills_selection_and_calibration(both):
    frozen = plan(recipe(both))
    named, bare = ({image.tobytes() for image in images} for images in (IMAGES[:800], IMAGES[800:1200]))
    for name, facts in frozen.examples["splits"].items():
        rows = open_split(frozen.examples, name)
        assert {image.tobytes() for image in rows.inputs} <= (bare if name in CLAIM_SPLITS else named)
        assert rows.labelled == facts.get("labelled", True) == (name not in CLAIM_SPLITS)
    assert frozen.examples["n_classes"] == 10


def test_a_plan_says_nothing_of_what_its_recipe_does_not_use(chain):
    assert not {"unlabelled", "n_classes"} & chain.plan.examples["request"].keys()
    assert all(set(facts) == {"n_examples", "digest"} for facts in chain.plan.examples["splits"].values())


def test_copies_across_the_two_sources_are_refused_or_leave_train(tmp_path, both):
    np.savez(tmp_path / "bare.npz", x=IMAGES[700:1100])
    with pytest.raises(DataError, match="expected splits that share no content"):
        plan(recipe(both))
    dropped = plan(recipe(both + ", duplicates: drop")).examples["dropped"]
    assert dropped["train"] + dropped["scoring"] > 0


def test_a_network_is_pruned_and_recovered_without_a_label(tmp_path, bare, brought):
    frozen = plan(recipe(bare, model=brought))
    assert {facts["labelled"] for facts in frozen.examples["splits"].values()} == {False}
    examples, (variant,) = to_text(frozen.examples), frozen.variants
    train(examples, to_text(frozen.dense), tmp_path / "dense")
    score_importance(to_text(frozen.examples), to_text(frozen.importance), tmp_path / "dense", tmp_path / "scores")
    prune(examples, to_text(variant), tmp_path / "dense", tmp_path / "scores", tmp_path / "pruned")
    made = finetune(examples, tmp_path / "pruned", tmp_path / "dense", tmp_path / "made")

    assert made["status"] == "ok"
    history = json.loads(layout.reading(tmp_path / "made").file(layout.HISTORY).read_bytes())
    assert len(history["epochs"]) == 1


@pytest.mark.parametrize(
    ("finetune", "said"),
    [
        ("distil: 0.9", r"finetune\.distil: expected 1, because the train split has no labels.*received 0\.9"),
        ("distil: 0", r"finetune\.distil: expected 1"),
        ("holdout: 10", r"finetune\.holdout: expected 0, .* received 10"),
    ],
)
def test_recovery_that_needs_labels_is_refused_by_the_plan(bare, brought, finetune, said):
    with pytest.raises(RecipeError, match=said):
        plan(recipe(bare, model=brought, finetune=finetune))
    plan(recipe(bare, model=brought, finetune=finetune, epochs=0))


def test_nothing_can_be_trained_without_labels(bare):
    with pytest.raises(RecipeError, match=r"model\.pretrained: expected weights, because the train split has no label"):
        plan(recipe(bare))


def test_the_number_of_classes_must_come_from_somewhere(bare, brought):
    with pytest.raises(DataError, match=r"bare\.npz: no row has a label, .* give labels, or data\.n_classes"):
        plan(recipe(bare.replace(", n_classes: 10", ""), model=brought))


def test_only_one_of_two_sources_lacks_labels(tmp_path, bare):
    second = f", unlabelled: {{source: npz, path: {tmp_path / 'bare.npz'}}}"
    with pytest.raises(DataError, match=r"bare\.npz: expected labels for every row, because bare\.npz already brings"):
        plan(recipe(bare + second))
