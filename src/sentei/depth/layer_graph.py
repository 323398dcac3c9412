"""A network, or a part of one, as a graph whose nodes are layers."""

from collections import Counter
from typing import Any

import torch
from torch import fx, nn

from sentei.depth.owners import own_graph
from sentei.depth.rectifiers import is_rectifier
from sentei.depth.watching import random_rows
from sentei.errors import ModelError
from sentei.models.inference import in_eval_mode


class _ToLayers(fx.Tracer):
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
        taken: Shape of the only input, one row first, by path.
        given: Shape of the output.
    """

    def __init__(self, model: nn.Module, input_shape: tuple[int, ...]) -> None:
        self.n_runs: Counter[str] = Counter()
        self.taken: dict[str, tuple[int, ...]] = {}
        self.given: dict[str, tuple[int, ...]] = {}
        handles = [m.register_forward_hook(self._listener(path)) for path, m in model.named_modules()]
        try:
            with in_eval_mode(model), torch.no_grad():
                model(random_rows(model, input_shape))
        finally:
            for handle in handles:
                handle.remove()

    def _listener(self, path: str) -> Any:
        def listen(module: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
            self.n_runs[path] += 1
            if len(inputs) == 1 and isinstance(inputs[0], torch.Tensor) and isinstance(output, torch.Tensor):
                self.taken[path], self.given[path] = tuple(inputs[0].shape), tuple(output.shape)

        return listen
