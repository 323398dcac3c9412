"""Files of a sharded data set under an S3 prefix: whole ones, and some bytes of one."""

from pathlib import Path

from sentei.adapters.s3.address import parse
from sentei.adapters.s3.store import S3


class S3Objects:
    """Files under ``s3://bucket/prefix/``.

    Args:
        uri: The prefix, with its slash at the end.
        s3: The store; the one that the environment names if None.

    Raises:
        RecipeError: The URI cannot be read.
    """

    def __init__(self, uri: str, s3: S3 | None = None) -> None:
        self._folder, self._s3 = parse(uri), s3 or S3.from_env()

    def fetch(self, name: str, path: Path) -> None:
        """A copy of one file: one request."""
        self._s3.download_file(str(self._folder.inside(name)), path)

    def read(self, name: str, start: int, stop: int) -> bytes:
        """Some bytes of one file: one request."""
        return self._s3.read_range(self._folder.inside(name), start, stop)

    def local(self, name: str) -> Path | None:
        """Nothing stands on this machine."""
        return None

    def sha256(self, name: str) -> str:
        """What the server says of the file that stands there; it is the digest of its bytes, since `put` wrote it."""
        found = self._s3.head(self._folder.inside(name))
        return "" if found is None else found.sha256 or "unknown"

    def put(self, name: str, path: Path) -> None:
        """Uploaded in one request, with its SHA-256 for the server to check and keep."""
        self._s3.upload_file(path, str(self._folder.inside(name)))
