"""Laws of what joins the loss: slopes are those of the formulas, zeros have none, and scale acts as it must."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from sentei.models import TrainSettings
from sentei.models.penalties import Penalty

weights = st.floats(-8, 8, width=32).map(lambda value: value if abs(value) > 1e-3 else 0.0)
matrices = st.tuples(st.integers(1, 4), st.integers(1, 5)).flatmap(
    lambda shape: st.lists(weights, min_size=shape[0] * shape[1], max_size=shape[0] * shape[1]).map(
        lambda values: np.array(values, dtype=np.float32).reshape(shape)
    )
)
strengths = st.floats(0.001, 10)


def slope(layer: nn.Module, values: np.ndarray, penalty: str, strength: float) -> tuple[float, np.ndarray]:
    """The penalty of a layer with these weights, and its gradient in float64."""
    with torch.no_grad():
        layer.weight.copy_(torch.from_numpy(values).reshape(layer.weight.shape))
    told = Penalty(layer, TrainSettings(epochs=1, penalty=penalty, penalty_strength=strength))()
    told.backward()
    return float(told.detach()), layer.weight.grad.double().numpy().reshape(values.shape)


@given(values=matrices, strength=strengths, by_columns=st.booleans())
def test_the_slope_of_a_filter_is_its_direction(values, strength, by_columns):
    """d/dw of sqrt(n) ||f|| is sqrt(n) w / ||f||, and nothing at a filter of zeros; in float64 by numpy."""
    filters = values.astype(np.float64)
    n_filters, size = values.shape
    layer = nn.ConvTranspose1d(size, n_filters, 1) if by_columns else nn.Linear(size, n_filters)
    told, gradient = slope(layer, values.T.copy() if by_columns else values, "group-lasso", strength)
    gradient = gradient.T if by_columns else gradient
    norms = np.sqrt((filters**2).sum(axis=1, keepdims=True))
    directions = np.divide(filters, norms, out=np.zeros_like(filters), where=norms > 0)

    assert told == pytest.approx(strength * np.sqrt(size) * norms.sum(), rel=1e-5, abs=1e-6)
    assert gradient == pytest.approx(strength * np.sqrt(size) * directions, rel=1e-5, abs=1e-6)


@given(values=matrices, strength=strengths)
def test_the_slope_of_biased_decay_is_the_derivative_of_its_fraction(values, strength):
    w = values.astype(np.float64)
    told, gradient = slope(nn.Linear(*values.shape[::-1]), values, "biased-decay", strength)

    assert told == pytest.approx(strength * (w**2 / (1 + w**2)).sum(), rel=1e-5, abs=1e-7)
    assert gradient == pytest.approx(strength * 2 * w / (1 + w**2) ** 2, rel=1e-5, abs=1e-7)
    assert (np.abs(gradient) <= strength * 9 / (8 * np.sqrt(3)) * (1 + 1e-5)).all()  # steepest at 1 / sqrt(3)


@given(scales=st.lists(weights, min_size=1, max_size=6), strength=strengths)
def test_the_slope_of_a_scale_is_its_sign(scales, strength):
    values = np.array(scales, dtype=np.float32)
    told, gradient = slope(nn.BatchNorm1d(len(scales)), values, "bn-l1", strength)

    assert told == pytest.approx(strength * np.abs(values.astype(np.float64)).sum(), rel=1e-5)
    assert gradient == pytest.approx(strength * np.sign(values), rel=1e-6)


@given(values=matrices, factor=st.floats(0.1, 10))
def test_a_filter_and_its_double_differ_by_their_scale_alone(values, factor):
    """Group lasso is homogeneous: the penalty grows with the weights, its slope does not."""
    layer = nn.Linear(*values.shape[::-1])
    told, gradient = slope(layer, values, "group-lasso", 1.0)
    layer.weight.grad = None
    scaled, again = slope(layer, (values * np.float32(factor)), "group-lasso", 1.0)

    assert scaled == pytest.approx(told * factor, rel=1e-4, abs=1e-6)
    assert again == pytest.approx(gradient, rel=1e-4, abs=1e-6)


@given(values=matrices, mask=st.randoms(use_true_random=False))
def test_zeros_have_no_slope(values, mask):
    dropped = np.array([mask.random() < 0.5 for _ in range(values.size)]).reshape(values.shape)
    values = np.where(dropped, np.float32(0), values)
    for penalty in ("group-lasso", "biased-decay"):
        _, gradient = slope(nn.Linear(*values.shape[::-1]), values, penalty, 1.0)
        assert not gradient[dropped].any()
        assert np.isfinite(gradient).all()
