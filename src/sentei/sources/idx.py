"""Folders of IDX files, as MNIST and its relatives come."""

import gzip
import struct
import zlib
from collections.abc import Sequence
from math import prod
from pathlib import Path

import numpy as np
import numpy.typing as npt

from sentei.data import Table
from sentei.errors import DataError

UNSIGNED_BYTE = 0x08
TRAIN, TEST = "train", "t10k"
N_DIMENSIONS = {"images": 3, "labels": 1}


def read_idx(folder: Path, name: str, class_names: Sequence[str] | None = None) -> Table:
    """The table of a folder that holds ``train-images-idx3-ubyte`` and the files that go with it.

    Args:
        folder: Holds train-images, train-labels and, if there is a test part, t10k-images and t10k-labels; spelled with
            ``-idx3-ubyte`` or ``.idx3-ubyte``, plain or compressed with gzip.
        name: What the data set is called.
        class_names: One name per class; numbers when absent.

    Returns:
        Rows (n, 1, height, width), the training part before the test part.

    Raises:
        DataError: A file is missing, or is not what its header says.
    """
    parts = [TRAIN]
    if any(find_idx(folder, TEST, kind) for kind in N_DIMENSIONS):
        parts.append(TEST)
    images, labels = (
        [read_idx_file(_expect_idx(folder, part, kind), n) for part in parts] for kind, n in N_DIMENSIONS.items()
    )
    for part, some_images, some_labels in zip(parts, images, labels, strict=True):
        if len(some_images) != len(some_labels) or some_images.shape[1:] != images[0].shape[1:]:
            raise DataError(
                f"{folder}: {part}: expected as many labels as images, and images of the training part's size; "
                f"received images {some_images.shape} and {len(some_labels)} labels; the files do not belong together"
            )
    is_test = np.repeat([part == TEST for part in parts], [len(some) for some in labels])
    inputs = np.concatenate(images)[:, None]
    return Table.of(inputs, np.concatenate(labels), name, class_names=class_names, is_test=is_test)


def find_idx(folder: Path, part: str, kind: str) -> Path | None:
    """The file of one part ("train" or "t10k") and kind ("images" or "labels"), or None."""
    for separator in "-.":
        for ending in ("", ".gz"):
            path = folder / f"{part}-{kind}{separator}idx{N_DIMENSIONS[kind]}-ubyte{ending}"
            if path.is_file():
                return path
    return None


def read_idx_file(path: Path, n_dimensions: int) -> npt.NDArray[np.uint8]:
    """The unsigned bytes of one IDX file.

    Raises:
        DataError: The header is not that of unsigned bytes in so many dimensions, or the file is shorter or longer than
            its header says.
    """
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            header = file.read(4 + 4 * n_dimensions)
            shape = _shape(header, n_dimensions, path)
            # One byte more than expected tells a file that is too long.
            data = file.read(prod(shape) + 1)
    except (OSError, EOFError, zlib.error, OverflowError) as error:
        raise DataError(f"{path}: expected a whole IDX file, found a damaged one ({error}); fetch it again") from error
    if len(data) != prod(shape):
        state = "more" if len(data) > prod(shape) else f"{len(data)}"
        raise DataError(f"{path}: its header announces {prod(shape)} bytes {shape}, it holds {state}; fetch it again")
    return np.frombuffer(data, np.uint8).reshape(shape)


def _shape(header: bytes, n_dimensions: int, path: Path) -> tuple[int, ...]:
    expected = struct.pack(">HBB", 0, UNSIGNED_BYTE, n_dimensions)
    if header[:4] != expected or len(header) != 4 + 4 * n_dimensions:
        raise DataError(
            f"{path}: expected the header {expected.hex()} of unsigned bytes in {n_dimensions} dimensions, received "
            f"{header[:4].hex() or 'an empty file'}; this is not such an IDX file"
        )
    return struct.unpack(f">{n_dimensions}I", header[4:])


def _expect_idx(folder: Path, part: str, kind: str) -> Path:
    path = find_idx(folder, part, kind)
    if path is None:
        wanted = f"{part}-{kind}-idx{N_DIMENSIONS[kind]}-ubyte"
        raise DataError(f"{folder}: expected a folder with {wanted} or {wanted}.gz, found none; check the path")
    return path
