"""The wheel alone, far from the checkout, does everything that the checkout does.

It is built once and installed into an environment of its own, which sees the packages of this one (gigabytes that need
not be installed twice) but not the checkout. `test_declared` shows that the wheel asks for all that it imports.
"""

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path
from zipfile import ZipFile

import pytest
import yaml

from tests.pipeline.place import MODEL, RECIPE, Place

ROOT = Path(__file__).parents[2]
pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(1800)]


def run(*command: str | Path) -> None:
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, env=environment())
    assert done.returncode == 0, done.stdout + done.stderr


def environment() -> dict[str, str]:
    """The index and its certificates as they are set, but nothing that leads back to the checkout."""
    return {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "build", "--wheel", "--outdir", folder, ROOT)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def place(wheel, tmp_path_factory):
    """An empty working directory, in which ``sentei`` is the installed wheel."""
    home, folder = tmp_path_factory.mktemp("environment"), tmp_path_factory.mktemp("elsewhere")
    try:
        run(sys.executable, "-m", "venv", "--without-pip", home)
        (packages,) = home.glob("lib/python3*/site-packages")
        # A path in a .pth file is searched, its own .pth files are not read: the editable checkout stays out of sight.
        (packages / "others.pth").write_text(sysconfig.get_path("purelib") + "\n")
        pip = (home / "bin" / "python", "-m", "pip", "install", "--quiet", "--no-index")
        run(*pip, "--force-reinstall", "--no-deps", f"{wheel}[pipelines]")
        run(*pip, f"{wheel}[pipelines]")  # fails if something that it asks for is not there
        yield Place(folder, (str(home / "bin" / "sentei"),))
    finally:
        shutil.rmtree(home)


@pytest.fixture(autouse=True)
def _far_from_the_checkout(monkeypatch):
    monkeypatch.delenv("PYTHONPATH", raising=False)


def succeed(place: Place, *arguments: str) -> str:
    done = place.sentei(*arguments)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_wheel_carries_components_pipelines_recipes_and_the_schema(wheel):
    shipped = {str(path.relative_to(ROOT)) for path in ROOT.glob("components/*/component.yaml")}
    shipped |= {str(path.relative_to(ROOT)) for path in ROOT.glob("pipelines/recipes/*.yaml")}
    shipped |= {"pipelines/compress.yaml", "pipelines/recipes/recipe.schema.json"}
    with ZipFile(wheel) as archive:
        carried = {name.removeprefix("sentei/shipped/") for name in archive.namelist()}
        assert shipped - carried == set()
        assert not [name for name in archive.namelist() if "__pycache__" in name or name.startswith("tests")]
        for name in shipped:
            assert archive.read(f"sentei/shipped/{name}") == (ROOT / name).read_bytes()


def test_what_runs_is_the_wheel(place):
    program = Path(place.program[0])
    code = "import sentei; print(sentei.__file__)"
    done = subprocess.run([program.with_name("python"), "-c", code], capture_output=True, text=True, env=environment())
    assert Path(done.stdout.strip()).is_relative_to(program.parents[1]), done.stdout + done.stderr


def test_help_plan_and_recipe_check_work(place):
    example = "    sentei run fashion-mnist          a shipped recipe, end to end, on this machine"
    assert example in succeed(place, "--help").splitlines()
    assert "digits: train 597, scoring 100, selection 300, calibration 600, test 200" in succeed(
        place, "plan", "digits"
    )
    assert "fashion-mnist, 17 variants" in succeed(place, "recipe", "check", "fashion-mnist")


def test_compile_puts_the_image_into_every_container(place):
    succeed(place, "compile", "--image", "x/python-sentei:1")
    compiled = place.folder / "compiled"
    packages = [*compiled.glob("*.yaml"), *compiled.glob("components/*.yaml")]
    for path in packages:
        package = next(iter(yaml.safe_load_all(path.read_text())))
        executors = package["deploymentSpec"]["executors"].values()
        assert {executor["container"]["image"] for executor in executors} == {"x/python-sentei:1"}
    assert {path.name for path in compiled.glob("kubernetes/*.yaml")} == {path.name for path in compiled.glob("*.yaml")}
    assert len(packages) == len(list(ROOT.glob("components/*/component.yaml"))) + len(
        list(ROOT.glob("pipelines/*.yaml"))
    )


def test_a_run_ends_with_a_certified_version_and_its_bundle_verifies(place):
    place.write_rows()
    place.write_recipe("tiny.yaml", RECIPE)
    assert f"{MODEL} version 1, aliases certified, champion" in succeed(place, "run", "tiny.yaml")
    (released,) = place.released()
    assert succeed(place, "verify", str(released)).startswith("verified: with 95 % confidence")
