"""Files of pictures as arrays: pixels of images, and the classes that a mask gives them."""

import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from sentei.errors import DataError

if TYPE_CHECKING:
    from PIL.Image import Image

MODES = {1: "L", 3: "RGB"}
# Wider than 8 bits per channel; turning these into bytes would clip them without a word.
WIDE_MODES = ("I", "F")
# Grey, palette and black-and-white; a palette's numbers are classes, its colours are for people.
MASK_MODES = ("L", "P", "1")


def check_form(source: str, size: Any, channels: Any) -> tuple[int, int]:
    """Height and width that pictures shall have.

    Args:
        source: Whose keys these are, for messages.
        size: [height, width] in pixels.
        channels: 1 for grey, 3 for red, green, blue.

    Raises:
        DataError: They are something else.
    """
    if channels not in MODES:
        raise DataError(f"{source}: channels: expected 1 (grey) or 3 (colour), received {channels!r}")
    if isinstance(size, list | tuple) and len(size) == 2 and all(type(side) is int and side > 0 for side in size):
        return size[0], size[1]
    raise DataError(f"{source}: size: expected [height, width] in pixels, received {size!r}")


def seen(paths: Iterable[Path]) -> list[Path]:
    """The files among these paths that are not hidden, sorted."""
    return sorted(path for path in paths if path.is_file() and not path.name.startswith("."))


def read_pixels(path: Path, height: int, width: int, channels: int) -> npt.NDArray[np.uint8]:
    """One image, resized if it has another size (bilinear, antialiased).

    Returns:
        Shape (channels, height, width).

    Raises:
        DataError: It cannot be read, or has more than 8 bits per channel.
    """
    with _opened(path) as image:
        if image.mode.startswith(WIDE_MODES):
            raise ValueError(f"mode {image.mode} has more than 8 bits per channel")
        picture = image.convert(MODES[channels])
    if picture.size != (width, height):
        from PIL.Image import Resampling

        picture = picture.resize((width, height), Resampling.BILINEAR)
    return np.asarray(picture, np.uint8).reshape(height, width, channels).transpose(2, 0, 1)


def read_classes(path: Path, height: int, width: int) -> npt.NDArray[np.uint8]:
    """One mask, each of its values a class; if it has another size, each pixel takes the nearest one's class.

    Returns:
        Shape (height, width).

    Raises:
        DataError: It is no PNG of one channel of 8 bits.
    """
    with _opened(path, ["PNG"]) as image:
        if image.mode not in MASK_MODES:
            raise ValueError(f"mode {image.mode} is not one channel of classes")
        # Pillow would spread 2 or 4 bits over 0 to 255.
        if any("L;" in str(tile.args) for tile in getattr(image, "tile", [])):
            raise ValueError("grey values of fewer than 8 bits are not classes")
        picture = image.copy()
    if picture.size != (width, height):
        from PIL.Image import Resampling

        picture = picture.resize((width, height), Resampling.NEAREST)
    return np.asarray(picture).astype(np.uint8)


def size_of(path: Path) -> tuple[int, int]:
    """Width and height of a picture.

    Raises:
        DataError: It cannot be read.
    """
    with _opened(path) as image:
        return image.size


@contextmanager
def _opened(path: Path, formats: list[str] | None = None) -> "Iterator[Image]":
    from PIL import Image

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path, formats=formats) as image:
                yield image
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
        what = "a mask, a PNG whose values are classes," if formats else "an image,"
        raise DataError(f"{path}: expected {what} could not read it ({error}); repair or remove the file") from error
