"""network -> the merges that are possible, with what each one costs."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

from torch import nn

from sentei.depth.fusing import Form, fused, output_size
from sentei.depth.layer_graph import Passage
from sentei.depth.regions import Part, Reader, Region
from sentei.depth.stages import Stage, stage_of, with_norm
from sentei.models.doubles import without_numbers


@dataclass(frozen=True)
class Merge:
    """Layers that can be one.

    Attributes:
        region: Which ones, and where the one stands.
        form: ``plain``: a layer of torch. ``edged``: a convolution and a kernel for its bias near the border.
            ``bordered``: a convolution for the inner positions and the old ones for those near the border.
        macs_before: Multiply-accumulates of one row.
        macs_after: The same, of the one layer.
        parameters_before: Those of BatchNorm included.
        parameters_after: Of the one layer.
        taken: Shape of its input, one row first.
    """

    region: Region
    form: Form
    macs_before: int
    macs_after: int
    parameters_before: int
    parameters_after: int
    taken: tuple[int, ...]

    @property
    def name(self) -> str:
        """The layers in the order of the network, joined by ``+``; of a block, its own name before them."""
        layers = [part.layer for branch in self.region.branches for part in branch]
        return " + ".join(layers) if self.region.place in layers else f"{self.region.place}: {' + '.join(layers)}"


@dataclass(frozen=True)
class Plan:
    """What can be merged.

    Attributes:
        candidates: Alternatives too: a chain of three layers is there as a whole, and as its pairs. Costs of each are
            those of it alone.
        reason: Why chains were not looked for; empty if they were.
    """

    candidates: tuple[Merge, ...]
    reason: str = ""


def mergeable(model: nn.Module, input_shape: Sequence[int]) -> Plan:
    """The layers of a network that can be one, because nothing bends between them.

    Found are linear layers and convolutions of images one after the other, each with the BatchNorm behind it (also of
    a single layer); and modules that add such chains of their own input, among them residual blocks without
    activations, with or without a convolution in the shortcut. Dropout in between goes, as it does nothing in eval
    mode. Left alone are layers that run several times, share weights, are listened to by hooks or called by the name
    of their argument, those whose weights anything else reads, and blocks that write over their input.

    Args:
        model: Only read; asked in eval mode for random rows. Its activations that do not matter are identities.
        input_shape: Of one row, without the batch.

    Returns:
        Every possible merge; where the whole network cannot be followed, none, and the reason.
    """
    passage = Passage(model, tuple(input_shape))
    reader = Reader(model, passage)
    if not reader.followed:
        reason = f"the forward pass of {type(model).__name__} cannot be followed from its input to its output"
        return Plan((), reason)
    double = without_numbers(model)
    found = (_priced(model, double, passage, region) for region in (*reader.chains(), *reader.blocks()))
    return Plan(tuple(one for one in found if one is not None))


def stages_of(model: nn.Module, branch: Sequence[Part]) -> list[Stage]:
    """The layers of a chain, each with its norms, as values."""
    found = []
    for part in branch:
        stage = stage_of(model.get_submodule(part.layer))  # type: ignore[arg-type]  # regions have layers in these places
        for name in part.norms:
            stage = with_norm(stage, model.get_submodule(name))
        found.append(stage)
    return found


def n_channels(model: nn.Module, region: Region) -> int:
    """Channels or features of a region's input."""
    first = next(model.get_submodule(branch[0].layer) for branch in region.branches if branch)
    return int(first.in_features if isinstance(first, nn.Linear) else first.in_channels)  # type: ignore[arg-type]  # a convolution


def _priced(model: nn.Module, double: nn.Module, passage: Passage, region: Region) -> Merge | None:
    """The merge with its costs, found on the network's double without numbers; ``None`` if shapes do not fit."""
    parts = [part for branch in region.branches for part in branch]
    if not all(part.layer in passage.given for part in parts):  # a layer was called by the name of its argument
        return None
    made = fused([stages_of(double, branch) for branch in region.branches], n_channels(model, region))
    taken = passage.taken.get(region.place)
    shapes = {passage.given[branch[-1].layer] if branch else taken for branch in region.branches}
    given = shapes.pop()
    if made is None or taken is None or given is None or shapes:  # a sum that spreads one of its terms is another map
        return None
    if len(taken) == 4 and output_size(made.stage, taken[2:]) != given[2:]:
        return None
    names = [name for part in parts for name in (part.layer, *part.norms)]
    return Merge(
        region,
        made.form,
        sum(_macs(model.get_submodule(part.layer), passage.given[part.layer]) for part in parts),
        made.macs(taken[1:], given[1:]),
        sum(weight.numel() for name in names for weight in model.get_submodule(name).parameters()),
        made.n_parameters,
        taken,
    )


def _macs(layer: Any, given: Sequence[int]) -> int:
    """Each weight is used once for each position of the output."""
    n_weights, n_out = int(layer.weight.numel()), int(layer.weight.shape[0])
    return n_weights * (prod(given[1:]) // n_out)
