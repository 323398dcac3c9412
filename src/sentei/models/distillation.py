"""What a training step minimises: the labels' cross-entropy, and the teacher's opinion."""

import torch
from torch.nn import functional as F


def distillation_loss(
    student: torch.Tensor,
    labels: torch.Tensor,
    teacher: torch.Tensor | None,
    *,
    weight: float,
    temperature: float,
    label_smoothing: float = 0.0,
) -> torch.Tensor:
    """(1 - a) CE(student, labels) + a T^2 KL(teacher at T || student at T), the mean over the batch.

    Args:
        student: Logits ``(n, n_classes)``.
        labels: ``(n,)`` int64.
        teacher: Logits ``(n, n_classes)`` without gradient; ``None`` only with weight 0.
        weight: ``a`` in [0, 1]; 0 is plain cross-entropy, 1 never looks at the labels.
        temperature: ``T`` > 0; larger listens to the small probabilities.
        label_smoothing: Of the first term, in [0, 1).

    Returns:
        A scalar in nats.

    Source:
        Hinton, Vinyals & Dean, Distilling the knowledge in a neural network, arXiv:1503.02531.
    """
    student = student.float()
    if teacher is None or weight == 0:
        return F.cross_entropy(student, labels, label_smoothing=label_smoothing)
    soft = F.kl_div(
        F.log_softmax(student / temperature, dim=1),
        F.log_softmax(teacher.float() / temperature, dim=1),
        reduction="batchmean",
        log_target=True,
    )
    if weight == 1:
        return temperature**2 * soft
    hard = F.cross_entropy(student, labels, label_smoothing=label_smoothing)
    return (1 - weight) * hard + weight * temperature**2 * soft
