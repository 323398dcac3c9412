"""Digests of rows and splits, against hashlib on bytes written out by hand."""

import hashlib
import struct

import numpy as np

from sentei.data import Examples, content_digests, split_digest


def test_a_row_of_bytes_is_hashed_after_its_type_and_shape():
    inputs = np.array([[[[1, 2], [3, 4]]]], np.uint8)
    expected = hashlib.sha256(b"|u1 1x2x2\n" + bytes([1, 2, 3, 4])).digest()
    assert content_digests(inputs).tobytes() == expected


def test_a_row_of_floats_is_hashed_little_endian():
    expected = hashlib.sha256(b"<f4 2\n" + struct.pack("<2f", 0.5, -3.0)).digest()
    for order in "<>":
        assert content_digests(np.array([[0.5, -3.0]], f"{order}f4")).tobytes() == expected


def test_the_memory_layout_does_not_matter():
    inputs = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
    assert (content_digests(np.asfortranarray(inputs)) == content_digests(inputs)).all()
    assert (content_digests(inputs[::-1]) == content_digests(inputs)[::-1]).all()


def test_equal_bytes_of_another_type_or_shape_are_other_contents():
    row = np.arange(16, dtype=np.uint8)
    views = [row.reshape(1, *shape) for shape in [(16,), (4, 4), (2, 8), (1, 4, 4)]] + [row.view(np.float32)[None]]
    assert len({content_digests(view).tobytes() for view in views}) == len(views)


def test_a_split_is_its_contents_and_labels_in_order():
    inputs, labels = np.array([[1], [2]], np.uint8), np.array([4, 3])
    rows = b"".join(hashlib.sha256(b"|u1 1\n" + bytes([value])).digest() for value in (1, 2))
    expected = hashlib.sha256(rows + struct.pack("<2q", 4, 3)).hexdigest()
    assert split_digest(Examples(inputs, labels, np.array([8, 9]))) == expected
    assert split_digest(Examples(inputs[::-1], labels[::-1], np.array([9, 8]))) != expected
    assert split_digest(Examples(inputs, labels[::-1], np.array([8, 9]))) != expected
