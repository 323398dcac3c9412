"""What a plan will cost and what its calibration split can prove, before anything is trained."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sentei.certificate.sentence import statement
from sentei.evaluation.macs import count_macs, n_parameters
from sentei.models import Architecture, build
from sentei.risk import Claim
from sentei.risk.decimals import grouped
from sentei.steps.frozen import Plan, key_of
from sentei.steps.provable import provable
from sentei.steps.rounds import n_trainings

BYTES_PER_PARAMETER = 4  # float32
PASSES_PER_STEP = 3  # one forward and two for the gradients


@dataclass(frozen=True)
class Forecast:
    """What a run will cost and can prove.

    Attributes:
        network: The dense model in words: name, parameters, bytes, multiply-accumulates for one example.
        claims: For the claim and each compared one: what it promises, and what the calibration split can prove.
        work: Training in words: rows seen, and multiply-accumulates.
    """

    network: str
    claims: tuple[tuple[str, ...], ...]
    work: str


def forecast(plan: Plan, level: str | None = None) -> Forecast:
    """The cost and the proving power of a plan; the network is built, nothing is trained.

    Args:
        plan: The frozen plan.
        level: What a ledger lets the claim use of its delta; all of it if None.

    Raises:
        ModelError: The network cannot be built.
    """
    architecture = Architecture.from_dict(plan.dense["architecture"])
    model = build(architecture, seed=0)
    macs = count_macs(model, tuple(plan.examples["input"]["shape"])).total
    parameters, rows = n_parameters(model), _rows_seen(plan)
    n_calibration = plan.examples["splits"]["calibration"]["n_examples"]
    return Forecast(
        network=f"{architecture.name or architecture.factory}: {grouped(parameters)} parameters, "
        f"{grouped(BYTES_PER_PARAMETER * parameters)} bytes, {grouped(macs)} MACs for one example",
        claims=(
            *(_claim(claim, n_calibration, level) for claim in plan.decision["claims"]),
            *(_claim(claim, n_calibration, None) for claim in plan.decision["compare"]),
        ),
        work=f"at most {grouped(rows)} rows to learn from, {_billions(rows * macs)} billion multiply-accumulates",
    )


def _billions(forward_macs: int) -> str:
    billions = forward_macs * PASSES_PER_STEP / 1e9
    return grouped(round(billions)) if billions >= 100 else f"{billions:.1f}"


def _rows_seen(plan: Plan) -> int:
    n_train = int(plan.examples["splits"]["train"]["n_examples"])
    dense = 0 if plan.dense["pretrained"] else int(plan.dense["training"]["epochs"])
    recovery = sum(variant["recovery"]["epochs"] if variant["recovery"] else 0 for variant in plan.variants)
    return n_train * (dense + int(recovery) + _epochs_between(plan))


def _epochs_between(plan: Plan) -> int:
    """Of all trainings between rounds; variants that go on from one another's iterates share theirs."""
    courses: dict[str, int] = {}
    for variant in plan.variants:
        if "between" in variant:
            course = key_of(variant["seed"], variant["between"]) if "depth" in variant else variant["name"]
            epochs = n_trainings(variant) * int(variant["between"]["epochs"])
            courses[course] = max(courses.get(course, 0), epochs)
    return sum(courses.values())


def _claim(claim: Mapping[str, Any], n: int, level: str | None) -> tuple[str, ...]:
    wanted = Claim(**claim)
    used = f" of which this attempt may use {level}," if level else ""
    exactly = f"{wanted.kind} <= {wanted.tolerance}, delta {wanted.delta},{used} on {grouped(n)} calibration rows"
    return (statement([wanted]), exactly, *provable(wanted.at(level) if level else wanted, n))
