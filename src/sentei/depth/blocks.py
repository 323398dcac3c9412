"""network -> its residual blocks that hand on their own input, and the network without some of them."""

import copy
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from torch import fx, nn

from sentei.depth.layer_graph import Passage, is_layer
from sentei.depth.linearise import texts
from sentei.depth.owners import own_graph
from sentei.depth.rectifiers import Call, called, is_rectifier
from sentei.depth.regions import first_input, is_sum
from sentei.depth.separation import named_apart, separate
from sentei.errors import ModelError


@dataclass(frozen=True)
class Block:
    """A residual block that can leave.

    Attributes:
        name: Path of its module.
        shape: Of its input and of its output, without the batch.
        activations: What it does to the sum at its end, and goes on doing when the block has left: 0 or more.
    """

    name: str
    shape: tuple[int, ...]
    activations: int


@dataclass(frozen=True)
class Dropped:
    """Some residual blocks left.

    Attributes:
        names: As `find_blocks` names them.
    """

    names: tuple[str, ...]
    kind: ClassVar[str] = "drop"

    def apply(self, model: nn.Module) -> None:
        """Does the same to a network of the same architecture.

        Args:
            model: Changed in place.

        Raises:
            ModelError: It has no such block. The model is unchanged.
        """
        for name in self.names:
            if name not in dict(model.named_modules()) or not name or _end(model.get_submodule(name)) is None:
                raise ModelError(
                    f"{type(model).__name__} has no residual block {name!r}; take the names from find_blocks on this "
                    "network"
                )
        for name in self.names:
            _drop(model, name)

    def to_json(self) -> dict[str, Any]:
        """The fields as JSON values."""
        return {"names": list(self.names)}

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Self:
        """What `to_json` wrote; a KeyError, TypeError or ValueError if the record is something else."""
        return cls(texts(record["names"]))


def find_blocks(model: nn.Module, input_shape: Sequence[int]) -> tuple[Block, ...]:
    """The residual blocks whose input can go on in their place.

    A block is a module whose forward adds something to its own input, once (``x + f(x)``, as in ResNets, MobileNetV2
    and ConvNeXt) or several times (as in transformers and Swin), then perhaps applies activations, and gives what it
    took in shape. Blocks with a convolution in the shortcut are none, and neither are those that write over their
    input. Of blocks within blocks the innermost count.

    Args:
        model: Only read; asked in eval mode for random rows.
        input_shape: Of one row, without the batch.

    Returns:
        In the order of the network's modules; none is no error.

    Example:
        >>> from sentei.models import Architecture, build
        >>> net = build(Architecture(name="resnet-20", input_shape=(3, 8, 8), n_classes=10), seed=0)
        >>> [block.name for block in find_blocks(net, (3, 8, 8))][:3]
        ['stage1.0', 'stage1.1', 'stage1.2']
    """
    passage = Passage(model, tuple(input_shape))
    found: list[Block] = []
    for name, module in model.named_modules():
        shape = passage.taken.get(name)
        if not name or shape is None or passage.n_runs[name] != 1 or passage.given[name] != shape:
            continue
        if name in passage.written:  # what reads the input after the block reads what the block made of it
            continue
        if (end := _end(module)) is not None:
            found.append(Block(name, shape[1:], len(end)))
    return tuple(b for b in found if not any(other.name.startswith(f"{b.name}.") for other in found))


def drop_blocks(model: nn.Module, names: Sequence[str]) -> Dropped:
    """The blocks hand on their input from now on, through the activations at their end.

    Args:
        model: Changed in place. An ``nn.Identity`` stands where a block stood, or its last activations alone.
        names: As `find_blocks` names them, at least one.

    Returns:
        The step: applied to a fresh network of the same architecture, it gives the same state dict and answers.

    Raises:
        ValueError: No name, or one twice.
        ModelError: A name is no residual block of this network. The model is unchanged.
    """
    if not names or len(set(names)) != len(names):
        raise ValueError(f"names of residual blocks are expected, each once, received {list(names)}")
    step = Dropped(tuple(names))
    step.apply(model)
    return step


def _end(module: nn.Module) -> list[fx.Node] | None:
    """The activations behind the last sum of a residual block, in order; ``None`` if a module is no such block."""
    if is_layer(module) or not list(module.children()):
        return None
    try:
        graph = own_graph(module, in_place=True)
    except ModelError:
        return None
    end: list[fx.Node] = []
    node = next(node for node in graph.nodes if node.op == "output").args[0]
    while isinstance(node, fx.Node) and called(node, module) is not None:
        end.insert(0, node)
        node = first_input(node)
    return end if isinstance(node, fx.Node) and is_sum(node) and node in _stream(graph, module) else None


def _stream(graph: fx.Graph, owner: nn.Module) -> set[fx.Node]:
    """The nodes that are the input, or the input and something added to it."""
    stream: set[fx.Node] = {node for node in graph.nodes if node.op == "placeholder"}
    if len(stream) != 1:
        return set()
    for node in graph.nodes:
        terms = [argument in stream for argument in node.args]
        passed = node.op == "call_module" and type(owner.get_submodule(str(node.target))) is nn.Identity
        if (passed and any(terms)) or (is_sum(node) and sum(terms) == 1):
            stream.add(node)
    return stream


def _drop(model: nn.Module, name: str) -> None:
    block = model.get_submodule(name)
    end = _end(block)
    if any(node.op != "call_module" or _n_calls(block, node) > 1 for node in end or ()):
        separate(block)
        end = _end(block)
    paths = [str(node.target) for node in end or ()]
    kept = OrderedDict(
        (name, _alone(block.get_submodule(path))) for name, path in zip(named_apart(paths), paths, strict=True)
    )
    parent, _, own = name.rpartition(".")
    setattr(model.get_submodule(parent), own, (nn.Sequential(kept) if kept else nn.Identity()).train(block.training))


def _n_calls(owner: nn.Module, node: fx.Node) -> int:
    return sum(other.op == "call_module" and other.target == node.target for other in node.graph.nodes)


def _alone(activation: nn.Module) -> nn.Module:
    """The activation without its block: with its own weights, and without writing over the block's input."""
    held = activation.held[0] if isinstance(activation, Call) else activation
    alone = copy.copy(held if isinstance(held, nn.Module) and is_rectifier(held) else activation)
    if getattr(alone, "inplace", False):
        alone.inplace = False  # type: ignore[assignment]  # torch's own flag of activations
    return alone
