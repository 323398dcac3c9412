"""A training on several nodes, as a TrainJob of Kubeflow Trainer.

``manifest`` writes the job, ``cluster`` speaks to the Kubernetes API, ``exchange`` moves requests and results through
S3, ``node`` is what runs on each node, and ``running`` is what the component does: start or find the job, watch, fetch.
"""
