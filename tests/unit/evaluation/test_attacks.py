"""Perturbed rows stay within their radius, repeat, and lead where the hand-computed gradient leads."""

from functools import cache

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from sentei.data import Examples, Preprocessing
from sentei.evaluation.attacks import Attack, perturbed
from sentei.models import Architecture, TrainSettings, build, logits, train

MEANS, STDS = (0.4, 0.1, 0.2, 0.3, 0.5, 0.6), (0.3, 2.0, 0.5, 1.0, 0.25, 0.75)
BYTES, FLOATS = Preprocessing(0.00392157, MEANS, STDS), Preprocessing(1.0, MEANS, STDS)
ATTACKS = [Attack("fgsm", 0.1), Attack("pgd", 0.1, steps=5), Attack("pgd", 0.1, steps=1, seed=3)]


def linear(seed=0, n_inputs=6, n_classes=3):
    torch.manual_seed(seed)
    return nn.Linear(n_inputs, n_classes).eval()


def rows(dtype, n=40, n_inputs=6, seed=1):
    rng = np.random.default_rng(seed)
    raw = rng.integers(0, 256, (n, n_inputs)).astype(np.uint8)
    raw[:3] = [[0], [255], [128]]
    return raw if dtype == "uint8" else (raw / 64 - 2).astype(np.float32)


def preprocessing(dtype):
    return BYTES if dtype == "uint8" else FLOATS


def row_losses(model, inputs, labels, scaling):
    found = torch.from_numpy(logits(model, inputs, scaling))
    return F.cross_entropy(found.double(), torch.from_numpy(labels), reduction="none").numpy()


LABELS = np.random.default_rng(2).integers(0, 3, 40)


@pytest.mark.parametrize("attack", ATTACKS, ids=str)
@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_no_value_moves_further_than_the_radius(dtype, attack):
    raw = rows(dtype)
    found = perturbed(linear(), preprocessing(dtype), raw, LABELS, attack)
    assert (found.shape, found.dtype) == (raw.shape, raw.dtype)
    moved = np.abs(found.astype(np.float64) - raw.astype(np.float64))
    if dtype == "uint8":
        assert moved.max() == 25  # a tenth of 255, rounded down
    else:
        # The ends of the interval are single-precision numbers, and so half a step off at most.
        assert moved.max() <= 0.1 + np.spacing(np.float32(np.abs(raw).max() + 0.1))
        assert moved.max() > 0.0999


@pytest.mark.parametrize("attack", [Attack("fgsm", 0.9), Attack("pgd", 0.9, steps=3), Attack("pgd", 2.0, steps=3)])
def test_bytes_stay_bytes(attack):
    raw = rows("uint8")
    found = perturbed(linear(), BYTES, raw, LABELS, attack)
    assert found.dtype == np.uint8
    moved = found.astype(int) - raw
    assert np.abs(moved).max() <= min(255, int(attack.radius * 255))
    # Nothing wraps around: a value only rises to 255, and only falls to 0.
    assert np.array_equal(np.clip(raw + moved, 0, 255), found)
    assert moved[0].min() >= 0 >= moved[1].max()


@pytest.mark.parametrize("attack", ATTACKS, ids=str)
@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_equal_arguments_give_equal_rows(dtype, attack):
    first, again = (perturbed(linear(), preprocessing(dtype), rows(dtype), LABELS, attack, 16) for _ in range(2))
    torch.rand(7)  # the global generator has no part in it
    assert first.tobytes() == again.tobytes()
    assert first.tobytes() == perturbed(linear(), preprocessing(dtype), rows(dtype), LABELS, attack, 16).tobytes()


def test_another_seed_starts_elsewhere():
    one, other = (
        perturbed(linear(), FLOATS, rows("float32"), LABELS, Attack("pgd", 0.1, steps=1, seed=seed)) for seed in (0, 1)
    )
    assert not np.array_equal(one, other)


