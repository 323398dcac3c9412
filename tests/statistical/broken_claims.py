"""Claims and procedures that are deliberately broken, each in a way that looks natural.

A broken claim is the claim itself but for the way in which it counts, or goes from counts to a p-value.
"""

from dataclasses import replace
from fractions import Fraction

import numpy as np

from sentei.risk import Claim, Counts, binomial_p_value, clipped_drop_p_value, paired_drop_p_value
from sentei.risk.decimals import decimal_up
from sentei.risk.family import Procedure, examine
from sentei.risk.levels import asked
from sentei.risk.tally import MILLION, Accepted, Disagreements


def broken(kind, claim):
    return kind(**vars(claim))


class NetHarm(Claim):
    """Helped rows are taken off the harmed ones, and the difference is tested as if it were a count."""

    def p_value(self, seen, settled=None):
        return decimal_up(clipped_drop_p_value(max(0, seen.n_harmed - seen.n_helped), seen.n_examples, self.value))


class HalfIsRight(Claim):
    """A loss below one half counts as none, and the others are tested as errors."""

    def p_value(self, seen, settled=None):
        n_errors = int((seen.losses >= MILLION // 2).sum())
        return decimal_up(binomial_p_value(n_errors, len(seen.losses), self.value))


class LuckyOrder(Claim):
    """The rows are gone through in ten orders, and the best one is kept."""

    def p_value(self, seen, settled=None):
        found = [super(LuckyOrder, self).p_value(replace(seen, seed=seed), settled) for seed in range(10)]
        return min(found, key=float)


class SilenceAgrees(Claim):
    """Two networks that both name no class are said to agree."""

    def see(self, pair, settled=None):
        ours, theirs = pair.of("prediction")
        return Disagreements(len(ours), int((ours != theirs).sum()))


class SilenceIsLeftOut(Claim):
    """Rows on which a network names no class are not counted at all."""

    def see(self, pair, settled=None):
        ours, theirs = pair.of("prediction")
        named = (ours >= 0) & (theirs >= 0)
        return Disagreements(max(1, int(named.sum())), int((ours != theirs)[named].sum()))


class ThresholdByErrors(Claim):
    """The confidence above which rows are accepted is where the calibration rows show the fewest errors."""

    def see(self, pair, settled=None):
        wrong, confidence = pair.of_variant("loss"), pair.of_dense("confidence")
        taken = [confidence >= threshold for threshold in np.quantile(confidence, np.linspace(0, 0.8, 20))]
        found = [Accepted(len(wrong), int(rows.sum()), int(wrong[rows].sum())) for rows in taken]
        return min(found, key=lambda seen: float(self.p_value(seen)))


class PooledClasses(Claim):
    """The p-value of all rows together; classes are only named in the text."""

    def p_value(self, seen, settled=None):
        return decimal_up(_paired(pooled(seen), self.value))


class SmallClassesPass(Claim):
    """A class with few rows is not held to anything."""

    def p_value(self, seen, settled=None):
        parts = [part.counts for part in seen.classes if part.counts.n_examples >= seen.n_examples / 4]
        return decimal_up(max(_paired(counts, self.value) for counts in parts))


class UnperturbedRows(Claim):
    """The losses are those of the rows as they are."""

    def see(self, pair, settled=None):
        return Counts.of(*pair.of("loss"))


def pooled(per_class):
    """All classes as one."""
    counts = [part.counts for part in per_class.classes if part.counts]
    fields = ("n_examples", "n_errors", "n_dense_errors", "n_harmed", "n_helped")
    return Counts(*(sum(getattr(part, name) for part in counts) for name in fields))


def _paired(counts, epsilon):
    return paired_drop_p_value(counts.n_harmed, counts.n_helped, counts.n_examples, epsilon)


def any_claim_is_enough(order, findings_of, claims, cost_of, procedure):
    """The smallest of the claims' p-values decides."""

    def smallest(name):
        return (min(findings_of(name), key=lambda finding: float(finding.p_value)),)

    return examine(order, smallest, claims[:1], cost_of, procedure)


class WholeDeltaEach(Procedure):
    """Bonferroni without a division."""

    def run(self, ask, n, delta):
        return tuple(index for index in range(n) if asked(ask, index) <= delta)


class GoesOnBehindFailures(Procedure):
    """A fixed sequence that ends at its third failure."""

    def run(self, ask, n, delta):
        passed = [asked(ask, index) <= delta for index in range(n)]
        end = next((index for index in range(n) if passed[: index + 1].count(False) == 3), n)
        return tuple(index for index in range(end) if passed[index])


class StepsTheWrongWay(Procedure):
    """Holm with its levels in the wrong order: the smallest p-value at delta, the next at a half of it."""

    def run(self, ask, n, delta):
        values = [asked(ask, index) for index in range(n)]
        steps = sorted(range(n), key=values.__getitem__)
        return tuple(sorted(index for rank, index in enumerate(steps, start=1) if values[index] * rank <= delta))


class EveryStartAtDelta(Procedure):
    """Four starts, each of which has the whole delta."""

    def run(self, ask, n, delta):
        rejected = []
        for start in range(4):
            for index in range(start * n // 4, (start + 1) * n // 4):
                if asked(ask, index) > delta:
                    break
                rejected.append(index)
        return tuple(rejected)


class HandsOnWhatFailed(Procedure):
    """Fallback that hands on the level of a failure, too, and spends it again."""

    def run(self, ask, n, delta):
        level, rejected = Fraction(0), []
        for index in range(n):
            level += Fraction(delta) / n
            rejected += [index] * (asked(ask, index) <= level)
        return tuple(rejected)
