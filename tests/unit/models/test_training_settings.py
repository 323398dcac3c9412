"""Settings are checked when they are made; the schedule is a rise and a cosine."""

import json

import numpy as np
import pytest
import torch

from sentei.models import TrainSettings
from sentei.models.rows import near_equal_batches
from sentei.models.schedule import rate_factor


@pytest.mark.parametrize(
    "fields",
    [
        {"epochs": -1},
        {"batch_size": 0},
        {"learning_rate": 0.0},
        {"learning_rate": float("nan")},
        {"optimizer": "adam"},
        {"momentum": 1.0},
        {"weight_decay": -0.1},
        {"warmup_epochs": -1},
        {"label_smoothing": 1.0},
        {"patience": -1},
        {"patience": 2},
        {"holdout": -1},
        {"distil": 1.5},
        {"temperature": 0.0},
        {"precision": "float16"},
        {"augment": "mixup"},
        {"penalty": "l0"},
        {"penalty": "bn-l1", "penalty_strength": -0.1},
        {"penalty_strength": 0.1},
    ],
)
def test_settings_outside_their_range_are_refused(fields):
    with pytest.raises(ValueError, match=next(reversed(fields))):
        TrainSettings(**{"epochs": 1, **fields})


def test_settings_survive_json():
    settings = TrainSettings(epochs=3, optimizer="adamw", patience=2, holdout=10, warmup_epochs=0.5)

    assert TrainSettings.from_dict(json.loads(json.dumps(settings.to_dict()))) == settings


def test_the_cosine_is_torchs():
    parameter = torch.nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.SGD([parameter], lr=1.0)
    reference = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=20)
    rates = []
    for _ in range(20):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        reference.step()

    assert np.allclose([rate_factor(step, 20, 0) for step in range(20)], rates, atol=1e-12)


@pytest.mark.parametrize("n_warmup", [0, 1, 5, 19])
def test_the_rate_rises_to_its_top_and_falls_without_reaching_zero(n_warmup):
    factors = [rate_factor(step, 20, n_warmup) for step in range(20)]

    assert factors[n_warmup] == 1.0
    assert factors[: n_warmup + 1] == sorted(factors[: n_warmup + 1])
    assert factors[n_warmup:] == sorted(factors[n_warmup:], reverse=True)
    assert min(factors) > 0


@pytest.mark.parametrize(("n", "size"), [(1, 1), (10, 4), (257, 128), (128, 128), (7, 100)])
def test_batches_cover_all_rows_once_and_none_is_tiny(n, size):
    batches = near_equal_batches(torch.arange(n), size)
    sizes = [len(batch) for batch in batches]

    assert torch.cat(list(batches)).tolist() == list(range(n))
    assert len(batches) == -(-n // size)
    assert max(sizes) <= size
    assert max(sizes) - min(sizes) <= 1
