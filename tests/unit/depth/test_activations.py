"""Activations are found wherever a forward pass uses them, and can go one by one."""

import copy

import pytest
import torch
from torch import nn

from sentei.depth import EntropyPenalty, entropies, find_activations, linearise
from sentei.depth.activations import separate_activations
from sentei.errors import ModelError
from tests.unit.depth.networks import Branching, Dropping, Functions, Tokens, known


@pytest.mark.parametrize(
    ("name", "input_shape", "n", "kinds"),
    [
        ("torchvision/resnet18", (3, 32, 32), 17, {"relu"}),
        ("torchvision/swin_t", (3, 32, 32), 12, {"gelu"}),
        ("torchvision/swin_v2_t", (3, 32, 32), 12, {"gelu"}),
        ("torchvision/mobilenet_v2", (3, 32, 32), 35, {"relu6"}),
        ("torchvision/vgg16_bn", (3, 32, 32), 15, {"relu"}),
        ("resnet-20", (3, 16, 16), 19, {"relu"}),
        ("lenet-5", (1, 28, 28), 4, {"relu"}),
        ("mlp", (1, 8, 8), 2, {"relu"}),
    ],
)
def test_known_networks_have_the_known_numbers_of_activations(name, input_shape, n, kinds):
    """17, 12, 35 and 15 are those of arXiv:2404.18949; 19 = 1 + 9 blocks of 2.

    Swin V2 has 12 more in its position biases, which see nothing of an image.
    """
    found = find_activations(known(name, input_shape), input_shape)

    assert len(found) == n
    assert {one.kind for one in found} == kinds
    assert len({one.name for one in found}) == n


def test_neurons_of_convolutions_are_channels_and_those_of_tokens_the_last_dimension():
    swin, resnet = known("torchvision/swin_t"), known("torchvision/resnet18")

    assert {(a.dim, a.n_neurons) for a in find_activations(swin, (3, 32, 32))} == {
        (3, 4 * 96 * 2**stage) for stage in range(4)
    }
    assert {(a.dim, a.n_neurons) for a in find_activations(resnet, (3, 32, 32))} == {
        (1, 64 * 2**stage) for stage in range(4)
    }
    assert [(a.dim, a.n_neurons) for a in find_activations(Tokens(), (5, 4))] == [(2, 8)]


def test_squeeze_and_excitation_is_left_out():
    """MobileNetV3-small has 9 of its gates, each with one ReLU, and 24 activations elsewhere."""
    network = known("torchvision/mobilenet_v3_small")

    names = [one.name for one in find_activations(network, (3, 32, 32))]

    gates = [name for name, m in network.named_modules() if type(m).__name__ == "SqueezeExcitation"]
    assert len(gates) == 9
    assert not any(name.startswith(tuple(gates)) for name in names)
    assert len(names) == sum(isinstance(m, nn.ReLU | nn.Hardswish) for m in network.modules()) - len(gates)


def test_every_call_is_an_activation_of_its_own():
    found = find_activations(Functions(), (4,))

    assert [(one.name, one.kind) for one in found] == [
        ("act:0", "prelu"),
        ("leaky_relu:0", "leakyrelu"),
        ("act:1", "prelu"),
        ("relu:0", "relu"),
        ("gelu:0", "gelu"),
        ("relu:1", "relu"),
    ]


def test_separate_activations_change_neither_answers_nor_state_dict():
    network = Functions()
    rows, keys = torch.randn(5, 4), list(network.state_dict())
    expected = copy.deepcopy(network)(rows)

    separate_activations(network, (4,))

    assert torch.equal(network(rows), expected)
    assert list(network.state_dict()) == keys
    assert isinstance(network, Functions)
    assert torch.equal(copy.deepcopy(network)(rows), expected)


def test_finding_changes_nothing():
    network = Functions()

    before = str(network)
    find_activations(network, (4,))

    assert str(network) == before
    assert type(network) is Functions


def test_one_module_in_two_places_is_two_activations():
    relu = nn.ReLU()
    network = nn.Sequential(nn.Linear(3, 4), relu, nn.Linear(4, 4), relu)

    assert [one.name for one in find_activations(network, (3,))] == ["1", "3"]
    linearise(network, ["1"])
    assert isinstance(network[1], nn.Identity)
    assert isinstance(network[3], nn.ReLU)


def test_an_owner_that_runs_twice_has_its_activations_once():
    block = nn.Sequential(nn.Linear(4, 4), nn.ReLU())

    assert [one.name for one in find_activations(nn.Sequential(block, block), (4,))] == ["0.1"]


@pytest.mark.parametrize(
    ("network", "told"),
    [
        (nn.Sequential(nn.Linear(4, 3)), "has no activation that can be found"),
        (Dropping(), "the forward of Dropping is another one in training"),
        (Branching(), "the forward of Branching cannot be followed"),
    ],
)
def test_what_cannot_be_followed_is_refused_with_advice(network, told):
    with pytest.raises(ModelError, match=told) as caught:
        find_activations(network, (4,))

    assert "write activations as modules, made in __init__, one for each use" in str(caught.value)


def test_names_stay_when_other_activations_go():
    network = known("torchvision/resnet18")
    names = [one.name for one in find_activations(network, (3, 32, 32))]

    linearise(network, [names[1], names[5]])

    rest = [one.name for one in find_activations(network, (3, 32, 32))]
    assert rest == [name for name in names if name not in (names[1], names[5])]


class ByName(nn.Module):
    """Calls its activation with a named argument."""

    def __init__(self):
        super().__init__()
        self.layer, self.act = nn.Linear(3, 4), nn.ReLU()

    def forward(self, rows):
        return self.act(input=self.layer(rows))


def test_an_activation_that_is_called_by_name_is_one_like_others():
    """Found, counted, penalised and removed."""
    net, rows = ByName(), torch.randn(50, 3, generator=torch.Generator().manual_seed(0))
    (found,) = find_activations(net, (3,))
    assert (found.name, found.n_neurons) == ("act", 4)
    share = (net.layer(rows) >= 0).double().mean(0)
    bits = -(share * share.log2() + (1 - share) * (1 - share).log2()).nan_to_num(0).mean()
    assert entropies(net, [found], [rows])["act"] == pytest.approx(bits.item())
    with EntropyPenalty(net.train(), [found], 0.1) as penalty:
        net(rows)
        assert 0 < penalty().item() <= 0.1
    linearise(net, ["act"])
    assert torch.equal(net(rows), net.layer(rows))
