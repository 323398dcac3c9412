"""Function by function: which channels can leave a network in which it stands, found by hand."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from tests.unit.structure.passages import Passage, makers

TIED = {"a+b": 8, "read": 4}
"""The channels of a and b leave together."""
APART = {"a": 8, "b": 8, "read": 4}
A = {"a": 8, "read": 4}
B = {"b": 8, "read": 4}
PAIRS = {"a": 4, "read": 4}
"""Channels k and k + 4 leave together."""
WHOLE = {"read": 4}
"""Nothing of a or b can leave."""


def in_place(m, a, b):
    a[:, :, 0] = 3.0
    return a


def in_place_of_a_channel(m, a, b):
    a[:, 0] = 3.0
    return a


def written_into_a_view(m, a, b):
    whole = torch.zeros(1, 8, 8, 8)
    torch.exp(a, out=whole[:, :])
    return m.wide(torch.cat([whole, a], 1))


def copied_into_a_part(m, a, b):
    whole = torch.zeros(1, 8, 8, 8)
    whole[:, :] = a
    return m.wide(torch.cat([whole, a], 1))


def added_in_place(m, a, b):
    a += b
    return a


def added_to_a_view(m, a, b):
    a.flatten(2).add_(b.flatten(2))
    return a


def listed(m, a, b):
    return a * torch.tensor(a[0, :, 0, 0].tolist()).reshape(1, 8, 1, 1)


def one_number(m, a, b):
    return a * float(a.mean())


def through_numpy(m, a, b):
    return torch.from_numpy(a.numpy() * 2)


FREE = {
    "nothing": (lambda m, a, b: a, A),
    "sum": (lambda m, a, b: a + b, TIED),
    "product": (lambda m, a, b: a * torch.sigmoid(b), TIED),
    "sum in place": (added_in_place, TIED),
    "sum in place through a view": (added_to_a_view, TIED),
    "where": (lambda m, a, b: torch.maximum(a, torch.minimum(a, b)), TIED),
    "clamp by another": (lambda m, a, b: a.clamp(max=b), TIED),
    "clamp by a number": (lambda m, a, b: a.clamp(0, 6), A),
    "scale of each channel": (lambda m, a, b: a * b.mean((2, 3), keepdim=True), TIED),
    "expanded scale": (lambda m, a, b: a * b.mean((2, 3), keepdim=True).expand_as(a), TIED),
    "mean over axis": (lambda m, a, b: a * b.mean(axis=(2, 3), keepdims=True), TIED),
    "spatial mask": (lambda m, a, b: a * m.mask(b), {"a": 8, "b": 8, "read": 4}),
    "zero frame": (lambda m, a, b: F.pad(a, (1, 1, 0, 1)), A),
    "reflected frame": (lambda m, a, b: F.pad(a, (1, 1, 1, 1), mode="reflect"), A),
    "crop": (lambda m, a, b: F.pad(a, (-1, -1, -1, -1)), A),
    "every other pixel": (lambda m, a, b: a[:, :, ::2, ::2], A),
    "roll over pixels": (lambda m, a, b: a.roll(1, 2), A),
    "flip of pixels": (lambda m, a, b: a.flip(3), A),
    "channels last and back": (lambda m, a, b: a.permute(0, 2, 3, 1).relu().permute(0, 3, 1, 2), A),
    "tokens and back": (lambda m, a, b: a.flatten(2).transpose(1, 2).transpose(1, 2).unflatten(2, (8, 8)), A),
    "parts of the image": (lambda m, a, b: torch.cat(a.chunk(2, 2)[::-1], 2), A),
    "twice as large": (lambda m, a, b: F.interpolate(a, scale_factor=2, mode="bilinear"), A),
    "pooling": (lambda m, a, b: F.max_pool2d(a, 2) + F.avg_pool2d(b, 2), TIED),
    "max over pixels": (lambda m, a, b: a.amax((2, 3), keepdim=True), A),
    "half gates half": (lambda m, a, b: m.wide(torch.mul(*a.chunk(2, 1))), {"a": 4, "wide": 8, "read": 4}),
    "split by sizes": (lambda m, a, b: m.wide(torch.mul(*a.split([4, 4], 1))), {"a": 4, "wide": 8, "read": 4}),
}  # fmt: skip


@pytest.mark.parametrize("name", FREE)
def test_channels_that_can_leave(name):
    function, expected = FREE[name]
    modules = {"mask": nn.Conv2d(8, 1, 1)} if "mask" in name else {}
    modules |= {"wide": nn.Conv2d(4, 8, 1)} if expected.get("wide") else {}

    assert makers(Passage(function, **modules)) == expected


JOINED = {
    "side by side": (lambda m, a, b: torch.cat([a, b], 1), 16, APART),
    "side by side, axis": (lambda m, a, b: torch.concatenate([a, b], axis=1), 16, APART),
    "one twice": (lambda m, a, b: torch.cat([a, a], 1), 16, A),
    "repeated": (lambda m, a, b: a.repeat(1, 2, 1, 1), 16, A),
    "each twice": (lambda m, a, b: a.repeat_interleave(2, 1), 16, A),
    "beside zeros": (lambda m, a, b: F.pad(a, (0, 0, 0, 0, 4, 4)), 16, A),
    "pixels become channels": (lambda m, a, b: F.pixel_unshuffle(a, 2), 32, A),
    "channels become pixels": (lambda m, a, b: F.pixel_shuffle(a, 2), 2, {"a": 2, "read": 4}),
    "flattened over one dimension": (lambda m, a, b: a.flatten(1, 2).unsqueeze(2), 64, A),
}


@pytest.mark.parametrize("name", JOINED)
def test_channels_that_can_leave_a_joined_tensor(name):
    function, n_made, expected = JOINED[name]

    assert makers(Passage(function, n_made)) == expected


MIXED = {
    "channel shuffle": lambda m, a, b: a.view(-1, 2, 4, 8, 8).transpose(1, 2).reshape(-1, 8, 8, 8),
    "channel_shuffle": lambda m, a, b: F.channel_shuffle(a, 4),
    "roll over channels": lambda m, a, b: a.roll(1, 1),
    "flip of channels": lambda m, a, b: a.flip(1),
    "softmax over channels": lambda m, a, b: a.softmax(1),
    "normalised over channels": lambda m, a, b: F.normalize(a, dim=1),
    "layer norm over channels": lambda m, a, b: F.layer_norm(a.movedim(1, -1), (8,)).movedim(-1, 1),
    "layer norm over all": lambda m, a, b: F.layer_norm(a, (8, 8, 8)),
    "group norm without weights": lambda m, a, b: F.group_norm(a, 4),
    "difference to the mean": lambda m, a, b: a - a.mean(1, keepdim=True),
    "mean of nothing is mean of all": lambda m, a, b: a - a.mean(dim=()),
    "matmul": lambda m, a, b: a @ b,
    "einsum": lambda m, a, b: torch.einsum("nchw,ndhw->nchw", a, b),
    "cumsum": lambda m, a, b: a.cumsum(1),
    "sort": lambda m, a, b: a.sort(1).values,
    "top channels": lambda m, a, b: a.topk(8, 1).values,
    "outer sum": lambda m, a, b: (a.mean((2, 3))[:, :, None] + b.mean((2, 3))[:, None, :]).expand(8, 8, 8)[None],
    "a channel is set": in_place_of_a_channel,
    "pixels are set": in_place,
    "fixed weights of channels": lambda m, a, b: a * torch.arange(8.0).reshape(8, 1, 1),
    "a list": listed,
    "one number": one_number,
    "numpy": through_numpy,
    "channels as pixels": lambda m, a, b: F.max_pool2d(a.transpose(1, 2), 3, 1, 1).transpose(1, 2),
    "stacked": lambda m, a, b: torch.stack([a, b]).mean(0),
    "an index": lambda m, a, b: a[:, torch.tensor([1, 0, 2, 3, 4, 5, 6, 7])],
    "mask spread by a number": lambda m, a, b: a * b[:, :1].repeat(1, 8, 1, 1),
    "embedding of signs": lambda m, a, b: a * F.one_hot((b > 0).long(), 8).float().movedim(4, 1)[:, :, 0],
}  # fmt: skip


@pytest.mark.parametrize("name", MIXED)
def test_functions_that_mix_channels_keep_them(name):
    assert makers(Passage(MIXED[name])) == WHOLE


SLICED = {
    "first channels": (lambda m, a, b: a[:, :4], 4),
    "last channels": (lambda m, a, b: a[:, -4:], 4),
    "narrow": (lambda m, a, b: a.narrow(1, 0, 4), 4),
    "one channel": (lambda m, a, b: a.select(1, 0).unsqueeze(1), 1),
    "unequal parts": (lambda m, a, b: a.split([3, 5], 1)[1], 5),
    "every other channel": (lambda m, a, b: a[:, ::2], 4),
    "left half of a joined tensor": (lambda m, a, b: torch.cat([a, b], 1)[:, :8], 8),
    "without the zeros": (lambda m, a, b: F.pad(a, (0, 0, 0, 0, 4, 0))[:, -8:], 8),
    "part of each flattened image": (lambda m, a, b: a.flatten(1)[:, 8:, None, None], 504),
    "a part of a sum with a fixed part": (lambda m, a, b: F.pad(a, (0, 0, 0, 0, 8, 0))[:, :8] + b, 8),
}


@pytest.mark.parametrize("name", SLICED)
def test_parts_taken_by_their_place_keep_channels(name):
    function, n_made = SLICED[name]

    assert makers(Passage(function, n_made)) == WHOLE


@pytest.mark.parametrize("function", [written_into_a_view, copied_into_a_part])
def test_what_is_written_into_another_tensor_stays(function):
    """The other tensor would keep its size."""
    assert makers(Passage(function, 6, wide=nn.Conv2d(16, 6, 1))) == {"wide": 6, "read": 4}


def test_positions_beside_zeros_stay():
    """Here b is added to a beside four zeros on each side: only the eight in the middle can leave, with those of a."""

    def function(m, a, b):
        return m.wide(b) + F.pad(a, (0, 0, 0, 0, 4, 4))

    network = Passage(function, 16, wide=nn.Conv2d(8, 16, 1))

    assert makers(network) == {"a+wide": 8, "b": 8, "read": 4}


def test_branches_of_a_concatenation_added_to_a_stream_are_one_group():
    def function(m, a, b):
        return torch.cat([a, b], 1) + m.wide(a)

    assert makers(Passage(function, 16, wide=nn.Conv2d(8, 16, 1))) == {"a+b+wide": 16, "read": 4}
