"""A variant that cannot be made ends as an artifact with its reason, so that the family goes on."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from sentei.errors import ModelError
from sentei.steps.layout import Artifact, Draft


@contextmanager
def recording(draft: Draft) -> Iterator[None]:
    """Turn a network's fault into a failed artifact; a fault of files, data or services is raised as it is.

    Args:
        draft: The artifact being written; its facts are kept, its files are not.
    """
    try:
        yield
    except ModelError as error:
        shutil.rmtree(draft.path)
        draft.path.mkdir()
        draft.fail(str(error))


def require_made(*inputs: Artifact) -> None:
    """What is made from something that could not be made cannot be made either, for the same reason.

    Raises:
        ModelError: One of the artifacts has failed; the message is its reason.
    """
    for artifact in inputs:
        if artifact.failed:
            raise ModelError(artifact.reason)
