"""A budget as a recipe writes it, and the cost of a network that was not built yet, against the network that was."""

import copy
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save

from sentei.data.preprocessing import Preprocessing
from sentei.evaluation.export import export_onnx
from sentei.evaluation.latency import Comparison
from sentei.evaluation.macs import count_macs, n_parameters
from sentei.models import Architecture, build
from sentei.recipe.variant import Variant
from sentei.sparsity import Budget, fit_units
from sentei.steps import costing
from sentei.steps.costing import budget_of, cost_of
from sentei.structure import trace
from sentei.surgery.removal import remove_places


def network(name, **kwargs):
    return build(Architecture(name=name, input_shape=(1, 8, 8), n_classes=10, kwargs=kwargs), seed=0)


RESNET, LENET = network("resnet-20", width=4, shortcut="projection"), network("lenet-5")
NETWORKS = {"resnet": (RESNET, trace(RESNET, (1, 8, 8))), "lenet": (LENET, trace(LENET, (1, 8, 8)))}
DATA = {
    "input": {"shape": [1, 8, 8], "dtype": "uint8"},
    "preprocessing": {"scale": "0.00392157", "mean": ["0.5"], "std": ["0.25"]},
}


@pytest.mark.parametrize(
    ("written", "measure", "amount", "is_share"),
    [
        ({"macs": 0.5}, "macs", 0.5, True),
        ({"macs": 1}, "macs", 1.0, True),
        ({"macs": 40000}, "macs", 40000.0, False),
        ({"parameters": "0.25"}, "parameters", 0.25, True),
        ({"parameters": 1000}, "parameters", 1000.0, False),
        ({"bytes": 0.1}, "bytes", 0.1, True),
        ({"bytes": 2}, "bytes", 2.0, False),
        ({"latency": 0.5}, "latency_ms", 0.5, True),
        ({"latency_ms": 0.5}, "latency_ms", 0.5, False),
        ({"latency_ms": 3}, "latency_ms", 3.0, False),
    ],
)
def test_a_budget_is_a_share_or_an_amount_of_its_measure(written, measure, amount, is_share):
    spec = Variant(granularity="channel", budget=written).specification()
    assert budget_of(spec) == Budget(measure, amount, is_share)


def keeps(structure, share, seed):
    rng = np.random.default_rng(seed)
    keep = {group.name: rng.random(group.n_units) >= share for group in structure.groups}
    for mask in keep.values():
        mask[0] = True
    return keep


@pytest.mark.parametrize("name", NETWORKS)
@settings(max_examples=10)
@given(st.floats(0, 1), st.integers(0, 99))
def test_costs_are_those_of_the_network_without_the_units(name, share, seed):
    model, structure = NETWORKS[name]
    keep = keeps(structure, share, seed)
    slim = copy.deepcopy(model)
    remove_places(slim, structure.kept(keep))

    assert cost_of("macs", model, structure, DATA)(keep) == count_macs(slim, (1, 8, 8)).total
    assert cost_of("parameters", model, structure, DATA)(keep) == n_parameters(slim)
    file = len(save({name: tensor.contiguous() for name, tensor in slim.state_dict().items()}))
    told = cost_of("bytes", model, structure, DATA)(keep)
    assert file <= told <= 1.01 * file + 512


def test_bytes_of_the_whole_network_are_exact():
    for model, structure in NETWORKS.values():
        assert cost_of("bytes", model, structure, DATA)({}) == len(save(model.state_dict()))


@pytest.fixture
def exports(monkeypatch):
    """Every network that is exported, by its number of parameters."""
    seen, export = [], costing.export_onnx

    def counted(model, *others):
        seen.append(n_parameters(model))
        return export(model, *others)

    monkeypatch.setattr(costing, "export_onnx", counted)
    return seen


def small():
    model = network("mlp", hidden=[16, 8])
    structure = trace(model, (1, 8, 8))
    generator = torch.Generator().manual_seed(0)
    return model, structure, {g.name: torch.rand(g.n_units, generator=generator) for g in structure.groups}


def test_latency_is_measured_in_milliseconds_on_the_exported_network(exports):
    model, structure, _ = small()
    before = copy.deepcopy(model.state_dict())
    cost = cost_of("latency_ms", model, structure, DATA)
    for keep in ({}, keeps(structure, 0.9, 0)):
        told = cost(keep)
        assert math.isfinite(told)
        assert told > 0
    assert exports[:2] == [n_parameters(model)] * 2
    assert exports[2:] == [structure.n_parameters(keeps(structure, 0.9, 0))]
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())


@pytest.fixture(scope="module")
def served():
    """Some exported network."""
    return export_onnx(small()[0], Preprocessing.from_dict(DATA["preprocessing"]), (1, 8, 8), "uint8")


@pytest.fixture
def asked(monkeypatch, served):
    """Parameters of every network whose latency was asked for.

    In place of a file and a clock there is the number of parameters, so that each machine is asked for the same.
    """
    seen = []

    def exported(model, data):
        seen.append(n_parameters(model))
        return served

    monkeypatch.setattr(costing, "_exported", exported)
    monkeypatch.setattr(
        costing, "compare_latency", lambda base, other, row: Comparison(2.0, seen[-1] / seen[0], 0, 0, 1)
    )
    return seen


@pytest.mark.parametrize("n_evaluations", [1, 2, 3])
def test_a_budget_in_latency_times_no_more_networks_than_it_may(asked, n_evaluations):
    model, structure, scores = small()
    cost = cost_of("latency_ms", model, structure, DATA)
    budget = Budget("latency_ms", 0.5, is_share=True)

    keep = fit_units(structure, scores, budget, "uniform", cost, n_evaluations=n_evaluations)

    assert structure.n_parameters(keep) <= 0.5 * n_parameters(model)
    assert len(asked) == 1 + 2 + n_evaluations  # to compare with; the whole and the smallest one; on the way
