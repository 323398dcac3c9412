"""Laws of merging, on linear networks drawn at random: as one layer they answer as before, borders included."""

import copy
from collections import OrderedDict

import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import nn

from sentei.depth import Merge, merge, mergeable
from sentei.evaluation.macs import count_macs, n_parameters
from sentei.surgery import History
from tests.unit.surgery.agreement import randomise

SIDES = (9, 8)
N_IN = 4


@st.composite
def convolutions(draw: st.DrawFn, n_in: int, n_out: int, stride: tuple[int, int] | None = None) -> nn.Conv2d:
    kernel = draw(st.tuples(st.sampled_from([1, 1, 2, 3]), st.sampled_from([1, 3])))
    dilation = draw(st.sampled_from([(1, 1), (1, 1), (2, 1)]))
    padding = tuple(draw(st.integers(0, min(2, dilation[axis] * (kernel[axis] - 1)))) for axis in (0, 1))
    return nn.Conv2d(
        n_in,
        n_out,
        kernel,
        stride or draw(st.sampled_from([(1, 1), (1, 1), (2, 1), (2, 2)])),
        padding,
        dilation,
        draw(st.sampled_from([groups for groups in (1, 2, 4) if n_in % groups == 0 and n_out % groups == 0])),
        draw(st.booleans()),
    )


@st.composite
def chains(draw: st.DrawFn) -> nn.Sequential:
    """Two or three convolutions, some with BatchNorm, identities where activations were."""
    layers: list[nn.Module] = []
    width = N_IN
    for _ in range(draw(st.integers(2, 3))):
        n_out = draw(st.sampled_from([2, 4, 6]))
        layers.append(draw(convolutions(width, n_out)))
        layers += [nn.BatchNorm2d(n_out)] * draw(st.integers(0, 1))
        layers += [nn.Identity()] * draw(st.integers(0, 1))
        width = n_out
    return nn.Sequential(*layers)


class Block(nn.Module):
    """A residual block that has lost its inner activations."""

    def __init__(self, body: nn.Module, shortcut: nn.Module, last: nn.Module) -> None:
        super().__init__()
        self.body, self.shortcut, self.last = body, shortcut, last

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.last(self.body(x) + self.shortcut(x))


@st.composite
def blocks(draw: st.DrawFn) -> nn.Module:
    """Odd kernels, padded to keep sizes; the shortcut is the input or a convolution with BatchNorm."""
    projected = draw(st.booleans())
    stride, n_out = (draw(st.sampled_from([1, 2])), draw(st.sampled_from([4, 8]))) if projected else (1, N_IN)
    layers: list[nn.Module] = []
    width = N_IN
    n_layers = draw(st.integers(1, 3))
    for index in range(n_layers):
        size, last = draw(st.sampled_from([1, 3])), index == n_layers - 1
        after = n_out if last else draw(st.sampled_from([4, 8]))
        groups = draw(st.sampled_from([1, 4]))
        bias = draw(st.booleans())
        layers.append(nn.Conv2d(width, after, size, stride if last else 1, size // 2, groups=groups, bias=bias))
        layers += [nn.BatchNorm2d(after)] * draw(st.integers(0, 1))
        width = after
    shortcut = nn.Sequential(nn.Conv2d(N_IN, n_out, 1, stride, bias=False), nn.BatchNorm2d(n_out))
    end = draw(st.sampled_from([nn.Identity(), nn.ReLU()]))
    return nn.Sequential(
        OrderedDict(block=Block(nn.Sequential(*layers), shortcut if projected else nn.Identity(), end))
    )


@torch.no_grad()
def check(model: nn.Module, chosen: Merge, tolerance: float = 1e-5) -> nn.Module:
    """The law: same answers, foretold costs, and the same network from a fresh one."""
    merged, fresh = copy.deepcopy(model), copy.deepcopy(model)
    rows = torch.randn(3, N_IN, *SIDES, generator=torch.Generator().manual_seed(1))
    expected = model(rows)

    step = merge(merged, [chosen])

    assert (merged(rows) - expected).abs().max() <= tolerance * expected.abs().max()
    saved = count_macs(model, (N_IN, *SIDES)).total - count_macs(merged, (N_IN, *SIDES)).total
    assert saved == chosen.macs_before - chosen.macs_after
    assert n_parameters(model) - n_parameters(merged) == chosen.parameters_before - chosen.parameters_after
    for weight in fresh.parameters():
        weight.normal_()
    history = History.from_json(History().then(step).to_json())
    history.apply(fresh).load_state_dict(merged.state_dict(), strict=True)
    assert torch.equal(fresh(rows), merged(rows))
    return merged


@settings(max_examples=100)
@given(chains(), st.integers(0, 2**16))
def test_a_chain_of_convolutions_is_one_convolution(model, seed):
    """Strides, paddings, dilations, kernels, groups, biases, BatchNorm: whatever is drawn."""
    torch.manual_seed(seed)
    randomise(model, seed).eval()
    try:
        model(torch.zeros(1, N_IN, *SIDES))
    except RuntimeError:  # a kernel is larger than what is left
        assume(False)

    candidates = mergeable(model, (N_IN, *SIDES)).candidates

    n_layers = sum(isinstance(module, nn.Conv2d) for module in model)
    whole = [one for one in candidates if len(one.region.branches[0]) == n_layers]
    assert len(whole) == 1
    check(model, whole[0])


@settings(max_examples=60)
@given(blocks(), st.integers(0, 2**16))
def test_a_residual_block_without_inner_activations_is_one_convolution(model, seed):
    randomise(model, seed).eval()

    candidates = [one for one in mergeable(model, (N_IN, *SIDES)).candidates if one.region.place == "block"]

    assert len(candidates) == 1
    merged = check(model, candidates[0])
    assert isinstance(model.block.last, nn.ReLU) == isinstance(merged.block, nn.Sequential)


@settings(max_examples=40)
@given(st.integers(1, 4), st.booleans(), st.booleans(), st.integers(0, 2**16))
def test_folded_batchnorm_is_exact(groups, bias, affine, seed):
    n_out = 2 * groups
    norm = nn.BatchNorm2d(n_out, affine=affine)
    model = nn.Sequential(nn.Conv2d(N_IN, n_out, 3, 1, 1, groups=1 if N_IN % groups else groups, bias=bias), norm)
    randomise(model, seed).eval()

    (only,) = mergeable(model, (N_IN, *SIDES)).candidates

    merged = check(model, only, tolerance=1e-6)
    assert isinstance(merged[1], nn.Identity)


@settings(max_examples=40)
@given(st.lists(st.tuples(st.integers(1, 6), st.booleans(), st.booleans()), min_size=2, max_size=4), st.booleans())
def test_linear_layers_are_one(widths, residual):
    layers: list[nn.Module] = []
    width = N_IN
    for n_out, bias, norm in widths:
        layers.append(nn.Linear(width, n_out, bias=bias))
        layers += [nn.BatchNorm1d(n_out)] * norm
        width = n_out
    layers.append(nn.Linear(width, N_IN))
    body = nn.Sequential(*layers)
    model = nn.Sequential(Block(body, nn.Identity(), nn.Identity()) if residual else body)
    randomise(model, 0).eval()
    rows = torch.randn(7, N_IN)
    expected = model(rows)

    chosen = max(mergeable(model, (N_IN,)).candidates, key=lambda one: (len(one.region.paths), one.region.place == "0"))
    merge(model, [chosen])

    assert (model(rows) - expected).abs().max() <= 1e-5 * expected.abs().max()
    assert sum(isinstance(module, nn.Linear) for module in model.modules()) == 1
