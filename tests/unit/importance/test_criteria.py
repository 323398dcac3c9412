"""Which weights may be pruned, and how much each of them matters."""

import pytest
import torch
from torch import nn

from sentei.errors import ModelError
from sentei.importance import prunable_weights, score


class Tied(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Linear(3, 3)
        self.second = nn.Linear(3, 3)
        self.second.weight = self.first.weight


def net() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.ConvTranspose2d(4, 2, 2), nn.Flatten(), nn.Linear(18, 5)
    )


def test_weights_of_linear_and_convolution_layers_are_prunable():
    assert prunable_weights(net()) == ("0.weight", "3.weight", "5.weight")


def test_everything_is_every_parameter_in_order():
    assert prunable_weights(net(), "everything") == tuple(name for name, _ in net().named_parameters())


def test_a_shared_weight_is_named_once():
    assert prunable_weights(Tied()) == ("first.weight",)


def test_an_unknown_scope_is_refused():
    with pytest.raises(ValueError, match="all"):
        prunable_weights(net(), "all")


def test_magnitudes_of_known_weights():
    model = nn.Linear(2, 2, bias=False)
    model.weight.data = torch.tensor([[-3.0, 0.5], [0.0, 2.0]])

    assert score(model, "magnitude-l1", ["weight"], 0)["weight"].tolist() == [[3.0, 0.5], [0.0, 2.0]]
    assert score(model, "magnitude-l2", ["weight"], 0)["weight"].tolist() == [[9.0, 0.25], [0.0, 4.0]]


@pytest.mark.parametrize("criterion", ["magnitude-l1", "magnitude-l2", "lamp", "random"])
def test_biases_and_normalisation_have_scores_where_only_weights_are_looked_at(criterion):
    model = net()
    names = prunable_weights(model, "everything")
    found = score(model, criterion, names, 0)

    assert tuple(found) == names
    assert all(found[name].shape == model.get_parameter(name).shape for name in names)


def test_nothing_to_score_has_no_scores():
    assert score(net(), "magnitude-l1", [], 0) == {}


def test_random_scores_depend_on_the_seed_and_on_the_name():
    model = nn.Sequential(nn.Linear(6, 6, bias=False), nn.Linear(6, 6, bias=False))
    names = prunable_weights(model)
    one, two = score(model, "random", names, 0), score(model, "random", names, 1)

    assert not torch.equal(one["0.weight"], one["1.weight"])
    assert not torch.equal(one["0.weight"], two["0.weight"])
    assert torch.equal(score(model, "random", names[1:], 0)["1.weight"], one["1.weight"])  # other names play no part


def test_what_cannot_be_scored_is_refused():
    model = net()
    with pytest.raises(ModelError, match="magnitude-l3"):
        score(model, "magnitude-l3", [], 0)
    with pytest.raises(ModelError, match=r"9\.weight"):
        score(model, "random", ["9.weight"], 0)
    model[5].weight.data[1, 2] = float("nan")
    with pytest.raises(ModelError, match=r"5\.weight"):
        score(model, "magnitude-l1", ["5.weight"], 0)
