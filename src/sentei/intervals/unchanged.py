"""Rows whose label provably cannot change."""

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from sentei.intervals.bounds import bounds, walk_both
from sentei.intervals.box import Box
from sentei.intervals.difference import Difference
from sentei.intervals.reach import Weights
from sentei.intervals.rounding import as_numbers, down, up
from sentei.intervals.walk import Walk

Limits = float | npt.ArrayLike
"""One number, or one for each channel."""


def unchanged_rows(
    model: nn.Module,
    other: nn.Module,
    rows: npt.NDArray[np.floating],
    radius: Limits,
    low: Limits,
    high: Limits,
    batch_size: int = 64,
) -> npt.NDArray[np.bool_]:
    """Rows around which another network gives the label that the network itself gives to the row.

    Args:
        model: Only read; answers with logits ``(n, n_classes)``.
        other: The same modules with other weights of the same shapes, such as the masked network.
        rows: ``(n, ...)``, as the networks take them, between ``low`` and ``high``.
        radius: Largest change of each entry; 0 or more.
        low: Least possible input.
        high: Largest possible input.
        batch_size: Rows at once; at least 1.

    Returns:
        ``(n,)`` bool; False says nothing.

    Raises:
        ValueError: A limit has another number of channels than the rows, or a row lies outside the limits.
        ModelError: The networks differ in more than their weights, call a function that no rule bounds, or do not
            answer with logits ``(n, n_classes)``.

    Guarantee:
        For a row that is True, and every input within the limits that differs from it by at most the radius in each
        entry, the largest logit of ``other`` is the class of the largest logit of ``model`` at the row itself, both as
        functions of real numbers with the weights that they have. Inference in float32 rounds, too.
    """
    inputs = as_numbers(np.asarray(rows))
    least, most, reach = (_limit(limit, inputs) for limit in (low, high, radius))
    if bool((reach < 0).any()) or bool((inputs < least).any()) or bool((inputs > most).any()):
        raise ValueError(
            f"rows lie between low and high, and the radius is at least 0; received rows from {float(inputs.min())} to "
            f"{float(inputs.max())}, radius {reach.tolist()}; give the limits of preprocessed rows"
        )
    found = np.zeros(len(inputs), np.bool_)
    for start in range(0, len(inputs), batch_size):
        part = inputs[start : start + batch_size]
        around = Box(torch.maximum(least, down(part - reach)), torch.minimum(most, up(part + reach)))
        found[start : start + batch_size] = _unchanged(model, other, part, around)
    return found


def _limit(limit: Limits, rows: torch.Tensor) -> torch.Tensor:
    values = as_numbers(np.asarray(limit, dtype=np.float64))
    if values.dim() == 0:
        return values
    if values.dim() != 1 or rows.dim() < 2 or len(values) != rows.shape[1]:
        raise ValueError(f"a limit is one number or one for each channel, received {tuple(values.shape)} for rows of "
                         f"shape {tuple(rows.shape)}")  # fmt: skip
    return values.reshape(1, -1, *[1] * (rows.dim() - 2))


def _unchanged(model: nn.Module, other: nn.Module, rows: torch.Tensor, around: Box) -> npt.NDArray[np.bool_]:
    """The dense label has to be beyond doubt at the row, and the other network's margins above 0 all around it."""
    logits = bounds(model, Box(rows, rows))
    labels = logits.low.argmax(1)
    rivals = ~nn.functional.one_hot(labels, logits.shape[1]).bool()
    certain = logits.low.gather(1, labels[:, None]) > logits.high
    margins = _margins(*walk_both(model, other, around), labels).second.low
    safe = (certain & (margins > 0)) | ~rivals
    found: npt.NDArray[np.bool_] = safe.all(1).numpy()
    return found


def _margins(answer: Difference, path: Walk, labels: torch.Tensor) -> Difference:
    """The label's logit minus every logit; through the last layer at once, if that is a linear one."""
    own = labels[:, None].expand(answer.shape)
    margins = answer.moved(lambda bound: bound.gather(1, own)) + -answer
    if path.last_layer is None or path.last_layer[0] is not path.answer or len(path.last_layer[1].shape) != 2:
        return margins
    _, x, weight, bias = path.last_layer
    assert isinstance(x, Difference)
    closer = _through_last_layer(x, weight, bias, labels)
    return Difference.met(
        closer.first.met(margins.first), closer.second.met(margins.second), closer.delta.met(margins.delta)
    )


def _through_last_layer(x: Difference, weight: Weights, bias: Weights | None, labels: torch.Tensor) -> Difference:
    """Margins as outputs of a layer whose rows are the label's row minus every row."""
    n = x.shape[1]
    ours, theirs = (_apart(tensor, labels) for tensor in weight)
    our_bias, their_bias = (_apart(tensor, labels) for tensor in bias) if bias else (None, None)
    change, offset = weight[1] - weight[0], bias[1] - bias[0] if bias else None
    sizes = _together(change, labels), None if offset is None else _together(offset, labels)
    moved = x.first.affine(
        _row_products, _apart(change, labels), None if offset is None else _apart(offset, labels), n, sizes
    )
    return Difference.met(
        x.first.affine(_row_products, ours, our_bias, n),
        x.second.affine(_row_products, theirs, their_bias, n),
        x.delta.affine(_row_products, theirs, None, n) + moved,
    )


def _apart(values: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Rows of the labels minus all rows, ``(n, n_classes, ...)``."""
    return values[labels].unsqueeze(1) - values


def _together(values: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Absolute values of the labels' rows and all rows, added up."""
    return values[labels].abs().unsqueeze(1) + values.abs()


def _row_products(x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None) -> torch.Tensor:
    made = torch.einsum("nd,nkd->nk", x, weight)
    return made if bias is None else made + bias
