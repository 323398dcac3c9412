"""What the command line prints, writes and ends with."""

import gzip
import json
import os
import shlex
import subprocess
import sys
from hashlib import md5
from pathlib import Path

import numpy as np
import pytest
import yaml
from click.testing import CliRunner
from kfp.components import load_component_from_file

from sentei import __version__
from sentei.cli import Commands, cli, main
from sentei.cli.run import explain
from sentei.errors import ArtifactError, CertificateError, DataError, ModelError, RecipeError, ServiceError
from sentei.recipe.schema import json_schema
from sentei.sources import fashion_mnist
from sentei.steps import layout

ROOT = Path(__file__).resolve().parents[3]
IMAGE = "registry.example/sentei@sha256:" + "0123456789abcdef" * 4

COMMANDS = [
    [],
    *([name] for name in Commands.sources),
    ["data", "fetch"],
    ["recipe", "schema"],
    ["recipe", "check"],
    ["ledger", "show"],
]


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


def test_the_help_shows_its_examples_line_by_line():
    lines = CliRunner().invoke(cli, ["--help"]).output.splitlines()
    assert "    sentei run fashion-mnist          a shipped recipe, end to end, on this machine" in lines
    assert "    sentei plan my-recipe.yaml        what a run would do and cost, in seconds" in lines
    assert "    sentei verify released/...        check a released bundle: every digest, count and p-value" in lines


def test_the_version_is_that_of_the_package(sentei):
    assert sentei("--version") == (0, f"sentei, version {__version__}\n", "")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["rum"], "No such command 'rum'"),
        (["run"], "Missing argument 'RECIPE'"),
        (["run", "digits", "--nwe"], "No such option"),
        (["compile"], "expected the image of the components, found none"),
        (["compile", "--image", "a/b"], "expected a tag other than latest, or a digest"),
        (["compile", "--image", "a/b:1", "--secret", "s4=x"], "expected one of s3=NAME, mlflow=NAME"),
        (["compile", "--image", "a/b:1", "--namespace", "A_B"], "expected the name of a Kubernetes object"),
        (["compile", "--image", "a b"], "expected the name of an image"),
        (["run", "digits", "--data-dir", "nowhere"], "--data-dir nowhere: expected a folder, found nothing there"),
        (["plan", "digits", "--data-dir", "nowhere"], "--data-dir nowhere: expected a folder, found nothing there"),
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
            "no such file, and no shipped recipe of that name; shipped are channels, confident-magnitude, data-free, ",
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
    assert (
        "shipped are channels, confident-magnitude, data-free, digits, fashion-mnist, latency, layers, segmentation"
        in err
    )


def test_rows_that_are_not_there_end_with_5(sentei, tmp_path):
    text = (ROOT / "pipelines/recipes/digits.yaml").read_text()
    (tmp_path / "mine.yaml").write_text(text.replace("source: digits", "source: npz\n  path: nowhere.npz"))
    code, out, err = sentei("plan", "mine.yaml")
    assert (code, out) == (5, "")
    assert err.startswith("DataError: ")
    assert "nowhere.npz" in err


def test_a_near_miss_is_asked_about(sentei):
    assert "did you mean 'fashion-mnist'?" in sentei("plan", "fashion_mnist")[2]
    assert "did you mean 'digits'?" in sentei("plan", "digits.yml")[2]


def test_a_folder_in_the_place_of_a_recipe_is_named_with_the_recipes_in_it(sentei, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "one.yaml").write_text("name: one")
    code, out, err = sentei("run", "mine")
    assert (code, out) == (2, "")
    assert "mine: expected a recipe, found a folder; name the file itself (mine/one.yaml)" in err


@pytest.mark.parametrize(
    "arguments",
    [["run", "digits", "--workspace", "taken"], ["compile", "--image", "a/b:1", "--out", "taken/below"]],
)
def test_a_path_that_cannot_be_used_ends_with_3_in_one_line(sentei, tmp_path, arguments):
    (tmp_path / "taken").write_text("a file")
    code, out, err = sentei(*arguments)
    assert (code, out) == (3, "")
    assert len(err.splitlines()) == 1
    assert str(tmp_path / "taken") in err or "taken/below" in err
    assert (tmp_path / "taken").read_text() == "a file"


def test_a_reader_that_has_seen_enough_ends_the_command_quietly():
    script = f"{shlex.quote(sys.executable)} -m sentei.cli recipe schema | true; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True)
    assert done.stderr == ""


@pytest.mark.parametrize("make", [Path.mkdir, Path.touch, lambda path: None], ids=["a folder", "a file", "nothing"])
def test_what_is_no_bundle_is_said_to_be_none(sentei, tmp_path, make):
    make(tmp_path / "here")
    code, out, err = sentei("verify", "here")
    assert (code, out) == (3, "")
    assert "here is not a released bundle; name the folder of a bundle" in err


