"""A small pipeline run whose tasks are processes, some of them killed, as Kubeflow runs it in a mode of its plugin.

Run as ``python -m tests.services.killed_pipeline FOLDER SERVER`` in a folder with ``rows.npz``; prints a JSON object by
the name of the mode. A task is a fork of a process that has imported everything; what tasks hand on goes through files.
"""

import json
import os
import sys
import uuid
from pathlib import Path

from mlflow import MlflowClient

from sentei.adapters.kubeflow import tasks
from sentei.adapters.mlflow import connection, tracking
from sentei.steps import finetune, prune, score, train
from tests.services.killed_registrations import SIGKILL, Mortal, in_a_process
from tests.services.kubeflow_plugin import Plugin

MODES = {"environment": True, "no environment": False, "none": None}


class Run:
    """One pipeline run; ``task`` starts one of its tasks, ``again`` starts one that was killed as Argo does."""

    def __init__(self, folder: Path, server: str, mode: str):
        self.folder, self.server, self.id = folder, server, str(uuid.uuid4())
        gives = MODES[mode]
        self.plugin = None if gives is None else Plugin(server, f"plugin {mode}", gives)
        if self.plugin:
            self.plugin.on_run_start(self.id)

    def group(self, name: str, parent: str = "") -> str:
        """A pipeline inside the pipeline, or a loop."""
        if not self.plugin:
            return ""
        task = self.plugin.on_task_start(name, parent)
        self.plugin.on_task_end(task)  # by its driver, before the first of its tasks begins
        return task

    def task(self, name: str, action, parent: str = "", killed_after: int = 0) -> str:
        """Start a task; it is killed behind so many of its changes in MLflow, if any number is given."""
        task = self.plugin.on_task_start(name, parent) if self.plugin else ""
        self._start(task, action, killed_after)
        return task

    def again(self, task: str, action) -> None:
        """The same pod once more: Argo repeats it, and no driver is asked."""
        self._start(task, action, 0)

    def _start(self, task: str, action, killed_after: int) -> None:
        environment = self.plugin.environment(task) if self.plugin else {}

        def child():
            os.environ.update({"MLFLOW_TRACKING_URI": self.server, **environment})
            if killed_after:
                tracking.connect = lambda: Mortal(connection.connect(), killed_after)
            action()

        code = in_a_process(child)
        if code != (SIGKILL if killed_after else 0):
            sys.exit(f"{action}: expected another end than {code}")
        if self.plugin and not killed_after:  # a killed pod takes its launcher with it
            self.plugin.on_task_end(task)


def path(*parts) -> str:
    place = Path(*map(str, parts))
    place.parent.mkdir(parents=True, exist_ok=True)
    return str(place)


def frozen(run: Run) -> dict:
    return json.loads((run.folder / "plan.json").read_text())


def make(made: Path, plan: dict) -> list[str]:
    """Everything that speaks to nobody, made once for all modes; the folders of the variants."""
    examples, dense, scores = plan["examples"], path(made, "dense"), path(made, "scores")
    if not Path(dense).exists():
        train.train(examples, plan["dense"], dense)
        score.score_importance(examples, plan["importance"], dense, scores)
        for number, variant in enumerate(plan["variants"]):
            prune.prune(examples, variant, dense, scores, path(made, "pruned", number))
            finetune.finetune(examples, path(made, "pruned", number), dense, path(made, "variant", number))
    return [path(made, "variant", number) for number in range(len(plan["variants"]))]


def pipeline(run: Run, made: Path, recipe: str) -> dict:
    def plan():
        outputs = tasks.plan(recipe, "", run.id)
        (run.folder / "plan.json").write_text(json.dumps(outputs._asdict()))

    task = run.task("plan", plan, killed_after=2)
    run.again(task, plan)
    client, given = MlflowClient(run.server), frozen(run)
    after_plan = client.get_run(given["parent"]).info.status
    if in_a_process(lambda: make(made, given)):
        sys.exit("a step failed")
    dense, variants = path(made, "dense"), [path(made, "variant", n) for n in range(len(given["variants"]))]

    def evaluate(split, variant, out):
        out, attacks = path(run.folder, out), given["attacks"] if split == "selection" else "[]"
        return lambda: tasks.evaluate(given["examples"], attacks, split, given["parent"], variant, out)

    run.task("evaluate", evaluate("selection", dense, "reference"))
    loop = run.group("for-loop-1", run.group("family"))
    for number, variant in enumerate(variants):
        action = evaluate("selection", variant, f"evaluation/{number}")
        if number:
            run.task("evaluate", action, loop)
            continue
        # Killed for good; somebody retries the pipeline run, so that a driver opens another run for the task.
        run.task("evaluate", action, loop, killed_after=3)
        failed = end_and_retry(run, client, given["parent"])
        run.task("evaluate", action, loop)

    def calibrate():
        evaluations = [path(run.folder, "evaluation", number) for number in range(len(variants))]
        folders = (dense, path(run.folder, "reference"), variants, evaluations)
        outs = path(run.folder, "verdict"), path(run.folder, "chosen")
        tasks.calibrate(given["decision"], given["examples"], given["parent"], *folders, *outs)

    task = run.task("calibrate", calibrate, killed_after=2)
    run.again(task, calibrate)
    run.task("test", evaluate("test", path(run.folder, "chosen"), "test"))
    run.task("test-dense", evaluate("test", dense, "dense-test"))

    def register():
        parts = [path(run.folder, name) for name in ("verdict", "chosen", "test", "dense-test")]
        tasks.register(recipe, given["decision"], given["parent"], *parts, dense, path(run.folder, "bundle"))

    task = run.task("register", register, killed_after=1)
    run.again(task, register)
    if run.plugin:
        run.plugin.on_run_end("FINISHED")
    return {"id": run.id, "root": run.plugin and run.plugin.root, "after_plan": after_plan, "failed": failed}


def end_and_retry(run: Run, client, parent: str) -> str:
    """What our run's status is once the pipeline run has failed."""
    if run.plugin:
        run.plugin.on_run_end("FAILED")
    status = client.get_run(parent).info.status
    if run.plugin:
        run.plugin.on_retry()
    return status


def main(folder: str, server: str) -> None:
    recipe = (Path(folder) / "recipe.yaml").read_text()
    made = Path(folder) / "made"
    told = {}
    for mode in MODES:
        place = Path(folder) / mode
        place.mkdir()
        told[mode] = pipeline(Run(place, server, mode), made, recipe)
    print(json.dumps(told))


if __name__ == "__main__":
    # Imported once, before the forks: each of them would take longer for it than for its task.
    import onnx  # noqa: F401  # imported for the forks
    import onnxruntime  # noqa: F401  # imported for the forks
    import torch  # noqa: F401  # imported for the forks

    from sentei.adapters.mlflow import registry  # noqa: F401  # imported for the forks
    from sentei.evaluation import attacks, export, served  # noqa: F401  # imported for the forks
    from sentei.steps import assemble, calibrate, evaluate, plan  # noqa: F401  # imported for the forks

    main(*sys.argv[1:])
