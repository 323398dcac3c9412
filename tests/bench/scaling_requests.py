"""How often each task asks S3 for data, counted in front of a server; every task starts as a pod does, with nothing."""

import os
import shutil
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import boto3
import numpy as np
from click.testing import CliRunner

from sentei.adapters.uris import open_uri
from sentei.cli import cli
from sentei.data import Table
from sentei.sources import load
from sentei.steps import calibrate, evaluate, finetune, plan, prune, score, train
from sentei.steps.frozen import to_text
from tests.services.conftest import AWS, free_port, served
from tests.services.counted_s3 import counted

N_ROWS, PER_SHARD, SPLITS = 8_000, 500, {"scoring": 100, "selection": 150, "calibration": 300, "test": 100}
RECIPE = """\
name: counted
data: {{source: shards, path: {place}, splits: {splits}}}
model: {{architecture: mlp, kwargs: {{hidden: [8]}}}}
train: {{epochs: 2}}
family: {{grid: {{sparsity: [0.5], finetune: [1]}}}}
claim: {{epsilon: 0.5}}
ledger: {{at: none}}
"""


def rows() -> Table:
    """Digits, each with noise of its own, so that no two are equal."""
    digits = load({"source": "digits"})
    which = np.arange(N_ROWS) % len(digits)
    noise = np.random.default_rng(0).integers(0, 64, (N_ROWS, 1, 8, 8), np.uint8)
    return Table.of(digits.inputs[which] + noise, digits.labels[which], "noisy digits")


def requests() -> dict[str, Any]:
    """By task: how many requests of each kind it made for data."""
    with TemporaryDirectory() as text:
        root, port = Path(text), free_port()
        np.savez(root / "rows.npz", x=rows().inputs, y=rows().labels)
        url = f"http://127.0.0.1:{port}"
        with served([sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)], url, root / "log", AWS):
            os.environ |= {**AWS, "AWS_ENDPOINT_URL": url, "SENTEI_EVENTS": os.devnull}
            boto3.client("s3").create_bucket(Bucket="counted")
            with counted(url) as (front, seen):
                os.environ["AWS_ENDPOINT_URL"] = front
                return _counted(root, seen)


def _counted(root: Path, seen: list[tuple[str, str, str | None]]) -> dict[str, Any]:
    place, told = "s3://counted/rows", {}

    def task(name: str, run: Callable[[], Any]) -> Any:
        os.environ["SENTEI_CACHE"] = str(root / "pod" / "examples")
        seen.clear()
        answer = run()
        kinds = Counter("range" if span else command for command, _, span in seen)
        told[name] = dict(sorted(kinds.items()))
        shutil.rmtree(root / "pod", ignore_errors=True)
        return answer

    written = ["data", "shard", "npz", place, "--path", str(root / "rows.npz"), "--rows-per-shard", str(PER_SHARD)]
    done = task("write", lambda: CliRunner().invoke(cli, written))
    assert done.exit_code == 0, done.output
    frozen = task("plan", lambda: plan.plan(RECIPE.format(place=place, splits=SPLITS), open_uri))
    data, dense, made = to_text(frozen.examples), root / "dense", root / "made"
    task("train", lambda: train.train(data, to_text(frozen.dense), dense, open_uri))
    importance = to_text(frozen.importance)
    task("score", lambda: score.score_importance(data, importance, dense, root / "scores", open_uri))
    variant = to_text(frozen.variants[0])
    task("prune", lambda: prune.prune(data, variant, dense, root / "scores", root / "pruned", open_uri))
    task("finetune", lambda: finetune.finetune(data, root / "pruned", dense, made, open_uri))
    task("evaluate", lambda: evaluate.evaluate(data, made, "selection", root / "seen", open_uri))
    task("evaluate dense", lambda: evaluate.evaluate(data, dense, "selection", root / "reference", open_uri))
    folders = (dense, root / "reference", [made], [root / "seen"], root / "verdict", root / "chosen")
    decision, at = to_text(frozen.decision), "2026-01-31T12:00:00Z"
    task("calibrate", lambda: calibrate.calibrate(decision, data, *folders, at, open_uri))
    return {
        "rows": N_ROWS,
        "shards": -(-N_ROWS // PER_SHARD),
        "splits": SPLITS,
        "epochs": {"train": 2, "finetune": 1},
        "by_task": told,
        "files": {name: sum(one.is_file() for one in (root / name).rglob("*")) for name in ("made", "pruned", "seen")},
    }
