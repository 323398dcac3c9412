"""Laws of splitting that hold for any table."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sentei.data import SPLITS, Table, join, split
from sentei.errors import DataError

sizes = st.fixed_dictionaries({name: st.integers(1, 5) for name in SPLITS[1:]})
seeds = st.integers(0, 2**63)


@st.composite
def tables(draw, most_repeats):
    """60 rows of 3 bytes; some of them repeat others."""
    values = np.arange(60)
    for target, origin in draw(st.lists(st.tuples(st.integers(0, 59), st.integers(0, 59)), max_size=most_repeats)):
        values[target] = values[origin]
    inputs = np.stack([values, values + 1, values // 2], axis=1).astype(np.uint8)
    labels = np.array(draw(st.lists(st.integers(0, 3), min_size=60, max_size=60)))
    n_test = draw(st.sampled_from([0, 20]))
    names = ("a", "b", "c", "d")
    return Table.of(inputs, labels, "any", class_names=names, is_test=np.arange(60) < n_test)


def contents(table, rows):
    return {table.inputs[row].tobytes() for row in rows}


@settings(deadline=None)
@given(tables(most_repeats=15), sizes, seeds)
def test_dropped_splits_share_no_content_and_have_the_sizes_asked_for(table, asked, seed):
    splits = split(table, {**asked, "train": "rest"}, seed, "drop")
    assert {name: len(splits.rows[name]) for name in asked} == asked
    held = [contents(table, splits.rows[name]) for name in SPLITS]
    assert len(set.union(*held)) == sum(map(len, held))
    dealt = np.concatenate([splits.rows[name] for name in SPLITS])
    assert len(set(dealt.tolist())) == len(dealt)
    assert set(dealt.tolist()) <= set(range(len(table)))


@settings(deadline=None)
@given(tables(most_repeats=15), sizes, seeds)
def test_every_row_is_dealt_or_counted_as_dropped(table, asked, seed):
    own = int(table.is_test.sum())
    splits = split(table, {**asked, "train": "rest"}, seed, "drop")
    unused = own - asked["test"] if own else 0
    assert sum(map(len, splits.rows.values())) + sum(splits.dropped.values()) == len(table) - unused


@settings(deadline=None)
@given(tables(most_repeats=3), sizes, seeds)
def test_refusing_accepts_exactly_the_splits_that_share_no_content(table, asked, seed):
    """Brute force: the same rows dealt out by the permutation alone, compared pair by pair."""
    order = np.random.Generator(np.random.PCG64(seed)).permutation(len(table))
    pools = {True: [r for r in order if table.is_test[r]], False: [r for r in order if not table.is_test[r]]}
    rows = {}
    for name in ("test", "calibration", "selection", "scoring", "train"):
        pool = pools[name == "test" and bool(pools[True])]
        n_rows = asked.get(name, len(pool))
        rows[name], pool[:n_rows] = pool[:n_rows], []
    shared = any(contents(table, rows[a]) & contents(table, rows[b]) for a in SPLITS for b in SPLITS if a < b)
    if shared:
        with pytest.raises(DataError, match="expected splits that share no content"):
            split(table, {**asked, "train": "rest"}, seed)
    else:
        found = split(table, {**asked, "train": "rest"}, seed)
        assert {name: found.rows[name].tolist() for name in SPLITS} == {name: list(rows[name]) for name in SPLITS}


@settings(deadline=None)
@given(tables(most_repeats=0), sizes, seeds, st.randoms(use_true_random=False))
def test_the_rows_drawn_depend_on_the_seed_and_never_on_labels_or_inputs(table, asked, seed, random):
    labels, values = table.labels.tolist(), list(range(60))
    random.shuffle(labels)
    random.shuffle(values)
    other = Table.of(
        table.inputs[values], np.array(labels), "other", class_names=table.class_names, is_test=table.is_test
    )
    for name in SPLITS:
        one, two = (split(some, {**asked, "train": "rest"}, seed).rows[name] for some in (table, other))
        assert one.tolist() == two.tolist()


@settings(deadline=None)
@given(tables(most_repeats=0), sizes)
def test_another_seed_draws_other_rows(table, asked):
    """Two of 2**64 seeds agree on 60 rows with a chance below 1e-60; eight seeds must all differ."""
    drawn = {split(table, {**asked, "train": "rest"}, seed).rows["train"].tobytes() for seed in range(8)}
    assert len(drawn) == 8


@settings(deadline=None)
@given(tables(most_repeats=0), tables(most_repeats=15), sizes, seeds)
def test_a_claims_rows_come_from_the_unlabelled_ones_and_no_others_do(table, bare, asked, seed):
    """The unlabelled rows are made new by their last byte, which no labelled row has."""
    fresh = bare.inputs.copy()
    fresh[:, 2] += 100
    both = join(table, Table.of(fresh, None, "bare"))
    splits = split(both, {**asked, "train": "rest"}, seed, "drop")
    for name in SPLITS:
        part = splits.take(both, name)
        assert part.labelled == (name not in ("selection", "calibration"))
        assert (part.labels == -1).all() or part.labelled
    assert {name: len(splits.rows[name]) for name in asked} == asked
    held = [contents(both, splits.rows[name]) for name in SPLITS]
    assert len(set.union(*held)) == sum(map(len, held))


@settings(deadline=None)
@given(tables(most_repeats=0), sizes, seeds)
def test_a_table_without_any_label_is_dealt_like_one_with_labels(table, asked, seed):
    bare = Table.of(table.inputs, None, "bare", class_names=table.class_names, is_test=table.is_test)
    one, two = (split(some, {**asked, "train": "rest"}, seed) for some in (table, bare))
    for name in SPLITS:
        assert one.rows[name].tolist() == two.rows[name].tolist()
