"""Hands on decisions: p-values, bounds, the order of tests, and the choice; numbers in, numbers out."""

from sentei.risk.binomial import binomial_p_value, binomial_upper_bound
from sentei.risk.claim import Claim
from sentei.risk.counts import Counts
from sentei.risk.order import pareto_order
from sentei.risk.paired import paired_drop_p_value, paired_drop_upper_bound
from sentei.risk.planning import binomial_rows_needed, paired_rows_needed
from sentei.risk.sequence import Decision, Test, fixed_sequence, run_fixed_sequence

__all__ = [
    "Claim",
    "Counts",
    "Decision",
    "Test",
    "binomial_p_value",
    "binomial_rows_needed",
    "binomial_upper_bound",
    "fixed_sequence",
    "paired_drop_p_value",
    "paired_drop_upper_bound",
    "paired_rows_needed",
    "pareto_order",
    "run_fixed_sequence",
]