def test_a_folder_above_bundles_is_answered_with_the_bundles_in_it(sentei, tmp_path):
    for name, kind in (("aaa", "bundle"), ("bbb", "bundle"), ("ccc", "variant")):
        with layout.writing(tmp_path / "released" / name, kind) as draft:
            draft.write("file", b"")
    (tmp_path / "released" / "notes.txt").write_text("")
    code, _, err = sentei("verify", "released")
    assert code == 3
    assert err.endswith("is not a released bundle; it holds bundles, name one of them: released/aaa, released/bbb\n")


def plan_of(out):
    """What a plan says, by its labels; a label may stand several times."""
    said, label = {}, ""
    for line in out.splitlines()[1:]:
        label = line[2:12].strip() or label
        said.setdefault(label, []).append(line[12:])
    return said


def test_a_plan_says_what_a_run_would_do(sentei, tmp_path):
    code, out, err = sentei("plan", "digits")
    assert (code, err) == (0, "")
    assert out.splitlines()[0] == "plan digits"
    said = plan_of(out)
    assert said["data"] == ["digits: train 597, scoring 100, selection 300, calibration 600, test 200"]
    # 64*64 + 64*64 + 64*10 weights, and 138 biases
    assert said["dense"] == ["mlp: 8970 parameters, 35 880 bytes, 8832 MACs for one example"]
    names = [f"magnitude-l1-global-{sparsity}-ft2" for sparsity in ("0.30", "0.60", "0.90")]
    assert said["family"] == ["3 variants:", ", ".join(names)]
    assert said["claim"][:2] == [
        "with 95 % confidence the variant's accuracy is at most 3 points below the dense model's",
        "accuracy_drop <= 0.03, delta 0.05, of which this attempt may use 0.0303963, on 600 calibration rows",
    ]
    assert "0.84 points with 0 and 0, " in said["claim"][2]
    assert said["ledger"][:2] == [
        "ledger",
        "attempt 1 on these rows tests at 0.0303 of delta 0.05: this ledger holds no attempt on any of these 600 rows",
    ]
    assert said["order"] == [
        "pareto: the Pareto front of estimated drop and bytes on the selection split, safest first"
    ]
    assert said["winner"] == ["the certified variant with the least bytes"]
    assert said["release"] == ["released"]
    assert said["registry"][0].startswith("sentei-digits; champion moves only to a cheaper version")
    assert said["work"][0].startswith("at most 15 522 rows to learn from")  # 597 rows, 20 epochs and 3 times 2
    assert said["tasks"] == ["17 tasks of the pipeline"]
    assert list(tmp_path.iterdir()) == []


def test_a_plan_names_every_variant_and_every_claim(sentei, tmp_path):
    recipe = yaml.safe_load((ROOT / "pipelines/recipes/digits.yaml").read_text())
    recipe["family"] = {"grid": {"sparsity": [f"0.{percent}" for percent in range(30, 90)]}}
    recipe["claim"] = {"kind": "accuracy_drop", "epsilon": 0.001}
    recipe["ledger"] = {"at": "none"}
    recipe["compare"] = [{"kind": "risk", "alpha": 0.1}, {"kind": "accuracy_drop", "epsilon": 0}]
    recipe["registry"] = {"model": "mine", "promote": "never"}
    recipe["procedure"] = {"order": "listed", "cost": "macs"}
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(recipe))
    code, out, _ = sentei("plan", "mine.yaml")
    assert code == 0
    said = plan_of(out)
    assert said["family"][0] == "60 variants:"
    assert len(" ".join(said["family"][1:]).split(", ")) == 60
    assert max(map(len, said["family"])) <= 100
    assert said["claim"][2].startswith(
        "cannot be proven on 600 rows, even if the two models agree on every row: it takes"
    )
    assert said["compare"][2].startswith("a variant passes with at most 47 errors on these 600 rows, a rate of 7.83 %")
    assert any("only a variant that helps more rows than it harms can pass" in line for line in said["compare"])
    assert said["order"] == ["listed: as the recipe lists the family"]
    assert said["registry"] == ["mine; champion moves never"]
    assert said["ledger"][0].startswith("none: nothing is promised")


