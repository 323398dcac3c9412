"""Linear and convolution layers as what they are: matrices that multiply columns of inputs."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
import torch.nn.functional as F

AT_ONCE = 1 << 24
"""Numbers in the columns that are unfolded at once, unless a single row has more."""


@dataclass(frozen=True)
class Layer:
    """How the weight of a layer is a stack of matrices, one for each group of a grouped convolution.

    Attributes:
        name: Of the weight.
        shape: Of the weight.
        transposed: Whether it is that of a transposed convolution, whose inputs are its rows.
        n_groups: Of the convolution; 1 for a linear layer.
    """

    name: str
    shape: tuple[int, ...]
    transposed: bool = False
    n_groups: int = 1

    @property
    def n_taps(self) -> int:
        """Columns that one input channel has: the size of the kernel."""
        return math.prod(self.shape[2:])

    @property
    def n_columns(self) -> int:
        """Columns of each matrix: what one output is a combination of."""
        n_inputs = self.shape[0] // self.n_groups if self.transposed else self.shape[1]
        return n_inputs * self.n_taps

    @property
    def reads(self) -> int:
        """The dimension of the weight that belongs to the inputs."""
        return 0 if self.transposed else 1

    def matrices(self, weight: torch.Tensor) -> torch.Tensor:
        """The weight as ``(n_groups, outputs of a group, n_columns)``."""
        if not self.transposed:
            return weight.reshape(self.n_groups, -1, self.n_columns)
        stacked = weight.reshape(self.n_groups, -1, weight.shape[1], self.n_taps)
        return stacked.transpose(1, 2).flatten(2)

    def weight(self, matrices: torch.Tensor) -> torch.Tensor:
        """The weight that has these matrices: the inverse of `matrices`."""
        if not self.transposed:
            return matrices.reshape(self.shape)
        stacked = matrices.reshape(*matrices.shape[:2], -1, self.n_taps)
        return stacked.transpose(1, 2).reshape(self.shape)


@dataclass(frozen=True, eq=False)
class Use:
    """One multiplication of inputs by the weight of a layer.

    Attributes:
        layer: Whose weight it is.
        inputs: Of a linear layer ``(..., n_columns)``, of a convolution ``(n, channels, ...)``.
        bias: What is added to the product, if anything.
        stride: By spatial dimension, as all that follow; empty for a linear layer.
        padding: Zeros before the inputs.
        extra: Zeros after them beyond that.
        dilation: Steps between the taps of a kernel.
    """

    layer: Layer
    inputs: torch.Tensor
    bias: torch.Tensor | None = None
    stride: tuple[int, ...] = ()
    padding: tuple[int, ...] = ()
    extra: tuple[int, ...] = ()
    dilation: tuple[int, ...] = ()

    def columns(self) -> Iterator[torch.Tensor]:
        """What the matrices of the layer multiply: the output is ``layer.matrices(weight) @ columns``.

        Yields:
            ``(n_groups, n_columns, places)`` float64 on the device of the inputs, some rows at a time.
        """
        if not self.stride:
            flat = self.inputs.reshape(1, -1, self.layer.n_columns)
            for part in torch.split(flat, max(1, AT_ONCE // self.layer.n_columns), dim=1):
                yield part.transpose(1, 2).double()
            return
        spread = self._spread() if self.layer.transposed else self._padded()
        windows = self._windows(spread)
        per_row = windows[0].numel()
        for part in torch.split(windows, max(1, AT_ONCE // per_row)):
            yield self._as_columns(part)

    @property
    def _rows(self) -> torch.Tensor:
        unbatched = self.inputs.dim() == len(self.stride) + 1
        return self.inputs.unsqueeze(0) if unbatched else self.inputs

    def _padded(self) -> torch.Tensor:
        pads = [(before, before + extra) for before, extra in zip(self.padding, self.extra, strict=True)]
        return F.pad(self._rows, [side for pair in reversed(pads) for side in pair])

    def _spread(self) -> torch.Tensor:
        """The inputs with zeros between, so that a transposed convolution is a plain one with its kernel turned."""
        rows = self._rows
        sizes = [(size - 1) * step + 1 for size, step in zip(rows.shape[2:], self.stride, strict=True)]
        wide = rows.new_zeros(*rows.shape[:2], *sizes)
        steps: tuple[slice, ...] = tuple(slice(None, None, step) for step in self.stride)
        wide[(slice(None), slice(None), *steps)] = rows
        reach = [step * (taps - 1) for step, taps in zip(self.dilation, self.layer.shape[2:], strict=True)]
        pads = [(r - p, r - p + extra) for r, p, extra in zip(reach, self.padding, self.extra, strict=True)]
        return F.pad(wide, [side for pair in reversed(pads) for side in pair])

    def _windows(self, rows: torch.Tensor) -> torch.Tensor:
        """A view ``(n, channels, *places, *taps)``."""
        for index, taps in enumerate(self.layer.shape[2:]):
            step = 1 if self.layer.transposed else self.stride[index]
            reach = self.dilation[index] * (taps - 1) + 1
            rows = rows.unfold(2 + index, reach, step)[..., :: self.dilation[index]]
        return rows

    def _as_columns(self, windows: torch.Tensor) -> torch.Tensor:
        n_spatial = len(self.stride)
        if self.layer.transposed:
            windows = windows.flip(tuple(range(2 + n_spatial, 2 + 2 * n_spatial)))
        places, taps = range(2, 2 + n_spatial), range(2 + n_spatial, 2 + 2 * n_spatial)
        ordered = windows.permute(1, *taps, 0, *places)
        return ordered.reshape(self.layer.n_groups, self.layer.n_columns, -1).double()
