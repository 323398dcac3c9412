"""How often a whole decision certifies something false, for every kind of claim and every procedure.

A simulation draws a selection split of 80 rows and a calibration split of 240, and decides as issuing does. The first
variant of the family is safe, the other three have a true risk of exactly the tolerance (see `worlds`). A false claim
is made if any of these three is certified; with delta = 0.1 that happens in at most one simulation of ten, so among
1000 there are more than ``LIMIT`` (the upper 1e-6 quantile of Bin(1000, 0.1), 148) less than once in a million such
tests. There are some hundred counts, so that a fresh seed would cry wolf once in ten thousand; the seeds are fixed, so
the tests repeat. What makes 20 % false claims is caught all but once in ten thousand; what is deliberately broken here
makes more.
"""

from functools import cache, lru_cache

import numpy as np
import pytest
import scipy.stats

from sentei.certificate import decide as deciding
from sentei.certificate.decide import Calibration, Rule, decide
from sentei.certificate.selection import Selection
from sentei.risk.claims import KINDS, paired_drop
from sentei.risk.family import NAMES, Procedure
from tests.statistical import broken_claims
from tests.statistical.broken_claims import broken
from tests.statistical.worlds import DELTA, N_CALIBRATION, N_SELECTION, SPECIAL, WORLDS, draw_family

N = 1000
LIMIT = int(scipy.stats.binom.isf(1e-6, N, float(DELTA)))
SEED = 17
EVERY = WORLDS | SPECIAL
SAFE_THEN_FALSE = ((False,), (True,), (True,), (True,))
FALSE_THROUGHOUT = ((True,),) * 4
EIGHT_FALSE = ((True,),) * 8


