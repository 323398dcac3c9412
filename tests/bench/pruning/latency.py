"""How much quicker pruned networks answer, in ONNX Runtime and in torch, on one thread, in turns with dense ones."""

import copy
from pathlib import Path
from typing import Any

import numpy as np
import torch

from sentei.data import Preprocessing
from sentei.data.table import Examples
from sentei.evaluation.export import export_onnx
from sentei.evaluation.latency import Comparison, compare_latency
from sentei.evaluation.macs import count_macs
from sentei.evaluation.served import ServedModel
from sentei.importance import score_units
from sentei.models.attention import separate_heads
from sentei.sparsity import Budget, fit_units
from sentei.structure import trace
from sentei.surgery import cut
from tests.bench.pruning.networks import network
from tests.bench.record import circumstances, keep, load

NETWORKS = (("resnet18", 64), ("resnet50", 128), ("mobilenet_v2", 128), ("vit_b_16", 224))
SHARES = (0.5, 0.25)


def main() -> Path:
    """Every network at every share; the file with the figures."""
    before, started = load(), circumstances("torchvision")
    torch.set_num_threads(1)
    rows = [row for name, side in NETWORKS for row in _rows(name, side)]
    return keep("pruning-latency", {"threads": 1, "batch": 1, "networks": rows}, {"weights": 0}, before, started)


def _rows(name: str, side: int) -> list[dict[str, Any]]:
    shape = (3, side, side)
    dense = separate_heads(network(name))
    preprocessing = Preprocessing.of(Examples(np.zeros((2, *shape), np.uint8), np.zeros(2, np.int64), np.arange(2)))
    structure = trace(dense, shape)
    scores = score_units(dense, "magnitude-l2", structure, 0)
    found = []
    for share in SHARES:
        slim = copy.deepcopy(dense)
        budget = Budget("macs", share, is_share=True)
        cut(slim, structure, fit_units(structure, scores, budget, "uniform", structure.macs, round_to=8), shape)
        kept = count_macs(slim, shape).total / count_macs(dense, shape).total
        row = np.zeros((1, *shape), np.uint8)
        served = [ServedModel(export_onnx(net, preprocessing, shape, "uint8"), threads=1) for net in (dense, slim)]
        plain = torch.zeros(1, *shape)
        in_torch = compare_latency(_asked(dense, plain), _asked(slim, plain), row)
        found.append(
            {
                "network": name,
                "side": side,
                "share_of_macs": round(kept, 4),
                "onnxruntime": _told(compare_latency(*served, row)),
                "torch": _told(in_torch),
            }
        )
        print(found[-1], flush=True)
    return found


def _asked(net: torch.nn.Module, rows: torch.Tensor):
    def call(_: np.ndarray) -> object:
        with torch.inference_mode():
            return net(rows)

    return call


def _told(one: Comparison) -> dict[str, Any]:
    return {
        "dense_ms": round(one.base_ms, 3),
        "ratio": round(one.ratio, 4),
        "interval": [round(one.low, 4), round(one.high, 4)],
        "n_turns": one.n_turns,
    }
