"""A bundle in markdown: what a reviewer reads beside the model version."""

from typing import Any

from sentei.certificate.record import Certificate
from sentei.certificate.sentence import sentence


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
            f"- smallest bound that the calibration rows prove for this variant taken alone: {record.upper_bound}",
            f"- test rows (no claim rests on them): {_share(report, 'n_errors')} right, "
            f"dense {_share(report, 'n_dense_errors')}, of {report['n_examples']}",
            f"- served file: `model/model.onnx`, SHA-256 `{record.variant.served_sha256}`",
            f"- procedure: {record.procedure.name}, order {record.procedure.order_rule} by {record.procedure.cost}, "
            f"test {(record.procedure.position or 0) + 1} of {len(record.procedure.tests)} made",
            "",
            "What this does not say:",
            "",
            *(f"- {line}" for line in record.does_not_say),
            "",
            "| variant | achieved sparsity | selection accuracy | bytes | verdict |",
            "|---|---:|---:|---:|---|",
            *(_row(row) for row in table),
            "",
        ]
    )


def _row(row: dict[str, str]) -> str:
    return f"| {row['name']} | {row['achieved_sparsity']} | {row['accuracy']} | {row['bytes']} | {row['verdict']} |"


def _share(report: dict[str, Any], name: str) -> str:
    return f"{100 * (1 - report[name] / report['n_examples']):.2f} %"


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
