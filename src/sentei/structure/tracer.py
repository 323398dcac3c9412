"""One forward pass that only looks: which slot stands behind every entry of every activation."""

import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from sentei.models.contractions import CONTRACTIONS
from sentei.structure.groups import Product
from sentei.structure.labels import along, compact
from sentei.structure.limit import TooSlowError
from sentei.structure.slots import Slots

Rule = Callable[["Tracer", Callable[..., Any], tuple[Any, ...], dict[str, Any], Any], None]
RULES: dict[Callable[..., Any], Rule] = {}
"""By function of torch: what it does to labels. Whatever is not here keeps its inputs whole."""
ABOUT_FORM = frozenset(
    [
        "__get__",
        "__hash__",
        "__len__",
        "dim",
        "element_size",
        "get_device",
        "is_complex",
        "is_contiguous",
        "is_floating_point",
        "is_same_size",
        "is_signed",
        "ndimension",
        "nelement",
        "numel",
        "size",
        "storage_offset",
        "stride",
    ]
)
"""Functions that say nothing about numbers, if what they return is no tensor."""


class Tracer(TorchFunctionMode):
    """Watches every function of torch that a forward pass calls.

    Args:
        model: Its parameters and buffers are known by name.
        deadline: Of ``time.monotonic()``.

    Attributes:
        slots: Everything that may leave, and what is tied.
        products: Uses of weights, in order.
        at: Names of the modules that are at work, the innermost last.
        whole: By function of torch that has no rule: the module in which it kept its inputs whole.
        other_macs: Multiplications in such functions.
    """

    def __init__(self, model: nn.Module, deadline: float) -> None:
        super().__init__()
        self.slots = Slots()
        self.products: list[Product] = []
        self.at: list[str] = [""]
        self.whole: dict[str, str] = {}
        self.other_macs = 0
        self._deadline = deadline
        self._labels: dict[int, tuple[torch.Tensor, torch.Tensor]] = {}
        named = [*model.named_parameters(), *model.named_buffers()]
        self._names = {id(tensor): name for name, tensor in named}

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if time.monotonic() > self._deadline:
            raise TooSlowError
        kwargs = kwargs or {}
        out = func(*args, **kwargs)
        # What is written into a tensor that was there before may be read through another view of it.
        apply: Rule = keep_whole if kwargs.get("out") is not None else RULES.get(func, keep_whole)
        apply(self, func, args, kwargs, out)
        return out

    def name(self, tensor: Any) -> str | None:
        """Name of a parameter or buffer; None for anything else."""
        return self._names.get(id(tensor))

    def labels(self, tensor: Any) -> torch.Tensor | None:
        """Compact labels of an activation, or of a parameter with one dimension; None if nothing of it can leave."""
        if id(tensor) in self._labels:
            return self._labels[id(tensor)][1]
        name = self.name(tensor)
        if not name:
            return None
        wide = [dim for dim, size in enumerate(tensor.shape) if size > 1]
        if len(wide) != 1 or not tensor.is_floating_point():
            self.slots.keep(name)  # read by something else than a layer
            return None
        slots = self.slots.of(name, wide[0], tensor.shape[wide[0]], "along")
        return torch.from_numpy(slots).reshape(tensor.shape)

    def label(self, tensor: torch.Tensor, labels: torch.Tensor | None) -> None:
        """From now on these labels stand behind the activation."""
        self._labels.pop(id(tensor), None)
        if labels is not None:
            self._labels[id(tensor)] = tensor, compact(labels)  # the tensor is held, so that its id stays its own

    def channels(self, tensor: torch.Tensor, dim: int) -> torch.Tensor:
        """Labels along one dimension, ``(size,)``; if they change along another one, too, they are fixed, and 0."""
        size = tensor.shape[dim]
        labels = self.labels(tensor)
        if labels is None:
            return torch.zeros(size, dtype=torch.int64, device="cpu")  # not where the network is watched
        found = along(labels, dim, size)
        if found is None:
            self.fix(labels)
            return torch.zeros(size, dtype=torch.int64, device="cpu")
        return found

    def fix(self, labels: torch.Tensor | None) -> None:
        """What stands behind these labels cannot leave."""
        if labels is not None:
            self.slots.fix(labels.numpy().ravel())

    def tie(self, some: torch.Tensor, others: torch.Tensor | np.ndarray) -> None:
        """Labels at equal places leave together."""
        self.slots.tie(some.numpy(), np.asarray(others))


def keep_whole(tracer: Tracer, func: Any, args: Any, kwargs: Any, out: Any) -> None:
    """For a function without a rule: what it reads or writes cannot leave, and neither can what it makes."""
    made, name = list(tensors_in(out)), getattr(func, "__name__", str(func))
    if not made and name in ABOUT_FORM:
        return
    for tensor in tensors_in((args, kwargs)):
        labels = tracer.labels(tensor)
        if labels is not None:
            tracer.fix(labels)
            tracer.whole.setdefault(name, tracer.at[-1])
    for tensor in made:
        tracer.label(tensor, None)
    if func in CONTRACTIONS:
        tracer.other_macs += sum(product.macs for product in CONTRACTIONS[func](out, *args, **kwargs))


def rule(*functions: Any) -> Callable[[Rule], Rule]:
    """Registers what these functions of torch do to labels."""

    def register(made: Rule) -> Rule:
        RULES.update(dict.fromkeys(functions, made))
        return made

    return register


def named(place: Any, names: str) -> list[Any]:
    """Functions of a module or a class, by their names."""
    return [getattr(place, name) for name in names.split()]


def tensors_in(value: Any) -> Iterator[torch.Tensor]:
    """The tensors in arguments or results, however nested."""
    if isinstance(value, torch.Tensor):
        yield value
    elif isinstance(value, dict):
        for one in value.values():
            yield from tensors_in(one)
    elif isinstance(value, list | tuple):
        for one in value:
            yield from tensors_in(one)
