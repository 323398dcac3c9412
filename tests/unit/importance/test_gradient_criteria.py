"""Taylor and OBD against derivatives written by hand."""

import numpy as np
import pytest
import torch
from torch import nn

from sentei.data.preprocessing import Preprocessing
from sentei.errors import ModelError
from sentei.importance import ScoringRows, score, score_units
from sentei.importance.gradients import curvatures, mean_gradients
from sentei.structure.groups import Group, Member, Structure

PLAIN = Preprocessing(1.0, (0.0, 0.0), (1.0, 1.0))
INPUTS = np.array([[1.0, 2.0], [-1.0, 0.5], [3.0, -2.0], [0.25, 4.0], [0.0, -1.0]], np.float32)
LABELS = np.array([0, 2, 1, 1, 0])


def linear(n_classes=3):
    torch.manual_seed(0)
    return nn.Linear(2, n_classes)


def softmax(model):
    logits = INPUTS.astype(float) @ model.weight.detach().double().numpy().T + model.bias.detach().double().numpy()
    exponents = np.exp(logits - logits.max(axis=1, keepdims=True))
    return exponents / exponents.sum(axis=1, keepdims=True)


def by_hand(model, labels):
    """The gradient of the mean cross-entropy of a linear model by its weight: mean of (p - y) x^T."""
    return (softmax(model) - np.eye(model.out_features)[labels]).T @ INPUTS / len(INPUTS)


@pytest.mark.parametrize("batch_size", [1, 2, 5])
def test_taylor_is_the_squared_product_of_weight_and_gradient(batch_size):
    model = linear()
    found = score(model, "taylor", ["weight"], 0, ScoringRows(INPUTS, LABELS, PLAIN, batch_size))["weight"]
    expected = np.square(by_hand(model, LABELS) * model.weight.detach().numpy())

    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-5)


def test_taylor_takes_the_most_probable_class_where_there_is_no_label():
    model = linear()
    labels = np.where(np.arange(5) < 2, LABELS, -1)
    found = score(model, "taylor", ["weight"], 0, ScoringRows(INPUTS, labels, PLAIN))["weight"]
    own = np.where(labels >= 0, labels, softmax(model).argmax(axis=1))

    np.testing.assert_allclose(found.numpy(), np.square(by_hand(model, own) * model.weight.detach().numpy()), rtol=1e-5)


def test_taylor_of_units_squares_the_sum_over_all_that_leaves():
    torch.manual_seed(1)
    model = nn.Sequential(nn.Linear(2, 4), nn.ReLU(), nn.Linear(4, 3))
    units = np.array([0, 1, 1, 0])
    members = (
        Member("0.weight", 0, "out", units),
        Member("0.bias", 0, "out", units),
        Member("2.weight", 1, "in", units),
    )
    structure = Structure((Group("0", "channels", 2, 1, members),), (), {}, (), {})
    found = score_units(model, "taylor", structure, 0, ScoringRows(INPUTS, LABELS, PLAIN))["0"]
    nn.functional.cross_entropy(model(torch.from_numpy(INPUTS)), torch.from_numpy(LABELS)).backward()
    first, bias, last = model[0].weight, model[0].bias, model[2].weight
    parts = (first * first.grad).sum(1) + bias * bias.grad + (last * last.grad).sum(0)
    expected = torch.stack([parts[[0, 3]].sum(), parts[[1, 2]].sum()]).detach().square()

    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-9)


