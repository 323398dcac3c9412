"""Folders of images beside folders of masks, for segmentation."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from sentei.data import Table
from sentei.data.streamed import Streamed, as_inputs
from sentei.errors import DataError
from sentei.sources.pictures import Pictures
from sentei.sources.pixels import check_form, read_classes, seen, size_of

IMAGES, MASKS = "images", "masks"
N_NAMED = 3

Pairs = list[tuple[Path, Path]]


def read_masks(
    folder: Path,
    size: Sequence[int] | None,
    channels: int,
    limit: int | None = None,
    n_classes: int | None = None,
    *,
    stream: bool = False,
) -> Table:
    """The table of a folder of images beside a folder of masks.

    Args:
        folder: Holds ``images`` and ``masks``, or ``train`` and perhaps ``test`` with both in each. An image and its
            mask have the same name but for the ending, and the same size. A mask is a PNG of one channel: the value of
            a pixel (grey value or palette index, not colour) is its class, 0 is the background, 255 does not count.
        size: [height, width] in pixels; images of another size are resized (bilinear, antialiased) without regard to
            proportions, and of their masks each pixel takes the nearest one's class.
        channels: 1 for grey, 3 for red, green, blue.
        limit: Read only the first images of each part.
        n_classes: Number of classes, background included; one more than the largest that occurs when absent.
        stream: Leave the images in their files until they are asked for; masks are read all the same.

    Returns:
        Images (n, channels, height, width) and masks (n, height, width), both uint8, the training part before the test
        part, sorted by name within each.

    Raises:
        DataError: The folder has no such structure, an image lacks a mask or a mask an image, or a file cannot be read.
    """
    height, width = check_form("masks", size, channels)
    parts = [folder / "train", folder / "test"] if (folder / "train").is_dir() else [folder]
    found = [_pairs(part)[:limit] for part in parts if part.is_dir()]
    n_rows = sum(map(len, found))
    masks = np.empty((n_rows, height, width), np.uint8)
    for row, (image, mask) in enumerate(pair for part in found for pair in part):
        if size_of(image) != size_of(mask):
            raise DataError(f"{mask}: expected the size of its image {size_of(image)}, received {size_of(mask)}")
        masks[row] = read_classes(mask, height, width)
    rows = Streamed(Pictures([image for part in found for image, _ in part], height, width, channels))
    is_test = np.arange(n_rows) >= len(found[0])
    images = as_inputs(rows) if stream else rows[:]
    return Table.of(images, masks, folder.name, is_test=is_test, n_classes=n_classes)


def _pairs(part: Path) -> Pairs:
    images, masks = (_by_stem(part / name) for name in (IMAGES, MASKS))
    lonely = sorted(images.keys() ^ masks.keys())
    if lonely:
        raise DataError(
            f"{part}: expected an image and a mask of every name, {len(lonely)} stand in only one of {IMAGES} and "
            f"{MASKS}: {', '.join(lonely[:N_NAMED])}; add what is missing, or remove them"
        )
    return [(images[stem], masks[stem]) for stem in sorted(images)]


def _by_stem(folder: Path) -> dict[str, Path]:
    files = seen(folder.rglob("*")) if folder.is_dir() else []
    found: dict[str, Path] = {}
    for path in files:
        stem = str(path.relative_to(folder).with_suffix(""))
        if stem in found:
            raise DataError(f"{path}: expected one file named {stem}, {found[stem].name} is another; remove one")
        found[stem] = path
    if not found:
        raise DataError(f"{folder}: expected a folder of pictures, found none; check the path")
    return found
