"""Where users say that a sharded data set stands -> its files."""

from collections.abc import Callable
from pathlib import Path

from sentei.errors import DataError
from sentei.sources.shards.objects import Folder, Objects, OpensObjects

S3 = "s3://"


def objects_at(where: str, open_uri: Callable[[str], Path] | None) -> Objects:
    """The files of a folder, or under ``s3://bucket/prefix``.

    Args:
        where: Path or address; whether anything stands there is not asked.
        open_uri: Knows how to reach S3, if it is an `OpensObjects`.

    Raises:
        DataError: It names nothing, or S3 cannot be reached by this call.
    """
    if not where:
        raise DataError("data: the source shards expects a path: a folder, or s3://bucket/prefix")
    if not where.startswith(S3):
        return Folder(Path(where.removeprefix("file://")).expanduser())
    if not isinstance(open_uri, OpensObjects):
        raise DataError(
            f"data: {where} stands on S3, and this call cannot reach it: run it through the sentei command or a "
            "component (they need boto3 and the AWS_* variables), or pass a local path"
        )
    return open_uri.objects(where if where.endswith("/") else f"{where}/")
