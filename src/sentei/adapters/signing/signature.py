"""A bundle and a private key -> ``model.sig``; a bundle and a public key -> whether exactly this bundle was signed."""

import base64
import binascii
import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sentei.adapters.signing.keys import INSTALL, PrivateKey, fingerprint, read_public
from sentei.certificate.canonical import sha256_hex
from sentei.errors import CertificateError, RecipeError, ServiceError
from sentei.steps.layout import MANIFEST, PARTIAL, SIGNATURE, Artifact, reading


def sign(bundle: Path, key: PrivateKey) -> str:
    """Put a signature over every file of the bundle beside its manifest; one that is there is replaced.

    Args:
        bundle: A sealed folder of kind ``bundle``.
        key: An elliptic-curve key on P-256, P-384 or P-521.

    Returns:
        The fingerprint of the key.

    Raises:
        ArtifactError: The bundle is not what its manifest says; nothing was signed.
        ServiceError: The key cannot be used, or the extra ``signing`` is not installed.

    Guarantee:
        The signature appears by one rename.
    """
    reading(bundle, "bundle")
    _require_installed()
    from model_signing import signing

    name = key.fingerprint()
    partial = bundle.with_name(f"{bundle.name}{PARTIAL}{os.getpid()}")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir()
    try:
        try:
            # The package annotates the password as text, and hands it on to where bytes are wanted.
            signer = signing.Config().use_elliptic_key_signer(private_key=key.path, password=key.password)
        except ValueError as error:
            raise ServiceError(f"{key.path}: expected a key on P-256, P-384 or P-521; {error}") from error
        signer.set_hashing_config(_hashing()).sign(bundle, partial / SIGNATURE)
        os.replace(partial / SIGNATURE, bundle / SIGNATURE)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return name


def signed_by(bundle: Path) -> str | None:
    """The fingerprint of the key that the bundle's signature names, unchecked; None if it has no signature.

    Raises:
        CertificateError: What stands in the signature's place is not one.
    """
    path = bundle / SIGNATURE
    if not path.is_file():
        return None
    return str(_parts(path)["hint"])


def verify_signature(bundle: Path, public_key: Path) -> str:
    """The fingerprint of the key, after its private half was found to have signed exactly the files of this bundle.

    Args:
        bundle: A sealed folder of kind ``bundle``.
        public_key: The public key, in PEM.

    Raises:
        ArtifactError: The bundle is not what its manifest says; the message names the file.
        CertificateError: The bundle is not signed, or by another key, or the signature is not over these files.
        RecipeError: The public key cannot be read.
        ServiceError: The extra ``signing`` is not installed.

    Guarantee:
        Each file of the bundle and its manifest are signed for, with their SHA-256, and nothing else is.
    """
    _require_installed()
    expected, artifact = fingerprint(read_public(public_key)), reading(bundle, "bundle")
    path = bundle / SIGNATURE
    if not path.is_file():
        raise CertificateError(f"{bundle}: expected {SIGNATURE}, the bundle is not signed; do not use it")
    parts = _parts(path)
    if parts["hint"] != expected:
        raise CertificateError(
            f"{path}: expected the signature of key {expected[:12]} ({public_key}), received one of key "
            f"{str(parts['hint'])[:12]}; do not use the bundle, or name the public key of whoever signed it"
        )
    _require_valid(bundle, path, public_key)
    _require_whole(artifact, path, parts["statement"])
    return expected


def _hashing() -> Any:
    from model_signing import hashing

    config = hashing.Config().use_file_serialization(hashing_algorithm="sha256", max_workers=1)
    return config.set_ignored_paths(paths=[SIGNATURE], ignore_git_paths=False)


def _require_installed() -> None:
    try:
        import model_signing  # noqa: F401  # whether it can be imported is the question
    except ImportError as error:
        raise ServiceError(f"signatures need model-signing, whose import failed ({error}): {INSTALL}") from error


def _require_valid(bundle: Path, path: Path, public_key: Path) -> None:
    from model_signing import verifying

    try:
        verifier = verifying.Config().use_elliptic_key_verifier(public_key=public_key)
    except ValueError as error:
        raise RecipeError(f"{public_key}: expected a key on P-256, P-384 or P-521; {error}") from error
    try:
        verifier.set_hashing_config(_hashing()).verify(bundle, path)
    except Exception as error:  # the package has no class of its own; whatever stopped it, the signature does not hold
        raise CertificateError(
            f"{path}: the signature does not hold ({type(error).__name__}: {error}); do not use the bundle"
        ) from error


def _require_whole(artifact: Artifact, path: Path, statement: Mapping[str, Any]) -> None:
    """A signature may leave files out by saying so in itself; this one must not."""
    expected = {**artifact.files, MANIFEST: sha256_hex((artifact.path / MANIFEST).read_bytes())}
    try:
        signed = {one["name"]: (one["algorithm"], one["digest"]) for one in statement["predicate"]["resources"]}
    except (KeyError, TypeError) as error:
        raise CertificateError(f"{path}: the signed statement lists no files ({error!r})") from error
    if signed != {name: ("sha256", sha256) for name, sha256 in expected.items()}:
        raise CertificateError(f"{path}: the signature is not over every file of the bundle by SHA-256; do not use it")


def _parts(path: Path) -> dict[str, Any]:
    """The key's fingerprint and the statement that a signature holds, none of it checked."""
    try:
        value = json.loads(path.read_bytes())
        envelope = value["dsseEnvelope"]
        (signature,) = envelope["signatures"]
        payload, _ = _exactly(envelope["payload"]), _exactly(signature["sig"])
        return {"hint": value["verificationMaterial"]["publicKey"]["hint"], "statement": json.loads(payload)}
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise CertificateError(
            f"{path}: expected a signature by an elliptic-curve key in the Sigstore bundle format, received something "
            f"else ({type(error).__name__}: {error}); do not use the bundle"
        ) from error


def _exactly(text: str) -> bytes:
    """The bytes of a base64 text; some characters' last bits say nothing, and have to be zero here."""
    data = base64.b64decode(text, validate=True)
    if base64.b64encode(data).decode() != text:
        raise binascii.Error("not the base64 text of its bytes")
    return data
