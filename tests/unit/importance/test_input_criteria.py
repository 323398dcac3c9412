"""Wanda and OBS on inputs small enough to do by hand, and against numpy."""

import numpy as np
import pytest
import torch
from torch import nn

from sentei.data.preprocessing import Preprocessing
from sentei.errors import ModelError
from sentei.importance import ScoringRows, obs_delete, score, score_units
from sentei.importance.hessian import DAMPING
from sentei.structure.groups import Group, Member, Structure

GENERATOR = np.random.default_rng(0)


def rows(inputs):
    n = inputs.shape[1]
    return ScoringRows(inputs, np.full(len(inputs), -1), Preprocessing(1.0, (0.0,) * n, (1.0,) * n), 4)


def reads(*members, n_units, name="group"):
    parts = tuple(Member(tensor, dim, "in", np.array(units)) for tensor, dim, units in members)
    return Structure((Group(name, "channels", n_units, 1, parts),), (), {}, (), {})


def linear(weight):
    layer = nn.Linear(weight.shape[1], weight.shape[0])
    layer.weight.data = torch.as_tensor(weight, dtype=torch.float32)
    return layer


def hessian(inputs):
    """2 E[x x^T] with its damping, of rows of numbers."""
    plain = 2 * inputs.T.astype(float) @ inputs / len(inputs)
    return plain + DAMPING * np.diag(plain).mean() * np.eye(len(plain))


def test_wanda_is_magnitude_times_the_norm_of_the_input():
    model = linear(np.array([[1.0, -2.0], [0.5, 3.0]]))
    given = rows(np.array([[3.0, 0.0], [4.0, 1.0]], np.float32))  # norms 5 and 1

    assert score(model, "wanda", ["weight"], 0, given)["weight"].tolist() == [[5.0, 2.0], [2.5, 3.0]]
    found = score_units(model, "wanda", reads(("weight", 1, [1, 0]), n_units=2), 0, given)
    assert found["group"].tolist() == [5.0, 7.5]


def test_wanda_of_a_convolution_looks_at_what_each_tap_meets():
    model = nn.Conv1d(1, 1, 2, padding=1)
    model.weight.data = torch.tensor([[[-1.0, 2.0]]])
    given = rows(np.array([[[3.0, 4.0, 12.0]]], np.float32))
    # Padded: 0 3 4 12 0. The first tap meets 0 3 4 12, the second 3 4 12 0: both have norm 13.
    assert score(model, "wanda", ["weight"], 0, given)["weight"].tolist() == [[[13.0, 26.0]]]
    model = nn.Conv1d(1, 1, 2, stride=2)
    model.weight.data = torch.tensor([[[-1.0, 2.0]]])
    assert score(model, "wanda", ["weight"], 0, given)["weight"].tolist() == [[[3.0, 8.0]]]  # one place: 3 4


def test_obs_is_what_deleting_a_weight_costs():
    inputs = GENERATOR.normal(size=(9, 4)).astype(np.float32) @ GENERATOR.normal(size=(4, 4)).astype(np.float32)
    weight = GENERATOR.normal(size=(3, 4)).astype(np.float32)
    found = score(linear(weight), "obs", ["weight"], 0, rows(inputs))["weight"].numpy()
    expected = np.square(weight) / (2 * np.diag(np.linalg.inv(hessian(inputs))))

    np.testing.assert_allclose(found, expected, rtol=1e-5)
    by_deletion = [
        [obs_delete(torch.from_numpy(row), torch.from_numpy(hessian(inputs)), q)[1] for q in range(4)] for row in weight
    ]
    np.testing.assert_allclose(found, by_deletion, rtol=1e-5)


def test_obs_of_units_is_what_the_best_reconstruction_leaves():
    """Minimised by brute force: the kept columns solve their own least squares."""
    inputs = GENERATOR.normal(size=(11, 5)).astype(np.float32) @ GENERATOR.normal(size=(5, 5)).astype(np.float32)
    weight = GENERATOR.normal(size=(3, 5)).astype(np.float32)
    units = [1, 0, 1, -1, 0]
    found = score_units(linear(weight), "obs", reads(("weight", 1, units), n_units=2), 0, rows(inputs))["group"]
    curvature = hessian(inputs)
    for unit in range(2):
        kept = np.flatnonzero(np.array(units) != unit)
        best = np.zeros_like(weight, dtype=float)
        best[:, kept] = np.linalg.solve(curvature[np.ix_(kept, kept)], curvature[kept] @ weight.T).T
        cost = np.trace((weight - best) @ curvature @ (weight - best).T) / 2
        assert float(found[unit]) == pytest.approx(cost, rel=1e-5)


def test_obs_of_units_sums_the_layers_that_read_them_and_takes_all_taps_of_a_channel():
    torch.manual_seed(0)

    class Branches(nn.Module):
        def __init__(self):
            super().__init__()
            self.wide, self.narrow = nn.Conv2d(2, 3, 3, padding=1), nn.Conv2d(2, 2, 1)

        def forward(self, x):
            return torch.cat([self.wide(x), self.narrow(x)], dim=1).mean(dim=(2, 3))

    model = Branches()
    given = rows(GENERATOR.normal(size=(3, 2, 4, 4)).astype(np.float32))
    one, other, both = (
        score_units(model, "obs", reads(*((f"{name}.weight", 1, [0, 1]) for name in names), n_units=2), 0, given)[
            "group"
        ]
        for names in (["wide"], ["narrow"], ["wide", "narrow"])
    )
    torch.testing.assert_close(one + other, both)

    patches = nn.functional.unfold(torch.from_numpy(given.inputs), 3, padding=1).transpose(1, 2).reshape(-1, 18).numpy()
    curvature, weight = hessian(patches), model.wide.weight.detach().reshape(3, 18).double().numpy()
    inverse = np.linalg.inv(curvature)[9:, 9:]
    cost = np.trace(weight[:, 9:] @ np.linalg.solve(inverse, weight[:, 9:].T)) / 2
    assert float(one[1]) == pytest.approx(cost, rel=1e-4)


