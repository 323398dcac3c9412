"""dense model, scores -> pruned variant."""

from pathlib import Path

from sentei.errors import ArtifactError
from sentei.models import reestimate_batchnorm
from sentei.models.rows import rows_at_once
from sentei.sparsity import achieved_sparsity, allocate, apply_masks
from sentei.steps import layout
from sentei.steps.examples import OpenUri, open_split, preprocessing_of, rows_of
from sentei.steps.failure import recording, require_made
from sentei.steps.frozen import from_text
from sentei.steps.networks import read_architecture, read_network, read_tensors, write_network
from sentei.steps.progress import stage, work
from sentei.steps.runtime import use_threads

BATCH = 256


def prune(
    examples: str,
    variant: str,
    dense: str | Path,
    scores: str | Path,
    path: str | Path,
    open_uri: OpenUri | None = None,
) -> dict[str, str]:
    """Write the pruned variant to ``path``: masked weights, with BatchNorm re-estimated on the scoring split.

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
    spec: dict[str, str],
    data: dict[str, object],
    source: layout.Artifact,
    scored: layout.Artifact,
    open_uri: OpenUri | None,
) -> None:
    model = read_network(source)
    mine = f"{spec['criterion']}/"
    tensors = read_tensors(scored.file(layout.SCORES))
    with work("prune"):
        chosen = {name.removeprefix(mine): tensor for name, tensor in tensors.items() if name.startswith(mine)}
        masks = allocate(chosen, float(spec["sparsity"]), spec["allocation"])
        apply_masks(model, masks)
        rows = open_split(data, "scoring", open_uri)
        reestimate_batchnorm(model, rows.inputs, preprocessing_of(data), rows_at_once(rows.labels, BATCH))
    write_network(draft, model, read_architecture(source), masks)
    draft.facts.update(sparsity=spec["sparsity"], achieved_sparsity=f"{achieved_sparsity(masks):.6f}")
