"""How many of torchvision's networks lose half of their MACs in one call, answering as the masked network does."""

import copy
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import torch

from sentei.errors import SenteiError
from sentei.evaluation.macs import count_macs
from sentei.importance import score_units
from sentei.models.attention import separate_heads
from sentei.sparsity import Budget, fit_units
from sentei.structure import trace
from sentei.surgery import cut, zero_units
from tests.bench.pruning.networks import COVERED, network, side_of
from tests.bench.record import circumstances, keep, load

PEER_LIMIT_S = 75
SAME = 1e-4
# As its README says: an importance, a pruner, a ratio, the layer of the classes left alone, one step.
README = """
import sys, json, torch
import torch_pruning as tp
from sentei.evaluation.macs import count_macs
from tests.bench.pruning.networks import network, side_of
name = sys.argv[1]
model, side = network(name), side_of(name)
example = torch.randn(1, 3, side, side)
before = count_macs(model, (3, side, side)).total
imp = tp.importance.GroupMagnitudeImportance()
ignored = [m for m in model.modules() if getattr(m, "out_features", getattr(m, "out_channels", 0)) == 1000]
pruner = tp.pruner.MetaPruner(model, example, importance=imp, pruning_ratio=0.5, ignored_layers=ignored)
pruner.step()
with torch.no_grad():
    shape = list(model(example).shape)
print(json.dumps({"answers": shape == [1, 1000], "share": count_macs(model, (3, side, side)).total / before}))
"""


def main() -> Path:
    """Every network by both; the file with the figures."""
    before, started = load(), circumstances("torch-pruning", "torchvision")
    rows = []
    for name in COVERED:
        rows.append({"network": name, "sentei": ours(name), "torch-pruning": peers(name)})
        print(json.dumps(rows[-1]), flush=True)
    figures = {
        "share_asked": 0.5,
        "sentei_same": sum(row["sentei"]["same"] for row in rows),
        "torch-pruning_answers": sum(row["torch-pruning"]["answers"] for row in rows),
        "n_networks": len(rows),
        "networks": rows,
    }
    return keep("pruning-coverage", figures, {"weights": 0}, before, started)


def ours(name: str) -> dict[str, Any]:
    """One call each of trace, score, fit and cut, and a look at new rows beside the masked network."""
    model, shape = network(name), (3, side_of(name), side_of(name))
    dense, total = copy.deepcopy(model), count_macs(model, shape).total
    started = time.monotonic()
    try:
        structure = trace(separate_heads(model), shape)
        scores = score_units(model, "magnitude-l2", structure, 0)
        keep_ = fit_units(structure, scores, Budget("macs", 0.5, is_share=True), "global", structure.macs)
        masked = copy.deepcopy(model)
        zero_units(masked, structure, keep_)
        cut(model, structure, keep_, shape)
    except SenteiError as error:
        return {"same": False, "seconds": round(time.monotonic() - started, 2), "error": str(error)}
    seconds = time.monotonic() - started
    rows = torch.randn(2, *shape, generator=torch.Generator().manual_seed(7))
    with torch.no_grad():
        slim, zeroed, whole = model(rows), masked(rows), dense(rows)
    size = float(zeroed.abs().max())
    return {
        "same": float((slim - zeroed).abs().max()) <= SAME * size,
        "largest_difference": float((slim - zeroed).abs().max()) / size,
        "pruning_changed": float((whole - zeroed).abs().max()) / size,
        "share_of_macs": count_macs(model, shape).total / total,
        "seconds": round(seconds, 2),
    }


def peers(name: str) -> dict[str, Any]:
    """torch-pruning in a process of its own, because it may hang."""
    started = time.monotonic()
    try:
        done = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", README, name], capture_output=True, text=True, timeout=PEER_LIMIT_S
        )
    except subprocess.TimeoutExpired:
        return {"answers": False, "error": f"no end after {PEER_LIMIT_S} s"}
    seconds = round(time.monotonic() - started, 2)
    if done.returncode != 0:
        return {"answers": False, "seconds": seconds, "error": done.stderr.strip().splitlines()[-1][:200]}
    told = json.loads(done.stdout.strip().splitlines()[-1])
    return {"answers": told["answers"], "share_of_macs": told["share"], "seconds_with_imports": seconds}
