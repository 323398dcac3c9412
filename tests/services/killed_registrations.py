"""Registers a bundle again and again, killed after its first change in MLflow, its second, ...; says what is left.

Run as ``python killed_registrations.py <bundle> <folder>`` where ``mlflow.db`` is; prints one JSON object for each
number of changes that a process lived for. Every process is a fork of one that has imported MLflow, because importing
it takes longer than registering.
"""

import json
import os
import shutil
import sys
from functools import partial
from pathlib import Path

from sentei.adapters.mlflow import connection, registry, tracking
from sentei.steps.layout import MANIFEST, read_manifest, writing

SIGKILL = 137


READS = ("get_", "search_")


class Mortal:
    """A client whose process ends, without any clean-up, after so many calls that change something.

    A kill after a call that only reads leaves what the kill before it left.
    """

    def __init__(self, client, calls_left):
        self._client, self._calls_left = client, calls_left

    def __getattr__(self, name):
        method = getattr(self._client, name)
        if name.startswith(READS):
            return method

        def call(*arguments, **named):
            answer = method(*arguments, **named)
            self._calls_left -= 1
            if not self._calls_left:
                os._exit(SIGKILL)
            return answer

        return call


def in_a_process(action) -> int:
    child = os.fork()
    if not child:
        try:
            action()
        except BaseException as error:
            print(repr(error), file=sys.stderr, flush=True)
            os._exit(1)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def named(bundle, name, folder):
    """The same bundle under another model's name, so that one database serves every attempt."""
    facts = dict(read_manifest(bundle).facts)
    with writing(folder / name, "bundle") as draft:
        shutil.copytree(bundle, draft.path, dirs_exist_ok=True, ignore=shutil.ignore_patterns(MANIFEST))
        draft.facts |= {**facts, "name": name}
    return folder / name


def killed(bundle, name, calls):
    parent = tracking.open_run(name, "experiment", "run", {})
    registry.connect = lambda: Mortal(connection.connect(), calls)
    registry.register(bundle, parent)


def repeated(bundle, name):
    parent = tracking.open_run(name, "experiment", "run", {})
    result = registry.register(bundle, parent)
    client = connection.connect()
    run = client.get_run(parent)
    versions = client.search_model_versions(f"name = '{name}'")
    models = client.search_logged_models([run.info.experiment_id], f"source_run_id = '{parent}'")
    found = {
        "versions": [int(version.version) for version in versions],
        "aliases": result.aliases,
        "moved": result.moved_champion,
        "models": [str(model.status) for model in models],
        "outputs": len(run.outputs.model_outputs),
        "whole": all(whole(Path(model.artifact_location), bundle) for model in models),
        "sources": [version.source == f"models:/{models[0].model_id}" for version in versions],
    }
    print(json.dumps(found), flush=True)


def whole(kept, bundle):
    same = (kept / "model.onnx").read_bytes() == (bundle / "model/model.onnx").read_bytes()
    return same and (kept / "MLmodel").is_file() and shown(kept / "bundle") == shown(bundle)


def shown(folder):
    """The files of a bundle and their bytes, but for the evidence, which the registry does not get."""
    files = {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    return {name: data for name, data in files.items() if not name.startswith("evidence/")}


def main(bundle, folder):
    calls, code = 0, SIGKILL
    bundles = {}
    while code == SIGKILL:
        calls += 1
        name = f"lenet-{calls}"
        bundles[name] = named(Path(bundle), name, Path(folder))
        code = in_a_process(partial(killed, bundles[name], name, calls))
    for name, one in bundles.items():
        repeated(one, name)
    return code


if __name__ == "__main__":
    # Imported once, and no database is opened before the forks.
    import mlflow.store.tracking.sqlalchemy_store  # noqa: F401  # imported for the forks
    import onnx  # noqa: F401  # imported for the forks

    sys.exit(main(*sys.argv[1:]))
