"""What the settings of a claim must be."""

from collections.abc import Mapping
from decimal import Decimal

from sentei.risk.decimals import parse_decimal


def check_choice(settings: Mapping[str, str], name: str, choices: tuple[str, ...]) -> None:
    """Raise ``ValueError`` if a setting is none of the choices."""
    if settings[name] not in choices:
        raise ValueError(f"claim.settings.{name} must be one of {', '.join(choices)}, received {settings[name]!r}")


def check_open_unit(what: str, value: Decimal) -> None:
    """Raise ``ValueError`` if a number does not lie strictly between 0 and 1."""
    if not 0 < value < 1:
        raise ValueError(f"{what} must lie in (0, 1), received {value}")


def check_drop(kind: str, tolerance: Decimal) -> None:
    """Raise ``ValueError`` if an epsilon does not lie in [0, 1)."""
    if not 0 <= tolerance < 1:
        raise ValueError(f"the tolerance of {kind} must lie in [0, 1), received {tolerance}")


def check_gamma(gamma: Decimal, delta: Decimal) -> None:
    """Raise ``ValueError`` if gamma leaves nothing of delta."""
    if not 0 <= gamma < delta:
        raise ValueError(
            f"gamma is a part of delta = {delta}, received {gamma}; a twenty-fifth of delta is a good choice"
        )


def check_share(settings: Mapping[str, str], name: str) -> None:
    """Raise ``ValueError`` if a setting is no decimal text in (0, 1]."""
    value = parse_decimal(f"claim.settings.{name}", settings[name])
    if not 0 < value <= 1:
        raise ValueError(f"claim.settings.{name} must lie in (0, 1], received {value}")
