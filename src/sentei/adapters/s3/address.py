"""What an ``s3://`` URI points at, read strictly: a URI that could mean two things is refused."""

import re
from dataclasses import dataclass

from sentei.errors import RecipeError

_SCHEME = "s3://"
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


@dataclass(frozen=True)
class Address:
    """One object, or a folder of objects.

    Attributes:
        bucket: Name of the bucket.
        key: Key of the object, or the folder's prefix, which is empty or ends with ``/``.
    """

    bucket: str
    key: str

    @property
    def is_folder(self) -> bool:
        """Whether this is a prefix that holds objects, rather than one object."""
        return not self.key or self.key.endswith("/")

    @property
    def name(self) -> str:
        """Last segment of the key, without the slash of a folder."""
        return self.key.rstrip("/").rpartition("/")[2]

    def inside(self, name: str) -> "Address":
        """Address of something in this folder.

        Example:
            >>> str(parse("s3://models/lenet/").inside("model.onnx"))
            's3://models/lenet/model.onnx'
        """
        folder = self.key if self.is_folder else f"{self.key}/"
        return Address(self.bucket, folder + name)

    def __str__(self) -> str:
        return f"{_SCHEME}{self.bucket}/{self.key}"


def is_s3(uri: str) -> bool:
    """Whether this names something on S3 rather than a path on disk.

    Example:
        >>> is_s3("s3://models/lenet/"), is_s3("data/lenet")
        (True, False)
    """
    return uri.startswith(_SCHEME)


def parse(uri: str) -> Address:
    """What the URI points at.

    Args:
        uri: ``s3://bucket/key`` for one object, ``s3://bucket/prefix/`` for a folder.

    Raises:
        RecipeError: The URI is not one that every S3 server reads alike.

    Example:
        >>> parse("s3://models/lenet/model.onnx")
        Address(bucket='models', key='lenet/model.onnx')
    """
    bucket, slash, key = uri.removeprefix(_SCHEME).partition("/")
    if not is_s3(uri) or not slash or not _BUCKET.fullmatch(bucket) or ".." in bucket:
        # What stands before an @ can be a password, so such a URI is not repeated.
        shown = "a URI with an @ in the bucket's place" if "@" in bucket else repr(uri)
        raise RecipeError(f"expected s3://bucket/key or s3://bucket/prefix/, received {shown}; correct the URI")
    segments = (key[:-1] if key.endswith("/") else key).split("/") if key else []
    if any(segment in ("", ".", "..") for segment in segments) or _CONTROL.search(key):
        raise RecipeError(
            f"expected a key whose segments are plain names, received {uri!r}; "
            "take out empty segments, '.', '..' and control characters"
        )
    return Address(bucket, key)
