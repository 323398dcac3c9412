"""Ways to prune the channels of one trained network to a share of its MACs: ours, and the peers'."""

import copy
import tempfile
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from sentei.evaluation.macs import count_macs
from sentei.importance import ScoringRows, score_units
from sentei.models import reestimate_batchnorm
from sentei.models.inference import logits
from sentei.sparsity import Budget, Curves, fit_units, measure_curves, search
from sentei.sparsity.reconstruction import reconstruct_units
from sentei.steps.damage import Damage, opinion, settle_batchnorm
from sentei.structure import trace
from sentei.surgery import cut


@dataclass(frozen=True)
class Task:
    """What every method is given: a trained network, the rows it may look at, and the share of its MACs to keep."""

    model: nn.Module
    rows: ScoringRows
    shape: tuple[int, ...]
    share: float
    seed: int

    @property
    def limit(self) -> float:
        """Multiply-accumulates that may stay."""
        return self.share * count_macs(self.model, self.shape).total

    def batches(self, size: int = 64) -> list[tuple[torch.Tensor, torch.Tensor]]:
        """The rows as the peers take them."""
        inputs = torch.from_numpy(self.rows.preprocessing.apply(self.rows.inputs))
        labels = torch.from_numpy(np.asarray(self.rows.labels))
        return list(zip(inputs.split(size), labels.split(size), strict=True))


Method = Callable[[Task], nn.Module]


def ours(criterion: str, allocation: str, *, reconstruct: bool) -> Method:
    """A method of sentei: score, choose within the budget, fit what stays, cut, re-estimate BatchNorm."""

    def method(task: Task) -> nn.Module:
        model = copy.deepcopy(task.model)
        structure = trace(model, task.shape)
        scores = score_units(model, criterion, structure, task.seed, task.rows)
        budget = Budget("macs", task.share, is_share=True)
        if allocation == "search":
            damage = Damage.of(model, structure, task.rows, reconstruct=reconstruct)
            curves = _curves(task, criterion, reconstruct, lambda: measure_curves(structure, scores, damage))
            keep = search(structure, scores, curves, budget, structure.macs, damage)
        else:
            keep = fit_units(structure, scores, budget, allocation, structure.macs)
        expected = opinion(model, task.rows) if reconstruct else None
        if reconstruct:
            reconstruct_units(model, structure, keep, task.rows)
        cut(model, structure, keep, task.shape)
        settle_batchnorm(model, task.rows, expected)
        return model.eval()

    return method


_KNOWN: WeakKeyDictionary[nn.Module, dict[tuple[str, bool], Curves]] = WeakKeyDictionary()


def _curves(task: Task, criterion: str, reconstruct: bool, measure: Callable[[], Curves]) -> Curves:
    """Measured once for a network: they do not depend on the budget."""
    known, key = _KNOWN.setdefault(task.model, {}), (criterion, reconstruct)
    if key not in known:
        known[key] = measure()
    return known[key]


def group_l2(*, is_global: bool) -> Method:
    """torch-pruning: group magnitude with p = 2, the pruning ratio bisected until the MACs fit."""

    def method(task: Task) -> nn.Module:
        import torch_pruning

        low, high, best = 0.0, 1.0, None
        for _ in range(12):
            ratio = (low + high) / 2
            model = copy.deepcopy(task.model)
            last = [module for module in model.modules() if isinstance(module, nn.Linear)][-1]
            importance = torch_pruning.importance.GroupMagnitudeImportance(p=2)
            example = torch.randn(1, *task.shape, generator=torch.Generator().manual_seed(0))
            pruner = torch_pruning.pruner.BasePruner(
                model,
                example,
                importance=importance,
                pruning_ratio=ratio,
                max_pruning_ratio=0.999,
                global_pruning=is_global,
                ignored_layers=[last],
                num_heads={},
            )
            pruner.step()
            if count_macs(model, task.shape).total <= task.limit:
                high, best = ratio, model
            else:
                low = ratio
        assert best is not None
        return _estimated(best, task)

    return method


def fastnas(task: Task) -> nn.Module:
    """ModelOpt's FastNAS with any number of channels, scored by the loss on the rows: by accuracy it did worse."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the peer imports what torch has deprecated
        import modelopt.torch.prune as prune
        from modelopt.torch.prune.fastnas import FastNASConfig

        torch.manual_seed(task.seed)
        np.random.seed(task.seed)
        model = copy.deepcopy(task.model)
        finest = _finest(FastNASConfig().model_dump())
        with tempfile.TemporaryDirectory() as folder:
            pruned, _ = prune.prune(
                model,
                mode=[("fastnas", finest)],
                constraints={"flops": f"{100 * task.share}%"},
                dummy_input=torch.randn(1, *task.shape),
                config={
                    "data_loader": task.batches(),
                    "collect_func": lambda batch: batch[0],
                    "score_func": lambda net: -_loss(net, task),
                    "checkpoint": str(Path(folder) / "search.pth"),
                    "max_iter_data_loader": 50,
                    "verbose": False,
                },
            )
    return _estimated(pruned, task)


def _finest(config: Any) -> Any:
    """FastNAS's own search space, with channels in steps of one instead of 32, which a small network needs."""
    for layers in config.values():
        for rule in layers.values():
            rule.update({key: 1 for key in rule if key.endswith("_divisor")})
    return config


def _loss(net: nn.Module, task: Task) -> float:
    """Mean cross-entropy on the rows."""
    found = torch.from_numpy(logits(net, task.rows.inputs, task.rows.preprocessing))
    return float(F.cross_entropy(found, torch.from_numpy(np.asarray(task.rows.labels))))


def _estimated(model: nn.Module, task: Task) -> nn.Module:
    reestimate_batchnorm(model, task.rows.inputs, task.rows.preprocessing)
    return model.eval()


METHODS: dict[str, Method] = {
    "sentei: group-L2, global": ours("magnitude-l2", "global", reconstruct=False),
    "sentei: group-L2, search, fitted": ours("magnitude-l2", "search", reconstruct=True),
    "sentei: group-L2, search": ours("magnitude-l2", "search", reconstruct=False),
    "torch-pruning: group-L2, local": group_l2(is_global=False),
    "torch-pruning: group-L2, global": group_l2(is_global=True),
    "ModelOpt: FastNAS": fastnas,
}
