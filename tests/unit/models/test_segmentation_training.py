"""Training on masks repeats itself like any other, and looks at no pixel that does not count."""

import json

import numpy as np
import pytest
import torch
from scipy.special import log_softmax, rel_entr, softmax

from sentei.data import Examples, Preprocessing
from sentei.errors import ModelError
from sentei.models import Architecture, TrainSettings, TrainState, build, logits, reestimate_batchnorm, train
from sentei.models import rows as rows_module
from sentei.models import teaching as teaching_module
from sentei.models.augmentation import augment, augment_pairs
from sentei.models.distillation import distillation_loss
from sentei.models.holdout import judge
from sentei.models.rows import Rows, rows_at_once
from sentei.sources.shapes import draw_shapes

IMAGES, MASKS = draw_shapes(160, 16, seed=3)
EXAMPLES = Examples(IMAGES[:120], MASKS[:120], np.arange(120))
PREPROCESSING = Preprocessing.of(EXAMPLES)
QUICK = TrainSettings(epochs=2, batch_size=16, learning_rate=0.05)


@pytest.fixture(autouse=True)
def _one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def net(seed=0, name="unet", **kwargs):
    kwargs = kwargs or ({"width": 4, "depth": 3} if name == "unet" else {})
    return build(
        Architecture(name=name, input_shape=(1, 16, 16), n_classes=4, kwargs=kwargs, task="segmentation"), seed
    )


def fit(model, settings=QUICK, seed=5, examples=EXAMPLES, **options):
    return train(model, examples, PREPROCESSING, settings, seed, **options)


def same_bytes(left, right):
    pairs = zip(left.state_dict().values(), right.state_dict().values(), strict=True)
    return all(torch.equal(a, b) for a, b in pairs)


def met(model):
    """Share of the shapes' pixels that are told from the background, on images that were not learned."""
    named = logits(model, IMAGES[120:], PREPROCESSING).argmax(axis=1)
    return float((named == 1)[MASKS[120:] > 0].mean())


def test_shapes_are_learned_from_masks_and_from_a_teacher_alone():
    """A network that names everything background meets none of the shapes."""
    settings = TrainSettings(epochs=20, batch_size=8, optimizer="adamw", learning_rate=0.02)
    teacher, student = net(), net(seed=1)
    fit(teacher, settings, examples=Examples(EXAMPLES.inputs, (EXAMPLES.labels > 0).astype(np.uint8), EXAMPLES.rows))
    assert met(teacher) > 0.5
    empty = Examples(EXAMPLES.inputs, np.full_like(EXAMPLES.labels, 255), EXAMPLES.rows)
    fit(student, TrainSettings(**{**settings.to_dict(), "distil": 1.0}), examples=empty, teacher=teacher)
    assert met(student) > 0.5


@pytest.mark.parametrize("name", ["unet", "torchvision/lraspp_mobilenet_v3_large"])
def test_two_trainings_give_the_same_bytes(name):
    settings = TrainSettings(epochs=1, batch_size=16, augment="crop-flip", learning_rate=0.05, holdout=90)
    one, two = net(name=name), net(name=name)
    torch.manual_seed(1)
    history = fit(one, settings)
    torch.manual_seed(2)
    assert fit(two, settings) == history
    assert same_bytes(one, two)


def test_a_resumed_training_is_the_uninterrupted_one():
    settings = TrainSettings(epochs=3, batch_size=16, learning_rate=0.05, holdout=20, augment="flip", distil=0.5)
    states: list[TrainState] = []
    whole, resumed = net(), net(seed=99)
    history = fit(whole, settings, teacher=net(seed=7), on_epoch=states.append)
    state = TrainState(1, states[0].tensors, json.loads(json.dumps(states[0].facts)))
    assert fit(resumed, settings, teacher=net(seed=7), resume=state) == history
    assert same_bytes(whole, resumed)


def test_pruned_weights_stay_zero_on_the_way_up_too():
    masks = {
        name: torch.rand(weight.shape, generator=torch.Generator().manual_seed(0)) < 0.3
        for name, weight in net().named_parameters()
        if weight.dim() == 4
    }
    assert any(name.startswith("rise") for name in masks)
    model = net()
    fit(model, masks=masks)
    for name, mask in masks.items():
        assert not dict(model.named_parameters())[name][~mask].count_nonzero()


def test_pixels_that_do_not_count_teach_nothing():
    scores = torch.randn(2, 4, 3, 3, generator=torch.Generator().manual_seed(0)).requires_grad_()
    masks = torch.tensor([[[0, 1, 255], [2, 255, 3], [1, 1, 0]], [[255] * 3, [0, 0, 1], [2, 3, 255]]]).byte()
    distillation_loss(scores, masks, None, weight=0.0, temperature=1.0, label_smoothing=0.1).backward()
    assert torch.equal(scores.grad.abs().amax(dim=1) > 0, masks != 255)


def test_a_batch_without_a_pixel_that_counts_moves_nothing():
    scores = torch.randn(2, 4, 3, 3, requires_grad=True)
    loss = distillation_loss(scores, torch.full((2, 3, 3), 255, dtype=torch.uint8), None, weight=0.0, temperature=1.0)
    loss.backward()
    assert (float(loss.detach()), float(scores.grad.abs().max())) == (0.0, 0.0)


