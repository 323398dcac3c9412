"""Processes record variants of one run at the same time: two of their own each, twice, and one that all record.

Run as ``python recorded_at_once.py N_PROCESSES``, in a folder with ``mlflow.db`` or where there is a server to be used.
"""

import os
import sys

from sentei.adapters.mlflow import tracking

CURVE = [{"step": step, "loss": f"0.{step:03}", "accuracy": f"0.{step:03}"} for step in range(50)]


def record(number):
    parent = tracking.open_run("key", "experiment", "run", {"epochs": "50"})
    for name in (f"own-{number}", f"second-{number}"):
        summary = {"name": name, "params": {"number": str(number)}, "metrics": {"macs": "12"}, "curves": CURVE}
        tracking.record_variant(parent, summary)
        tracking.record_variant(parent, summary)
    tracking.record_variant(parent, {"name": "everybody's", "metrics": {"macs": "12"}, "curves": CURVE})


def main(n_processes):
    children = []
    for number in range(n_processes):
        child = os.fork()
        if not child:
            try:
                record(number)
            except BaseException as error:
                print(repr(error), file=sys.stderr, flush=True)
                os._exit(1)
            os._exit(0)
        children.append(child)
    return sum(os.waitpid(child, 0)[1] for child in children)


if __name__ == "__main__":
    # Imported once, before the forks; no database is opened before them.
    import mlflow.store.tracking.sqlalchemy_store  # noqa: F401  # imported for the forks

    sys.exit(main(int(sys.argv[1])))
