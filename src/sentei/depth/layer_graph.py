"""A network, or a part of one, as a graph whose nodes are layers."""

from collections import Counter
from collections.abc import Callable
from typing import Any

import torch
from torch import fx, nn
from torch.overrides import TorchFunctionMode

from sentei.depth.owners import InPlaceTracer, own_graph
from sentei.depth.rectifiers import is_rectifier
from sentei.depth.watching import random_rows
from sentei.errors import ModelError
from sentei.models.inference import in_eval_mode
from sentei.structure.tracer import tensors_in


class _ToLayers(InPlaceTracer):
    """Goes into every module but torch's own layers and those that cannot be followed."""

    def __init__(self, opaque: frozenset[nn.Module]) -> None:
        super().__init__()
        self._opaque = opaque

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return is_layer(m) or m in self._opaque


def is_layer(module: nn.Module) -> bool:
    """Whether a module is one of torch's own layers, or an activation: its inside is of no interest."""
    own = type(module).__module__.startswith("torch.nn") and not isinstance(module, nn.Sequential)
    return own or is_rectifier(module)


class LayerGraphs:
    """What modules of a network do with its layers.

    Args:
        model: Only read.

    Attributes:
        opaque: Modules whose forward depends on values or on whether it trains: they are nodes as layers are.
    """

    def __init__(self, model: nn.Module) -> None:
        self.opaque = frozenset(m for m in model.modules() if not is_layer(m) and not _followed(m))

    def of(self, module: nn.Module) -> fx.Graph | None:
        """The graph of a module; ``None`` if it cannot be followed. Targets are paths within the module."""
        if module in self.opaque or is_layer(module):
            return None
        try:
            return _ToLayers(self.opaque).trace(module)
        except Exception:  # of any class: modules that can be followed alone can fail together
            return None


def _followed(module: nn.Module) -> bool:
    try:
        own_graph(module)
    except ModelError:
        return False
    return True


class Passage:
    """What came into and out of each module in one forward pass.

    Attributes:
        n_runs: By path.
        taken: Shape of the only input, one row first, by path; of modules that are called by position.
        given: Shape of the output, of the same modules.
        read: Paths of modules whose weights or statistics another module's forward reads.
        written: Paths of modules that write over their input.
    """

    def __init__(self, model: nn.Module, input_shape: tuple[int, ...]) -> None:
        self.n_runs: Counter[str] = Counter()
        self.taken: dict[str, tuple[int, ...]] = {}
        self.given: dict[str, tuple[int, ...]] = {}
        self.written: set[str] = set()
        reading = _Reading(model)
        self.read = reading.read
        rows = random_rows(model, input_shape)
        handles = [one for path, m in model.named_modules() for one in self._listen(path, m, reading.at)]
        try:
            with in_eval_mode(model), torch.no_grad(), reading:
                model(rows)
        finally:
            for handle in handles:
                handle.remove()

    def _listen(self, path: str, module: nn.Module, at: list[str]) -> tuple[Any, Any]:
        versions: list[list[tuple[torch.Tensor, int]]] = []

        def enter(module: nn.Module, inputs: tuple[Any, ...]) -> None:
            at.append(path)
            versions.append([(one, one._version) for one in tensors_in(inputs)])

        def leave(module: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
            at.pop()
            if any(one._version != version for one, version in versions.pop()):
                self.written.add(path)
            self.n_runs[path] += 1
            if len(inputs) == 1 and isinstance(inputs[0], torch.Tensor) and isinstance(output, torch.Tensor):
                self.taken[path], self.given[path] = tuple(inputs[0].shape), tuple(output.shape)

        return module.register_forward_pre_hook(enter), module.register_forward_hook(leave)


class _Reading(TorchFunctionMode):
    """Notes whose weights are read while another module is at work.

    Args:
        model: Its parameters and buffers are known by the module that holds them.

    Attributes:
        at: Paths of the modules at work, the innermost last.
        read: Paths of modules.
    """

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.at = [""]
        self.read: set[str] = set()
        named = [*model.named_parameters(), *model.named_buffers()]
        self._owners = {id(tensor): name.rpartition(".")[0] for name, tensor in named}

    def __torch_function__(
        self, function: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        """The function's own answer; shapes and types are read, too, and would be missed."""
        for tensor in tensors_in((args, kwargs)):
            owner = self._owners.get(id(tensor))
            if owner not in (None, self.at[-1]):
                self.read.add(str(owner))
        return function(*args, **(kwargs or {}))
