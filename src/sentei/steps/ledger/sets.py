"""Calibration sets that were used, and which of them share rows: those share their chains."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sentei.certificate.canonical import sha256_hex
from sentei.errors import LedgerError
from sentei.steps.ledger.paper import ADVICE, read, written
from sentei.steps.ledger.shelf import Shelf, numbered, unseen

SET = "sentei.ledger.set/1"
WIDTH = 32
_FIELDS = {"rows": str, "n_rows": int, "chains": list}

RowDigests = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class RowSet:
    """One set of calibration rows.

    Attributes:
        rows: SHA-256 of the digests of its rows, sorted, each once: the order of the rows plays no part.
        n_rows: How many different rows it has.
        chains: Names of the chains that it belongs to. A set that shares a row with none before it founds the chain
            that bears its name; one that shares rows with several sets belongs to the chains of all of them.
    """

    rows: str
    n_rows: int
    chains: tuple[str, ...]


def pack_rows(row_digests: RowDigests) -> bytes:
    """The digests of a set's rows, sorted, each once: 32 bytes a row.

    Args:
        row_digests: Shape (n, 32), n >= 1; one content digest per row.

    Raises:
        LedgerError: The array is not one of digests.
    """
    if row_digests.dtype != np.uint8 or row_digests.ndim != 2 or row_digests.shape[1] != WIDTH or not len(row_digests):
        raise LedgerError(
            f"expected the content digests of one or more rows, uint8 of shape (n, {WIDTH}), received "
            f"{row_digests.dtype} of shape {row_digests.shape}; pass what content_digests returns"
        )
    # As fixed-width texts the digests would lose their zeros at the end; as sequences of bytes they sort exactly.
    return b"".join(sorted({row.tobytes() for row in row_digests}))


class Sets:
    """All sets of a ledger, in the order in which they were registered; a set never changes."""

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf
        self.known: list[RowSet] = []
        self.reload()

    def reload(self) -> None:
        """Read what other processes have registered since.

        Raises:
            LedgerError: A record was removed or altered.
        """
        for data in numbered(self._shelf, "sets/", _key, len(self.known)):
            where = f"{self._shelf.place}: {_key(len(self.known) + 1)}"
            fields = read(data, where, SET, _FIELDS)
            one = RowSet(fields["rows"], fields["n_rows"], tuple(fields["chains"]))
            if not one.chains or not set(one.chains) <= {*self.chains(), one.rows}:
                raise LedgerError(f"{where}: expected chains that were founded before, received others; {ADVICE}")
            self.known.append(one)

    def find(self, packed: bytes) -> RowSet:
        """The set of these rows as it is registered, or as it would be registered now. Writes nothing."""
        rows = sha256_hex(packed)
        for one in self.known:
            if one.rows == rows:
                return one
        near = {name for one in self.known if _share(packed, self._rows(one)) for name in one.chains}
        chains = tuple(name for name in self.chains() if name in near)
        return RowSet(rows, len(packed) // WIDTH, chains or (rows,))

    def register(self, packed: bytes) -> RowSet:
        """The set of these rows, registered: from now on sets that share a row with it share its chains.

        Raises:
            LedgerError: A record was removed or altered, or the shelf does not show what it keeps.
        """
        while (found := self.find(packed)) not in self.known:
            n_known = len(self.known)
            # The rows come first, so that a registered set can always be compared with others.
            self._shelf.put_new(f"rows/{found.rows}", packed)
            fields = {"rows": found.rows, "n_rows": found.n_rows, "chains": list(found.chains)}
            self._shelf.put_new(_key(n_known + 1), written(SET, fields))
            self.reload()
            if len(self.known) == n_known:
                raise unseen(self._shelf, _key(n_known + 1))
        return found

    def holding(self, row_digests: RowDigests, n_sets: int | None = None) -> npt.NDArray[np.bool_]:
        """True for every row that one of the first ``n_sets`` sets holds, shape (n,); of all sets if None."""
        found = np.zeros(len(row_digests), np.bool_)
        for one in self.known[:n_sets]:
            found |= np.isin(starts(row_digests.tobytes()), starts(self._rows(one)), kind="sort")
        return found

    def chains(self) -> tuple[str, ...]:
        """Names of all chains in the order of their founding."""
        return tuple(one.rows for one in self.known if one.chains == (one.rows,))

    def ranks(self, chains: Sequence[str]) -> tuple[int, ...]:
        """Places of some chains in the order of founding, from 1; a chain that is not founded yet would be next."""
        founded = self.chains()
        return tuple(founded.index(name) + 1 if name in founded else len(founded) + 1 for name in chains)

    def of_chain(self, name: str) -> Iterable[RowSet]:
        """The sets that belong to a chain, in the order of their registration."""
        return (one for one in self.known if name in one.chains)

    def _rows(self, one: RowSet) -> bytes:
        packed = self._shelf.get(f"rows/{one.rows}")
        if packed is None or sha256_hex(packed) != one.rows:
            state = "is missing" if packed is None else "was altered"
            raise LedgerError(f"{self._shelf.place}: rows/{one.rows}: the record {state}; {ADVICE}")
        return packed


def _key(number: int) -> str:
    return f"sets/{number:06d}.json"


def starts(rows: bytes) -> npt.NDArray[np.uint64]:
    """The first 8 of each row's 32 bytes: rows that agree there by chance pass for one without need, which is safe."""
    return np.frombuffer(rows, "<u8")[:: WIDTH // 8]


def _share(packed: bytes, other: bytes) -> bool:
    return bool(np.isin(starts(packed), starts(other), kind="sort").any())
