"""Layers that stand for several convolutions, exact at the borders too."""

from collections.abc import Iterable

import torch
from torch import nn
from torch.nn import functional as F

from sentei.depth.stages import Stage
from sentei.depth.windows import Axis, Chain, interior, reach, reaches, sizes

Window = tuple[tuple[int, int], tuple[int, int]]
"""From where to where, of rows and of columns."""

_NO_NUMBERS = "meta"
"""A layer is made on this device, so that no random number is drawn for weights that are replaced."""


class EdgedConv2d(nn.Conv2d):
    """A convolution whose bias depends on the distance from the border.

    A bias that comes before a padded convolution does not reach the zeros that it pads with. The convolution ``edge``
    of an image of ones is the part of the bias that has passed it: exact for images of any size.

    Attributes:
        edge: ``(n_out, 1, height, width)``; n_out times the kernel's entries in parameters, and as many
            multiplications for each position.
    """

    def __init__(self, stage: Stage, edge: torch.Tensor, like: torch.Tensor) -> None:
        super().__init__(*_arguments(stage), device=_NO_NUMBERS)
        set_weights(self, stage, like)
        self.edge = nn.Parameter(edge.to(like))

    def forward(self, input: torch.Tensor) -> torch.Tensor:  # torch's own name of it
        """The convolution and the bias at each position."""
        ones = torch.ones((1, 1, *input.shape[2:]), dtype=input.dtype, device=input.device)
        bias = F.conv2d(ones, self.edge, None, self.stride, self._pads, self.dilation)
        return super().forward(input) + bias

    @property
    def _pads(self) -> tuple[int, int]:
        return (int(self.padding[0]), int(self.padding[1]))


class BorderedConv2d(nn.Module):
    """A convolution that stands for chains of convolutions that pad, and these chains where a border is near.

    Padding zeros in the middle of a chain is no convolution: the ring of output places that see such zeros is computed
    by the chains, all others by one kernel. Its parameters are those of the kernel and of all convolutions.

    Args:
        merged: What the chains are away from the borders.
        branches: Chains whose outputs are added; one without a convolution hands on its input.
        like: Gives the weights their type and device.

    Attributes:
        merged: The kernel of the inner places.
        branches: The convolutions of each chain, for the ring.
    """

    def __init__(self, merged: Stage, branches: Iterable[Iterable[Stage]], like: torch.Tensor) -> None:
        super().__init__()
        self.merged = plain_convolution(merged, like)
        self.branches = nn.ModuleList(
            nn.ModuleList(plain_convolution(stage, like) for stage in branch) for branch in branches
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """What the chains give."""
        rows, columns = self._inner(x.shape[2], 0), self._inner(x.shape[3], 1)
        n_rows, n_columns = self._n_out(x.shape[2], 0), self._n_out(x.shape[3], 1)
        if rows[0] == rows[1] or columns[0] == columns[1]:
            return self._by_chains(x, ((0, n_rows), (0, n_columns)))
        middle = [
            *self._strip(x, (rows, (0, columns[0]))),
            self._by_kernel(x, (rows, columns)),
            *self._strip(x, (rows, (columns[1], n_columns))),
        ]
        above = self._strip(x, ((0, rows[0]), (0, n_columns)))
        below = self._strip(x, ((rows[1], n_rows), (0, n_columns)))
        return torch.cat([*above, torch.cat(middle, 3), *below], 2)

    def _chains(self, axis: int) -> tuple[Chain, ...]:
        return tuple(tuple(axis_of(layer, axis) for layer in branch) for branch in self.branches)  # type: ignore[attr-defined]  # a list of lists

    def _n_out(self, n_in: int, axis: int) -> int:
        return max(sizes(chain, n_in)[-1] for chain in self._chains(axis))

    def _inner(self, n_in: int, axis: int) -> tuple[int, int]:
        return interior(self._chains(axis), n_in, self._n_out(n_in, axis))

    def _strip(self, x: torch.Tensor, window: Window) -> list[torch.Tensor]:
        return [self._by_chains(x, window)] if all(start < stop for start, stop in window) else []

    def _by_kernel(self, x: torch.Tensor, window: Window) -> torch.Tensor:
        return _on_window(self.merged, x, window)

    def _by_chains(self, x: torch.Tensor, window: Window) -> torch.Tensor:
        parts = [_through(list(branch), x, window) for branch in self.branches]  # type: ignore[call-overload]  # a list of lists
        return torch.stack(parts).sum(0) if len(parts) > 1 else parts[0]


def _through(layers: list[nn.Conv2d], x: torch.Tensor, window: Window) -> torch.Tensor:
    """A window of a chain's output, from the part of the input that it needs."""
    if not layers:
        return x[:, :, slice(*window[0]), slice(*window[1])]
    rows, columns = (
        reaches(tuple(axis_of(layer, axis) for layer in layers), x.shape[2 + axis], *window[axis]) for axis in (0, 1)
    )
    x = x[:, :, rows[0].start : rows[0].stop, columns[0].start : columns[0].stop]
    for layer, row, column in zip(layers, rows, columns, strict=True):
        x = F.pad(x, (column.before, column.after, row.before, row.after))
        x = F.conv2d(x, layer.weight, layer.bias, layer.stride, 0, layer.dilation, layer.groups)
    return x


def _on_window(layer: nn.Conv2d, x: torch.Tensor, window: Window) -> torch.Tensor:
    row, column = (reach(axis_of(layer, axis), x.shape[2 + axis], *window[axis]) for axis in (0, 1))
    x = x[:, :, row.start : row.stop, column.start : column.stop]
    x = F.pad(x, (column.before, column.after, row.before, row.after))
    return F.conv2d(x, layer.weight, layer.bias, layer.stride, 0, layer.dilation, layer.groups)


def axis_of(layer: nn.Conv2d | Stage, axis: int) -> Axis:
    """Rows (0) or columns (1) of a convolution."""
    kernel = layer.kernel if isinstance(layer, Stage) else layer.kernel_size
    return Axis(kernel[axis], layer.stride[axis], int(layer.padding[axis]), layer.dilation[axis])


def plain_convolution(stage: Stage, like: torch.Tensor) -> nn.Conv2d:
    """A convolution of torch with these weights, in the type and on the device of ``like``."""
    layer = nn.Conv2d(*_arguments(stage), device=_NO_NUMBERS)
    set_weights(layer, stage, like)
    return layer


def _arguments(
    stage: Stage,
) -> tuple[int, int, tuple[int, int], tuple[int, int], tuple[int, int], tuple[int, int], int, bool]:
    n_out, n_in = stage.weight.shape[:2]
    bias = stage.bias is not None
    return n_in * stage.groups, n_out, stage.kernel, stage.stride, stage.padding, stage.dilation, stage.groups, bias


def set_weights(layer: nn.Conv2d, stage: Stage, like: torch.Tensor) -> None:
    """The layer's weights are those of the stage, in the type and on the device of ``like``."""
    layer.weight = nn.Parameter(stage.weight.to(like).contiguous())
    if stage.bias is not None:
        layer.bias = nn.Parameter(stage.bias.to(like))
