"""Every call of an activation gets a module of its own, so that one of them can go and the others stay."""

import copy
from collections import Counter
from collections.abc import Callable, Sequence
from itertools import count
from typing import Any

from torch import fx, nn

from sentei.depth.owners import ADVICE, own_graph, run_graph
from sentei.depth.rectifiers import Call, called, is_rectifier
from sentei.errors import ModelError


def unshare(model: nn.Module) -> None:
    """An activation that stands in several places becomes one for each place.

    Args:
        model: Changed in place. Weights of a PReLU stay shared, and every name in the state dict stays.
    """
    seen: set[int] = set()
    for parent in list(model.modules()):
        for name, module in list(parent._modules.items()):
            if module is None or not is_rectifier(module):
                continue
            if id(module) in seen:
                parent._modules[name] = _twin(module)
            seen.add(id(module))


def _twin(module: nn.Module) -> nn.Module:
    """The same activation as another object with the same weights."""
    twin = copy.copy(module)
    twin._parameters = dict(module._parameters)
    return twin


def named_apart(paths: Sequence[str], *taken: str) -> list[str]:
    """Names for modules beside one another: the last parts of their paths, with a number where one is taken.

    Example:
        >>> named_apart(["act", "end.act", "merged"], "merged")
        ['act', 'act_1', 'merged_1']
    """
    names = list(taken)
    for path in paths:
        own = path.rpartition(".")[2]
        numbered = (f"{own}_{number}" if number else own for number in count())
        names.append(next(name for name in numbered if name not in names))
    return names[len(taken) :]


def separate(owner: nn.Module) -> None:
    """Activations that an owner calls as functions, or several times, are modules of their own from now on.

    The call number k of ``self.relu`` and of ``F.relu`` becomes the module ``relu:k`` of the owner, counted in the
    order of its forward. An activation that is a module and is called once stays where it is.

    Args:
        owner: Changed in place; answers and state dict stay.

    Raises:
        ModelError: The owner's forward cannot be followed. The owner is unchanged.

    Example:
        >>> class Owner(nn.Module):
        ...     def __init__(self):
        ...         super().__init__()
        ...         self.fc, self.relu = nn.Linear(2, 2), nn.ReLU()
        ...
        ...     def forward(self, x):
        ...         return self.relu(self.fc(self.relu(x)))
        >>> owner = Owner()
        >>> separate(owner)
        >>> [name for name, _ in owner.named_children()]
        ['fc', 'relu', 'relu:0', 'relu:1']
    """
    graph = own_graph(owner)
    n_calls = Counter(node.target for node in graph.nodes if node.op == "call_module")
    n_before: Counter[str] = Counter()
    made: dict[str, Call] = {}
    for node in list(graph.nodes):
        activation = called(node, owner)
        if activation is None or (node.op == "call_module" and n_calls[node.target] == 1):
            continue
        label = _label(node)
        made[f"{label}:{n_before[label]}"] = _redirect(node, f"{label}:{n_before[label]}", activation)
        n_before[label] += 1
    for name, call in made.items():
        owner.add_module(name, call)
    if made:
        run_graph(owner, graph)


def _label(node: fx.Node) -> str:
    """``relu`` for ``self.relu``, ``F.relu`` and ``x.relu_()``; one further inside has its path, joined by ``_``."""
    if node.op == "call_module":
        return str(node.target).replace(".", "_")
    name = node.target if isinstance(node.target, str) else getattr(node.target, "__name__", "")
    return name.rstrip("_")


def _redirect(node: fx.Node, name: str, activation: Callable[..., Any]) -> Call:
    """The node calls a child of this name, which is handed back."""
    args, kwargs = list(node.args), dict(node.kwargs)
    bent = args.pop(0) if args else kwargs.pop("input")
    if any(isinstance(value, fx.Node) for value in (*args, *kwargs.values())):
        raise ModelError(f"the activation {node.target} takes weights as arguments; {ADVICE}")
    node.op, node.target, node.args, node.kwargs = "call_module", name, (bent,), {}
    return Call(activation, *args, **kwargs)
