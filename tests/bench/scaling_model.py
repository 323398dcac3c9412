"""The scaling model of ``docs/scaling.md``: what a run of many variants on a large data set takes, by formula."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil
from typing import Any

from sentei.adapters.kubeflow.package import n_tasks
from sentei.sources.shards.store import DEFAULT_IN_MEMORY
from sentei.steps.evaluate import BATCH

TEACHER = 4 / 3
"""A distilled step beside a plain one: the teacher's forward pass, as much as a third of the student's two passes."""


@dataclass(frozen=True)
class Scenario:
    """What is asked for, and what is assumed and not measured.

    Attributes:
        n_rows: Rows that may be trained on or certified with.
        n_test: Rows of the data set's own test part.
        scoring: Rows of the scoring split.
        selection: Rows of the selection split.
        calibration: Rows of the calibration split.
        rows_per_shard: Rows of one file.
        n_variants: Of the family.
        epochs: Of the dense model.
        finetune: Epochs of every variant.
        gpu_rows_per_s: Rows that a training pod's GPU takes in a second, forward and backward. Assumed.
        cores: Of a pod that evaluates or calibrates; inference is assumed to scale with them.
        parallel: Variants at a time.
        disk: Bytes of a training pod for shards.
        row_in_batch: Bytes that a network needs for each row of a batch: about three of the largest activations of
            3.2 MB. Assumed.
        n_tested: Variants that are run on the calibration split; at most all.
    """

    n_rows: int = 1_280_000
    n_test: int = 50_000
    scoring: int = 5_000
    selection: int = 10_000
    calibration: int = 25_000
    rows_per_shard: int = 1024
    n_variants: int = 100
    epochs: int = 90
    finetune: int = 10
    gpu_rows_per_s: float = 2500.0
    cores: int = 8
    parallel: int = 20
    disk: int = 256 << 30
    row_in_batch: float = 10e6
    n_tested: int = 100

    @property
    def n_train(self) -> int:
        """Rows that remain for training."""
        return self.n_rows - self.scoring - self.selection - self.calibration


@dataclass(frozen=True)
class Task:
    """What all pods of one kind take.

    Attributes:
        name: Of the task.
        pods: How many.
        hours: Of each pod, computing.
        gpus: Of each pod.
        data_bytes: That each reads of the data set.
        requests: That each makes for it.
        memory: Bytes of each.
        disk: Bytes of each.
    """

    name: str
    pods: int
    hours: float
    gpus: int
    data_bytes: float
    requests: int
    memory: float
    disk: float


def tasks(figures: Mapping[str, Any], network: str, asked: Scenario) -> list[Task]:
    """The tasks of one run, in their order.

    Args:
        figures: What ``tests/bench/scaling.py`` measured.
        network: ``resnet18`` or ``resnet50``.
        asked: The run.
    """
    shard, net = figures["shards"], figures["networks"][network]
    row, n_all, v = shard["bytes_per_row"], asked.n_rows + asked.n_test, asked.n_variants
    opening = n_all * shard["known_bytes_per_row"] + ceil(n_all / asked.rows_per_shard) * shard["index_bytes_per_shard"]
    n_shards = ceil(asked.n_rows / asked.rows_per_shard)
    base = net["process_bytes"] + opening
    inferring = base + BATCH * asked.row_in_batch
    # A disk that holds all shards fetches each once; a smaller one fetches all of them again in every epoch.
    fits = n_shards * asked.rows_per_shard * row <= asked.disk

    def trained(name: str, pods: int, epochs: int, passes: float) -> Task:
        rate = min(asked.gpu_rows_per_s, shard["read_and_checked_rows_per_processor_s"])
        times = 1 if fits else epochs
        read, asks = times * n_shards * asked.rows_per_shard * row + opening, 2 + times * n_shards
        memory = base + DEFAULT_IN_MEMORY + asked.rows_per_shard * row
        return Task(
            name, pods, epochs * asked.n_train * passes / rate / 3600, 1, read, asks, memory, min(asked.disk, read)
        )

    def asks(name: str, pods: int, rows: int, networks: int, seconds: float = 0.0) -> Task:
        rate = net["inference_rows_per_processor_s"] * asked.cores
        hours = (rows * networks / rate + seconds) / 3600
        return Task(name, pods, hours, 0, rows * row + opening, 2 + rows, inferring, rows * row + opening)

    deciding = asked.n_tested * figures["decision"]["processor_s_per_variant"]
    return [
        Task("plan", 1, 0.0, 0, opening, 2, base, opening),
        trained("train", 1, asked.epochs, 1),
        asks("score, prune", 1 + v, asked.scoring, 1),
        trained("finetune", v, asked.finetune, TEACHER),
        asks("evaluate on selection", 1 + v, asked.selection, 1),
        asks("calibrate", 1, asked.calibration, 1 + asked.n_tested, deciding),
        asks("evaluate on test", 2, asked.n_test, 1),
    ]


def totals(figures: Mapping[str, Any], network: str, asked: Scenario) -> dict[str, float]:
    """Of the whole run: pods, hours of GPUs and of cores, hours from end to end, bytes and requests."""
    made, net = tasks(figures, network, asked), figures["networks"][network]
    files, v = figures["requests"]["files"], asked.n_variants
    one_after_another = {"plan": 1, "train": 1, "calibrate": 1, "evaluate on test": 1}
    turns = ceil(v / asked.parallel)
    column = asked.selection * net["column_bytes_per_row"]
    weights = net["files_bytes"]["weights.safetensors"]
    return {
        "pods": n_tasks(v),
        "gpu_hours": sum(task.pods * task.hours * task.gpus for task in made),
        "core_hours": sum(task.pods * task.hours * asked.cores for task in made if not task.gpus),
        "hours": sum(task.hours * one_after_another.get(task.name, turns) for task in made),
        "data_bytes": sum(task.pods * task.data_bytes for task in made),
        "requests": sum(task.pods * task.requests for task in made),
        "artifact_bytes": v * (net["artifact_bytes"] + weights + column),
        "artifact_requests": v * sum(files.values()) * 2,  # written once; read by one later task, calibrate or evaluate
    }
