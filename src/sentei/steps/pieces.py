"""The calibration rows run in pieces: on several processes, kept as they come, and put together in their order."""

import io
import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import lru_cache
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, cast

import numpy as np

from sentei.data import Examples
from sentei.errors import ArtifactError, RecipeError, ServiceError
from sentei.evaluation.outcomes import Columns, rows_in_batch
from sentei.evaluation.served import ServedModel
from sentei.steps import layout
from sentei.steps.evaluate import BATCH, columns_of
from sentei.steps.frozen import from_text, key_of, to_text
from sentei.steps.kept import Kept
from sentei.steps.progress import end_with
from sentei.steps.runtime import runtime_facts, threads

PROCESSES = "SENTEI_PROCESSES"
ROWS = 4096
"""About so many rows make a piece: whole batches, so that each holds the rows that it holds in one pass."""
COLUMNS = "columns.npz"


@dataclass(frozen=True)
class Piece:
    """Some of the rows, to be run through one network.

    Attributes:
        key: Names everything that its columns depend on.
        rows: File of all inputs.
        labels: File of all labels.
        variant: Folder of the network.
        digest: Of that folder.
        data: The plan's ``examples`` part, as text.
        n_threads: For inference.
        attacks: Perturbations under which each row is looked at again, as text.
        nan_is_wrong: Whether a NaN is an error of the network or ends the run.
        start: The first row.
        stop: The row behind the last one.
    """

    key: str
    rows: str
    labels: str
    variant: str
    digest: str
    data: str
    n_threads: int
    attacks: str
    nan_is_wrong: bool
    start: int = 0
    stop: int = 0

    @property
    def kept(self) -> Kept:
        """Where its columns are kept, in case the run is killed."""
        return Kept.for_key(key_of("piece", self.key, self.start, self.stop))


