"""What the plan says of layers, networks and rounds before anything is trained."""

import re
import sys

import pytest

from sentei.errors import ModelError, RecipeError
from sentei.steps.forecast import forecast
from sentei.steps.plan import plan

HEAD = """\
name: small
data: {{source: digits, splits: {{scoring: 100, selection: 300, calibration: 600, test: 200}}}}
model: {model}
train: {{epochs: 4}}
family: {{variants: [{variants}]}}
claim: {{epsilon: 0.03}}
"""
LENET = "{architecture: lenet-5}"


def made(variants, model=LENET):
    return plan(HEAD.format(model=model, variants=variants))


@pytest.mark.parametrize(
    ("variant", "said"),
    [
        ("{sparsity: 0.5, layers: {conv3: keep}}", "the exception 'conv3' matches no layer; near names: conv"),
        ("{sparsity: 0.5, layers: {conv1: keep, 'block.*': 0.2}}", "the exception 'block.*' matches no layer"),
        ("{sparsity: 0.5, granularity: channel, layers: {fc3: keep}}", "the exception 'fc3' matches no layer"),
        ("{sparsity: 0.5, granularity: channel, layers: {conv1.weight: keep}}", "near names: conv1"),
    ],
)
def test_a_pattern_that_matches_nothing_is_told_with_near_names_before_any_training(variant, said):
    with pytest.raises(RecipeError, match=re.escape(said)) as caught:
        made(f"{{sparsity: 0.1}}, {variant}")
    assert str(caught.value).startswith("family: magnitude-l1-")
    assert str(caught.value).endswith("; correct the recipe")


def test_layers_of_weights_and_of_units_have_names_of_their_own():
    # The last layer makes the answer: its weights can leave, its units cannot.
    made("{sparsity: 0.5, layers: {fc3: keep}}, {sparsity: 0.5, granularity: channel, layers: {'fc[12]': keep}}")


@pytest.fixture
def sorting(tmp_path, machine):
    """A network whose channels are sorted, so that none of them can leave."""
    (tmp_path / "own_sorting.py").write_text(
        "import torch\n"
        "class Sorted(torch.nn.Module):\n"
        "    def forward(self, x):\n        return x.sort(dim=1).values\n"
        "def build(input_shape, n_classes):\n"
        "    net = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 8))\n"
        "    net.add_module('order', Sorted())\n"
        "    net.add_module('last', torch.nn.Linear(8, n_classes))\n"
        "    return net\n"
    )
    machine.syspath_prepend(tmp_path)
    machine.setenv("SENTEI_FACTORIES", "own_sorting")
    yield "{factory: 'own_sorting:build'}"
    sys.modules.pop("own_sorting", None)


def test_a_family_of_channels_alone_needs_a_network_that_has_some(sorting):
    channels = "{sparsity: 0.5, granularity: channel}, {criterion: fpgm, granularity: channel, budget: {macs: 0.5}}"
    with pytest.raises(ModelError, match=r"no channel or head can leave Sequential: .*sort.* in order reads them"):
        made(channels, sorting)


def test_a_family_with_other_variants_goes_on_without_its_channels(sorting):
    assert len(made("{sparsity: 0.5}, {sparsity: 0.5, granularity: channel, layers: {x: keep}}", sorting).variants) == 2


N_TRAIN = 1797 - 1200


@pytest.mark.parametrize(
    ("variants", "epochs"),
    [
        ("{sparsity: 0.5}", 4),
        ("{sparsity: 0.5, finetune: 3}", 4 + 3),
        ("{sparsity: 0.5, schedule: cubic, rounds: 4, round_epochs: 5}", 4 + 3 * 5),
        ("{sparsity: 0.5, granularity: channel, schedule: iterative, rounds: 2, finetune: 7}", 4 + 1 + 7),
        ("{sparsity: 0.5, finetune: 1}, {sparsity: 0.6, schedule: cubic, rounds: 3, finetune: 1}", 4 + 1 + 2 + 1),
    ],
)
def test_the_forecast_counts_the_epochs_between_rounds(variants, epochs):
    n_rows = f"{epochs * N_TRAIN:,}".replace(",", " ") if epochs * N_TRAIN >= 10_000 else str(epochs * N_TRAIN)
    assert forecast(made(variants)).work.startswith(f"at most {n_rows} rows to learn from, ")


def test_recovery_between_rounds_is_held_to_the_rows_as_recovery_is():
    held = HEAD.replace("claim:", "finetune: {{holdout: 5000}}\nclaim:")
    rounds = "{sparsity: 0.5, schedule: cubic, rounds: 2}"
    with pytest.raises(RecipeError, match=r"finetune\.holdout: .* received 5000 of 597"):
        plan(held.format(model=LENET, variants=rounds))


def test_the_plan_of_one_with_rounds_says_how_it_learns_between_them():
    [one] = made("{sparsity: 0.5, schedule: cubic, rounds: 2, round_epochs: 3}").variants
    assert (one["recovery"], one["between"]["epochs"], one["between"]["distil"]) == (None, 3, "1")
    [plain] = made("{sparsity: 0.5, finetune: 3}").variants
    assert "between" not in plain


def test_the_scores_of_a_family_are_those_that_its_variants_need():
    variants = (
        "{criterion: obs, sparsity: 0.5}, {criterion: fpgm, granularity: channel, sparsity: 0.5}",
        "{criterion: obs, granularity: channel, allocation: search, budget: {macs: 0.5}, round_to: 4}",
        "{criterion: obs, granularity: channel, allocation: search, budget: {macs: 0.4}, round_to: 4, finetune: 1}",
        "{criterion: obs, granularity: channel, allocation: search, budget: {macs: 0.4}, reconstruct: true}",
    )
    importance = made(", ".join(variants)).importance
    assert importance["criteria"] == ["obs"]
    assert importance["unit_criteria"] == ["fpgm", "obs"]
    assert importance["searches"] == [("obs", 1, True), ("obs", 4, False)]
    assert made("{sparsity: 0.5}").importance.keys() == {"criteria", "scope", "seed"}
