"""What the command line prints, writes and ends with."""

import json
import os
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner
from kfp.components import load_component_from_text

from sentei import __version__
from sentei.cli import Commands, cli, main
from sentei.recipe.schema import json_schema

ROOT = Path(__file__).resolve().parents[3]
IMAGE = "registry.example/sentei@sha256:" + "0123456789abcdef" * 4

COMMANDS = [[], *([name] for name in Commands.sources), ["data", "fetch"], ["recipe", "schema"], ["recipe", "check"]]


@pytest.fixture
def sentei(tmp_path, monkeypatch, capsys):
    """Runs the command line in an empty folder: its exit code, what it printed, and what it said of errors."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SENTEI_CACHE", str(tmp_path.parent / "cache"))
    monkeypatch.setenv("SENTEI_EVENTS", os.devnull)

    def run(*arguments):
        monkeypatch.setattr("sys.argv", ["sentei", *map(str, arguments)])
        try:
            main()
            code = 0
        except SystemExit as leaving:
            code = leaving.code
        printed = capsys.readouterr()
        assert "Traceback" not in printed.err
        return code, printed.out, printed.err

    return run


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
@pytest.mark.parametrize("flag", ["--help", "-h"])
def test_every_command_explains_itself(command, flag):
    result = CliRunner().invoke(cli, [*command, flag], prog_name="sentei")
    assert result.exit_code == 0
    assert result.output.startswith(f"Usage: {' '.join(['sentei', *command])} [OPTIONS]")
    assert len(result.output.splitlines()) > 4


def test_the_commands_are_listed_in_the_order_of_their_use():
    output = CliRunner().invoke(cli, ["--help"]).output
    places = [output.index(f"\n  {name} ") for name in Commands.sources]
    assert places == sorted(places)
    assert "Exit codes: 0 done" in output


def test_the_version_is_that_of_the_package(sentei):
    assert sentei("--version") == (0, f"sentei, version {__version__}\n", "")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["rum"], "No such command 'rum'"),
        (["run"], "Missing argument 'RECIPE'"),
        (["run", "digits", "--nwe"], "No such option"),
        (["compile"], "Missing option '--image'"),
        (["data", "fetch", "mnist"], "'fashion-mnist'"),
    ],
)
def test_a_mistaken_command_ends_with_2(sentei, tmp_path, arguments, told):
    code, out, err = sentei(*arguments)
    assert (code, out) == (2, "")
    assert told in err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("command", [["run"], ["plan"], ["recipe", "check"]])
@pytest.mark.parametrize(
    ("text", "told"),
    [
        (b"name: a\nsead: 1\n", "sead (line 2): unknown name; did you mean 'seed'?"),
        (b"name: [", "expected YAML"),
        (b"\xff\xfe\x00", "expected a text in UTF-8"),
        (
            None,
            "no such file, and no shipped recipe of that name; shipped are confident-magnitude, digits, fashion-mnist",
        ),
    ],
)
def test_a_bad_recipe_ends_with_2_and_leaves_nothing_behind(sentei, tmp_path, command, text, told):
    recipe = tmp_path / "mine.yaml"
    if text is not None:
        recipe.write_bytes(text)
    code, out, err = sentei(*command, recipe)
    assert (code, out) == (2, "")
    assert err.startswith(f"RecipeError: {recipe}")
    assert told in err
    recipe.unlink(missing_ok=True)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["digit", "pipelines", "../digits"])
def test_an_unknown_name_is_told_with_the_known_ones(sentei, name):
    code, _, err = sentei("plan", name)
    assert code == 2
    assert "shipped are confident-magnitude, digits, fashion-mnist" in err


def test_rows_that_are_not_there_end_with_5(sentei, tmp_path):
    text = (ROOT / "pipelines/recipes/digits.yaml").read_text()
    (tmp_path / "mine.yaml").write_text(text.replace("source: digits", "source: npz\n  path: nowhere.npz"))
    code, out, err = sentei("plan", "mine.yaml")
    assert (code, out) == (5, "")
    assert err.startswith("DataError: ")
    assert "nowhere.npz" in err


def test_a_plan_says_what_a_run_would_do(sentei, tmp_path):
    code, out, err = sentei("plan", "digits")
    assert (code, err) == (0, "")
    lines = {line.split()[0]: " ".join(line.split()[1:]) for line in out.splitlines() if line.split()}
    assert lines["plan"] == "digits"
    assert lines["data"] == "digits: train 597, scoring 100, selection 300, calibration 600, test 200"
    assert lines["dense"].startswith("mlp: 8,970 parameters, 8,832 MACs")  # 64*64 + 64*64 + 64*10, and 138 biases
    assert lines["family"].startswith("3 variants: magnitude-l1-global-0.30-ft2, ")
    assert lines["claim"] == "accuracy_drop <= 0.03 with delta 0.05, on 600 calibration rows"
    assert lines["work"].startswith(f"{597 * (20 + 3 * 2):,} rows to learn from")
    assert lines["tasks"] == "17 tasks of the pipeline"
    assert list(tmp_path.iterdir()) == []


def test_a_plan_can_be_read_by_machines_and_repeats(sentei):
    code, out, _ = sentei("plan", "digits", "--json")
    assert code == 0
    plan = json.loads(out)
    assert plan.keys() == {"name", "examples", "dense", "importance", "variants", "decision"}
    assert [variant["sparsity"] for variant in plan["variants"]] == ["0.3", "0.6", "0.9"]
    assert sentei("plan", "digits", "--json")[1] == out


def test_the_schema_is_printed_as_json(sentei):
    code, out, _ = sentei("recipe", "schema")
    assert code == 0
    assert json.loads(out) == json_schema()


def test_a_sound_recipe_is_counted(sentei):
    assert sentei("recipe", "check", "digits") == (0, "digits: digits, 3 variants\n", "")


def test_a_compiled_package_runs_the_given_image_everywhere_and_loads(sentei, tmp_path):
    code, out, err = sentei("compile", "--image", IMAGE, "--out", "out")
    assert (code, err) == (0, "")

    written = sorted(path.relative_to(tmp_path).as_posix() for path in (tmp_path / "out").rglob("*.yaml"))
    names = sorted(path.parent.name for path in ROOT.glob("components/*/component.yaml"))
    assert written == sorted(["out/compress.yaml", *(f"out/components/{name}.yaml" for name in names)])
    assert sorted(out.splitlines()) == written

    for path in written:
        text = (tmp_path / path).read_text()
        executors = yaml.safe_load(text)["deploymentSpec"]["executors"].values()
        assert executors
        assert {executor["container"]["image"] for executor in executors} == {IMAGE}
        assert load_component_from_text(text).name
    assert load_component_from_text((tmp_path / "out/compress.yaml").read_text()).name == "compress"


def test_compiling_changes_nothing_but_the_image(sentei, tmp_path):
    sentei("compile", "--image", "python-sentei:unset", "--out", tmp_path / "out")
    for ours, theirs in (
        ("compress.yaml", "pipelines/compress.yaml"),
        ("components/train.yaml", "components/train/component.yaml"),
    ):
        assert list(yaml.safe_load_all((tmp_path / "out" / ours).read_text())) == list(
            yaml.safe_load_all((ROOT / theirs).read_text())
        )
