"""The damage of losing units, and BatchNorm statistics that are never farther from the dense network than they were."""

import copy

import numpy as np
import pytest
import torch
from scipy.special import log_softmax
from sklearn.datasets import load_digits
from torch import nn

from sentei.data.preprocessing import Preprocessing
from sentei.importance import ScoringRows
from sentei.models import Architecture, build
from sentei.models.inference import logits
from sentei.steps.damage import PROBED, Damage, opinion, settle_batchnorm
from sentei.structure import trace
from sentei.surgery import cut

PIXELS = np.rint(load_digits().images * 255 / 16).astype(np.uint8)[:, None]
ROWS = ScoringRows(PIXELS[:80], np.full(80, -1), Preprocessing(1 / 255, (0.3,), (0.38,)), 40)


@pytest.fixture
def model():
    """A ResNet whose statistics are those of the rows."""
    net = build(Architecture(name="resnet-20", input_shape=(1, 8, 8), n_classes=10, kwargs={"width": 4}), seed=0)
    with torch.no_grad():
        net.fc.weight.mul_(2)  # opinions that are worth losing
    settle_batchnorm(net, ROWS)
    return net


def random_keep(structure, share, seed):
    rng = np.random.default_rng(seed)
    keep = {group.name: rng.random(group.n_units) >= share for group in structure.groups}
    for mask in keep.values():
        mask[rng.integers(len(mask))] = True
    return keep


def divergence(told, wanted):
    p, q = log_softmax(told.astype(float), axis=1), log_softmax(wanted.astype(float), axis=1)
    return float((np.exp(q) * (q - p)).sum(axis=1).mean())


def told(net):
    return logits(net, ROWS.inputs, ROWS.preprocessing, ROWS.batch_size)


@pytest.mark.parametrize("reconstruct", [False, True])
def test_damage_is_nothing_for_all_units_and_grows_with_those_that_leave(model, reconstruct):
    structure, before = trace(model, (1, 8, 8)), copy.deepcopy(model.state_dict())
    damage = Damage.of(model, structure, ROWS, reconstruct=reconstruct)
    all_units = {group.name: np.ones(group.n_units, bool) for group in structure.groups}
    assert damage({}) == damage(all_units) == 0.0
    one_unit = [damage({group.name: np.arange(group.n_units) > 0}) for group in structure.groups]
    half = [damage(random_keep(structure, 0.5, seed)) for seed in range(4)]
    assert min(one_unit) > 0
    assert 2 * np.mean(one_unit) < np.mean(half)
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())


def test_damage_is_the_divergence_of_the_network_that_surgery_makes(model):
    structure = trace(model, (1, 8, 8))
    keep = random_keep(structure, 0.3, 1)
    found = Damage.of(model, structure, ROWS, reconstruct=False)(keep)
    slim = copy.deepcopy(model)
    cut(slim, structure, keep, (1, 8, 8))
    settle_batchnorm(slim, ROWS)
    assert found == pytest.approx(divergence(told(slim), told(model)), rel=1e-6)


def test_reconstruction_lessens_the_damage_on_average(model):
    structure = trace(model, (1, 8, 8))
    keeps = [random_keep(structure, 0.3, seed) for seed in range(4)]
    plain, fitted = (
        np.mean([Damage.of(model, structure, ROWS, reconstruct=fit)(keep) for keep in keeps]) for fit in (False, True)
    )
    assert fitted < plain


def test_a_probe_looks_at_the_first_rows_alone():
    net = nn.Sequential(nn.Flatten(), nn.Linear(64, 4), nn.ReLU(), nn.Linear(4, 3)).eval()
    rows = ScoringRows(PIXELS, np.full(len(PIXELS), -1), ROWS.preprocessing, 256)
    damage = Damage.of(net, trace(net, (1, 8, 8)), rows, reconstruct=False)
    assert len(PIXELS) > PROBED == len(damage.rows.inputs) == len(damage.expected)
    np.testing.assert_array_equal(damage.rows.inputs, PIXELS[:PROBED])


def statistics(net):
    return {name: tensor.clone() for name, tensor in net.state_dict().items() if "running" in name}


def test_statistics_are_those_of_the_rows(model):
    seen = []
    handle = model.conv1.register_forward_hook(lambda module, inputs, output: seen.append(output.double()))
    with torch.no_grad():
        model.conv1.weight.mul_(2)
    settle_batchnorm(model, ROWS)
    handle.remove()
    made = torch.cat(seen).transpose(0, 1).flatten(1)
    torch.testing.assert_close(model.bn1.running_mean.double(), made.mean(dim=1), rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(model.bn1.running_var.double(), made.var(dim=1), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("foreign", "shift"), [(0.5, 0.02), (0.0, 5.0)], ids=["the old ones", "the new ones"])
def test_of_two_sets_of_statistics_those_nearer_to_the_dense_network_stay(model, foreign, shift):
    with torch.no_grad():  # where the dense network's statistics are of other rows, new ones lead away from it
        for module in model.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.running_mean += foreign * module.running_var.sqrt()
    expected, weights = opinion(model, ROWS), {n: p.detach().clone() for n, p in model.named_parameters()}
    with torch.no_grad():
        model.bn1.running_mean += shift
    old, distance = statistics(model), divergence(told(model), expected)

    settle_batchnorm(model, ROWS, expected)

    kept = all(torch.equal(old[name], tensor) for name, tensor in statistics(model).items())
    assert kept == (foreign > 0)
    assert divergence(told(model), expected) <= distance + 1e-9
    assert all(torch.equal(weights[name], parameter) for name, parameter in model.named_parameters())


def test_without_an_opinion_to_hold_to_the_new_statistics_stay(model):
    fresh = statistics(model)
    with torch.no_grad():
        model.bn1.running_mean += 0.02
    settle_batchnorm(model, ROWS)
    assert all(torch.equal(fresh[name], tensor) for name, tensor in statistics(model).items())
