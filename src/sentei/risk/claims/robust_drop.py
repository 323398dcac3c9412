"""On rows perturbed by a fixed attack, the variant's accuracy is at most epsilon below the dense model's."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from sentei.risk.claims.paired_drop import PairedDrop
from sentei.risk.claims.settings import check_choice
from sentei.risk.decimals import parse_decimal

ATTACKS = ("fgsm", "pgd")


def robust_column(settings: Mapping[str, str]) -> str:
    """Where the losses under one attack stand.

    Example:
        >>> robust_column({"attack": "pgd", "radius": "0.03", "steps": "20", "seed": "0"})
        'robust_loss.pgd.0.03.20.0'
    """
    return ".".join(["robust_loss", *(settings[name] for name in ("attack", "radius", "steps", "seed"))])


@dataclass(frozen=True)
class RobustDrop(PairedDrop):
    """``robust_accuracy_drop <= epsilon``: a paired drop of losses on perturbed rows.

    Each network meets its own perturbation of a row, made by the attack that the settings name, with a fixed seed. It
    says nothing about other attacks.
    """

    name: str = "robust_accuracy_drop"
    defaults: Mapping[str, str] = field(
        default_factory=lambda: {"method": "auto", "attack": "pgd", "radius": "", "steps": "20", "seed": "0"}
    )

    def column_of(self, settings: Mapping[str, str]) -> str:
        """That of the attack."""
        return robust_column(settings)

    def check(self, tolerance: Decimal, delta: Decimal, gamma: Decimal, settings: Mapping[str, str]) -> None:
        """As for an accuracy drop; the attack is a known one and has a radius."""
        super().check(tolerance, delta, gamma, settings)
        check_choice(settings, "attack", ATTACKS)
        if parse_decimal("claim.settings.radius", settings["radius"]) <= 0:
            raise ValueError(f"claim.settings.radius must be above 0, received {settings['radius']}")
        for name, least in (("steps", 1), ("seed", 0)):
            if not settings[name].isascii() or not settings[name].isdigit() or int(settings[name]) < least:
                raise ValueError(f"claim.settings.{name} must be a whole number of at least {least}")

    def describe_limit(self, limit: Decimal, settings: Mapping[str, str]) -> str:
        """In points of accuracy, on perturbed rows."""
        plain = super().describe_limit(limit, settings)
        attack = settings["attack"] + (f" of {settings['steps']} steps" if settings["attack"] == "pgd" else "")
        return f"on rows perturbed by {attack} within {settings['radius']}, {plain}"
