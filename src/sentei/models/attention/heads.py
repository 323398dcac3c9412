"""What every attention with separable heads has in common."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import nn


@dataclass(frozen=True)
class Places:
    """One dimension of one tensor of an attention, and the head that each of its places belongs to.

    Attributes:
        tensor: Name of the parameter inside the attention.
        dim: Dimension of the tensor.
        role: ``out`` where heads are made, ``in`` where they are read, ``along`` where each is treated alone.
        heads: ``(size of the dimension,)`` int64.
    """

    tensor: str
    dim: int
    role: Literal["out", "in", "along"]
    heads: npt.NDArray[np.int64]


class SeparableHeads(nn.Module, ABC):
    """An attention that computes with as many heads as its weights have.

    torch's and torchvision's own attentions insist that heads fill the embedding, so that none of them can leave.

    Args:
        whole: The attention whose weights, buffers and settings are taken over; not to be used any more.
        head_dim: Numbers in one head.
        rows: Name of the parameter that makes queries, keys and values, three parts of equal size.

    Attributes:
        head_dim: Numbers in one head; stays when heads leave.
    """

    def __init__(self, whole: nn.Module, head_dim: int, rows: str) -> None:
        super().__init__()
        self._parameters.update(whole._parameters)
        self._buffers.update(whole._buffers)
        self._modules.update(whole._modules)
        self._non_persistent_buffers_set |= whole._non_persistent_buffers_set
        self.training = whole.training
        self.head_dim = head_dim
        self._rows = rows

    @property
    def n_heads(self) -> int:
        """Heads that are there, read off the weights."""
        return len(self.get_parameter(self._rows)) // (3 * self.head_dim)

    @abstractmethod
    def places(self) -> tuple[Places, ...]:
        """Every place in the weights that leaves with a head; the first one makes it."""

    @abstractmethod
    def counted(self, x: torch.Tensor) -> tuple[int, int]:
        """Positions at which a row's projections are computed, and multiplications of two activations in one head."""

    def weights(self, n_positions: int) -> dict[str, int]:
        """By matrix of the attention: how many times each of its entries is multiplied for one row.

        Args:
            n_positions: At which queries, keys, values and the answer are computed.
        """
        return {
            place.tensor: n_positions
            for place in self.places()
            if place.role != "along" and self.get_parameter(place.tensor).dim() == 2
        }

    def answer(self, x: torch.Tensor) -> Any:
        """Something of the form that ``forward`` returns for ``x``, without computing it."""
        return torch.zeros_like(x)

    def made(self, weight: str, bias: str | None) -> tuple[Places, ...]:
        """Rows of queries, keys and values."""
        heads = np.tile(np.repeat(np.arange(self.n_heads), self.head_dim), 3)
        return tuple(Places(name, 0, "out", heads) for name in (weight, bias) if name)

    def read(self, weight: str) -> Places:
        """Columns of the projection that reads the heads."""
        return Places(weight, 1, "in", np.repeat(np.arange(self.n_heads), self.head_dim))

    def each(self, name: str, dim: int) -> Places:
        """One place for each head."""
        return Places(name, dim, "along", np.arange(self.n_heads))
