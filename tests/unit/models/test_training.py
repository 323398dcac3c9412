"""Training repeats itself bit for bit, goes on where it stopped, and never revives a pruned weight."""

import json

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits

from sentei.data import Examples, Preprocessing
from sentei.errors import ModelError
from sentei.models import Architecture, TrainSettings, TrainState, build, logits, train
from sentei.models import rows as rows_module

DIGITS = load_digits()
INPUTS = (DIGITS.images * 15).astype(np.uint8)[:, None]
EXAMPLES = Examples(INPUTS[:600], DIGITS.target[:600].astype(np.int64), np.arange(600))
PREPROCESSING = Preprocessing.of(EXAMPLES)
QUICK = TrainSettings(epochs=3, batch_size=64, learning_rate=0.1, warmup_epochs=1)


@pytest.fixture(autouse=True)
def _one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def net(name: str = "mlp", seed: int = 0, **kwargs) -> torch.nn.Module:
    kwargs = kwargs or {"mlp": {"hidden": [32]}, "resnet-20": {"width": 4}}.get(name, {})
    return build(Architecture(name=name, input_shape=(1, 8, 8), n_classes=10, kwargs=kwargs), seed)


def fit(model, settings=QUICK, seed=5, **options):
    return train(model, EXAMPLES, PREPROCESSING, settings, seed, **options)


def same_bytes(left: torch.nn.Module, right: torch.nn.Module) -> bool:
    pairs = zip(left.state_dict().values(), right.state_dict().values(), strict=True)
    return all(torch.equal(a, b) for a, b in pairs)


def accuracy(model) -> float:
    said = logits(model, INPUTS[600:], PREPROCESSING).argmax(axis=1)
    return float((said == DIGITS.target[600:]).mean())


def test_digits_are_learned():
    """A linear classifier reaches about 0.93 here; far below that the loop would be broken."""
    model = net()
    history = fit(model, TrainSettings(epochs=8, batch_size=64))

    assert accuracy(model) > 0.85
    assert history.epochs[-1].loss < history.epochs[0].loss
    assert not model.training
    assert json.loads(json.dumps(history.to_dict()))["best_epoch"] == 8


@pytest.mark.parametrize("name", ["mlp", "lenet-5", "resnet-20"])
def test_two_trainings_give_the_same_bytes(name):
    settings = TrainSettings(epochs=2, batch_size=64, augment="crop-flip", learning_rate=0.05)
    one, two, other = net(name), net(name), net(name)
    torch.manual_seed(1)
    history = fit(one, settings)
    torch.manual_seed(2)

    assert fit(two, settings) == history
    assert same_bytes(one, two)
    fit(other, settings, seed=6)
    assert not same_bytes(one, other)


def test_the_callers_random_numbers_and_switches_come_back():
    torch.manual_seed(4)
    expected = torch.rand(1)
    torch.manual_seed(4)
    torch.set_deterministic_debug_mode("warn")
    fit(net())

    assert torch.equal(torch.rand(1), expected)
    assert torch.get_deterministic_debug_mode() == 1


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("mlp", TrainSettings(epochs=4, batch_size=64, holdout=100)),
        ("mlp", TrainSettings(epochs=4, batch_size=64, optimizer="adamw", learning_rate=0.01)),
        ("resnet-20", TrainSettings(epochs=3, batch_size=64, augment="flip", holdout=60, warmup_epochs=1)),
    ],
)
@pytest.mark.parametrize("stop", [1, 2])
def test_a_resumed_training_is_the_uninterrupted_one(name, settings, stop):
    states: list[TrainState] = []
    whole, resumed = net(name), net(name, seed=99)
    history = fit(whole, settings, on_epoch=states.append)
    facts = json.loads(json.dumps(states[stop - 1].facts))  # as a file would give them back
    state = TrainState(stop, states[stop - 1].tensors, facts)

    assert [saved.epoch for saved in states] == list(range(1, settings.epochs + 1))
    assert all(tensor.is_contiguous() for tensor in state.tensors.values())
    assert fit(resumed, settings, resume=state) == history
    assert same_bytes(whole, resumed)


def test_a_state_of_another_training_is_refused():
    states: list[TrainState] = []
    fit(net(), on_epoch=states.append)

    with pytest.raises(ModelError, match="resume with the same arguments"):
        fit(net(), seed=6, resume=states[0])


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
def test_pruned_weights_stay_zero_under_momentum_and_decay(optimizer):
    settings = TrainSettings(epochs=2, batch_size=64, optimizer=optimizer, learning_rate=0.02, weight_decay=0.1)
    masks = {
        "fc1.weight": torch.rand(32, 64, generator=torch.Generator().manual_seed(0)) < 0.3,
        "fc2.bias": torch.arange(10) % 2 == 0,
    }
    model = net()
    seen: list[TrainState] = []
    fit(model, settings, masks=masks, on_epoch=seen.append)

    for name, mask in masks.items():
        for key, tensor in seen[-1].tensors.items():
            if name in key and tensor.shape == mask.shape:
                assert not tensor[~mask].view(torch.uint8).any(), key  # the very bytes: no -0.0
        assert dict(model.named_parameters())[name][mask].count_nonzero() == mask.sum()


