"""What a run says at its end: where its version stands, and commands that can be pasted."""

import re

import pytest

from sentei.cli.report import show
from sentei.cli.typed import program
from sentei.steps import layout

REGISTERED = {
    "status": "ok",
    "name": "sentei-toy",
    "version": "2",
    "aliases": "certified",
    "moved_champion": "false",
    "promotion": "not cheaper: 12 bytes against the champion's 12",
    "released": "released here/abc",
}
ROW = {"name": "half", "verdict": "certified", "reason": "", "sparsity": "0.5", "achieved_sparsity": "0.5"}


@pytest.fixture
def report(tmp_path, capsys):
    """What is printed for a registry entry."""
    with layout.writing(tmp_path / "verdict", "verdict") as draft:
        draft.facts["lines"] = ["nothing [more] to say"]
        row = ROW | {"accuracy": "0.9", "bytes": "1234567", "macs": "9999", "nonzero_macs": ""}
        draft.write_json(layout.TABLE, [row])
    with layout.writing(tmp_path / "bundle", "bundle") as draft:
        draft.write("file", b"")

    def shown(entry):
        paths = {name: {"path": str(tmp_path / name), "facts": {}} for name in ("verdict", "bundle")}
        show({**paths, "bundle": {**paths["bundle"], "facts": entry}})
        return capsys.readouterr().out

    return shown


@pytest.mark.parametrize(
    ("moved", "reason", "line"),
    [
        ("true", "there was no champion", "champion now stands here: there was no champion"),
        ("true", "this version is the champion", "champion now stands here: this version is the champion"),
        ("false", "not cheaper: 12 against 12", "no new champion: not cheaper: 12 against 12"),
        ("false", "promotion is switched off", "no new champion: promotion is switched off"),
    ],
)
def test_it_says_whether_the_champion_moved_and_why(report, moved, reason, line):
    lines = report(REGISTERED | {"moved_champion": moved, "promotion": reason}).splitlines()
    assert line in [said.strip() for said in lines]


def test_numbers_are_in_groups_of_three_and_what_is_missing_is_a_dash(report):
    row = next(line for line in report(REGISTERED).splitlines() if "half" in line)
    assert [cell.strip() for cell in row.strip("│").split("│")][4:7] == ["1 234 567", "9999", "-"]


def test_a_path_with_a_space_is_quoted(report):
    assert f"verify the bundle:  {program('sentei')} verify 'released here/abc'" in report(REGISTERED).splitlines()


@pytest.mark.parametrize(
    ("uri", "look"),
    [
        (None, "mlflow ui --backend-store-uri sqlite:///mlflow.db --port 5000"),
        ("sqlite:////var/runs.db", "mlflow ui --backend-store-uri sqlite:////var/runs.db --port 5000"),
        ("https://me:secret@mlflow.example/", "in the browser: https://mlflow.example/"),
        ("postgresql://me:secret@host/runs", "in MLflow, at postgresql://host/runs"),
    ],
)
def test_where_runs_are_reviewed_is_said_without_a_password(report, monkeypatch, uri, look):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    if uri is not None:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    for entry in (REGISTERED, {"status": "failed"}):
        said = report(entry)
        assert said.rstrip().endswith(look)
        assert "secret" not in said


def test_a_refusal_leaves_the_registry_alone(report):
    said = report({"status": "failed"})
    assert "registry:           left alone" in said
    assert "verify" not in said
    assert "nothing [more] to say" in said


def in_the_column(said, name):
    """The cells of a column, by variant."""
    lines = [[cell.strip() for cell in re.split("[│┃]", line)] for line in said.splitlines()]
    [head] = [cells for cells in lines if "variant" in cells]
    return {cells[1]: cells[head.index(name)] for cells in lines if len(cells) == len(head) and cells is not head}


@pytest.mark.parametrize(
    ("stored", "shown"),
    [
        ({"dense": "1.23456", "half": "0.5"}, {"dense": "1.235", "half": "0.500", "broken": "-"}),
        ({"dense": "12"}, {"dense": "12.000", "half": "-", "broken": "-"}),
        (None, {"dense": "-", "half": "-", "broken": "-"}),
    ],
)
def test_the_latency_of_each_variant_stands_in_its_own_column_where_it_was_measured(tmp_path, capsys, stored, shown):
    with layout.writing(tmp_path / "verdict", "verdict") as draft:
        draft.facts["lines"] = []
        costs = {"accuracy": "0.9", "bytes": "77", "macs": "88", "nonzero_macs": "66"}
        failed = ROW | dict.fromkeys(costs, "") | {"name": "broken", "verdict": "failed", "achieved_sparsity": ""}
        draft.write_json(layout.TABLE, [ROW | costs | {"name": "dense"}, ROW | costs, failed])
        if stored is not None:
            draft.write_json(layout.LATENCY, stored)
    with layout.writing(tmp_path / "bundle", "bundle") as draft:
        draft.write("file", b"")
    paths = {name: {"path": str(tmp_path / name), "facts": {"status": "failed"}} for name in ("verdict", "bundle")}
    show(paths)
    said = capsys.readouterr().out
    assert in_the_column(said, "ms") == shown
    assert in_the_column(said, "non-zero MACs") == {"dense": "66", "half": "66", "broken": "-"}
