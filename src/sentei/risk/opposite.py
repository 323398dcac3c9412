"""Whether rows prove the opposite of a claim: the other side of the test that certifies."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from sentei.risk.claim import Claim
from sentei.risk.tally import Seen


@dataclass(frozen=True)
class Opposite:
    """What rows say against claims that were made together.

    Attributes:
        p_values: For each claim, the p-value of the hypothesis that it is true; decimal texts, rounded up.
        proven: Whether one of the claims is refuted at their delta.
    """

    p_values: tuple[str, ...]
    proven: bool


def opposite(claims: Sequence[Claim], seen: Sequence[Seen], settled: Sequence[Mapping[str, str]]) -> Opposite:
    """Whether one of these claims is refuted.

    Args:
        claims: One or more, all at one delta.
        seen: What was counted for each.
        settled: What the selection split had decided for each.

    Raises:
        ValueError: The claims have different deltas, or a list is shorter than the others.

    Guarantee:
        If the rows are independent and all of the claims are true, one of them is refuted with probability delta at
        most: the hypothesis is that all hold, and the smallest of k p-values times k is valid for it (Bonferroni).
        The level is not shared with the test that certifies. In every world either all claims hold, and then only a
        refutation is wrong, or one of them does not, and then only a certificate is: each is wrong with probability
        delta at most, and never both can be.
    """
    [delta] = {claim.delta for claim in claims}
    p_values = tuple(
        claim.counter_p_value(*one) for claim, one in zip(claims, zip(seen, settled, strict=True), strict=True)
    )
    least = min(Decimal(text) for text in p_values)
    return Opposite(p_values, len(claims) * least <= Decimal(delta))
