"""Networks as files: an architecture in JSON and weights in safetensors, never a pickle."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import nn

from sentei.data import Preprocessing
from sentei.errors import ArtifactError
from sentei.evaluation.export import export_onnx
from sentei.evaluation.macs import count_macs, n_parameters
from sentei.models import Architecture, build
from sentei.sparsity import pack, packed_masks, unpack
from sentei.steps import layout
from sentei.steps.frozen import to_text
from sentei.surgery import History

WHOLE = History()


def write_network(
    draft: layout.Draft,
    model: nn.Module,
    architecture: Mapping[str, Any],
    masks: Mapping[str, torch.Tensor],
    surgery: History = WHOLE,
) -> None:
    """Write architecture, surgery and weights; masked weights as values and a bit mask, so that bytes are real."""
    draft.write(layout.ARCHITECTURE, to_text(architecture).encode())
    if surgery.steps:
        draft.write_json(layout.SURGERY, surgery.to_json())
    state = {name: tensor.detach().cpu().contiguous() for name, tensor in model.state_dict().items()}
    draft.write(layout.WEIGHTS, save(pack(state, dict(masks))))


def write_served(draft: layout.Draft, model: nn.Module, examples: Mapping[str, Any]) -> None:
    """Write the network as it will be served: one ONNX graph that takes raw rows."""
    shape, dtype = tuple(examples["input"]["shape"]), examples["input"]["dtype"]
    draft.write(layout.SERVED, export_onnx(model, Preprocessing.from_dict(examples["preprocessing"]), shape, dtype))


def write_cost(draft: layout.Draft, model: nn.Module, examples: Mapping[str, Any]) -> None:
    """Write what can be counted: multiply-accumulates and parameters, all of them and the non-zero ones."""
    macs = count_macs(model, tuple(examples["input"]["shape"]))
    nonzero = sum(int(parameter.count_nonzero()) for parameter in model.parameters())
    counted = {"macs": macs.total, "nonzero_macs": macs.nonzero}
    counted |= {"parameters": n_parameters(model), "nonzero_parameters": nonzero}
    draft.write_json(layout.COST, {name: str(value) for name, value in counted.items()})


def read_network(artifact: layout.Artifact) -> nn.Module:
    """The network of an artifact, in eval mode, bit for bit as it was written."""
    architecture = read_architecture(artifact)
    model = build(Architecture.from_dict(architecture), seed=0)
    if (surgery := read_surgery(artifact)).steps:
        surgery.apply(model)
    model.load_state_dict(unpack(read_tensors(artifact.file(layout.WEIGHTS))))
    return model.eval()


def read_architecture(artifact: layout.Artifact) -> dict[str, Any]:
    """The architecture of an artifact, as JSON."""
    value: dict[str, Any] = json.loads(artifact.file(layout.ARCHITECTURE).read_bytes())
    return value


def read_surgery(artifact: layout.Artifact) -> History:
    """What surgery made of the architecture of an artifact; empty for a network that is whole."""
    if layout.SURGERY not in artifact.files:
        return WHOLE
    return History.from_json(json.loads(artifact.file(layout.SURGERY).read_bytes()))


def read_masks(artifact: layout.Artifact) -> dict[str, torch.Tensor]:
    """The masks of an artifact, True where a weight stays; empty for a dense model."""
    return packed_masks(read_tensors(artifact.file(layout.WEIGHTS)))


def read_tensors(path: Path) -> dict[str, torch.Tensor]:
    """The tensors of a safetensors file.

    Raises:
        ArtifactError: The file is not one.
    """
    try:
        return dict(load_file(path))
    except (SafetensorError, OSError) as error:
        raise ArtifactError(f"{path}: expected a safetensors file; {error}") from error
