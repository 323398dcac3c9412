"""What a recipe may say of training on several devices, and what of it stands in the plan."""

import pytest

from sentei.errors import RecipeError
from sentei.recipe import parse_recipe
from sentei.steps.plan import plan
from sentei.steps.settings import distributed, training_settings, without_limit

TEXT = """\
name: toy
data: {source: digits, splits: {scoring: 100, selection: 300, calibration: 600, test: 200}}
model: {architecture: mlp}
train: {epochs: 3, batch_size: 32%s}
family: {variants: [{sparsity: 0.5, finetune: 1, schedule: iterative, rounds: 2}]}
finetune: {batch_size: 64%s}
claim: {epsilon: 0.03}
"""
TWO = ", distributed: {processes_per_node: 2, time_limit_minutes: 5}"


@pytest.mark.parametrize(
    ("asked", "n_processes"),
    [
        ("{}", 1),
        ("{nodes: 4, gpus_per_node: 8}", 32),
        ("{nodes: 3}", 3),
        ("{nodes: 2, processes_per_node: 2}", 4),
        ("{gpus_per_node: 2}", 2),
    ],
)
def test_processes_are_counted_over_all_nodes(asked, n_processes):
    assert parse_recipe(TEXT % (f", distributed: {asked}", "")).train.distributed.n_processes == n_processes


@pytest.mark.parametrize(
    ("asked", "complaint"),
    [
        ("{nodes: 0}", r"train\.distributed\.nodes"),
        ("{gpus_per_node: -1}", r"train\.distributed\.gpus_per_node"),
        ("{gpus_per_node: 2, processes_per_node: 2}", "each GPU has one process"),
        ("{nodes: 33}", "batch_size of 33 or more"),
        ("{time_limit_minutes: 0}", r"train\.distributed\.time_limit_minutes"),
        ("{node: 2}", "did you mean 'nodes'"),
    ],
)
def test_what_cannot_be_done_is_refused(asked, complaint):
    with pytest.raises(RecipeError, match=complaint):
        parse_recipe(TEXT % (f", distributed: {asked}", ""))


@pytest.mark.parametrize("unused", ["", ", distributed: {}", ", distributed: {gpus_per_node: 1}"])
def test_one_process_stands_in_no_plan(unused):
    recipe = parse_recipe(TEXT % (unused, unused))
    assert "distributed" not in recipe.train.model_dump() | recipe.finetune.model_dump()


@pytest.fixture(scope="module")
def frozen(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SENTEI_CACHE", str(tmp_path_factory.mktemp("cache")))
        return plan(TEXT % (TWO, TWO))


def test_the_plan_asks_for_several_processes_where_a_whole_network_is_trained(frozen):
    (variant,) = frozen.variants
    assert distributed(frozen.dense["training"]).n_processes == distributed(variant["recovery"]).n_processes == 2
    assert distributed(variant["between"]) is None
    assert training_settings(variant["recovery"]).batch_size == 64


def test_a_training_is_the_same_with_more_time(frozen):
    training = dict(frozen.dense["training"])
    longer = {**training, "distributed": {**training["distributed"], "time_limit_minutes": 99}}
    assert without_limit(training) == without_limit(longer) != training
    assert without_limit({"epochs": 3}) == {"epochs": 3}