@pytest.mark.parametrize("weight", [0.0, 0.3, 1.0])
def test_the_loss_is_its_formula_pixel_by_pixel(weight):
    rng = np.random.default_rng(0)
    student, teacher = (rng.normal(size=(3, 4, 5, 6)) * 3 for _ in range(2))
    masks = rng.choice([0, 1, 2, 3, 255], (3, 5, 6)).astype(np.uint8)
    hard, soft = [], []
    for image, row, column in np.ndindex(masks.shape):
        own, taught = student[image, :, row, column], teacher[image, :, row, column]
        soft.append(rel_entr(softmax(taught / 4), softmax(own / 4)).sum())
        if masks[image, row, column] != 255:
            hard.append(-log_softmax(own)[masks[image, row, column]])
    loss = distillation_loss(*map(torch.tensor, (student, masks, teacher)), weight=weight, temperature=4.0)
    assert float(loss) == pytest.approx((1 - weight) * np.mean(hard) + weight * 16 * np.mean(soft), rel=1e-5)


def test_smoothing_leaves_out_the_same_pixels():
    student, masks = torch.randn(1, 4, 2, 2), torch.tensor([[[0, 255], [3, 1]]], dtype=torch.uint8)
    rows = student.permute(0, 2, 3, 1).reshape(4, 4)[[0, 2, 3]]
    expected = torch.nn.functional.cross_entropy(rows, torch.tensor([0, 3, 1]), label_smoothing=0.2)
    loss = distillation_loss(student, masks, None, weight=0.0, temperature=1.0, label_smoothing=0.2)
    assert float(loss) == pytest.approx(float(expected), rel=1e-6)


@pytest.mark.parametrize("most", [4, 1024])
def test_held_out_masks_are_judged_by_the_pixels_that_count(monkeypatch, most):
    monkeypatch.setattr("sentei.models.holdout.BATCH", most)
    model, masks = net(), MASKS[:9].copy()
    masks[2:5] = np.where(np.arange(16) % 3, masks[2:5], 255)
    rows = Rows(IMAGES[:9], PREPROCESSING, torch.device("cpu"))
    said = logits(model, IMAGES[:9], PREPROCESSING).astype(np.float64)
    counted = masks != 255
    wrong = (said.argmax(axis=1) != masks)[counted].mean()
    own = np.take_along_axis(log_softmax(said, axis=1), np.where(counted, masks, 0)[:, None].astype(int), axis=1)[:, 0]
    error, loss = judge(model, rows, torch.from_numpy(masks), torch.arange(9)).tolist()
    assert error == pytest.approx(wrong, rel=1e-6)
    assert loss == pytest.approx(-own[counted].mean(), rel=1e-5)


def test_what_a_teacher_says_is_kept_only_if_it_fits_and_makes_no_difference(monkeypatch):
    settings = TrainSettings(epochs=2, batch_size=60, distil=1.0, precision="float32", learning_rate=0.05)
    kept, asked = net(), net()
    fit(kept, settings, teacher=net(seed=7))
    monkeypatch.setattr(teaching_module, "FITS", 120 * 4 * 16 * 16 * 4 - 1)
    fit(asked, settings, teacher=net(seed=7))
    for one, other in zip(kept.state_dict().values(), asked.state_dict().values(), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kind", ["none", "flip", "crop-flip"])
def test_masks_move_with_their_images(kind):
    """Where images are their masks in other numbers, they still are after the move; the zeros at the edge count not."""
    masks = torch.from_numpy(MASKS[:50])
    images = (masks.float() + 1)[:, None].contiguous(memory_format=torch.channels_last)
    torch.manual_seed(0)
    moved, with_them = augment_pairs(images, masks, kind)
    expected = torch.where(moved[:, 0] == 0, torch.tensor(255.0), moved[:, 0] - 1)
    assert torch.equal(with_them.float(), expected)
    assert with_them.dtype == torch.uint8
    torch.manual_seed(0)
    assert torch.equal(moved, augment(images, kind))
    assert torch.equal(moved, images) == (kind == "none")


def test_large_images_are_asked_about_few_at_a_time(monkeypatch):
    monkeypatch.setattr(rows_module, "PIXELS_AT_ONCE", 1000)
    assert rows_at_once(np.zeros((9, 10, 10), np.uint8), 1024) == 10
    assert rows_at_once(np.zeros((9, 2, 2), np.uint8), 100) == 100
    assert rows_at_once(torch.zeros(9, 100, 100), 1024) == 4
    assert rows_at_once(np.zeros(9, np.int64), 1024) == 1024


def test_batchnorm_is_measured_again_over_pixels():
    model, reference = net(), net()
    fit(model, TrainSettings(epochs=0))
    reestimate_batchnorm(model, IMAGES, PREPROCESSING, batch_size=64)
    first = reference.down[0]
    with torch.no_grad():
        seen = first[0](torch.from_numpy(PREPROCESSING.apply(IMAGES)))
    expected = seen.double().transpose(0, 1).flatten(1)
    torch.testing.assert_close(model.down[0][1].running_mean.double(), expected.mean(dim=1), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(model.down[0][1].running_var.double(), expected.var(dim=1), rtol=1e-3, atol=1e-5)


def test_a_network_of_rows_cannot_learn_masks():
    with pytest.raises(ModelError, match="mlp does not fit"):
        net(name="mlp")
