"""Rows of a data set as tensors, preprocessed once when they fit into memory."""

from contextlib import AbstractContextManager, nullcontext

import numpy as np
import torch
from torch import nn

from sentei.data.preprocessing import Preprocessing
from sentei.data.streamed import Streamed
from sentei.models.order import epoch_order

FITS = 2 << 30
"""Bytes of preprocessed rows that are kept in memory; more are preprocessed batch by batch."""

PIXELS_AT_ONCE = 1 << 22
"""Pixels for which a network says something in one pass; more would take the memory of many images at once."""


class Rows:
    """Preprocessed rows by their index.

    Args:
        inputs: Raw rows, ``(n, ...)``; streamed ones are read and preprocessed batch by batch.
        preprocessing: From raw rows to float32.
        device: Where the tensors shall be.
        layout: Memory format of the tensors that `at` gives; channels-last for images if asked.
    """

    def __init__(
        self,
        inputs: np.ndarray,
        preprocessing: Preprocessing,
        device: torch.device,
        layout: torch.memory_format = torch.contiguous_format,
    ) -> None:
        self._inputs, self._preprocessing = inputs, preprocessing
        self._device, self._layout = device, layout
        self._stored = inputs if isinstance(inputs, Streamed) else None
        self._parts = torch.from_numpy(self._stored.parts) if self._stored else None
        self._ready = self._tensor(inputs) if not self._stored and inputs.size * 4 <= FITS else None

    def __len__(self) -> int:
        return len(self._inputs)

    @property
    def parts_at_once(self) -> int | None:
        """Parts of a streamed data set that are shuffled together; None of rows in memory."""
        return self._stored.store.parts_at_once if self._stored else None

    def order(self, indices: torch.Tensor) -> torch.Tensor:
        """These rows, each once, in the order of one epoch; by torch's global random numbers.

        Args:
            indices: ``(n,)`` int64 on the CPU.
        """
        return epoch_order(indices, self._parts, self.parts_at_once or 1)

    def following(self, order: torch.Tensor) -> AbstractContextManager[None]:
        """While the block runs, rows are asked for in this order, so that streamed ones are fetched ahead.

        Args:
            order: ``(n,)`` int64 on any device.
        """
        return self._stored.following(order.cpu().numpy()) if self._stored else nullcontext()

    def at(self, indices: torch.Tensor) -> torch.Tensor:
        """The rows with these indices, in this order; float32.

        Args:
            indices: ``(n,)`` int64 on the device of the rows.

        Returns:
            ``(n, ...)`` on the device of the rows.
        """
        if self._ready is None:
            return self._tensor(self._inputs[indices.cpu().numpy()])
        return self._ready[indices].contiguous(memory_format=self._layout)

    def _tensor(self, inputs: np.ndarray) -> torch.Tensor:
        rows = torch.from_numpy(self._preprocessing.apply(inputs)).to(self._device)
        return rows.contiguous(memory_format=self._layout)


def layout_of(model: nn.Module, n_dimensions: int) -> torch.memory_format:
    """The memory format that suits the network: channels-last for convolutions over images.

    Args:
        model: The network.
        n_dimensions: Of a batch of its rows.

    Returns:
        A memory format for the rows and the weights.
    """
    convolves = any(isinstance(module, nn.Conv2d) for module in model.modules())
    return torch.channels_last if n_dimensions == 4 and convolves else torch.contiguous_format


def rows_at_once(labels: torch.Tensor | np.ndarray, most: int) -> int:
    """How many rows a network may be asked about in one pass.

    Args:
        labels: Classes, or masks ``(n, height, width)``: what is said of large images is large itself.
        most: Of rows with one label each, and of small images.

    Returns:
        At least 4, so that no near-equal batch of several rows has only one.

    Example:
        >>> rows_at_once(np.zeros((9, 512, 512), np.uint8), 1024), rows_at_once(np.zeros(9, np.int64), 1024)
        (16, 1024)
    """
    n_pixels = int(np.prod(labels.shape[1:]))
    return most if n_pixels == 1 else max(4, min(most, PIXELS_AT_ONCE // n_pixels))


def near_equal_batches(order: torch.Tensor, batch_size: int) -> tuple[torch.Tensor, ...]:
    """The order cut into batches whose sizes differ by one at most, so that no batch is tiny.

    Args:
        order: ``(n,)`` indices; at least one.
        batch_size: The largest batch; at least 1.

    Returns:
        ``ceil(n / batch_size)`` batches.

    Example:
        >>> [len(batch) for batch in near_equal_batches(torch.arange(10), batch_size=4)]
        [4, 3, 3]
    """
    return torch.tensor_split(order, -(-len(order) // batch_size))
