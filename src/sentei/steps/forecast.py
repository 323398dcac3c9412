"""What a plan will cost and what its calibration split can prove, before anything is trained."""

from collections.abc import Mapping
from dataclasses import dataclass

from sentei.evaluation.macs import count_macs, n_parameters
from sentei.models import Architecture, build
from sentei.risk import Claim, Counts
from sentei.steps.frozen import Plan

DISAGREEMENTS = (0, 0.005, 0.01, 0.02)
PASSES_PER_STEP = 3  # one forward and two for the gradients


@dataclass(frozen=True)
class Forecast:
    """What a run will cost and can prove.

    Attributes:
        network: Name of the dense model's architecture.
        parameters: Its parameters.
        macs: Its multiply-accumulates for one example.
        claim_lines: What the calibration split can prove, in words.
        work: Training in words: rows seen, and multiply-accumulates.
    """

    network: str
    parameters: int
    macs: int
    claim_lines: tuple[str, ...]
    work: str


def forecast(plan: Plan) -> Forecast:
    """The cost and the proving power of a plan; the network is built, nothing is trained.

    Raises:
        ModelError: The network cannot be built.
    """
    architecture = Architecture.from_dict(plan.dense["architecture"])
    model = build(architecture, seed=0)
    macs = count_macs(model, tuple(plan.examples["input"]["shape"])).total
    rows = _rows_seen(plan)
    n_calibration = plan.examples["splits"]["calibration"]["n_examples"]
    return Forecast(
        network=architecture.name or architecture.factory,
        parameters=n_parameters(model),
        macs=macs,
        claim_lines=_claim_lines(plan.decision["claim"], n_calibration),
        work=f"{rows:,} rows to learn from, about {_billions(rows * macs)} billion multiply-accumulates",
    )


def _billions(forward_macs: int) -> str:
    return f"{forward_macs * PASSES_PER_STEP / 1e9:,.1f}"


def _rows_seen(plan: Plan) -> int:
    n_train = int(plan.examples["splits"]["train"]["n_examples"])
    dense = 0 if plan.dense["pretrained"] else int(plan.dense["training"]["epochs"])
    recovery = sum(variant["recovery"]["epochs"] if variant["recovery"] else 0 for variant in plan.variants)
    return n_train * (dense + int(recovery))


def _claim_lines(claim: Mapping[str, str], n: int) -> tuple[str, ...]:
    wanted = Claim(claim["kind"], claim["tolerance"], claim["delta"], claim["gamma"])
    what = f"claim      {wanted.kind} <= {wanted.tolerance} with delta {wanted.delta}, on {n:,} calibration rows"
    if wanted.kind != "accuracy_drop":
        return (what,)
    bounds = [f"{100 * share:g} % -> {wanted.upper_bound(_even(n, share))}" for share in DISAGREEMENTS]
    return (what, "           smallest provable drop when so many rows disagree, evenly: " + ", ".join(bounds))


def _even(n: int, share: float) -> Counts:
    """A variant that disagrees with its dense model on a share of the rows, harming as often as it helps."""
    half = round(n * share / 2)
    return Counts(n, half, half, half, half)