def test_a_mask_without_a_parameter_is_refused():
    with pytest.raises(ModelError, match="fc9"):
        fit(net(), masks={"fc9.weight": torch.ones(2, 2, dtype=torch.bool)})


def test_a_dropout_teacher_is_asked_in_eval_mode_and_stays_as_it_was():
    teacher = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Dropout(0.5), torch.nn.Linear(64, 10)).train()
    frozen = teacher[2].weight.clone()
    settings = TrainSettings(epochs=1, batch_size=64, distil=1.0)
    one, two = net(), net()
    fit(one, settings, teacher=teacher)
    teacher.eval()
    fit(two, settings, teacher=teacher)

    assert same_bytes(one, two)
    assert torch.equal(teacher[2].weight, frozen)


def test_a_student_learns_from_its_teacher_without_labels():
    teacher, student = net(), net(seed=1)
    fit(teacher, TrainSettings(epochs=8, batch_size=64))
    nameless = Examples(EXAMPLES.inputs, np.full(600, -1), EXAMPLES.rows)
    settings = TrainSettings(epochs=8, batch_size=64, distil=1.0)
    train(student, nameless, PREPROCESSING, settings, 0, teacher=teacher)

    assert accuracy(student) > 0.85
    named = net(seed=1)
    train(named, EXAMPLES, PREPROCESSING, settings, 0, teacher=teacher)
    assert same_bytes(student, named)


@pytest.mark.parametrize("fields", [{"distil": 0.0}, {"distil": 0.99}, {"distil": 1.0, "holdout": 5}])
def test_what_needs_labels_is_refused_without_them(fields):
    nameless = Examples(EXAMPLES.inputs, np.full(600, -1), EXAMPLES.rows)
    with pytest.raises(ModelError, match="expected distil 1 and holdout 0, received"):
        train(net(), nameless, PREPROCESSING, TrainSettings(epochs=1, **fields), 0, teacher=net())


def test_distillation_without_a_teacher_is_refused():
    with pytest.raises(ModelError, match="no teacher"):
        fit(net(), TrainSettings(epochs=1, distil=0.5))


def test_patience_ends_a_training_that_gets_no_better_and_the_best_weights_are_kept():
    settings = TrainSettings(epochs=30, batch_size=64, learning_rate=0.5, patience=2, holdout=100)
    model = net()
    states: list[TrainState] = []
    history = fit(model, settings, on_epoch=states.append)
    verdicts = [(record.holdout_error, record.holdout_loss) for record in history.epochs]
    best = min(range(len(verdicts)), key=verdicts.__getitem__)

    assert history.stopped_early
    assert len(history.epochs) == history.best_epoch + 2 < 30
    assert history.best_epoch == best + 1
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, states[best].tensors[f"model/{name}"])


def test_no_epoch_leaves_the_weights_alone():
    model, untouched = net(), net()
    history = fit(model, TrainSettings(epochs=0))

    assert history.epochs == ()
    assert same_bytes(model, untouched)


def test_rows_preprocessed_batch_by_batch_give_the_same_bytes(monkeypatch):
    one, two = net("lenet-5"), net("lenet-5")
    fit(one)
    monkeypatch.setattr(rows_module, "FITS", 0)
    fit(two)

    assert same_bytes(one, two)


def test_a_training_that_diverges_says_so():
    with pytest.raises(ModelError, match="lower learning_rate"):
        fit(net(), TrainSettings(epochs=5, learning_rate=1e20))


@pytest.mark.parametrize("fields", [{"holdout": 600}, {"augment": "flip"}])
def test_settings_that_do_not_suit_the_rows_are_refused(fields):
    flat = Examples(INPUTS[:600].reshape(600, 64), EXAMPLES.labels, EXAMPLES.rows)
    model = build(Architecture(name="mlp", input_shape=(64,), n_classes=10), 0)
    one_channel_each = Preprocessing.of(flat)

    with pytest.raises(ModelError, match=next(iter(fields))):
        train(model, flat, one_channel_each, TrainSettings(epochs=1, **fields), 0)


def test_bfloat16_learns_as_well():
    model, exact = net(), net()
    fit(model, TrainSettings(epochs=8, batch_size=64, precision="bfloat16"))
    fit(exact, TrainSettings(epochs=8, batch_size=64, precision="float32"))

    assert accuracy(model) > 0.85
    assert not same_bytes(model, exact)
    assert all(parameter.dtype == torch.float32 for parameter in model.parameters())


def test_asking_changes_nothing():
    model = net("resnet-20")
    model.train()
    before = {key: value.clone() for key, value in model.state_dict().items()}
    answer = logits(model, INPUTS[:10], PREPROCESSING, batch_size=3)

    assert answer.shape == (10, 10)
    assert answer.dtype == np.float32
    assert model.training
    assert all(torch.equal(before[key], value) for key, value in model.state_dict().items())
