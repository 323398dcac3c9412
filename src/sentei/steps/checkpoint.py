"""Training states on disk, and weights that users bring."""

import json
from pathlib import Path

import torch
from safetensors.torch import save
from torch import nn

from sentei.errors import ModelError
from sentei.models import TrainState, match_state
from sentei.sparsity import unpack
from sentei.steps.kept import Kept
from sentei.steps.networks import read_tensors


class Checkpoint(Kept):
    """Where one training keeps its state."""

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
