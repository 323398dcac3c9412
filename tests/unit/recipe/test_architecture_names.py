"""A recipe knows every network of torchvision by name, and answers a mistyped one with the nearest."""

import subprocess
import sys
from typing import get_args

import pytest
from torchvision import models

from sentei.errors import RecipeError
from sentei.recipe import parse_recipe
from sentei.recipe.architectures import KWARGS, NAMES, SEGMENTERS, known_architectures, nearest_architecture
from sentei.recipe.schema import json_schema
from sentei.recipe.torchvision_names import TorchvisionClassifier, TorchvisionSegmenter

RECIPE = """\
name: small
data: {{source: digits, splits: {{scoring: 100, selection: 300, calibration: 600, test: 200}}}}
model: {model}
train: {train}
family: {{variants: [{{sparsity: 0.5, finetune: 1}}]}}
finetune: {finetune}
claim: {{epsilon: 0.03}}
"""


def recipe(model="{architecture: mlp}", train="{epochs: 3}", finetune="{}"):
    return parse_recipe(RECIPE.format(model=model, train=train, finetune=finetune))


def mistakes(**parts) -> list[str]:
    with pytest.raises(RecipeError) as caught:
        recipe(**parts)
    return [line.strip() for line in str(caught.value).splitlines()[1:]]


@pytest.mark.parametrize(
    ("known", "module"), [(TorchvisionClassifier, models), (TorchvisionSegmenter, models.segmentation)]
)
def test_the_names_are_those_of_torchvision(known, module):
    assert sorted(get_args(known)) == sorted(f"torchvision/{name}" for name in models.list_models(module=module))


def test_names_are_known_without_torchvision():
    code = "import sys, sentei.recipe.architectures; print({'torchvision', 'torch'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "set()"


def test_every_name_stands_once_in_the_schema_that_editors_read():
    (choices,) = (
        one["enum"] for one in json_schema()["$defs"]["Model"]["properties"]["architecture"]["anyOf"] if "enum" in one
    )
    assert choices == list(NAMES) == list(dict.fromkeys(NAMES))
    assert set(SEGMENTERS) < set(NAMES) == set(KWARGS)


@pytest.mark.parametrize(
    ("mistyped", "meant"),
    [
        ("lenet5", "lenet-5"),
        ("resnet20", "resnet-20"),
        ("resnet50", "torchvision/resnet50"),
        ("torchvision/resnet-50", "torchvision/resnet50"),
        ("torchvision/efficientnet_b8", "torchvision/efficientnet_b0"),
        ("vit_b16", "torchvision/vit_b_16"),
        ("torchvision/fcn_resnet_50", "torchvision/fcn_resnet50"),
    ],
)
def test_a_mistyped_name_is_answered_with_the_nearest(mistyped, meant):
    assert nearest_architecture(mistyped) == meant
    assert mistakes(model=f"{{architecture: {mistyped}}}") == [
        "model.architecture (line 3): expected one of mlp, lenet-300-100, lenet-5, resnet-20, unet, torchvision/NAME "
        f"(86 networks) (did you mean '{meant}'?); received '{mistyped}'"
    ]


@pytest.mark.parametrize("name", ["zzz", "7", "[mlp]"])
def test_a_name_like_no_other_is_answered_with_all_in_short(name):
    (told,) = mistakes(model=f"{{architecture: {name}}}")
    assert known_architectures() in told
    assert "did you mean" not in told


def test_torchvisions_constructor_is_told_what_the_recipe_says():
    kwargs = "{dropout: 0.1, attention_dropout: 0.2, representation_size: null}"
    brought = recipe(model=f"{{architecture: torchvision/vit_b_16, kwargs: {kwargs}}}")
    assert brought.model.kwargs == {"dropout": 0.1, "attention_dropout": 0.2, "representation_size": None}


@pytest.mark.parametrize(
    ("kwargs", "told"),
    [
        ("{weights: DEFAULT}", "kwargs.weights (line 3): expected no such argument: bring weights with"),
        ("{num_classes: 3}", "kwargs.num_classes (line 3): expected no such argument: the data say how many classes"),
        ("{image_size: 32}", "kwargs.image_size (line 3): expected no such argument: the data say how large"),
        ("{aux_logits: true}", "kwargs.aux_logits (line 3): expected no such argument"),
        ("{dropout: 2024-01-01}", "quote 2024-01-01"),
    ],
)
def test_what_is_not_the_recipes_to_say_is_refused(kwargs, told):
    (only,) = mistakes(model=f"{{architecture: torchvision/googlenet, kwargs: {kwargs}}}")
    assert told in only


def test_segmenters_take_no_arguments():
    (only,) = mistakes(model="{architecture: torchvision/fcn_resnet50, kwargs: {aux_loss: true}}")
    assert "aux_loss (line 3): unknown name; known here: none" in only


BEFORE = {  # what a plan has always written of a training
    "epochs",
    "batch_size",
    "optimizer",
    "learning_rate",
    "momentum",
    "weight_decay",
    "warmup_epochs",
    "label_smoothing",
    "holdout",
    "patience",
    "precision",
    "augment",
}


@pytest.mark.parametrize("train", ["{epochs: 3}", "{epochs: 3, penalty: none}", "{epochs: 3, penalty_strength: 0.0}"])
def test_a_plan_without_a_penalty_is_written_as_it_always_was(train):
    read = recipe(train=train, finetune="{penalty: none}")
    assert read.train.model_dump().keys() == BEFORE
    assert read.finetune.model_dump().keys() == BEFORE | {"distil", "temperature"}
    assert recipe().model_dump_json() == recipe(train="{epochs: 3, penalty: none}").model_dump_json()


@pytest.mark.parametrize("penalty", ["group-lasso", "bn-l1", "biased-decay"])
def test_a_penalty_stands_in_the_plan_with_its_strength_as_written(penalty):
    chosen = f"{{penalty: {penalty}, penalty_strength: 1e-4}}"
    read = recipe(train=chosen, finetune=chosen)
    for part in (read.train, read.finetune):
        assert part.model_dump().items() >= {"penalty": penalty, "penalty_strength": "0.0001"}.items()


@pytest.mark.parametrize(
    ("train", "told"),
    [
        ("{penalty: lasso, penalty_strength: 0.1}", "train.penalty (line 4): expected one of none, group-lasso"),
        ("{penalty: bn-l1}", "expected more than 0 beside a penalty, and 0 without one; received '0'"),
        ("{penalty_strength: 0.1}", "train.penalty_strength (line 4): expected more than 0 beside a penalty, and 0"),
        ("{penalty: bn-l1, penalty_strength: -1}", "expected a number >= 0"),
        ("{penalty: bn-l1, penalty-strength: 1}", "did you mean 'penalty_strength'?"),
    ],
)
def test_a_penalty_and_its_strength_belong_together(train, told):
    assert any(told in line for line in mistakes(train=train))
