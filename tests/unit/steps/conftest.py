"""The steps as the pipeline chains them, once, on a toy network; tests read what they left."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import torch

from sentei.steps.account import OpenLedger
from sentei.steps.assemble import assemble
from sentei.steps.calibrate import Decided, calibrate
from sentei.steps.evaluate import evaluate
from sentei.steps.finetune import finetune
from sentei.steps.frozen import Plan, to_text
from sentei.steps.plan import plan
from sentei.steps.prune import prune
from sentei.steps.score import score_importance
from sentei.steps.train import train

STARTED = "2026-01-31T12:00:00Z"
RECIPE = """\
name: toy
seed: 3
data:
  source: digits
  splits: {scoring: 100, selection: 300, calibration: 600, test: 200}
model: {architecture: mlp, kwargs: {hidden: [16]}}
train: {epochs: 6, batch_size: 32}
family:
  grid: {sparsity: [0.3, 0.6, 0.9, 0.95], finetune: [2]}
  variants:
    - {sparsity: 0.999}
claim: {epsilon: 0.03}
ledger: {at: none}
compare:
  - {kind: risk, alpha: 0.2}
  - {epsilon: 0}
"""
VANISHED = "magnitude-l1-global-0.999"


@dataclass(frozen=True)
class Chain:
    """A plan, and the folders that its steps write below one root."""

    root: Path
    recipe: str
    plan: Plan
    summaries: dict[str, Any] = field(default_factory=dict)

    @property
    def examples(self) -> str:
        return to_text(self.plan.examples)

    @property
    def decision(self) -> str:
        return to_text(self.plan.decision)

    @property
    def names(self) -> list[str]:
        return [variant["name"] for variant in self.plan.variants]

    def __getitem__(self, name: str) -> Path:
        return self.root / name

    def make_dense(self) -> None:
        train(self.examples, to_text(self.plan.dense), self["dense"])
        score_importance(to_text(self.plan.examples), to_text(self.plan.importance), self["dense"], self["scores"])
        self._evaluate("dense", "reference")

    def make_variants(self) -> None:
        for variant in self.plan.variants:
            name = variant["name"]
            prune(self.examples, to_text(variant), self["dense"], self["scores"], self[f"pruned/{name}"])
            finetune(self.examples, self[f"pruned/{name}"], self["dense"], self[f"made/{name}"])
            self.summaries[name] = self._evaluate(f"made/{name}", f"seen/{name}")

    def _evaluate(self, made: str, seen: str) -> dict[str, Any]:
        attacks = to_text(list(self.plan.attacks))
        return evaluate(self.examples, self[made], "selection", self[seen], attacks=attacks)

    def calibrate(
        self,
        verdict: str = "verdict",
        chosen: str = "chosen",
        names: list[str] | None = None,
        open_ledger: OpenLedger | None = None,
    ) -> Decided:
        made, seen = ([self[f"{kind}/{name}"] for name in names or self.names] for kind in ("made", "seen"))
        dense = self["dense"], self["reference"]
        written = made, seen, self[verdict], self[chosen]
        return calibrate(self.decision, self.examples, *dense, *written, STARTED, open_ledger=open_ledger)

    def report(self) -> dict[str, str]:
        evaluate(self.examples, self["chosen"], "test", self["test"])
        evaluate(self.examples, self["dense"], "test", self["dense-test"])
        return self.assemble("bundle")

    def assemble(self, bundle: str | Path, **other: Path) -> dict[str, str]:
        parts = {"verdict": self["verdict"], "chosen": self["chosen"], "test": self["test"]}
        parts |= {"dense_test": self["dense-test"], "dense": self["dense"], "bundle": self.root / bundle} | other
        return assemble(self.recipe, self.decision, **parts)


@contextmanager
def one_thread(root: Path) -> Iterator[pytest.MonkeyPatch]:
    """A machine with one core, whose caches and events stay below ``root``; torch is left as it was."""
    before = torch.get_num_threads(), torch.get_deterministic_debug_mode()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SENTEI_CACHE", str(root / "cache"))
        patch.setenv("SENTEI_EVENTS", os.devnull)
        patch.delenv("SENTEI_CHECKPOINTS", raising=False)
        patch.setattr(os, "sched_getaffinity", lambda _: {0}, raising=False)
        yield patch
    torch.set_num_threads(before[0])
    torch.set_deterministic_debug_mode(before[1])


def whole_chain(root: Path, recipe: str) -> Chain:
    """Every step of a recipe, from the plan to the bundle."""
    with one_thread(root):
        made = Chain(root, recipe, plan(recipe))
        made.make_dense()
        made.make_variants()
        made.calibrate()
        made.report()
    return made


@pytest.fixture(scope="session")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Chain:
    return whole_chain(tmp_path_factory.mktemp("chain"), RECIPE)


@pytest.fixture(autouse=True)
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[pytest.MonkeyPatch]:
    with one_thread(tmp_path_factory.getbasetemp() / "steps") as patch:
        yield patch
