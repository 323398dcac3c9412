"""One forward pass, watched: which module called which activation, and what it bent."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.nn.modules.batchnorm import _NormBase
from torch.nn.modules.conv import _ConvNd
from torch.overrides import TorchFunctionMode

from sentei.depth.rectifiers import FUNCTIONS, is_rectifier
from sentei.models.inference import in_eval_mode


@dataclass(frozen=True)
class Seen:
    """One call of an activation.

    Attributes:
        owner: Path of the module whose forward made the call.
        run: Which run of that forward, counted over all modules.
        path: Of the activation; empty for a function.
        shape: Of what was bent, one row first.
        dim: The dimension of ``shape`` that holds the neurons.
        tracked: Whether what was bent has a gradient.
    """

    owner: str
    run: int
    path: str
    shape: tuple[int, ...]
    dim: int
    tracked: bool


class Watch(TorchFunctionMode):
    """Notes every call of an activation while it is entered.

    Args:
        model: Watched; unchanged on leaving.

    Attributes:
        seen: The calls, in the order in which they ran.
    """

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.seen: list[Seen] = []
        self._paths = {id(module): path for path, module in model.named_modules()}
        self._stack: list[tuple[nn.Module, int]] = []
        self._n_runs = 0
        self._last_layer: nn.Module | None = None
        self._handles: list[Any] = []
        for module in model.modules():
            self._handles.append(module.register_forward_pre_hook(self._enter, with_kwargs=True))
            self._handles.append(module.register_forward_hook(self._leave, always_call=True))

    def close(self) -> None:
        """Nothing is watched any more."""
        for handle in self._handles:
            handle.remove()

    def _enter(self, module: nn.Module, inputs: tuple[Any, ...], named: dict[str, Any]) -> None:
        if is_rectifier(module) and self._stack and not is_rectifier(self._stack[-1][0]):
            self._note(self._paths[id(module)], bent_of(inputs, named))
        self._n_runs += 1
        self._stack.append((module, self._n_runs))

    def _leave(self, module: nn.Module, inputs: object, output: object) -> None:
        self._stack.pop()
        if isinstance(module, nn.Linear | _ConvNd | _NormBase):
            self._last_layer = module

    def _note(self, path: str, bent: torch.Tensor) -> None:
        owner, run = self._stack[-1]
        self.seen.append(
            Seen(self._paths[id(owner)], run, path, tuple(bent.shape), self._dim(bent), bent.requires_grad)
        )

    def _dim(self, bent: torch.Tensor) -> int:
        """Features come last after a linear layer, and in sequences of which nothing is known; else second."""
        if isinstance(self._last_layer, nn.Linear) or (self._last_layer is None and bent.dim() == 3):
            return bent.dim() - 1
        return min(1, bent.dim() - 1)

    def __torch_function__(
        self, function: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        """The function's own answer, noted if it is an activation that no module wraps."""
        if function in FUNCTIONS and self._stack and not is_rectifier(self._stack[-1][0]):
            self._note("", bent_of(args, kwargs or {}))
        return function(*args, **(kwargs or {}))


def bent_of(inputs: tuple[Any, ...], named: dict[str, Any]) -> torch.Tensor:
    """What an activation was called with: its one argument, by place or by name."""
    found: torch.Tensor = inputs[0] if inputs else named["input"]
    return found


def watch(model: nn.Module, rows: torch.Tensor) -> tuple[list[Seen], torch.Tensor]:
    """Every call of an activation in one pass, and the network's answer.

    Args:
        model: Asked in eval mode; unchanged.
        rows: What the network takes. They want a gradient, so that a call on something that comes from them is
            ``tracked``; where no weight wants one, no other is.

    Returns:
        Calls in the order of the pass; the answer.
    """
    watching = Watch(model)
    try:
        with in_eval_mode(model), torch.enable_grad(), watching:
            answer = model(rows.requires_grad_() * 1)  # times 1, as a network may write over what it is given
    finally:
        watching.close()
    return watching.seen, answer.detach() if isinstance(answer, torch.Tensor) else answer


def random_rows(model: nn.Module, input_shape: Sequence[int], n_rows: int = 2) -> torch.Tensor:
    """Rows that are the same each time, on the model's device and in its precision: ``(n_rows, *input_shape)``."""
    rows = torch.randn(n_rows, *input_shape, generator=torch.Generator().manual_seed(0))
    like = next((parameter for parameter in model.parameters() if parameter.is_floating_point()), rows)
    return rows.to(device=like.device, dtype=like.dtype)
