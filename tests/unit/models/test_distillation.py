"""The distillation loss is its formula."""

import numpy as np
import pytest
import torch
from scipy.special import log_softmax, rel_entr, softmax

from sentei.models.distillation import distillation_loss


def logits(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(6, 4)) * 3


LABELS = np.array([0, 1, 2, 3, 1, 0])


@pytest.mark.parametrize("weight", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("temperature", [1.0, 4.0])
def test_the_loss_is_cross_entropy_and_tempered_divergence(weight, temperature):
    student, teacher = logits(0), logits(1)
    hard = -log_softmax(student, axis=1)[np.arange(6), LABELS].mean()
    soft = rel_entr(softmax(teacher / temperature, axis=1), softmax(student / temperature, axis=1)).sum(axis=1).mean()
    loss = distillation_loss(
        torch.tensor(student),
        torch.tensor(LABELS),
        torch.tensor(teacher),
        weight=weight,
        temperature=temperature,
    )

    assert float(loss) == pytest.approx((1 - weight) * hard + weight * temperature**2 * soft, rel=1e-5)


def test_smoothing_mixes_the_labels_with_the_uniform_distribution():
    student = logits(2)
    targets = 0.9 * np.eye(4)[LABELS] + 0.1 / 4
    expected = -(targets * log_softmax(student, axis=1)).sum(axis=1).mean()
    loss = distillation_loss(
        torch.tensor(student), torch.tensor(LABELS), None, weight=0.0, temperature=1.0, label_smoothing=0.1
    )

    assert float(loss) == pytest.approx(expected, rel=1e-5)


def test_a_student_that_agrees_has_nothing_to_learn():
    student = torch.tensor(logits(3), requires_grad=True)
    loss = distillation_loss(student, torch.tensor(LABELS), student.detach().clone(), weight=1.0, temperature=4.0)
    loss.backward()

    assert float(loss.detach()) == pytest.approx(0.0, abs=1e-6)
    assert float(student.grad.abs().max()) < 1e-6


def test_at_weight_1_no_label_is_looked_at():
    student, teacher = torch.tensor(logits(0)), torch.tensor(logits(1))
    losses = [
        distillation_loss(student, torch.tensor(labels), teacher, weight=1.0, temperature=4.0)
        for labels in (LABELS, np.full(6, -1))
    ]

    assert torch.equal(*losses)
