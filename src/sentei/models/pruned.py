"""Pruned weights during training: zero, and without anything that could revive them."""

from collections.abc import Mapping

import torch
from torch import nn

from sentei.errors import ModelError


class KeptZero:
    """Keeps pruned weights, and their gradients, at zero.

    Args:
        model: Its pruned weights become zero at once.
        masks: By parameter name; True = keep.

    Raises:
        ModelError: A mask fits no parameter.
    """

    def __init__(self, model: nn.Module, masks: Mapping[str, torch.Tensor]) -> None:
        parameters = dict(model.named_parameters())
        for name, mask in masks.items():
            if name not in parameters or parameters[name].shape != mask.shape:
                raise ModelError(
                    f"the mask of {name!r} with shape {tuple(mask.shape)} fits no parameter of the model; "
                    "train with the masks that were made for it"
                )
        self._pruned = [(parameters[name], ~mask.to(parameters[name].device)) for name, mask in masks.items()]
        self.weights()

    def gradients(self) -> None:
        """Pruned weights have no gradient, so that the optimiser's momentum for them stays zero."""
        for parameter, pruned in self._pruned:
            if parameter.grad is not None:
                parameter.grad.masked_fill_(pruned, 0.0)

    @torch.no_grad()
    def weights(self) -> None:
        """Pruned weights are +0, whatever the optimiser did."""
        for parameter, pruned in self._pruned:
            parameter.masked_fill_(pruned, 0.0)
