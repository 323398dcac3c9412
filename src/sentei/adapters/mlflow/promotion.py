"""Whether a newly certified version takes the alias ``champion``: a rule over what two versions claim."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

COUNTED, UNCOUNTED = "counted", "none"
PROMOTE = ("cheaper", "certified", "never")
# The name that each kind of claim has for its tolerance.
_TOLERANCES = {
    "accuracy_drop": "epsilon",
    "robust_accuracy_drop": "epsilon",
    "worst_class_drop": "epsilon",
    "loss_drop": "epsilon",
    "risk": "alpha",
    "selective_risk": "alpha",
    "disagreement": "alpha",
}


@dataclass(frozen=True)
class Standing:
    """What a model version claims and costs, as its tags say.

    Attributes:
        certificate_sha256: Digest of its certificate.
        claim: Kind of the claim, such as ``accuracy_drop``; of several claims, their kinds joined by ``+``.
        tolerance: Decimal text of epsilon or alpha; of several claims, joined by ``+`` in the same order.
        delta: Decimal text of the chance of a false claim.
        n_examples: Decimal text of the number of calibration examples.
        cost_name: What the cost counts.
        cost: Decimal text of the cost.
        dense_digest: Digest of the dense model that it was made from.
        ledger: ``counted`` if a ledger counts the attempts on its calibration rows, so that delta is the chance of a
            false claim over all of them; ``none`` if delta speaks of one attempt alone.
    """

    certificate_sha256: str
    claim: str
    tolerance: str
    delta: str
    n_examples: str
    cost_name: str
    cost: str
    dense_digest: str
    ledger: str = UNCOUNTED

    def tags(self) -> dict[str, str]:
        """The tags of a model version that say this."""
        return {
            "certificate_sha256": self.certificate_sha256,
            "claim": self.claim,
            tolerance_name(self.claim): self.tolerance,
            "delta": self.delta,
            "n": self.n_examples,
            "cost_name": self.cost_name,
            "cost": self.cost,
            "dense_digest": self.dense_digest,
            "ledger": self.ledger,
        }

    @classmethod
    def of(cls, tags: Mapping[str, str]) -> "Standing":
        """What the tags of a model version say; without the tag ``ledger``, no ledger counts its attempts.

        Raises:
            ValueError: A tag is missing, or is not the number that it should be; the message names it.
        """
        claim = tags.get("claim", "")
        names = (
            "certificate_sha256",
            "claim",
            tolerance_name(claim),
            "delta",
            "n",
            "cost_name",
            "cost",
            "dense_digest",
        )
        if missing := [name for name in names if not tags.get(name)]:
            raise ValueError(f"tags {', '.join(missing)} missing")
        for name, text in (("delta", tags["delta"]), ("cost", tags["cost"])):
            _number(name, text)
        tolerances = tags[tolerance_name(claim)].split("+")
        for text in tolerances:
            _number(tolerance_name(claim), text)
        if len(tolerances) != len(claim.split("+")):
            raise ValueError(f"tag {tolerance_name(claim)} has {len(tolerances)} numbers for the claims {claim}")
        said = {"ledger": UNCOUNTED, **tags}
        if said["ledger"] not in (COUNTED, UNCOUNTED):
            raise ValueError(f"tag ledger is {said['ledger']!r}, expected {COUNTED} or {UNCOUNTED}")
        return cls(*(said[name] for name in (*names, "ledger")))


def tolerance_name(claim: str) -> str:
    """What this kind of claim calls its tolerance.

    Example:
        >>> tolerance_name("accuracy_drop"), tolerance_name("risk")
        ('epsilon', 'alpha')
    """
    return _TOLERANCES.get(claim.partition("(")[0], "tolerance") if "+" not in claim else "tolerance"


def promotes(new: Standing, champion: Mapping[str, str] | None, promote: str) -> tuple[bool, str]:
    """Whether the new version takes the alias, and why.

    Args:
        new: What the newly certified version claims.
        champion: The tags of the version that stands behind the alias; None if there is none.
        promote: ``cheaper``: only for a strictly lower cost under a claim at least as strict about the same dense
            model, and never for a claim that no ledger counts against one that a ledger does; ``certified``: for every
            newly certified version; ``never``.

    Guarantee:
        Under ``cheaper``, nothing replaces a champion whose tags do not say what it claims.

    Example:
        >>> promotes(Standing("c", "risk", "0.05", "0.05", "100", "bytes", "12", "d"), None, "cheaper")
        (True, 'there was no champion')
    """
    if promote not in PROMOTE:
        raise ValueError(f"expected promote among {PROMOTE}, received {promote!r}")
    if promote == "never":
        return False, "promotion is switched off (promote: never)"
    if champion is None:
        return True, "there was no champion"
    if promote == "certified":
        return True, "every newly certified version is promoted (promote: certified)"
    try:
        old = Standing.of(champion)
    except ValueError as error:
        return False, f"the champion cannot be compared: {error}"
    return _cheaper(new, old)


def _cheaper(new: Standing, old: Standing) -> tuple[bool, str]:
    if new.dense_digest != old.dense_digest:
        return False, f"the champion was made from another dense model ({old.dense_digest[:12]})"
    if new.claim != old.claim:
        return False, f"the champion's claim is about {old.claim}, the new one's about {new.claim}"
    pairs = zip(new.tolerance.split("+"), old.tolerance.split("+"), strict=True)
    for name, ours, theirs in (*(("tolerance", *pair) for pair in pairs), ("delta", new.delta, old.delta)):
        if Decimal(ours) > Decimal(theirs):
            return False, f"the champion's claim is stricter: {name} {theirs} against {ours}"
    if old.ledger == COUNTED and new.ledger != COUNTED:
        return False, "a ledger counts the attempts behind the champion's claim, and none those behind the new one's"
    if new.cost_name != old.cost_name:
        return False, f"the champion's cost is in {old.cost_name}, the new one's in {new.cost_name}"
    change = f"{new.cost} {new.cost_name} against the champion's {old.cost}"
    if Decimal(new.cost) < Decimal(old.cost):
        return True, f"cheaper under a claim at least as strict: {change}"
    return False, f"not cheaper: {change}"


def _number(name: str, text: str) -> None:
    try:
        finite = Decimal(text).is_finite()
    except InvalidOperation:
        finite = False
    if not finite:
        raise ValueError(f"tag {name} is {text!r}, not a number")
