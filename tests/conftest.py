"""What every test runs under: one thread, and property tests that repeat."""

import os

import hypothesis

os.environ.setdefault("OMP_NUM_THREADS", "1")  # two test processes share two cores
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")

# derandomize: a failure here is a failure everywhere; deadline: a shared machine is sometimes slow.
hypothesis.settings.register_profile("sentei", derandomize=True, deadline=None, database=None)
hypothesis.settings.load_profile("sentei")
