"""Whatever the package imports is asked for by it, so that an installation of it alone has all that it uses."""

import ast
import re
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, packages_distributions, requires
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).parents[2]
EXTRAS = {"cluster", "pipelines", "signing"}
OWN = {"sentei", "components", "pipelines"}


def imported(node: ast.AST) -> Iterator[str]:
    """Top-level names of what runs can import; what only type checkers read does not count."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING":
            continue
        if isinstance(child, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in child.names)
        elif isinstance(child, ast.ImportFrom) and child.module and not child.level:
            yield child.module.partition(".")[0]
        yield from imported(child)


def plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def brought(name: str, extras: frozenset[str], seen: set[tuple[str, frozenset[str]]]) -> Iterator[str]:
    """Every distribution that comes with this one."""
    if (plain(name), extras) in seen:
        return
    seen.add((plain(name), extras))
    yield plain(name)
    try:
        asked = [Requirement(line) for line in requires(name) or ()]
    except PackageNotFoundError:  # for another platform or Python
        return
    for one in asked:
        if one.marker is None or any(one.marker.evaluate({"extra": extra}) for extra in (extras or {""})):
            yield from brought(one.name, frozenset(one.extras), seen)


def test_every_import_comes_with_the_package_or_with_an_extra_that_it_names():
    files = [*(ROOT / "src").rglob("*.py"), *(ROOT / "components").glob("*/__init__.py"), *ROOT.glob("pipelines/*.py")]
    names = {name for path in files for name in imported(ast.parse(path.read_text()))}
    foreign = names - OWN - set(sys.stdlib_module_names)
    assert {"torch", "kfp", "mlflow", "yaml"} <= foreign
    there, found = set(brought("sentei", frozenset(EXTRAS), set())), packages_distributions()
    assert {name for name in foreign if not there & {plain(one) for one in found[name]}} == set()
