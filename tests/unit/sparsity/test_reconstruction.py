"""What stays makes up for what leaves: exactly where it can, and never to anyone's harm."""

import copy

import numpy as np
import pytest
import torch
from torch import nn

from sentei.data.preprocessing import Preprocessing
from sentei.errors import ModelError
from sentei.importance import ScoringRows
from sentei.sparsity.reconstruction import reconstruct_units, reconstruct_weights
from sentei.structure.groups import Group, Member, Structure

N_IN = 3


def rows(n=40, shape=(N_IN, 6, 6), seed=0, batch_size=16):
    inputs = np.random.default_rng(seed).normal(size=(n, *shape)).astype(np.float32)
    plain = Preprocessing(1.0, (0.0,) * shape[0], (1.0,) * shape[0])
    return ScoringRows(inputs, np.full(n, -1), plain, batch_size)


def network(seed=0, bias=True):
    torch.manual_seed(seed)
    return nn.Sequential(
        nn.Conv2d(N_IN, 5, 3, bias=False), nn.BatchNorm2d(5), nn.ReLU(), nn.Conv2d(5, 4, 3, bias=bias), nn.ReLU(),
        nn.Flatten(), nn.Linear(16, 6), nn.ReLU(), nn.Linear(6, 3),
    ).eval()  # fmt: skip


def group(name, n_units, out, reads, places=1):
    units = np.arange(n_units)
    members = [Member(tensor, 0, "out", units) for tensor in out]
    return Group(name, "channels", n_units, 1, (*members, Member(reads, 1, "in", np.repeat(units, places))))


STRUCTURE = Structure(
    (
        group("0", 5, ("0.weight", "1.weight", "1.bias"), "3.weight"),
        group("3", 4, ("3.weight",), "6.weight", places=4),
        group("6", 6, ("6.weight", "6.bias"), "8.weight"),
    ),
    (), {}, (), {},
)  # fmt: skip
KEEP = {
    "0": np.array([1, 0, 1, 1, 0], bool),
    "3": np.array([1, 1, 0, 1], bool),
    "6": np.array([1, 0, 1, 0, 1, 1], bool),
}


def answers(model, given):
    with torch.no_grad():
        return model(torch.from_numpy(given.inputs))


def zeroed(model, keep=KEEP):
    """The network without the columns that read what leaves, and nothing done about it."""
    model = copy.deepcopy(model)
    for part in STRUCTURE.groups:
        if part.name in keep:
            member = part.members[-1]
            model.get_parameter(member.tensor).data[:, torch.from_numpy(~keep[part.name][member.units])] = 0
    return model


def test_a_unit_that_is_a_combination_of_others_leaves_without_a_trace():
    """Channel 4 is 2 x channel 1 + 0.5 x channel 2: ReLU meets only positive numbers, so it stays a combination."""
    model, given = network(), rows()
    with torch.no_grad():
        model[0].weight[4] = 2 * model[0].weight[1] + 0.5 * model[0].weight[2]
        model[1].bias.copy_(torch.tensor([0.0, 40.0, 40.0, 0.0, 100.0]))
    before = answers(model, given)
    keep = {"0": np.array([1, 1, 1, 1, 0], bool)}
    lost = answers(zeroed(model, keep), given)
    reconstruct_units(model, STRUCTURE, keep, given, ridge=0)

    assert (answers(model, given) - before).abs().max() < 1e-4 * before.abs().max()
    assert (lost - before).abs().max() > 0.1 * before.abs().max()
    assert not model[3].weight[:, 4].any()


def test_weights_that_copy_one_another_leave_without_a_trace():
    model, given = nn.Linear(4, 3), rows(shape=(4,))
    given.inputs[:, 3] = given.inputs[:, 0] - 2 * given.inputs[:, 1]
    before = answers(model, given)
    mask = torch.tensor([[1, 1, 1, 0], [0, 1, 1, 1], [1, 0, 1, 1]], dtype=torch.bool)
    reconstruct_weights(model, {"weight": mask}, given, ridge=0)

    torch.testing.assert_close(answers(model, given), before, rtol=0, atol=1e-5)
    assert not model.weight[~mask].any()


