"""Each function that has a rule: bounds hold, and those of linear functions are the exact range."""

import copy

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from sentei.intervals import Box, bounds, difference
from tests.property.random_networks import Told
from tests.unit.intervals.samples import around, contains, disturbed, doubled, drawn

IMAGE, ROW = (4, 6, 6), (12,)
LINEAR = {
    "linear": (lambda: nn.Linear(12, 5), ROW),
    "linear without bias": (lambda: nn.Linear(12, 5, bias=False), ROW),
    "conv": (lambda: nn.Conv2d(4, 5, 3), IMAGE),
    "conv, padding": (lambda: nn.Conv2d(4, 5, 3, padding=2), IMAGE),
    "conv, same": (lambda: nn.Conv2d(4, 5, 3, padding="same"), IMAGE),
    "conv, stride": (lambda: nn.Conv2d(4, 5, (3, 2), stride=(2, 1), bias=False), IMAGE),
    "conv, dilation": (lambda: nn.Conv2d(4, 5, 2, dilation=2), IMAGE),
    "conv, groups": (lambda: nn.Conv2d(4, 6, 3, groups=2), IMAGE),
    "conv, depthwise": (lambda: nn.Conv2d(4, 4, 3, groups=4), IMAGE),
    "conv1d": (lambda: nn.Sequential(nn.Flatten(2), nn.Conv1d(4, 3, 3)), IMAGE),
    "transposed": (lambda: nn.ConvTranspose2d(4, 3, 2, 2), IMAGE),
    "batch norm": (lambda: nn.BatchNorm2d(4), IMAGE),
    "batch norm, not affine": (lambda: nn.BatchNorm2d(4, affine=False), IMAGE),
    "batch norm of rows": (lambda: nn.BatchNorm1d(12), ROW),
    "average pooling": (lambda: nn.AvgPool2d(3, 2, 1), IMAGE),
    "adaptive": (lambda: nn.AdaptiveAvgPool2d((2, 3)), IMAGE),
    "mean": (lambda: Told(lambda m, x: x.mean((2, 3))), IMAGE),
    "sum": (lambda: Told(lambda m, x: torch.sum(x, dim=1)), IMAGE),
    "division": (lambda: Told(lambda m, x: x / 3), ROW),
    "frame": (lambda: Told(lambda m, x: F.pad(x, (1, 1, 0, 2), value=2.0)), IMAGE),
    "moves": (lambda: Told(lambda m, x: x.permute(0, 2, 3, 1).reshape(x.size(0), -1).unsqueeze(1).squeeze(1)), IMAGE),
    "parts": (lambda: Told(lambda m, x: torch.cat(x.chunk(2, 1)[::-1], 1)[:, 1:].transpose(1, 2)), IMAGE),
    "in eval mode": (lambda: nn.Sequential(nn.Dropout(0.9), nn.Dropout2d(0.9), nn.Identity()), IMAGE),
}
OTHER = {
    "conv, reflected": (lambda: nn.Conv2d(4, 5, 3, padding=1, padding_mode="reflect"), IMAGE),
    "constants": (lambda: Told(lambda m, x: 3 - (2 * x + 1) * 0.5 + (x - 1)), ROW),
    "max pooling": (lambda: nn.MaxPool2d(3, 2, 1), IMAGE),
    "adaptive max pooling": (lambda: nn.AdaptiveMaxPool2d(2), IMAGE),
    "relu in place": (lambda: nn.Sequential(nn.Linear(12, 5), nn.ReLU(inplace=True)), ROW),
    "relu of a tensor": (lambda: Told(lambda m, x: x.relu()), ROW),
    "relu6": (lambda: Told(lambda m, x: F.relu6(3 * x)), ROW),
    "hardtanh": (nn.Hardtanh, ROW),
    "clamp": (lambda: Told(lambda m, x: x.clamp(max=0.3)), ROW),
    "clamp below": (lambda: Told(lambda m, x: torch.clamp(x, -0.1)), ROW),
    "leaky": (lambda: nn.LeakyReLU(0.2), ROW),
    "prelu": (nn.PReLU, ROW),
    "prelu by channel": (lambda: nn.PReLU(4), IMAGE),
    "elu": (nn.ELU, ROW),
    "elu that falls": (lambda: nn.ELU(-0.7), ROW),
    "softplus": (lambda: Told(lambda m, x: F.softplus(20 * x)), ROW),
    "softplus, soon straight": (lambda: nn.Softplus(beta=2.0, threshold=0.5), ROW),
    "sigmoid": (nn.Sigmoid, ROW),
    "tanh": (lambda: Told(lambda m, x: x.tanh()), ROW),
    "hardsigmoid": (lambda: Told(lambda m, x: F.hardsigmoid(4 * x)), ROW),
    "hardswish": (lambda: Told(lambda m, x: F.hardswish(4 * x)), ROW),
    "gelu": (nn.GELU, ROW),
    "silu": (nn.SiLU, ROW),
    "product": (lambda: Told(lambda m, x: x * m.a(x).sigmoid(), a=nn.Linear(12, 12)), ROW),
    "squeeze and excitation": (
        lambda: Told(lambda m, x: x * m.a(x.mean((2, 3))).sigmoid()[:, :, None, None], a=nn.Linear(4, 4)),
        IMAGE,
    ),
    "added in place": (lambda: Told(lambda m, x: F.relu(m.a(x).add_(x), inplace=True), a=nn.Linear(12, 12)), ROW),
}


