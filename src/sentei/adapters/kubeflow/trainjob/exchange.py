"""What the component and the nodes of a TrainJob hand each other through S3, since they share no disk.

Below ``SENTEI_EXCHANGE``, with the digest of a request in the place of ``R``: ``requests/R/`` and ``results/R/D/`` are
sealed folders whose manifest is written last, ``states/R/0/`` and ``states/R/1/`` hold the training's last two states,
and ``failures/R/ATTEMPT/RANK.json`` says why an attempt failed.
"""

import json
import os
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from sentei.adapters.s3.address import Address, is_s3, parse
from sentei.adapters.s3.bundle import fetch_bundle, upload_bundle
from sentei.adapters.s3.store import S3
from sentei.errors import ArtifactError, RecipeError, ServiceError
from sentei.steps import layout


@dataclass(frozen=True)
class Exchange:
    """The place of one request on S3.

    Attributes:
        home: ``s3://bucket/prefix/``.
        request: Digest of the request.
        s3: The store.
    """

    home: Address
    request: str
    s3: S3

    @classmethod
    def at(cls, place: str, request: str) -> "Exchange":
        """The exchange at ``s3://bucket/prefix``, on the store that the environment names.

        Raises:
            RecipeError: The URI cannot be read.
        """
        return cls(parse(place.rstrip("/") + "/"), request, S3.from_env())

    @classmethod
    def from_env(cls, request: str) -> "Exchange":
        """The exchange at ``SENTEI_EXCHANGE``.

        Raises:
            RecipeError: The variable does not name a place on S3.
        """
        place = os.environ.get("SENTEI_EXCHANGE", "")
        if not is_s3(place):
            raise RecipeError(
                f"distributed.nodes: expected SENTEI_EXCHANGE=s3://bucket/prefix in the step's environment, received "
                f"{place!r}: the nodes of a TrainJob share no disk with the step; set it, or ask for one node"
            )
        return cls.at(place, request)

    def send(self, folder: Path) -> None:
        """Put the request there; what is there already stays."""
        upload_bundle(folder, str(self._at("requests")), self.s3)

    def receive(self, folder: Path) -> None:
        """Fetch the request; several processes of one node may ask for the same folder one after the other."""
        fetch_bundle(str(self._at("requests", self.request)), folder, self.s3)

    def give(self, result: Path) -> None:
        """Put a result of the request there."""
        upload_bundle(result, str(self._at("results", self.request)), self.s3)

    def take(self, folder: Path) -> bool:
        """Fetch a result of the request, verified; False if none is there yet."""
        for result in self._results():
            fetch_bundle(result, folder, self.s3)
            return True
        return False

    def has_result(self) -> bool:
        """Whether a result of the request is there."""
        return any(True for _ in self._results())

    def keep(self, state: Path) -> None:
        """Put a state of the training there, over the older of the two; an unfinished upload spoils only that one."""
        slot = self._at("states", self.request, str(_epoch(state) % 2))
        for name in sorted(layout.read_manifest(state).files):
            self.s3.upload_file(state / name, str(slot.inside(name)))
        self.s3.upload_file(state / layout.MANIFEST, str(slot.inside(layout.MANIFEST)))

    def recall(self, state: Path) -> bool:
        """Fetch the latest whole state of the training; False if none is there."""
        with TemporaryDirectory(prefix="sentei-") as folder:
            whole = [found for slot in ("0", "1") if (found := self._state(slot, Path(folder) / slot))]
            if not whole:
                return False
            state.parent.mkdir(parents=True, exist_ok=True)
            shutil.rmtree(state, ignore_errors=True)
            shutil.move(max(whole, key=_epoch), state)
            return True

    def complain(self, attempt: str, facts: Mapping[str, Any]) -> None:
        """Say there why a process of an attempt fails."""
        with TemporaryDirectory(prefix="sentei-") as folder:
            note = Path(folder) / f"{facts['rank']}.json"
            note.write_text(json.dumps(facts), encoding="utf-8")
            self.s3.upload_file(note, str(self._at("failures", self.request, attempt).inside(note.name)))

    def complaints(self, attempt: str) -> list[dict[str, Any]]:
        """What the processes of an attempt said of why they failed."""
        found = self.s3.objects(self._at("failures", self.request, attempt))
        return [json.loads(self.s3.read(one.address) or b"{}") for one in found]

    def _results(self) -> Iterator[str]:
        for found in self.s3.objects(self._at("results", self.request)):
            if found.address.name == layout.MANIFEST:
                yield str(found.address).removesuffix(layout.MANIFEST)

    def _at(self, *names: str) -> Address:
        place = self.home
        for name in names:
            place = place.inside(f"{name}/")
        return place

    def _state(self, slot: str, folder: Path) -> Path | None:
        place = self._at("states", self.request, slot)
        if self.s3.head(place.inside(layout.MANIFEST)) is None:
            return None
        try:
            self.s3.download_file(str(place.inside(layout.MANIFEST)), folder / layout.MANIFEST)
            for name in layout.read_manifest(folder).files:
                parse(str(place.inside(name)))  # refuses names that would lead out of the folder
                self.s3.download_file(str(place.inside(name)), folder / name)
            return layout.reading(folder, "checkpoint").path
        except (ArtifactError, ServiceError):
            return None  # its upload was cut off: the other one is whole


def _epoch(state: Path) -> int:
    return int(json.loads((state / "facts.json").read_bytes())["epoch"])
