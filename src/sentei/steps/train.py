"""plan -> dense model: trained here, or taken from a checkpoint or a registry."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import nn

from sentei.evaluation.macs import count_macs
from sentei.models import Architecture, build
from sentei.steps import layout
from sentei.steps.checkpoint import load_pretrained
from sentei.steps.examples import OpenUri, rows_of
from sentei.steps.fitting import fit
from sentei.steps.frozen import from_text, key_of, to_text
from sentei.steps.networks import write_cost, write_network, write_served
from sentei.steps.pretrained import find_described
from sentei.steps.progress import stage, work
from sentei.steps.runtime import use_threads
from sentei.steps.settings import distributed, without_limit
from sentei.steps.together import Launch, Together, fit_together
from sentei.steps.torchrun import launch_here


def train(
    examples: str, dense: str, path: str | Path, open_uri: OpenUri | None = None, launch: Launch = launch_here
) -> dict[str, str]:
    """Write the dense model to ``path``, as weights and as it is served.

    Args:
        examples: The plan's ``examples`` part.
        dense: The plan's ``dense`` part.
        path: The artifact's folder.
        open_uri: Turns ``s3://``, ``models:/`` and the like into a local path.
        launch: Has the network trained by several processes, if the recipe asks for that.

    Returns:
        Name and digest of the artifact.

    Raises:
        ModelError: The network cannot be built, or the checkpoint does not fit it.
        DataError: The rows are not those of the plan.
    """
    data, plan = from_text(examples), from_text(dense)
    with stage("train", "dense"), layout.writing(path, "variant") as draft:
        model = build(_architecture(plan), seed=plan["seed"])
        macs = count_macs(model, tuple(data["input"]["shape"])).total
        use_threads(shared=False, macs_per_batch=macs * plan["training"]["batch_size"])
        if plan["pretrained"]:
            load_pretrained(model, find_described(plan["pretrained"], open_uri))
            history: dict[str, Any] = {"epochs": []}
        else:
            history = _fit(model, data, plan, open_uri, launch)
        write_network(draft, model.eval(), plan["architecture"], {})
        with work("export"):
            write_served(draft, model, data)
        write_cost(draft, model, data)
        draft.write(layout.HISTORY, to_text(history).encode())
        brought = plan["pretrained"]["sha256"] if plan["pretrained"] else None
        draft.facts.update(name="dense", sparsity="0", rows=rows_of(data), brought_sha256=brought)
    return {"name": "dense", "digest": layout.read_manifest(path).digest}


def _fit(
    model: nn.Module, data: Mapping[str, Any], plan: Mapping[str, Any], open_uri: OpenUri | None, launch: Launch
) -> dict[str, Any]:
    training = without_limit(plan["training"])
    key = key_of(data["splits"]["train"], data["preprocessing"], {**plan, "training": training})
    wanted, seed = distributed(plan["training"]), plan["seed"]
    if wanted is None:
        return fit(model, data, training, seed, stage="train", subject="dense", key=key, open_uri=open_uri)
    dense = {"architecture": plan["architecture"], "seed": seed}
    request = Together.of(
        wanted, stage="train", subject="dense", key=key, seed=seed, data=data, settings=training, dense=dense
    )
    return fit_together(model, request, wanted, launch, open_uri)


def _architecture(plan: Mapping[str, Any]) -> Architecture:
    return Architecture.from_dict(plan["architecture"])
