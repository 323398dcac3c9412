"""Once selection figures exist: how likely each variant is to pass, and on how many rows it would."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sentei.errors import ArtifactError
from sentei.risk import Claim
from sentei.risk.pair import Pair
from sentei.steps import layout
from sentei.steps.evaluate import read_columns
from sentei.steps.frozen import Plan, key_of

POWER = 0.8


@dataclass(frozen=True)
class Prospect:
    """What the selection split foretells of one variant; estimates, no promise.

    Attributes:
        name: The variant.
        estimates: For each claim, the observed drop or risk.
        chance: How likely it passes all claims on the plan's calibration rows, in [0, 1]; of several claims the least
            that their own chances allow.
        rows_needed: Calibration rows with which it passes each claim four times in five; None if none would do.
    """

    name: str
    estimates: tuple[float, ...]
    chance: float
    rows_needed: int | None


def prospects(plan: Plan, root: Path, claims: Sequence[Claim]) -> tuple[Prospect, ...]:
    """The prospects of every variant of the family that was evaluated on the plan's selection split.

    Args:
        plan: The frozen plan.
        root: A folder with artifacts of runs, searched at any depth; unfinished ones are passed over.
        claims: What has to be proven, at the level that may be used.

    Returns:
        In the family's order; empty while there is no evaluation.

    Raises:
        ArtifactError: An evaluation was altered.
    """
    n_rows = int(plan.examples["splits"]["calibration"]["n_examples"])
    found = _evaluations(root, key_of(plan.examples))
    made = [(variant["name"], found.of(variant)) for variant in plan.variants]
    return tuple(_prospect(name, pair, claims, n_rows) for name, pair in made if pair is not None)


def _prospect(name: str, pair: Pair, claims: Sequence[Claim], n_rows: int) -> Prospect:
    settled = [claim.settle(pair, n_rows) for claim in claims]
    seen = [claim.see(pair, choice) for claim, choice in zip(claims, settled, strict=True)]
    parts = list(zip(claims, seen, settled, strict=True))
    misses = sum(1 - claim.chance(one, n_rows, choice) for claim, one, choice in parts)
    needed = [claim.rows_needed(one, choice, POWER) for claim, one, choice in parts]
    return Prospect(
        name,
        tuple(claim.estimate(one) for claim, one, _ in parts),
        max(0.0, 1 - misses),
        None if None in needed else max(row for row in needed if row is not None),
    )


@dataclass(frozen=True)
class _Found:
    """Evaluations on one selection split, by the digest of what they evaluate; and the networks, by theirs."""

    networks: Mapping[str, layout.Artifact]
    evaluations: Mapping[str, layout.Artifact]

    def of(self, specification: Mapping[str, Any]) -> Pair | None:
        """The variant of this specification beside its dense model."""
        for digest, network in self.networks.items():
            dense = network.inputs.get("dense", "")
            if network.facts.get("spec") == specification and {digest, dense} <= set(self.evaluations):
                ours, theirs = (layout.reading(self.evaluations[one].path) for one in (digest, dense))
                return Pair(read_columns(ours), read_columns(theirs))
        return None


def _evaluations(root: Path, rows: str) -> _Found:
    artifacts = [one for one in _artifacts(root) if one.facts.get("rows") == rows and not one.failed]
    seen = [one for one in artifacts if one.kind == "evaluation" and one.facts.get("split") == "selection"]
    networks = {one.digest: one for one in artifacts if one.kind == "variant"}
    return _Found(networks, {one.inputs["variant"]: one for one in seen if "variant" in one.inputs})


def _artifacts(root: Path) -> Iterator[layout.Artifact]:
    for manifest in sorted(root.rglob(layout.MANIFEST)):
        if layout.PARTIAL in str(manifest):
            continue
        try:
            yield layout.read_manifest(manifest.parent)
        except ArtifactError:
            continue  # whoever runs the pipeline is told; a forecast goes on without it