def test_a_plan_says_which_rows_have_no_labels(sentei, tmp_path):
    rows = np.random.default_rng(0).integers(0, 255, (700, 6)).astype(np.uint8)
    np.savez(tmp_path / "named.npz", x=rows[:300], y=np.arange(300) % 3)
    np.savez(tmp_path / "bare.npz", x=rows[300:])
    recipe = yaml.safe_load((ROOT / "pipelines/recipes/digits.yaml").read_text())
    recipe["data"] = {
        "source": "npz",
        "path": "named.npz",
        "unlabelled": {"source": "npz", "path": "bare.npz"},
        "splits": {"scoring": 20, "selection": 100, "calibration": 300, "test": 50},
    }
    recipe["claim"] = {"kind": "disagreement", "alpha": 0.1}
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(recipe))
    code, out, err = sentei("plan", "mine.yaml")
    assert code == 0, err
    assert "without labels: selection, calibration, from npz" in out
    assert "without labels" not in sentei("plan", "digits")[1]


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
    code, out, err = sentei("compile", "--image", IMAGE, "--namespace", "mine", "--secret", "s3=keys", "--out", "out")
    assert (code, err) == (0, "")

    written = sorted(path.relative_to(tmp_path).as_posix() for path in (tmp_path / "out").rglob("*.yaml"))
    names = sorted(path.parent.name for path in ROOT.glob("components/*/component.yaml"))
    pipelines = sorted(path.stem for path in ROOT.glob("pipelines/*.yaml"))
    packages = [f"out/{name}.yaml" for name in pipelines]
    objects = [f"out/kubernetes/{name}.yaml" for name in pipelines]
    components = [f"out/components/{name}.yaml" for name in names]
    assert written == sorted([*packages, *objects, *components])
    assert sorted(out.splitlines()) == written

    for path in (*packages, *components):
        text = (tmp_path / path).read_text()
        executors = next(yaml.safe_load_all(text))["deploymentSpec"]["executors"].values()
        assert executors
        assert {executor["container"]["image"] for executor in executors} == {IMAGE}
        assert load_component_from_file(str(tmp_path / path)).name
    for path in objects:
        kinds = [
            (one["kind"], one["metadata"]["namespace"]) for one in yaml.safe_load_all((tmp_path / path).read_text())
        ]
        assert kinds == [("Pipeline", "mine"), ("PipelineVersion", "mine")]
    assert "secretName: keys" in (tmp_path / "out/compress.yaml").read_text()


def test_components_change_in_nothing_but_the_image(sentei, tmp_path):
    sentei("compile", "--image", "python-sentei:unset", "--out", tmp_path / "out")
    ours = yaml.safe_load((tmp_path / "out/components/train.yaml").read_text())
    assert ours == yaml.safe_load((ROOT / "components/train/component.yaml").read_text())


def test_fetching_says_where_it_looks_and_prints_the_folder_alone(sentei, tmp_path, monkeypatch):
    """Four small files stand for the real ones."""
    raw = {name: name.encode() for name in fashion_mnist.MD5}
    monkeypatch.setattr(fashion_mnist, "MD5", {name: md5(data).hexdigest() for name, data in raw.items()})
    monkeypatch.setattr(sys.modules["sentei.sources.fetch"], "SYSTEM_FOLDERS", ())
    packed = {name: gzip.compress(data) for name, data in raw.items()}
    ways = {"an empty shelf": dict, "a full shelf": lambda: packed}
    monkeypatch.setattr(sys.modules["sentei.sources.fetch"], "WAYS", ways)
    code, out, err = sentei("data", "fetch", "fashion-mnist", "--data-dir", "data")
    assert (code, out) == (0, "data/fashion-mnist\n")
    said = ["looking for fashion-mnist on this machine", "trying an empty shelf", "trying a full shelf"]
    assert err.splitlines() == said
    assert sentei("data", "fetch", "fashion-mnist", "--data-dir", "data")[1:] == (out, said[0] + "\n")


@pytest.mark.parametrize(
    ("error", "advice"),
    [
        (DataError("rows"), "the same command continues the run once the cause is removed"),
        (ServiceError("down"), "the same command continues the run once the cause is removed"),
        (ArtifactError("file"), "the same command continues the run once the cause is removed"),
        (RecipeError("text"), "correct the recipe and start again"),
        (ModelError("net"), "correct the recipe and start again"),
        (CertificateError("p"), "do not use what the run made"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_stopped_run_says_what_to_do_after_this_kind_of_fault(tmp_path, error, advice):
    log = tmp_path / "log.txt"
    log.write_text(f"earlier\nsentei.errors.{type(error).__name__}: {error}\n")
    with pytest.raises(type(error)) as raised:
        explain(log, len("earlier\n"))
    assert str(raised.value).startswith(f"the pipeline stopped: {error}\nThe whole log: ")
    assert str(raised.value).endswith(f"log.txt; {advice}")


def test_a_plan_leaves_nothing_behind(sentei, tmp_path, monkeypatch):
    for name, folder in (("XDG_CACHE_HOME", "cache"), ("HOME", "home"), ("TMPDIR", "passing")):
        (tmp_path / folder).mkdir()
        monkeypatch.setenv(name, str(tmp_path / folder))
    monkeypatch.delenv("SENTEI_CACHE", raising=False)
    assert sentei("plan", "digits")[0] == 0
    assert [path for path in tmp_path.rglob("*") if "examples" in path.name] == []
