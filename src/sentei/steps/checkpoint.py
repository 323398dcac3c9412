"""Training states on disk, and weights that users bring."""

import fcntl
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import save
from torch import nn

from sentei.errors import ArtifactError, ModelError
from sentei.models import TrainState, match_state
from sentei.sparsity import unpack
from sentei.steps import layout
from sentei.steps.networks import read_tensors
from sentei.steps.runtime import sources_digest


@dataclass(frozen=True)
class Checkpoint:
    """Where one piece of work keeps how far it is; without ``SENTEI_CHECKPOINTS`` nothing is kept.

    Attributes:
        folder: A folder named after everything that determines the work, or None.
    """

    folder: Path | None

    @classmethod
    def for_key(cls, key: str) -> "Checkpoint":
        """The checkpoint of the work that ``key``, a digest, stands for, by this version of the code."""
        root = os.environ.get("SENTEI_CHECKPOINTS")
        return cls(Path(root) / f"{key[:32]}-{sources_digest()[:12]}" if root else None)

    def save(self, state: TrainState) -> None:
        """Keep this state in place of the last one."""
        if self.folder is not None:
            tensors = save({name: tensor.contiguous() for name, tensor in state.tensors.items()})
            facts = json.dumps({"epoch": state.epoch, "facts": state.facts}).encode()
            self.write({"state.safetensors": tensors, "facts.json": facts})

    def load(self) -> TrainState | None:
        """The state that was kept, or None; a damaged one counts as none, since training can begin again."""
        artifact = self.artifact()
        if artifact is None:
            return None
        facts = json.loads(artifact.file("facts.json").read_bytes())
        return TrainState(facts["epoch"], read_tensors(artifact.file("state.safetensors")), facts["facts"])

    def write(self, files: Mapping[str, bytes]) -> None:
        """Keep these files, by name, in place of the last ones."""
        if self.folder is not None:
            with layout.writing(self.folder, "checkpoint") as draft:
                for name, content in files.items():
                    draft.write(name, content)

    @contextmanager
    def held(self) -> Iterator[None]:
        """No other process of this machine holds the same work meanwhile; one that was killed holds nothing any more.

        Yields:
            Nothing. Where nothing is kept, nothing is held.
        """
        if self.folder is None:
            yield
            return
        self.folder.parent.mkdir(parents=True, exist_ok=True)
        with self.folder.with_suffix(".lock").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def artifact(self) -> layout.Artifact | None:
        """What was kept last, or None; damaged files count as none, since the work can begin again."""
        if self.folder is None or not self.folder.exists():
            return None
        try:
            return layout.reading(self.folder, "checkpoint")
        except ArtifactError:
            return None

    def remove(self) -> None:
        """Forget work that has ended."""
        if self.folder is not None:
            shutil.rmtree(self.folder, ignore_errors=True)


def load_pretrained(model: nn.Module, path: Path) -> None:
    """Fill a network with weights that the user brings.

    Args:
        model: The network, freshly built.
        path: A ``.safetensors`` or ``.pt``/``.pth`` file.

    Raises:
        ModelError: The file is not a state dictionary, or does not fit the network.
    """
    match_state(model, unpack(_state(path)))


def _state(path: Path) -> dict[str, torch.Tensor]:
    if path.suffix == ".safetensors":
        return read_tensors(path)
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises many types for a bad file; all of them mean that it cannot be used
        raise ModelError(f"{path}: expected a state dictionary that loads with weights_only; {error}") from error
    state = state.get("state_dict", state) if isinstance(state, dict) else state
    if not isinstance(state, dict) or not all(map(_is_entry, state.items())):
        raise ModelError(f"{path}: expected a dictionary of tensors, received {type(state).__name__}")
    return state


def _is_entry(entry: tuple[object, object]) -> bool:
    return isinstance(entry[0], str) and isinstance(entry[1], torch.Tensor)
