"""An activation that goes leaves an identity, and the same happens to a fresh network."""

import copy

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from sentei.depth import find_activations, linearise
from sentei.errors import ModelError
from sentei.surgery import History
from tests.unit.depth.networks import Functions, known


def test_the_network_answers_as_if_it_were_written_without():
    """Compared with the forward pass of `Functions`, written out without its first and its last activation."""
    network, rows = Functions(), torch.randn(5, 4)

    linearise(network, ["act:0", "relu:1"])

    x = network.fc1(rows)
    x = network.act(network.fc2(F.leaky_relu(network.fc2(x), 0.2)))
    x = torch.relu(network.fc2(x)) + F.gelu(network.fc1(x[:, :4]), approximate="tanh")
    assert torch.equal(network(rows), network.fc3(x))


@pytest.mark.parametrize("names", [["act:0"], ["act:1", "act:0"], ["leaky_relu:0", "gelu:0"]])
def test_a_fresh_network_takes_the_weights_bit_for_bit(names):
    network, fresh, rows = Functions(), Functions(), torch.randn(5, 4)

    history = History().then(linearise(network, names))
    History.from_json(history.to_json()).apply(fresh)

    fresh.load_state_dict(network.state_dict(), strict=True)
    assert torch.equal(fresh(rows), network(rows))


def test_weights_of_a_prelu_go_with_its_last_call():
    network = Functions()

    linearise(network, ["act:0"])
    assert "act.weight" in network.state_dict()
    linearise(network, ["act:1"])
    assert "act.weight" not in network.state_dict()


def test_two_steps_are_one():
    once, twice = known("torchvision/resnet18"), known("torchvision/resnet18")
    rows = torch.randn(2, 3, 32, 32)

    linearise(once, ["layer1.0.relu:0", "layer1.0.relu:1", "relu"])
    for name in ("layer1.0.relu:1", "relu", "layer1.0.relu:0"):
        linearise(twice, [name])

    assert list(once.state_dict()) == list(known("torchvision/resnet18").state_dict())
    assert torch.equal(once(rows), twice(rows))
    assert len(find_activations(once, (3, 32, 32))) == 14


def test_without_all_activations_a_network_is_affine():
    """f(a + b) - f(a) - f(b) + f(0) vanishes for affine functions only."""
    network = known("resnet-20", (3, 8, 8)).double()
    a, b = torch.randn(2, 4, 3, 8, 8, dtype=torch.float64)

    def bend() -> float:
        return (network(a + b) - network(a) - network(b) + network(0 * a)).abs().max().item()

    assert bend() > 1e-3
    linearise(network, [one.name for one in find_activations(network, (3, 8, 8))])
    assert bend() < 1e-9


@pytest.mark.parametrize("name", ["conv1", "nowhere", "layer1.0.relu:2", "layer9.relu:0", "bn1:0"])
def test_names_of_no_activation_are_refused(name):
    network = known("torchvision/resnet18")
    rows = torch.randn(1, 3, 32, 32)
    expected = network(rows)

    with pytest.raises(ModelError, match=r"has no activation .*; take the names from find_activations"):
        linearise(network, ["relu", name])

    assert torch.equal(network(rows), expected)


def test_a_module_that_is_called_several_times_is_not_one_activation():
    with pytest.raises(ModelError, match=r"'layer1.0.relu' is called several times, .*layer1.0.relu:0"):
        linearise(known("torchvision/resnet18"), ["layer1.0.relu"])


@pytest.mark.parametrize("names", [[], ["1", "1"]])
def test_each_name_is_given_once(names):
    with pytest.raises(ValueError, match="each once"):
        linearise(copy.deepcopy(nn.Sequential(nn.Linear(2, 2), nn.ReLU())), names)
