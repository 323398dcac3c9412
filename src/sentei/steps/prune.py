"""dense model, scores -> pruned variant."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from sentei.errors import ArtifactError
from sentei.importance import prunable_weights
from sentei.sparsity import achieved_sparsity
from sentei.steps import layout
from sentei.steps.damage import scoring_rows
from sentei.steps.examples import OpenUri, rows_of
from sentei.steps.failure import recording, require_made
from sentei.steps.fitting import fit
from sentei.steps.frozen import from_text, key_of, seed_for
from sentei.steps.networks import read_architecture, read_network, read_tensors, write_network
from sentei.steps.progress import stage, work
from sentei.steps.runtime import use_threads
from sentei.steps.score import read_scores
from sentei.steps.unit_pruning import UnitPruning
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
        _prune(draft, spec, from_text(examples), source, scored, open_uri)
    return layout.brief(path)


def _prune(
    draft: layout.Draft,
    spec: Mapping[str, Any],
    data: Mapping[str, Any],
    source: layout.Artifact,
    scored: layout.Artifact,
    open_uri: OpenUri | None,
) -> None:
    model, rows = read_network(source), scoring_rows(data, open_uri)
    names, dense = prunable_weights(model), dict(model.named_parameters())
    between = _Recovery(spec, data, source, scored.digest, open_uri)
    units = spec["granularity"] == "channel"
    scores = read_scores(scored, read_tensors(scored.file(layout.SCORES)), spec["criterion"], units=units)
    with work("prune"):
        if units:
            pruning = UnitPruning(spec, data, rows, scored, spec["seed"])
            pruning.prune(model, scores, between)
            write_network(draft, model, read_architecture(source), {}, pruning.surgery)
            gone = 1 - _n_places(dict(model.named_parameters()), names) / _n_places(dense, names)
        else:
            masks = prune_weights(model, spec, scores, rows, spec["seed"], between)
            write_network(draft, model, read_architecture(source), masks)
            gone = achieved_sparsity(masks)
    draft.facts.update(sparsity=spec.get("sparsity", ""), achieved_sparsity=f"{gone:.6f}")


def _n_places(parameters: Mapping[str, Tensor], names: Sequence[str]) -> int:
    return sum(parameters[name].numel() for name in names)


@dataclass(frozen=True)
class _Recovery:
    """Training between two rounds, distilled from the dense model."""

    spec: Mapping[str, Any]
    data: Mapping[str, Any]
    dense: layout.Artifact
    scores: str
    open_uri: OpenUri | None

    def __call__(self, model: nn.Module, number: int, masks: Mapping[str, Tensor] | None = None) -> None:
        fit(
            model,
            self.data,
            self.spec["between"],
            seed_for(self.spec["seed"], f"round/{number}"),
            stage="prune",
            subject=self.spec["name"],
            key=key_of(self.dense.digest, self.scores, self.spec, number),
            open_uri=self.open_uri,
            masks=masks or {},
            teacher=read_network(self.dense),
        )
