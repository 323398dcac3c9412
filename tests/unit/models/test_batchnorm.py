"""Re-estimated statistics are those of all rows together."""

import numpy as np
import pytest
import torch
from torch import nn

from sentei.data import Preprocessing
from sentei.models import reestimate_batchnorm

PLAIN = Preprocessing(1.0, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0))
ROWS = np.random.default_rng(0).normal(2.0, 3.0, (50, 3, 4, 4)).astype(np.float32)


def net() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 5, 3), nn.BatchNorm2d(5), nn.Dropout(0.5), nn.ReLU(), nn.Conv2d(5, 2, 1), nn.BatchNorm2d(2)
    ).eval()


@pytest.mark.parametrize("batch_size", [7, 16, 50, 1000])
def test_the_first_layer_has_the_statistics_of_all_rows(batch_size):
    """Batches of unequal size, yet mean and unbiased variance are those of the whole."""
    model = net()
    reestimate_batchnorm(model, ROWS, PLAIN, batch_size)
    with torch.no_grad():
        seen = model[0](torch.from_numpy(ROWS)).double()

    torch.testing.assert_close(model[1].running_mean.double(), seen.mean((0, 2, 3)), rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(model[1].running_var.double(), seen.var((0, 2, 3)), rtol=1e-5, atol=1e-6)


def test_with_one_batch_eval_mode_equals_train_mode():
    """Up to the unbiased variance: n / (n - 1)."""
    model = net()
    reestimate_batchnorm(model, ROWS, PLAIN, 50)
    with torch.no_grad():
        first = nn.functional.batch_norm(
            model[0](torch.from_numpy(ROWS)), None, None, model[1].weight, model[1].bias, training=True
        )
        second = model[4](first.relu()).double()

    torch.testing.assert_close(model[5].running_mean.double(), second.mean((0, 2, 3)), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(model[5].running_var.double(), second.var((0, 2, 3)), rtol=1e-4, atol=1e-5)


def test_nothing_else_changes():
    model = net()
    before = {name: value.clone() for name, value in model.named_parameters()}
    model[3].train()
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    reestimate_batchnorm(model, ROWS, PLAIN, 16)

    assert torch.equal(torch.rand(1), expected)  # dropout drew nothing
    assert [module.training for module in model] == [False, False, False, True, False, False]
    assert model[1].momentum == 0.1
    assert model[1].num_batches_tracked == 4
    assert all(torch.equal(before[name], value) for name, value in model.named_parameters())
    assert all(parameter.grad is None for parameter in model.parameters())


def test_without_batchnorm_nothing_happens():
    model = nn.Sequential(nn.Conv2d(3, 2, 1)).eval()
    reestimate_batchnorm(model, ROWS[:0], PLAIN)


@pytest.mark.parametrize(("n_rows", "batch_size"), [(1, 16), (10, 1)])
def test_one_row_has_no_variance(n_rows, batch_size):
    with pytest.raises(ValueError, match="two rows"):
        reestimate_batchnorm(net(), ROWS[:n_rows], PLAIN, batch_size)


def test_a_failure_leaves_the_statistics_alone():
    model = net()
    with pytest.raises(RuntimeError):
        reestimate_batchnorm(model, ROWS[:, :, :1], PLAIN, 16)

    assert not model[1].running_mean.any()
    assert model[1].momentum == 0.1
