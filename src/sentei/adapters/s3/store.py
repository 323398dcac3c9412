"""Single objects on S3, moved whole and checked: a file appears under its name once its bytes are known to be right."""

import base64
import hashlib
import os
import time
import weakref
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import boto3
from boto3.exceptions import S3UploadFailedError
from boto3.s3.transfer import TransferConfig
from botocore.config import Config
from botocore.exceptions import ClientError, IncompleteReadError, ReadTimeoutError, ResponseStreamingError

from sentei.adapters.s3.address import Address, parse
from sentei.adapters.s3.failures import asking, code_of
from sentei.errors import ServiceError
from sentei.steps.layout import PARTIAL

if TYPE_CHECKING:
    from botocore.response import StreamingBody
    from mypy_boto3_s3 import S3Client

# boto3 repeats requests, but not the reading of an answer's body: that is repeated here.
_ATTEMPTS = 3
_CONFIG = Config(retries={"total_max_attempts": _ATTEMPTS, "mode": "standard"}, connect_timeout=5, read_timeout=60)
_BLOCK = 1 << 20
# Larger files go in parts: one that is lost on its way is sent again alone. Four of them are in memory at a time.
_PART = 8 << 20
_PARTS = TransferConfig(multipart_threshold=_PART, multipart_chunksize=_PART, max_concurrency=4)
_ABSENT = {"404", "NoSuchKey"}
_TAKEN = {"412", "PreconditionFailed"}
# Another writer of this very key has not finished; in seconds, 2.5 in all.
_CONFLICTING, _WAITS = {"409", "ConditionalRequestConflict"}, (0.01, 0.04, 0.15, 0.6, 1.7)
_BROKEN_READS = (IncompleteReadError, ReadTimeoutError, ResponseStreamingError)


@dataclass(frozen=True)
class Stored:
    """One object as the server lists it.

    Attributes:
        address: Where it is.
        size: Bytes.
        etag: The server's mark of this version of the object.
        sha256: SHA-256 of its bytes as 64 hexadecimal digits, where the server keeps one; else empty.
    """

    address: Address
    size: int
    etag: str
    sha256: str = ""


