"""Rows with labels and rows without, in one table."""

import numpy as np
import pytest

from sentei.data import Table, join, split
from sentei.errors import DataError

PETS = Table.of(
    np.arange(12, dtype=np.uint8).reshape(6, 2),
    np.array([0, 1, 0, 1, 0, 1]),
    "pets",
    class_names=["cat", "dog"],
    is_test=np.arange(6) == 5,
)
STRAYS = Table.of(np.arange(100, 108, dtype=np.uint8).reshape(4, 2), None, "strays")
SIZES = {"train": "rest", "scoring": 1, "selection": 2, "calibration": 2, "test": 1}


def test_the_labelled_rows_come_first_and_tell_the_classes():
    both = join(PETS, STRAYS)
    assert both.inputs.tobytes() == PETS.inputs.tobytes() + STRAYS.inputs.tobytes()
    assert both.labels.tolist() == [*PETS.labels.tolist(), -1, -1, -1, -1]
    assert (both.n_classes, both.class_names) == (2, ("cat", "dog"))
    assert both.is_test.tolist() == [False] * 5 + [True] + [False] * 4


def test_labels_and_test_parts_of_the_second_are_forgotten():
    known = Table.of(STRAYS.inputs, np.array([7, 8, 9, 9]), "strays", is_test=np.ones(4, bool))
    for part in ("labels", "is_test"):
        assert getattr(join(PETS, known), part).tolist() == getattr(join(PETS, STRAYS), part).tolist()


def test_selection_and_calibration_are_drawn_from_the_rows_without_labels():
    splits = split(join(PETS, STRAYS), SIZES, seed=0)
    assert {*splits.rows["selection"], *splits.rows["calibration"]} == {6, 7, 8, 9}
    assert splits.rows["test"].tolist() == [5]
    assert {*splits.rows["train"], *splits.rows["scoring"]} == {0, 1, 2, 3, 4}


def test_there_must_be_enough_rows_without_labels():
    with pytest.raises(DataError, match="pets and strays: selection: expected 3 rows, but only 2 are left"):
        split(join(PETS, STRAYS), {**SIZES, "selection": 3}, seed=0)


def test_a_row_that_is_in_both_is_refused_or_leaves_train():
    copied = Table.of(np.concatenate([STRAYS.inputs[:3], PETS.inputs[:1]]), None, "strays")
    with pytest.raises(DataError, match=r"row 9 \((selection|calibration)\) = row 0 \((train|scoring)\)"):
        split(join(PETS, copied), SIZES, seed=0)
    dropped = split(join(PETS, copied), SIZES, seed=0, duplicates="drop")
    assert 0 not in [*dropped.rows["train"], *dropped.rows["scoring"]]


@pytest.mark.parametrize(
    ("second", "message"),
    [
        (np.zeros((2, 3), np.uint8), r"strays: expected uint8 rows of shape \(2,\) like those of pets, received uint8"),
        (np.zeros((2, 2), np.float32), r"received float32 \(2,\)"),
    ],
)
def test_rows_of_another_form_are_refused(second, message):
    with pytest.raises(DataError, match=message):
        join(PETS, Table.of(second, None, "strays"))


def test_the_first_table_has_a_label_for_every_row():
    with pytest.raises(DataError, match="strays: expected labels for every row, because strays already brings"):
        join(STRAYS, STRAYS)
