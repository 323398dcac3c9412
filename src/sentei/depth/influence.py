"""How much each residual block changes what passes through it."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import nn

from sentei.depth.blocks import Block
from sentei.errors import ModelError
from sentei.models.inference import in_eval_mode


class _Influence:
    """The sum over rows of 1 - the cosine between a block's input and its output."""

    def __init__(self, name: str, module: nn.Module) -> None:
        self.name = name
        self.total, self.n_rows = 0.0, 0
        self._taken: torch.Tensor | None = None
        self._handles = (module.register_forward_pre_hook(self._before), module.register_forward_hook(self._after))

    def _before(self, module: nn.Module, inputs: tuple[Any, ...]) -> None:
        self._taken = inputs[0].detach().clone()  # a block may write over its input

    def _after(self, module: nn.Module, inputs: object, output: torch.Tensor) -> None:
        assert self._taken is not None
        x, y = self._taken.flatten(1).double(), output.flatten(1).double()
        scale = x.norm(dim=1) * y.norm(dim=1)
        cosine = torch.where(scale > 0, (x * y).sum(1) / scale, (x == y).all(1).double())
        self.total += float((1 - cosine).clamp(min=0).sum())
        self.n_rows += len(x)

    def close(self) -> None:
        for handle in self._handles:
            handle.remove()

    def mean(self) -> float:
        if not self.n_rows:
            raise ModelError(f"no row came to the block {self.name!r}; bring rows that take the whole forward pass")
        return self.total / self.n_rows


def block_importances(
    model: nn.Module, blocks: Sequence[Block], batches: Iterable[torch.Tensor]
) -> Mapping[str, float]:
    """The influence of each residual block: larger = keep.

    Args:
        model: Asked in eval mode; unchanged.
        blocks: Of this network, from `find_blocks`.
        batches: What the network takes, ``(n, ...)`` each; from the scoring split, never from calibration.

    Returns:
        By name, in [0, 2]: the mean over rows of 1 - the cosine between a row as it comes into the block and as it
        leaves it. 0 if the block does nothing but scale.

    Raises:
        ModelError: A block is not one of this network, or no row came to it.

    Source:
        Block influence: Men et al., ShortGPT: layers in large language models are more redundant than you expect,
        arXiv:2403.03853; there over tokens, here over whole rows.
    """
    modules = dict(model.named_modules())
    if unknown := [block.name for block in blocks if block.name not in modules]:
        raise ModelError(
            f"{type(model).__name__} has no residual block {unknown[0]!r}; take the blocks from find_blocks on this "
            "network"
        )
    device = next((parameter.device for parameter in model.parameters()), torch.device("cpu"))
    influences = [_Influence(block.name, modules[block.name]) for block in blocks]
    try:
        with in_eval_mode(model), torch.no_grad():
            for batch in batches:
                model(batch.to(device))
    finally:
        for influence in influences:
            influence.close()
    return {influence.name: influence.mean() for influence in influences}
