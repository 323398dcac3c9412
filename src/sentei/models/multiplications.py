"""Which tensors a forward pass multiplies, and how often: every layer and every product of activations, once."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch.overrides import TorchFunctionMode

from sentei.models.contractions import CONTRACTIONS, Contraction


@dataclass(frozen=True)
class Multiplication:
    """One product in a forward pass.

    Attributes:
        macs: Multiply-accumulates of all rows together.
        weight: The learned tensor, or the part of one, whose entries are used equally often; ``None`` where two
            activations meet.
    """

    macs: int
    weight: torch.Tensor | None


class Multiplications(TorchFunctionMode):
    """Notes every product that runs while it is entered.

    Args:
        learned: Parameters and buffers, as the pass uses them; a product with one of them, or with a view of one, has
            that as its weight.

    Attributes:
        found: The products, in the order in which they ran.

    Example:
        >>> layer = torch.nn.Linear(3, 2)
        >>> with Multiplications(dict(layer.named_parameters())) as products:
        ...     _ = layer(torch.zeros(5, 3))
        >>> [(product.macs, product.weight is layer.weight) for product in products.found]
        [(30, True)]
    """

    def __init__(self, learned: Mapping[str, torch.Tensor]) -> None:
        super().__init__()
        self.found: list[Multiplication] = []
        self._learned = {storage_of(tensor) for tensor in learned.values()}

    def __torch_function__(
        self, function: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        """The function's own answer, noted if it is a product; what the function calls inside is part of it."""
        output = function(*args, **(kwargs or {}))
        count: Callable[..., Iterable[Contraction]] | None = CONTRACTIONS.get(function)
        if count is not None:
            for contraction in count(output, *args, **(kwargs or {})):
                self.found.append(Multiplication(contraction.macs, self._weight(contraction)))
        return output

    def _weight(self, contraction: Contraction) -> torch.Tensor | None:
        if contraction.weight is not None:
            return contraction.weight
        learned = [operand for operand in contraction.operands if storage_of(operand) in self._learned]
        # A tensor that is spread over a batch is used more often, but each of its entries still equally often.
        return learned[0] if len(learned) == 1 and contraction.macs % max(learned[0].numel(), 1) == 0 else None


def storage_of(tensor: torch.Tensor) -> int:
    """What a tensor has in common with its views, and with nothing else that is alive; also without numbers."""
    address: int = tensor.untyped_storage()._cdata
    return address
