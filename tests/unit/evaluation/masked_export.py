"""Exports a masked network as a step does; run with a path, it writes the file there."""

import sys
from pathlib import Path

import torch

from sentei.data import Preprocessing
from sentei.evaluation.export import export_onnx
from sentei.importance import prunable_weights, score
from sentei.models import Architecture, build
from sentei.sparsity import allocate, apply_masks


def masked_network() -> tuple[torch.nn.Module, dict[str, torch.Tensor]]:
    net = build(Architecture(name="resnet-20", input_shape=(1, 8, 8), n_classes=10, kwargs={"width": 4}), 0)
    masks = allocate(score(net, "magnitude-l1", prunable_weights(net), 0), 0.8)
    apply_masks(net, masks)
    return net, masks


def exported(net: torch.nn.Module) -> bytes:
    return export_onnx(net, Preprocessing(0.00392157, (0.286,), (0.353,)), (1, 8, 8), "uint8")


if __name__ == "__main__":
    torch.use_deterministic_algorithms(True)
    Path(sys.argv[1]).write_bytes(exported(masked_network()[0]))
