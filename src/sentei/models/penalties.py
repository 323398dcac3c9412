"""What training adds to its loss so that a network gets ready for pruning while it learns."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import prod
from typing import Any

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.conv import _ConvNd, _ConvTransposeNd

from sentei.errors import ModelError
from sentei.models.settings import TrainSettings


@dataclass(frozen=True)
class Filters:
    """One weight, as the filters that it is made of.

    Attributes:
        weight: The parameter.
        shape: Of a view that puts the output channels apart.
        dims: Of the view, those that one filter fills.
    """

    weight: torch.Tensor
    shape: tuple[int, ...]
    dims: tuple[int, ...]


Term = Callable[[Filters], tuple[torch.Tensor, torch.Tensor]]
"""From one weight to what it adds to the sum, and the gradient of that, laid out as the weight is."""


class Penalty:
    """A multiple of one sum over the weights of a network.

    With the strength s, where W are the weights of all linear layers, convolutions and projections of attention:

    - ``group-lasso``: s sum over the filters f of W of sqrt(n_f) ||f||, with the n_f weights that make one output
      channel. Whole filters go to zero together.
    - ``bn-l1``: s sum of |gamma| over the scales of BatchNorm. Channels go to zero where they are scaled.
    - ``biased-decay``: s sum over the weights w of W of w^2 / (1 + w^2). Small weights decay as under weight decay
      with 2 s; the pull 2 s w / (1 + w^2)^2 on large ones vanishes, so they stay.

    Args:
        model: Whose parameters are summed; read anew at every call.
        settings: Name and strength.

    Raises:
        ModelError: The network has nothing of what the penalty sums.

    Guarantee:
        The gradient at a filter, scale or weight that is zero is zero, so that pruned ones are not revived.

    Source:
        Wen et al., Learning structured sparsity in deep neural networks, arXiv:1608.03665; Liu et al., Learning
        efficient convolutional networks through network slimming, arXiv:1708.06519; Hanson & Pratt, Comparing biases
        for minimal network construction with back-propagation, NIPS 1988, with the term of Weigend, Rumelhart &
        Huberman, Generalization by weight-elimination, NIPS 1990, for weights of the scale 1.
    """

    def __init__(self, model: nn.Module, settings: TrainSettings) -> None:
        self.strength = settings.penalty_strength
        self._summed: list[Filters] = []
        if settings.penalty == "none":
            return
        summed, self._term, needed = _PENALTIES[settings.penalty]
        self._summed = summed(model)
        if not self._summed:
            raise ModelError(
                f"the penalty {settings.penalty} needs {needed}, {type(model).__name__} has none; "
                "choose another penalty, or none"
            )

    def __call__(self) -> torch.Tensor | float:
        """The penalty of the weights as they are now: a float32 scalar of 0 or more; the number 0 without a penalty."""
        if not self._summed:
            return 0.0
        total: torch.Tensor = _Sum.apply(self._term, self._summed, *(part.weight for part in self._summed))
        return self.strength * total


def _filters(model: nn.Module) -> list[Filters]:
    """Every trainable weight that makes output channels, once."""
    found: dict[int, Filters] = {}
    for module in model.modules():
        for weight in _weights(module):
            if isinstance(weight, nn.Parameter) and weight.requires_grad:  # one that is computed is no parameter
                found.setdefault(id(weight), _filters_of(module, weight))
    return list(found.values())


_PROJECTIONS = ("in_proj_weight", "q_proj_weight", "k_proj_weight", "v_proj_weight")
"""What an attention makes its queries, keys and values with."""


def _weights(module: nn.Module) -> list[torch.Tensor | None]:
    if isinstance(module, nn.Linear | _ConvNd):
        return [module.weight]
    return [getattr(module, name, None) for name in _PROJECTIONS]


def _filters_of(module: nn.Module, weight: torch.Tensor) -> Filters:
    """A filter fills all dimensions but the first; in a transposed convolution the second is that of its outputs."""
    if isinstance(module, _ConvTransposeNd):
        shape = (module.groups, weight.shape[0] // module.groups, *weight.shape[1:])
        return Filters(weight, shape, (1, *range(3, len(shape))))
    return Filters(weight, tuple(weight.shape), tuple(range(1, weight.dim())))


def _scales(model: nn.Module) -> list[Filters]:
    norms = (module for module in model.modules() if isinstance(module, _BatchNorm) and module.affine)
    return [Filters(norm.weight, tuple(norm.weight.shape), ()) for norm in norms if norm.weight.requires_grad]


class _Sum(torch.autograd.Function):
    """A sum over weights with its gradient found on the way: less work and memory than by torch's own chain.

    The weights come one after the other, so that each stays in the processor's cache, and a gradient lies in memory as
    its weight does, which training by several ranks asks for.
    """

    @staticmethod
    def forward(ctx: Any, term: Term, parts: list[Filters], *_: torch.Tensor) -> torch.Tensor:
        sums, slopes = zip(*(term(part) for part in parts), strict=True)
        ctx.save_for_backward(*slopes)
        return torch.stack(sums).sum()

    @staticmethod
    def backward(ctx: Any, *outer: torch.Tensor) -> Any:
        slopes = ctx.saved_tensors
        return (None, None, *(torch.mul(slope, outer[0], out=torch.empty_like(slope)) for slope in slopes))


def _group_lasso(part: Filters) -> tuple[torch.Tensor, torch.Tensor]:
    w, root = part.weight.float(), prod(part.shape[dim] for dim in part.dims) ** 0.5
    norms = torch.linalg.vector_norm(w.view(part.shape), dim=part.dims, keepdim=True)
    slope = torch.empty_like(w)
    # At a filter of zeros zero is one of the subgradients.
    torch.mul(w.view(part.shape), (root / norms).masked_fill_(norms == 0, 0), out=slope.view(part.shape))
    return norms.sum() * root, slope


def _l1(part: Filters) -> tuple[torch.Tensor, torch.Tensor]:
    return part.weight.float().abs().sum(), part.weight.float().sign()


def _biased_decay(part: Filters) -> tuple[torch.Tensor, torch.Tensor]:
    w = part.weight.float()
    share = (w * w).add_(1).reciprocal_()
    slope = torch.mul(w, share, out=torch.empty_like(w))
    return (w * slope).sum(), slope.mul_(share).mul_(2)


_PENALTIES: Mapping[str, tuple[Callable[[nn.Module], list[Filters]], Term, str]] = {
    "group-lasso": (_filters, _group_lasso, "a linear layer or a convolution"),
    "bn-l1": (_scales, _l1, "BatchNorm with scales"),
    "biased-decay": (_filters, _biased_decay, "a linear layer or a convolution"),
}
