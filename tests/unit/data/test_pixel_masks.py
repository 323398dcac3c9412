"""Tables whose labels are masks: what they accept, and what tells them apart."""

import hashlib

import numpy as np
import pytest

from sentei.certificate.evidence import rows_digest
from sentei.data import Examples, Table, content_digests, join, split, split_digest
from sentei.errors import DataError

IMAGES = np.arange(3 * 2 * 2 * 3, dtype=np.uint8).reshape(3, 2, 2, 3)
MASKS = np.array([[[0, 1, 2], [0, 0, 255]], [[1, 1, 1], [0, 0, 0]], [[0, 0, 0], [0, 0, 0]]], np.uint8)


def test_a_table_of_masks_is_a_task_of_its_own():
    made = Table.of(IMAGES, MASKS, "scenes")
    assert (made.task, made.n_classes, made.labelled) == ("segmentation", 3, True)
    assert Table.of(IMAGES, np.array([0, 1, 0]), "pets").task == "classification"
    assert Examples(IMAGES, MASKS, np.arange(3)).task == "segmentation"
    assert Examples(IMAGES, MASKS, np.arange(3)).labelled
    assert Examples(IMAGES, np.array([0, 1, 0]), np.arange(3)).task == "classification"


@pytest.mark.parametrize("dtype", [np.int64, np.int32, np.uint16])
def test_masks_of_any_integer_type_become_bytes(dtype):
    made = Table.of(IMAGES, MASKS.astype(dtype), "scenes")
    assert made.labels.dtype == np.uint8
    assert made.labels.tolist() == MASKS.tolist()


def test_pixels_that_do_not_count_are_no_class():
    assert Table.of(IMAGES, np.full_like(MASKS, 255), "scenes").n_classes == 2
    assert Table.of(IMAGES, MASKS, "scenes", n_classes=21).n_classes == 21


@pytest.mark.parametrize(
    ("inputs", "masks", "told", "message"),
    [
        (IMAGES, MASKS + 0.5, {}, "scenes: masks: expected whole numbers from 0 to 255, received float64"),
        (IMAGES, MASKS.astype(int) - 1, {}, "received values from -1 to 254"),
        (IMAGES, MASKS.astype(int) * 2, {}, "received values from 0 to 510"),
        (IMAGES, MASKS, {"n_classes": 2}, r"classes from 0 \(background\) to 1, received 2 in row 0 and 1 such rows"),
        (IMAGES, MASKS, {"class_names": ["a", "b"]}, "received 2 in row 0"),
        (IMAGES, MASKS, {"n_classes": 256}, "at most 255 classes, received 256"),
        (IMAGES, MASKS[:2], {}, r"received uint8 \(2, 2, 3\) beside inputs of shape \(3, 2, 2, 3\)"),
        (IMAGES, MASKS.transpose(0, 2, 1), {}, r"received uint8 \(3, 3, 2\) beside inputs"),
        (IMAGES.reshape(3, 12), MASKS, {}, r"beside inputs of shape \(3, 12\); give every image a mask"),
    ],
)
def test_masks_that_do_not_fit_are_told(inputs, masks, told, message):
    with pytest.raises(DataError, match=message):
        Table.of(inputs, masks, "scenes", **told)


def test_a_split_of_masks_is_its_contents_and_the_masks_own_digests_in_order():
    inputs, masks = np.array([[[[1]]], [[[2]]]], np.uint8), np.array([[[4]], [[3]]], np.uint8)
    rows = b"".join(hashlib.sha256(b"|u1 1x1x1\n" + bytes([value])).digest() for value in (1, 2))
    own = b"".join(hashlib.sha256(b"|u1 1x1\n" + bytes([value])).digest() for value in (4, 3))
    assert split_digest(Examples(inputs, masks, np.arange(2))) == hashlib.sha256(rows + own).hexdigest()
    assert rows_digest(content_digests(inputs), content_digests(masks)) == hashlib.sha256(rows + own).hexdigest()
    changed = split_digest(Examples(inputs, masks[::-1], np.arange(2)))
    assert changed != split_digest(Examples(inputs, masks, np.arange(2)))


def test_equal_images_are_copies_whatever_their_masks():
    images = (np.arange(40, dtype=np.uint8) // 2).reshape(40, 1, 1, 1)
    table = Table.of(images, np.arange(40).reshape(40, 1, 1) % 2, "scenes")
    sizes = {"train": "rest", "scoring": 4, "selection": 4, "calibration": 4, "test": 4}
    with pytest.raises(DataError, match="expected splits that share no content"):
        split(table, sizes, 0)
    splits = split(table, sizes, 0, "drop")
    held = [set(images[rows].ravel().tolist()) for rows in splits.rows.values()]
    assert len(set.union(*held)) == sum(map(len, held))
    assert splits.take(table, "test").labels.shape == (4, 1, 1)


def test_masks_are_not_joined_with_rows_without_labels():
    with pytest.raises(DataError, match="scenes: expected one label for each row, received masks"):
        join(Table.of(IMAGES, MASKS, "scenes"), Table.of(IMAGES, None, "others"))
