"""network -> smaller networks step by step, from its weights and the range of its inputs alone."""

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from sentei.datafree.settings import Settings
from sentei.datafree.shrinking import Merge, Shrinking
from sentei.datafree.size import Size
from sentei.errors import ModelError
from sentei.intervals import Box
from sentei.models.attention import separate_heads
from sentei.surgery import History

Limits = float | npt.ArrayLike
"""One number, or one for each channel."""


@dataclass(frozen=True)
class Shrunk:
    """A smaller network and how it came about.

    Attributes:
        model: The network.
        history: Its architecture: each step's cut is one of its steps.
        merges: In order.
        size: What it costs.
    """

    model: nn.Module
    history: History
    merges: tuple[Merge, ...]
    size: Size


def shrink(
    model: nn.Module,
    input_shape: Sequence[int],
    low: Limits,
    high: Limits,
    settings: Settings | None = None,
    *,
    stop: Callable[[Size], bool] | None = None,
    whole: Callable[[str], bool] = lambda group: False,
) -> Shrunk:
    """A smaller network, made without looking at data.

    In each step the same share of every group's first number of units leaves. Hidden units of linear layers leave in
    pairs: one stays, and the layers that read both give it the weights of the other. All other units (channels of
    convolutions, heads, units that several layers make or that are normalised) leave by the size of their weights.

    Args:
        model: Only read.
        input_shape: Of one row, without the batch.
        low: Least possible input, as the network takes it.
        high: Largest possible input.
        settings: How far, how fast, and how pairs are ranked.
        stop: Is asked before the first and after each step whether the network is small enough; None goes on to the
            sparsity of the settings.
        whole: Is told the name of a group; True keeps all of its units.

    Returns:
        The smaller network with its history and all merges.

    Raises:
        ValueError: The limits do not fit the rows, or the lower one lies above the upper one.
        ModelError: Nothing can leave, the budget is out of reach (the least reachable size is told), or pairs are
            ranked by bounds and the network calls a function that cannot be bounded.

    Guarantee:
        The history on a network of the same architecture, and the weights, are this network bit for bit. No row of data
        is read: equal weights give equal networks.

    Source:
        The steps and the two kinds of layers: Meng et al., arXiv:2204.00783 and arXiv:2405.00074; pairs: Srinivas and
        Babu, arXiv:1507.06149.

    Example:
        >>> net = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))
        >>> shrink(net, (4,), 0.0, 1.0, Settings(sparsity=0.5)).model[0].out_features
        4
    """
    separated = separate_heads(copy.deepcopy(model))
    domain = _domain(input_shape, low, high)
    shrinking = Shrinking(separated, tuple(input_shape), domain, settings or Settings(), whole)
    small_enough = stop or (lambda size: False)
    while not small_enough(shrinking.size):
        if not shrinking.advance():
            if stop is None:
                break
            raise ModelError(
                f"the budget is out of reach without data: at sparsity {shrinking.settings.sparsity:g} the network has "
                f"{shrinking.size.n_parameters} parameters and {shrinking.size.macs} multiplications for a row; raise "
                "the budget or the sparsity, or keep fewer groups whole"
            )
    return Shrunk(shrinking.model, shrinking.history, tuple(shrinking.merges), shrinking.size)


def _domain(input_shape: Sequence[int], low: Limits, high: Limits) -> Box:
    def full(limit: Limits) -> torch.Tensor:
        values = torch.as_tensor(np.asarray(limit, dtype=np.float64))
        if values.dim() > 1 or (values.dim() == 1 and len(values) != input_shape[0]):
            raise ValueError(
                f"a limit is one number or one for each of {input_shape[0]} channels, received {tuple(values.shape)}"
            )
        return values.reshape(-1, *[1] * (len(input_shape) - 1)).expand(1, *input_shape)

    return Box.of(full(low), full(high))
