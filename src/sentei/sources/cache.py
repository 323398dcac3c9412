"""Where this machine keeps what it made of data sets, between tasks."""

import os
from pathlib import Path


def cache_folder() -> Path:
    """Where prepared splits are kept: ``SENTEI_CACHE``, else the user's cache folder; fetched files stand beside it."""
    home = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(os.environ.get("SENTEI_CACHE") or Path(home) / "sentei" / "examples")
