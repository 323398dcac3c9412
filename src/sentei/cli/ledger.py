"""``sentei ledger``: what was attempted on calibration rows, and what they still can prove."""

import json
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from sentei.steps.ledger import Chain, Entry


@click.group()
def ledger() -> None:
    """Look at a ledger of attempts on calibration rows."""


@ledger.command()
@click.argument("place")
@click.option("--json", "as_json", is_flag=True, help="Print all that the ledger holds as JSON.")
def show(place: str, as_json: bool) -> None:
    """Show the ledger at PLACE (a folder, or s3://bucket/prefix): every chain, its attempts, and the next price.

    Calibration sets that share a row share a chain, and a chain's attempts share its delta. Reads only.
    """
    from sentei.adapters.uris import open_ledger
    from sentei.errors import LedgerError

    opened = open_ledger(place)
    chains = opened.chains()
    if not chains:
        raise LedgerError(
            f"{opened.place}: expected a ledger, found none; check the place: the first run that names it makes it"
        )
    if as_json:
        click.echo(json.dumps({"place": opened.place, "chains": [_facts(chain) for chain in chains]}, indent=2))
    else:
        click.echo("\n".join([f"ledger {opened.place}", *(line for chain in chains for line in _lines(chain))]))


def _lines(chain: "Chain") -> list[str]:
    from sentei.risk.decimals import grouped
    from sentei.steps.ledger.quote import told

    rows = ", ".join(f"{grouped(one.n_rows)} row{'s' if one.n_rows > 1 else ''}" for one in chain.sets)
    head = f"chain {chain.rank} ({chain.name[:12]}): {len(chain.sets)} set{'s' if len(chain.sets) > 1 else ''} ({rows})"
    if chain.next is None:
        return [f"{head}, no attempt yet"]
    attempts = [f"  {told(entry)}" for entry in chain.entries]
    then = [f"        {line}" for line in chain.next.then()]
    return [head, *attempts, f"  next: {chain.next.now()}, if it is like the last one", *then]


def _facts(chain: "Chain") -> dict[str, Any]:
    from dataclasses import asdict

    quote = chain.next
    return {
        "name": chain.name,
        "rank": chain.rank,
        "sets": [asdict(one) for one in chain.sets],
        "attempts": [_attempt(entry) for entry in chain.entries],
        "next": quote
        and {
            "number": quote.number,
            "delta": quote.delta,
            "price": quote.price,
            "after_refusal": quote.after_refusal,
            "after_pass": quote.after_pass,
        },
    }


def _attempt(entry: "Entry") -> dict[str, Any]:
    answer = entry.answer
    return {
        **entry.attempt.to_dict(),
        "state": entry.state,
        "chosen": answer and answer.chosen,
        "outcome_digest": answer and answer.outcome_digest,
    }