class S3:
    """The object store that the environment names.

    Attributes:
        endpoint: URL of the server.
    """

    def __init__(self, client: "S3Client") -> None:
        self._client = client
        self.endpoint = client.meta.endpoint_url
        # The client keeps connections open for the next request; they close with the last user of this store.
        weakref.finalize(self, client.close)

    @classmethod
    def from_env(cls) -> "S3":
        """The store at ``AWS_ENDPOINT_URL``, or AWS itself, with the credentials that boto3 finds.

        Guarantee:
            No request waits longer than 5 seconds for a connection or 60 for an answer, and none is made more than
            three times.
        """
        return cls(boto3.session.Session().client("s3", config=_CONFIG))

    def upload_file(self, path: Path, uri: str) -> None:
        """Put one file on S3, with its SHA-256 for the server to check and keep.

        Args:
            path: The file; at most 5 TiB. One of more than 8 MiB goes in parts, each with a SHA-256 of its own.
            uri: Where to put it; what stands there is replaced.

        Raises:
            ServiceError: The server refused or could not be reached; the object is then as it was.
            RecipeError: The URI is not one object's.
        """
        address = parse(uri)
        with asking("write", address, self.endpoint):
            if path.stat().st_size > _PART:
                self._upload_parts(path, address)
            else:
                self._put(address, path.read_bytes())

    def put_new(self, address: Address, data: bytes) -> bool:
        """Put a small object on S3 unless one stands there; False if one does, which then stays as it is.

        Raises:
            ServiceError: The server refused or could not be reached. The object may stand there all the same, as it
                may when False is returned after an answer was lost on its way: read it.

        Guarantee:
            As strong as the server's: one that enforces ``If-None-Match`` lets a single writer through.
        """
        waits = iter(_WAITS)
        while True:
            with asking("write", address, self.endpoint):
                try:
                    self._put(address, data, IfNoneMatch="*")
                    return True
                except ClientError as error:
                    if code_of(error) in _TAKEN:
                        return False
                    if code_of(error) not in _CONFLICTING or (wait := next(waits, None)) is None:
                        raise
            time.sleep(wait)

    def read(self, address: Address) -> bytes | None:
        """The bytes of a small object, checked against the server's checksum; None if there is no such object.

        Raises:
            ServiceError: The server refused, could not be reached, or gave damaged bytes.
        """
        with asking("read", address, self.endpoint), TemporaryDirectory() as folder:
            path = Path(folder) / "object"
            try:
                self._fetch(address, path, "")
            except ClientError as error:
                if code_of(error) in _ABSENT:
                    return None
                raise
            return path.read_bytes()

    def read_range(self, address: Address, start: int, stop: int) -> bytes:
        """Some bytes of one object: those from ``start`` up to, and without, ``stop``.

        The server's checksum is of the whole object: whoever reads a part checks it by other means.

        Raises:
            ServiceError: The object is missing or shorter, or the server refused or could not be reached.
        """
        with asking("read", address, self.endpoint):
            for attempt in range(1, _ATTEMPTS + 1):
                answer = self._client.get_object(
                    Bucket=address.bucket, Key=address.key, Range=f"bytes={start}-{stop - 1}"
                )
                try:
                    with closing(answer["Body"]) as body:
                        data = body.read()
                    break
                except _BROKEN_READS:
                    if attempt == _ATTEMPTS:
                        raise
        _compare(address, "bytes", stop - start, len(data))
        return data

    def download_file(self, uri: str, path: Path, etag: str = "") -> None:
        """Fetch one object; the file appears at ``path`` by rename, after its bytes were found right.

        Args:
            uri: The object.
            path: Where the file shall stand; what stands there is replaced.
            etag: The version that is expected; any version if empty.

        Raises:
            ServiceError: The object is missing, is another version, or its bytes are not what the server says of them.
        """
        address = parse(uri)
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(f"{path.name}{PARTIAL}{os.getpid()}")
        try:
            with asking("read", address, self.endpoint):
                self._fetch(address, partial, etag)
            os.replace(partial, path)
        finally:
            partial.unlink(missing_ok=True)

    def head(self, address: Address) -> Stored | None:
        """What the server knows of one object; None if there is no such object (or no such bucket)."""
        with asking("describe", address, self.endpoint):
            try:
                found = self._client.head_object(Bucket=address.bucket, Key=address.key, ChecksumMode="ENABLED")
            except ClientError as error:
                if code_of(error) in _ABSENT:
                    return None
                raise
        return Stored(address, found["ContentLength"], found["ETag"], _sha256_of(found))

    def objects(self, folder: Address) -> Iterator[Stored]:
        """Every object under a prefix, ordered by key, without the empty marks that some tools leave for folders."""
        with asking("list", folder, self.endpoint):
            pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=folder.bucket, Prefix=folder.key)
            for page in pages:
                for found in page.get("Contents", []):
                    if not found["Key"].endswith("/"):
                        yield Stored(Address(folder.bucket, found["Key"]), found["Size"], found["ETag"])

    def _put(self, address: Address, data: bytes, **conditions: Any) -> None:
        self._client.put_object(
            Bucket=address.bucket,
            Key=address.key,
            Body=data,
            ChecksumAlgorithm="SHA256",
            ChecksumSHA256=base64.b64encode(hashlib.sha256(data).digest()).decode(),
            **conditions,
        )

    def _upload_parts(self, path: Path, address: Address) -> None:
        try:
            self._client.upload_file(
                str(path), address.bucket, address.key, ExtraArgs={"ChecksumAlgorithm": "SHA256"}, Config=_PARTS
            )
        except S3UploadFailedError as error:  # which says nothing that can be acted on
            raise error.__context__ or error from None

    def _fetch(self, address: Address, partial: Path, etag: str) -> None:
        for attempt in range(1, _ATTEMPTS + 1):
            answer = self._client.get_object(Bucket=address.bucket, Key=address.key, ChecksumMode="ENABLED")
            try:
                with closing(answer["Body"]) as body:
                    size, sha256 = _copy(body, partial)
                break
            except _BROKEN_READS:
                if attempt == _ATTEMPTS:
                    raise
        _compare(address, "version", etag or answer["ETag"], answer["ETag"])
        _compare(address, "size", answer["ContentLength"], size)
        _compare(address, "SHA-256", _sha256_of(answer) or sha256, sha256)


def _copy(body: "StreamingBody", path: Path) -> tuple[int, str]:
    sha256, size = hashlib.sha256(), 0
    with path.open("wb") as file:
        for block in body.iter_chunks(_BLOCK):
            sha256.update(block)
            size += file.write(block)
        file.flush()
        os.fsync(file.fileno())
    return size, sha256.hexdigest()


def _compare(address: Address, what: str, expected: object, received: object) -> None:
    if expected != received:
        raise ServiceError(
            f"{address}: expected {what} {expected}, received {received}: the object changed or was damaged while it "
            "was read; fetch it again, and ask whoever keeps the bucket if it happens twice"
        )


def _sha256_of(answer: Any) -> str:
    text = answer.get("ChecksumSHA256", "")
    # Of an object that came in parts it is the checksum of the parts' checksums, and some servers do not mark it so.
    in_parts = "-" in text or "-" in answer["ETag"] or answer.get("ChecksumType") == "COMPOSITE"
    return "" if not text or in_parts else base64.b64decode(text).hex()
