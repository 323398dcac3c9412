"""The Hessian of a layer's squared error, and its inverse."""

from collections.abc import Callable, Iterator

import torch

from sentei.errors import ModelError
from sentei.importance.criterion import Subject
from sentei.importance.geometry import Layer
from sentei.importance.moments import Blocks, second_moments
from sentei.importance.reading import layers_in_order

DAMPING = 0.01
"""Of the mean diagonal: added to it, so that inputs that repeat one another have an inverse."""

MOST_COLUMNS = 12288
"""That a Hessian is made and inverted for as a whole: 1.2 GB."""


def damped(hessian: torch.Tensor, damping: float = DAMPING) -> torch.Tensor:
    """The matrices with a share of their mean diagonal added to their diagonal.

    Args:
        hessian: ``(..., n, n)`` float64, symmetric and without negative eigenvalues.
        damping: The share.

    Returns:
        As given, with only positive eigenvalues; of zeros, a tiny multiple of the identity.
    """
    diagonal = hessian.diagonal(dim1=-2, dim2=-1)
    ridge = damping * diagonal.mean(dim=-1, keepdim=True) + 1e-30
    return hessian + torch.diag_embed(ridge.expand_as(diagonal))


def inverse(matrices: torch.Tensor) -> torch.Tensor:
    """The inverses of symmetric matrices with positive eigenvalues, ``(..., n, n)``."""
    return torch.cholesky_inverse(torch.linalg.cholesky(matrices))


def layer_hessians(
    subject: Subject, names: tuple[str, ...], blocks: Callable[[Layer], Blocks]
) -> Iterator[tuple[Layer, Blocks, list[torch.Tensor]]]:
    """2 E[x x^T], damped, over the inputs x of every layer.

    It is the Hessian of the mean squared change of one output of the layer by that output's weights.

    Args:
        subject: The network and its rows.
        names: Weights of linear and convolution layers.
        blocks: Which columns of a layer are looked at together.

    Yields:
        The layer, its blocks, and for each block ``(n_groups, size, size)`` float64.

    Raises:
        ModelError: A name is not of such a layer, no rows were given, or a layer reads numbers that are not finite.
    """
    layers = layers_in_order(subject.model, names, subject.rows)
    for moments in second_moments(subject.model, layers, subject.rows, blocks):
        yield moments.layer, moments.blocks, [damped(2 * mean) for mean in moments.means()]


def whole(layer: Layer) -> Blocks:
    """All columns of a layer as one block.

    Raises:
        ModelError: There are too many of them.
    """
    if layer.n_columns > MOST_COLUMNS:
        raise ModelError(
            f"obs: expected a layer with at most {MOST_COLUMNS} inputs to an output, received {layer.name!r} with "
            f"{layer.n_columns}; score its weights by obs-blocks, or its units by wanda or taylor"
        )
    return [torch.arange(layer.n_columns)]
