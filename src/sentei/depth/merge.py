"""network, chosen merges -> the network with fewer layers."""

from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import torch
from torch import nn

from sentei.depth.fusing import Fused, fused, layer_of
from sentei.depth.linearise import texts
from sentei.depth.plan import Merge, n_channels, stages_of
from sentei.depth.regions import Part, Region
from sentei.depth.separation import named_apart
from sentei.errors import ModelError
from sentei.models.inference import in_eval_mode

AGREEMENT = 1e-4
"""Largest difference between a merged layer and what it stands for, as a share of the largest output."""

_ADVICE = "take the merges from mergeable on this network, with its activations as they are"


@dataclass(frozen=True)
class Merged:
    """Some regions became one layer each."""

    regions: tuple[Region, ...]
    kind: ClassVar[str] = "merge"

    def apply(self, model: nn.Module) -> None:
        """Does the same to a network of the same architecture.

        Args:
            model: Changed in place.

        Raises:
            ModelError: It has no such layers. The model is unchanged.
        """
        _require(model, self.regions)
        layers = [layer_of(_fused(model, region), _first(model, region)) for region in self.regions]
        for region, layer in zip(self.regions, layers, strict=True):
            _replace(model, region, layer)

    def to_json(self) -> dict[str, Any]:
        """The fields as JSON values."""
        return {"regions": [_region_json(region) for region in self.regions]}

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Self:
        """What `to_json` wrote; a KeyError, TypeError or ValueError if the record is something else."""
        return cls(tuple(_region(one) for one in record["regions"]))


def _region_json(region: Region) -> dict[str, Any]:
    branches = [[{k: list(v) if k != "layer" else v for k, v in vars(p).items()} for p in b] for b in region.branches]
    return {"place": region.place, "branches": branches, "after": list(region.after)}


def _region(record: Mapping[str, Any]) -> Region:
    if set(record) != {"place", "branches", "after"}:
        raise ValueError(f"a region has place, branches and after, received {sorted(record)}")
    branches = tuple(tuple(_part(part) for part in branch) for branch in record["branches"])
    if not any(branches):
        raise ValueError(f"the region {record['place']!r} has no layer")
    return Region(_text(record["place"]), branches, texts(record["after"]))


def _part(record: Mapping[str, Any]) -> Part:
    if set(record) != {"layer", "norms", "passed", "onward"}:
        raise ValueError(f"a layer has layer, norms, passed and onward, received {sorted(record)}")
    return Part(_text(record["layer"]), texts(record["norms"]), texts(record["passed"]), texts(record["onward"]))


def _text(value: Any) -> str:
    return texts([value])[0]


def merge(model: nn.Module, chosen: Iterable[Merge]) -> Merged:
    """The chosen layers are one from now on.

    Args:
        model: Changed in place. The one layer stands in the place of the first one, or of the residual block;
            identities stand in all other places.
        chosen: From `mergeable` of this network, such that no layer is in two of them.

    Returns:
        The step: applied to a fresh network of the same architecture with the same activations, it gives the same
        names and shapes.

    Raises:
        ValueError: A layer is in two of the merges.
        ModelError: The network has other layers, or a merged one answers otherwise: the model is unchanged then.

    Guarantee:
        Each merged layer was run on random numbers, and gave what the layers before gave.

    Example:
        >>> from sentei.depth import mergeable
        >>> net = nn.Sequential(nn.Linear(3, 9), nn.Identity(), nn.Linear(9, 2)).eval()
        >>> plan = mergeable(net, (3,))
        >>> [(one.name, one.macs_before, one.macs_after) for one in plan.candidates]
        [('0 + 2', 45, 6)]
        >>> _ = merge(net, plan.candidates)
        >>> net[0]
        Linear(in_features=3, out_features=2, bias=True)
    """
    merges = tuple(chosen)
    regions = tuple(one.region for one in merges)
    _require_apart(regions)
    _require(model, regions)
    layers = [layer_of(_fused(model, region), _first(model, region)) for region in regions]
    for one, layer in zip(merges, layers, strict=True):
        _require_agreement(model, one, layer)
    for region, layer in zip(regions, layers, strict=True):
        _replace(model, region, layer)
    return Merged(regions)


def _fused(model: nn.Module, region: Region) -> Fused:
    try:
        made = fused([stages_of(model, branch) for branch in region.branches], n_channels(model, region))
    except (RuntimeError, AttributeError) as error:  # sizes that do not fit, or a norm that is none
        raise ModelError(f"the layers at {region.place!r} cannot be one: {error}; {_ADVICE}") from error
    if made is None:
        raise ModelError(f"the layers at {region.place!r} cannot be one: they have different strides; {_ADVICE}")
    return made


def _first(model: nn.Module, region: Region) -> Any:
    return model.get_submodule(next(part.layer for branch in region.branches for part in branch))


def _require_apart(regions: Sequence[Region]) -> None:
    seen: set[str] = set()
    for region in regions:
        if twice := seen & region.paths:
            raise ValueError(f"{sorted(twice)[0]!r} is in two of the chosen merges; choose merges of different layers")
        seen |= region.paths


def _require(model: nn.Module, regions: Sequence[Region]) -> None:
    modules = dict(model.named_modules())
    for region in regions:
        layers = {part.layer for branch in region.branches for part in branch}
        for path in {region.place, *region.paths, *region.after}:
            if path not in modules or (path in layers and not isinstance(modules[path], nn.Linear | nn.Conv2d)):
                raise ModelError(f"{type(model).__name__} has no layer {path!r} to merge; {_ADVICE}")


def _require_agreement(model: nn.Module, one: Merge, layer: nn.Module) -> None:
    first = _first(model, one.region).weight
    x = torch.randn(one.taken, generator=torch.Generator().manual_seed(0)).to(first)
    with torch.no_grad():
        expected = sum(_through(model, branch, x) for branch in one.region.branches)
        distance = (layer(x) - expected).abs().max()
        limit = AGREEMENT * expected.abs().max()  # type: ignore[union-attr]  # a sum of tensors
    if not distance <= limit:
        raise ModelError(f"{one.name} as one layer differs by {float(distance):.3g}; leave these layers apart")


def _through(model: nn.Module, branch: Sequence[Part], x: torch.Tensor) -> torch.Tensor:
    for part in branch:
        for name in (part.layer, *part.norms):
            module = model.get_submodule(name)
            with in_eval_mode(module):
                x = module(x)
    return x


def _replace(model: nn.Module, region: Region, layer: nn.Module) -> None:
    if region.after:
        kept = zip(named_apart(region.after, "merged"), map(model.get_submodule, region.after), strict=True)
        layer = nn.Sequential(OrderedDict([("merged", layer), *kept]))
    gone = region.paths - {region.place}
    for path in sorted(gone):
        if not path.startswith(f"{region.place}."):
            _set(model, path, nn.Identity())
    _set(model, region.place, layer)


def _set(model: nn.Module, path: str, module: nn.Module) -> None:
    parent, _, name = path.rpartition(".")
    before = model.get_submodule(path)
    setattr(model.get_submodule(parent), name, module.train(before.training))
