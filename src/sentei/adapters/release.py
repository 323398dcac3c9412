"""Puts a bundle where the recipe says, under its own digest, never over another one."""

import os
import shutil
from pathlib import Path

from sentei.steps import layout


def release(bundle: Path, to: str) -> str:
    """Copy a verified bundle to a folder or to S3.

    Args:
        bundle: The sealed bundle.
        to: A folder, or ``s3://bucket/prefix``.

    Returns:
        Where it stands now: ``<to>/<digest>``.

    Guarantee:
        A reader of the destination sees a whole bundle or none; releasing the same bundle again changes nothing.
    """
    if to.startswith("s3://"):
        from sentei.adapters.s3.bundle import upload_bundle

        return upload_bundle(bundle, to)
    artifact = layout.reading(bundle, "bundle")
    final = Path(to) / artifact.digest[:16]
    if not _stands(final, artifact.digest):
        for left in Path(to).glob(f"{final.name}{layout.PARTIAL}*"):  # by a process that was killed
            shutil.rmtree(left, ignore_errors=True)
        partial = final.with_name(f"{final.name}{layout.PARTIAL}{os.getpid()}")
        shutil.copytree(bundle, partial)
        layout.flush_all(partial)
        shutil.rmtree(final, ignore_errors=True)
        os.rename(partial, final)
    return str(final)


def _stands(final: Path, digest: str) -> bool:
    return (final / layout.MANIFEST).is_file() and layout.reading(final).digest == digest
