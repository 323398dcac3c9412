"""What does not go together in a variant."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sentei.recipe.variant import Variant

UNITS_ONLY, WEIGHTS_ONLY = ("bn-scale", "fpgm", "data-free"), ("obs-blocks",)
_BESIDE_DEPTH = ("depth", "round_epochs", "finetune")


def faults(variant: "Variant") -> list[str]:
    """What was expected instead, for every choice that does not go with another one."""
    if variant.depth:
        return _depth_faults(variant)
    checks = _size_faults(variant) | _round_faults(variant) | _data_free_faults(variant)
    return [text for text, wrong in checks.items() if wrong]


def _size_faults(variant: "Variant") -> dict[str, object]:
    channel, n_of_m = variant.granularity == "channel", _n_of_m(variant)
    given = [name for name in ("sparsity", "budget") if getattr(variant, name) is not None]
    return {
        f"no sparsity and no budget beside granularity {variant.granularity}, which says both": n_of_m and given,
        "exactly one of sparsity and budget": not n_of_m and len(given) != 1,
        f"granularity channel beside criterion {variant.criterion}": not channel and variant.criterion in UNITS_ONLY,
        f"granularity weight beside criterion {variant.criterion}": channel and variant.criterion in WEIGHTS_ONLY,
        "granularity channel and a budget beside allocation search": variant.allocation == "search"
        and not (channel and variant.budget),
        "granularity channel beside round_to": variant.round_to > 1 and not channel,
        "a budget in parameters or bytes, because masks spare nothing else": variant.budget
        and not channel
        and not (variant.budget.parameters or variant.budget.bytes),
        "granularity weight or channel beside a budget": variant.budget and "block" in variant.granularity,
        "n below m in granularity n:m": n_of_m and not _fewer(variant.granularity),
        "allocation global beside granularity n:m, which takes the same from everywhere": n_of_m
        and variant.allocation != "global",
        "keep alone in layers beside granularity n:m": n_of_m and set(variant.layers.values()) - {"keep"},
    }


def _round_faults(variant: "Variant") -> dict[str, object]:
    return {
        "schedule iterative or cubic beside rounds above 1": (variant.rounds > 1) != (variant.schedule != "one-shot"),
        "schedule one-shot beside granularity n:m": _n_of_m(variant) and variant.rounds > 1,
        "schedule iterative or cubic beside round_epochs": variant.round_epochs > 1 and variant.schedule == "one-shot",
    }


def _data_free_faults(variant: "Variant") -> dict[str, object]:
    if variant.criterion != "data-free":
        return {"criterion data-free beside data_free": variant.data_free}
    budget = variant.budget
    return {
        "allocation uniform beside criterion data-free, which takes the same share from every layer": variant.allocation
        != "uniform",
        "a budget in macs, parameters or bytes beside criterion data-free": budget
        and not (budget.macs or budget.parameters or budget.bytes),
        "schedule one-shot beside criterion data-free, which has steps of its own": variant.rounds > 1,
        "no reconstruct beside criterion data-free, which looks at no rows": variant.reconstruct,
        "no round_to beside criterion data-free": variant.round_to > 1,
        "keep alone in layers beside criterion data-free": set(variant.layers.values()) - {"keep"},
    }


def _depth_faults(variant: "Variant") -> list[str]:
    fields = type(variant).model_fields
    default = {name: fields[name].get_default(call_default_factory=True) for name in sorted(fields)}
    chosen = [name for name in default if name not in _BESIDE_DEPTH and getattr(variant, name) != default[name]]
    found = [f"no {name} beside depth" for name in chosen]
    if variant.depth and variant.depth.blocks and variant.round_epochs > 1:
        found.append("finetune instead of round_epochs beside depth.blocks, which leave at once")
    return found


def _n_of_m(variant: "Variant") -> bool:
    return ":" in variant.granularity and "x" not in variant.granularity


def _fewer(granularity: str) -> bool:
    n, m = map(int, granularity.split(":"))
    return n < m
