"""Entry-wise functions: values and slopes on intervals, against torch on fine grids."""

import math

import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st
from torch.nn import functional as F

from sentei.intervals import Box, activations
from sentei.intervals.difference import Difference

KINDS = {
    "relu": (activations.clamp(0, math.inf), F.relu),
    "relu6": (activations.clamp(0, 6), F.relu6),
    "clamp": (activations.clamp(-1, 2), lambda x: x.clamp(-1, 2)),
    "leaky": (activations.leaky(0.1), lambda x: F.leaky_relu(x, 0.1)),
    "leaky, falling": (activations.leaky(-0.5), lambda x: F.leaky_relu(x, -0.5)),
    "elu": (activations.elu(0.7), lambda x: F.elu(x, 0.7)),
    "elu, falling": (activations.elu(-1.5), lambda x: F.elu(x, -1.5)),
    "sigmoid": (activations.sigmoid(), torch.sigmoid),
    "tanh": (activations.tanh(), torch.tanh),
    "softplus": (activations.softplus(), F.softplus),
    "softplus, steep": (activations.softplus(3.0, 1e9), lambda x: F.softplus(x, 3.0, 1e9)),
    "hardsigmoid": (activations.hardsigmoid(), F.hardsigmoid),
    "hardswish": (activations.hardswish(), F.hardswish),
    "gelu": (activations.gelu(), F.gelu),
    "silu": (activations.silu(), F.silu),
    "fraction": (activations.fraction(-3.0), lambda x: x / -3.0),
}
JUMPS = {
    f"softplus, {beta:g} x straight above {threshold:g}": (
        activations.softplus(beta, threshold),
        lambda x, beta=beta, threshold=threshold: F.softplus(x, beta, threshold),
    )
    for beta, threshold in ((1.0, 0.5), (2.0, 3.0), (0.5, -1.0))
}
kinds = pytest.mark.parametrize("kind", KINDS)
intervals = st.tuples(st.floats(-8, 8), st.floats(0, 6)).map(lambda ends: (ends[0], ends[0] + ends[1]))


def grid(low: float, high: float, n: int = 2001) -> torch.Tensor:
    points = torch.linspace(low, high, n, dtype=torch.float64)
    return points.clamp(low, high)


def ends(low: float, high: float) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.tensor([low], dtype=torch.float64), torch.tensor([high], dtype=torch.float64)


@pytest.mark.parametrize("kind", [*KINDS, *JUMPS])
@given(interval=intervals)
def test_values_are_those_that_the_function_takes(kind, interval):
    """No point of a grid lies outside, and the bounds are those of the grid up to its spacing."""
    activation, function = (KINDS | JUMPS)[kind]
    assume(all(abs(end - place) > 1e-9 for place, *_ in activation.jumps for end in interval))
    found = function(grid(*interval))

    low, high = activation.values(*ends(*interval))

    spacing = (interval[1] - interval[0]) / 2000
    assert low.item() <= found.min().item() <= low.item() + 2 * spacing + 1e-12
    assert high.item() - 2 * spacing - 1e-12 <= found.max().item() <= high.item()


@kinds
@given(interval=st.tuples(st.integers(-32, 32), st.integers(1, 24)).map(lambda at: (at[0] / 4, (at[0] + at[1]) / 4)))
def test_slopes_are_those_between_any_two_points(kind, interval):
    """No secant of a grid is steeper, and the steepest one between neighbours is the bound up to the spacing."""
    activation, function = KINDS[kind]
    low, high = interval
    points = grid(low, high)
    values = function(points)
    steps = (values[1:] - values[:-1]) / (points[1:] - points[:-1])
    far = (values[1:] - values[0]) / (points[1:] - points[0])

    least, most = activation.slopes(*ends(low, high))

    noise = 1e-10  # the rounding of differences, divided by the spacing
    assert least.item() - noise <= min(steps.min().item(), far.min().item())
    assert most.item() + noise >= max(steps.max().item(), far.max().item())
    assert steps.min().item() <= least.item() + 0.02
    assert steps.max().item() >= most.item() - 0.02


@pytest.mark.parametrize("kind", JUMPS)
@given(st.integers(-32, 32), st.integers(0, 16), st.integers(-16, 16), st.integers(0, 8))
def test_a_difference_holds_what_a_jump_puts_between_two_points(kind, low, width, delta_low, delta_width):
    """All pairs of quarters, and those just beside the jump; the difference of a point from itself is none."""
    activation, function = JUMPS[kind]
    xs = torch.cat([torch.arange(low, low + width + 1) / 4, torch.tensor([low / 4 + 1e-9, (low + width) / 4 - 1e-9])])
    xs = xs.double().clamp(low / 4, (low + width) / 4)[:, None]
    ds = torch.arange(delta_low, delta_low + delta_width + 1).double() / 4
    found = function(xs + ds) - function(xs)
    first, delta = Box.of([[low / 4]], [[(low + width) / 4]]), Box.of([[ds[0].item()]], [[ds[-1].item()]])

    made = Difference(first, first + delta, delta).through(activation).delta

    assert made.low.item() - 1e-12 <= found.min().item()
    assert made.high.item() + 1e-12 >= found.max().item()
    same = Difference(first, first, Box(first.low * 0, first.low * 0)).through(activation).delta
    assert same.magnitude.item() <= 1e-200


def test_the_steepest_slopes_of_gelu_and_silu():
    """Maxima of automatic derivatives on a fine grid: both exceed 1."""
    for activation, function, known in (
        (activations.gelu(), F.gelu, 1.128904),
        (activations.silu(), F.silu, 1.099839),
    ):
        points = grid(-10, 10, 200_001).requires_grad_()
        (slopes,) = torch.autograd.grad(function(points).sum(), points)

        least, most = activation.slopes(*ends(-10, 10))

        assert most.item() == pytest.approx(slopes.max().item(), abs=1e-8)
        assert least.item() == pytest.approx(slopes.min().item(), abs=1e-8)
        assert most.item() == pytest.approx(known, abs=1e-6)


whole = st.integers(-6, 6)


@given(whole, st.integers(0, 5), whole, st.integers(0, 5))
def test_the_difference_of_relus_by_brute_force(low, width, delta_low, delta_width):
    """All integers: the extremes of relu(x + d) - relu(x) lie at integers, and the bounds hold them."""
    xs, ds = range(low, low + width + 1), range(delta_low, delta_low + delta_width + 1)
    found = [max(x + d, 0) - max(x, 0) for x in xs for d in ds]
    first = Box.of([[float(xs[0])]], [[float(xs[-1])]])
    delta = Box.of([[float(ds[0])]], [[float(ds[-1])]])

    made = Difference.met(first, first + delta, delta).through(activations.clamp(0, math.inf)).delta

    assert made.low.item() <= min(found)
    assert made.high.item() >= max(found)
    if xs[0] + ds[0] > 0 and xs[0] > 0:
        assert (made.low.item(), made.high.item()) == pytest.approx((ds[0], ds[-1]), abs=1e-12)
    if xs[-1] + ds[-1] < 0 and xs[-1] < 0:
        assert (made.low.item(), made.high.item()) == pytest.approx((0, 0), abs=1e-12)
