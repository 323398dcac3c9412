"""What every test runs under: one thread, property tests that repeat, and torch's switches put back afterwards."""

import os
import sys
from collections.abc import Iterator

import hypothesis
import pytest

os.environ.setdefault("OMP_NUM_THREADS", "1")  # two test processes share two cores
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")

# derandomize: a failure here is a failure everywhere; deadline: a shared machine is sometimes slow.
hypothesis.settings.register_profile("sentei", derandomize=True, deadline=None, database=None)
hypothesis.settings.load_profile("sentei")


@pytest.fixture(autouse=True)
def torchs_switches() -> Iterator[None]:
    """A step sets threads and determinism for its whole process; here a process runs many tests."""
    torch = sys.modules.get("torch")  # importing it takes seconds, which many tests do not need
    before = (torch.get_deterministic_debug_mode(), torch.get_num_threads()) if torch else (0, 1)
    yield
    torch = sys.modules.get("torch")
    if torch:
        torch.set_deterministic_debug_mode(before[0])
        torch.set_num_threads(before[1])