@dataclass
class Pieces:
    """Runs served networks on one split.

    Attributes:
        data: The plan's ``examples`` part.
        rows: The split.
        attacks: Perturbations under which each row is looked at again.
        n_threads: Processor threads of each process.
    """

    data: Mapping[str, Any]
    rows: Examples
    attacks: Sequence[Mapping[str, str]]
    n_threads: int
    _digest: str
    _files: tuple[str, str]
    _processes: ProcessPoolExecutor | None
    _begun: list[Piece] = field(default_factory=list)

    @classmethod
    @contextmanager
    def opened(
        cls, data: Mapping[str, Any], rows: Examples, digest: str, attacks: Sequence[Mapping[str, str]]
    ) -> "Iterator[Pieces]":
        """Pieces of these rows, for as long as the block runs, on ``SENTEI_PROCESSES`` processes (1 if not set).

        Args:
            data: The plan's ``examples`` part.
            rows: The split.
            digest: Of the split, as the plan froze it.
            attacks: Perturbations under which each row is looked at again.

        Raises:
            RecipeError: ``SENTEI_PROCESSES`` is no whole number above 0.
        """
        n = n_processes()
        n_threads = max(1, threads(shared=False) // n)
        with TemporaryDirectory() as folder:
            files = _files(rows, Path(folder))
            if n == 1:
                yield cls(data, rows, attacks, n_threads, digest, files, None)
                return
            # Spawned and not forked: the threads of onnxruntime and torch do not survive a fork.
            with ProcessPoolExecutor(n, get_context("spawn"), _begin, (os.getpid(), n_threads)) as processes:
                yield cls(data, rows, attacks, n_threads, digest, files, processes)

    def columns(self, variant: layout.Artifact, *, nan_is_wrong: bool = False) -> Columns:
        """What a served network does on all rows, in their order; as ``columns_of`` says.

        Guarantee:
            On one machine equal bit for bit to what one process with as many threads computes at once: a batch holds
            the same rows, and pieces are joined in the order of the rows. Pieces that a killed run left are taken as
            they are only if network, rows, code, machine and settings are the same.
        """
        whole = Piece(
            self._key(variant, nan_is_wrong),
            *self._files,
            str(variant.path),
            variant.digest,
            to_text(self.data),
            self.n_threads,
            to_text(list(self.attacks)),
            nan_is_wrong,
        )
        n, step = len(self.rows), _step(self.rows)
        pieces = [replace(whole, start=start, stop=min(start + step, n)) for start in range(0, n, step)]
        self._begun += pieces
        return _joined(self._results(pieces))

    def forget(self) -> None:
        """Remove what was kept in case of a kill: the decision has been written."""
        for piece in self._begun:
            piece.kept.remove()

    def _results(self, pieces: Sequence[Piece]) -> list[Columns]:
        if self._processes is None:
            return [run_piece(piece) for piece in pieces]
        waiting: list[Future[Columns]] = [self._processes.submit(run_piece, piece) for piece in pieces]
        try:
            return [one.result() for one in waiting]
        except BrokenProcessPool as error:
            raise ServiceError(
                f"a process that ran calibration rows was ended from outside, probably for want of memory ({error}); "
                f"set {PROCESSES} lower or give the pod more memory, and run calibrate again: finished pieces are kept "
                "where SENTEI_CHECKPOINTS is set"
            ) from error
        finally:
            for one in waiting:
                one.cancel()

    def _key(self, variant: layout.Artifact, nan_is_wrong: bool) -> str:
        facts = runtime_facts(self.n_threads)
        return key_of(variant.digest, self._digest, list(self.attacks), nan_is_wrong, BATCH, facts)


def n_processes() -> int:
    """Over how many processes calibrate spreads its inference.

    Raises:
        RecipeError: ``SENTEI_PROCESSES`` is no whole number above 0.
    """
    text = os.environ.get(PROCESSES) or "1"
    if not text.isascii() or not text.isdigit() or not int(text):
        raise RecipeError(f"{PROCESSES}: expected a whole number above 0, received {text!r}")
    return int(text)


def _begin(parent: int, n_threads: int) -> None:
    """A new process ends with the one that started it, and gives torch no more threads than onnxruntime."""
    os.environ["OMP_NUM_THREADS"] = str(n_threads)
    end_with(parent)


def run_piece(piece: Piece) -> Columns:
    """The columns of one piece: those that were kept, or computed now and kept."""
    kept = _kept(piece)
    if kept is not None:
        return kept
    inputs, labels = (np.load(path, mmap_mode="r", allow_pickle=False) for path in (piece.rows, piece.labels))
    part = slice(piece.start, piece.stop)
    columns = columns_of(
        _variant(piece.variant, piece.digest),
        from_text(piece.data),
        Examples(inputs[part], np.asarray(labels[part]), np.arange(piece.start, piece.stop)),
        piece.n_threads,
        from_text(piece.attacks),
        nan_is_wrong=piece.nan_is_wrong,
        first_row=piece.start,
        served=_served(piece.variant, piece.digest, piece.n_threads),
    )
    if piece.kept.folder:
        data = io.BytesIO()
        np.savez(data, allow_pickle=False, **cast("Any", columns))
        piece.kept.write({COLUMNS: data.getvalue()})
    return columns


def _kept(piece: Piece) -> Columns | None:
    artifact = piece.kept.artifact()
    if artifact is None:
        return None
    with np.load(artifact.file(COLUMNS), allow_pickle=False) as arrays:
        return {name: arrays[name] for name in arrays.files}


@lru_cache(maxsize=1)  # the pieces of one network follow one another
def _variant(folder: str, digest: str) -> layout.Artifact:
    artifact = layout.reading(folder, "variant")
    if artifact.digest != digest:
        raise ArtifactError(f"{folder}: expected the variant {digest[:12]}, which was replaced while it was run")
    return artifact


@lru_cache(maxsize=1)
def _served(folder: str, digest: str, n_threads: int) -> ServedModel:
    return ServedModel(_variant(folder, digest).file(layout.SERVED), threads=n_threads)


def _joined(parts: Sequence[Columns]) -> Columns:
    # Rows that are all labelled have losses, even if those of another piece have not.
    names = [name for name in parts[0] if all(name in part for part in parts)]
    return {name: np.concatenate([part[name] for part in parts]) for name in names}


def _step(rows: Examples) -> int:
    batch = rows_in_batch(rows.labels, BATCH)
    return batch * max(1, ROWS // batch)


def _files(rows: Examples, folder: Path) -> tuple[str, str]:
    """Files of inputs and labels that every process maps: the one that the rows come from, where there is one."""
    inputs, labels = folder / "inputs.npy", folder / "labels.npy"
    np.save(labels, rows.labels, allow_pickle=False)
    if isinstance(rows.inputs, np.memmap) and rows.inputs.filename:
        return str(rows.inputs.filename), str(labels)
    np.save(inputs, rows.inputs, allow_pickle=False)
    return str(inputs), str(labels)
