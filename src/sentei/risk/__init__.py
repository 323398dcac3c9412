"""Hands on decisions: p-values, bounds, the order of tests, and the choice; numbers in, numbers out."""

from sentei.risk.bentkus import hoeffding_bentkus_p_value, hoeffding_bentkus_upper_bound
from sentei.risk.betting import betting_excess_p_value, betting_p_value, betting_upper_bound
from sentei.risk.binomial import binomial_excess_p_value, binomial_p_value, binomial_upper_bound
from sentei.risk.bootstrap import betting_power, hoeffding_bentkus_power
from sentei.risk.claim import Claim
from sentei.risk.clipped import clipped_drop_p_value, clipped_drop_upper_bound
from sentei.risk.counts import Counts
from sentei.risk.decision import Decision, Finding, Test
from sentei.risk.eprocess import EProcess
from sentei.risk.fallback import fallback, run_fallback
from sentei.risk.order import pareto_order
from sentei.risk.paired import paired_drop_p_value, paired_drop_upper_bound, paired_excess_p_value
from sentei.risk.planning import binomial_rows_needed, paired_rows_needed
from sentei.risk.power import binomial_power, clipped_power
from sentei.risk.procedures import bonferroni, holm, multi_start, run_bonferroni, run_holm, run_multi_start
from sentei.risk.sequence import fixed_sequence, run_fixed_sequence

__all__ = [
    "Claim",
    "Counts",
    "Decision",
    "EProcess",
    "Finding",
    "Test",
    "betting_excess_p_value",
    "betting_p_value",
    "betting_power",
    "betting_upper_bound",
    "binomial_excess_p_value",
    "binomial_p_value",
    "binomial_power",
    "binomial_rows_needed",
    "binomial_upper_bound",
    "bonferroni",
    "clipped_drop_p_value",
    "clipped_drop_upper_bound",
    "clipped_power",
    "fallback",
    "fixed_sequence",
    "hoeffding_bentkus_p_value",
    "hoeffding_bentkus_power",
    "hoeffding_bentkus_upper_bound",
    "holm",
    "multi_start",
    "paired_drop_p_value",
    "paired_drop_upper_bound",
    "paired_excess_p_value",
    "paired_rows_needed",
    "pareto_order",
    "run_bonferroni",
    "run_fallback",
    "run_fixed_sequence",
    "run_holm",
    "run_multi_start",
]
