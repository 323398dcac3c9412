"""A client of the test server that waits for no one."""

from sentei.adapters.kubeflow.access import Patience, access
from sentei.adapters.kubeflow.server import Server

QUICK = Patience(attempts=3, first=0.001, longest=0.05, connect=20, answer=20, total=60, settle=0)


def reach(kubeflow, patience=QUICK, **options):
    return Server(
        access(kubeflow.url, options.get("token_file"), options.get("ca"), options.get("namespace")), patience
    )
