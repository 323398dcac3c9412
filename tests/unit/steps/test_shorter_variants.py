"""Variants with fewer layers and variants made without data through the whole chain, beside counts by hand."""

import json
import re
from contextlib import nullcontext
from fractions import Fraction

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from sentei.data import Preprocessing
from sentei.errors import ModelError
from sentei.evaluation.macs import count_macs
from sentei.models.inference import logits
from sentei.steps import layout
from sentei.steps.evaluate import read_columns
from sentei.steps.examples import open_split, preprocessing_of
from sentei.steps.frozen import to_text
from sentei.steps.guard import Guard
from sentei.steps.networks import read_network
from sentei.steps.prune import prune
from sentei.steps.verify import verify
from tests.unit.steps.conftest import Chain, whole_chain

RECIPE = """\
name: shorter
seed: 3
data:
  source: digits
  splits: {scoring: 100, selection: 300, calibration: 600, test: 200}
model: {architecture: mlp, kwargs: {hidden: [40, 40]}}
train: {epochs: 6, batch_size: 32}
finetune: {batch_size: 32}
robustness: {radii: [0.5], steps: 3}
family:
  variants:
    - {depth: {activations: 1}}
    - {depth: {activations: 2}}
    - {depth: {activations: 2, merge: false}, finetune: 1}
    - {depth: {activations: 2, per_round: 2, penalty: 0.1}}
    - {depth: {activations: 1, by: folding, penalty: 0.1}}
    - {depth: {activations: 3}}
    - {depth: {activations: 2, within: 0.0001, merge: false}}
    - {depth: {blocks: 1}}
    - {criterion: data-free, granularity: channel, allocation: uniform, sparsity: 0.25}
    - {criterion: data-free, granularity: channel, allocation: uniform, budget: {parameters: 0.5}}
    - {criterion: data-free, granularity: channel, allocation: uniform, sparsity: 0.25, data_free: {mode: stochastic}}
claim: {epsilon: 0.5}
ledger: {at: none}
procedure: {cost: macs}
"""
ONE, TWO, UNMERGED = "entropy-activation-x1-1", "entropy-activation-x1-2", "entropy-activation-x1-2-unmerged-ft1"
AT_ONCE, FOLDED = "entropy-activation-x1-by2-penalty0.1-2", "folding-activation-x1-penalty0.1-1"
TOO_MANY, BLOCKS = "entropy-activation-x1-3", "influence-block-1"
FREE, LIGHT = "data-free-channel-uniform-0.25", "data-free-channel-uniform-parameters0.50"
STOCHASTIC = "data-free-channel-stochastic-uniform-0.25"


@pytest.fixture(scope="module")
def shorter(tmp_path_factory: pytest.TempPathFactory) -> Chain:
    return whole_chain(tmp_path_factory.mktemp("shorter"), RECIPE)


def made(shorter: Chain, name: str) -> layout.Artifact:
    return layout.reading(shorter[f"made/{name}"])


def test_every_variant_can_be_made_or_says_why_not(shorter):
    failed = {name: made(shorter, name).reason for name in shorter.names if made(shorter, name).failed}
    assert set(failed) >= {TOO_MANY, BLOCKS}
    assert failed[TOO_MANY] == "Sequential has 2 activations; depth.activations asks for 3"
    assert "no residual block" in failed[BLOCKS]
    assert set(failed) - {TOO_MANY, BLOCKS} <= {"entropy-activation-x1-within0.0001-2-unmerged"}


@pytest.mark.parametrize(("name", "n_linear"), [(ONE, 1), (TWO, 2), (UNMERGED, 2), (AT_ONCE, 2), (FOLDED, 1)])
def test_as_many_activations_are_linear_as_asked_for(shorter, name, n_linear):
    net = read_network(made(shorter, name))
    assert sum(isinstance(module, nn.ReLU) for module in net.modules()) == 2 - n_linear
    assert made(shorter, name).facts["counts"]["activations"] == "2"
    assert made(shorter, name).facts["counts"]["activations_removed"] == str(n_linear)


def test_a_network_of_linear_layers_alone_is_one_matrix(shorter):
    """64 x 40 x 40 x 10 becomes 64 x 10 where it pays; without merging it stays what it was."""
    macs = {name: count_macs(read_network(made(shorter, name)), (64,)).total for name in (TWO, UNMERGED)}
    assert macs[UNMERGED] == 64 * 40 + 40 * 40 + 40 * 10
    assert macs[TWO] in (64 * 10, macs[UNMERGED])
    rows = torch.randn(5, 64)
    net = read_network(made(shorter, UNMERGED))
    with torch.no_grad():
        straight = net(rows) - net(torch.zeros_like(rows))
        assert torch.allclose(net(2 * rows) - net(torch.zeros_like(rows)), 2 * straight, atol=1e-4)


def test_what_was_removed_shows_in_the_metrics(shorter):
    evaluation = json.loads((shorter[f"seen/{ONE}"] / layout.COST).read_bytes())
    assert "latency_ms" in evaluation
    assert shorter.summaries[ONE]["metrics"]["activations_removed"] == "1"


