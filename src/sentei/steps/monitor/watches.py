"""What is watched of a certificate, and what production rows say about it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from fractions import Fraction
from typing import Literal

import numpy as np
import numpy.typing as npt

from sentei.certificate.record import Certificate
from sentei.errors import DataError, RecipeError
from sentei.risk.claim import Claim
from sentei.risk.decimals import grouped
from sentei.risk.eprocess import EProcess
from sentei.steps.monitor.rows import Rows

Aim = Literal["revoke", "certify"]
Values = npt.NDArray[np.int64]
DROP, ERROR, DISAGREEMENT = "accuracy drop", "error rate", "disagreement"
# The claims that one class per row says something about. A drop in the worst class is at least the drop over all.
_MEASURES = {"accuracy_drop": DROP, "worst_class_drop": DROP, "risk": ERROR, "disagreement": DISAGREEMENT}
# Those of them that the mean is all of: evidence about it is evidence for the claim itself.
_WHOLE = ("accuracy_drop", "risk", "disagreement")
_LOW = {DROP: "-1", ERROR: "0", DISAGREEMENT: "0"}


@dataclass(frozen=True)
class Watch:
    """One mean that is watched in production, and the evidence about it.

    Attributes:
        measure: ``accuracy drop``, ``error rate`` or ``disagreement``.
        evidence: That the mean is above its limit (to revoke), or below it (to certify).
    """

    measure: str
    evidence: EProcess

    @classmethod
    def begun(cls, measure: str, limit: str, aim: Aim) -> "Watch":
        """A watch that has seen nothing yet."""
        begin = EProcess.revoke if aim == "revoke" else EProcess.certify
        return cls(measure, begin(limit, low=_LOW[measure]))

    @property
    def needs_labels(self) -> bool:
        """Whether only rows whose right class is known say something."""
        return self.measure != DISAGREEMENT

    def fed(self, values: Values) -> "Watch":
        """The watch after some more rows."""
        return replace(self, evidence=self.evidence.update(values))


def watches_of(record: Certificate, limit: str | None, aim: Aim) -> tuple[Watch, ...]:
    """What can be watched of a certificate.

    Args:
        record: The certificate.
        limit: Largest disagreement in production, where the certificate does not claim one.
        aim: ``revoke``: every claim, and the disagreement if it has a limit. ``certify``: the disagreement if it has a
            limit; else the certificate's only claim, if answers tell all of it.

    Raises:
        RecipeError: There is nothing to watch; to certify this would prove less than the certificate claims; or the
            certificate itself says the limit.
    """
    claimed = list(dict.fromkeys(_watched(record.claims)))
    if limit is not None and any(measure == DISAGREEMENT for measure, _ in claimed):
        raise RecipeError("--limit: the certificate itself limits the disagreement; leave the option out")
    if aim == "certify" and limit is None:
        _require_whole(record)
    extra = [(DISAGREEMENT, limit)] if limit is not None else []
    chosen = claimed + extra if aim == "revoke" else extra or claimed
    if not chosen:
        kinds = ", ".join(claim.kind for claim in record.claims)
        raise RecipeError(
            f"the certificate claims {kinds}, which answers alone cannot tell; watch the disagreement with --limit"
        )
    return tuple(Watch.begun(measure, said, aim) for measure, said in chosen)


def _require_whole(record: Certificate) -> None:
    """Refuse to call a certificate proven of which answers tell a part only."""
    if len(record.claims) > 1 or record.claims[0].kind not in _WHOLE or not list(_watched(record.claims)):
        claims = ", ".join(
            claim.kind + (" of another loss" if _of_another_loss(claim) else "") for claim in record.claims
        )
        raise RecipeError(
            f"--certify proves one claim of {', '.join(_WHOLE[:-1])} (of errors) or {_WHOLE[-1]}, and this certificate "
            f"claims {claims}; prove that the disagreement is below a limit, with --limit"
        )


def _of_another_loss(claim: Claim) -> bool:
    return claim.settings.get("loss", "zero_one") != "zero_one"


def _watched(claims: Sequence[Claim]) -> Iterator[tuple[str, str]]:
    for claim in claims:
        if claim.kind in _MEASURES and not _of_another_loss(claim):
            yield _MEASURES[claim.kind], claim.tolerance


def feed(watches: Sequence[Watch], rows: Rows) -> tuple[Watch, ...]:
    """The watches after some more rows: labelled ones for those that need labels, the others for the disagreement.

    Where only the disagreement is watched, all rows are for it, and labels are not looked at.

    Raises:
        DataError: Rows without labels, and no limit on the disagreement; or no answers of the dense model.
    """
    by_label = any(watch.needs_labels for watch in watches)
    if by_label and not rows.labelled.all() and all(watch.needs_labels for watch in watches):
        n_bare = int((~rows.labelled).sum())
        raise DataError(
            f"{rows.name}: {grouped(n_bare)} of {grouped(len(rows))} rows have no label, and only labelled ones say "
            "something here; leave them out, or give --limit, the largest disagreement, from the first feeding on"
        )
    own = {True: rows.labelled, False: ~rows.labelled if by_label else np.ones(len(rows), np.bool_)}
    return tuple(watch.fed(_values(watch.measure, rows)[own[watch.needs_labels]]) for watch in watches)


def share_of(delta: str, watches: Sequence[Watch]) -> Fraction:
    """The part of delta that each watch may spend: equal parts, so that all false alarms together stay within it."""
    return Fraction(Decimal(delta)) / len(watches)


def _values(measure: str, rows: Rows) -> Values:
    variant_errs = _errs(rows.variant, rows)
    if measure == ERROR:
        return variant_errs
    if rows.dense is None:
        raise DataError(
            f"{rows.name}: the {measure} compares with the dense model, whose answers are missing; add a column dense "
            "to a CSV file, or name the dense model with --dense"
        )
    if measure == DROP:
        return variant_errs - _errs(rows.dense, rows)
    differ: Values = ((rows.variant != rows.dense) | (rows.variant < 0) | (rows.dense < 0)).astype(np.int64)
    return differ


def _errs(answers: Values, rows: Rows) -> Values:
    wrong: Values = ((answers != rows.label) | (answers < 0)).astype(np.int64)
    return wrong


def crossed(watches: Sequence[Watch], delta: str) -> Watch | None:
    """The first watch whose evidence has ever reached what its share of delta asks for; None if none has."""
    share = share_of(delta, watches)
    return next((watch for watch in watches if watch.evidence.crossed(share)), None)
