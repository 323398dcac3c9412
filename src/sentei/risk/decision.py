"""What was tested, what was certified, and which variant was chosen."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import ClassVar

from sentei.risk.decimals import parse_decimal
from sentei.risk.tally import Tally


@dataclass(frozen=True)
class Finding:
    """What the calibration split said of one variant about one claim.

    Attributes:
        settled: What the selection split had decided about the test: a method, a threshold.
        tally: What was counted.
        p_value: Decimal text, rounded up.
    """

    settled: Mapping[str, str]
    tally: Tally
    p_value: str

    def __post_init__(self) -> None:
        parse_decimal("p_value", self.p_value)


@dataclass(frozen=True)
class Test:
    """One variant's test on the calibration split.

    Attributes:
        name: The variant.
        findings: One per claim; the variant has to pass all of them.
        passed: Whether the procedure rejected the hypothesis that one of the claims is false.
    """

    __test__: ClassVar[bool] = False  # pytest takes every class of this name for a test case

    name: str
    findings: tuple[Finding, ...]
    passed: bool

    def __post_init__(self) -> None:
        if not self.findings:
            raise ValueError(f"test of {self.name!r}: expected a finding for every claim, received none")

    @property
    def p_value(self) -> str:
        """The largest p-value of all claims: that of the hypothesis that not all of them hold."""
        return max((finding.p_value for finding in self.findings), key=Decimal)


@dataclass(frozen=True)
class Decision:
    """What was tested, what was certified, and which variant was chosen.

    Attributes:
        order: Every variant that could have been tested, in the order fixed beforehand.
        tests: The tests that were made, in that order.
        certified: Names of the variants that passed, in the order.
        chosen: The certified variant of least cost, or None.
        reason: Why, in plain words with the numbers.
    """

    order: tuple[str, ...]
    tests: tuple[Test, ...]
    certified: tuple[str, ...]
    chosen: str | None
    reason: str
