"""What stands before the calibration split is opened: the dense model, the family, and their measurements."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sentei.certificate.record import Certificate, Dense, Refusal, Variant
from sentei.errors import ArtifactError
from sentei.evaluation.outcomes import only
from sentei.risk.pair import Columns
from sentei.steps import layout
from sentei.steps.evaluate import read_columns, read_cost
from sentei.steps.examples import rows_of
from sentei.steps.quality import QUALITIES, quality

DECIDING = ("bytes", "macs", "nonzero_macs", "parameters")


@dataclass(frozen=True)
class StoredColumns(Mapping[str, Columns]):
    """Columns of evaluations, read from their files one variant at a time, so that memory does not grow with them.

    Attributes:
        evaluations: By the variant's name.
        names: The columns that are handed on; all of them if None.
    """

    evaluations: Mapping[str, layout.Artifact]
    names: tuple[str, ...] | None = None

    def __getitem__(self, name: str) -> Columns:
        columns = read_columns(self.evaluations[name])
        return columns if self.names is None else only(columns, self.names)

    def __iter__(self) -> Iterator[str]:
        return iter(self.evaluations)

    def __len__(self) -> int:
        return len(self.evaluations)


@dataclass(frozen=True)
class Candidates:
    """The family as it stands before the decision.

    Attributes:
        dense: The dense model.
        reference: Its evaluation on the selection split.
        variants: By name, in the family's order; failed ones included.
        evaluations: By name, in the same order.
    """

    dense: layout.Artifact
    reference: layout.Artifact
    variants: Mapping[str, layout.Artifact]
    evaluations: Mapping[str, layout.Artifact]

    @classmethod
    def read(
        cls,
        dense: str | Path,
        reference: str | Path,
        variants: Sequence[str | Path],
        evaluations: Sequence[str | Path],
        family: Sequence[str],
        data: Mapping[str, Any],
    ) -> "Candidates":
        """Read and cross-check the artifacts of one family.

        Args:
            dense: Folder of the dense model.
            reference: Folder of its evaluation.
            variants: Folders of the variants.
            evaluations: Folders of their evaluations.
            family: Names of the variants, in the plan's order.
            data: The plan's ``examples`` part: everything must have been made on its splits.

        Raises:
            ArtifactError: An artifact was altered, or belongs to another dense model, variant, family or other splits.
        """
        base, measured = layout.reading(dense, "variant"), layout.reading(reference, "evaluation")
        _require(measured.inputs["variant"] == base.digest, f"{reference}: evaluates another model than {dense}")
        made = {a.facts["name"]: a for a in (layout.reading(path, "variant") for path in variants)}
        seen = {a.facts["name"]: a for a in (layout.reading(path, "evaluation") for path in evaluations)}
        complete = len(variants) == len(evaluations) == len(family) and set(made) == set(seen) == set(family)
        _require(complete, f"expected the family {list(family)}, each once, received {sorted(made)}")
        for name, artifact in [*seen.items(), ("dense", measured)]:
            split = artifact.facts["split"]
            _require(split == "selection", f"{name}: expected an evaluation on the selection split, received {split}")
        rows_of(data, base, measured, *made.values(), *seen.values())
        for name, artifact in made.items():
            _require(seen[name].inputs["variant"] == artifact.digest, f"{name}: the evaluation is of another variant")
            _require(artifact.inputs.get("dense") == base.digest, f"{name}: it was pruned from another dense model")
        return cls(base, measured, {name: made[name] for name in family}, {name: seen[name] for name in family})

    def sound(self) -> tuple[str, ...]:
        """Names of the variants that could be made and measured, in the family's order."""
        return tuple(name for name, evaluation in self.evaluations.items() if not evaluation.failed)

    def selection_columns(self, names: tuple[str, ...] | None = None) -> Mapping[str, Columns]:
        """Columns on the selection split, by variant, read when asked for; only the named ones if names are given."""
        return StoredColumns({name: self.evaluations[name] for name in self.sound()}, names)

    def costs(self) -> dict[str, dict[str, str]]:
        """The costs that may decide, by name; measured latency varies from run to run and is not among them."""
        costs = {name: read_cost(self.evaluations[name]) for name in self.sound()}
        return {name: {key: cost[key] for key in DECIDING} for name, cost in costs.items()}

    def latencies(self) -> dict[str, str]:
        """Measured milliseconds of one answer, by name, for people to read; nothing is decided by them."""
        made = {"dense": self.reference, **{name: self.evaluations[name] for name in self.sound()}}
        return {name: read_cost(evaluation)["latency_ms"] for name, evaluation in made.items()}

    def family(self) -> list[dict[str, Any]]:
        """Specifications of all variants, as the plan froze them."""
        return [dict(artifact.facts["spec"]) for artifact in self.variants.values()]

    def served(self, name: str) -> Variant:
        """Digests of one variant, as it is served."""
        artifact = self.variants[name]
        return Variant(name, artifact.digest, artifact.files[layout.SERVED])

    def served_dense(self) -> Dense:
        """Digests of the dense model, as it is served."""
        return Dense(self.dense.digest, self.dense.files[layout.SERVED], self.dense.facts["brought_sha256"])

    def digests(self) -> dict[str, str]:
        """Digests of everything that the decision rests on, by role."""
        inputs = {f"variant/{name}": artifact.digest for name, artifact in self.variants.items()}
        return {"dense": self.dense.digest, "reference": self.reference.digest, **inputs}

    def verdicts(self, record: Certificate | Refusal) -> dict[str, str]:
        """What became of every variant: certified, refused, not tested or failed."""
        passed = {test.name: test.passed for test in record.procedure.tests}
        words = {True: "certified", False: "refused", None: "not tested"}
        return {
            name: "failed" if evaluation.failed else words[passed.get(name)]
            for name, evaluation in self.evaluations.items()
        }

    def sparsity(self, name: str) -> str:
        """Achieved sparsity of one variant, as decimal text."""
        return str(self.variants[name].facts.get("achieved_sparsity", ""))

    def table(self, verdicts: Mapping[str, str]) -> list[dict[str, str]]:
        """One row per variant, the dense model first, for people to read."""
        dense = read_columns(self.reference)
        rows = [_row(self.dense, self.reference, "dense", dense)]
        return rows + [_row(self.variants[n], self.evaluations[n], verdict, dense) for n, verdict in verdicts.items()]


def _row(variant: layout.Artifact, evaluation: layout.Artifact, verdict: str, dense: Columns) -> dict[str, str]:
    row = {"name": variant.facts["name"], "verdict": verdict, "reason": evaluation.reason}
    row["sparsity"] = variant.facts.get("sparsity", "")
    row["achieved_sparsity"] = variant.facts.get("achieved_sparsity", row["sparsity"])
    row |= dict.fromkeys((*QUALITIES, *DECIDING), "")
    if evaluation.failed:
        return row
    cost = read_cost(evaluation)
    return row | dict([quality(read_columns(evaluation), dense)]) | {name: cost[name] for name in DECIDING}


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise ArtifactError(f"{message}; run the pipeline's steps on one family")