@pytest.mark.parametrize("ridge", [0.0, 0.01, 10.0])
def test_no_layer_is_worse_off_than_with_zeros_alone(ridge):
    """Of one layer that loses columns, so that what it reads is the same in both networks."""
    for seed in range(5):
        model, given = nn.Linear(N_IN, 4, bias=seed % 2 == 0), rows(shape=(N_IN,), seed=seed)
        given.inputs[:] += 1.0  # a mean for the bias to take care of
        before = answers(model, given)
        members = (Member("weight", 1, "in", np.arange(N_IN)),)
        structure = Structure((Group("in", "channels", N_IN, 1, members),), (), {}, (), {})
        zeros = copy.deepcopy(model)
        zeros.weight.data[:, 0] = 0
        reconstruct_units(model, structure, {"in": np.array([False, True, True])}, given, ridge)
        error, plain = ((answers(other, given) - before).square().sum() for other in (model, zeros))
        assert error < plain


def test_the_fit_is_the_least_squares_fit_with_its_bias():
    """Against numpy: the outputs regressed on the inputs that stay and a constant."""
    model, given = nn.Linear(4, 2), rows(shape=(4,))
    given.inputs[:, 1] += given.inputs[:, 2] + 3
    before = answers(model, given).numpy().astype(float)
    mask = torch.tensor([[1, 0, 1, 1], [0, 0, 1, 1]], dtype=torch.bool)
    reconstruct_weights(model, {"weight": mask}, given, ridge=0)
    for row in range(2):
        kept = mask[row].numpy()
        design = np.column_stack([given.inputs[:, kept], np.ones(len(given))]).astype(float)
        best = np.linalg.lstsq(design, before[:, row], rcond=None)[0]
        np.testing.assert_allclose(model.weight.detach().numpy()[row][kept], best[:-1], atol=1e-5)
        assert model.bias.tolist()[row] == pytest.approx(best[-1], abs=1e-5)


def test_a_bias_under_a_mask_of_its_own_stays_as_the_mask_leaves_it():
    model, given = nn.Linear(4, 2), rows(shape=(4,))
    given.inputs[:] += 2.0
    before = model.bias.detach().clone()
    masks = {"weight": torch.tensor([[1, 0, 1, 1], [0, 0, 1, 1]]).bool(), "bias": torch.tensor([True, False])}
    reconstruct_weights(model, masks, given)

    assert model.bias.tolist() == [before.tolist()[0], 0.0]


@pytest.mark.parametrize("bias", [True, False])
def test_the_whole_network_comes_closer_to_what_it_said(bias):
    model, given = network(bias=bias), rows(200)
    before = answers(model, given)
    plain = (answers(zeroed(model), given) - before).square().mean()
    reconstruct_units(model, STRUCTURE, KEEP, given)
    found = (answers(model, given) - before).square().mean()

    assert found < 0.5 * plain
    assert not model[3].weight[:, [1, 4]].any()
    assert not model[6].weight[:, 8:12].any()
    assert not model[8].weight[:, [1, 3]].any()


def test_weights_under_masks_bring_the_network_closer_too():
    model, given = network(), rows(200)
    before = answers(model, given)
    generator = torch.Generator().manual_seed(0)
    masks = {
        name: torch.rand(model.get_parameter(name).shape, generator=generator) > 0.5
        for name in ("3.weight", "6.weight")
    }
    zeros = copy.deepcopy(model)
    for name, mask in masks.items():
        zeros.get_parameter(name).data[~mask] = 0
    plain = (answers(zeros, given) - before).square().mean()
    reconstruct_weights(model, masks, given)

    assert (answers(model, given) - before).square().mean() < plain  # of noise little can be made up for
    assert all(not model.get_parameter(name)[~mask].any() for name, mask in masks.items())


