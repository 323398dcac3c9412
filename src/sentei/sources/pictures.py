"""Files of pictures as rows that are decoded when they are asked for."""

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from sentei.sources.pixels import read_pixels

Numbers = npt.NDArray[np.int64]


class Pictures:
    """Images of one form, each a file: a store of rows as `sentei.data.streamed` asks for.

    Args:
        paths: One for each row.
        height: In pixels.
        width: In pixels.
        channels: 1 or 3.
    """

    digests = None
    sums = None

    def __init__(self, paths: Sequence[Path], height: int, width: int, channels: int) -> None:
        self._paths = paths
        self.shape = (channels, height, width)
        self.dtype: np.dtype[Any] = np.dtype(np.uint8)
        self.parts = np.arange(len(paths))
        self.parts_at_once = max(1, len(paths))

    def read(self, rows: Numbers) -> npt.NDArray[np.uint8]:
        """These rows, in this order."""
        channels, height, width = self.shape
        found = np.empty((len(rows), *self.shape), np.uint8)
        for place, row in enumerate(rows):
            found[place] = read_pixels(self._paths[row], height, width, channels)
        return found

    def following(self, rows: Numbers) -> AbstractContextManager[None]:
        """Nothing: every row is a file of its own."""
        return nullcontext()
