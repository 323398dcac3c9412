"""What joins the loss pulls filters, scales and weights to zero, and training keeps its promises beside it."""

import json

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from torch import nn

from sentei.data import Examples, Preprocessing
from sentei.errors import ModelError
from sentei.models import Architecture, TrainSettings, TrainState, build, logits, train
from sentei.models.penalties import Penalty
from sentei.models.settings import PENALTIES

DIGITS = load_digits()
INPUTS = (DIGITS.images * 15).astype(np.uint8)[:, None]
EXAMPLES = Examples(INPUTS[:600], DIGITS.target[:600].astype(np.int64), np.arange(600))
PREPROCESSING = Preprocessing.of(EXAMPLES)
CHOSEN = PENALTIES[1:]


@pytest.fixture(autouse=True)
def _one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def net(name: str = "resnet-20", seed: int = 0) -> torch.nn.Module:
    kwargs = {"mlp": {"hidden": [32]}, "resnet-20": {"width": 4}}[name]
    return build(Architecture(name=name, input_shape=(1, 8, 8), n_classes=10, kwargs=kwargs), seed)


def settings(penalty: str, strength: float, **fields) -> TrainSettings:
    fields = {"epochs": 2, "batch_size": 64, "learning_rate": 0.05, **fields}
    return TrainSettings(penalty=penalty, penalty_strength=strength, **fields)


def fit(model, how, seed=5, **options):
    return train(model, EXAMPLES, PREPROCESSING, how, seed, **options)


def told(model, penalty: str, strength: float) -> float:
    return Penalty(model, settings(penalty, strength))().item()


def test_a_network_is_summed_by_hand():
    """Two filters (3, 4) and (0, 5) of a linear layer, and two scales; a scale is no filter, a bias no weight."""
    model = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
    with torch.no_grad():
        model[0].weight.copy_(torch.tensor([[3.0, 4.0], [0.0, 5.0]]))
        model[1].weight.copy_(torch.tensor([-2.0, 0.5]))

    assert told(model, "group-lasso", 0.1) == pytest.approx(0.1 * 2**0.5 * (5 + 5))
    assert told(model, "bn-l1", 0.1) == pytest.approx(0.1 * 2.5)
    assert told(model, "biased-decay", 0.1) == pytest.approx(0.1 * (9 / 10 + 16 / 17 + 0 + 25 / 26))
    assert Penalty(model, TrainSettings(epochs=1))() == 0
    assert told(model, "bn-l1", 0) == 0


def test_a_filter_is_what_makes_one_output():
    """Weights of 1/2 in filters of n: the norm of each is the root of n / 4, and it counts the root of n times."""
    plain, grouped = nn.Conv2d(4, 6, 3), nn.Conv2d(4, 6, 3, groups=2)
    transposed, attention = nn.ConvTranspose2d(4, 6, 3, groups=2), nn.MultiheadAttention(4, 2)
    for module, n_filters, size in ((plain, 6, 36), (grouped, 6, 18), (transposed, 6, 18), (attention, 16, 4)):
        with torch.no_grad():
            for parameter in module.parameters():
                parameter.fill_(0.5)
        by_hand = n_filters * size / 2
        assert told(module, "group-lasso", 1) == pytest.approx(by_hand)
    with torch.no_grad():
        transposed.weight.zero_()
        transposed.weight[2:, 1] = 2.0  # the second output of the second group, which reads inputs 2 and 3
    assert told(transposed, "group-lasso", 1) == pytest.approx(18**0.5 * 2 * 18**0.5)


def test_a_shared_layer_is_summed_once_and_a_frozen_one_never():
    layer, frozen = nn.Linear(2, 2), nn.Linear(2, 2).requires_grad_(False)
    several = nn.Sequential(layer, nn.ReLU(), layer, frozen)
    assert told(several, "biased-decay", 1) == told(layer, "biased-decay", 1)


@pytest.mark.parametrize(
    ("penalty", "model", "said"),
    [
        ("bn-l1", nn.Linear(2, 2), "bn-l1 needs BatchNorm with scales, Linear has none"),
        ("bn-l1", nn.BatchNorm1d(2, affine=False), "needs BatchNorm with scales"),
        ("group-lasso", nn.BatchNorm1d(2), "needs a linear layer or a convolution"),
        ("biased-decay", nn.BatchNorm1d(2), "needs a linear layer or a convolution"),
    ],
)
def test_a_penalty_that_has_nothing_to_sum_is_refused(penalty, model, said):
    with pytest.raises(ModelError, match=said):
        Penalty(model, settings(penalty, 0.1))


