"""pruned variant -> recovered variant, exported as it will be served."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from sentei.steps import layout
from sentei.steps.examples import OpenUri, rows_of
from sentei.steps.failure import recording, require_made
from sentei.steps.finishing import finished
from sentei.steps.fitting import fit
from sentei.steps.frozen import from_text, key_of, to_text
from sentei.steps.networks import (
    read_architecture,
    read_masks,
    read_network,
    write_cost,
    write_network,
    write_served,
)
from sentei.steps.progress import stage, work
from sentei.steps.runtime import use_threads
from sentei.steps.settings import distributed, without_limit
from sentei.steps.together import Launch, Together, fit_together
from sentei.steps.torchrun import launch_here


def finetune(
    examples: str,
    pruned: str | Path,
    dense: str | Path,
    path: str | Path,
    open_uri: OpenUri | None = None,
    launch: Launch = launch_here,
) -> dict[str, str]:
    """Write the recovered variant to ``path``: masks kept, distilled from the dense model, exported for serving.

    Args:
        examples: The plan's ``examples`` part.
        pruned: Folder of the pruned variant, which holds its own specification.
        dense: Folder of the dense model, the teacher.
        path: The artifact's folder; its status is ``failed`` when the variant cannot be made.
        open_uri: Turns ``s3://`` and the like into a local path.
        launch: Has the variant trained by several processes, if the recipe asks for that.

    Returns:
        Name, status and digest of the artifact.
    """
    source, teacher = layout.reading(pruned, "pruned"), layout.reading(dense, "variant")
    inputs = {"pruned": source.digest, "dense": teacher.digest}
    name = source.facts["name"]
    with stage("finetune", name), layout.writing(path, "variant", inputs) as draft, recording(draft):
        draft.facts.update(source.facts, rows=rows_of(from_text(examples), source, teacher))
        require_made(source, teacher)
        use_threads(shared=True)
        data, model, masks = from_text(examples), read_network(source), read_masks(source)
        history = _recover(model, masks, data, source, teacher, open_uri, launch)
        done = finished(model.eval(), source, teacher, data, open_uri)
        if done.counts:
            draft.facts["counts"] = dict(done.counts)
        write_network(draft, model, read_architecture(source), masks, done.surgery)
        with work("export"):
            write_served(draft, model, data)
        write_cost(draft, model, data)
        draft.write(layout.HISTORY, to_text(history).encode())
    return layout.brief(path)


def _recover(
    model: nn.Module,
    masks: dict[str, Tensor],
    data: Mapping[str, Any],
    source: layout.Artifact,
    teacher: layout.Artifact,
    open_uri: OpenUri | None,
    launch: Launch,
) -> dict[str, Any]:
    spec = source.facts["spec"]
    if not spec["recovery"]:
        return {"epochs": []}
    recovery = without_limit(spec["recovery"])
    key = key_of(source.digest, {**spec, "recovery": recovery})
    if (wanted := distributed(spec["recovery"])) is not None:
        made = {"pruned": source, "dense": teacher}
        request = Together.of(
            wanted,
            stage="finetune",
            subject=spec["name"],
            key=key,
            seed=spec["seed"],
            data=data,
            settings=recovery,
            made=made,
        )
        return fit_together(model, request, wanted, launch, open_uri)
    return fit(
        model,
        data,
        recovery,
        spec["seed"],
        stage="finetune",
        subject=spec["name"],
        key=key,
        open_uri=open_uri,
        masks=masks,
        teacher=read_network(teacher),
    )
