"""Chains of linear layers -> the one layer that does what their sum does, and what it costs."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import reduce
from math import prod
from typing import Literal

import torch
from torch import nn

from sentei.depth.merged_layers import BorderedConv2d, EdgedConv2d, axis_of, plain_convolution
from sentei.depth.stages import Stage, composed, identity_stage, summed
from sentei.depth.windows import Reach, interior, reaches, sizes

Branches = Sequence[Sequence[Stage]]
Form = Literal["plain", "edged", "bordered"]
"""One layer of torch; one with a bias that knows the border; one kernel and the chains for the border."""


@dataclass(frozen=True)
class Fused:
    """What a sum of chains is as one layer.

    Attributes:
        form: How its borders are exact.
        stage: The one convolution.
        edge: Of the form ``edged``: the kernel that the inner biases pass.
        branches: The chains.
    """

    form: Form
    stage: Stage
    edge: torch.Tensor | None
    branches: Branches

    @property
    def n_parameters(self) -> int:
        """Of the layer."""
        kept = sum(stage.n_parameters for branch in self.branches for stage in branch)
        extra = 0 if self.edge is None else self.edge.numel()
        return self.stage.n_parameters + extra + (kept if self.form == "bordered" else 0)

    def macs(self, taken: Sequence[int], given: Sequence[int]) -> int:
        """Multiply-accumulates of one row.

        Args:
            taken: Shape of the input, without the batch.
            given: Shape of the output.
        """
        if len(taken) != 3 or self.form == "plain":
            positions = prod(given) // self.stage.weight.shape[0]
            return self.stage.weight.numel() * positions
        if self.edge is not None:
            return (self.stage.weight.numel() + self.edge.numel()) * prod(given[1:])
        return self._bordered_macs(taken[1:], given[1:])

    def _bordered_macs(self, taken: Sequence[int], given: Sequence[int]) -> int:
        rows, columns = (self._inner(taken[axis], given[axis], axis) for axis in (0, 1))
        inner = (rows[1] - rows[0]) * (columns[1] - columns[0])
        if not inner:
            return self._chain_macs(taken, ((0, given[0]), (0, given[1])))
        windows = [
            ((0, rows[0]), (0, given[1])),
            ((rows[1], given[0]), (0, given[1])),
            (rows, (0, columns[0])),
            (rows, (columns[1], given[1])),
        ]
        ring = sum(self._chain_macs(taken, window) for window in windows if all(a < b for a, b in window))
        return ring + inner * self.stage.weight.numel()

    def _inner(self, n_in: int, n_out: int, axis: int) -> tuple[int, int]:
        return interior(tuple(tuple(axis_of(stage, axis) for stage in b) for b in self.branches), n_in, n_out)

    def _chain_macs(self, taken: Sequence[int], window: Sequence[tuple[int, int]]) -> int:
        total = 0
        for branch in self.branches:
            found = [_made(branch, axis, taken[axis], window[axis]) for axis in (0, 1)]
            total += sum(s.weight.numel() * h * w for s, h, w in zip(branch, *found, strict=True))
        return total


def _made(branch: Sequence[Stage], axis: int, n_in: int, window: tuple[int, int]) -> list[int]:
    """How many places each stage computes so that the last one gives a window."""
    taken: list[Reach] = reaches(tuple(axis_of(stage, axis) for stage in branch), n_in, *window)
    return [*(reach.stop - reach.start for reach in taken[1:]), window[1] - window[0]][: len(branch)]


def fused(branches: Branches, n_channels: int) -> Fused | None:
    """Chains whose outputs are added, as one layer.

    Args:
        branches: Of the same input; one without a stage hands it on.
        n_channels: Of the input.

    Returns:
        The layer; ``None`` if the chains have different strides.
    """
    like = next(stage.weight for branch in branches for stage in branch)
    whole = [reduce(composed, branch) if branch else identity_stage(n_channels, like) for branch in branches]
    if len({stage.stride for stage in whole}) > 1:
        return None
    form = max((_form(branch) for branch in branches), key=("plain", "edged", "bordered").index)
    if form != "edged":
        return Fused(form, summed(whole), None, branches)
    apart = [_without_inner_bias(branch, stage) for branch, stage in zip(branches, whole, strict=True)]
    total = summed([stage for stage, _ in apart])
    blank = replace(total, weight=total.weight.new_zeros(len(total.weight), 1, *total.kernel), bias=None, groups=1)
    edges = [edge for _, edge in apart if edge is not None]
    return Fused(form, total, summed([blank, *edges]).weight if len(whole) > 1 else edges[0].weight, branches)


def _form(branch: Sequence[Stage]) -> Form:
    """Padding in the middle is harmless if there is none, or if only biases of single positions lie before it."""
    first = _first_wide(branch)
    if any(stage.padding != (0, 0) for stage in branch[first + 1 :]):
        return "bordered"
    if first < len(branch) and branch[first].padding != (0, 0) and any(s.bias is not None for s in branch[:first]):
        return "edged"
    return "plain"


def _first_wide(branch: Sequence[Stage]) -> int:
    return next((index for index, stage in enumerate(branch) if not stage.pointwise), len(branch))


def _without_inner_bias(branch: Sequence[Stage], whole: Stage) -> tuple[Stage, Stage | None]:
    """The chain's convolution with the bias of its last part alone, and the kernel that the rest of the bias passes."""
    first = _first_wide(branch)
    if _form(branch) != "edged":
        return whole, None
    before, behind = reduce(composed, branch[:first]), branch[first:]
    assert before.bias is not None
    ones = replace(before, weight=before.bias[:, None, None, None], bias=None, groups=1)
    edge = reduce(composed, [ones, *(replace(stage, bias=None) for stage in behind)])
    own = reduce(composed, behind).bias
    return replace(whole, bias=own), edge


def layer_of(made: Fused, like: nn.Linear | nn.Conv2d) -> nn.Module:
    """The layer itself.

    Args:
        made: What it computes.
        like: A layer that it replaces: gives kind, type and device.
    """
    if isinstance(like, nn.Linear):
        return _linear(made.stage, like)
    if made.form == "bordered":
        return BorderedConv2d(made.stage, made.branches, like.weight)
    if made.edge is not None:
        return EdgedConv2d(made.stage, made.edge, like.weight)
    return plain_convolution(made.stage, like.weight)


def _linear(stage: Stage, like: nn.Linear) -> nn.Linear:
    n_out, n_in = stage.weight.shape[0], stage.weight.shape[1] * stage.groups
    layer = nn.Linear(n_in, n_out, bias=stage.bias is not None, device="meta")
    weight = stage.weight
    if stage.groups > 1:  # identities alone have groups here
        weight = torch.diag(weight.flatten())
    layer.weight = nn.Parameter(weight.flatten(1).to(like.weight).contiguous())
    if stage.bias is not None:
        layer.bias = nn.Parameter(stage.bias.to(like.weight))
    return layer


def output_size(stage: Stage, taken: Sequence[int]) -> tuple[int, ...]:
    """Height and width that come out of a convolution."""
    return tuple(sizes((axis_of(stage, axis),), taken[axis])[-1] for axis in (0, 1))