def test_a_chain_goes_on_from_the_iterate_before(shorter, tmp_path, machine):
    """The first activation that is linear is the same one, and its round is not trained twice."""
    machine.setenv("SENTEI_CHECKPOINTS", str(tmp_path / "checkpoints"))
    machine.setenv("SENTEI_EVENTS", str(tmp_path / "events"))
    digests = {}
    for number in (0, 1):
        given = shorter.examples, to_text(shorter.plan.variants[number]), shorter["dense"], shorter["scores"]
        digests[number] = prune(*given, tmp_path / str(number))["digest"]
    events = [json.loads(line) for line in (tmp_path / "events").read_text().splitlines()]
    assert sum(event["event"] == "epoch" for event in events) == 2
    machine.delenv("SENTEI_CHECKPOINTS")
    given = shorter.examples, to_text(shorter.plan.variants[1]), shorter["dense"], shorter["scores"]
    assert prune(*given, tmp_path / "alone")["digest"] == digests[1]


def test_a_variant_that_loses_too_much_on_the_selection_split_fails(shorter):
    name = "entropy-activation-x1-within0.0001-2-unmerged"
    data = shorter.plan.examples
    rows, dense = open_split(data, "selection"), layout.reading(shorter["dense"])

    def accuracy(artifact):
        answers = logits(read_network(artifact), rows.inputs, preprocessing_of(data)).argmax(1)
        return float((answers == rows.labels).mean())

    lost = [accuracy(dense) - accuracy(layout.reading(shorter[f"pruned/{other}"])) for other in (ONE, TWO)]
    assert max(lost) > 0.0001  # otherwise this recipe shows nothing
    assert made(shorter, name).failed
    assert re.search(r"\d+ of 300 selection rows are right, 282 with the dense model", made(shorter, name).reason)


def test_what_another_variant_left_behind_lets_no_loss_pass(shorter, tmp_path, machine):
    """The loose variant goes on from a bad iterate to its own; the strict one still stops where it would alone."""
    machine.setenv("SENTEI_CHECKPOINTS", str(tmp_path / "checkpoints"))
    strict = "entropy-activation-x1-within0.0001-2-unmerged"
    for name in (TWO, strict):
        spec = to_text(next(variant for variant in shorter.plan.variants if variant["name"] == name))
        prune(shorter.examples, spec, shorter["dense"], shorter["scores"], tmp_path / name)
    assert layout.reading(tmp_path / strict).reason == made(shorter, strict).reason


@pytest.mark.parametrize(("within", "right", "passes"), [("0.01", 94, True), ("0.01", 93, False), ("0.5", 45, True)])
def test_a_loss_of_just_as_much_as_is_allowed_is_allowed(within, right, passes):
    guard = Guard(np.zeros((100, 2)), np.zeros(100, np.int64), Preprocessing(1.0, (0.0,), (1.0,)), 95, Fraction(within))
    with nullcontext() if passes else pytest.raises(ModelError, match="of all may be lost: ask for fewer"):
        guard.require(right, "somewhere")


@pytest.mark.parametrize("name", [FREE, STOCHASTIC])
def test_a_quarter_of_the_units_of_each_layer_leaves_without_data(shorter, name):
    state = load_file(made(shorter, name).file(layout.WEIGHTS))
    assert [tuple(state[f"fc{k}.weight"].shape) for k in (1, 2, 3)] == [(30, 64), (30, 30), (10, 30)]


def test_a_budget_in_parameters_is_kept_and_spent(shorter):
    state = load_file(made(shorter, LIGHT).file(layout.WEIGHTS))
    dense = 64 * 40 + 40 + 40 * 40 + 40 + 40 * 10 + 10
    assert 0.4 * dense < sum(tensor.numel() for tensor in state.values()) <= 0.5 * dense


def test_rows_whose_label_provably_cannot_change_are_counted_and_do_not_change(shorter):
    told = {name: int(n) for name, n in made(shorter, FREE).facts["counts"].items() if name.startswith("unchanged")}
    seen, dense = (read_columns(layout.reading(shorter[key])) for key in (f"seen/{FREE}", "reference"))
    assert set(told) == {"unchanged.0", "unchanged.0.5", "unchanged_looked_at"}
    assert told["unchanged.0.5"] <= told["unchanged.0"] <= told["unchanged_looked_at"] == 256
    same = seen["prediction"][:256] == dense["prediction"][:256]
    assert 0 < told["unchanged.0"] <= int(same.sum())


def test_robustness_is_the_share_of_right_rows_that_stay_right(shorter):
    columns = read_columns(layout.reading(shorter[f"seen/{FREE}"]))
    [fgsm] = [array for name, array in columns.items() if name.startswith("robust_loss.fgsm.0.5")]
    right = columns["loss"] == 0
    expected = np.mean(fgsm[right] == 0)
    told = shorter.summaries[FREE]["metrics"]
    assert float(told["robustness.fgsm.0.5"]) == pytest.approx(expected, abs=1e-6)
    assert float(told["robust_accuracy.fgsm.0.5"]) == pytest.approx(np.mean(fgsm == 0), abs=1e-6)
    assert {name for name in told if name.startswith("robustness.")} == {"robustness.fgsm.0.5", "robustness.pgd.0.5"}


def test_the_bundle_verifies(shorter):
    assert verify(shorter["bundle"]).record.variant.name in shorter.names
