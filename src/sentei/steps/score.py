"""dense model -> scores of every criterion that the family needs, and sensitivity curves where it searches."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from safetensors.torch import save
from torch import Tensor, nn

from sentei.errors import ModelError
from sentei.importance import CRITERIA, ScoringRows, prunable_weights, score, score_units
from sentei.models.attention import separate_heads
from sentei.steps import layout
from sentei.steps.checkpoint import Checkpoint
from sentei.steps.damage import scoring_rows
from sentei.steps.examples import OpenUri
from sentei.steps.frozen import from_text, key_of
from sentei.steps.networks import read_network
from sentei.steps.progress import stage, work
from sentei.steps.runtime import use_threads
from sentei.steps.sensitivity import curves_of, search_key
from sentei.structure import Structure, trace

UNITS = "units/"
"""Before the criterion in the name of a tensor that scores units of groups, not weights."""


def score_importance(
    examples: str, importance: str, dense: str | Path, path: str | Path, open_uri: OpenUri | None = None
) -> dict[str, str]:
    """Write the scores to ``path``: one tensor per criterion and prunable weight or group, larger = keep.

    A criterion that does not fit the network is noted with its reason; only the variants that need it fail.

    Args:
        examples: The plan's ``examples`` part.
        importance: The plan's ``importance`` part.
        dense: Folder of the dense model.
        path: The artifact's folder.
        open_uri: Turns ``s3://`` and the like into a local path.

    Returns:
        Criteria and digest of the artifact.
    """
    plan, data = from_text(importance), from_text(examples)
    source = layout.reading(dense, "variant")
    with stage("score-importance", "dense"), layout.writing(path, "scores", {"dense": source.digest}) as draft:
        use_threads(shared=False)
        scores = _Scores(draft, plan, scoring_rows(data, open_uri) if _looks_at_rows(plan) else None)
        scores.add_weights(read_network(source))
        if "unit_criteria" in plan:
            scores.add_units(read_network(source), data, source.digest)
        draft.write(layout.SCORES, save(scores.tensors))
        draft.facts.update(criteria=scores.names, faults=scores.faults)
    for wish in plan.get("searches", ()):
        Checkpoint.for_key(_key_of_curves(source.digest, plan, wish)).remove()
    return {"criteria": ", ".join(scores.names), "digest": layout.read_manifest(path).digest}


def _looks_at_rows(plan: Mapping[str, Any]) -> bool:
    criteria = [*plan["criteria"], *plan.get("unit_criteria", ())]
    return "searches" in plan or any(CRITERIA[criterion].needs_rows for criterion in criteria)


def _key_of_curves(dense: str, plan: Mapping[str, Any], wish: Sequence[Any]) -> str:
    return key_of("curves", dense, plan, wish)


def read_scores(
    scored: layout.Artifact, tensors: Mapping[str, Tensor], criterion: str, *, units: bool
) -> dict[str, Tensor]:
    """The scores of one criterion, by weight or group.

    Args:
        scored: The artifact.
        tensors: What its file holds.
        criterion: Its name.
        units: Whether units of groups were scored, or single weights.

    Raises:
        ModelError: The criterion does not fit the network; the message is the reason.
    """
    prefix = f"{UNITS if units else ''}{criterion}/"
    if reason := scored.facts.get("faults", {}).get(prefix):
        raise ModelError(reason)
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}


class _Scores:
    """Tensors by name, and the criteria that do not fit the network."""

    def __init__(self, draft: layout.Draft, plan: Mapping[str, Any], rows: ScoringRows | None) -> None:
        self._draft, self._plan, self._rows = draft, plan, rows
        self.tensors: dict[str, Tensor] = {}
        self.names: list[str] = []
        self.faults: dict[str, str] = {}

    def add_weights(self, model: nn.Module) -> None:
        """Score single weights."""
        names = prunable_weights(model, self._plan["scope"])
        for criterion in self._plan["criteria"]:
            self._add(f"{criterion}/", lambda c=criterion: score(model, c, names, self._plan["seed"], self._rows))

    def add_units(self, model: nn.Module, data: Mapping[str, Any], dense: str) -> None:
        """Score channels and heads, and measure how sensitive the network is to losing them."""
        try:
            structure = trace(separate_heads(model), tuple(data["input"]["shape"]))
        except ModelError as error:
            self.faults |= {f"{UNITS}{criterion}/": str(error) for criterion in self._plan["unit_criteria"]}
            return
        for criterion in self._plan["unit_criteria"]:
            self._add(
                f"{UNITS}{criterion}/",
                lambda c=criterion: score_units(model, c, structure, self._plan["seed"], self._rows),
            )
        self._add_curves(model, structure, dense)

    def _add(self, prefix: str, scored: Any) -> None:
        self.names.append(prefix.removesuffix("/"))
        try:
            with work("score"):
                found: dict[str, Tensor] = scored()
        except ModelError as error:
            self.faults[prefix] = str(error)
            return
        self.tensors |= {prefix + name: tensor.contiguous() for name, tensor in found.items()}

    def _add_curves(self, model: nn.Module, structure: Structure, dense: str) -> None:
        curves = {}
        for wish in self._plan.get("searches", ()):
            prefix = f"{UNITS}{wish[0]}/"
            if prefix not in self.faults and self._rows is not None:
                mine = {n.removeprefix(prefix): t for n, t in self.tensors.items() if n.startswith(prefix)}
                key = _key_of_curves(dense, self._plan, wish)
                with work("probe"):
                    curves[search_key(*wish)] = curves_of(model, structure, mine, self._rows, wish, key)
        if curves:
            self._draft.write(layout.CURVES, json.dumps(curves, sort_keys=True).encode())
