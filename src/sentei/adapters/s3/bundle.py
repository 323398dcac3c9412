"""Sealed artifacts on S3, whole or not at all: the manifest is written last and read first."""

import os
import shutil
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory

from sentei.adapters.s3.address import Address, parse
from sentei.adapters.s3.store import S3
from sentei.certificate.canonical import sha256_hex
from sentei.errors import ArtifactError
from sentei.steps.layout import MANIFEST, PARTIAL, SIGNATURE, Artifact, read_manifest, reading

_DIGEST_LENGTH = 64


def upload_bundle(folder: Path, prefix_uri: str, s3: S3 | None = None) -> str:
    """Where the bundle now stands on S3: ``<prefix>/<digest of the bundle>/``.

    Args:
        folder: A sealed artifact; it is verified first.
        prefix_uri: ``s3://bucket/prefix/`` under which bundles are kept.
        s3: The store; the one that the environment names if None.

    Raises:
        ArtifactError: The folder is not what its manifest says, or an object of the bundle was altered on S3.
        ServiceError: The store refused or could not be reached; call again to go on where this ended.

    Guarantee:
        The manifest is written after every other object, so a reader that starts with it sees a whole bundle or none.
        Objects that are there already are kept, so the call can be repeated after it was killed at any moment. Only a
        signature, if the folder has one, takes the place of another: of one bundle there can be many.
    """
    artifact, s3 = reading(folder), s3 or S3.from_env()
    home = parse(prefix_uri).inside(f"{artifact.digest}/")
    for name, sha256 in sorted(artifact.files.items()):
        _put(s3, folder / name, home.inside(name), sha256)
    if (folder / SIGNATURE).is_file() and not _same_bytes(s3, folder / SIGNATURE, home.inside(SIGNATURE)):
        s3.upload_file(folder / SIGNATURE, str(home.inside(SIGNATURE)))
    _put(s3, folder / MANIFEST, home.inside(MANIFEST), sha256_hex((folder / MANIFEST).read_bytes()))
    return str(home)


def fetch_bundle(uri: str, folder: Path, s3: S3 | None = None) -> Artifact:
    """The bundle at ``uri``, fetched into ``folder`` and verified, with its signature if it has one.

    Args:
        uri: What ``upload_bundle`` returned; the slash at its end may be left out.
        folder: Where the bundle shall stand. If the same bundle stands there already, only a missing signature is
            fetched.
        s3: The store; the one that the environment names if None.

    Raises:
        ArtifactError: There is no finished bundle at the URI, it was altered, or something else stands at ``folder``.
        ServiceError: The store refused or could not be reached.

    Guarantee:
        The folder appears by one rename, after every file was found to be what the manifest says.
    """
    s3, home = s3 or S3.from_env(), parse(uri.rstrip("/") + "/")
    partial = folder.with_name(f"{folder.name}{PARTIAL}{os.getpid()}")
    shutil.rmtree(partial, ignore_errors=True)
    try:
        wanted = _manifest(s3, home, partial)
        if not folder.exists() or not (folder / SIGNATURE).exists():
            _fetch_signature(s3, home, partial)
        if folder.exists():
            return _same(folder, wanted, partial)
        for name in wanted.files:
            s3.download_file(str(home.inside(name)), partial / name)
        reading(partial)
        os.rename(partial, folder)
        return reading(folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _put(s3: S3, path: Path, address: Address, sha256: str) -> None:
    found = s3.head(address)
    if found is None:
        s3.upload_file(path, str(address))
    elif found.size != path.stat().st_size or (found.sha256 or _measured(s3, address)) != sha256:
        raise ArtifactError(
            f"{address}: expected SHA-256 {sha256[:12]}, received another object: it was altered after it was "
            "uploaded; find out by whom, remove it, and upload again"
        )


def _same_bytes(s3: S3, path: Path, address: Address) -> bool:
    found = s3.head(address)
    return found is not None and (found.sha256 or _measured(s3, address)) == sha256_hex(path.read_bytes())


def _fetch_signature(s3: S3, home: Address, partial: Path) -> None:
    if s3.head(home.inside(SIGNATURE)) is not None:
        s3.download_file(str(home.inside(SIGNATURE)), partial / SIGNATURE)


def _measured(s3: S3, address: Address) -> str:
    # Some servers keep no checksum; then the object itself has to say what it is.
    with TemporaryDirectory() as folder:
        copy = Path(folder) / "copy"
        s3.download_file(str(address), copy)
        return sha256_hex(copy.read_bytes())


def _manifest(s3: S3, home: Address, partial: Path) -> Artifact:
    if s3.head(home.inside(MANIFEST)) is None:
        raise ArtifactError(
            f"{home}: expected {MANIFEST}, received nothing: this is not a bundle, or its upload is not finished; "
            "check the URI, or run the upload again"
        )
    s3.download_file(str(home.inside(MANIFEST)), partial / MANIFEST)
    artifact = read_manifest(partial)
    if len(home.name) == _DIGEST_LENGTH and home.name != artifact.digest:
        raise ArtifactError(
            f"{home}: expected the bundle {home.name[:12]}, received {artifact.digest[:12]}; do not use it"
        )
    for name in artifact.files:
        _refuse_escape(home, name)
    return artifact


def _refuse_escape(home: Address, name: str) -> None:
    path = PurePosixPath(name)
    if path.is_absolute() or str(path) != name or ".." in path.parts:
        raise ArtifactError(f"{home}: the manifest names {name!r}, which is not a file of the bundle; do not use it")


def _same(folder: Path, wanted: Artifact, partial: Path) -> Artifact:
    present = reading(folder)
    if present.digest != wanted.digest:
        raise ArtifactError(
            f"{folder}: expected bundle {wanted.digest[:12]} or nothing, received {present.digest[:12]}; "
            "choose another folder"
        )
    if (partial / SIGNATURE).exists():
        os.replace(partial / SIGNATURE, folder / SIGNATURE)
    return present
