"""Gradients of the loss over the rows, and the curvature that the loss has in every weight."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import torch
from torch import nn

from sentei.data.masks import IGNORED
from sentei.errors import ModelError
from sentei.importance.places import parameters_by_name
from sentei.importance.rows import ScoringRows, questioned, targets
from sentei.models.device import mixed_seed
from sentei.models.distillation import by_pixel, cross_entropy

EXACT_CLASSES = 16
"""Up to so many classes the curvature is summed class by class; of more, and of pixels, random signs stand for all."""


@contextmanager
def _followed(model: nn.Module, names: Sequence[str]) -> Iterator[list[nn.Parameter]]:
    """The parameters, with gradients allowed while the block runs, frozen ones too; nothing is stored in them."""
    parameters = parameters_by_name(model)
    found = [parameters[name] for name in names]
    before = [parameter.requires_grad for parameter in found]
    try:
        for parameter in found:
            parameter.requires_grad_(True)
        with torch.enable_grad():
            yield found
    finally:
        for parameter, wanted in zip(found, before, strict=True):
            parameter.requires_grad_(wanted)


def mean_gradients(model: nn.Module, names: Sequence[str], rows: ScoringRows, seed: int) -> dict[str, torch.Tensor]:
    """The gradient of the mean cross-entropy over the rows; of masks, over all of their pixels that count.

    Args:
        model: The network; it is only read.
        names: Of parameters.
        rows: With labels; where a row has none, the network's most probable class stands for it.
        seed: Of what the network draws even in eval mode.

    Returns:
        By name, float64 on the CPU in the shape of the parameter; zeros where the loss does not depend on it.
    """
    total = _Totals(model, names)
    n_counted = 0
    with questioned(model, seed) as device, _followed(model, names) as parameters:
        for part, batch in rows.batches(device):
            logits = model(batch).float()
            labels = targets(rows.labels[part], logits)
            n = int((labels != IGNORED).sum()) if labels.dim() > 1 else len(labels)
            total.add(n * slope for slope in _slopes(cross_entropy(by_pixel(logits), labels), parameters))
            n_counted += n
    return total.over(n_counted)


def curvatures(model: nn.Module, names: Sequence[str], rows: ScoringRows, seed: int) -> dict[str, torch.Tensor]:
    """The diagonal of the Gauss-Newton matrix of the mean cross-entropy over the rows.

    With J the derivative of a row's logits and p its probabilities it is the mean of diag(J^T (diag(p) - p p^T) J).
    Up to 16 classes it is summed class by class. Otherwise, and of every pixel of a mask, the classes are
    weighed by random signs, which are right on average (E[s s^T] is the identity).

    Args:
        model: The network; it is only read.
        names: Of parameters.
        rows: Labels play no part, except that pixels that do not count are left out.
        seed: Of the signs, drawn anew for each row by its place.

    Returns:
        By name, float64 on the CPU in the shape of the parameter; none is negative.

    Source:
        Schraudolph, Fast curvature matrix-vector products, 2002 (Gauss-Newton); Dangel et al., BackPACK,
        arXiv:1912.10985 (its diagonal from a factor of the loss's own curvature).
    """
    total = _Totals(model, names)
    n_counted = 0
    with questioned(model, seed) as device, _followed(model, names) as parameters:
        for part, batch in rows.batches(device):
            for place in range(part.start, part.stop):  # the squares of each row's own gradient are summed
                logits = by_pixel(model(batch[place - part.start, None]).float())
                counts = _counts(rows.labels[place], logits)
                for factor in _factors(logits.detach(), mixed_seed(seed, place)):
                    slopes = _slopes((logits * factor * counts).sum(), parameters)
                    total.add(slope.square() for slope in slopes)
                n_counted += int(counts.sum())
    return total.over(n_counted)


class _Totals:
    """Sums of numbers in the shapes of parameters, in float64."""

    def __init__(self, model: nn.Module, names: Sequence[str]) -> None:
        parameters = parameters_by_name(model)
        self._names = names
        self._sums = [torch.zeros_like(parameters[name], dtype=torch.float64) for name in names]

    def add(self, parts: Iterable[torch.Tensor]) -> None:
        for total, part in zip(self._sums, parts, strict=True):
            total.add_(part)

    def over(self, n: int) -> dict[str, torch.Tensor]:
        return {name: (total / max(n, 1)).cpu() for name, total in zip(self._names, self._sums, strict=True)}


def _slopes(loss: torch.Tensor, parameters: list[nn.Parameter]) -> list[torch.Tensor]:
    """The derivative by every parameter in float64; zeros where the loss does not depend on it."""
    if not bool(loss.isfinite()):
        raise ModelError("the loss on the scoring rows is not finite; look at the rows and the weights, or train again")
    if not parameters or not loss.requires_grad:
        return [torch.zeros_like(parameter, dtype=torch.float64) for parameter in parameters]
    slopes = torch.autograd.grad(loss, parameters, retain_graph=True, allow_unused=True, materialize_grads=True)
    return [slope.double() for slope in slopes]


def _counts(labels: np.ndarray, logits: torch.Tensor) -> torch.Tensor:
    """1 for every row of the logits that counts, 0 for a pixel whose mask says that it does not; ``(n, 1)``."""
    if labels.ndim == 0:
        return logits.new_ones(len(logits), 1)
    return torch.from_numpy(labels != IGNORED).to(logits).reshape(-1, 1)


def _factors(logits: torch.Tensor, seed: int) -> Iterator[torch.Tensor]:
    """Vectors v with sum or mean of v v^T equal to diag(p) - p p^T, for every row of the logits at once."""
    p = logits.softmax(dim=1)
    n_rows, n_classes = p.shape
    if n_rows == 1 and n_classes <= EXACT_CLASSES:
        for signs in torch.eye(n_classes, device=p.device):
            yield _factor(p, signs)
        return
    generator = torch.Generator().manual_seed(seed)
    yield _factor(p, (2.0 * torch.randint(2, p.shape, generator=generator) - 1).to(p))


def _factor(p: torch.Tensor, signs: torch.Tensor) -> torch.Tensor:
    weighed = signs * p.sqrt()
    return weighed - p * weighed.sum(dim=1, keepdim=True)
