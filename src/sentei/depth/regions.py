"""Parts of a network in which nothing bends: layers one after the other, and sums of such chains."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace

from torch import fx, nn

from sentei.depth.layer_graph import LayerGraphs, Passage
from sentei.depth.rectifiers import is_rectifier

_ADDITIONS = ("add", "iadd", "add_")


@dataclass(frozen=True)
class Part:
    """One linear layer.

    Attributes:
        layer: Path of a convolution or a linear layer.
        norms: Paths of the BatchNorms behind it.
        passed: Paths of identities and dropout between the layer and the last norm.
        onward: The same, from there to the next layer.
    """

    layer: str
    norms: tuple[str, ...] = ()
    passed: tuple[str, ...] = ()
    onward: tuple[str, ...] = ()


@dataclass(frozen=True)
class Region:
    """What can be one layer.

    Attributes:
        place: Path of the module that the merged layer replaces: the first layer of a chain, or a residual block.
        branches: Chains of layers whose outputs are added; one without a layer is the block's input itself.
        after: Paths of activations behind the sum that stay.
    """

    place: str
    branches: tuple[tuple[Part, ...], ...]
    after: tuple[str, ...] = ()

    @property
    def paths(self) -> frozenset[str]:
        """Every module that takes part."""
        parts = [part for branch in self.branches for part in branch]
        return frozenset(name for part in parts for name in (part.layer, *part.norms, *part.passed, *part.onward))


class Reader:
    """Reads regions out of a network.

    Args:
        model: Only read.
        passage: One forward pass of it.
    """

    def __init__(self, model: nn.Module, passage: Passage) -> None:
        self._model, self._passage = model, passage
        self._graphs = LayerGraphs(model)
        self._shared = _shared(model)

    @property
    def followed(self) -> bool:
        """Whether the whole network can be followed."""
        return self._graphs.of(self._model) is not None

    def chains(self) -> Iterator[Region]:
        """Every run of layers one after the other, also those of one layer with BatchNorm behind it."""
        graph = self._graphs.of(self._model)
        assert graph is not None
        behind = {node: self._part(node, "") for node in graph.nodes if self._is_layer(node, "")}
        following = {node: after for node, (_, after) in behind.items() if after and _alike(self._model, node, after)}
        inner = set(following.values())
        for first in behind:
            if first in inner:
                continue
            run = [first]
            while run[-1] in following:
                run.append(following[run[-1]])
            yield from _ranges([behind[node][0] for node in run])

    def blocks(self) -> Iterator[Region]:
        """Every module that adds chains of its own input, the innermost if several do the same."""
        found: dict[tuple[tuple[Part, ...], ...], Region] = {}
        for path, module in self._model.named_modules():
            if path and path in self._passage.given and path not in self._passage.written and self._ours(path):
                graph = self._graphs.of(module)
                region = None if graph is None else self._block(path, graph)
                if region is not None:
                    found[region.branches] = region
        yield from found.values()

    def _block(self, path: str, graph: fx.Graph) -> Region | None:
        node, after = self._before_activations(path, _result(graph))
        if not is_sum(node) or sum(n.op == "placeholder" for n in graph.nodes) != 1:
            return None
        branches = self._branches(path, node)
        layers = [part.layer for branch in branches or () for part in branch]
        if not branches or not layers or len({type(self._model.get_submodule(name)) for name in layers}) > 1:
            return None
        return Region(path, tuple(branches), after)

    def _before_activations(self, path: str, node: object) -> tuple[object, tuple[str, ...]]:
        after: list[str] = []
        while isinstance(node, fx.Node) and node.op == "call_module" and len(node.users) == 1:
            name = _joined(path, str(node.target))
            if is_rectifier(self._model.get_submodule(name)) and name not in self._passage.read:
                after.insert(0, name)
            elif not self._passes(name):
                break
            node = first_input(node)
        return node, tuple(after)

    def _branches(self, path: str, node: object) -> list[tuple[Part, ...]] | None:
        """The chains that come together in a node, each from the input on; ``None`` if something else does."""
        if isinstance(node, fx.Node) and is_sum(node) and len(node.users) == 1:
            pairs = [self._branches(path, term) for term in node.args]
            return None if None in pairs else [branch for pair in pairs for branch in pair or ()]
        parts: list[Part] = []
        norms: list[str] = []
        passed: list[str] = []
        while isinstance(node, fx.Node) and node.op == "call_module" and len(node.users) == 1:
            name = _joined(path, str(node.target))
            if self._is_layer(node, path):
                parts.insert(0, Part(name, tuple(reversed(norms)), tuple(reversed(passed))))
                norms, passed = [], []
            elif self._is_norm(name):
                norms.append(name)
            elif self._passes(name):
                passed.append(name)
            else:
                return None
            node = first_input(node)
        return [tuple(parts)] if isinstance(node, fx.Node) and node.op == "placeholder" and not norms else None

    def _part(self, node: fx.Node, path: str) -> tuple[Part, fx.Node | None]:
        """A layer with what is folded into it, and the node that reads the result."""
        norms: list[str] = []
        passed: list[str] = []
        n_kept = 0
        reader = _only_user(node)
        while reader is not None and reader.op == "call_module":
            name = _joined(path, str(reader.target))
            if self._is_norm(name):
                norms.append(name)
                n_kept = len(passed)
            elif self._passes(name):
                passed.append(name)
            else:
                break
            reader = _only_user(reader)
        if reader is None or not self._is_layer(reader, path):
            reader = None
        return Part(
            _joined(path, str(node.target)), tuple(norms), tuple(passed[:n_kept]), tuple(passed[n_kept:])
        ), reader

    def _is_layer(self, node: fx.Node, path: str) -> bool:
        name = _joined(path, str(node.target))
        return node.op == "call_module" and self._ours(name) and _mergeable(self._model.get_submodule(name))

    def _is_norm(self, name: str) -> bool:
        module = self._model.get_submodule(name)
        n_dimensions = len(self._passage.given.get(name, ()))
        fits = type(module) is {2: nn.BatchNorm1d, 4: nn.BatchNorm2d}.get(n_dimensions)
        return self._ours(name) and fits and getattr(module, "running_mean", None) is not None

    def _passes(self, name: str) -> bool:
        module = self._model.get_submodule(name)
        return self._ours(name) and type(module) in (nn.Identity, nn.Dropout, nn.Dropout2d)

    def _ours(self, name: str) -> bool:
        """Whether a module runs once, nothing listens to it, and no other place has or reads its weights."""
        module = self._model.get_submodule(name)
        listened = bool(module._forward_hooks or module._forward_pre_hooks)
        once = self._passage.n_runs[name] == 1
        return once and not listened and name not in self._shared and name not in self._passage.read


def _ranges(run: list[Part]) -> Iterator[Region]:
    for start in range(len(run)):
        for stop in range(start + 1, len(run) + 1):
            parts = [*run[start : stop - 1], replace(run[stop - 1], onward=())]
            if len(parts) > 1 or parts[0].norms:
                yield Region(parts[0].layer, (tuple(parts),))


def _alike(model: nn.Module, one: fx.Node, other: fx.Node) -> bool:
    return type(model.get_submodule(str(one.target))) is type(model.get_submodule(str(other.target)))


def _mergeable(module: nn.Module) -> bool:
    """A linear layer, or a convolution of images that pads with zeros and less than its kernel reaches."""
    if type(module) is nn.Linear:
        return True
    if type(module) is not nn.Conv2d or isinstance(module.padding, str) or module.padding_mode != "zeros":
        return False
    return all(module.padding[axis] <= module.dilation[axis] * (module.kernel_size[axis] - 1) for axis in (0, 1))


def _shared(model: nn.Module) -> frozenset[str]:
    """Paths of modules that stand in several places, or have a weight that does."""
    places = Counter(id(module) for _, module in model.named_modules(remove_duplicate=False))
    weights = Counter(id(weight) for _, weight in model.named_parameters(remove_duplicate=False))
    return frozenset(
        path
        for path, module in model.named_modules(remove_duplicate=False)
        if places[id(module)] > 1 or any(weights[id(weight)] > 1 for weight in module.parameters(recurse=False))
    )


def _joined(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _only_user(node: fx.Node) -> fx.Node | None:
    return next(iter(node.users)) if len(node.users) == 1 else None


def _result(graph: fx.Graph) -> object:
    return next(node for node in graph.nodes if node.op == "output").args[0]


def first_input(node: fx.Node) -> object:
    """What a node is given first; ``None`` if it is given by name."""
    return node.args[0] if node.args else None


def is_sum(node: object) -> bool:
    """Whether a node adds two tensors, and nothing more: it does not write the sum over the input of the graph."""
    if not isinstance(node, fx.Node) or node.op not in ("call_function", "call_method"):
        return False
    name = node.target if isinstance(node.target, str) else getattr(node.target, "__name__", "")
    two = len(node.args) == 2 and all(isinstance(term, fx.Node) for term in node.args)
    if not two or node.kwargs or name not in _ADDITIONS:
        return False
    return name == "add" or node.args[0].op != "placeholder"  # type: ignore[union-attr]  # two nodes
