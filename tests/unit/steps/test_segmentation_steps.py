"""Masks through every step: from a folder of pictures to a verified bundle with a claim about Dice."""

import json

import numpy as np
import pytest
from PIL import Image

from sentei.errors import DataError, ModelError, RecipeError
from sentei.evaluation import ServedModel
from sentei.sources.shapes import draw_shapes
from sentei.steps import layout
from sentei.steps.examples import cache_folder, open_split
from sentei.steps.plan import plan
from sentei.steps.verify import verify
from tests.unit.steps.conftest import whole_chain

IMAGES, MASKS = draw_shapes(400, 16, seed=5)
MASKS = (MASKS > 0).astype(np.uint8)  # shapes of a few pixels are told from the background, not from one another
RECIPE = """\
name: scenes
seed: 1
data:
  source: masks
  path: {folder}
  size: [16, 16]
  channels: 1
  splits: {{scoring: 20, selection: 60, calibration: 150, test: 50}}
model: {{architecture: unet, kwargs: {{width: 4, depth: 2}}}}
train: {{epochs: 6, batch_size: 8, optimizer: adamw, learning_rate: 0.02}}
finetune: {{batch_size: 8, optimizer: adamw, learning_rate: 0.01}}
family: {{variants: [{{sparsity: 0.2, finetune: 1}}, {{allocation: uniform, sparsity: 0.9}}]}}
claim: {{kind: loss_drop, loss: dice, epsilon: 0.2}}
ledger: {{at: none}}
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("scenes")
    for name, pictures in {"images": IMAGES[:, 0], "masks": MASKS}.items():
        (folder / name).mkdir()
        for row, picture in enumerate(pictures):
            Image.fromarray(picture).save(folder / name / f"{row:03}.png")
    return folder


@pytest.fixture(scope="module")
def scenes(folder, tmp_path_factory):
    return whole_chain(tmp_path_factory.mktemp("chain"), RECIPE.format(folder=folder))


def test_the_plan_says_the_task_and_the_networks_says_it_too(scenes, chain):
    assert scenes.plan.examples["task"] == scenes.plan.dense["architecture"]["task"] == "segmentation"
    assert "task" not in chain.plan.examples
    assert "task" not in chain.plan.dense["architecture"]
    assert scenes.plan.examples["n_classes"] == 2


def test_a_cache_of_masks_gives_the_same_rows(scenes):
    first = open_split(scenes.plan.examples, "calibration")
    assert (first.labels.shape, first.labels.dtype) == ((150, 16, 16), np.uint8)
    drawn = {image.tobytes(): mask.tobytes() for image, mask in zip(IMAGES, MASKS, strict=True)}
    assert all(drawn[i.tobytes()] == m.tobytes() for i, m in zip(first.inputs, first.labels, strict=True))
    assert any((path / "calibration.labels.npy").is_file() for path in cache_folder().iterdir())


def test_a_mask_that_changed_since_the_plan_is_refused(scenes, folder, machine, tmp_path):
    machine.setenv("SENTEI_CACHE", str(tmp_path))
    row = int(open_split(scenes.plan.examples, "test").rows[0])
    path = folder / "masks" / f"{row:03}.png"
    before = path.read_bytes()
    changed = MASKS[row].copy()
    changed[0, 0] ^= 1
    Image.fromarray(changed).save(path)
    try:
        machine.setenv("SENTEI_CACHE", str(tmp_path / "other"))
        with pytest.raises(DataError, match="test split: the plan froze rows with digest"):
            open_split(scenes.plan.examples, "test")
    finally:
        path.write_bytes(before)


def dice_loss(named, mask):
    total = (named == 1).sum() + (mask == 1).sum()
    return 0.0 if total == 0 else 1 - 2 * ((named == 1) & (mask == 1)).sum() / total


def test_an_evaluation_holds_the_losses_of_each_image(scenes):
    """With one class beside the background, Dice is twice the common pixels over both numbers of pixels."""
    rows = open_split(scenes.plan.examples, "selection")
    named = ServedModel(scenes["dense"] / layout.SERVED).logits(rows.inputs).argmax(axis=1)
    by_hand = [dice_loss(said, mask) for said, mask in zip(named, rows.labels, strict=True)]
    with np.load(scenes["reference"] / layout.LOSSES) as arrays:
        (found,) = (arrays[name] for name in arrays.files if name.endswith("dice"))
    np.testing.assert_allclose(found / 1e6, by_hand, atol=6e-7)


def test_the_mild_variant_is_certified_and_the_harsh_one_is_not(scenes):
    record = json.loads((scenes["verdict"] / "certificate.json").read_bytes())
    assert record["variant"]["name"] == "magnitude-l1-global-0.20-ft1"
    assert record["claims"][0]["kind"] == "loss_drop"
    assert verify(scenes["bundle"]).record.variant.name == "magnitude-l1-global-0.20-ft1"


def test_masks_are_pruned_and_recovered_with_their_zeros(scenes):
    for name, share in {"magnitude-l1-global-0.20-ft1": 0.2, "magnitude-l1-uniform-0.90": 0.9}.items():
        facts = layout.reading(scenes[f"made/{name}"]).facts
        assert float(facts["achieved_sparsity"]) == pytest.approx(share, abs=0.01)


@pytest.mark.parametrize(
    ("old", "new", "error", "said"),
    [
        (
            "unet, kwargs: {width: 4, depth: 2}",
            "mlp",
            ModelError,
            "mlp does not fit data that have a mask",
        ),
        ("depth: 2", "depth: 6", ModelError, "multiples of 32"),
        ("{kind: loss_drop, loss: dice, epsilon: 0.2}", "{epsilon: 0.2}", RecipeError, "dice, iou or false_negative"),
        ("test: 50}", "test: 50}\n  n_classes: 1", RecipeError, "n_classes"),
        (
            "test: 50}",
            "test: 50}\n  unlabelled: {source: shapes, limit: 3}",
            DataError,
            "expected one label for each row, received masks",
        ),
    ],
)
def test_what_does_not_go_with_masks_is_told_by_the_plan(folder, old, new, error, said):
    recipe = RECIPE.format(folder=folder)
    assert recipe.count(old) == 1
    with pytest.raises(error, match=said):
        plan(recipe.replace(old, new))


def test_a_network_of_masks_does_not_go_with_labels(chain):
    with pytest.raises(ModelError, match="unet does not fit data that have one label for each row"):
        plan(chain.recipe.replace("architecture: mlp, kwargs: {hidden: [16]}", "architecture: unet"))
