"""Tracing as a whole: groups found by hand, what it leaves alone, and what it says when it cannot."""

import copy

import numpy as np
import pytest
import torch
import torchvision
from torch import nn

from sentei.errors import ModelError
from sentei.evaluation.macs import count_macs, n_parameters
from sentei.models import Architecture, build
from sentei.models.attention import separate_heads
from sentei.structure import trace
from tests.unit.structure.networks import NETS
from tests.unit.structure.passages import Passage


def equal(one, other):
    """Whether two structures say the same; arrays have no equality of their own."""

    def plain(structure):
        groups = [
            (g.name, g.kind, g.n_units, g.width, [(m.tensor, m.dim, m.role, m.units.tolist()) for m in g.members])
            for g in structure.groups
        ]
        rest = structure.products, structure.shapes, structure.parameters, structure.head_macs, structure.other_macs
        return groups, rest

    return plain(one) == plain(other)


class Block(nn.Module):
    """A residual block: 6 -> 4 -> 6."""

    def __init__(self):
        super().__init__()
        self.one, self.norm, self.two = nn.Conv2d(6, 4, 3, padding=1), nn.BatchNorm2d(4), nn.Conv2d(4, 6, 1)

    def forward(self, x):
        return torch.relu(x + self.two(torch.relu(self.norm(self.one(x)))))


