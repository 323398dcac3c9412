"""The page for operators quotes what sentei says, names exit codes that exist, and files that are there."""

import ast
import inspect
import re

import pytest

from sentei import errors
from tests.manifests.rendered import MANIFESTS, ROOT

PAGE = (ROOT / "docs/operations.md").read_text()
ERRORS = PAGE[PAGE.index("| exit code | it says |") : PAGE.index("## How large")]


def said() -> list[str]:
    """Every text in the sources, with a dot where something is put in."""
    texts = []
    for path in sorted((ROOT / "src").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.JoinedStr):
                texts.append("".join(part.value if isinstance(part, ast.Constant) else "." for part in node.values))
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                texts.append(node.value)
    return texts


# What services say, and what the operator types.
FOREIGN = {"403", "PERMISSION_DENIED", "Invalid Host header", "kubectl describe pod", "sentei ledger show"}


@pytest.fixture(scope="module")
def sources():
    return said()


QUOTES = sorted(quote for quote in set(re.findall(r"`([^`]+)`", ERRORS)) if quote not in FOREIGN and " " in quote)


@pytest.mark.parametrize("quote", QUOTES)
def test_a_quoted_message_is_one_that_sentei_gives(quote, sources):
    """Three dots stand for what a message puts in."""
    parts = [part.strip() for part in quote.split("...") if part.strip()]
    assert any(all(part in text for part in parts) for text in sources), quote


def test_ten_commands_install_it():
    install = PAGE[PAGE.index("## Install") :]
    first = install[install.index("\n    ") :].partition("\n\n")[0]
    assert len(first.strip().splitlines()) == 10


def test_every_exit_code_has_its_rows():
    kinds = [kind for _, kind in inspect.getmembers(errors, inspect.isclass) if kind.exit_code != 1]
    listed = {int(found) for found in re.findall(r"^\| (\d+)", ERRORS, re.MULTILINE)}
    assert listed == {kind.exit_code for kind in kinds} | {10}


def test_one_version_of_mlflow_everywhere(renders):
    """What the tests start is what the image holds, what the overlays run, and what the page builds."""
    (version,) = re.findall(r"^mlflow==(\S+)$", (ROOT / "constraints.txt").read_text(), re.MULTILINE)
    assert f'"mlflow[auth]=={version}"' in (MANIFESTS / "images/mlflow/Dockerfile").read_text()
    texts = [PAGE, (MANIFESTS / "images/mlflow/Dockerfile").read_text(), *map(str, renders.values())]
    assert {tag for text in texts for tag in re.findall(r"sentei-mlflow:([\w.]+)", text)} == {version}


def test_every_file_that_the_page_names_is_there():
    made = {"auth.env", "database.env", "pipelines.env", "s3-pipelines.env", "s3-mlflow.env"}
    named = set(re.findall(r"manifests/[\w./-]+", PAGE)) - {f"manifests/secrets/{name}" for name in made}
    assert [name for name in sorted(named) if not (ROOT / name.rstrip(".")).exists()] == []
    listed = set(re.findall(r"`([\w-]+\.env)`", PAGE))
    assert listed <= made
    assert all(name in (MANIFESTS / "secrets/kustomization.yaml").read_text() for name in listed)
