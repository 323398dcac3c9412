"""What one more attempt would cost, told before it is paid; and what is said instead when it can prove nothing."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from sentei.risk.decimals import grouped, short_down
from sentei.risk.ledger import LAST_ATTEMPT, attempt_price
from sentei.steps.ledger.attempts import Answer, Attempt
from sentei.steps.ledger.history import Entry
from sentei.steps.ledger.request import UNKNOWN, next_price

Provable = Callable[[str], bool]
RowsNeeded = Callable[[str], int | None]


@dataclass(frozen=True)
class Quote:
    """The price of one more attempt on some rows; nothing is reserved by it.

    Attributes:
        number: The number that the attempt would have.
        chains: Names of the chains that the rows belong to; one that is not in the ledger yet would be founded.
        delta: Chance of a false claim that the chain has as a whole.
        price: The level at which the attempt may test; None when the chain has had its last attempt.
        n_rows: How many different rows the set has.
        before: What was attempted on the chains so far.
        after_refusal: The price of the attempt after this one, if this one is refused; None if there is none.
        after_pass: The same, if this one certifies a variant.
    """

    number: int
    chains: tuple[str, ...]
    delta: str
    price: str | None
    n_rows: int
    before: tuple[Entry, ...]
    after_refusal: str | None
    after_pass: str | None

    def lines(self) -> tuple[str, ...]:
        """The quote in words: the price, every attempt so far, and what this one would make of the next price."""
        return (self.now(), *map(told, self.before), *self.then())

    def now(self) -> str:
        """The price in words."""
        if self.price is None:
            return f"these rows have served {LAST_ATTEMPT} attempts, and serve no more"
        share = f"attempt {self.number} on these rows tests at {short_down(self.price)} of delta {self.delta}"
        if self.before:
            return share
        return f"{share}: this ledger holds no attempt on any of these {grouped(self.n_rows)} rows"

    def then(self) -> tuple[str, ...]:
        """The price of the attempt after this one in words, and how much of it a certificate takes."""
        if self.after_refusal is None or self.after_pass is None:
            return ()
        factor = round(Decimal(self.after_refusal) / Decimal(self.after_pass))
        return (
            f"the one after it would test at {short_down(self.after_refusal)} after a refusal, and at "
            f"{short_down(self.after_pass)} after a certificate, which costs all that follow a factor of {factor}",
        )


@dataclass(frozen=True)
class Spent:
    """Why nothing was reserved: at its price, not even a variant without a flaw could be certified.

    Attributes:
        reason: In words, with the price, and how many fresh rows are needed.
        quote: What the attempt would have cost.
        fresh_rows: The fewest rows that suffice when no attempt has used any of them; None if no number does.
    """

    reason: str
    quote: Quote
    fresh_rows: int | None


def told(entry: Entry) -> str:
    """What is known of one attempt, in words.

    Example:
        >>> from sentei.steps.ledger.attempts import Attempt
        >>> first = Attempt("attempts/000001", 1, (), (1,), "0.05", "0.0303963",
        ...                 (), (), (), "", "", "", 9, 14, "2026-01-31")
        >>> told(Entry(first, Answer("certified", "v3", "")))
        'attempt 1, 2026-01-31: 14 ways to pass at 0.0303: certified v3'
    """
    attempt, answer = entry.attempt, entry.answer
    said = "no answer yet" if answer is None else f"{answer.verdict} {answer.chosen or ''}".rstrip()
    ways = f"{grouped(attempt.n_passes)} way{'s' if attempt.n_passes > 1 else ''} to pass"
    when = f"{attempt.reserved_at}: {ways} at {short_down(attempt.price)}"
    return f"attempt {attempt.number}, {when}: {said}"


def quote_of(attempt: Attempt, before: Sequence[Entry]) -> Quote:
    """The quote for an attempt that could be reserved now, behind these."""
    answers = Answer("refused", None, UNKNOWN), Answer("certified", "", UNKNOWN)
    ways = [(*before, Entry(attempt, answer)) for answer in answers]
    refusal, certificate = (next_price(way, attempt.delta, attempt.ranks) for way in ways)
    price = next_price(before, attempt.delta, attempt.ranks)
    return Quote(
        attempt.number, attempt.chains, attempt.delta, price, attempt.n_rows, tuple(before), refusal, certificate
    )


def spent(quote: Quote, provable: Provable | None, rows_needed: RowsNeeded | None) -> Spent | None:
    """Why an attempt at this price is not worth a row; None if it is."""
    if quote.price is not None and (provable is None or provable(quote.price)):
        return None
    fresh = rows_needed(attempt_price(quote.delta, 0, ())) if rows_needed else None
    reason = f"{quote.now()}; " if quote.before else ""
    if quote.price is not None:
        rows = grouped(quote.n_rows)
        reason += f"at the level {short_down(quote.price)} even a variant without a flaw cannot pass on {rows} rows; "
    return Spent(reason + _instead(quote, fresh), quote, fresh)


def _instead(quote: Quote, fresh: int | None) -> str:
    if fresh is None:
        return "take fresh rows, which no attempt has used"
    rows = f"{grouped(fresh)} {'fresh rows' if quote.before else 'rows'}"
    return f"it takes at least {rows}{', which no attempt has used' if quote.before else ''}"
