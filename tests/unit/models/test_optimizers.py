"""torch's optimisers are set up as the settings say, and their memory survives being written down."""

from dataclasses import replace

import pytest
import torch

from sentei.errors import ModelError
from sentei.models import TrainSettings
from sentei.models.optimizers import make_optimizer, memory_of, remind

BOTH = [
    TrainSettings(epochs=1, weight_decay=0.1, learning_rate=0.1),
    TrainSettings(epochs=1, weight_decay=0.1, learning_rate=0.1, optimizer="adamw"),
]


def net() -> torch.nn.Module:
    torch.manual_seed(0)
    layers = torch.nn.Conv2d(2, 4, 3), torch.nn.BatchNorm2d(4), torch.nn.Flatten(), torch.nn.Linear(16, 3)
    return torch.nn.Sequential(*layers).to(memory_format=torch.channels_last)


def step(model: torch.nn.Module, optimizer: torch.optim.Optimizer, seed: int) -> None:
    rows = torch.randn(8, 2, 4, 4, generator=torch.Generator().manual_seed(seed))
    optimizer.zero_grad()
    model(rows).square().mean().backward()
    optimizer.step()


@pytest.mark.parametrize("settings", BOTH)
def test_only_weights_of_two_or_more_dimensions_decay(settings):
    model = net()
    before = [parameter.detach().clone() for parameter in model.parameters()]
    for parameter in model.parameters():
        parameter.grad = torch.zeros_like(parameter)
    make_optimizer(model, replace(settings, momentum=0.0)).step()  # momentum looks ahead: it would decay more

    for was, now in zip(before, model.parameters(), strict=True):
        torch.testing.assert_close(now, was * (1 - 0.1 * 0.1) if was.dim() > 1 else was)


@pytest.mark.parametrize("settings", BOTH)
def test_a_reminded_optimizer_takes_the_same_steps_in_the_same_memory_format(settings):
    model, copy = net(), net()
    optimizer, reminded = make_optimizer(model, settings), make_optimizer(copy, settings)
    assert memory_of(optimizer) == {}
    for seed in range(3):
        step(model, optimizer, seed)
    memory = {key: tensor.clone(memory_format=torch.contiguous_format) for key, tensor in memory_of(optimizer).items()}
    copy.load_state_dict(model.state_dict())
    remind(reminded, memory)
    for each, its_own in ((model, optimizer), (copy, reminded)):
        step(each, its_own, 3)

    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), copy.parameters(), strict=True))
    for key, tensor in memory_of(reminded).items():
        assert tensor.stride() == memory_of(optimizer)[key].stride(), key


def test_a_network_that_cannot_learn_is_refused():
    with pytest.raises(ModelError, match="no parameter to train"):
        make_optimizer(torch.nn.Flatten(), TrainSettings(epochs=1))
