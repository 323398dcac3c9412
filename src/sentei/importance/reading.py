"""What the layers of a network read, seen at the multiplications themselves and not at the modules.

Some networks hand the weight of a layer to a function (attention does), and some apply one weight in several places. So
every product of a linear or convolution function is looked at, and belongs to the parameter that it multiplies by.
"""

import inspect
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn
from torch.overrides import TorchFunctionMode

from sentei.errors import ModelError
from sentei.importance.geometry import Layer, Use
from sentei.importance.places import parameters_by_name
from sentei.importance.rows import ScoringRows, questioned

_CONVOLUTIONS: Mapping[Any, int] = {F.conv1d: 1, F.conv2d: 2, F.conv3d: 3}
_TRANSPOSED: Mapping[Any, int] = {F.conv_transpose1d: 1, F.conv_transpose2d: 2, F.conv_transpose3d: 3}
_ARGUMENTS = ("input", "weight", "bias", "stride", "padding", "dilation", "groups")
_TRANSPOSED_ARGUMENTS = ("input", "weight", "bias", "stride", "padding", "output_padding", "groups", "dilation")


class Watch(TorchFunctionMode):
    """While it is entered, every product with one of the weights is handed on.

    Args:
        model: The network.
        names: Of the weights to watch.
        take: Is given each use as it happens; it may keep the inputs.
    """

    def __init__(self, model: nn.Module, names: Iterable[str], take: Callable[[Use], None]) -> None:
        super().__init__()
        parameters = parameters_by_name(model)
        self._names = {id(parameters[name]): name for name in names}
        self._take = take

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """The function's own result; its inputs are handed on if it multiplies by a weight that is watched."""
        kwargs = kwargs or {}
        if func is F.multi_head_attention_forward:
            return self._attention(inspect.signature(func).bind(*args, **kwargs).arguments)
        if func is F.linear:
            given = dict(zip(_ARGUMENTS, args, strict=False)) | kwargs
            self._linear(given["input"], given["weight"], given.get("bias"))
        elif func in _CONVOLUTIONS:
            self._convolution(dict(zip(_ARGUMENTS, args, strict=False)) | kwargs, _CONVOLUTIONS[func])
        elif func in _TRANSPOSED:
            self._transposed(dict(zip(_TRANSPOSED_ARGUMENTS, args, strict=False)) | kwargs, _TRANSPOSED[func])
        return func(*args, **kwargs)

    def _linear(self, inputs: torch.Tensor, weight: torch.Tensor | None, bias: torch.Tensor | None = None) -> None:
        name = self._names.get(id(weight))
        if name is not None and weight is not None:
            self._take(Use(Layer(name, tuple(weight.shape)), inputs.detach(), bias))

    def _convolution(self, given: dict[str, Any], n_spatial: int) -> None:
        name = self._names.get(id(given["weight"]))
        if name is None:
            return
        layer = Layer(name, tuple(given["weight"].shape), False, given.get("groups", 1))
        dilation = _each(given.get("dilation", 1), n_spatial)
        before, extra = _padding(given.get("padding", 0), layer.shape[2:], dilation)
        stride, bias = _each(given.get("stride", 1), n_spatial), given.get("bias")
        self._take(Use(layer, given["input"].detach(), bias, stride, before, extra, dilation))

    def _transposed(self, given: dict[str, Any], n_spatial: int) -> None:
        name = self._names.get(id(given["weight"]))
        if name is None:
            return
        layer = Layer(name, tuple(given["weight"].shape), True, given.get("groups", 1))
        keys = ("stride", "padding", "output_padding", "dilation")
        rest = (_each(given.get(key, int(key in ("stride", "dilation"))), n_spatial) for key in keys)
        self._take(Use(layer, given["input"].detach(), given.get("bias"), *rest))

    def _attention(self, given: dict[str, Any]) -> Any:
        """Torch's attention in two halves, so that the input of its last product can be seen."""
        query, key, value = given["query"], given["key"], given["value"]
        if query is key and key is value:
            self._linear(query, given["in_proj_weight"], given["in_proj_bias"])
        for inputs, weight in ((query, "q_proj_weight"), (key, "k_proj_weight"), (value, "v_proj_weight")):
            self._linear(inputs, given.get(weight))
        last, bias = given["out_proj_weight"], given["out_proj_bias"]
        if id(last) not in self._names:
            return F.multi_head_attention_forward(**given)
        unit = torch.eye(last.shape[1], dtype=last.dtype, device=last.device)
        heads, weights = F.multi_head_attention_forward(**given | {"out_proj_weight": unit, "out_proj_bias": None})
        self._linear(heads, last, bias)
        return F.linear(heads, last, bias), weights


def _each(number: int | tuple[int, ...], n_spatial: int) -> tuple[int, ...]:
    numbers = (number,) if isinstance(number, int) else tuple(number)
    return numbers * n_spatial if len(numbers) == 1 else numbers


def _padding(
    given: str | int | tuple[int, ...], kernel: tuple[int, ...], dilation: tuple[int, ...]
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Zeros before, and how many more after."""
    if given != "same":
        before = _each(0 if isinstance(given, str) else given, len(kernel))
        return before, (0,) * len(kernel)
    reach = [step * (taps - 1) for step, taps in zip(dilation, kernel, strict=True)]
    return tuple(r // 2 for r in reach), tuple(r % 2 for r in reach)


def layers_in_order(model: nn.Module, names: Iterable[str], rows: ScoringRows) -> tuple[Layer, ...]:
    """The layers of these weights in the order in which the network first uses them.

    Args:
        model: The network; it is asked about the first row.
        names: Of the weights.
        rows: Where the first row is.

    Raises:
        ModelError: No linear or convolution layer reads its inputs through one of them.
    """
    wanted = tuple(names)
    found = layers_in_use(model, wanted, rows)
    unused = set(wanted) - {layer.name for layer in found}
    if unused:
        raise ModelError(
            f"expected weights that a linear or convolution layer multiplies its inputs by, received "
            f"{', '.join(name for name in wanted if name in unused)}, which no such layer was seen to use; leave them "
            "out, or take a criterion that looks at weights and gradients alone, such as magnitude-l2 or taylor"
        )
    return found


def layers_in_use(model: nn.Module, names: Iterable[str], rows: ScoringRows) -> tuple[Layer, ...]:
    """As `layers_in_order`, without those that are never used."""
    found: dict[str, Layer] = {}

    def take(use: Use) -> None:
        found.setdefault(use.layer.name, use.layer)

    with questioned(model) as device, torch.no_grad():
        row = torch.from_numpy(rows.preprocessing.apply(rows.inputs[:1])).to(device)
        with Watch(model, names, take):
            model(row)
    return tuple(found.values())


def look(model: nn.Module, names: Iterable[str], rows: ScoringRows, take: Callable[[Use], None]) -> None:
    """Let the network read all rows, and hand on what these weights multiply, batch after batch.

    Args:
        model: The network; it is only read.
        names: Of the weights.
        rows: All of them are read, in order.
        take: Is given each use; keep sums and not inputs.
    """
    with questioned(model) as device, torch.no_grad():
        for _, batch in rows.batches(device):
            with Watch(model, names, take):
                model(batch)
