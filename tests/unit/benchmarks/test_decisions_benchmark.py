"""The families whose decisions are timed are what they are called."""

import numpy as np
import pytest

from sentei.risk import Counts
from tests.bench.decisions import Family, StoredColumns, families, memory, timed


def test_every_variant_helps_as_many_rows_and_harms_one_more_than_the_one_before():
    family = Family(n_variants=4, n_rows=400)
    dense = np.repeat(np.array([1, 0], np.uint8), [20, 380])
    counts = [Counts.of(family.columns(name)["loss"], dense) for name in family.names]
    assert [one.n_helped for one in counts] == [10] * 4
    assert [one.n_harmed for one in counts] == [10, 11, 12, 13]


def test_families_end_as_told():
    told = {(one["order"], one["ends"]): one for one in families(n_variants=5, n_rows=20_000, repeats=2)}
    assert len(told) == 4
    for (_, ends), one in told.items():
        assert one["n_tested"] == (5 if ends == "all pass" else 1)
        assert one["n_certified"] == (5 if ends == "all pass" else 0)


def test_memory_does_not_grow_with_the_losses_of_the_family():
    """Thirty variants more have 1.2 MB of losses more; what the decision says of them is far smaller."""
    few, many = (memory(n_variants, 20_000) for n_variants in (10, 40))
    assert many["n_tested"] == 40
    assert many["losses_bytes"] - few["losses_bytes"] == 1_200_000
    assert many["peak_bytes"] - few["peak_bytes"] < 120_000


def test_stored_columns_are_read_when_they_are_asked_for(tmp_path):
    stored = StoredColumns(tmp_path, ("a", "b"))
    np.savez(tmp_path / "b.npz", loss=np.array([1, 0], np.uint8))
    assert list(stored) == ["a", "b"]
    assert stored["b"]["loss"].tolist() == [1, 0]
    with pytest.raises(FileNotFoundError):
        stored["a"]


def test_a_call_is_made_once_more_than_it_is_timed():
    calls = []
    told = timed(lambda: calls.append(None), repeats=3)
    assert len(calls) == 4
    assert told["lower_quartile_s"] <= told["median_s"] <= told["upper_quartile_s"]
