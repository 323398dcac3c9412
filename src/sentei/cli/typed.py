"""Programs as they can be typed in this shell, whether or not the environment that holds them is activated."""

import os
import shlex
import shutil
import sys
from pathlib import Path


def program(name: str) -> str:
    """What to type for a program that is installed beside this one.

    Args:
        name: Such as ``sentei`` or ``mlflow``.

    Returns:
        The name alone where the shell finds exactly that program by it; else its path, from here if that is shorter.
    """
    here = Path(sys.executable).with_name(name)
    found = shutil.which(name)
    if not here.exists() or (found is not None and here.samefile(found)):
        return name
    near = os.path.relpath(here)
    near = near if os.sep in near else f"./{near}"  # without a slash the shell would search its path
    return shlex.quote(min(near, str(here), key=len))
