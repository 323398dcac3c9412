"""Drawn shapes on noise with their masks, for trying segmentation out without a download."""

import numpy as np
import numpy.typing as npt

from sentei.data import Table

N_ROWS = 8000
SIDE = 64
CLASS_NAMES = ("background", "disc", "square", "triangle")
MOST_SHAPES = 3
NOISE = 45

Bytes = npt.NDArray[np.uint8]


def read_shapes(limit: int | None = None) -> Table:
    """Grey images of 64 x 64 pixels with up to three discs, squares and triangles, and the class of each pixel.

    Args:
        limit: Draw only the first images.

    Example:
        >>> table = read_shapes(limit=5)
        >>> table.inputs.shape, table.labels.shape, table.class_names[0]
        ((5, 1, 64, 64), (5, 64, 64), 'background')
    """
    images, masks = draw_shapes(min(limit or N_ROWS, N_ROWS), SIDE, seed=0)
    return Table.of(images, masks, "shapes", class_names=CLASS_NAMES)


def draw_shapes(n_rows: int, side: int, seed: int) -> tuple[Bytes, Bytes]:
    """Images and their masks; each row follows from the seed and its number alone.

    An image holds none to three shapes, each number as often; a later one covers what was drawn before.

    Args:
        n_rows: How many images.
        side: Height and width in pixels; 8 or more.
        seed: Of position, size, brightness and noise.

    Returns:
        Images (n, 1, side, side) and masks (n, side, side): 0 background, 1 disc, 2 square, 3 triangle.
    """
    images, masks = np.empty((n_rows, 1, side, side), np.uint8), np.zeros((n_rows, side, side), np.uint8)
    for row in range(n_rows):
        rng = np.random.Generator(np.random.PCG64([seed, row]))
        brightness = np.full((side, side), rng.integers(40, 110))
        for _ in range(rng.integers(0, MOST_SHAPES + 1)):
            kind = int(rng.integers(1, len(CLASS_NAMES)))
            inside = _inside(kind, side, rng)
            masks[row][inside] = kind
            brightness[inside] = rng.integers(120, 200)
        noise = rng.integers(-NOISE, NOISE + 1, (2, side, side)).sum(axis=0)
        images[row, 0] = np.clip(brightness + noise, 0, 255)
    return images, masks


def _inside(kind: int, side: int, rng: np.random.Generator) -> npt.NDArray[np.bool_]:
    """Which pixels one shape covers: whole numbers throughout, so that every machine draws the same."""
    radius = int(rng.integers(side // 10 + 1, side // 5 + 1))
    y, x = (int(rng.integers(radius, side - radius)) for _ in range(2))
    rows, columns = np.ogrid[:side, :side]
    down, right = rows - y, columns - x
    inside: npt.NDArray[np.bool_] = {
        1: down**2 + right**2 <= radius**2,
        2: np.maximum(abs(down), abs(right)) * 5 <= radius * 4,
        3: (abs(down) <= radius) & (2 * abs(right) <= down + radius),
    }[kind]
    return inside
