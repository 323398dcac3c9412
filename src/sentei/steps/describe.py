"""A bundle in markdown: what a reviewer reads beside the model version."""

from collections.abc import Mapping
from typing import Any

from sentei.certificate.record import Certificate
from sentei.certificate.sentence import sentence
from sentei.steps.quality import QUALITIES


def describe(record: Certificate, table: list[dict[str, str]], report: dict[str, Any]) -> str:
    """What was proven, what it rests on, what it does not say, and what it cost.

    Args:
        record: The certificate.
        table: The family, one row per variant.
        report: The test report.
    """
    return "\n".join(
        [
            f"# {record.variant.name}",
            "",
            f"**{_capital(sentence(record))}.**",
            "",
            *(
                f"- smallest bound that the calibration rows prove for this variant taken alone: {bound} ({claim.kind})"
                for claim, bound in zip(record.claims, record.upper_bounds, strict=True)
            ),
            f"- {report['n_examples']} test rows (no claim rests on them): {compared(report)}",
            f"- served file: `model/model.onnx`, SHA-256 `{record.variant.served_sha256}`",
            f"- procedure: {record.procedure.name}, order {record.procedure.order_rule} by {record.procedure.cost}, "
            f"test {(record.procedure.position or 0) + 1} of {len(record.procedure.tests)} made",
            "",
            "What this does not say:",
            "",
            *(f"- {line}" for line in record.does_not_say),
            "",
            f"| variant | achieved sparsity | {column(table)} on selection | bytes | verdict |",
            "|---|---:|---:|---:|---|",
            *(_row(row) for row in table),
            "",
        ]
    )


def _row(row: dict[str, str]) -> str:
    measured = next((row[name] for name in QUALITIES if row[name]), "")
    return f"| {row['name']} | {row['achieved_sparsity']} | {measured} | {row['bytes']} | {row['verdict']} |"


def column(table: list[dict[str, str]]) -> str:
    """Which number the family is compared by: ``accuracy``, ``dice`` or ``agreement``."""
    return next((name for name in QUALITIES if any(row[name] for row in table)), "accuracy")


def compared(report: Mapping[str, Any]) -> str:
    """What the test split says of both networks, in words.

    Example:
        >>> compared({"quality": "accuracy", "variant": "0.915", "dense": "0.92"})
        '91.50 % right, the dense model 92.00 %'
    """
    if report["quality"] == "dice":
        return f"mean Dice {float(report['variant']):.4f}, the dense model's {float(report['dense']):.4f}"
    variant, dense = (f"{100 * float(report[role]):.2f} %" for role in ("variant", "dense"))
    if report["quality"] == "agreement":
        return f"the variant names the dense model's class on {variant}"
    return f"{variant} right, the dense model {dense}"


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
