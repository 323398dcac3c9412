"""Second moments of what the layers of a network read: sums over rows and positions, never the inputs themselves."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import nn

from sentei.errors import ModelError
from sentei.importance.geometry import Layer, Use
from sentei.importance.reading import look
from sentei.importance.rows import ScoringRows

MOST_BYTES = 1 << 30
"""Of the moments that are summed in one pass over the rows; networks with more are read several times."""

Blocks = Sequence[torch.Tensor]
"""Columns, int64, that are looked at together."""


@dataclass(eq=False)
class Moments:
    """Mean products of the columns of one layer.

    Attributes:
        layer: The layer.
        blocks: Which columns.
        sums: For each block ``(n_groups, size, size)`` float64.
        n_places: Rows times positions that went into them.
    """

    layer: Layer
    blocks: Blocks
    sums: list[torch.Tensor] = field(default_factory=list)
    n_places: int = 0

    def add(self, use: Use) -> None:
        """Take another use of the layer into account."""
        for columns in use.columns():
            if not self.sums:
                sizes = [(columns.shape[0], len(block), len(block)) for block in self.blocks]
                self.sums = [columns.new_zeros(size) for size in sizes]
            for total, block in zip(self.sums, self.blocks, strict=True):
                part = columns if len(block) == columns.shape[1] else columns[:, block.to(columns.device)]
                total.add_(part @ part.transpose(1, 2))
            self.n_places += columns.shape[2]

    def means(self) -> list[torch.Tensor]:
        """The mean over rows and positions of x x^T, for each block; float64, symmetric.

        Raises:
            ModelError: The layer reads numbers that are not finite.
        """
        if not all(bool(total.isfinite().all()) for total in self.sums):
            raise ModelError(
                f"the layer of {self.layer.name!r} reads numbers that are not finite; the network is broken before it: "
                "look at the rows and at its weights, or train it again"
            )
        return [total / self.n_places for total in self.sums]


def second_moments(
    model: nn.Module, layers: Sequence[Layer], rows: ScoringRows, blocks: Callable[[Layer], Blocks]
) -> Iterator[Moments]:
    """The moments of every layer, in as many passes as memory asks for.

    Args:
        model: The network; it is only read.
        layers: Of the network, as `layers_in_order` gives them.
        rows: All of them are read.
        blocks: Which columns of a layer are looked at together.

    Yields:
        One for each layer, in their order.
    """
    for part in _passes([Moments(layer, blocks(layer)) for layer in layers]):
        _sum_up(model, {moments.layer.name: moments for moments in part}, rows)
        while part:
            yield part.pop(0)


def _sum_up(model: nn.Module, part: Mapping[str, Moments], rows: ScoringRows) -> None:
    look(model, part, rows, lambda use: part[use.layer.name].add(use))


def _passes(waiting: list[Moments]) -> Iterator[list[Moments]]:
    part: list[Moments] = []
    size = 0
    for moments in waiting:
        more = 8 * moments.layer.n_groups * sum(len(block) ** 2 for block in moments.blocks)
        if part and size + more > MOST_BYTES:
            yield part
            part, size = [], 0
        part.append(moments)
        size += more
    yield part