@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_one_step_is_the_sign_of_the_gradient_by_hand(dtype):
    """Of a linear network the gradient in a row is W^T (softmax - label), times what the preprocessing scales by."""
    net, scaling, raw = linear(), preprocessing(dtype), rows(dtype)
    weight, bias = (parameter.detach().numpy().astype(np.float64) for parameter in (net.weight, net.bias))
    scaled = (raw.astype(np.float64) * scaling.scale - np.array(MEANS)) / np.array(STDS)
    raised = np.exp(scaled @ weight.T + bias)
    residual = raised / raised.sum(axis=1, keepdims=True) - np.eye(3)[LABELS]
    step = np.sign(residual @ weight) * (25 if dtype == "uint8" else 0.1)
    expected = np.clip(raw + step, 0, 255) if dtype == "uint8" else raw + step

    found = perturbed(net, scaling, raw, LABELS, Attack("fgsm", 0.1))
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("dtype", ["uint8", "float32"])
@pytest.mark.parametrize("seed", range(4))
def test_the_loss_of_a_linear_network_falls_on_no_row(dtype, seed):
    """Cross-entropy is convex in the row, so a step along the gradient's sign never lowers it."""
    net, raw, scaling = linear(seed), rows(dtype, seed=seed), preprocessing(dtype)
    attacked = perturbed(net, scaling, raw, LABELS, Attack("fgsm", 0.05))
    before, after = (row_losses(net, inputs, LABELS, scaling) for inputs in (raw, attacked))
    assert (after >= before - 1e-6).all()
    assert after.mean() > before.mean() + 0.01


@cache
def trained():
    """Two rings of points; a small network that tells them apart nearly always."""
    rng = np.random.default_rng(0)
    angle, label = rng.uniform(0, 2 * np.pi, 800), rng.integers(0, 2, 800)
    radius = np.where(label == 1, 1.5, 0.7) + rng.normal(0, 0.1, 800)
    points = np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1).astype(np.float32)
    examples = Examples(points, label, np.arange(800))
    scaling = Preprocessing.of(examples)
    net = build(Architecture(name="mlp", kwargs={"hidden": [32]}, input_shape=(2,), n_classes=2), seed=0)
    train(net, examples, scaling, TrainSettings(epochs=30, batch_size=32), seed=0)
    return net, scaling, points[:300], label[:300]


@pytest.mark.parametrize("attack", [Attack("fgsm", 0.2), Attack("pgd", 0.2, steps=10)], ids=str)
def test_a_trained_network_errs_more_on_perturbed_rows(attack):
    net, scaling, points, label = trained()
    found = perturbed(net, scaling, points, label, attack)
    before, after = (row_losses(net, inputs, label, scaling) for inputs in (points, found))
    assert np.mean(logits(net, points, scaling).argmax(axis=1) == label) > 0.97
    assert after.mean() > 2 * before.mean()
    assert np.mean(after >= before) > 0.97
    assert np.mean(logits(net, found, scaling).argmax(axis=1) == label) < 0.97


def test_an_attack_finds_worse_rows_than_chance():
    net, scaling, points, label = trained()
    noise = np.random.default_rng(5).uniform(-0.3, 0.3, points.shape).astype(np.float32)
    by_chance = row_losses(net, points + noise, label, scaling).mean()
    for attack in (Attack("fgsm", 0.3), Attack("pgd", 0.3, steps=20)):
        assert row_losses(net, perturbed(net, scaling, points, label, attack), label, scaling).mean() > 2 * by_chance


def test_the_network_itself_stays_as_it_is():
    net = nn.Sequential(nn.Linear(6, 8), nn.BatchNorm1d(8), nn.Dropout(0.5), nn.Linear(8, 3)).train()
    before = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    perturbed(net, FLOATS, rows("float32"), LABELS, ATTACKS[1])
    assert net.training
    assert net[1].training
    assert all(torch.equal(tensor, before[name]) for name, tensor in net.state_dict().items())
    assert all(parameter.grad is None for parameter in net.parameters())


class Undecided(nn.Module):
    """A network whose gradient is no number."""

    def forward(self, inputs):
        return (inputs[:, :3] - inputs[:, :3]).sqrt() * inputs[:, 3:]


def test_where_there_is_no_gradient_nothing_is_perturbed():
    raw = rows("uint8")
    assert np.array_equal(perturbed(Undecided(), BYTES, raw, LABELS, Attack("fgsm", 0.1)), raw)


@pytest.mark.parametrize(
    "arguments",
    [("cw", 0.1), ("fgsm", 0.0), ("pgd", -0.1), ("pgd", 0.1, 0), ("pgd", float("nan"))],
)
def test_what_is_no_attack_is_refused(arguments):
    with pytest.raises(ValueError, match="expected fgsm or pgd with a radius above 0"):
        Attack(*arguments)


def test_a_radius_below_one_step_of_a_byte_is_refused_because_it_would_perturb_nothing():
    with pytest.raises(ValueError, match=r"1/255 or more, because the rows are bytes, received 0\.003"):
        perturbed(linear(), BYTES, rows("uint8"), LABELS, Attack("fgsm", 0.003))
    assert not np.array_equal(perturbed(linear(), BYTES, rows("uint8"), LABELS, Attack("fgsm", 0.004)), rows("uint8"))
    assert not np.array_equal(
        perturbed(linear(), FLOATS, rows("float32"), LABELS, Attack("fgsm", 0.003)), rows("float32")
    )
