"""Small networks drawn at random from everything that stands between convolutions."""

from collections.abc import Callable

import torch
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F

SHAPE = (3, 8, 8)


class Told(nn.Module):
    """Modules and a function of them."""

    def __init__(self, function: Callable[..., torch.Tensor], **modules: nn.Module) -> None:
        super().__init__()
        for name, module in modules.items():
            self.add_module(name, module)
        self.function = function

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.function(self, x)


def conv(n_in: int, n_out: int, size: int = 1, **others: int) -> nn.Conv2d:
    return nn.Conv2d(n_in, n_out, size, padding=size // 2, **others)


def shortcut(n_channels: int) -> nn.Module:
    """He's option A: fewer pixels, and zeros beside the channels; the number of zeros is fixed."""
    zeros = (0, 0, 0, 0, n_channels // 2, n_channels // 2)
    wide = conv(n_channels, 2 * n_channels, 3, stride=2)
    return Told(lambda m, x: F.leaky_relu(m.a(x) + F.pad(x[:, :, ::2, ::2], zeros)), a=wide)


STAGES: dict[str, Callable[[int], tuple[nn.Module, int]]] = {
    "convolution": lambda c: (conv(c, 6, 3), 6),
    "without bias": lambda c: (conv(c, 4, 3, bias=False), 4),
    "depthwise": lambda c: (conv(c, c, 3, groups=c), c),
    "depthwise, two each": lambda c: (conv(c, 2 * c, 3, groups=c), 2 * c) if c <= 8 else (nn.Identity(), c),
    "grouped": lambda c: (conv(c, 8, 3, groups=2), 8),
    "transposed": lambda c: (nn.ConvTranspose2d(c, 6, 2, 2), 6),
    "batch norm": lambda c: (nn.BatchNorm2d(c), c),
    "instance norm": lambda c: (nn.InstanceNorm2d(c, affine=True), c),
    "group norm": lambda c: (nn.GroupNorm(c // 2, c), c),
    "layer norm over channels": lambda c: (
        Told(lambda m, x: m.norm(x.movedim(1, -1)).movedim(-1, 1), norm=nn.LayerNorm(c)),
        c,
    ),
    "prelu": lambda c: (nn.PReLU(c), c),
    "gelu": lambda c: (nn.GELU(), c),
    "sigmoid": lambda c: (nn.Sigmoid(), c),
    "residual": lambda c: (
        Told(
            lambda m, x: F.leaky_relu(x + m.b(F.leaky_relu(m.norm(m.a(x))))),
            a=conv(c, 4, 3),
            norm=nn.BatchNorm2d(4),
            b=conv(4, c),
        ),
        c,
    ),
    "concatenation": lambda c: (
        Told(lambda m, x: torch.cat([m.a(x), x, m.b(x)], 1), a=conv(c, 4), b=conv(c, 2, 3)),
        c + 6,
    ),
    "squeeze and excitation": lambda c: (
        Told(
            lambda m, x: x * torch.sigmoid(m.b(F.leaky_relu(m.a(x.mean((2, 3), keepdim=True))))),
            a=conv(c, 4),
            b=conv(4, c),
        ),
        c,
    ),
    "squeeze and excitation by linear layers": lambda c: (
        Told(
            lambda m, x: x * torch.sigmoid(m.b(F.leaky_relu(m.a(x.mean((2, 3))))))[:, :, None, None].expand_as(x),
            a=nn.Linear(c, 4),
            b=nn.Linear(4, c),
        ),
        c,
    ),
    "half gates half": lambda c: (Told(lambda m, x: torch.mul(*m.a(x).chunk(2, 1)), a=conv(c, 12)), 6),
    "pad shortcut": lambda c: (shortcut(c), 2 * c),
    "layer used twice": lambda c: (
        Told(lambda m, x: m.b(F.leaky_relu(m.b(F.leaky_relu(m.a(x))))), a=conv(c, 6), b=conv(6, 6, 3)),
        6,
    ),
    "channel shuffle": lambda c: (Told(lambda m, x: x.unflatten(1, (2, -1)).transpose(1, 2).flatten(1, 2)), c),
    "half of the channels": lambda c: (Told(lambda m, x: x[:, : c // 2] + x[:, c // 2 :]), c // 2),
    "difference to the mean": lambda c: (Told(lambda m, x: x - x.mean(1, keepdim=True)), c),
    "spatial mask": lambda c: (Told(lambda m, x: x * torch.sigmoid(m.a(x)), a=conv(c, 1, 3)), c),
    "scale": lambda c: (Scale(c), c),
    "interpolation": lambda c: (Told(lambda m, x: F.interpolate(x, size=(6, 6), mode="bilinear")), c),
    "pixel shuffle": lambda c: (Told(lambda m, x: F.pixel_shuffle(m.a(x), 2), a=conv(c, 16)), 4),
    "pixel unshuffle": lambda c: (
        Told(lambda m, x: m.a(F.pixel_unshuffle(F.interpolate(x, (4, 4)), 2)), a=conv(4 * c, 6)),
        6,
    ),
    "max pooling": lambda c: (nn.MaxPool2d(3, 1, 1), c),
    "frame": lambda c: (nn.ReflectionPad2d(1), c),
    "repeated": lambda c: (Told(lambda m, x: m.a(x.repeat(1, 2, 1, 1)), a=conv(2 * c, 4)), 4),
    "channels last": lambda c: (
        Told(
            lambda m, x: m.b(F.leaky_relu(m.a(x.permute(0, 2, 3, 1)))).permute(0, 3, 1, 2),
            a=nn.Linear(c, 10),
            b=nn.Linear(10, 6),
        ),
        6,
    ),
}
"""By name: from a number of channels, at least 2 and even, to a module and how many it makes."""

HEADS: dict[str, Callable[[int], nn.Module]] = {
    "mean": lambda c: nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(c, 5)),
    "flattened": lambda c: nn.Sequential(
        nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(4 * c, 7), nn.LeakyReLU(), nn.Linear(7, 5)
    ),
    "mean and deviation": lambda c: Told(
        lambda m, x: m.last(torch.cat([x.mean((2, 3)), (x * x).mean((2, 3)).sqrt()], 1)), last=nn.Linear(2 * c, 5)
    ),
    "pixels": lambda c: nn.Conv2d(c, 5, 1),
}


class Scale(nn.Module):
    """A parameter and a buffer for each channel."""

    def __init__(self, n_channels: int) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(n_channels, 1, 1))
        self.register_buffer("shift", torch.zeros(n_channels))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out: torch.Tensor = x * self.scale + self.shift.reshape(1, -1, 1, 1)
        return out


def network(stages: list[str], head: str, seed: int) -> nn.Module:
    """A first convolution, these stages and this head, with random weights."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        modules: list[nn.Module] = [conv(3, 8, 3)]
        n_channels = 8
        for name in stages:
            stage, n_channels = STAGES[name](n_channels)
            modules.append(stage)
            if n_channels > 24 or n_channels % 2:  # joined or halved too often
                modules.append(conv(n_channels, 8))
                n_channels = 8
        return nn.Sequential(*modules, HEADS[head](n_channels)).eval()


@st.composite
def networks(draw: st.DrawFn) -> nn.Module:
    """Of one to six stages."""
    names = st.lists(st.sampled_from(sorted(STAGES)), min_size=1, max_size=6)
    return network(draw(names), draw(st.sampled_from(sorted(HEADS))), draw(st.integers(0, 2**16)))
