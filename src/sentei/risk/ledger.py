"""What one more attempt on used calibration rows may cost: its share of delta, and what the answers before it told.

Whoever chooses the next family knows the answers so far, so the families form a tree: one branch for each history of
answers. Every node of it runs at a price of its own, fixed by its history alone, and all prices of the tree together
are at most delta. Then a union bound over the nodes holds whatever the strategy by which families are chosen.

One predecessor is cheap if it was refused before the next attempt was reserved: that is the one answer which the tree
counts once. Every other answer is costly, and ``answer_cost`` is the number of branches that it stands for: which of n
variants won, or silence. An attempt that is still silent when another one is reserved may leak by that very fact.
"""

from collections.abc import Sequence
from fractions import Fraction
from math import comb, prod
from typing import Literal

from sentei.risk.arguments import check_count, check_probability
from sentei.risk.decimals import fraction_down, parse_decimal

State = Literal["refused", "certified", "silent"]
LAST_ATTEMPT = 1000

# Above pi squared, so that a share is never larger than the one it stands for.
_PI_SQUARED = Fraction("9.869604401089358618834490999876151136")


def attempt_share(number: int) -> Fraction:
    """Which part of delta the attempt with this number has, whatever was answered before it.

    Args:
        number: 1 for the first attempt; at most 1000, so that the rest of the series can pay for joined chains.

    Returns:
        6 / (pi^2 number^2), rounded down; all shares of a chain sum to less than 1.

    Raises:
        ValueError: The number lies outside its range.

    Source:
        Euler: the reciprocals of the squares sum to pi^2 / 6.

    Example:
        >>> [round(float(attempt_share(number)), 4) for number in (1, 2, 3)]
        [0.6079, 0.152, 0.0675]
    """
    return 6 / (_PI_SQUARED * check_count("number", number, 1, LAST_ATTEMPT) ** 2)


def answer_cost(state: State, n_passes: int, n_waits: int) -> int | None:
    """How many branches of the tree of answers one predecessor stands for; None if it is cheap.

    Args:
        state: What the ledger says of it when the next attempt is reserved.
        n_passes: How many answers with a pass in it the attempt could give, at least 1.
        n_waits: How many reservations found it silent, the present one among them.

    Returns:
        For n variants and w waits: None when refused and w = 0; n + 1 when certified and w = 0 (a winner, or silence);
        (n + 1) w while silent; (n + 1)^2 w (w + 1) when answered after w > 0 waits (n winners, or refused).

    Raises:
        ValueError: A count lies outside its range, or a silent attempt was not waited for.

    Guarantee:
        For every number of reservations that have looked at it, the reciprocals of the costs of all its costly
        answers sum to 1: n / (n + 1) for a winner at once, and for one that was silent 1 / (w (w + 1)) for each
        possible end of the wait and 1 / w for none so far, which again sum to 1.

    Example:
        >>> answer_cost("refused", 14, 0), answer_cost("certified", 14, 0), answer_cost("silent", 14, 2)
        (None, 15, 30)
    """
    branches = check_count("n_passes", n_passes, 1) + 1
    waits = check_count("n_waits", n_waits, 1 if state == "silent" else 0)
    if state == "silent":
        return branches * waits
    if waits:
        return branches**2 * waits * (waits + 1)
    return None if state == "refused" else branches


def history_weight(n_before: int, costly: Sequence[int]) -> Fraction:
    """Which part of its share an attempt keeps after this history of answers.

    Args:
        n_before: Attempts before it.
        costly: The cost of each costly answer among them, at most ``n_before``; each at least 1.

    Returns:
        With j - 1 attempts before, m of them costly: 2^-(m+1) / (1 - 2^-j) / (C(j-1, m) prod(costly)).

    Raises:
        ValueError: A count lies outside its range, or there are more costly answers than attempts.

    Guarantee:
        The weights of all histories of one length sum to exactly 1, though every family may depend on the answers
        before it: for fixed places of the costly answers their reciprocal costs sum to 1, one answer after the other;
        there are C(j-1, m) such places, and 2^-1 + ... + 2^-j = 1 - 2^-j.

    Example:
        >>> history_weight(0, ()), history_weight(1, ()), history_weight(1, (15,))
        (Fraction(1, 1), Fraction(2, 3), Fraction(1, 45))
    """
    check_count("n_before", n_before, 0, LAST_ATTEMPT)
    m = check_count("the number of costly answers", len(costly), 0, n_before)
    spread = comb(n_before, m) * prod(check_count("a cost", cost, 1) for cost in costly)
    level = Fraction(1, 2 ** (m + 1)) / (1 - Fraction(1, 2 ** (n_before + 1)))
    return level / spread


def joining_share(ranks: Sequence[int]) -> Fraction:
    """Which part of its price an attempt keeps whose rows belong to several chains.

    Whether rows of two chains are put together can itself be chosen by what both have answered. What the first 1000
    attempts of a chain leave of its delta pays for that.

    Args:
        ranks: The chains' places in the order of their founding, each at least 1, all different.

    Returns:
        1 for one chain. For more, R prod 1 / (2 r (r + 1)) over all ranks r but the smallest, with R = 6 / (1001 pi^2).

    Raises:
        ValueError: There is no chain, or one twice.

    Guarantee:
        Over all sets of two or more chains that hold a given chain, the shares sum to less than R, and R is less than
        what the shares of attempts 1 to 1000 leave of 1. So all attempts that touch one chain cost at most its delta.

    Example:
        >>> joining_share([7]), round(1 / joining_share([1, 2]))
        (Fraction(1, 1), 19759)
    """
    first, *others = sorted(check_count("a rank", rank, 1) for rank in ranks) or [0]
    if not first or len({first, *others}) != len(ranks):
        raise ValueError(f"ranks must be one or more different chains, received {list(ranks)}")
    if not others:
        return Fraction(1)
    rest = 6 / (_PI_SQUARED * (LAST_ATTEMPT + 1))
    return rest / prod(2 * rank * (rank + 1) for rank in others)


def attempt_price(delta: str, n_before: int, costly: Sequence[int], ranks: Sequence[int] = (1,)) -> str:
    """The level at which one more attempt may test, as a decimal text.

    Args:
        delta: Chance of a false claim that the chain has as a whole; a decimal text between 0 and 1.
        n_before: Attempts before it, on any set of its chains; at most 999.
        costly: The cost of each costly answer among them.
        ranks: The chains that its rows belong to; see ``joining_share``.

    Returns:
        delta * share * weight, rounded down to six significant digits.

    Raises:
        ValueError: An argument lies outside its range.

    Guarantee:
        If each attempt tests at its price with a procedure that makes a false claim with at most that probability,
        then the attempts of a chain together make one with probability delta at most, whatever the strategy by which
        families are chosen from the answers.

    Source:
        The union bound over a tree of answers is that of Blum and Hardt, The Ladder, arXiv:1502.04585.

    Example:
        >>> attempt_price("0.05", 0, ()), attempt_price("0.05", 1, ()), attempt_price("0.05", 1, (15,))
        ('0.0303963', '0.00506605', '0.000168868')
    """
    check_probability("delta", float(parse_decimal("delta", delta)))
    share = attempt_share(n_before + 1) * history_weight(n_before, costly) * joining_share(ranks)
    return fraction_down(Fraction(delta) * share)
