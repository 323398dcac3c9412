"""One claim about variants whose counts are known: the whole decision by a fixed sequence."""

from sentei.risk.decision import Finding
from sentei.risk.family import Procedure, examine


def examined(order, counts_of, claim, costs):
    def findings_of(name):
        counts = counts_of(name)
        return (Finding({}, counts, claim.p_value(counts)),)

    return examine(order, findings_of, [claim], costs, Procedure())
