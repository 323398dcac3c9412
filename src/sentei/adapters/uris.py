"""Turns the URIs that users write into local paths: ``s3://`` through boto3, ``models:/`` through MLflow."""

from pathlib import Path

from sentei.errors import DataError
from sentei.steps.examples import cache_folder


def open_uri(uri: str) -> Path:
    """A local copy of what a URI names, fetched once per content.

    Args:
        uri: ``s3://bucket/key``, ``s3://bucket/prefix/`` or ``models:/name/version``, ``models:/name@alias``.

    Raises:
        DataError: The scheme is another one.
        ServiceError: The service did not give it.
    """
    if uri.startswith("s3://"):
        from sentei.adapters.s3.cache import cached_download

        return cached_download(uri, cache_folder().parent / "s3")
    if uri.startswith("models:/"):
        from sentei.adapters.mlflow.download import download_model

        return download_model(uri, cache_folder().parent / "models")
    raise DataError(f"{uri}: expected a local path, s3://bucket/key or models:/name@alias; correct the recipe")