def residual():
    return nn.Sequential(
        nn.Conv2d(3, 6, 1), Block(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(24, 5), nn.ReLU(), nn.Linear(5, 2)
    )


def test_members_of_a_residual_stream():
    """Written down by hand, in the order in which the network uses them."""
    stream, inner, hidden = trace(residual(), (3, 4, 4)).groups

    assert [(m.tensor, m.dim, m.role) for m in stream.members] == [
        ("0.weight", 0, "out"), ("0.bias", 0, "out"), ("1.one.weight", 1, "in"), ("1.two.weight", 0, "out"),
        ("1.two.bias", 0, "out"), ("4.weight", 1, "in"),
    ]  # fmt: skip
    assert [(m.tensor, m.dim, m.role) for m in inner.members] == [
        ("1.one.weight", 0, "out"), ("1.one.bias", 0, "out"), ("1.norm.running_mean", 0, "along"),
        ("1.norm.running_var", 0, "along"), ("1.norm.weight", 0, "along"), ("1.norm.bias", 0, "along"),
        ("1.two.weight", 1, "in"),
    ]  # fmt: skip
    assert (stream.name, inner.name, hidden.name) == ("0", "1.one", "4")
    assert stream.members[-1].units.tolist() == np.repeat(np.arange(6), 4).tolist()
    assert [member.units.tolist() for member in inner.members] == [list(range(4))] * 7
    assert (stream.width, inner.width, hidden.width) == (1, 1, 1)


def test_products_and_shapes_by_hand():
    structure = trace(residual(), (3, 4, 4))

    assert [(use.weight, use.n_positions) for use in structure.products] == [
        ("0.weight", 16), ("1.one.weight", 16), ("1.two.weight", 16), ("4.weight", 1), ("6.weight", 1),
    ]  # fmt: skip
    assert structure.macs({}) == 18 * 16 + 6 * 4 * 9 * 16 + 24 * 16 + 24 * 5 + 10
    keep = {"0": np.array([True, False] * 3), "1.one": np.array([True] * 3 + [False])}
    assert structure.macs(keep) == 9 * 16 + 3 * 3 * 9 * 16 + 9 * 16 + 12 * 5 + 10
    assert structure.kept_shapes(keep)["1.one.weight"] == (3, 3, 3, 3)
    assert structure.kept_shapes(keep)["4.weight"] == (5, 12)
    assert structure.kept_shapes(keep)["6.weight"] == (2, 5)


@pytest.mark.parametrize("name", NETS)
@pytest.mark.parametrize("separate", [False, True])
def test_the_whole_network_costs_what_is_counted(name, separate):
    """Both count every product of a forward pass, one by watching it and one by its weights."""
    network = NETS[name]().eval()
    if separate:
        separate_heads(network)

    structure = trace(network, (3, 32, 32))

    assert structure.macs({}) == count_macs(network, (3, 32, 32)).total
    assert structure.n_parameters({}) == n_parameters(network)


@pytest.mark.parametrize("name", ["resnet18", "swin_v2"])
def test_tracing_twice_finds_the_same(name):
    network = separate_heads(NETS[name]())

    assert equal(trace(network, (3, 32, 32)), trace(network, (3, 32, 32)))
    assert equal(trace(network, (3, 32, 32)), trace(copy.deepcopy(network), (3, 32, 32)))


@pytest.mark.parametrize(
    ("network", "why"),
    [
        (nn.Linear(4, 2), "no layer makes what another one reads"),
        (nn.Sequential(nn.Linear(4, 4), nn.Softmax(1), nn.Linear(4, 2)), "softmax in 1 reads them as a whole"),
        (nn.Sequential(nn.Linear(4, 1), nn.ReLU(), nn.Linear(1, 2)), "no layer makes what another one reads"),
        (nn.Sequential(nn.Linear(4, 4), nn.LayerNorm(4), nn.Linear(4, 2)), "layer_norm in 1 reads them as a whole"),
    ],
)
def test_a_network_of_which_nothing_can_leave_says_why(network, why):
    with pytest.raises(ModelError, match="no channel or head can leave") as caught:
        trace(network, (4,))

    assert why in str(caught.value)
    assert "choose granularity weight" in str(caught.value)


def test_a_row_of_another_shape_is_told():
    with pytest.raises(ModelError, match=r"cannot be watched on one row of shape \(5,\): module '0'"):
        trace(nn.Sequential(nn.Linear(4, 3), nn.Linear(3, 2)), (5,))


def test_outputs_stay_also_in_dictionaries():
    class Pair(nn.Module):
        def __init__(self):
            super().__init__()
            self.body, self.head = nn.Linear(4, 6), nn.Linear(6, 2)

        def forward(self, x):
            features = self.body(x)
            return {"features": [features], "logits": self.head(features)}

    with pytest.raises(ModelError, match="no channel or head can leave"):
        trace(Pair(), (4,))


def test_heads_of_cross_attention_stay():
    """Queries come from elsewhere: what keys and values read stays whole, and no head leaves."""

    class Cross(nn.Module):
        def __init__(self):
            super().__init__()
            self.asks, self.knows, self.last = nn.Linear(6, 8), nn.Linear(6, 8), nn.Linear(8, 2)
            self.attention, self.also = nn.MultiheadAttention(8, 2, batch_first=True), nn.Linear(8, 8)

        def forward(self, x):
            known = self.knows(x)
            told = self.attention(self.asks(x), key=known, value=known, need_weights=False)[0]
            return self.last(told + self.also(known)).mean(1)

    structure = trace(separate_heads(Cross()), (5, 6))

    assert [(group.name, group.kind) for group in structure.groups] == [("attention.out_proj", "channels")]
    assert {member.tensor for member in structure.groups[0].members} == {
        "attention.out_proj.weight", "attention.out_proj.bias", "also.weight", "also.bias", "last.weight",
    }  # fmt: skip
    assert structure.macs({}) == count_macs(separate_heads(Cross()), (5, 6)).total


def test_an_attention_used_twice_costs_twice():
    class Twice(nn.Module):
        def __init__(self):
            super().__init__()
            self.attention = nn.MultiheadAttention(8, 2, batch_first=True)

        def forward(self, x):
            for _ in range(2):
                x = self.attention(x, x, x, need_weights=False)[0]
            return x.mean(1)

    network = separate_heads(Twice())

    structure = trace(network, (5, 8))

    assert structure.macs({}) == count_macs(network, (5, 8)).total == 2 * (5 * 8 * 32 + 2 * 25 * 8)
    assert structure.head_macs == {"attention": 2 * 2 * 25 * 4}


def of_residual_stages(blocks):
    """The stem, two inside each bottleneck, and the stream of each stage."""
    return 1 + 2 * sum(blocks) + len(blocks)


def of_dense_blocks(layers):
    """The stem, two for each dense layer, and one for each transition between blocks."""
    return 1 + 2 * sum(layers) + len(layers) - 1


@pytest.mark.parametrize(
    ("name", "n_groups"),
    [
        ("resnet152", of_residual_stages([3, 8, 36, 3])),
        ("densenet121", of_dense_blocks([6, 12, 24, 16])),
        ("densenet201", of_dense_blocks([6, 12, 48, 32])),
    ],
)
def test_large_networks_have_the_groups_of_their_papers(name, n_groups):
    with torch.device("meta"):
        network = getattr(torchvision.models, name)(weights=None)

    assert len(trace(network, (3, 224, 224)).groups) == n_groups


def test_names_of_our_own_networks_are_those_of_their_layers():
    network = build(Architecture(name="lenet-300-100", input_shape=(1, 28, 28), n_classes=10), seed=0)

    names = {module for module, _ in network.named_modules()}

    assert all(group.name in names for group in trace(network, (1, 28, 28)).groups)
    assert [group.n_units for group in trace(network, (1, 28, 28)).groups] == [300, 100]


def test_the_row_is_no_batch_and_the_mode_is_eval():
    class Looking(nn.Module):
        def forward(self, x):
            assert x.shape[0] == 1
            assert not self.training
            return x

    assert (
        trace(nn.Sequential(nn.Linear(4, 3), Looking().train(), nn.Linear(3, 2)).train(), (4,)).groups[0].n_units == 3
    )


def test_a_passage_has_the_groups_of_its_own_layers():
    """The helper of the tests beside this one."""
    assert [group.name for group in trace(Passage(lambda m, a, b: a + b), (3, 8, 8)).groups] == ["a", "read"]
