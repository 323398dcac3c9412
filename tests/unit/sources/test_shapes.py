"""Drawn scenes: the same for everyone, and what their masks say."""

import numpy as np

from sentei.data import content_digests
from sentei.sources import load
from sentei.sources.shapes import draw_shapes

IMAGES, MASKS = "aa8977ca14257f0e", "caf98ae90d844a9a"


def test_a_row_follows_from_the_seed_and_its_number_alone():
    images, masks = draw_shapes(6, 16, seed=1)
    fewer_images, fewer_masks = draw_shapes(3, 16, seed=1)
    assert images[:3].tobytes() == fewer_images.tobytes()
    assert masks[:3].tobytes() == fewer_masks.tobytes()
    assert images.tobytes() != draw_shapes(6, 16, seed=2)[0].tobytes()


def test_the_drawing_is_the_same_everywhere():
    """Whole numbers alone: these digests were computed once and hold on every machine."""
    images, masks = draw_shapes(20, 64, seed=0)
    assert content_digests(images[None].reshape(1, -1)).tobytes().hex()[:16] == IMAGES
    assert content_digests(masks[None].reshape(1, -1)).tobytes().hex()[:16] == MASKS


def test_all_classes_occur_and_some_images_are_empty():
    images, masks = draw_shapes(200, 24, seed=0)
    assert (images.shape, masks.shape) == ((200, 1, 24, 24), (200, 24, 24))
    assert set(np.unique(masks)) == {0, 1, 2, 3}
    empty = (masks == 0).all(axis=(1, 2)).mean()
    assert 0.15 < empty < 0.35  # a quarter is drawn empty
    assert images[:, 0][masks > 0].mean() > images[:, 0][masks == 0].mean() + 40


def test_the_source_is_a_table_of_masks():
    table = load({"source": "shapes", "limit": 7})
    assert (len(table), table.task, table.n_classes, table.input_shape) == (7, "segmentation", 4, (1, 64, 64))
    assert len(np.unique(content_digests(load({"source": "shapes", "limit": 300}).inputs), axis=0)) == 300
