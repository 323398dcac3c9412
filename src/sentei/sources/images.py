"""Folders of images: one folder per class, or images that have none."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from sentei.data import UNLABELLED, Table
from sentei.data.streamed import Streamed, as_inputs
from sentei.errors import DataError
from sentei.sources.pictures import Pictures
from sentei.sources.pixels import check_form, seen

Found = list[tuple[Path, int]]


def read_images(
    folder: Path,
    size: Sequence[int] | None,
    channels: int,
    limit: int | None = None,
    n_classes: int | None = None,
    *,
    stream: bool = False,
) -> Table:
    """The table of a folder with one folder of images per class, or with images that have no label.

    Args:
        folder: Holds the class folders, or ``train`` and perhaps ``test`` with class folders in each. Every file in
            them that is not hidden must be an image; folders inside a class folder belong to the class. A folder
            without folders holds images that have no label.
        size: [height, width] in pixels; images of another size are resized (bilinear, antialiased) without regard
            to proportions.
        channels: 1 for grey, 3 for red, green, blue.
        limit: Read only the first images of each part.
        n_classes: Number of classes, where there are no class folders to count.
        stream: Leave the images in their files until they are asked for.

    Returns:
        Rows (n, channels, height, width), uint8, the training part before the test part. Within a part the first image
        of every class comes before the second of any, so that the first rows show all classes; classes and files are
        sorted by name.

    Raises:
        DataError: The folder has no such structure, or a file cannot be read as an image; the message names the file.
    """
    height, width = check_form("images", size, channels)
    parts = [folder / "train", folder / "test"] if (folder / "train").is_dir() else [folder]
    classes = _classes(parts[0])
    found = [_files(part, classes)[:limit] for part in parts if part.is_dir()]
    rows = Streamed(Pictures([path for part in found for path, _ in part], height, width, channels))
    inputs = as_inputs(rows) if stream else rows[:]
    labels = np.array([label for part in found for _, label in part])
    is_test = np.arange(len(labels)) >= len(found[0])
    return Table.of(inputs, labels, folder.name, class_names=classes or None, is_test=is_test, n_classes=n_classes)


def _classes(part: Path) -> list[str]:
    """Names of the class folders; none where the images have no labels."""
    names = _folders(part)
    if len(names) < 2 and (names or not seen(part.iterdir())):
        raise DataError(
            f"{part}: expected images without labels, or a folder for each of at least 2 classes, received {names}; "
            "check the path"
        )
    return names


def _folders(part: Path) -> list[str]:
    return sorted(path.name for path in part.iterdir() if path.is_dir() and not path.name.startswith("."))


def _files(part: Path, classes: list[str]) -> Found:
    for unknown in sorted(set(_folders(part)) - set(classes)):
        has = f"it has {', '.join(classes)}" if classes else "its images have no labels"
        raise DataError(f"{part / unknown}: the training part has no class of this name; {has}")
    if not classes:
        return [(path, UNLABELLED) for path in seen(part.iterdir())]
    ranked = []
    for label, name in enumerate(classes):
        files = seen((part / name).rglob("*"))
        ranked += [(rank, label, path) for rank, path in enumerate(files)]
        if not files:
            raise DataError(f"{part / name}: expected images, found none; add some or remove the class")
    return [(path, label) for _, label, path in sorted(ranked)]
