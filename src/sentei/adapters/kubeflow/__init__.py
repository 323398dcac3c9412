"""Kubeflow Pipelines: what components do, the compiled package, and running it on this machine."""
