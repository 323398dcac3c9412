"""Several processes train one network as one process does, and end with the same weights."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from sentei.data import Examples, Preprocessing
from sentei.errors import ModelError
from sentei.models import TrainSettings
from sentei.models.loop import Loop
from sentei.models.ranks import Ranks
from tests.unit.models.together import CASES, network, train_all

NUMBERS = ("n_saved", "losses", "held_out")
DRAWN = ("random", "repeated")


def run_together(folder: Path, n_ranks: int) -> None:
    folder.mkdir(exist_ok=True)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    common = {**os.environ, "WORLD_SIZE": str(n_ranks), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    workers = [
        subprocess.Popen(
            [sys.executable, "-W", "error", "-m", "tests.unit.models.together", str(folder)],
            env={**common, "RANK": str(rank), "LOCAL_RANK": str(rank)},
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(n_ranks)
    ]
    complaints = [worker.communicate(timeout=240)[1] for worker in workers]
    assert [worker.returncode for worker in workers] == [0] * n_ranks, complaints


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """Folders of the results, by the number of processes."""
    root = tmp_path_factory.mktemp("together")
    (root / "1").mkdir()
    train_all(root / "1")
    for n_ranks in (2, 3):
        run_together(root / str(n_ranks), n_ranks)
    return root


def read(folder: Path, case: str, rank: int, n_ranks: int) -> dict[str, np.ndarray]:
    with np.load(folder / f"{case}-{rank}-of-{n_ranks}.npz") as file:
        return dict(file)


@pytest.mark.parametrize("n_ranks", [2, 3])
@pytest.mark.parametrize("case", CASES)
def test_all_ranks_end_with_the_same_weights_and_rank_0_alone_speaks(results, case, n_ranks):
    found = [read(results / str(n_ranks), case, rank, n_ranks) for rank in range(n_ranks)]
    assert [int(one["n_saved"]) for one in found] == [3, *[0] * (n_ranks - 1)]
    for one in found[1:]:
        for name in set(one) - {"n_saved"}:
            assert np.array_equal(one[name], found[0][name]), name


@pytest.mark.parametrize("n_ranks", [2, 3])
@pytest.mark.parametrize("case", [case for case in CASES if case not in DRAWN])
def test_weights_losses_and_statistics_are_those_of_one_process(results, case, n_ranks):
    """53 rows in batches of 14, 13, 13, 13: no part is as large as all others, and each row is counted once."""
    alone, together = read(results / "1", case, 0, 1), read(results / str(n_ranks), case, 0, n_ranks)
    assert set(alone) == set(together)
    for name in alone:
        np.testing.assert_allclose(together[name], alone[name], rtol=2e-4, atol=2e-5, err_msg=name)


def test_what_is_drawn_for_each_row_differs_between_numbers_of_processes(results):
    alone, together = read(results / "1", "random", 0, 1), read(results / "2", "random", 0, 2)
    assert not np.allclose(alone["0.weight"], together["0.weight"], atol=1e-6)
    np.testing.assert_allclose(together["losses"], alone["losses"], rtol=0.2)


@pytest.mark.parametrize("n_ranks", [2, 3])
def test_the_same_number_of_processes_repeats_bit_for_bit(results, n_ranks):
    first, again = (read(results / str(n_ranks), case, 0, n_ranks) for case in DRAWN)
    assert all(np.array_equal(first[name], again[name]) for name in first)


@pytest.mark.parametrize("n_ranks", [1, 2, 3])
def test_a_resumed_training_equals_an_uninterrupted_one_bit_for_bit(results, n_ranks):
    """Rank 0 alone has the state of the first epoch; the others get it from there."""
    whole, resumed = (read(results / str(n_ranks), case, 0, n_ranks) for case in ("plain", "resumed"))
    for name in set(whole) - {"n_saved"}:
        assert np.array_equal(whole[name], resumed[name]), name


@pytest.mark.parametrize("n_ranks", [1, 2, 4, 7])
def test_parts_are_the_batch_and_differ_by_one_row_at_most(n_ranks):
    batch = torch.randperm(23)
    parts = [Ranks(rank, n_ranks, torch.device("cpu")).share(batch) for rank in range(n_ranks)]

    assert torch.equal(torch.cat(parts), batch)
    assert max(map(len, parts)) - min(map(len, parts)) <= 1


def test_a_batch_without_a_row_for_each_process_is_refused():
    inputs = np.zeros((5, 1, 8, 8), np.uint8) + np.arange(5, dtype=np.uint8)[:, None, None, None]
    rows, settings = Examples(inputs, np.arange(5) % 4, np.arange(5)), TrainSettings(epochs=1, batch_size=4)
    ranks = Ranks(0, 3, torch.device("cpu"))
    with pytest.raises(ModelError, match="2 batches, the smallest of 2 rows; expected a row for each of 3 processes"):
        Loop(network("plain"), rows, Preprocessing.of(rows), settings, 0, ranks, {}, None)