def test_obs_of_a_grouped_convolution_that_loses_whole_groups_costs_all_that_it_says():
    torch.manual_seed(0)
    model = nn.Conv1d(4, 4, 1, groups=2)
    inputs = GENERATOR.normal(size=(8, 4, 1)).astype(np.float32)
    found = score_units(model, "obs", reads(("weight", 0, [0, 0, 1, 1]), n_units=2), 0, rows(inputs))["group"]
    for unit in range(2):
        curvature = hessian(inputs[:, 2 * unit : 2 * unit + 2, 0])
        weight = model.weight.detach()[2 * unit : 2 * unit + 2, :, 0].double().numpy()
        assert float(found[unit]) == pytest.approx(np.trace(weight @ curvature @ weight.T) / 2, rel=1e-5)


def test_blocks_are_obs_where_one_block_holds_all_and_never_less(monkeypatch):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(3, 4, 2, groups=1), nn.Flatten(), nn.Linear(16, 3))
    given = rows(GENERATOR.normal(size=(6, 3, 3, 3)).astype(np.float32))
    names = ["0.weight", "2.weight"]
    whole, blocks = (score(model, criterion, names, 0, given) for criterion in ("obs", "obs-blocks"))
    monkeypatch.setattr("sentei.importance.obs_blocks.BLOCK", 5)
    small = score(model, "obs-blocks", names, 0, given)
    for name in names:
        torch.testing.assert_close(whole[name], blocks[name], rtol=1e-5, atol=0)

    # A block is damped by its own mean diagonal, so the law is exact only up to the damping.
    assert (small["2.weight"] >= 0.97 * whole["2.weight"]).all()
    assert (small["2.weight"] > 1.5 * whole["2.weight"]).any()


def test_a_layer_that_is_too_large_for_obs_is_sent_elsewhere(monkeypatch):
    monkeypatch.setattr("sentei.importance.hessian.MOST_COLUMNS", 3)
    with pytest.raises(ModelError, match=r"at most 3 inputs.*'weight' with 4; .*obs-blocks"):
        score(nn.Linear(4, 2), "obs", ["weight"], 0, rows(np.ones((2, 4), np.float32)))


def test_layers_are_summed_in_several_passes_where_memory_asks_for_it(monkeypatch):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 5), nn.ReLU(), nn.Linear(5, 3), nn.ReLU(), nn.Linear(3, 2))
    given, names = rows(GENERATOR.normal(size=(6, 4)).astype(np.float32)), ["0.weight", "2.weight", "4.weight"]
    at_once = score(model, "obs", names, 0, given)
    monkeypatch.setattr("sentei.importance.moments.MOST_BYTES", 8 * 30)
    again = score(model, "obs", names[::-1], 0, given)

    assert list(again) == names[::-1]
    assert all(torch.equal(at_once[name], again[name]) for name in names)


def test_inputs_that_are_always_zero_cost_nothing():
    found = score(linear(np.ones((2, 3))), "obs", ["weight"], 0, rows(np.zeros((2, 3), np.float32)))["weight"]
    assert found.isfinite().all()
    assert float(found.max()) < 1e-12


@pytest.mark.parametrize("criterion", ["wanda", "obs"])
def test_a_group_that_nothing_reads_is_named(criterion):
    structure = Structure(
        (Group("lonely", "channels", 2, 1, (Member("weight", 0, "out", np.arange(2)),)),), (), {}, (), {}
    )
    with pytest.raises(ModelError, match=rf"{criterion}: .*'lonely'"):
        score_units(nn.Linear(2, 2), criterion, structure, 0, rows(np.ones((2, 2), np.float32)))


def test_transposed_convolutions_are_read_through_their_rows():
    torch.manual_seed(0)
    model = nn.ConvTranspose1d(2, 3, 2, stride=2)
    given = rows(GENERATOR.normal(size=(4, 2, 3)).astype(np.float32))
    found = score_units(model, "obs", reads(("weight", 0, [0, 1]), n_units=2), 0, given)["group"]
    # The windows do not overlap: each tap is a linear layer on the channels, at half of the six places.
    flat = given.inputs.transpose(0, 2, 1).reshape(-1, 2)
    curvature = 2 * flat.T.astype(float) @ flat / len(flat) / 2
    curvature += DAMPING * np.diag(curvature).mean() * np.eye(2)
    weight = model.weight.detach().double().numpy()  # (channels, outputs, taps)
    expected = [np.square(weight[unit]).sum() / np.linalg.inv(curvature)[unit, unit] / 2 for unit in range(2)]

    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-5)


@pytest.mark.parametrize(
    ("weights", "matrix", "q"),
    [(torch.ones(2), torch.eye(3), 0), (torch.ones(2), torch.eye(2), 2), (torch.ones(2), torch.ones(2, 2), 0)],
)
def test_a_deletion_that_makes_no_sense_is_refused(weights, matrix, q):
    with pytest.raises(ValueError, match="expected"):
        obs_delete(weights, matrix, q)
