"""A training for several processes: what each of them needs, sealed in a folder, and what comes back, in another.

The folders go to torchrun on this machine, or through an object store to other machines; the steps do not see which.
"""

import json
import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from safetensors.torch import save
from torch import nn

from sentei.errors import ArtifactError
from sentei.models import match_state
from sentei.recipe.distributed import Distributed
from sentei.steps import layout
from sentei.steps.examples import OpenUri, open_split
from sentei.steps.frozen import from_text, to_text
from sentei.steps.networks import read_tensors
from sentei.steps.runtime import sources_digest

REQUEST = "request.json"
Launch = Callable[[Path, Path, Distributed], None]
"""Has a request's folder trained by several processes, and the result's folder written.

Raises:
    SenteiError: What the first process to fail raised, or that it ended without a word.
"""


@dataclass(frozen=True)
class Together:
    """One training that several processes do.

    Attributes:
        stage: Whose training it is, ``train`` or ``finetune``.
        subject: Of which network.
        key: A digest of everything that determines the training; names its checkpoint.
        seed: For shuffling, holdout and augmentation.
        n_processes: On all nodes together.
        gpus_per_node: What each node must have; 0 trains on the CPU.
        data: The plan's ``examples`` part.
        settings: Training settings, decimals as texts.
        dense: Architecture and seed, if the network is a fresh one.
        made: Else the artifacts that it comes from, ``pruned`` and ``dense``.
    """

    stage: str
    subject: str
    key: str
    seed: int
    n_processes: int
    gpus_per_node: int
    data: Mapping[str, Any]
    settings: Mapping[str, Any]
    dense: Mapping[str, Any] = field(default_factory=dict)
    made: Mapping[str, layout.Artifact] = field(default_factory=dict)

    @classmethod
    def of(cls, wanted: Distributed, **parts: Any) -> "Together":
        """The training of these parts, by as many processes as are wanted."""
        return cls(n_processes=wanted.n_processes, gpus_per_node=wanted.gpus_per_node, **parts)

    def write(self, path: Path) -> None:
        """Seal the request at ``path``, with all that it comes from."""
        inputs = {role: artifact.digest for role, artifact in self.made.items()}
        with layout.writing(path, "request", inputs) as draft:
            record = {one.name: getattr(self, one.name) for one in fields(self) if one.name != "made"}
            draft.write(REQUEST, to_text(record).encode())
            draft.facts["code"] = sources_digest()  # another version of the code may lead to another result
            for role, artifact in self.made.items():
                shutil.copytree(artifact.path, draft.path / role, copy_function=_link)

    @classmethod
    def read(cls, path: Path) -> "Together":
        """The request at ``path``, verified with all that it comes from."""
        sealed = layout.reading(path, "request")
        made = {role: layout.reading(path / role) for role in sealed.inputs}
        return cls(**from_text(sealed.file(REQUEST).read_text(encoding="utf-8")), made=made)


def fit_together(
    model: nn.Module, request: Together, wanted: Distributed, launch: Launch, open_uri: OpenUri | None
) -> dict[str, Any]:
    """Have a network trained by several processes; it changes in place.

    Args:
        model: The network that the request describes.
        request: The training.
        wanted: How the processes are spread.
        launch: Starts them and waits for them.
        open_uri: Turns ``s3://`` and the like into a local path.

    Returns:
        The history as JSON values, as `fit` returns it.
    """
    if wanted.nodes == 1:
        open_split(request.data, "train", open_uri)  # puts the rows where the other processes of this machine look
    with TemporaryDirectory(prefix="sentei-") as folder:
        sent, back = Path(folder) / "request", Path(folder) / "result"
        request.write(sent)
        launch(sent, back, wanted)
        result = layout.reading(back, "trained")
        if result.inputs["request"] != layout.read_manifest(sent).digest:
            raise ArtifactError(f"{back}: expected the result of this request, received another's; run the step again")
        match_state(model, read_tensors(result.file(layout.WEIGHTS)))
        history: dict[str, Any] = json.loads(result.file(layout.HISTORY).read_bytes())
        return history


def write_result(path: Path, model: nn.Module, history: Mapping[str, Any], request: str) -> None:
    """Seal what the request of this digest led to."""
    with layout.writing(path, "trained", {"request": request}) as draft:
        state = {name: tensor.contiguous() for name, tensor in model.state_dict().items()}
        draft.write(layout.WEIGHTS, save(state))
        draft.write(layout.HISTORY, to_text(history).encode())


def _link(source: str, target: str) -> None:
    """One file under a second name where both lie on one disk, else a copy."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)
