"""dense model, scores -> pruned variant."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import Tensor

from sentei.errors import ArtifactError
from sentei.importance import prunable_weights
from sentei.sparsity import achieved_sparsity
from sentei.steps import layout
from sentei.steps.datafree_pruning import prune_data_free
from sentei.steps.examples import OpenUri, rows_of
from sentei.steps.failure import recording, require_made
from sentei.steps.frozen import from_text
from sentei.steps.made import Maker, Making
from sentei.steps.networks import read_architecture, read_network, write_network
from sentei.steps.progress import stage, work
from sentei.steps.runtime import use_threads
from sentei.steps.shortening import drop_least_blocks, linearise_layers
from sentei.steps.unit_pruning import prune_units
from sentei.steps.weight_pruning import prune_weights


def prune(
    examples: str,
    variant: str,
    dense: str | Path,
    scores: str | Path,
    path: str | Path,
    open_uri: OpenUri | None = None,
) -> dict[str, str]:
    """Write the pruned variant to ``path``: masked or smaller, with BatchNorm re-estimated on the scoring split.

    Args:
        examples: The plan's ``examples`` part.
        variant: The variant's specification.
        dense: Folder of the dense model.
        scores: Folder of its scores.
        path: The artifact's folder; its status is ``failed`` when the variant cannot be made.
        open_uri: Turns ``s3://`` and the like into a local path.

    Returns:
        Name, status and digest of the artifact.

    Raises:
        ArtifactError: The scores belong to another dense model.
    """
    spec = from_text(variant)
    source, scored = layout.reading(dense, "variant"), layout.reading(scores, "scores")
    if scored.inputs["dense"] != source.digest:
        raise ArtifactError(
            f"scores were computed for model {scored.inputs['dense'][:12]}, prune received model {source.digest[:12]}; "
            "run score-importance on this model"
        )
    inputs = {"dense": source.digest, "scores": scored.digest}
    with stage("prune", spec["name"]), layout.writing(path, "pruned", inputs) as draft, recording(draft):
        draft.facts.update(name=spec["name"], spec=spec, rows=rows_of(from_text(examples), source))
        require_made(source, scored)
        use_threads(shared=True)
        _prune(draft, Making(spec, from_text(examples), source, scored, open_uri))
    return layout.brief(path)


def _prune(draft: layout.Draft, making: Making) -> None:
    model = read_network(making.dense)
    names, dense = prunable_weights(model), dict(model.named_parameters())
    with work("prune"):
        made = _maker(making.spec)(making, model)
    write_network(draft, made.model, read_architecture(making.dense), made.masks, made.surgery)
    gone = _n_places(dict(made.model.named_parameters()), names) / _n_places(dense, names)
    achieved = achieved_sparsity(made.masks) if made.masks else 1 - gone
    draft.facts.update(sparsity=making.spec.get("sparsity", ""), achieved_sparsity=f"{achieved:.6f}")
    if made.counts:
        draft.facts["counts"] = dict(made.counts)


def _maker(spec: Mapping[str, Any]) -> Maker:
    """By criterion, where it has a way of its own; by what leaves otherwise."""
    if spec["criterion"] in MAKERS:
        return MAKERS[spec["criterion"]]
    return MAKERS.get(spec["granularity"], prune_weights)


MAKERS: Mapping[str, Maker] = {
    "data-free": prune_data_free,
    "channel": prune_units,
    "activation": linearise_layers,
    "block": drop_least_blocks,
}


def _n_places(parameters: Mapping[str, Tensor], names: Sequence[str]) -> int:
    return sum(parameters[name].numel() for name in names if name in parameters)
