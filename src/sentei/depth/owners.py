"""A module's own forward as a graph, and a module that runs such a graph from now on."""

import operator
from typing import Any

from torch import fx, nn

from sentei.errors import ModelError

ADVICE = "write activations as modules, made in __init__, one for each use"


class _Traced(fx.Proxy):
    """A value of which ``x += y`` is told apart from ``x = x + y``."""

    def __iadd__(self, other: Any) -> fx.Proxy:
        return self.tracer.create_proxy("call_function", operator.iadd, (self, other), {})


class InPlaceTracer(fx.Tracer):
    """Keeps sums in place; its graphs are to be read, not run, as Python's numbers know no such sums."""

    def proxy(self, node: fx.Node) -> fx.Proxy:
        """The value of a node."""
        return _Traced(node, self)


class _OwnForward(fx.Tracer):
    """Looks at one forward only: every module that it calls is a leaf."""

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return True


class _OwnForwardInPlace(_OwnForward, InPlaceTracer):
    """The same, with sums in place."""


def own_graph(owner: nn.Module, in_place: bool = False) -> fx.Graph:
    """What a module's forward does with its children, as a graph in which each child is one node.

    Args:
        owner: Only read; its children are not run.
        in_place: Whether ``x += y`` is a node ``iadd``, in a graph to be read; in one to be run it is ``add``.

    Raises:
        ModelError: The forward depends on values, or on whether it trains. The message says what to do.

    Example:
        >>> [node.op for node in own_graph(nn.Sequential(nn.Linear(2, 2), nn.ReLU())).nodes]
        ['placeholder', 'call_module', 'call_module', 'output']
    """
    kind, mode = type(owner).__name__, owner.training
    tracer = _OwnForwardInPlace if in_place else _OwnForward
    try:
        owner.training = not mode
        other = tracer().trace(owner)
        owner.training = mode
        graph = tracer().trace(owner)
    except Exception as error:  # a forward pass can fail in every way
        raise ModelError(f"the forward of {kind} cannot be followed: {error}; {ADVICE}") from error
    finally:
        owner.training = mode
    if str(other) != str(graph):
        raise ModelError(
            f"the forward of {kind} is another one in training (a function such as F.dropout(x, training=...)); "
            f"{ADVICE}, and dropout as a module too"
        )
    return graph


def run_graph(owner: nn.Module, graph: fx.Graph) -> None:
    """The owner's forward is the graph from now on.

    The object stays, with its children, the names of its weights and every other method: its class becomes a subclass
    of the one that it has, as torch's own parametrizations do.

    Args:
        owner: Changed in place.
        graph: Of this module.
    """
    before: Any = type(owner)
    names = {"__module__": before.__module__, "__qualname__": before.__qualname__, "__doc__": before.__doc__}
    forward = type(fx.GraphModule(owner, graph)).forward
    owner.__class__ = type(before.__name__, (before,), {**names, "forward": forward})
