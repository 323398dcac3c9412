"""Where a piece of work keeps how far it is, so that a killed one goes on where it stopped."""

import fcntl
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from sentei.errors import ArtifactError
from sentei.steps import layout
from sentei.steps.runtime import sources_digest


@dataclass(frozen=True)
class Kept:
    """Files of one piece of work; without ``SENTEI_CHECKPOINTS`` nothing is kept.

    Attributes:
        folder: A folder named after everything that determines the work, or None.
    """

    folder: Path | None

    @classmethod
    def for_key(cls, key: str) -> Self:
        """What is kept of the work that ``key``, a digest, stands for, by this version of the code."""
        root = os.environ.get("SENTEI_CHECKPOINTS")
        return cls(Path(root) / f"{key[:32]}-{sources_digest()[:12]}" if root else None)

    def write(self, files: Mapping[str, bytes]) -> None:
        """Keep these files, by name, in place of the last ones."""
        if self.folder is not None:
            with layout.writing(self.folder, "checkpoint") as draft:
                for name, content in files.items():
                    draft.write(name, content)

    @contextmanager
    def held(self) -> Iterator[None]:
        """No other process of this machine holds the same work meanwhile; one that was killed holds nothing any more.

        Yields:
            Nothing. Where nothing is kept, nothing is held.
        """
        if self.folder is None:
            yield
            return
        self.folder.parent.mkdir(parents=True, exist_ok=True)
        with self.folder.with_suffix(".lock").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def artifact(self) -> layout.Artifact | None:
        """What was kept last, or None; damaged files count as none, since the work can begin again."""
        if self.folder is None or not self.folder.exists():
            return None
        try:
            return layout.reading(self.folder, "checkpoint")
        except ArtifactError:
            return None

    def remove(self) -> None:
        """Forget work that has ended."""
        if self.folder is not None:
            shutil.rmtree(self.folder, ignore_errors=True)
