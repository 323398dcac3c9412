"""Arrays in a NumPy archive."""

import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from sentei.data import Table
from sentei.data.labels import no_labels
from sentei.errors import DataError

INPUTS = ("inputs", "x", "images", "x_train")
LABELS = ("labels", "y", "y_train")
TEST_INPUTS = ("x_test", "inputs_test", "images_test")
TEST_LABELS = ("y_test", "labels_test")
CLASS_NAMES = "class_names"

Arrays = Mapping[str, npt.NDArray[Any]]
Part = tuple[npt.NDArray[Any], npt.NDArray[Any]]


def read_npz(path: Path, n_classes: int | None = None) -> Table:
    """The table of a ``.npz`` archive.

    Args:
        path: Holds ``inputs``, ``x``, ``images`` or ``x_train``, and ``labels``, ``y`` or ``y_train``; may hold a test
            part as ``x_test`` and ``y_test`` (or ``inputs_test``, ``images_test``, ``labels_test``) and
            ``class_names``. Inputs are uint8 or floats of shape (n, d), (n, c, h, w), or (n, h, w), which becomes
            (n, 1, h, w); floats of another precision become float32. Labels are classes (n,), or masks (n, h, w) with
            the class of each pixel, 255 where it does not count. Without any array of labels, no row has one.
        n_classes: Number of classes, where neither labels nor names tell it.

    Returns:
        The rows of the main part before those of the test part, each in the order of the archive.

    Raises:
        DataError: The archive is damaged, holds pickled objects, or lacks an array.
    """
    arrays = _arrays(path)
    parts = [_part(arrays, INPUTS, LABELS, path)]
    if arrays.keys() & {*TEST_INPUTS, *TEST_LABELS}:
        parts.append(_part(arrays, TEST_INPUTS, TEST_LABELS, path))
    for inputs, labels in parts:
        _check_part(inputs, labels, parts[0][0], path)
    inputs, labels = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
    names = [str(name) for name in arrays[CLASS_NAMES]] if CLASS_NAMES in arrays else None
    is_test = np.arange(len(labels)) >= len(parts[0][1])
    return Table.of(inputs, labels, path.name, class_names=names, is_test=is_test, n_classes=n_classes)


def _part(arrays: Arrays, inputs: tuple[str, ...], labels: tuple[str, ...], path: Path) -> Part:
    found = _inputs(_one(arrays, inputs, path), path)
    if arrays.keys() & {*LABELS, *TEST_LABELS}:
        return found, _one(arrays, labels, path)
    return found, no_labels(found.shape[0] if found.ndim else 0)


def _check_part(inputs: npt.NDArray[Any], labels: npt.NDArray[Any], first: npt.NDArray[Any], path: Path) -> None:
    alike = inputs.shape[1:] == first.shape[1:] and inputs.dtype == first.dtype
    shapes = (inputs.shape[:1], (*inputs.shape[:1], *inputs.shape[2:]) if inputs.ndim == 4 else None)
    if inputs.ndim < 2 or labels.shape not in shapes or not alike:
        raise DataError(
            f"{path}: expected labels (n,) beside inputs (n, ...), and the same rows in both parts; received "
            f"inputs {inputs.dtype} {inputs.shape} and labels {labels.shape}"
        )


def _arrays(path: Path) -> Arrays:
    try:
        # Opened here, because numpy leaves a damaged archive open.
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            known = {*INPUTS, *LABELS, *TEST_INPUTS, *TEST_LABELS, CLASS_NAMES}
            return {name: np.asarray(archive[name]) for name in archive.files if name in known}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error, AttributeError, TypeError) as error:
        raise DataError(
            f"{path}: expected a .npz archive of plain arrays, could not read it ({error}); write it with numpy.savez"
        ) from error


def _one(arrays: Arrays, names: tuple[str, ...], path: Path) -> npt.NDArray[Any]:
    found = [name for name in names if name in arrays]
    if len(found) != 1:
        raise DataError(f"{path}: expected one array named {' or '.join(names)}, received {found or sorted(arrays)}")
    return arrays[found[0]]


def _inputs(array: npt.NDArray[Any], path: Path) -> npt.NDArray[Any]:
    if (
        array.dtype == np.uint8
        and array.ndim == 4
        and array.shape[3] in (1, 3)
        and array.shape[1] == array.shape[2] > 4
    ):
        raise DataError(
            f"{path}: expected images (n, channels, height, width), received shape {array.shape}, which looks like "
            "channels last; transpose it with numpy.transpose(images, (0, 3, 1, 2))"
        )
    if array.ndim == 3:
        array = array[:, None]
    if array.dtype.kind != "f":
        return array
    with np.errstate(over="ignore"):  # what does not fit becomes infinity, which the table refuses by its row
        return array.astype(np.float32)
