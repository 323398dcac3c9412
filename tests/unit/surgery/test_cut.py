"""Cutting: what stays keeps its values, what fails leaves the network as it was, and the error says what to do."""

import copy

import numpy as np
import pytest
import torch
from torch import nn

from sentei.errors import ModelError
from sentei.structure import trace
from sentei.surgery import cut, zero_units
from sentei.surgery.removal import remove_places


def small():
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 6, 3, padding=1), nn.BatchNorm2d(6), nn.PReLU(6), nn.Conv2d(6, 6, 3, groups=3), nn.GroupNorm(3, 6),
        nn.ConvTranspose2d(6, 4, 2), nn.Flatten(), nn.Linear(4 * 49, 5), nn.ReLU(), nn.Linear(5, 2),
    ).eval()  # fmt: skip


SHAPE = (3, 8, 8)
KEEP = {
    "0": np.array([True, False, True]),
    "5": np.array([False, True, True, True]),
    "7": np.array([True, True, True, False, False]),
}


def test_every_tensor_keeps_the_values_of_what_stays():
    """Indices written down by hand."""
    network = small()
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    stays, up, hidden = torch.tensor([0, 1, 4, 5]), torch.tensor([1, 2, 3]), torch.tensor([0, 1, 2])

    cut(network, trace(network, SHAPE), KEEP, SHAPE)

    after = network.state_dict()
    for name in ("0.weight", "0.bias", "1.weight", "1.bias", "1.running_mean", "1.running_var", "2.weight"):
        assert torch.equal(after[name], before[name][stays]), name
    for name in ("3.weight", "3.bias", "4.weight", "4.bias"):
        assert torch.equal(after[name], before[name][stays]), name
    assert torch.equal(after["5.weight"], before["5.weight"][stays][:, up])
    assert torch.equal(after["5.bias"], before["5.bias"][up])
    pixels = (49 * up[:, None] + torch.arange(49)).flatten()
    assert torch.equal(after["7.weight"], before["7.weight"][hidden][:, pixels])
    assert torch.equal(after["9.weight"], before["9.weight"][:, hidden])
    assert torch.equal(after["9.bias"], before["9.bias"])


def test_modules_know_their_new_sizes():
    network = small()

    cut(network, trace(network, SHAPE), KEEP, SHAPE)

    assert [str(module) for module in network] == [
        "Conv2d(3, 4, kernel_size=(3, 3), stride=(1, 1), padding=(1, 1))",
        "BatchNorm2d(4, eps=1e-05, momentum=0.1, affine=True, bias=True, track_running_stats=True)",
        "PReLU(num_parameters=4)",
        "Conv2d(4, 4, kernel_size=(3, 3), stride=(1, 1), groups=2)",
        "GroupNorm(2, 4, eps=1e-05, affine=True, bias=True)",
        "ConvTranspose2d(4, 3, kernel_size=(2, 2), stride=(1, 1))",
        "Flatten(start_dim=1, end_dim=-1)",
        "Linear(in_features=147, out_features=3, bias=True)",
        "ReLU()",
        "Linear(in_features=3, out_features=2, bias=True)",
    ]


def test_a_network_in_training_stays_there_and_frozen_parameters_stay_frozen():
    network = small().train()
    network[0].weight.requires_grad_(False)
    random = torch.get_rng_state()

    cut(network, trace(network, SHAPE), KEEP, SHAPE)

    assert all(module.training for module in network.modules())
    assert [name for name, parameter in network.named_parameters() if not parameter.requires_grad] == ["0.weight"]
    assert torch.equal(torch.get_rng_state(), random)
    network(torch.randn(4, *SHAPE)).sum().backward()
    assert network[3].weight.grad.shape == (4, 2, 3, 3)


def test_shared_tensors_stay_shared():
    layer = nn.Linear(6, 6)
    network = nn.Sequential(nn.Linear(4, 6), layer, nn.ReLU(), layer, nn.Linear(6, 2)).eval()
    structure = trace(network, (4,))

    cut(network, structure, {"0": np.array([True] * 4 + [False] * 2)}, (4,))

    assert network[1] is network[3]
    assert network[1].weight.shape == (4, 4)
    assert len(list(network.parameters())) == 6


class HardCoded(nn.Module):
    """Expects six channels."""

    def __init__(self):
        super().__init__()
        self.one, self.two, self.last = nn.Conv2d(3, 6, 1), nn.Conv2d(6, 4, 1), nn.Conv2d(4, 2, 1)

    def forward(self, x):
        hidden = self.one(x)
        hidden = hidden.reshape(hidden.shape[0], 6, 64).unflatten(2, (8, 8))
        return self.last(self.two(hidden))


class Scaled(HardCoded):
    """Divides by how many channels there are, silently."""

    def forward(self, x):
        hidden = self.one(x)
        return self.last(self.two(hidden / hidden.shape[1]))


@pytest.mark.parametrize(
    ("build", "fault"),
    [(HardCoded, "the smaller network fails: shape"), (Scaled, "the smaller network differs from the masked one by")],
)
def test_a_network_that_depends_on_its_width_is_left_as_it_was(build, fault):
    torch.manual_seed(0)
    network = build()
    structure = trace(network, SHAPE)
    before = copy.deepcopy(network.state_dict())
    parameters = list(network.parameters())
    keep = {"two": np.array([True, True, False, True]), "one": np.array([True] * 5 + [False])}

    with pytest.raises(ModelError, match=fault) as caught:
        cut(network, structure, keep, SHAPE)

    assert "the units of 'one' cannot leave alone; keep them whole with layers: {one: keep}" in str(caught.value)
    assert all(torch.equal(before[name], tensor) for name, tensor in network.state_dict().items())
    assert all(one is other for one, other in zip(parameters, network.parameters(), strict=True))
    assert network.one.out_channels == 6
    assert network.training
    cut(network, structure, {"two": keep["two"]}, SHAPE)  # the way out
    assert network.two.out_channels == 3


