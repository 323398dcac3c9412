"""What cannot be trained, pruned or built is told by the plan, before any training."""

import sys

import pytest

from sentei.errors import DataError, ModelError, RecipeError
from sentei.steps.plan import plan

SPLITS = "{scoring: 100, selection: 300, calibration: 600, test: 200}"


def recipe(
    model="{architecture: mlp, kwargs: {hidden: [4]}}",
    train="{epochs: 1}",
    finetune="{}",
    variant="{sparsity: 0.5}",
    data="source: digits",
    splits=SPLITS,
):
    return (
        f"name: small\ndata: {{{data}, splits: {splits}}}\nmodel: {model}\ntrain: {train}\nfinetune: {finetune}\n"
        f"family: {{variants: [{variant}]}}\nclaim: {{epsilon: 0.03}}\n"
    )


def test_rows_are_held_out_of_the_train_split_until_one_is_left():
    assert plan(recipe(train="{holdout: 596}")).examples["splits"]["train"]["n_examples"] == 1797 - 1200
    with pytest.raises(RecipeError, match=r"train\.holdout: expected fewer rows .* received 597 of 597"):
        plan(recipe(train="{holdout: 597}"))


def test_recovery_holds_out_rows_only_if_there_is_one():
    held = "{holdout: 5000}"
    assert plan(recipe(finetune=held)).variants[0]["recovery"] is None
    with pytest.raises(RecipeError, match=r"finetune\.holdout: .* received 5000 of 597"):
        plan(recipe(finetune=held, variant="{sparsity: 0.5, finetune: 1}"))


@pytest.mark.parametrize(
    ("model", "said"),
    [
        ("{architecture: torchvision/resnet18}", r"sides of 8 or more, received \(4,\)"),
        ("{architecture: lenet-5}", "lenet-5 takes"),
        ("{factory: 'own_plan:narrow'}", r"own_plan:narrow: the network cannot take a batch of 2 rows of shape \(4,\)"),
        ("{factory: 'own_plan:broken'}", "own_plan:broken cannot be built with .* ZeroDivisionError"),
        ("{factory: 'own_plan:missing'}", "own_plan:missing cannot be imported"),
        ("{factory: 'unlisted:build'}", "SENTEI_FACTORIES allows own_plan"),
    ],
)
def test_a_network_that_does_not_fit_the_rows_is_told(own, model, said):
    with pytest.raises(ModelError, match=said):
        plan(recipe(model=model, data=own))


def test_augmentation_takes_images(own):
    with pytest.raises(RecipeError, match=r"train\.augment: flip takes images, the rows have the shape \(4,\)"):
        plan(recipe(train="{augment: flip}", data=own))


@pytest.fixture
def own(tmp_path, machine):
    (tmp_path / "own_plan.py").write_text(
        "import numpy as np, torch\n"
        "def rows():\n"
        "    made = np.random.default_rng(0).integers(0, 255, (1400, 4)).astype(np.uint8)\n"
        "    made[:, 0], made[:, 1] = np.arange(1400) % 256, np.arange(1400) // 256\n"
        "    return made, np.arange(1400) % 2\n"
        "def narrow(input_shape, n_classes):\n    return torch.nn.Linear(3, n_classes)\n"
        "def broken(input_shape, n_classes):\n    return 1 / 0\n"
    )
    machine.syspath_prepend(tmp_path)
    machine.setenv("SENTEI_FACTORIES", "own_plan")
    yield "source: factory, factory: 'own_plan:rows'"
    sys.modules.pop("own_plan", None)


def test_batchnorm_needs_two_rows_to_have_a_variance():
    one = SPLITS.replace("scoring: 100", "scoring: 1")
    plan(recipe(splits=one))
    with pytest.raises(RecipeError, match=r"data\.splits\.scoring: expected 2 rows or more"):
        plan(recipe(splits=one, model="{architecture: resnet-20, kwargs: {width: 2}}"))


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [("test: 200", "test: own", "own"), ("calibration: 600", "calibration: 2000", "2000|2600|1797")],
)
def test_sizes_that_the_set_does_not_have_are_the_datas(old, new, said):
    with pytest.raises(DataError, match=said):
        plan(recipe(splits=SPLITS.replace(old, new)))
