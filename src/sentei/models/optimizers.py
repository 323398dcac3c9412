"""The two optimisers, written out: torch's own load its compiler first, which takes longer than a small training."""

from collections.abc import Mapping

import torch
from torch import nn

from sentei.models.settings import TrainSettings

Tensors = list[torch.Tensor]
BETAS = (0.9, 0.999)
SMALL = 1e-8


class Optimizer:
    """Parameters and what is remembered of each; a step moves them along their gradients.

    Args:
        model: Its trainable parameters.
        settings: Momentum and weight decay. Decay acts on parameters with two or more dimensions.

    Attributes:
        slots: By word, one tensor for each parameter: the memory that makes a step differ from the one before.
    """

    slot_names: tuple[str, ...] = ()

    def __init__(self, model: nn.Module, settings: TrainSettings) -> None:
        named = [(name, parameter) for name, parameter in model.named_parameters() if parameter.requires_grad]
        self.names = [name for name, _ in named]
        self.parameters: Tensors = [parameter for _, parameter in named]
        self.decayed = [index for index, parameter in enumerate(self.parameters) if parameter.dim() > 1]
        self.settings = settings
        self.slots = {slot: [torch.zeros_like(p) for p in self.parameters] for slot in self.slot_names}

    def zero_grad(self) -> None:
        """Forget the gradients of the step before."""
        for parameter in self.parameters:
            parameter.grad = None

    @torch.no_grad()
    def step(self, rate: float, n_done: int) -> None:
        """Move every parameter that has a gradient.

        Args:
            rate: Learning rate of this step.
            n_done: Steps before this one.
        """
        have = [index for index, parameter in enumerate(self.parameters) if parameter.grad is not None]
        if have:
            self._move(have, rate, n_done)

    def _move(self, have: list[int], rate: float, n_done: int) -> None:
        raise NotImplementedError

    def _of(self, tensors: Tensors, indices: list[int]) -> Tensors:
        return [tensors[index] for index in indices]

    def tensors(self) -> dict[str, torch.Tensor]:
        """What is remembered, by ``parameter/slot``; not copied."""
        return {
            f"{name}/{slot}": tensor
            for slot, tensors in self.slots.items()
            for name, tensor in zip(self.names, tensors, strict=True)
        }

    def restore(self, tensors: Mapping[str, torch.Tensor]) -> None:
        """Remember again what `tensors` gave.

        Args:
            tensors: By ``parameter/slot``; copied.
        """
        for key, own in self.tensors().items():
            own.copy_(tensors[key])


class Sgd(Optimizer):
    """Stochastic gradient descent with Nesterov momentum; weight decay joins the gradient.

    Source:
        Sutskever et al., On the importance of initialization and momentum in deep learning, 2013, as torch does it.
    """

    slot_names = ("momentum",)

    def _move(self, have: list[int], rate: float, n_done: int) -> None:
        parameters = self._of(self.parameters, have)
        gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
        decayed = [place for place, index in enumerate(have) if index in set(self.decayed)]
        if decayed and self.settings.weight_decay:
            torch._foreach_add_(
                self._of(gradients, decayed), self._of(parameters, decayed), alpha=self.settings.weight_decay
            )
        if self.settings.momentum:
            momentum = self._of(self.slots["momentum"], have)
            torch._foreach_mul_(momentum, self.settings.momentum)
            torch._foreach_add_(momentum, gradients)
            torch._foreach_add_(gradients, momentum, alpha=self.settings.momentum)
        torch._foreach_add_(parameters, gradients, alpha=-rate)


class AdamW(Optimizer):
    """Adam with weight decay apart from the gradient.

    Source:
        Loshchilov & Hutter, Decoupled weight decay regularization, arXiv:1711.05101, algorithm 2.
    """

    slot_names = ("mean", "square")

    def _move(self, have: list[int], rate: float, n_done: int) -> None:
        parameters = self._of(self.parameters, have)
        gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
        mean, square = self._of(self.slots["mean"], have), self._of(self.slots["square"], have)
        decayed = [self.parameters[index] for index in have if index in set(self.decayed)]
        if decayed:
            torch._foreach_mul_(decayed, 1 - rate * self.settings.weight_decay)
        torch._foreach_lerp_(mean, gradients, 1 - BETAS[0])
        torch._foreach_mul_(square, BETAS[1])
        torch._foreach_addcmul_(square, gradients, gradients, 1 - BETAS[1])
        spread = torch._foreach_sqrt(square)
        torch._foreach_div_(spread, (1 - BETAS[1] ** (n_done + 1)) ** 0.5)
        torch._foreach_add_(spread, SMALL)
        torch._foreach_addcdiv_(parameters, mean, spread, -rate / (1 - BETAS[0] ** (n_done + 1)))


def make_optimizer(model: nn.Module, settings: TrainSettings) -> Optimizer:
    """The optimiser that the settings name.

    Args:
        model: Its trainable parameters.
        settings: Optimizer, momentum, weight decay.

    Returns:
        An optimiser that remembers nothing yet.
    """
    return {"sgd": Sgd, "adamw": AdamW}[settings.optimizer](model, settings)
