"""Records of the first format, ``sentei.certificate/1``: one claim, fixed-sequence testing, no ledger.

They are read as strictly as on the day they were written, and handed on in today's form.
"""

from collections.abc import Mapping
from typing import Any, Final

from sentei.errors import CertificateError

FORMAT: Final = "sentei.certificate/1"

_CLAIM = {"kind", "tolerance", "delta", "gamma"}
_PROCEDURE = {"name", "order_rule", "cost", "order", "order_digest", "position", "tests"}
_SHARED = {
    "format", "verdict", "claim", "procedure", "dense", "family_digest", "data", "code", "runtime", "issued_at"
}  # fmt: skip
_FIELDS = {
    "certified": _SHARED | {"counts", "p_value", "upper_bound", "variant", "does_not_say"},
    "refused": _SHARED | {"reason", "candidates"},
}
_METHODS = {"accuracy_drop": "paired", "risk": "binomial"}
_DID_NOT_SAY = [
    "Nothing about any distribution other than the one that the calibration rows were drawn from.",
    "Nothing about inputs that were chosen by an adversary.",
    "Nothing about single predictions, or about subgroups of the rows.",
    "Nothing about a runtime other than the one recorded here.",
    "Nothing about the joint chance of a false claim over several runs that re-used these calibration rows, unless a "
    "ledger counts those runs.",
    "Nothing if the dense model brought weights that had been fitted to these calibration rows: that they had not is "
    "the recipe's word.",
]


def upgraded(value: Mapping[str, Any], where: str) -> dict[str, Any]:
    """The JSON values of a record of the first format, as today's format holds them.

    Args:
        value: The record without its digest, which has been checked.
        where: What messages call it.

    Raises:
        CertificateError: A field is unknown or missing, or repeats another one wrongly.
    """
    verdict = value.get("verdict")
    if not isinstance(verdict, str) or verdict not in _FIELDS:
        raise CertificateError(f"{where}.verdict: expected one of {sorted(_FIELDS)}, received {verdict!r}")
    _exactly(_FIELDS[verdict], value, where)
    _exactly(_CLAIM, value["claim"], f"{where}.claim")
    _exactly(_PROCEDURE, value["procedure"], f"{where}.procedure")
    method = _METHODS.get(str(value["claim"]["kind"]))
    if method is None:
        raise CertificateError(f"{where}.claim.kind: expected one of {sorted(_METHODS)}; do not trust this text")
    gamma = value["claim"]["gamma"]
    if gamma == "" or (method == "binomial" and gamma != "0"):  # today's claim would put its own in place of these
        raise CertificateError(f"{where}.claim.gamma: this format never held {gamma!r} here; do not trust this text")
    kept = {name: value[name] for name in _SHARED - {"format", "claim", "procedure"}}
    return {
        **kept,
        "format": "sentei.certificate/2",
        "claims": [{**value["claim"], "settings": _settings(value["claim"]["kind"], method)}],
        "procedure": _procedure(value["procedure"], method, where),
        "ledger": None,
        **(_certificate if verdict == "certified" else _refusal)(value, method, where),
    }


def _settings(kind: str, method: str) -> dict[str, str]:
    return {"method": method, "loss": "zero_one"} if kind == "risk" else {"method": method}


def _certificate(value: Mapping[str, Any], method: str, where: str) -> dict[str, Any]:
    from sentei.certificate.record import DOES_NOT_SAY, WITHOUT_LEDGER  # record reads this format through this module

    tests = _procedure(value["procedure"], method, where)["tests"]
    finding = {"settled": {"method": method}, "tally": value["counts"], "p_value": value["p_value"]}
    name = value["variant"].get("name") if isinstance(value["variant"], dict) else None
    if {"name": name, "findings": [finding], "passed": True} not in tests:
        raise CertificateError(f"{where}.counts: not those of the certified variant's test; do not trust this text")
    if value["does_not_say"] != _DID_NOT_SAY:
        raise CertificateError(f"{where}.does_not_say: not what this format says; do not trust this text")
    return {
        "upper_bounds": [value["upper_bound"]],
        "variant": value["variant"],
        "does_not_say": [*DOES_NOT_SAY, WITHOUT_LEDGER],
    }


def _refusal(value: Mapping[str, Any], method: str, where: str) -> dict[str, Any]:
    candidates = []
    for index, one in enumerate(_list(value["candidates"], f"{where}.candidates")):
        _exactly({"name", "counts", "estimate", "rows_needed"}, one, f"{where}.candidates[{index}]")
        outlook = {"settled": {"method": method}, "tally": one["counts"], "estimate": one["estimate"]}
        candidates.append({"name": one["name"], "outlooks": [{**outlook, "rows_needed": one["rows_needed"]}]})
    return {"reason": value["reason"], "candidates": candidates}


def _procedure(value: Mapping[str, Any], method: str, where: str) -> dict[str, Any]:
    if value["name"] != "fixed-sequence":
        raise CertificateError(f"{where}.procedure.name: expected 'fixed-sequence', received {value['name']!r}")
    tests = []
    for index, test in enumerate(_list(value["tests"], f"{where}.procedure.tests")):
        _exactly({"name", "counts", "p_value", "passed"}, test, f"{where}.procedure.tests[{index}]")
        finding = {"settled": {"method": method}, "tally": test["counts"], "p_value": test["p_value"]}
        tests.append({"name": test["name"], "findings": [finding], "passed": test["passed"]})
    return {**value, "n_starts": 1, "tests": tests}


def _list(value: Any, where: str) -> list[Any]:
    if not isinstance(value, list):
        raise CertificateError(f"{where}: expected a list, received {value!r}; do not trust this text")
    return value


def _exactly(names: set[str], value: Any, where: str) -> None:
    if not isinstance(value, dict):
        raise CertificateError(f"{where}: expected an object, received {value!r}; do not trust this text")
    for name in sorted(set(value) ^ names):
        state = "the field is missing" if name in names else "unknown field"
        raise CertificateError(f"{where}.{name}: {state}; do not trust this text")
