"""Two processes train one network and end with the same weights."""

import os
import socket
import subprocess
import sys

import numpy as np
import pytest
import torch

from sentei.models.ranks import Ranks

WORKER = """
import sys
import numpy as np, torch
torch.set_num_threads(1)
from sentei.data import Examples, Preprocessing
from sentei.models import Architecture, TrainSettings, build, train
rng = np.random.default_rng(0)
examples = Examples(rng.integers(0, 256, (97, 1, 8, 8)).astype(np.uint8), np.arange(97) % 10, np.arange(97))
net = build(Architecture(name="resnet-20", input_shape=(1, 8, 8), n_classes=10, kwargs={"width": 4}), 0)
saved = []
settings = TrainSettings(epochs=2, batch_size=32, holdout=10, **eval(sys.argv[2]))
train(net, examples, Preprocessing.of(examples), settings, 0, on_epoch=saved.append)
np.savez(sys.argv[1], n_saved=len(saved), **{k: v.numpy() for k, v in net.state_dict().items()})
"""


@pytest.mark.parametrize("fields", [{}, {"penalty": "group-lasso", "penalty_strength": 0.01}])
def test_two_ranks_end_with_the_same_weights(tmp_path, fields):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    common = {**os.environ, "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    workers = [
        subprocess.Popen(
            [sys.executable, "-W", "error", "-c", WORKER, str(tmp_path / f"{rank}.npz"), repr(fields)],
            env={**common, "RANK": str(rank), "LOCAL_RANK": str(rank)},
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(2)
    ]
    complaints = [worker.communicate(timeout=120)[1] for worker in workers]
    assert [worker.returncode for worker in workers] == [0, 0], complaints

    first, second = (np.load(tmp_path / f"{rank}.npz") for rank in range(2))
    assert (int(first["n_saved"]), int(second["n_saved"])) == (2, 0)  # rank 0 alone speaks
    for name in set(first.files) - {"n_saved"}:
        assert np.array_equal(first[name], second[name]), name


def test_shares_are_disjoint_and_equally_long():
    order = torch.randperm(23)
    shares = [Ranks(rank, 4, torch.device("cpu")).share(order) for rank in range(4)]

    assert [len(share) for share in shares] == [5] * 4
    assert sorted(torch.cat(shares).tolist()) == sorted(order[:20].tolist())
