"""Puts a bundle where the recipe says, under its own digest, never over another one; its signature goes with it."""

import os
import shutil
from pathlib import Path

from sentei.steps import layout


def release(bundle: Path, to: str) -> str:
    """Copy a verified bundle to a folder or to S3.

    Args:
        bundle: The sealed bundle, with or without its signature.
        to: A folder, or ``s3://bucket/prefix``.

    Returns:
        Where it stands now: ``<to>/<digest>``.

    Guarantee:
        A reader of the destination sees a whole bundle or none; releasing the same bundle again changes nothing but
        its signature, if another one comes with it.
    """
    if to.startswith("s3://"):
        from sentei.adapters.s3.bundle import upload_bundle

        return upload_bundle(bundle, to)
    artifact = layout.reading(bundle, "bundle")
    final = Path(to) / artifact.digest[:16]
    for left in Path(to).glob(f"{final.name}{layout.PARTIAL}*"):  # by a process that was killed
        shutil.rmtree(left, ignore_errors=True)
    if not _stands(final, artifact.digest):
        partial = final.with_name(f"{final.name}{layout.PARTIAL}{os.getpid()}")
        shutil.copytree(bundle, partial)
        layout.flush_all(partial)
        shutil.rmtree(final, ignore_errors=True)
        os.rename(partial, final)
    _bring_signature(bundle / layout.SIGNATURE, final / layout.SIGNATURE)
    return str(final)


def _bring_signature(ours: Path, theirs: Path) -> None:
    """Put the signature beside a bundle that was released before, unsigned or signed at another time."""
    if not ours.is_file() or (theirs.is_file() and theirs.read_bytes() == ours.read_bytes()):
        return
    partial = theirs.parent.with_name(f"{theirs.parent.name}{layout.PARTIAL}{os.getpid()}")
    partial.mkdir()  # beside the bundle, in which a reader would find a file too many
    shutil.copyfile(ours, partial / ours.name)
    layout.flush_all(partial)
    os.replace(partial / ours.name, theirs)
    partial.rmdir()


def _stands(final: Path, digest: str) -> bool:
    return (final / layout.MANIFEST).is_file() and layout.reading(final).digest == digest
