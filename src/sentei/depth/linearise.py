"""network, names of activations -> the same network without them, and what was done as JSON can hold it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from torch import nn

from sentei.depth.owners import own_graph
from sentei.depth.rectifiers import Call, is_rectifier
from sentei.depth.separation import separate, unshare
from sentei.errors import ModelError


@dataclass(frozen=True)
class Linearised:
    """Some activations became identities.

    Attributes:
        names: As `find_activations` names them.
    """

    names: tuple[str, ...]
    kind: ClassVar[str] = "linearise"

    def apply(self, model: nn.Module) -> None:
        """Does the same to a network of the same architecture.

        Args:
            model: Changed in place.

        Raises:
            ModelError: It has no such activation.
        """
        _to_identities(model, self.names)

    def to_json(self) -> dict[str, Any]:
        """The fields as JSON values."""
        return {"names": list(self.names)}

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Self:
        """What `to_json` wrote; a KeyError, TypeError or ValueError if the record is something else."""
        return cls(texts(record["names"]))


def texts(values: Any) -> tuple[str, ...]:
    """A list of texts, read strictly.

    Raises:
        ValueError: It is something else.
    """
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise ValueError(f"a list of names was expected, received {values!r}")
    return tuple(values)


def linearise(model: nn.Module, names: Sequence[str]) -> Linearised:
    """The activations do nothing from now on.

    Args:
        model: Changed in place. An ``nn.Identity`` stands where each activation stood; weights of a PReLU go with it.
        names: As `find_activations` names them, at least one.

    Returns:
        The step: applied to a fresh network of the same architecture, it gives the same state dict and answers.

    Raises:
        ValueError: No name, or one twice.
        ModelError: A name is no activation of this network. Nothing is an identity then.

    Example:
        >>> net = nn.Sequential(nn.Linear(3, 5), nn.ReLU(), nn.Linear(5, 2))
        >>> linearise(net, ["1"])
        Linearised(names=('1',))
        >>> net[1]
        Identity()
    """
    if not names or len(set(names)) != len(names):
        raise ValueError(f"names of activations are expected, each once, received {list(names)}")
    step = Linearised(tuple(names))
    step.apply(model)
    return step


def ready(model: nn.Module, names: Sequence[str]) -> list[nn.Module]:
    """The modules of these activations, each a module of its own.

    Args:
        model: Changed in place where activations have no module of their own; answers and state dict stay.
        names: As `find_activations` names them.

    Raises:
        ModelError: A name is no activation of this network.
    """
    unshare(model)
    for name in names:
        _separate_if_needed(model, name)
    for name in names:
        _require_activation(model, name)
    return [model.get_submodule(name) for name in names]


def _to_identities(model: nn.Module, names: Sequence[str]) -> None:
    for name, gone in zip(names, ready(model, names), strict=True):
        parent, _, own = name.rpartition(".")
        setattr(model.get_submodule(parent), own, nn.Identity())
        if isinstance(gone, Call):
            _drop_weights(model, gone.held[0])


def _separate_if_needed(model: nn.Module, name: str) -> None:
    """A name with a number is that of a call, which may not have a module yet."""
    owner = name.rpartition(".")[0]
    if ":" in name and _module(model, name) is None and _module(model, owner) is not None:
        separate(model.get_submodule(owner))


def _require_activation(model: nn.Module, name: str) -> None:
    if not is_rectifier(_module(model, name)):
        raise ModelError(
            f"{type(model).__name__} has no activation {name!r}; take the names from find_activations on this network"
        )
    parent, _, own = name.rpartition(".")
    if _n_calls(model.get_submodule(parent), own) > 1:
        raise ModelError(
            f"{name!r} is called several times, its calls are named {name}:0, {name}:1 and so on; "
            "take the names from find_activations on this network"
        )


def _n_calls(owner: nn.Module, child: str) -> int:
    """How often an owner calls a child; 1 where the owner cannot be followed."""
    try:
        return sum(node.op == "call_module" and node.target == child for node in own_graph(owner).nodes)
    except ModelError:
        return 1


def _module(model: nn.Module, path: str) -> nn.Module | None:
    try:
        return model.get_submodule(path)
    except AttributeError:
        return None


def _drop_weights(model: nn.Module, held: object) -> None:
    """A module that no call uses any more leaves with its weights."""
    if any(isinstance(module, Call) and module.held[0] is held for module in model.modules()):
        return
    for parent in list(model.modules()):
        for name, module in list(parent.named_children()):
            if module is held:
                setattr(parent, name, nn.Identity())
