"""The history of a surgery: JSON there and back, and the same network built again."""

import copy
import json

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torchvision.models import VisionTransformer

from sentei.depth import linearise
from sentei.errors import ArtifactError, ModelError
from sentei.models import Architecture, build
from sentei.models.attention import separate_heads
from sentei.structure import trace
from sentei.surgery import History, Step, cut, widen
from tests.unit.surgery.agreement import random_keep, randomise

RESNET = Architecture(name="resnet-20", input_shape=(3, 16, 16), n_classes=10)


def vit():
    return VisionTransformer(32, 16, num_layers=2, num_heads=4, hidden_dim=32, mlp_dim=64).eval()


def shrunk(model, input_shape, n_steps=2):
    """The network after some steps, and their history."""
    history, rng = History(), np.random.default_rng(0)
    separate_heads(randomise(model))
    for _ in range(n_steps):
        structure = trace(model, input_shape)
        history = history.then(cut(model, structure, random_keep(structure, rng, 0.3), input_shape))
    return model, history


@pytest.mark.parametrize(
    ("fresh", "input_shape"), [(lambda: build(RESNET, seed=1), (3, 16, 16)), (vit, (3, 32, 32))], ids=["resnet", "vit"]
)
def test_a_fresh_network_becomes_the_smaller_one(fresh, input_shape):
    slim, history = shrunk(fresh(), input_shape)
    record = json.loads(json.dumps(history.to_json()))

    again = History.from_json(record).apply(fresh())

    assert {n: t.shape for n, t in again.state_dict().items()} == {n: t.shape for n, t in slim.state_dict().items()}
    again.load_state_dict(slim.state_dict(), strict=True)
    rows = torch.randn(3, *input_shape)
    with torch.no_grad():
        assert torch.equal(again.eval()(rows), slim.eval()(rows))
    assert str(again) == str(slim)


def test_json_there_and_back_is_exact():
    _, history = shrunk(build(RESNET, seed=1), (3, 16, 16))

    back = History.from_json(json.loads(json.dumps(history.to_json())))

    assert back == history
    assert json.dumps(back.to_json()) == json.dumps(history.to_json())
    assert len(back.steps) == 2


@given(st.lists(st.booleans(), min_size=1, max_size=40).filter(any))
def test_any_mask_survives_json(stays):
    step = Step.of({"a.weight": {1: np.array(stays)}})

    back = History.from_json(json.loads(json.dumps(History((step,)).to_json())))

    assert back.steps[0].places()["a.weight"][1].tolist() == stays


def record(size: object = 6, ranges: object = "0-1,4", dim: str = "0", **others: object):
    return {"format": "sentei.surgery/1", "steps": [{"0.weight": {dim: [size, ranges]}}], **others}


def test_the_record_of_the_tests_below_is_good():
    assert History.from_json(record()).steps[0].places()["0.weight"][0].tolist() == [True] * 2 + [False] * 2 + [
        True,
        False,
    ]


@pytest.mark.parametrize(
    ("damaged", "told"),
    [
        ({}, "a record without 'format'"),
        (record(format="sentei.surgery/3"), "sentei.surgery/3"),
        (record(format=None), "None"),
        ({"format": "sentei.surgery/1"}, "steps"),
        (record(steps=[3]), "int"),
        (record(steps=[{"0.weight": {"0": [6]}}]), "unpack"),
        (record(steps=[{"0.weight": [6, "0"]}]), "list"),
        (record(steps=None), "None"),
        (record(ranges="4,0-1"), "out of order: 4,0-1"),
        (record(ranges="0-1,1"), "out of order"),
        (record(ranges="0,1"), "out of order"),
        (record(ranges="0-6"), "places 0-6 of 6"),
        (record(ranges="7"), "places 7 of 6"),
        (record(ranges="3-1"), "places 3-1 of 6"),
        (record(ranges="-1"), "''"),
        (record(ranges=""), "''"),
        (record(ranges="a"), "'a'"),
        (record(size=-3), "negative"),
        (record(size="six"), "six"),
        (record(size=10**30, ranges="0"), "dimension exceeded"),
        (record(dim="x"), "'x'"),
        (record(dim="-1"), "dimension -1"),
        ([], "list"),
    ],
)
def test_damaged_records_are_refused(damaged, told):
    with pytest.raises(
        ArtifactError, match=r"expected the history of a surgery in the format sentei.surgery/1 or sentei.surgery/2"
    ) as caught:
        History.from_json(damaged)

    assert told in str(caught.value)


