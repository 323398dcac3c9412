"""Losses of single examples; a risk is their mean over a distribution."""

import numpy as np
import numpy.typing as npt

from sentei.errors import ModelError


def zero_one_losses(logits: np.ndarray, labels: np.ndarray, *, nan_is_wrong: bool = False) -> npt.NDArray[np.uint8]:
    """1 for every row that the network gets wrong, 0 for every row that it gets right.

    Args:
        logits: ``(n, n_classes)``.
        labels: ``(n,)`` integers in [0, n_classes).
        nan_is_wrong: Count a row with a NaN as wrong instead of refusing the model. For a variant under test this is
            the safe side; for the dense model it is compared with, it is not.

    Returns:
        ``(n,)`` uint8. A row is right only if its label's logit is above all others: a tie at the top is a loss of
        1, because which class a tie names depends on who breaks it.

    Raises:
        ModelError: A logit is not a number, unless ``nan_is_wrong``.
        ValueError: The shapes do not fit one another, or a label is no class.

    Example:
        >>> zero_one_losses(np.array([[0.1, 2.0], [1.0, 1.0], [3.0, 2.0]]), np.array([1, 0, 0])).tolist()
        [0, 1, 0]
    """
    if logits.ndim != 2 or labels.shape != logits.shape[:1]:
        raise ValueError(f"losses take logits (n, n_classes) and labels (n,), received {logits.shape}, {labels.shape}")
    if len(labels) and not 0 <= labels.min() <= labels.max() < logits.shape[1]:
        raise ValueError(f"labels lie in [0, {logits.shape[1]}), received {labels.min()} to {labels.max()}")
    if np.isnan(logits).any() and not nan_is_wrong:
        row = int(np.flatnonzero(np.isnan(logits).any(axis=1))[0])
        raise ModelError(f"a logit of row {row} is NaN, which is neither right nor wrong; the model cannot be trusted")
    own = np.take_along_axis(logits, labels[:, None].astype(np.int64), axis=1)
    # Its own logit reaches itself, so two or more at its height mean a tie or a better class.
    wrong = ((logits >= own).sum(axis=1) > 1) | np.isnan(logits).any(axis=1)
    losses: npt.NDArray[np.uint8] = wrong.astype(np.uint8)
    return losses
