"""A network's own forward pass, walked with bounds beside every activation."""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import nn
from torch.overrides import TorchFunctionMode
from torch.utils.weak import WeakTensorKeyDictionary

from sentei.errors import ModelError
from sentei.intervals.reach import Reach, Weights
from sentei.models.at_work import named_at_work
from sentei.models.doubles import without_numbers
from sentei.structure.tracer import ABOUT_FORM, tensors_in

Rule = Callable[["Walk", Callable[..., Any], tuple[Any, ...], dict[str, Any], Any], Reach | list[Reach]]
AfterLayer = Callable[[str, Weights | None, Reach, Reach], Reach]
RULES: dict[Callable[..., Any], Rule] = {}
"""By function of torch: the reach of what it returns. Whatever is not here cannot be bounded."""


def rule(*functions: Any) -> Callable[[Rule], Rule]:
    """Registers how these functions of torch are bounded."""

    def register(made: Rule) -> Rule:
        RULES.update(dict.fromkeys(functions, made))
        return made

    return register


class Walk(TorchFunctionMode):
    """Follows a forward pass of a network without numbers, and keeps the reach of every activation.

    Args:
        shadow: The network without numbers.
        values: By name of each parameter and buffer that holds numbers with fractions: those of both networks.

    Attributes:
        at: Names of the modules that are at work, the innermost last.
        answer: What the network returned.
        last_layer: Of the linear layer that answered last: its answer, its input's reach, its weight and its bias; None
            if something was written over its answer.
        after_layer: Is given the name of a linear layer's weight, its bias, its input's and its answer's reach; returns
            the answer's reach.
    """

    def __init__(self, shadow: nn.Module, values: Mapping[str, Weights]) -> None:
        super().__init__()
        self.at = [""]
        self.answer: torch.Tensor | None = None
        self.last_layer: tuple[torch.Tensor, Reach, Weights, Weights | None] | None = None
        self.after_layer: AfterLayer = lambda name, bias, x, made: made
        self._values = values
        self._names = {id(t): n for n, t in [*shadow.named_parameters(), *shadow.named_buffers()]}
        self._reaches: Any = WeakTensorKeyDictionary()
        self._start: Reach | None = None

    def begin(self, x: torch.Tensor, reach: Reach) -> None:
        """The input of the network."""
        self._start = self._reaches[x] = reach

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        known = [tensor for tensor in tensors_in((args, kwargs)) if self.knows(tensor)]
        versions = [(tensor, tensor._version) for tensor in known]
        out = func(*args, **kwargs)
        made = list(tensors_in(out))
        if not known or (not made and getattr(func, "__name__", "") in ABOUT_FORM):
            return out
        if func not in RULES or kwargs.get("out") is not None:
            raise ModelError(self.refusal(func))
        reaches = RULES[func](self, func, args, kwargs, out)
        for tensor, version in versions:
            if tensor._version != version:
                self._forget_views(tensor)
        for tensor, reach in zip(made, reaches if isinstance(reaches, list) else [reaches], strict=True):
            self._put(func, tensor, reach)
        return out

    def _put(self, func: Any, tensor: torch.Tensor, reach: Reach) -> None:
        if not reach.finite():
            raise ModelError(
                f"the bounds of what {_name(func)} in {self.place} returns are no finite numbers; "
                "take a smaller box of inputs, or mend the network's weights"
            )
        if self.last_layer and tensor is self.last_layer[0] and self._reaches.get(tensor, reach) is not reach:
            self.last_layer = None  # what works in place returns the object that it was given
        shape = tensor.shape
        self._reaches[tensor] = reach if reach.shape == shape else reach.moved(lambda bound: bound.expand(shape))

    def _forget_views(self, written: torch.Tensor) -> None:
        """Whatever looks at the memory of a tensor that was written has other values now than those it was given."""
        storage = written.untyped_storage()._cdata
        for tensor in list(self._reaches):
            if tensor.untyped_storage()._cdata == storage:
                self._reaches[tensor] = None

    def knows(self, tensor: Any) -> bool:
        """Whether it is an activation or a parameter, and no constant that the forward pass made."""
        return isinstance(tensor, torch.Tensor) and (tensor in self._reaches or id(tensor) in self._names)

    @property
    def place(self) -> str:
        """The module at work, for messages."""
        return f"module {self.at[-1]!r}" if self.at[-1] else "the network itself"

    def refusal(self, func: Any, why: str = "there is no rule for it") -> str:
        """What to say of a function that cannot be bounded."""
        return (
            f"bounds cannot follow {_name(func)} in {self.place}: {why}; write it with layers, entry-wise functions, "
            "pooling, movements, sums and products, or choose a method without bounds"
        )

    def name(self, tensor: torch.Tensor) -> str | None:
        """Name of a parameter or buffer; None for anything else."""
        return self._names.get(id(tensor))

    def weights(self, func: Any, tensor: torch.Tensor | None) -> Weights | None:
        """The numbers of a parameter in both networks; None for none."""
        if tensor is None:
            return None
        if (name := self.name(tensor)) not in self._values:
            raise ModelError(self.refusal(func, "its weights are no parameters or buffers of the network"))
        if tensor._version:  # the shadow's own are as they were made
            raise ModelError(self.refusal(func, f"the forward pass writes over {name!r}"))
        return self._values[str(name)]

    def reach(self, func: Any, operand: Any) -> Reach:
        """Of an activation, a parameter or a number."""
        assert self._start is not None  # the walk has begun
        if isinstance(operand, int | float):
            return self._start.constant(float(operand))
        if operand in self._reaches:
            if (found := self._reaches[operand]) is None:
                raise ModelError(self.refusal(func, "another view of its input was written in place"))
            return found  # type: ignore[no-any-return]  # torch's dictionary says nothing of its values
        values = self.weights(func, operand)
        assert values is not None
        return self._start.parameter(values)


def _name(func: Any) -> str:
    return getattr(func, "__name__", str(func))


def walk(
    model: nn.Module,
    values: Mapping[str, Weights],
    start: Reach,
    after_layer: AfterLayer | None = None,
) -> tuple[Reach, Walk]:
    """The reach of a network's answer.

    Args:
        model: Only read.
        values: Of its parameters and buffers, by name, in both networks.
        start: Reach of the input, with a batch dimension.
        after_layer: See `Walk`.

    Returns:
        The answer's reach, and the walk.

    Raises:
        ModelError: The forward pass fails without numbers, calls a function without a rule, or does not answer with one
            tensor; the module at work is named.
    """
    shadow = without_numbers(model)
    path = Walk(shadow, values)
    path.after_layer = after_layer or path.after_layer
    x = torch.empty(start.shape, device="meta")
    path.begin(x, start)
    try:
        with named_at_work(shadow, path.at), torch.no_grad(), path:
            answer = shadow(x)
    except ModelError:
        raise
    except Exception as error:  # a forward pass can fail in every way
        raise ModelError(
            f"bounds cannot follow {type(model).__name__}: on rows of shape {tuple(start.shape[1:])} {path.place} "
            f"fails: {error}; its forward pass has to work on tensors without numbers"
        ) from error
    if not path.knows(answer):
        raise ModelError(
            f"{type(model).__name__} answers with a {type(answer).__name__} that bounds did not follow; "
            "wrap the network so that it gives its logits alone"
        )
    path.answer = answer
    return path.reach(type(model), answer), path