def test_groups_that_fail_only_together_are_named_together():
    class Never(nn.Module):
        """Fails once less than ten units are left in both layers."""

        def __init__(self):
            super().__init__()
            self.one, self.two, self.last = nn.Linear(4, 6), nn.Linear(6, 6), nn.Linear(6, 2)

        def forward(self, x):
            if len(self.one.weight) + len(self.two.weight) < 11:
                raise RuntimeError("too narrow")
            return self.last(self.two(self.one(x)))

    network, keep = Never(), np.array([True] * 5 + [False])

    with pytest.raises(ModelError, match=r"the units of 'one', 'two' cannot leave together.*too narrow"):
        cut(network, trace(network, (4,)), {"one": keep, "two": keep}, (4,))


def test_a_layer_that_would_make_nothing_is_named():
    class Branches(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b, self.sum, self.last = nn.Linear(4, 2), nn.Linear(4, 2), nn.Linear(4, 4), nn.Linear(4, 2)

        def forward(self, x):
            return self.last(torch.cat([self.a(x), self.b(x)], 1) + self.sum(x))

    network = Branches()

    with pytest.raises(ModelError, match=r"nothing would stay of 'b.weight': the units of 'a' cannot leave alone"):
        cut(network, trace(network, (4,)), {"a": np.array([True, True, False, False])}, (4,))

    assert network.a.out_features == 2


@pytest.mark.parametrize(
    ("keep", "message"),
    [
        ({"nothing": np.ones(6, bool)}, "the mask of group 'nothing' has shape .* the network has no such group"),
        ({"0": np.ones(5, bool)}, r"the mask of group '0' has shape \(5,\), the network has 3"),
        ({"0": np.ones((3, 1), bool)}, r"has shape \(3, 1\), the network has 3"),
        ({"0": np.zeros(3, bool)}, "group '0' would lose all of its 3 units; keep one"),
    ],
)
def test_masks_that_fit_no_group(keep, message):
    network = small()

    with pytest.raises(ValueError, match=message):
        cut(network, trace(network, SHAPE), keep, SHAPE)


def test_a_network_that_answers_with_a_dictionary():
    class Told(nn.Module):
        def __init__(self):
            super().__init__()
            self.body, self.head = nn.Linear(4, 6), nn.Linear(6, 2)

        def forward(self, x):
            return {"logits": self.head(self.body(x))}

    network = Told()

    with pytest.raises(ModelError, match=r"Told answers with a dict.*gives its logits alone"):
        cut(network, trace(network, (4,)), {"body": np.array([True] * 5 + [False])}, (4,))


def test_the_structure_of_another_network():
    other = trace(nn.Sequential(nn.Linear(4, 7), nn.Linear(7, 2)), (4,))

    with pytest.raises(ModelError, match=r"expects 7 places in dimension 0 of '0.weight', the model has 6"):
        cut(nn.Sequential(nn.Linear(4, 6), nn.Linear(6, 2)), other, {"0": np.array([True] * 6 + [False])}, (4,))


def test_a_network_that_draws_numbers_is_compared_on_the_same_ones():
    class Noisy(nn.Module):
        def forward(self, x):
            return x + torch.rand(1)

    network = nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 2), Noisy())

    cut(network, trace(network, (4,)), {"0": np.array([True] * 5 + [False])}, (4,))

    assert network[0].out_features == 5


def test_nothing_leaves_if_everything_is_kept():
    network = small()
    before = copy.deepcopy(network.state_dict())

    step = cut(network, trace(network, SHAPE), {"0": np.ones(3, bool)}, SHAPE)

    assert step.kept == {}
    assert all(torch.equal(before[name], tensor) for name, tensor in network.state_dict().items())


def test_zeroed_units_are_zero_and_all_others_untouched():
    network = small()
    structure, before = trace(network, SHAPE), copy.deepcopy(network.state_dict())

    zero_units(network, structure, KEEP)

    after, places = network.state_dict(), structure.kept(KEEP)
    for name, tensor in after.items():
        stays = torch.ones(tensor.shape, dtype=torch.bool)
        for dim, mask in places.get(name, {}).items():
            shape = [1] * tensor.dim()
            shape[dim] = -1
            stays &= torch.from_numpy(mask).reshape(shape)
        assert torch.equal(after[name], torch.where(stays, before[name], torch.zeros_like(before[name]))), name


def test_places_that_fit_no_tensor_leave_the_network_as_it_was():
    network = small()
    shapes = [tensor.shape for tensor in network.state_dict().values()]

    with pytest.raises(ModelError, match=r"expects 7 places in dimension 0 of '0.bias', the model has 6.*was traced"):
        remove_places(network, {"0.weight": {0: np.array([True] * 5 + [False])}, "0.bias": {0: np.ones(7, bool)}})
    with pytest.raises(ModelError, match=r"expects 3 places in dimension 0 of 'x', the model has none"):
        remove_places(network, {"x": {0: np.ones(3, bool)}})
    with pytest.raises(ModelError, match=r"dimension 4 of '0.weight', the model has none"):
        remove_places(network, {"0.weight": {4: np.ones(3, bool)}})

    assert [tensor.shape for tensor in network.state_dict().values()] == shapes
