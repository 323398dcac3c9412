"""How far one network's opinion is from another's."""

import numpy as np
import torch
from torch.nn import functional as F

from sentei.models.distillation import by_pixel


def mean_divergence(logits: np.ndarray, reference: np.ndarray) -> float:
    """The mean Kullback-Leibler divergence of the network's class probabilities from the reference's.

    Args:
        logits: ``(n, n_classes)``, or ``(n, n_classes, height, width)``: then each pixel counts as a row.
        reference: Of the same shape.

    Returns:
        sum_k q_k ln(q_k / p_k) with q from the reference, in nats, 0 or more; the largest float if a logit is not a
        number, because nothing is worse.

    Example:
        >>> mean_divergence(np.zeros((3, 2), np.float32), np.zeros((3, 2), np.float32))
        0.0
    """
    told, wanted = (F.log_softmax(by_pixel(torch.from_numpy(one)).double(), dim=1) for one in (logits, reference))
    found = float(F.kl_div(told, wanted, reduction="batchmean", log_target=True))
    return max(found, 0.0) if np.isfinite(found) else float(np.finfo(np.float64).max)
