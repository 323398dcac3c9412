"""Splits of small tables whose duplicates are known."""

import numpy as np
import pytest

from sentei.data import SPLITS, Table, split
from sentei.errors import DataError

SIZES = {"train": "rest", "scoring": 2, "selection": 3, "calibration": 4, "test": 5}


def table(values, n_test=0):
    inputs = np.asarray(values, np.uint8).reshape(-1, 1)
    return Table.of(inputs, np.arange(len(inputs)) % 2, "toy", is_test=np.arange(len(inputs)) >= len(inputs) - n_test)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"train": 0}, 'train: expected a whole number of at least 1 or "rest", received 0'),
        ({"scoring": "rest"}, "scoring: expected a whole number of at least 1, received 'rest'"),
        ({"selection": -3}, "received -3"),
        ({"calibration": 2.0}, "received 2.0"),
        ({"calibration": True}, "received True"),
        ({"test": "rest"}, 'test: expected a whole number of at least 1 or "own"'),
        ({"test": "own"}, "the data set has no test part; give a number"),
        ({"validation": 3}, "'validation' is unknown"),
        ({"calibration": 26}, "toy: calibration: expected 26 rows, but only 25 are left"),
        ({"calibration": 20}, "toy: train: expected at least 1 row, but only 0 are left"),
    ],
)
def test_sizes_that_cannot_be_had_are_refused(change, message):
    with pytest.raises(DataError, match=message):
        split(table(range(30)), {**SIZES, **change}, 0)


@pytest.mark.parametrize("name", SPLITS)
def test_every_split_needs_a_size(name):
    with pytest.raises(DataError, match=f"'{name}' has no size"):
        split(table(range(30)), {key: size for key, size in SIZES.items() if key != name}, 0)


def test_a_wrong_seed_or_duplicates_rule_is_refused():
    with pytest.raises(DataError, match="seed: expected a whole number of at least 0, received -1"):
        split(table(range(30)), SIZES, -1)
    with pytest.raises(DataError, match="received 'ignore'"):
        split(table(range(30)), SIZES, 0, "ignore")


def test_rows_of_the_own_test_part_are_test_or_nothing():
    own = split(table(range(30), n_test=8), {**SIZES, "test": "own"}, 0).rows
    some = split(table(range(30), n_test=8), SIZES, 0).rows
    assert sorted(own["test"]) == list(range(22, 30))
    assert len(some["test"]) == 5
    assert min(some["test"]) >= 22
    for rows in (own, some):
        assert max(max(rows[name]) for name in SPLITS if name != "test") < 22
    with pytest.raises(DataError, match="test: expected 9 rows, but only 8"):
        split(table(range(30), n_test=8), {**SIZES, "test": 9}, 0)


def test_a_duplicate_across_splits_is_refused_with_both_rows():
    """With one own test row, equal to row 3 of a table that is otherwise all different."""
    values = [*range(29), 3]
    with pytest.raises(DataError, match=r"received 1 rows.*row 29 \(test\) = row 3 \("):
        split(table(values, n_test=1), {**SIZES, "test": "own"}, 0)


def test_only_the_first_five_of_many_duplicates_are_shown():
    with pytest.raises(DataError, match="received 10 rows that repeat") as caught:
        split(table([*range(20), *range(10)], n_test=10), {**SIZES, "test": "own"}, 0)
    assert str(caught.value).count(" = row ") == 5


def test_duplicates_within_a_split_are_no_leak():
    rows = split(table([*range(20), 99, 99], n_test=2), {**SIZES, "test": "own"}, 0).rows
    assert sorted(rows["test"]) == [20, 21]


def test_dropping_counts_every_row_that_a_claim_split_already_holds():
    """The ten test rows repeat rows 0 to 9, so these leave, and nothing else does."""
    splits = split(table([*range(20), *range(10)], n_test=10), {**SIZES, "test": "own"}, 0, "drop")
    assert sum(splits.dropped.values()) == 10
    assert splits.dropped["test"] == 0
    others = np.concatenate([splits.rows[name] for name in SPLITS if name != "test"])
    assert sorted(others) == list(range(10, 20))


def test_dropping_does_not_hide_a_lack_of_rows():
    with pytest.raises(DataError, match=r"only 2 are left \(10 more repeat others\)"):
        split(table([*range(12), *range(10)], n_test=10), {**SIZES, "test": "own"}, 0, "drop")


def test_the_permutation_is_numpys_own():
    """PCG64's permutation of the row numbers, cut in the order test, calibration, selection, scoring, train."""
    order = np.random.Generator(np.random.PCG64(7)).permutation(30)
    rows = split(table(range(30)), SIZES, 7).rows
    found = np.concatenate([rows[name] for name in ("test", "calibration", "selection", "scoring", "train")])
    assert found.tolist() == order.tolist()


def test_take_gives_the_rows_of_a_split_and_knows_its_table():
    whole = table(range(30))
    splits = split(whole, SIZES, 0)
    examples = splits.take(whole, "selection")
    assert examples.inputs.ravel().tolist() == splits.rows["selection"].tolist()
    assert examples.labels.tolist() == (splits.rows["selection"] % 2).tolist()
    with pytest.raises(DataError, match=r"expected one of train, scoring, .* received 'validation'"):
        splits.take(whole, "validation")
    with pytest.raises(DataError, match="received toy with 3 rows"):
        splits.take(table(range(3)), "train")


def repeated_rows(n, times):
    inputs = np.repeat(np.arange(n, dtype=np.uint8)[:, None] * np.ones(3, np.uint8), times, axis=0)
    return Table.of(inputs, np.arange(len(inputs)) % 2, "copies")


@pytest.mark.parametrize("name", ["selection", "calibration"])
def test_rows_that_are_counted_as_independent_are_each_of_another_content(name):
    sizes = {"train": "rest", "scoring": 10, "selection": 40, "calibration": 60, "test": 20}
    table = repeated_rows(200, 3)
    made = split(table, sizes, seed=1, duplicates="drop").take(table, name)
    assert len(np.unique(made.inputs, axis=0)) == len(made) == sizes[name]


def test_a_content_twice_in_calibration_is_refused_with_both_rows():
    inputs = np.arange(60, dtype=np.uint8)[:, None]
    inputs[1] = inputs[0]
    table = Table.of(inputs, np.arange(60) % 2, "copies")
    for seed in range(40):
        sizes = {"train": "rest", "scoring": 2, "selection": 2, "calibration": 40, "test": 2}
        rows = np.random.Generator(np.random.PCG64(seed)).permutation(60)
        if {0, 1} <= set(rows[2:42].tolist()):
            with pytest.raises(DataError, match=r"row [01] \(calibration\) = row [01] \(calibration\)"):
                split(table, sizes, seed=seed, duplicates="refuse")
            return
    raise AssertionError("no seed put both rows into calibration")