def test_pixels_that_do_not_count_have_no_gradient_and_the_others_count_alike():
    torch.manual_seed(2)
    model = nn.Conv2d(1, 3, 1)
    inputs = np.random.default_rng(0).normal(size=(3, 1, 2, 2)).astype(np.float32)
    masks = np.array([[[0, 1], [2, 255]], [[255, 255], [255, 1]], [[0, 0], [1, 1]]], np.uint8)
    one = Preprocessing(1.0, (0.0,), (1.0,))
    x = torch.from_numpy(inputs)
    loss = nn.functional.cross_entropy(model(x), torch.from_numpy(masks).long(), ignore_index=255)
    loss.backward()
    for batch_size in (1, 2, 3):
        found = mean_gradients(model, ["weight"], ScoringRows(inputs, masks, one, batch_size), 0)["weight"]
        torch.testing.assert_close(found.float(), model.weight.grad, rtol=1e-5, atol=1e-7)


def test_obd_is_half_the_curvature_times_the_square():
    """For a linear model the Gauss-Newton matrix is the Hessian: of weight (c, j) it is E[p_c (1 - p_c) x_j^2]."""
    model = linear()
    p = softmax(model)
    found = score(model, "obd", ["weight", "bias"], 0, ScoringRows(INPUTS, LABELS, PLAIN, 2))
    expected = (p * (1 - p)).T @ np.square(INPUTS) / 5 * np.square(model.weight.detach().numpy()) / 2

    np.testing.assert_allclose(found["weight"].numpy(), expected, rtol=1e-5)
    np.testing.assert_allclose(
        found["bias"].numpy(), (p * (1 - p)).mean(0) * np.square(model.bias.detach().numpy()) / 2, rtol=1e-5
    )


def test_random_signs_find_the_curvature_of_many_classes_on_average():
    """Of 2000 equal rows with 17 classes the mean is near the truth.

    The relative standard error of an entry was at most 0.021 in six other seeds, so that 0.15 is seven of them: it
    cries wolf in one of a billion seeds or so. A factor without its second term is p, not p (1 - p): wrong by more than
    0.15 where a class has that probability, as one of these has.
    """
    model = linear(17)
    inputs = np.tile(INPUTS[:1], (2000, 1))
    found = curvatures(model, ["weight"], ScoringRows(inputs, np.full(2000, -1), PLAIN), 0)["weight"].numpy()
    logits = model(torch.from_numpy(INPUTS[:1])).double().softmax(dim=1)[0].detach().numpy()
    expected = (logits * (1 - logits))[:, None] * np.square(INPUTS[:1])

    assert logits.max() > 0.15
    np.testing.assert_allclose(found, expected, rtol=0.15)


def test_curvature_of_masks_counts_only_pixels_that_count():
    torch.manual_seed(3)
    model = nn.Conv2d(1, 2, 1, bias=False)
    inputs = np.random.default_rng(0).normal(size=(2, 1, 1, 2)).astype(np.float32)
    one = Preprocessing(1.0, (0.0,), (1.0,))
    masks = np.array([[[0, 255]], [[255, 255]]], np.uint8)
    found = curvatures(model, ["weight"], ScoringRows(inputs, masks, one), 0)["weight"].flatten().numpy()
    moved = inputs.copy()
    moved[0, 0, 0, 1], moved[1] = 9.0, -9.0
    again = curvatures(model, ["weight"], ScoringRows(moved, masks, one), 0)["weight"].flatten().numpy()
    p = torch.from_numpy(inputs[0, 0, 0, 0] * model.weight.detach().flatten().numpy()).double().softmax(0).numpy()
    # With two classes and signs s, t the square is p q (1 - 2 s t sqrt(p q)) x^2.
    root = 2 * np.sqrt(p[0] * p[1])
    either = p[0] * p[1] * inputs[0, 0, 0, 0] ** 2 * np.array([1 - root, 1 + root])

    np.testing.assert_array_equal(found, again)
    assert min(abs(found[0] / either - 1)) < 1e-4


def test_a_loss_that_is_not_finite_is_refused():
    model = linear()
    rows = ScoringRows(np.array([[np.inf, 0.0]], np.float32), np.array([0]), PLAIN)
    for criterion in ("taylor", "obd"):
        with pytest.raises(ModelError, match="not finite"):
            score(model, criterion, ["weight"], 0, rows)
