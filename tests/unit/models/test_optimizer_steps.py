"""Our optimisers take the steps that torch's take."""

import pytest
import torch

from sentei.models import TrainSettings
from sentei.models.optimizers import make_optimizer


def net() -> torch.nn.Module:
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Linear(5, 4), torch.nn.BatchNorm1d(4), torch.nn.Linear(4, 3))


def reference_of(model: torch.nn.Module, settings: TrainSettings) -> torch.optim.Optimizer:
    groups = [
        {"params": [p for p in model.parameters() if p.dim() > 1], "weight_decay": settings.weight_decay},
        {"params": [p for p in model.parameters() if p.dim() <= 1], "weight_decay": 0.0},
    ]
    if settings.optimizer == "adamw":
        return torch.optim.AdamW(groups, lr=settings.learning_rate, foreach=True)
    return torch.optim.SGD(
        groups, lr=settings.learning_rate, momentum=settings.momentum, nesterov=settings.momentum > 0, foreach=True
    )


@pytest.mark.parametrize(
    "settings",
    [
        TrainSettings(epochs=1, weight_decay=0.1),
        TrainSettings(epochs=1, weight_decay=0.0),
        TrainSettings(epochs=1, momentum=0.0),
        TrainSettings(epochs=1, optimizer="adamw", learning_rate=0.01, weight_decay=0.1),
    ],
)
def test_ten_steps_are_torchs_ten_steps(settings):
    ours, theirs = net(), net()
    optimizer, reference = make_optimizer(ours, settings), reference_of(theirs, settings)
    for step in range(10):
        rows = torch.randn(8, 5, generator=torch.Generator().manual_seed(step))
        for model in (ours, theirs):
            model.zero_grad()
            model(rows).square().mean().backward()
        rate = settings.learning_rate * (1 - step / 10)
        for group in reference.param_groups:
            group["lr"] = rate
        optimizer.step(rate, step)
        reference.step()

    for mine, reference_parameter in zip(ours.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(mine, reference_parameter, rtol=1e-6, atol=1e-7)


def test_parameters_without_gradient_stay():
    model = net()
    before = [parameter.clone() for parameter in model.parameters()]
    optimizer = make_optimizer(model, TrainSettings(epochs=1))
    optimizer.step(0.1, 0)
    model[0].weight.grad = torch.ones_like(model[0].weight)
    optimizer.step(0.1, 0)
    moved = [not torch.equal(a, b) for a, b in zip(model.parameters(), before, strict=True)]

    assert moved == [True] + [False] * 5
