"""Smaller networks without data: what leaves, how much, and that it can be built again."""

import copy
import inspect
from itertools import permutations

import pytest
import torch
from torch import nn

from sentei.datafree import Annealing, Settings, shrink
from sentei.datafree.annealing import annealed
from sentei.datafree.impact import scores
from sentei.datafree.tempo import departures
from sentei.errors import ModelError
from sentei.intervals import Box, difference
from sentei.models.architecture import Architecture
from sentei.models.mlp import build_mlp
from sentei.models.resnet_cifar import build_resnet_20
from sentei.structure import trace
from sentei.surgery import History


def mlp(seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    architecture = Architecture(name="mlp", input_shape=(1, 4, 4), n_classes=3)
    return build_mlp(architecture, hidden=(20, 16)).eval()


def residual(seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    return build_resnet_20(Architecture(name="resnet-20", input_shape=(3, 8, 8), n_classes=4), width=4).eval()


def rows(*shape: int) -> torch.Tensor:
    return torch.rand(16, *shape, generator=torch.Generator().manual_seed(0))


def rebuilt(dense: nn.Module, history: History, small: nn.Module) -> nn.Module:
    net = History.from_json(history.to_json()).apply(copy.deepcopy(dense))
    net.load_state_dict(small.state_dict())
    return net


def test_two_identical_neurons_merge_first_and_nothing_changes():
    """Wherever they stand, and whatever stands beside them."""
    for kept, gone in ((3, 11), (18, 0)):
        net = mlp()
        with torch.no_grad():
            net.fc1.weight[gone], net.fc1.bias[gone] = net.fc1.weight[kept].clone(), net.fc1.bias[kept].clone()

        small = shrink(net, (1, 4, 4), 0.0, 1.0, Settings(sparsity=0.05, step=0.05), whole=lambda name: name != "fc1")

        (merge,) = small.merges
        assert {merge.kept, merge.removed} == {kept, gone}
        assert small.model.fc1.out_features == 19
        assert torch.allclose(small.model(rows(1, 4, 4)), net(rows(1, 4, 4)), atol=1e-6)


@pytest.mark.parametrize("sparsity", [0.25, 0.5, 0.75])
def test_the_law_of_sizes(sparsity):
    """A share p of the units leaves (1 - p)^2 of the weights between two layers that both lose it."""
    small = shrink(mlp(), (1, 4, 4), 0.0, 1.0, Settings(sparsity=sparsity, step=0.25, ranking="saliency"))

    assert small.model.fc2.weight.numel() == (1 - sparsity) ** 2 * 20 * 16
    assert small.size.n_parameters == sum(parameter.numel() for parameter in small.model.parameters())
    assert len(small.merges) == sparsity * 36


def test_the_best_pair_is_not_skipped():
    """Brute force over all ordered pairs of a small layer: of the two least salient ones the one of least score."""
    for seed in range(6):
        torch.manual_seed(seed)
        net = nn.Sequential(nn.Linear(3, 6), nn.ReLU(), nn.Linear(6, 4))
        incoming = torch.cat([net[0].weight, net[0].bias[:, None]], 1).detach().double()
        apart = {
            (i, j): ((incoming[i] - incoming[j]).norm() * net[2].weight[:, j].double().norm()).item()
            for i, j in permutations(range(6), 2)
        }
        nearest = sorted(apart, key=apart.__getitem__)
        first = nearest[0]
        second = next(p for p in nearest[1:] if first[1] not in p and p[1] != first[0])
        domain = Box.of(torch.zeros(1, 3), torch.ones(1, 3))
        found, widths = {}, {}
        for kept, gone in (first, second):
            other = copy.deepcopy(net)
            for parameter in other[0].parameters():
                parameter.data[gone] = parameter.data[kept]
            delta = difference(net, other, domain).delta
            found[kept, gone], widths[kept, gone] = scores(delta).item(), delta.width.sum().item()

        expected = {
            "bounds": min(found, key=found.__getitem__), "width": min(widths, key=widths.__getitem__), "saliency": first
        }  # fmt: skip
        for ranking, pair in expected.items():
            merges = shrink(net, (3,), 0.0, 1.0, Settings(sparsity=0.17, step=0.17, ranking=ranking)).merges
            assert [(merge.kept, merge.removed) for merge in merges] == [pair]


def test_the_unit_that_is_told_is_the_one_that_left():
    """Its row is gone, the others keep theirs bit for bit, and the partner's column has both weights."""
    net = mlp()

    small = shrink(net, (1, 4, 4), 0.0, 1.0, Settings(sparsity=0.4, step=0.05), whole=lambda name: name != "fc1")

    gone = [merge.removed for merge in small.merges]
    stays = [unit for unit in range(20) if unit not in gone]
    columns = net.fc2.weight.detach().clone()
    for merge in small.merges:
        columns[:, merge.kept] += columns[:, merge.removed]
    assert len(set(gone)) == 8
    assert torch.equal(small.model.fc1.weight, net.fc1.weight[stays])
    assert torch.equal(small.model.fc2.weight, columns[:, stays])


def test_filters_leave_by_their_norm():
    """Brute force, in one step; the layers that read them lose what they read."""
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Conv2d(2, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(16, 3)
    ).eval()

    small = shrink(net, (2, 6, 6), 0.0, 1.0, Settings(sparsity=0.5, step=0.5), whole=lambda name: name != "0")

    sums = net[0].weight.detach().abs().sum((1, 2, 3))
    stays = sorted(torch.argsort(sums)[4:].tolist())
    assert torch.equal(small.model[0].weight, net[0].weight[stays])
    assert torch.equal(small.model[1].running_var, net[1].running_var[stays])
    assert torch.equal(small.model[3].weight, net[3].weight[:, stays])
    assert small.merges == ()


@pytest.mark.parametrize("kind", ["mlp", "residual"])
def test_history_and_weights_are_the_network_bit_for_bit(kind):
    """Through JSON; and the given network is as it was."""
    net, shape = (mlp(), (1, 4, 4)) if kind == "mlp" else (residual(), (3, 8, 8))
    before = copy.deepcopy(net.state_dict())

    small = shrink(net, shape, -1.0, 1.0, Settings(sparsity=0.5, step=0.1))

    again = rebuilt(net, small.history, small.model)
    assert len(small.history.steps) > 3
    assert torch.equal(again(rows(*shape)), small.model(rows(*shape)))
    assert all(torch.equal(again.state_dict()[name], tensor) for name, tensor in small.model.state_dict().items())
    assert all(torch.equal(before[name], tensor) for name, tensor in net.state_dict().items())
    assert before.keys() == net.state_dict().keys()


def test_every_group_of_a_residual_network_loses_its_share():
    net = residual()
    sizes = {group.name: group.n_units for group in trace(net, (3, 8, 8)).groups}

    small = shrink(net, (3, 8, 8), [-1.0, -1.0, -2.0], [1.0, 1.0, 2.0], Settings(sparsity=0.5, step=0.25))

    left = {group.name: group.n_units for group in trace(small.model, (3, 8, 8)).groups}
    assert left == {name: n - round(n / 2) for name, n in sizes.items()}


def test_it_stops_as_soon_as_the_budget_is_met():
    """One step before, it was not."""
    asked = []

    def stop(size):
        asked.append(size)
        return size.n_parameters <= 400

    small = shrink(mlp(), (1, 4, 4), 0.0, 1.0, Settings(sparsity=1.0, step=0.1), stop=stop)

    assert asked[0].n_parameters == sum(parameter.numel() for parameter in mlp().parameters())
    assert [size.n_parameters <= 400 for size in asked] == [False] * (len(asked) - 1) + [True]
    assert small.size == asked[-1]
    assert small.size.macs == sum(m.weight.numel() for m in small.model.modules() if isinstance(m, nn.Linear))


def test_a_budget_out_of_reach_is_refused_with_the_least_size():
    """One unit stays in each layer: 16 + 1, 1 + 1 and 3 + 3 parameters."""
    with pytest.raises(ModelError, match=r"at sparsity 1 the network has 25 parameters and 20 multiplications"):
        shrink(mlp(), (1, 4, 4), 0.0, 1.0, Settings(sparsity=1.0, step=0.5), stop=lambda size: False)


def test_groups_may_stay_whole():
    small = shrink(mlp(), (1, 4, 4), 0.0, 1.0, Settings(sparsity=0.5, step=0.5), whole=lambda name: name == "fc2")

    assert (small.model.fc1.out_features, small.model.fc2.out_features) == (10, 16)


def test_half_of_a_layer_can_leave_in_one_step_and_more():
    """Units that took over the weights of others may leave later in the same step."""
    small = shrink(mlp(), (1, 4, 4), 0.0, 1.0, Settings(sparsity=0.9, step=0.9))

    assert (small.model.fc1.out_features, small.model.fc2.out_features) == (2, 2)
    assert len({(merge.group, merge.removed) for merge in small.merges}) == 32
    assert len(small.history.steps) == 1


def test_annealing_repeats_by_its_seed():
    """And another seed chooses other pairs."""

    def run(seed):
        return shrink(mlp(), (1, 4, 4), 0.0, 1.0, Settings(0.5, 0.1, annealing=Annealing(seed, start=5.0)))

    one, again, other = run(1), run(1), run(2)

    assert one.merges == again.merges
    assert all(torch.equal(a, b) for a, b in zip(one.model.parameters(), again.model.parameters(), strict=True))
    assert one.merges != other.merges


def test_a_cold_annealing_keeps_the_best():
    """And a hot one does not."""
    growing = [0.1 * place for place in range(10)]

    assert annealed(growing, 4, Annealing(seed=0, start=1e-9), (0,)) == [0, 1, 2, 3]
    assert any(annealed(growing, 4, Annealing(seed, start=1e9), (0,)) != [0, 1, 2, 3] for seed in range(3))
    assert annealed(growing, 10, Annealing(seed=0), (0,)) == list(range(10))


def test_functions_without_bounds_are_refused_and_saliency_does_without():
    net = nn.Sequential(nn.LayerNorm(4), nn.Linear(4, 10), nn.GELU(), nn.Linear(10, 2))

    with pytest.raises(ModelError, match="layer_norm in module '0'"):
        shrink(net, (4,), 0.0, 1.0)

    assert shrink(net, (4,), 0.0, 1.0, Settings(ranking="saliency")).model[1].out_features == 5


def test_nothing_that_looks_at_data_is_taken():
    """The weights and the range of inputs are all there is."""
    assert set(inspect.signature(shrink).parameters) == {
        "model", "input_shape", "low", "high", "settings", "stop", "whole",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("n_units", "step", "sparsity", "expected"),
    [(10, 0.25, 1.0, [2, 5, 8, 9]), (3, 0.1, 1.0, [0, 1, 1, 1, 2]), (40, 0.025, 0.1, [1, 2, 3, 4]), (5, 0.5, 0.0, [0])],
)
def test_steps_add_up_without_rounding_away(n_units, step, sparsity, expected):
    """``round(t step n)``, ties to even, and never the last unit."""
    found = list(departures(n_units, step, sparsity))

    assert found[: len(expected)] == expected
    assert found[-1] == min(round(sparsity * n_units), n_units - 1)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Settings(sparsity=1.5), "sparsity lies in"),
        (lambda: Settings(step=0.0), "step in"),
        (lambda: Settings(ranking="l1"), "ranking is one of"),
        (lambda: Annealing(seed=0, cooling=1.0), "annealing takes"),
        (lambda: shrink(mlp(), (1, 4, 4), [0.0, 0.0], 1.0), "one for each of 1 channels"),
        (lambda: shrink(mlp(), (1, 4, 4), 1.0, 0.0), "a box takes finite"),
    ],
)
def test_mistakes_are_told(make, words):
    with pytest.raises(ValueError, match=words):
        make()


def test_the_callers_random_numbers_are_not_touched():
    net = mlp()
    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)

    shrink(net, (1, 4, 4), 0.0, 1.0, Settings(0.2, 0.1, annealing=Annealing(0)))

    assert torch.equal(torch.rand(3), expected)
