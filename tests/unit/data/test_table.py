"""What a table accepts, and what it says when it does not."""

import re

import numpy as np
import pytest

from sentei.data import Examples, Table
from sentei.errors import DataError


def table(**changes):
    parts = {
        "inputs": np.zeros((3, 1, 2, 2), np.uint8),
        "labels": np.array([0, 1, 1]),
        "n_classes": 2,
        "class_names": ("cat", "dog"),
        "is_test": np.array([False, False, True]),
        "name": "pets",
    }
    return Table(**{**parts, **changes})


def test_a_good_table_is_kept_as_it_is():
    made = table()
    assert len(made) == 3
    assert made.input_shape == (1, 2, 2)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"inputs": np.zeros((3, 2), np.float64)}, "pets: inputs: expected uint8 or float32, received float64"),
        ({"inputs": np.zeros(3, np.uint8)}, r"received an array of shape \(3,\)"),
        ({"inputs": np.zeros((0, 2), np.uint8)}, r"received an array of shape \(0, 2\)"),
        ({"inputs": np.zeros((3, 0), np.uint8)}, r"received an array of shape \(3, 0\)"),
        ({"labels": np.array([0, 1])}, r"pets: labels: expected int64 of shape \(3,\).*received int64 of shape \(2,\)"),
        ({"labels": np.array([0, 1, 1], np.int32)}, "received int32"),
        ({"labels": np.array([0, 2, -2])}, "classes from 0 to 1, received 2 in row 1 and 2 such rows"),
        ({"is_test": np.zeros(3, np.uint8)}, "pets: is_test: expected bool"),
        ({"n_classes": 3}, "received n_classes 3 and 2 names"),
        ({"n_classes": 1, "class_names": ("cat",)}, "at least 2 classes"),
        ({"n_classes": 0, "class_names": ()}, "at least 2 classes"),
    ],
)
def test_a_wrong_part_is_named(changes, message):
    with pytest.raises(DataError, match=message):
        table(**changes)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_inputs_that_are_not_finite_are_refused_by_their_row(bad):
    inputs = np.zeros((3, 4), np.float32)
    inputs[1, 2] = inputs[2, 0] = bad
    with pytest.raises(DataError, match="NaN or infinity in 2 rows, first in row 1"):
        table(inputs=inputs)


def test_of_numbers_the_classes_and_assumes_no_test_part():
    made = Table.of(np.zeros((2, 3), np.float32), np.array([0, 4], np.uint8), "toy")
    assert (made.n_classes, made.class_names) == (5, ("0", "1", "2", "3", "4"))
    assert made.labels.dtype == np.int64
    assert not made.is_test.any()


def test_rows_may_lack_labels():
    assert table().labelled
    assert not table(labels=np.array([0, 1, -1])).labelled
    assert not Examples(np.zeros((2, 2), np.uint8), np.array([-1, 3]), np.arange(2)).labelled
    assert Examples(np.zeros((2, 2), np.uint8), np.array([0, 3]), np.arange(2)).labelled


@pytest.mark.parametrize(
    ("told", "n_classes", "class_names"),
    [
        ({}, 0, ()),
        ({"n_classes": 3}, 3, ("0", "1", "2")),
        ({"class_names": ["cat", "dog"]}, 2, ("cat", "dog")),
        ({"class_names": ["cat", "dog"], "n_classes": 2}, 2, ("cat", "dog")),
    ],
)
def test_of_rows_without_labels_the_classes_are_what_was_told(told, n_classes, class_names):
    made = Table.of(np.zeros((2, 3), np.float32), None, "toy", **told)
    assert made.labels.tolist() == [-1, -1]
    assert (made.n_classes, made.class_names) == (n_classes, class_names)


def test_more_classes_than_labels_occur_can_be_told_and_fewer_are_refused():
    assert Table.of(np.zeros((2, 3), np.uint8), np.array([0, 1]), "toy", n_classes=10).n_classes == 10
    with pytest.raises(DataError, match="classes from 0 to 1, received 4 in row 1"):
        Table.of(np.zeros((2, 3), np.uint8), np.array([0, 4]), "toy", n_classes=2)
    with pytest.raises(DataError, match="n_classes 3 and 2 names"):
        Table.of(np.zeros((2, 3), np.uint8), np.array([0, 1]), "toy", n_classes=3, class_names=["cat", "dog"])


@pytest.mark.parametrize("labels", [np.array([0.0, 1.0]), np.array(["a", "b"]), np.array([True, False])])
def test_labels_must_be_whole_numbers(labels):
    with pytest.raises(DataError, match=re.escape(f"received {labels.dtype}")):
        Table.of(np.zeros((2, 3), np.float32), labels, "toy")


@pytest.mark.parametrize(("n_inputs", "n_labels", "n_rows"), [(0, 0, 0), (2, 1, 2), (2, 2, 1)])
def test_examples_have_one_label_and_one_row_each(n_inputs, n_labels, n_rows):
    with pytest.raises(DataError, match=f"received {n_inputs} inputs, {n_labels} labels and {n_rows} rows"):
        Examples(np.zeros((n_inputs, 2), np.uint8), np.zeros(n_labels, np.int64), np.arange(n_rows))