def built(make, seed=0):
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        net = make().eval()
        for name, tensor in [*net.named_parameters(), *net.named_buffers()]:
            if tensor.is_floating_point():
                tensor.data = torch.rand(tensor.shape) + 0.5 if "var" in name else torch.randn(tensor.shape)
        return net


@pytest.mark.parametrize("kind", [*LINEAR, *OTHER])
def test_answers_of_both_networks_lie_within_the_bounds(kind):
    """Corners and points inside; the difference, too."""
    make, shape = (LINEAR | OTHER)[kind]
    generator = torch.Generator().manual_seed(3)
    net = built(make)
    other = disturbed(net, 0.2, generator)
    for name, buffer in other.named_buffers():
        if "running" in name:
            buffer.mul_(1.1)
    box = around(torch.randn(3, *shape, generator=generator), 0.4)

    found = difference(net, other, box)

    with torch.no_grad():
        for x in drawn(box, 40, generator):
            first, second = doubled(net)(x.clone()), doubled(other)(x.clone())
            assert contains(found.first, first)
            assert contains(found.second, second)
            assert contains(found.delta, second - first)


@pytest.mark.parametrize("kind", LINEAR)
def test_bounds_of_linear_functions_are_their_range(kind):
    """From the derivative: each output is least where every input stands at the end that its slope says."""
    make, shape = LINEAR[kind]
    net = built(make)
    box = around(torch.randn(1, *shape, generator=torch.Generator().manual_seed(5)), 0.4)
    function = doubled(net)
    middle = ((box.low + box.high) / 2).requires_grad_()
    slopes = torch.autograd.functional.jacobian(function, middle)

    found = bounds(net, box)

    answer = function(middle).detach()
    spread = (slopes.abs() * 0.4).flatten(answer.dim()).sum(-1)
    assert torch.allclose(found.low, answer - spread, atol=1e-6)
    assert torch.allclose(found.high, answer + spread, atol=1e-6)


def test_a_difference_of_weights_alone_is_exact_for_one_layer():
    """W'x - Wx is (W' - W)x: brute force over the corners of the box."""
    net, other = built(lambda: nn.Linear(5, 3)), built(lambda: nn.Linear(5, 3), seed=1)
    box = Box.of(-torch.ones(1, 5), 2 * torch.ones(1, 5))
    corners = 3 * torch.cartesian_prod(*[torch.tensor([0.0, 1.0])] * 5).double() - 1

    delta = difference(net, other, box).delta

    apart = (doubled(other)(corners) - doubled(net)(corners)).detach()
    assert torch.allclose(delta.low, apart.amin(0), atol=1e-9)
    assert torch.allclose(delta.high, apart.amax(0), atol=1e-9)


def test_the_difference_is_much_tighter_than_that_of_two_bounds():
    """Which is what it is for."""
    net = built(lambda: nn.Sequential(nn.Linear(12, 20), nn.ReLU(), nn.Linear(20, 3)))
    other = copy.deepcopy(net)
    with torch.no_grad():
        other[0].weight[0] += 0.01

    found = difference(net, other, around(torch.zeros(1, 12), 1.0))

    assert bool((found.delta.width < 0.02 * (found.second - found.first).width).all())
