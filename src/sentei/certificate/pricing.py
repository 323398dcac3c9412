"""Whether a record tests at the level that the ledger's entry allows."""

from collections.abc import Iterator

from sentei.certificate.record import Certificate, Entry, Refusal
from sentei.risk.ledger import attempt_price


def mispriced(record: Certificate | Refusal) -> tuple[str, ...]:
    """Where the record's levels are not those of its ledger entry, in words; empty when they are, or without a ledger.

    The history before the attempt is taken as the entry states it: the ledger itself holds it.
    """
    entry = record.ledger
    if entry is None:
        return ()
    found = list(_wrong_price(entry)) if entry.status == "reserved" else []
    level = entry.price if entry.status == "reserved" else entry.delta
    found += [
        f"claims[{index}].delta: the ledger allows {level!r}, the record says {claim.delta!r}"
        for index, claim in enumerate(record.claims)
        if claim.delta != level
    ]
    if entry.status == "spent" and record.procedure.tests:
        found.append("ledger.status: the ledger refused this attempt, and yet there are tests")
    return tuple(found)


def _wrong_price(entry: Entry) -> Iterator[str]:
    try:
        price = attempt_price(entry.delta, entry.number - 1, entry.costly, entry.ranks)
    except ValueError as error:
        yield f"ledger: the entry has no price: {error}"
        return
    if price != entry.price or len(entry.ranks) != len(entry.chains):
        yield f"ledger.price: this history gives {price!r}, the record says {entry.price!r}"