def test_the_history_of_another_network_is_refused():
    _, history = shrunk(build(RESNET, seed=1), (3, 16, 16))
    other = nn.Sequential(nn.Linear(4, 6), nn.Linear(6, 2))

    with pytest.raises(
        ModelError, match=r"surgery expects .* the model has none; operate on the network that was traced"
    ):
        history.apply(other)


def test_the_steps_of_a_wider_network_are_refused():
    network = nn.Sequential(nn.Linear(4, 6), nn.Linear(6, 2))
    step = cut(network, trace(network, (4,)), {"0": np.array([True] * 5 + [False])}, (4,))

    with pytest.raises(ModelError, match=r"expects 6 places in dimension 0 of '0.weight', the model has 5"):
        History((step,)).apply(copy.deepcopy(network))


def test_then_leaves_the_first_history_alone():
    history = History()

    longer = history.then(Step({}))

    assert (len(history.steps), len(longer.steps)) == (0, 1)


def mixed():
    """A network that lost an activation and then channels, and its history."""
    model = randomise(build(RESNET, seed=1))
    history = History().then(linearise(model, ["stage1.0.relu1", "relu1"]))
    structure = trace(model, (3, 16, 16))
    keep = random_keep(structure, np.random.default_rng(0), 0.3)
    return model, history.then(cut(model, structure, keep, (3, 16, 16)))


def test_steps_of_several_kinds_are_done_again_in_order():
    slim, history = mixed()
    record = json.loads(json.dumps(history.to_json()))

    again = History.from_json(record).apply(build(RESNET, seed=2))

    assert [step["kind"] for step in record["steps"]] == ["linearise", "cut"]
    assert History.from_json(record) == history
    again.load_state_dict(slim.state_dict(), strict=True)
    rows = torch.randn(3, 3, 16, 16)
    with torch.no_grad():
        assert torch.equal(again.eval()(rows), slim.eval()(rows))


def test_a_history_of_cuts_is_written_in_the_first_format():
    """A history that older releases could write is what they would write."""
    _, history = shrunk(build(RESNET, seed=1), (3, 16, 16))

    assert history.to_json()["format"] == "sentei.surgery/1"
    assert mixed()[1].to_json()["format"] == "sentei.surgery/2"


@pytest.mark.parametrize(
    ("step", "told"),
    [
        ({"kind": "graft", "names": ["0"]}, "a step of the kind 'graft'"),
        ({"names": ["0"]}, "a record without 'kind'"),
        ({"kind": ["cut"]}, "a step of the kind"),
        ({"kind": "linearise"}, "a record without 'names'"),
        ({"kind": "linearise", "names": "relu1"}, "a list of names"),
        ({"kind": "linearise", "names": [3]}, "a list of names"),
        ({"kind": "linearise", "names": ["0"], "why": "x"}, "with why"),
        ({"kind": "cut"}, "a record without 'kept'"),
        ({"kind": "cut", "kept": {"a": {"0": [3, "4"]}}}, "places 4 of 3"),
        (["cut"], "list"),
    ],
)
def test_unknown_and_damaged_kinds_are_refused(step, told):
    with pytest.raises(ArtifactError, match="expected the history of a surgery") as caught:
        History.from_json({"format": "sentei.surgery/2", "steps": [step]})

    assert told in str(caught.value)


def test_only_cuts_can_be_widened():
    model, history = mixed()

    with pytest.raises(ValueError, match="only cuts can be widened, the history has a step of the kind 'linearise'"):
        widen(model.state_dict(), history)
