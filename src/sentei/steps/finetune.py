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


def finetune(
    examples: str, pruned: str | Path, dense: str | Path, path: str | Path, open_uri: OpenUri | None = None
) -> dict[str, str]:
    """Write the recovered variant to ``path``: masks kept, distilled from the dense model, exported for serving.

    Args:
        examples: The plan's ``examples`` part.
        pruned: Folder of the pruned variant, which holds its own specification.
        dense: Folder of the dense model, the teacher.
        path: The artifact's folder; its status is ``failed`` when the variant cannot be made.
        open_uri: Turns ``s3://`` and the like into a local path.

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
        data, spec = from_text(examples), source.facts["spec"]
        model, masks = read_network(source), read_masks(source)
        history = _recover(model, masks, read_network(teacher), data, spec, source.digest, open_uri)
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
    teacher: nn.Module,
    data: Mapping[str, Any],
    spec: Mapping[str, Any],
    key: str,
    open_uri: OpenUri | None,
) -> dict[str, Any]:
    if not spec["recovery"]:
        return {"epochs": []}
    return fit(
        model,
        data,
        spec["recovery"],
        spec["seed"],
        stage="finetune",
        subject=spec["name"],
        key=key_of(key, spec),
        open_uri=open_uri,
        masks=masks,
        teacher=teacher,
    )
