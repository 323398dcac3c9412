"""After recovery: linear layers are merged, and what can be proven of the rows' labels is counted."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import nn

from sentei.steps import layout
from sentei.steps.examples import OpenUri
from sentei.steps.merging import merge_where_it_pays
from sentei.steps.networks import read_architecture, read_network, read_surgery
from sentei.steps.progress import work
from sentei.steps.unchanged import count_unchanged
from sentei.surgery import History


@dataclass(frozen=True)
class Finished:
    """A network as it will be written.

    Attributes:
        surgery: Everything that was done to the architecture.
        counts: Decimal texts by the name of a metric.
    """

    surgery: History
    counts: Mapping[str, str]


def finished(
    model: nn.Module,
    source: layout.Artifact,
    teacher: layout.Artifact,
    data: Mapping[str, Any],
    open_uri: OpenUri | None,
) -> Finished:
    """What a variant's specification asks for once its weights are final.

    Args:
        model: The recovered network; layers that are merged change in place.
        source: The pruned variant.
        teacher: The dense model.
        data: The plan's ``examples`` part.
        open_uri: Turns ``s3://`` and the like into a local path.
    """
    spec, surgery, counts = source.facts["spec"], read_surgery(source), dict(source.facts.get("counts", {}))
    if spec.get("radii"):
        with work("bounds"):
            wide = (model.state_dict(), surgery, read_architecture(source))
            counts |= count_unchanged(read_network(teacher), *wide, data, spec["radii"], open_uri)
    if spec.get("depth", {}).get("merge"):
        with work("merge"):
            quicker = merge_where_it_pays(model, data)
        surgery = surgery.then(quicker.step) if quicker.step else surgery
        counts["layers_merged"] = str(quicker.n_layers)
    return Finished(surgery, counts)