@pytest.fixture(autouse=True, scope="module")
def _remembered():
    """The paired test is a function of five numbers, and asked for the same ones again and again."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(paired_drop, "paired_drop_p_value", cache(paired_drop.paired_drop_p_value))
        yield


@lru_cache(maxsize=2)
def simulations(names, limits, shared):
    rng = np.random.default_rng(SEED)
    worlds = [EVERY[name] for name in names]
    sizes = (N_SELECTION, N_CALIBRATION)
    return [tuple(draw_family(worlds, limits, rng, n, shared) for n in sizes) for _ in range(N)]


def certified(names, limits, rule, shared=0.0, claims=None):
    """What is certified in each simulation."""
    claims = claims or tuple(EVERY[name].claim for name in names)
    costs = {f"v{index}": {"macs": str(100 - index)} for index in range(len(limits))}
    for seed, ((dense_before, before), (dense, after)) in enumerate(simulations(names, limits, shared)):
        selection = Selection(tuple(costs), before, dense_before, costs)
        yield set(decide(claims, rule, selection, Calibration(after.__getitem__, dense, seed)).certified)


def n_false(names, limits, rule, **others):
    """Simulations in which a variant is certified that is at the limit of a claim."""
    false = {f"v{index}" for index, at_limit in enumerate(limits) if any(at_limit)}
    return sum(bool(found & false) for found in certified(names, limits, rule, **others))


def listed(procedure):
    return Rule("listed", "macs", procedure)


def named(name):
    return Procedure(name, n_starts=2 if name == "multi-start" else 1)


def test_the_odds_are_those_that_are_stated():
    assert LIMIT == 148
    assert scipy.stats.binom.cdf(LIMIT, N, 0.2) < 1e-4


def test_there_is_a_world_of_every_kind():
    assert {world.claim.kind for world in WORLDS.values()} == set(KINDS)


@pytest.mark.parametrize("procedure", NAMES)
@pytest.mark.parametrize("name", WORLDS)
def test_false_claims_are_as_rare_as_promised(name, procedure):
    assert n_false((name,), SAFE_THEN_FALSE, listed(named(procedure))) <= LIMIT


@pytest.mark.parametrize("procedure", NAMES)
@pytest.mark.parametrize("name", ["drop-auto", "risk-betting", "disagreement", "worst-class-paired"])
def test_variants_that_fail_together_change_nothing(name, procedure):
    assert n_false((name,), SAFE_THEN_FALSE, listed(named(procedure)), shared=0.8) <= LIMIT


@pytest.mark.parametrize("name", WORLDS)
def test_an_order_from_the_selection_split_changes_nothing(name):
    assert n_false((name,), FALSE_THROUGHOUT, Rule("pareto", "macs", Procedure())) <= LIMIT


@pytest.mark.parametrize("name", WORLDS)
def test_safe_variants_are_found(name):
    """Refusing always would make no false claim either."""
    rule = listed(Procedure("bonferroni"))
    assert sum("v0" in found for found in certified((name,), SAFE_THEN_FALSE, rule)) > 0.97 * N


@pytest.mark.parametrize("procedure", NAMES)
def test_a_threshold_that_comes_from_the_selection_split_changes_nothing(procedure):
    """Whether the claim is false follows from the threshold, which differs from simulation to simulation."""
    rule, n_wrong, n_limit = listed(named(procedure)), 0, 0
    drawn = simulations(("steady",), FALSE_THROUGHOUT, 0.0)
    for ((before, _), _), found in zip(drawn, certified(("steady",), FALSE_THROUGHOUT, rule), strict=True):
        threshold = np.sort(before["confidence"])[::-1][N_SELECTION // 2 - 1]
        is_false = 0.2 * (1 - threshold / 1_000_000) >= 0.1
        n_limit, n_wrong = n_limit + is_false, n_wrong + bool(is_false and found)
    assert 0.3 * N < n_limit < 0.7 * N
    assert n_wrong <= scipy.stats.binom.isf(1e-6, n_limit, float(DELTA))


def test_a_class_that_rows_show_is_never_passed_over():
    """One class has a row in four hundred: it is spoken of where there is a row of it, and then nothing passes."""
    drawn = simulations(("rare-class",), FALSE_THROUGHOUT, 0.0)
    passed = [bool(found) for found in certified(("rare-class",), FALSE_THROUGHOUT, listed(Procedure()))]
    shown = [3 in before["label"] or 3 in dense["label"] for (before, _), (dense, _) in drawn]
    assert 0.4 * N < sum(shown) < 0.7 * N
    assert not any(np.array(passed) & shown)
    assert "every class that" in SPECIAL["rare-class"].claim.describe_limit()


TOGETHER = [
    ("drop-auto", "disagreement"),
    ("disagreement", "robust-drop"),
    ("worst-class-paired", "loss-drop"),
    ("risk", "risk-betting"),
    ("selective-risk", "risk-betting", "disagreement"),
]


def one_false(n_claims, which):
    """A family of which every variant but the first is at the limit of one claim, and safe for all others."""
    return ((False,) * n_claims, *(tuple(index == which for index in range(n_claims)),) * 3)


@pytest.mark.parametrize("which", [0, -1])
@pytest.mark.parametrize("names", TOGETHER, ids="+".join)
def test_of_several_claims_one_that_is_false_is_enough(names, which):
    limits = one_false(len(names), which % len(names))
    assert n_false(names, limits, listed(Procedure())) <= LIMIT


@pytest.mark.parametrize("procedure", NAMES)
def test_several_claims_at_the_limit_at_once_are_as_safe_under_every_procedure(procedure):
    names = ("drop-clipped", "disagreement")
    both = ((False, False), (True, True), (True, False), (False, True))
    assert n_false(names, both, listed(named(procedure))) <= LIMIT
    assert n_false(names, both, Rule("pareto", "macs", named(procedure))) <= LIMIT


def test_the_smallest_of_several_p_values_is_caught(monkeypatch):
    monkeypatch.setattr(deciding, "examine", broken_claims.any_claim_is_enough)
    for which in (0, 1):
        assert n_false(("drop-auto", "disagreement"), one_false(2, which), listed(Procedure())) > 5 * LIMIT


@pytest.mark.parametrize(
    ("mutant", "name"),
    [
        (broken_claims.NetHarm, "drop-paired"),
        (broken_claims.HalfIsRight, "risk-betting"),
        (broken_claims.HalfIsRight, "risk-auto"),
        (broken_claims.LuckyOrder, "risk-betting"),
        (broken_claims.LuckyOrder, "loss-drop"),
        (broken_claims.SilenceAgrees, "disagreement"),
        (broken_claims.SilenceIsLeftOut, "disagreement"),
        (broken_claims.ThresholdByErrors, "selective-risk"),
        (broken_claims.PooledClasses, "worst-class-paired"),
        (broken_claims.SmallClassesPass, "worst-class-paired"),
        (broken_claims.UnperturbedRows, "robust-drop"),
    ],
)
def test_broken_claims_are_caught(mutant, name):
    claims = (broken(mutant, WORLDS[name].claim),)
    assert n_false((name,), SAFE_THEN_FALSE, listed(Procedure()), claims=claims) > LIMIT


@pytest.mark.parametrize("procedure", NAMES)
def test_no_procedure_minds_eight_variants_at_the_limit(procedure):
    assert n_false(("drop-clipped",), EIGHT_FALSE, listed(named(procedure))) <= LIMIT


@pytest.mark.parametrize(
    "mutant",
    [
        broken_claims.WholeDeltaEach(),
        broken_claims.GoesOnBehindFailures(),
        broken_claims.StepsTheWrongWay(),
        broken_claims.EveryStartAtDelta(),
        broken_claims.HandsOnWhatFailed(),
    ],
    ids=lambda mutant: type(mutant).__name__,
)
def test_broken_procedures_are_caught(mutant):
    assert n_false(("drop-clipped",), EIGHT_FALSE, listed(mutant)) > LIMIT