def test_only_the_parameters_of_reading_layers_change_and_modes_come_back():
    model, given = network().train(), rows()
    state = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    reconstruct_units(model, STRUCTURE, {"0": KEEP["0"]}, given)
    changed = [name for name, tensor in model.state_dict().items() if not torch.equal(tensor, state[name])]

    assert changed == ["3.weight", "3.bias"]
    assert all(module.training for module in model.modules())
    assert all(parameter.grad is None and parameter.requires_grad for parameter in model.parameters())


def test_nothing_changes_where_everything_stays():
    model, given = network(), rows()
    state = copy.deepcopy(model.state_dict())
    reconstruct_units(model, STRUCTURE, {"0": np.ones(5, bool)}, given)
    reconstruct_weights(model, {"3.weight": torch.ones(4, 5, 3, 3, dtype=torch.bool)}, given)

    assert all(torch.equal(tensor, state[name]) for name, tensor in model.state_dict().items())


def test_equal_arguments_give_equal_weights_and_batches_differ_by_rounding():
    models = [network() for _ in range(3)]
    for model, given in zip(models, (rows(), rows(), rows(batch_size=3)), strict=True):
        reconstruct_units(model, STRUCTURE, KEEP, given)
    first, again, other = (model.state_dict() for model in models)

    assert all(torch.equal(first[name], again[name]) for name in first)
    for name in first:
        torch.testing.assert_close(other[name], first[name], rtol=1e-3, atol=1e-5)


def test_columns_that_take_turns_come_close_to_those_that_are_fitted_together(monkeypatch):
    given, mask = rows(60, shape=(12,)), torch.rand(5, 12, generator=torch.Generator().manual_seed(0)) > 0.4
    given.inputs[:, 6:] += 0.5 * given.inputs[:, :6]
    torch.manual_seed(0)
    together = nn.Linear(12, 5)
    turns, zeros = copy.deepcopy(together), copy.deepcopy(together)
    before = answers(together, given)
    zeros.weight.data[~mask] = 0
    reconstruct_weights(together, {"weight": mask}, given)
    monkeypatch.setattr("sentei.sparsity.reconstruction.AT_ONCE", 8)
    monkeypatch.setattr("sentei.sparsity.reconstruction.BLOCK", 5)
    reconstruct_weights(turns, {"weight": mask}, given)
    best, found, plain = ((answers(model, given) - before).square().sum() for model in (together, turns, zeros))

    assert not torch.equal(turns.weight, together.weight)
    assert best <= found * 1.001
    assert found - best < 0.05 * (plain - best)


def test_grouped_convolutions_stay_as_they_are_when_units_leave_and_are_fitted_under_masks():
    torch.manual_seed(0)
    model = nn.Conv2d(4, 4, 3, groups=2)
    given = rows(shape=(4, 5, 5))
    before = model.weight.detach().clone()
    members = (Member("weight", 1, "in", np.arange(2)),)
    structure = Structure((Group("in", "channels", 2, 1, members),), (), {}, (), {})
    reconstruct_units(model, structure, {"in": np.array([True, False])}, given)
    assert torch.equal(model.weight, before)

    mask = torch.ones(4, 2, 3, 3, dtype=torch.bool)
    mask[:, :, 1, 1] = False
    reconstruct_weights(model, {"weight": mask}, given)
    assert not model.weight[~mask].any()
    assert not torch.equal(model.weight[mask], before[mask])


def test_inputs_that_are_not_finite_are_refused():
    model, given = network(), rows()
    given.inputs[3, 0, 0, 0] = np.inf
    with pytest.raises(ModelError, match=r"'3\.weight' reads numbers that are not finite"):
        reconstruct_units(model, STRUCTURE, KEEP, given)


def test_a_negative_ridge_is_refused():
    with pytest.raises(ValueError, match="-1"):
        reconstruct_units(network(), STRUCTURE, KEEP, rows(), ridge=-1)
