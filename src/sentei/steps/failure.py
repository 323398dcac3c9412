"""A variant that cannot be made ends as an artifact with its reason, so that the family goes on."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from sentei.errors import ModelError
from sentei.steps.layout import Artifact, Draft


@contextmanager
def recording(draft: Draft, *inputs: Artifact) -> Iterator[None]:
    """Turn a network's fault into a failed artifact; a fault of files, data or services is raised as it is.

    Args:
        draft: The artifact being written.
        inputs: What it is made from; when one of them has failed, so has this.
    """
    try:
        for artifact in inputs:
            if artifact.failed:
                raise ModelError(artifact.reason)
        yield
    except ModelError as error:
        shutil.rmtree(draft.path)
        draft.path.mkdir()
        draft.fail(str(error))
