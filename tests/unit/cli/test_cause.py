"""Of everything that a stopped pipeline printed, the part that a person can act on."""

import pytest

from sentei.cli.cause import cause
from sentei.errors import DataError, ModelError, ServiceError

SUMMARY = (
    "RuntimeError: Pipeline \x1b[95m'compress'\x1b[0m finished with status \x1b[91mFAILURE\x1b[0m. "
    "Inner task failed: \x1b[96m'train'\x1b[0m."
)
TASK = "11:36:12.913 - ERROR - Task \x1b[96m'train'\x1b[0m finished with status \x1b[91mFAILURE\x1b[0m"


@pytest.mark.parametrize(
    ("printed", "kind", "message"),
    [
        (
            f"            sentei.errors.DataError: rows.npz: not found\n{TASK}\n{SUMMARY}",
            DataError,
            "rows.npz: not found",
        ),
        ("sentei.errors.DataError: first\nsentei.errors.ModelError: last\n", ModelError, "last"),
        (f"    AttributeError: no attribute 'prune'\n{TASK}\n{SUMMARY}", ServiceError, "AttributeError: no attribute"),
        (f"begin train\n{TASK}\n{SUMMARY}", ServiceError, "task train ended without a message"),
        ("the last words\n\n", ServiceError, "the last words"),
        ("", ServiceError, "it printed nothing"),
    ],
    ids=["ours", "the last of ours", "another's", "killed", "no exception", "nothing"],
)
def test_the_cause_names_what_went_wrong_and_is_of_the_class_that_can_act(printed, kind, message):
    found = cause(printed)
    assert type(found) is kind
    assert message in str(found)
    assert "\x1b" not in str(found)