def perceptron(seed: int = 0) -> nn.Module:
    """64 hidden units behind BatchNorm."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return nn.Sequential(nn.Flatten(), nn.Linear(64, 64), nn.BatchNorm1d(64), nn.ReLU(), nn.Linear(64, 10))


SIZES = {
    "group-lasso": lambda model: model.fc1.weight.norm(dim=1),
    "bn-l1": lambda model: model[2].weight.abs(),
    "biased-decay": lambda model: model.fc1.weight.abs(),
}
"""What each penalty makes small."""


@pytest.mark.parametrize(
    ("penalty", "strength", "make"),
    [
        ("group-lasso", 0.01, lambda: net("mlp")),
        ("bn-l1", 0.06, perceptron),
        ("biased-decay", 0.02, lambda: net("mlp")),
    ],
)
def test_training_concentrates_the_network_and_without_the_penalty_it_does_not(penalty, strength, make):
    how = {"epochs": 10, "batch_size": 32, "learning_rate": 0.1}
    pulled, free = make(), make()
    pulled_history = fit(pulled, settings(penalty, strength, **how))
    free_history = fit(free, TrainSettings(**how))
    small, small_without = (float((SIZES[penalty](model) < 0.02).float().mean()) for model in (pulled, free))

    assert small > 0.4
    assert small_without < 0.2
    assert pulled_history.epochs[0].loss > free_history.epochs[0].loss
    said = logits(pulled, INPUTS[600:], PREPROCESSING).argmax(axis=1)
    assert (said == DIGITS.target[600:]).mean() > 0.8


@pytest.mark.parametrize("penalty", CHOSEN)
def test_a_strength_of_zero_trains_as_no_penalty_does(penalty):
    pulled, free = net(), net()
    fit(pulled, settings(penalty, 0))
    fit(free, TrainSettings(epochs=2, batch_size=64, learning_rate=0.05))

    assert all(torch.equal(one, other) for one, other in zip(pulled.parameters(), free.parameters(), strict=True))


@pytest.mark.parametrize("penalty", CHOSEN)
@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
def test_a_resumed_training_is_the_uninterrupted_one(penalty, optimizer):
    how = settings(penalty, 0.01, epochs=3, holdout=60, augment="flip", optimizer=optimizer, learning_rate=0.01)
    states: list[TrainState] = []
    whole, resumed = net(), net(seed=9)
    history = fit(whole, how, on_epoch=states.append)
    state = TrainState(1, states[0].tensors, json.loads(json.dumps(states[0].facts)))

    assert fit(resumed, how, resume=state) == history
    pairs = zip(whole.state_dict().values(), resumed.state_dict().values(), strict=True)
    assert all(torch.equal(one, other) for one, other in pairs)


def test_a_state_of_a_training_without_the_penalty_is_refused():
    states: list[TrainState] = []
    fit(net(), TrainSettings(epochs=2), on_epoch=states.append)

    with pytest.raises(ModelError, match="resume with the same arguments"):
        fit(net(), TrainSettings(epochs=2, penalty="bn-l1", penalty_strength=0.1), resume=states[0])


@pytest.mark.parametrize("penalty", ["group-lasso", "biased-decay"])
def test_pruned_weights_stay_zero(penalty):
    model = net("mlp")
    mask = torch.rand(32, 64, generator=torch.Generator().manual_seed(0)) < 0.3
    mask[4] = False  # a whole filter, whose norm has no slope at zero
    history = fit(model, settings(penalty, 0.01, learning_rate=0.02), masks={"fc1.weight": mask})

    assert all(np.isfinite(record.loss) for record in history.epochs)
    assert not model.fc1.weight[~mask].detach().view(torch.uint8).any()
    assert model.fc1.weight[mask].count_nonzero() == mask.sum()


def test_settings_name_a_penalty_only_where_there_is_one():
    plain, chosen = TrainSettings(epochs=1), settings("bn-l1", 0.25)

    assert not {"penalty", "penalty_strength"} & plain.to_dict().keys()
    assert TrainSettings.from_dict(plain.to_dict()) == plain
    assert chosen.to_dict().items() >= {"penalty": "bn-l1", "penalty_strength": 0.25}.items()
    assert TrainSettings.from_dict(json.loads(json.dumps(chosen.to_dict()))) == chosen
