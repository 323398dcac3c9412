"""A pipeline has ended well only if what it hands on is there."""

import pytest

from sentei.adapters.kubeflow.runner import _require_written
from sentei.errors import ServiceError
from sentei.steps import layout


def test_an_output_that_was_written_is_accepted(tmp_path):
    with layout.writing(tmp_path / "bundle", "bundle"):
        pass
    _require_written("bundle", str(tmp_path / "bundle"))


def test_an_output_that_nobody_wrote_is_named_although_every_task_ended_well(tmp_path):
    with pytest.raises(ServiceError, match=r"bundle: expected an artifact at .*, found none"):
        _require_written("bundle", str(tmp_path / "bundle"))
