"""The pair of keys: the private one signs and stays secret, the public one checks and may be known to all."""

import hashlib
import os
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from sentei.errors import ArtifactError, RecipeError, ServiceError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey, EllipticCurvePublicKey

KEY = "SENTEI_SIGNING_KEY"
PASSWORD = "SENTEI_SIGNING_PASSWORD"
PRIVATE, PUBLIC = "sentei.key", "sentei.pub"
INSTALL = "pip install 'sentei[signing]'"


@dataclass(frozen=True)
class PrivateKey:
    """Where a private key lies, and what opens it.

    Attributes:
        path: The file, in PEM.
        password: Opens the file if it is encrypted; None if it is not.
    """

    path: Path
    password: bytes | None = field(default=None, repr=False)

    @classmethod
    def from_env(cls) -> "PrivateKey | None":
        """The key that ``SENTEI_SIGNING_KEY`` and ``SENTEI_SIGNING_PASSWORD`` name; None if they name none."""
        path = os.environ.get(KEY)
        return cls(Path(path), password_from_env()) if path else None

    def fingerprint(self) -> str:
        """The fingerprint of the public key that belongs to it.

        Raises:
            ServiceError: The file cannot be read, the password does not open it, or it holds another kind of key.
        """
        return fingerprint(self.open().public_key())

    def open(self) -> "EllipticCurvePrivateKey":
        """The key itself.

        Raises:
            ServiceError: As ``fingerprint``.
        """
        from cryptography.exceptions import UnsupportedAlgorithm
        from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
        from cryptography.hazmat.primitives.serialization import load_pem_private_key

        try:
            key = load_pem_private_key(self.path.read_bytes(), self.password)
        except (OSError, ValueError, TypeError, UnsupportedAlgorithm) as error:
            raise ServiceError(
                f"{self.path}: expected a private key in PEM, received {_why(error)}; mount the key that {KEY} names, "
                f"and its password in {PASSWORD} if it has one"
            ) from error
        if not isinstance(key, EllipticCurvePrivateKey):
            raise ServiceError(f"{self.path}: expected an elliptic-curve key, received another kind; sentei keygen")
        return key


def password_from_env() -> bytes | None:
    """What ``SENTEI_SIGNING_PASSWORD`` holds; None if it is not set, or empty."""
    return os.environ.get(PASSWORD, "").encode() or None


def read_public(path: Path) -> "EllipticCurvePublicKey":
    """A public key.

    Raises:
        RecipeError: The file cannot be read, or does not hold the public half of an elliptic-curve key.
    """
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    try:
        key = load_pem_public_key(path.read_bytes())
    except (OSError, ValueError, UnsupportedAlgorithm) as error:
        raise RecipeError(f"{path}: expected a public key in PEM, received {_why(error)}; correct the path") from error
    if not isinstance(key, EllipticCurvePublicKey):
        raise RecipeError(f"{path}: expected the public half of an elliptic-curve key, received another kind of key")
    return key


def fingerprint(key: "EllipticCurvePublicKey") -> str:
    """SHA-256 of the public key in PEM, which names it in signatures."""
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    return hashlib.sha256(key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)).hexdigest()


def make_keys(folder: Path, password: bytes | None = None) -> tuple[Path, Path]:
    """Write a new pair of keys (P-256) to ``sentei.key``, which only its owner can read, and ``sentei.pub``.

    Args:
        folder: Where; it is made if need be.
        password: Encrypts the private key; None leaves it readable to whoever has the file.

    Returns:
        Paths of the private and the public key.

    Raises:
        ArtifactError: One of the two files is there already; nothing was written.
        ServiceError: The extra ``signing`` is not installed.
    """
    pair = folder / PRIVATE, folder / PUBLIC
    private, public = _new_pair(password)
    for path in pair:
        if path.exists() or path.is_symlink():
            raise ArtifactError(f"{path}: a key is here already, and is never overwritten; name another folder")
    folder.mkdir(parents=True, exist_ok=True)
    _write_new(pair[0], private, 0o600)
    try:
        _write_new(pair[1], public, 0o644)
    except OSError:
        pair[0].unlink()  # half a pair would only be in the way
        raise
    return pair


def _new_pair(password: bytes | None) -> tuple[bytes, bytes]:
    try:
        from cryptography.hazmat.primitives import serialization
        from cryptography.hazmat.primitives.asymmetric import ec
    except ImportError as error:
        raise ServiceError(f"making keys needs cryptography: {INSTALL}") from error
    key = ec.generate_private_key(ec.SECP256R1())
    encryption = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
    pem = serialization.Encoding.PEM
    return (
        key.private_bytes(pem, serialization.PrivateFormat.PKCS8, encryption),
        key.public_key().public_bytes(pem, serialization.PublicFormat.SubjectPublicKeyInfo),
    )


def _write_new(path: Path, data: bytes, mode: int) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
    except BaseException:
        with suppress(OSError):
            path.unlink()
        raise


def _why(error: Exception) -> str:
    return f"{type(error).__name__} ({error.strerror if isinstance(error, OSError) else error})"
