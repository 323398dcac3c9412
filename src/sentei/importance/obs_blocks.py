"""Optimal brain surgeon in blocks of columns: affordable where a layer has many inputs."""

import torch

from sentei.importance.criterion import Scores, Subject
from sentei.importance.geometry import Layer
from sentei.importance.hessian import layer_hessians
from sentei.importance.moments import Blocks
from sentei.importance.places import parameters_by_name

BLOCK = 512
"""Columns that make up for one another; a layer with so few inputs is scored as by obs."""


def score_obs_blocks(subject: Subject, names: tuple[str, ...]) -> Scores:
    """What it costs to do without a weight once those of its block of columns have made up for it.

    Blocks are runs of whole input channels. [H^-1]_qq is the squared length of a column of the inverse
    Cholesky factor of the block's Hessian, which is that of obs. Fewer weights make up for a removal than in
    obs, so no score is smaller than there.

    Args:
        subject: The network and its rows.
        names: Weights of linear and convolution layers.

    Returns:
        By parameter, in its shape; larger = keep. The mean squared change of one output of the layer.

    Raises:
        ModelError: A name is not of such a layer, or no rows were given.

    Source:
        The idea of columns in blocks: Frantar & Alistarh, SparseGPT, arXiv:2301.00774.
    """
    parameters = parameters_by_name(subject.model)
    found = {}
    for layer, blocks, hessians in layer_hessians(subject, names, runs):
        scores = layer.matrices(parameters[layer.name].detach().double()).square()
        for block, hessian in zip(blocks, hessians, strict=True):
            scores[:, :, block.to(scores.device)] /= 2 * _inverse_diagonal(hessian).unsqueeze(1)
        found[layer.name] = layer.weight(scores).float().cpu()
    return {name: found[name] for name in names}


def runs(layer: Layer) -> Blocks:
    """The columns of a layer in runs of whole input channels, of about ``BLOCK`` columns at most."""
    size = max(1, BLOCK // layer.n_taps) * layer.n_taps
    return torch.split(torch.arange(layer.n_columns), size)


def _inverse_diagonal(hessian: torch.Tensor) -> torch.Tensor:
    """``(n_groups, size)``: H^-1 = L^-T L^-1, so its diagonal is the squared lengths of the columns of L^-1."""
    factor = torch.linalg.cholesky(hessian)
    unit = torch.eye(hessian.shape[-1], dtype=hessian.dtype, device=hessian.device).expand_as(hessian)
    inverse: torch.Tensor = torch.linalg.solve_triangular(factor, unit, upper=False)
    return inverse.square().sum(dim=1)
