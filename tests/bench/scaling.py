"""Constants of the scaling model in ``docs/scaling.md``, measured: bytes, requests, rows per second of a core, memory.

Rates are of processor time of one thread, so that what else runs on the machine changes them little.
"""

import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from tests.bench.record import circumstances, keep, load

SHAPE, N_CLASSES, SEED = (3, 224, 224), 1000, 0
NETWORKS = ("resnet18", "resnet50")
ROWS_OF_A_SHARD = 128
BATCH = 32
TRAIN_BATCH, TRAIN_STEPS = 8, 3


def main() -> Path:
    """Measure everything, and write the page's tables anew; the file with the figures."""
    from tests.bench import scaling_page
    from tests.bench.scaling_requests import requests

    before, started = load(), circumstances("torchvision", "moto")
    figures = {
        "shape": list(SHAPE),
        "shards": shards(),
        "requests": requests(),
        "decision": decision(),
        "networks": {name: _apart("network", name) for name in NETWORKS},
    }
    path = keep("scaling", figures, {"rows": SEED}, before, started)
    scaling_page.rewrite()
    return path


def shards() -> dict[str, Any]:
    """Bytes of rows, of what is known of each, and of the index; and how fast rows are written, read and checked."""
    from sentei.data import Table
    from sentei.sources import load as read
    from sentei.sources.shards.format import INDEX
    from sentei.sources.shards.objects import Folder
    from sentei.sources.shards.writing import write_shards

    rng = np.random.default_rng(SEED)
    n = 4 * ROWS_OF_A_SHARD
    images, labels = rng.integers(0, 256, (n, *SHAPE), np.uint8), rng.integers(0, N_CLASSES, n)
    table = Table.of(images, labels, "noise", n_classes=N_CLASSES)
    with TemporaryDirectory() as folder:
        place = Path(folder)
        index, writing = _timed(lambda: write_shards(table, Folder(place), ROWS_OF_A_SHARD))
        few = write_shards(Table.of(images[:2], labels[:2], "noise", n_classes=N_CLASSES), Folder(place / "few"), 2)
        index_bytes = [(where / INDEX).stat().st_size for where in (place / "few", place)]
        found = read({"source": "shards", "path": folder})
        order = np.random.default_rng(SEED).permutation(n)

        def epoch() -> None:
            with found.inputs.following(order):
                for start in range(0, n, BATCH):
                    found.inputs[order[start : start + BATCH]]

        _, reading = _timed(epoch)
    per_row = (index.rows.bytes - few.rows.bytes) / (n - 2)
    return {
        "bytes_per_row": sum(one.bytes for one in index.shards) / n,
        "known_bytes_per_row": round(per_row, 2),
        "index_bytes_per_shard": (index_bytes[1] - index_bytes[0]) / (len(index.shards) - 1),
        "written_rows_per_processor_s": round(n / writing, 1),
        "read_and_checked_rows_per_processor_s": round(n / reading, 1),
    }


def decision() -> dict[str, Any]:
    """A family of 100 variants on 25 000 rows, all of which pass: what deciding costs for each, without inference."""
    from tests.bench.decisions import families

    told = next(one for one in families(100, 25_000, repeats=5) if one["ends"] == "all pass")
    return {
        "n_variants": 100,
        "n_rows": 25_000,
        "processor_s_per_variant": round(told["median_processor_s"] / 100, 6),
    }


def network(name: str) -> dict[str, Any]:
    """What one network costs: bytes of its files, inference as it is served, a step of training, memory."""
    import torch

    from sentei.data import Examples, Preprocessing
    from sentei.evaluation.outcomes import outcomes
    from sentei.evaluation.served import ServedModel
    from sentei.models import Architecture, TrainSettings, build, train
    from sentei.steps import layout
    from sentei.steps.networks import write_network, write_served

    torch.set_num_threads(1)
    rng = np.random.default_rng(SEED)
    n = TRAIN_BATCH * TRAIN_STEPS
    images, labels = rng.integers(0, 256, (BATCH, *SHAPE), np.uint8), rng.integers(0, N_CLASSES, BATCH)
    facts = {
        "name": f"torchvision/{name}",
        "factory": "",
        "kwargs": {},
        "input_shape": list(SHAPE),
        "n_classes": N_CLASSES,
    }
    model = build(Architecture.from_dict(facts), seed=SEED)
    preprocessing = Preprocessing(0.00392157, (0.5,) * 3, (0.3,) * 3)
    data = {"input": {"shape": list(SHAPE), "dtype": "uint8"}, "preprocessing": preprocessing.to_dict()}
    with TemporaryDirectory() as folder:
        with layout.writing(Path(folder) / "variant", "variant") as draft:
            write_network(draft, model.eval(), facts, {})
            write_served(draft, model, data)
        sizes = {path.name: path.stat().st_size for path in (Path(folder) / "variant").iterdir()}
        served = ServedModel(Path(folder) / "variant" / layout.SERVED)
    served.logits(images[:2])
    base = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024  # the export is behind it
    columns, asking = _timed(lambda: outcomes(served, images, labels, BATCH))
    column_bytes = sum(column.dtype.itemsize for column in columns.values()) + 4  # labels are a column, too
    settings = TrainSettings(epochs=1, batch_size=TRAIN_BATCH, learning_rate=0.01, holdout=0)
    examples = Examples(images[:n], labels[:n], np.arange(n))
    _, training = _timed(lambda: train(model, examples, preprocessing, settings, seed=SEED))
    return {
        "files_bytes": sizes,
        "artifact_bytes": sum(sizes.values()),
        "column_bytes_per_row": column_bytes,
        "inference_rows_per_processor_s": round(BATCH / asking, 3),
        "inference_batch": BATCH,
        "process_bytes": base,
        "training_rows_per_processor_s": round(n / training, 3),
        "training_batch": TRAIN_BATCH,
    }


def _timed(work: Callable[[], Any]) -> tuple[Any, float]:
    """What the work gives, and the seconds of processor time that it took."""
    started = time.process_time()
    answer = work()
    return answer, time.process_time() - started


def _apart(what: str, name: str) -> dict[str, Any]:
    """In a process of its own, so that its memory is its own."""
    code = f"import json; from tests.bench import scaling; print(json.dumps(scaling.{what}({name!r})))"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    told: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return told
