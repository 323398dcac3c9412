"""What records are made of."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from sentei.certificate.schema import DecimalText, Digest
from sentei.risk.decision import Test
from sentei.risk.tally import Tally


@dataclass(frozen=True)
class Procedure:
    """How the variant was found.

    Attributes:
        name: How delta is shared: ``fixed-sequence``, ``bonferroni``, ``holm``, ``multi-start`` or ``fallback``.
        n_starts: Of a multi-start; 1 otherwise.
        order_rule: ``pareto`` (front of estimated drop and cost on the selection split, safest first) or ``listed``.
        cost: Name of the cost that orders and chooses.
        order: The variants in the order fixed before the calibration rows were read.
        order_digest: SHA-256 of that order's canonical JSON.
        position: Index of the certified variant in the order; None in a refusal.
        tests: The tests made, in order.
    """

    name: Literal["fixed-sequence", "bonferroni", "holm", "multi-start", "fallback"]
    n_starts: int
    order_rule: Literal["pareto", "listed"]
    cost: str
    order: tuple[str, ...]
    order_digest: Digest
    position: int | None
    tests: tuple[Test, ...]


@dataclass(frozen=True)
class Variant:
    """The smaller network: name, digest of its artifact, SHA-256 of the file that is served."""

    name: str
    digest: Digest
    served_sha256: Digest


@dataclass(frozen=True)
class Dense:
    """The dense model.

    Attributes:
        digest: Of its artifact.
        served_sha256: Of its file as served.
        brought_sha256: Of the weights' file, if they were brought instead of trained on the train split.
    """

    digest: Digest
    served_sha256: Digest
    brought_sha256: Digest | None = None


@dataclass(frozen=True)
class Split:
    """Number of rows, and SHA-256 over their content digests and labels in order."""

    n_examples: int
    digest: Digest


@dataclass(frozen=True)
class Data:
    """The splits by name, and the digest of the preprocessing."""

    splits: Mapping[str, Split]
    preprocessing_digest: Digest


@dataclass(frozen=True)
class Code:
    """Version of sentei, and SHA-256 of its sources."""

    version: str
    sources_digest: Digest


@dataclass(frozen=True)
class Runtime:
    """Where the losses were computed: package versions, CPU flags, number of threads."""

    packages: Mapping[str, str]
    cpu: tuple[str, ...]
    threads: int


@dataclass(frozen=True)
class Entry:
    """The ledger's entry of an attempt on these calibration rows.

    Attributes:
        status: ``reserved`` before the calibration rows were read; ``spent`` if the ledger refused, and they were not.
        place: Where the ledger stands, and under which name it keeps the attempt; empty when spent.
        attempt_digest: SHA-256 of what the attempt would test: networks, claims, procedure and order.
        delta: Decimal text: the chance of a false claim over all attempts of a chain together.
        price: Decimal text: the part of it that this attempt may use.
        number: Which attempt of its chains this one is, from 1.
        chains: Names of the chains of attempts that share a calibration row with this one.
        ranks: Their places in the order of founding, from 1; empty when spent.
        costly: How many branches of the tree of answers each costly earlier attempt stands for; empty when spent.
    """

    status: Literal["reserved", "spent"]
    place: str
    attempt_digest: Digest
    delta: DecimalText
    price: DecimalText
    number: int
    chains: tuple[Digest, ...]
    ranks: tuple[int, ...]
    costly: tuple[int, ...]


@dataclass(frozen=True)
class Outlook:
    """What the selection split said of a variant about one claim.

    Attributes:
        settled: The method, threshold and the like that it decided.
        tally: What was counted.
        estimate: Of the drop or risk.
        rows_needed: Calibration rows for a pass four times in five; None if no number of rows would do.
    """

    settled: Mapping[str, str]
    tally: Tally
    estimate: DecimalText
    rows_needed: int | None


@dataclass(frozen=True)
class Candidate:
    """A variant that was made, and its outlook under each claim."""

    name: str
    outlooks: tuple[Outlook, ...]
