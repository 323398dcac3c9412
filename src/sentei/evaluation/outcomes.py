"""What a served network does on some rows: integer columns, from which every claim counts what it needs."""

from collections.abc import Iterator, Mapping

import numpy as np
import numpy.typing as npt

from sentei.errors import ModelError
from sentei.evaluation.losses import zero_one_losses
from sentei.evaluation.overlap import overlap_losses
from sentei.evaluation.served import ServedModel

MILLION = 1_000_000
PIXELS_AT_ONCE = 1 << 22
UNLABELLED = -1

Columns = dict[str, npt.NDArray[np.integer]]


def outcomes(
    served: ServedModel,
    inputs: np.ndarray,
    labels: np.ndarray,
    batch_size: int = 512,
    *,
    nan_is_wrong: bool = False,
    first_row: int = 0,
) -> Columns:
    """The columns of one network on some rows, in their order.

    Args:
        served: The network as it is served.
        inputs: Raw rows.
        labels: ``(n,)`` classes, -1 where a row has none; or masks ``(n, h, w)``.
        batch_size: Rows at once, fewer of large images with masks; memory beyond the columns does not grow with the
            number of rows.
        nan_is_wrong: Count a row with a NaN as wrong instead of refusing the model.
        first_row: What messages call the first of these rows.

    Returns:
        For classification: ``prediction`` int32 (-1 for a NaN or a tie at the top), ``confidence`` int32 (millionths)
        and, where all rows are labelled, ``loss`` uint8; each of shape ``(n,)``. For segmentation the columns of
        `overlap_losses`.

    Raises:
        ModelError: A logit is not a number, unless ``nan_is_wrong``.
    """
    batch_size = rows_in_batch(labels, batch_size)
    parts = [
        of_logits(logits, labels[start : start + len(logits)], nan_is_wrong=nan_is_wrong, first_row=first_row + start)
        for start, logits in _batches(served, inputs, batch_size)
    ]
    # A batch whose rows are all labelled has losses, even if another one has not.
    names = [name for name in parts[0] if all(name in part for part in parts)]
    return {name: np.concatenate([part[name] for part in parts]) for name in names}


def rows_in_batch(labels: np.ndarray, most: int) -> int:
    """How many rows `outcomes` runs at once: as many as are allowed, fewer of large images with masks.

    Example:
        >>> rows_in_batch(np.zeros(9), 512), rows_in_batch(np.zeros((9, 512, 512)), 512)
        (512, 16)
    """
    return max(1, min(most, PIXELS_AT_ONCE // int(np.prod(labels.shape[1:]))))


def of_logits(logits: np.ndarray, labels: np.ndarray, *, nan_is_wrong: bool = False, first_row: int = 0) -> Columns:
    """The columns of some logits.

    Args:
        logits: ``(n, n_classes)``, or ``(n, n_classes, h, w)``.
        labels: ``(n,)``, -1 where a row has none; or masks ``(n, h, w)``.
        nan_is_wrong: As in ``outcomes``.
        first_row: What the message calls the first of these rows.

    Example:
        >>> found = of_logits(np.array([[0.0, 2.0], [1.0, 1.0]]), np.array([0, 0]))
        >>> {name: column.tolist() for name, column in found.items()}
        {'prediction': [1, -1], 'confidence': [880797, 500000], 'loss': [1, 1]}
    """
    bad = np.isnan(logits).reshape(len(logits), -1).any(axis=1)
    if bad.any() and not nan_is_wrong:
        row = first_row + int(np.flatnonzero(bad)[0])
        raise ModelError(f"a logit of row {row} is NaN, which is neither right nor wrong; the model cannot be trusted")
    if labels.ndim == 3:
        return dict(overlap_losses(logits, labels))
    columns: Columns = {"prediction": predictions(logits), "confidence": confidences(logits)}
    if not (labels == UNLABELLED).any():
        columns["loss"] = zero_one_losses(logits, labels, nan_is_wrong=nan_is_wrong)
    return columns


def predictions(logits: np.ndarray) -> npt.NDArray[np.int32]:
    """The class of the highest logit, as int32 of shape ``(n,)``; -1 where there is a tie at the top, or a NaN."""
    best = logits.argmax(axis=1)
    top = np.take_along_axis(logits, best[:, None], axis=1)
    unclear = ((logits >= top).sum(axis=1) != 1) | np.isnan(logits).any(axis=1)
    found: npt.NDArray[np.int32] = np.where(unclear, -1, best).astype(np.int32)
    return found


def confidences(logits: np.ndarray) -> npt.NDArray[np.int32]:
    """The largest softmax probability in millionths, rounded down, as int32 of shape ``(n,)``; 0 for a NaN."""
    with np.errstate(invalid="ignore"):
        shifted = logits.astype(np.float64) - logits.max(axis=1, keepdims=True)
        largest = 1 / np.exp(shifted).sum(axis=1)
    millionths: npt.NDArray[np.int32] = np.floor(np.nan_to_num(largest, nan=0.0) * MILLION).astype(np.int32)
    return millionths


def only(columns: Mapping[str, npt.NDArray[np.integer]], names: tuple[str, ...]) -> Columns:
    """The named columns, those of them that there are."""
    return {name: columns[name] for name in names if name in columns}


def _batches(served: ServedModel, inputs: np.ndarray, batch_size: int) -> Iterator[tuple[int, np.ndarray]]:
    for start in range(0, len(inputs), batch_size):
        yield start, served.logits(inputs[start : start + batch_size], batch_size)
