"""What a training step minimises: the labels' cross-entropy, and the teacher's opinion."""

import torch
from torch.nn import functional as F

from sentei.data.masks import IGNORED


def distillation_loss(
    student: torch.Tensor,
    labels: torch.Tensor,
    teacher: torch.Tensor | None,
    *,
    weight: float,
    temperature: float,
    label_smoothing: float = 0.0,
    counted: torch.Tensor | None = None,
) -> torch.Tensor:
    """(1 - a) CE(student, labels) + a T^2 KL(teacher at T || student at T), the mean over the batch.

    Of masks each pixel is a row; the first term is the mean over the pixels that count, the second over all.

    Args:
        student: Logits ``(n, n_classes)``, or ``(n, n_classes, height, width)``.
        labels: ``(n,)`` int64, or masks ``(n, height, width)`` uint8.
        teacher: Logits like the student's, without gradient; ``None`` only with weight 0.
        weight: ``a`` in [0, 1]; 0 is plain cross-entropy, 1 never looks at the labels.
        temperature: ``T`` > 0; larger listens to the small probabilities.
        label_smoothing: Of the first term, in [0, 1).
        counted: Pixels by which the first term of masks is divided; those that count here if None.

    Returns:
        A scalar in nats.

    Source:
        Hinton, Vinyals & Dean, Distilling the knowledge in a neural network, arXiv:1503.02531.
    """
    student = by_pixel(student.float())
    if teacher is None or weight == 0:
        return cross_entropy(student, labels, label_smoothing, counted)
    soft = F.kl_div(
        F.log_softmax(student / temperature, dim=1),
        F.log_softmax(by_pixel(teacher.float()) / temperature, dim=1),
        reduction="batchmean",
        log_target=True,
    )
    if weight == 1:
        return temperature**2 * soft
    hard = cross_entropy(student, labels, label_smoothing, counted)
    return (1 - weight) * hard + weight * temperature**2 * soft


def by_pixel(logits: torch.Tensor) -> torch.Tensor:
    """Logits ``(n, n_classes, height, width)`` as one row for each pixel; others as they are."""
    # One row for each pixel, because torch's own losses of images are not deterministic on an accelerator.
    return logits.permute(0, 2, 3, 1).reshape(-1, logits.shape[1]) if logits.dim() == 4 else logits


def cross_entropy(
    rows: torch.Tensor, labels: torch.Tensor, label_smoothing: float = 0.0, counted: torch.Tensor | None = None
) -> torch.Tensor:
    """The mean cross-entropy in nats, over the pixels that count if the labels are masks; 0 if none does.

    Args:
        rows: Logits by row or, as `by_pixel` gives them, by pixel.
        labels: ``(n,)`` int64, or masks ``(n, height, width)`` uint8.
        label_smoothing: In [0, 1).
        counted: Pixels to divide by; those that count here if None.
    """
    if labels.dim() == 1:
        return F.cross_entropy(rows, labels, label_smoothing=label_smoothing)
    classes = labels.flatten().long()
    total = F.cross_entropy(rows, classes, ignore_index=IGNORED, label_smoothing=label_smoothing, reduction="sum")
    return total / ((classes != IGNORED).sum() if counted is None else counted).clamp(min=1)
