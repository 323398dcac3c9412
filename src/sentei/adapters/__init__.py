"""The outer ring: what sentei says to Kubeflow, MLflow and S3, each in a package of its own."""
