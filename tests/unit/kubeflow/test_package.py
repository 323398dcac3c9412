"""The compiled files that travel with the package."""

import pytest
import yaml

from sentei.adapters.kubeflow.package import local_image, n_tasks, recipe_text, shipped, with_image
from sentei.errors import ArtifactError, RecipeError
from sentei.steps.runtime import sources_digest


def test_shipped_files_are_found_and_others_are_missed_by_name():
    assert shipped("pipelines/compress.yaml").is_file()
    with pytest.raises(ArtifactError, match=r"pipelines/none\.yaml: expected under .*; install sentei again"):
        shipped("pipelines/none.yaml")


def test_the_image_is_put_into_every_container_and_nothing_else_changes():
    text = shipped("pipelines/compress.yaml").read_text()
    before, *platform = yaml.safe_load_all(text)
    after, *platform_after = yaml.safe_load_all(with_image(text, "a/b@sha256:1"))
    images = [executor["container"].pop("image") for executor in after["deploymentSpec"]["executors"].values()]
    assert set(images) == {"a/b@sha256:1"}
    assert len(images) >= 8
    for executor in before["deploymentSpec"]["executors"].values():
        del executor["container"]["image"]
    assert (before, platform) == (after, platform_after)


def test_the_local_image_names_the_code():
    assert local_image() == f"python-sentei:{sources_digest()[:12]}"


def test_a_recipe_is_a_path_or_the_name_of_a_shipped_one(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert recipe_text("digits") == shipped("pipelines/recipes/digits.yaml").read_text()
    (tmp_path / "digits").write_text("name: mine\n")
    assert recipe_text("digits") == "name: mine\n"
    with pytest.raises(RecipeError, match=r"digits\.yml: no such file, and no shipped recipe of that name"):
        recipe_text("digits.yml")
    (tmp_path / "latin.yaml").write_bytes("name: ä".encode("latin-1"))
    with pytest.raises(RecipeError, match=r"latin\.yaml: expected a text in UTF-8"):
        recipe_text("latin.yaml")


def test_the_tasks_are_those_of_the_compiled_pipeline():
    pipeline = next(yaml.safe_load_all(shipped("pipelines/compress.yaml").read_text()))
    graphs = [pipeline["root"]["dag"], *(c["dag"] for c in pipeline["components"].values() if "dag" in c)]
    images = {name for name, c in pipeline["components"].items() if "executorLabel" in c}
    once, *in_loops = [sum(task["componentRef"]["name"] in images for task in g["tasks"].values()) for g in graphs]
    assert [n_tasks(n) for n in (1, 2, 100)] == [once + sum(in_loops) * n for n in (1, 2, 100)]
