"""The ledger's records on S3: each is written once, by whoever the server lets through first."""

from sentei.adapters.s3.address import parse
from sentei.adapters.s3.failures import code_of
from sentei.adapters.s3.store import S3
from sentei.errors import LedgerError, ServiceError

_PROBE = "probe"
_TEXT = b"Written with If-None-Match: * to see whether this server refuses to write it again.\n"
_UNKNOWN_TO_SERVER = {"501", "NotImplemented"}


class S3Shelf:
    """A shelf under a prefix of a bucket, on a server that enforces ``If-None-Match: *``.

    Attributes:
        place: ``s3://bucket/prefix/``.
    """

    def __init__(self, uri: str, s3: S3 | None = None) -> None:
        self._home = parse(uri.rstrip("/") + "/")
        self._s3 = s3 or S3.from_env()
        self._enforced = False
        self.place = str(self._home)

    def put_new(self, key: str, data: bytes) -> bool:
        """Keep ``data`` under ``key``; False if something is kept there already.

        Raises:
            LedgerError: The server writes a key twice though it is told not to: it cannot keep a ledger.
            ServiceError: The server refused or could not be reached.
        """
        self.probe()
        return self._s3.put_new(self._home.inside(key), data)

    def get(self, key: str) -> bytes | None:
        """What is kept under ``key``; None if nothing is.

        Raises:
            ServiceError: The server refused or could not be reached, or the bytes were damaged.
        """
        return self._s3.read(self._home.inside(key))

    def keys(self, prefix: str) -> list[str]:
        """All keys that begin with ``prefix``, in order, however many pages the server needs for them.

        Raises:
            ServiceError: The server refused or could not be reached.
        """
        found = self._s3.objects(self._home.inside(prefix) if prefix else self._home)
        return sorted(one.address.key.removeprefix(self._home.key) for one in found)

    def probe(self) -> None:
        """See, once, that the server refuses to write one key twice.

        Raises:
            LedgerError: It does not: it cannot keep a ledger.
            ServiceError: The server refused or could not be reached.
        """
        if self._enforced:
            return
        try:
            refused = any(not self._s3.put_new(self._home.inside(_PROBE), _TEXT) for _ in range(2))
        except ServiceError as error:
            if not isinstance(error.__cause__, Exception) or code_of(error.__cause__) not in _UNKNOWN_TO_SERVER:
                raise
            refused = False
        if not refused:
            raise LedgerError(
                f"{self.place}: expected {self._s3.endpoint} to refuse a second write under one key (If-None-Match: *, "
                "answer 412), received none: two runs could take the same attempt; keep the ledger on a server that "
                "enforces conditional writes (AWS S3 and Ceph do), or in a folder"
            )
        self._enforced = True
