"""A package is uploaded once for each content, and a run is begun once, whatever is repeated."""

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
import yaml
from click.testing import CliRunner

from sentei.adapters.kubeflow.following import tasks_of, watch
from sentei.adapters.kubeflow.lasting import require_cluster
from sentei.adapters.kubeflow.submission import submit
from sentei.cli import cli
from sentei.errors import RecipeError, ServiceError
from sentei.recipe import parse_recipe
from tests.services.kubeflow.asking import QUICK, reach
from tests.services.kubeflow.recipe import cluster_recipe, write
from tests.services.kubeflow.server import Fault


def test_the_same_content_is_one_pipeline_one_version_and_one_run(kubeflow, order):
    first, second = (submit(reach(kubeflow), order) for _ in range(2))
    assert [first.how, second.how] == ["new", "found"]
    assert first.run.run_id == second.run.run_id
    assert [one.name for one in kubeflow.pipelines.values()] == ["sentei-compress"]
    (version,) = kubeflow.versions.values()
    assert version.name.startswith("sentei-compress-")
    assert len(kubeflow.asked("POST .*/upload_version")) == 1


def test_a_changed_package_is_a_new_version_of_the_same_pipeline_and_the_first_is_used_again(kubeflow, order):
    changed = replace(order, package=order.package.replace("3fa1c09e77b2", "90d2e4a1c5f0"))
    for one in (order, changed, order):
        submit(reach(kubeflow), one)
    assert (len(kubeflow.pipelines), len(kubeflow.versions), len(kubeflow.runs)) == (1, 2, 2)


def test_versions_experiments_and_runs_are_found_on_whatever_page_they_are(kubeflow, order):
    """The server shows two of a page; without its filter everything would be behind the first one."""
    for turn in range(5):
        submit(reach(kubeflow), replace(order, package=f"{order.package}# {turn}\n"), new=True)
    assert submit(reach(kubeflow), replace(order, package=f"{order.package}# 0\n")).how == "found"
    assert (len(kubeflow.versions), len(kubeflow.runs)) == (5, 5)


def test_after_a_success_the_same_command_begins_a_run_of_its_own(kubeflow, order):
    first = submit(reach(kubeflow), order)
    kubeflow.runs[first.run.run_id].state = "SUCCEEDED"
    second = submit(reach(kubeflow), order)
    assert second.how == "new"
    assert second.key != first.key


@pytest.mark.parametrize("state", ["FAILED", "CANCELED"])
def test_a_run_that_stopped_is_continued_under_its_key(kubeflow, order, state):
    first = submit(reach(kubeflow), order)
    kubeflow.runs[first.run.run_id].state = state
    second = submit(reach(kubeflow), order)
    assert (second.how, second.key) == ("continued", first.key)
    assert second.run.run_id != first.run.run_id


def test_a_new_run_is_begun_beside_one_that_is_under_way_if_that_is_asked(kubeflow, order):
    submit(reach(kubeflow), order)
    assert submit(reach(kubeflow), order, new=True).how == "new"
    assert len(kubeflow.runs) == 2


def test_of_commands_that_begin_at_once_one_run_stays_and_all_of_them_follow_it(kubeflow, order):
    """Nobody has a run to find: each looks before any has begun, and each begins one."""
    submit(reach(kubeflow), replace(order, name="another"))  # so that version and experiment are there
    servers = [reach(kubeflow, replace(QUICK, settle=1.5)) for _ in range(3)]
    together = threading.Barrier(3)
    ask = servers[0].runs.run_service_create_run
    for server in servers:
        server.runs.run_service_create_run = lambda *args, **kwargs: (together.wait(), ask(*args, **kwargs))[1]
    with ThreadPoolExecutor(3) as pool:
        done = list(pool.map(lambda server: submit(server, order), servers))
    ours = [run for run in kubeflow.runs.values() if run.display_name.startswith("tiny")]
    assert sorted(run.state for run in ours) == ["CANCELED", "CANCELED", "PENDING"]
    assert {one.run.run_id for one in done} == {run.run_id for run in ours if run.state == "PENDING"}
    assert sorted(one.how for one in done) == ["found", "found", "new"]


def test_another_recipe_is_another_run(kubeflow, order):
    for text in ("name: tiny", "name: tiny\nseed: 1"):
        assert submit(reach(kubeflow), replace(order, recipe=text)).how == "new"
    assert len(kubeflow.runs) == 2


def test_the_plugin_is_told_the_experiment_where_the_server_knows_plugins(kubeflow, order):
    assert submit(reach(kubeflow), order).run.plugins_input == {"mlflow": {"experiment_name": "tiny"}}


def test_a_server_without_plugins_gets_the_run_without_their_input(kubeflow, order):
    kubeflow.plugins = False
    assert submit(reach(kubeflow), order).run.plugins_input is None
    assert len(kubeflow.runs) == 1


def test_a_server_without_plugins_is_refused_where_they_say_where_to_record(kubeflow, order):
    kubeflow.plugins = False
    with pytest.raises(ServiceError, match="expected a server with Kubeflow's MLflow plugin, this one knows none"):
        submit(reach(kubeflow), replace(order, require_plugin=True))
    assert kubeflow.runs == {}


def test_namespaces_are_named_where_the_server_keeps_users_apart_and_nowhere_else(kubeflow, order):
    """The server refuses a namespace in the one case, and asks for one in the other."""
    submit(reach(kubeflow), order)
    assert {one.namespace for one in kubeflow.experiments.values()} == {None}
    kubeflow.multi_user = True
    kubeflow.pipelines.clear(), kubeflow.experiments.clear(), kubeflow.versions.clear()
    submit(reach(kubeflow, namespace="team-a"), order)
    assert {one.namespace for one in kubeflow.experiments.values()} == {"team-a"}


def test_an_archived_experiment_is_named(kubeflow, order):
    submit(reach(kubeflow), order)
    next(iter(kubeflow.experiments.values())).storage_state = "ARCHIVED"
    with pytest.raises(ServiceError, match="experiment tiny: expected one in use, it is archived"):
        submit(reach(kubeflow), order)


def test_a_run_that_is_not_there_is_an_error_of_the_service(kubeflow):
    with pytest.raises(ServiceError, match=r"show the run nowhere, received 404 \(Run nowhere not found\)"):
        watch(reach(kubeflow), "nowhere")


def test_tasks_are_counted_by_name_and_what_argo_adds_is_left_out():
    from kfp_server_api import V2beta1PipelineTaskDetail as Detail

    names = ("compress-x7k2p", "root", "root-driver", "plan-driver", "plan", "executor", "for-loop-1", "iteration-0")
    names += ("family", "prune", "prune", "prune", "prune-driver", "iteration-item-0", "executor(1)")
    details = [
        Detail(task_id=f"compress-x7k2p-{index}", display_name=name, state="RUNNING")
        for index, name in enumerate(names)
    ]
    details[0].task_id = "compress-x7k2p"
    details[9].state = "SUCCEEDED"
    found = {task.name: task.states for task in tasks_of(details)}
    assert found == {"plan": {"RUNNING": 1}, "family": {"RUNNING": 1}, "prune": {"SUCCEEDED": 1, "RUNNING": 2}}


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"ledger": {"at": "ledger"}}, "ledger.at: expected s3://bucket/prefix, or a folder of a volume"),
        ({"release": {"to": "released"}}, "release.to: expected s3://bucket/prefix"),
        ({"release": {"to": "/somewhere/else"}}, "received /somewhere/else: it vanishes with the pod"),
        (
            {"model": {"architecture": "mlp", "pretrained": "w.pt", "pretrained_is_independent": True}},
            "model.pretrained",
        ),
        ({"recertify": {"data": {"source": "npz", "path": "fresh.npz"}}}, "recertify.data.path: expected s3://"),
        ({"signing": {"public_key": "s3://bucket/sentei.pub"}}, "signing.public_key: expected an absolute path"),
    ],
)
def test_a_place_that_vanishes_with_its_pod_is_refused_before_anything_is_sent(kubeflow, tmp_path, change, told):
    recipe = write(tmp_path, cluster_recipe(tmp_path, **change))
    done = CliRunner().invoke(cli, ["submit", recipe, "--host", kubeflow.url])
    assert isinstance(done.exception, RecipeError)
    assert told in str(done.exception)
    assert kubeflow.requests == []


@pytest.mark.parametrize("uri", [None, "sqlite:////data/mlflow.db", "mlruns", "file:///data"])
def test_runs_that_would_be_recorded_in_a_file_of_the_pod_are_refused(tmp_path, uri):
    recipe = parse_recipe(yaml.safe_dump(cluster_recipe(tmp_path, tracking=uri)))
    with pytest.raises(RecipeError, match=r"platform\.environment: expected MLFLOW_TRACKING_URI"):
        require_cluster(recipe)
    require_cluster(recipe, by_plugin=True)


def test_every_such_place_is_named_at_once(tmp_path):
    changes = {"ledger": {"at": "ledger"}, "release": {"to": "released"}}
    with pytest.raises(RecipeError) as caught:
        require_cluster(parse_recipe(yaml.safe_dump(cluster_recipe(tmp_path, tracking=None, **changes))))
    assert len(str(caught.value).splitlines()) == 4


@pytest.mark.parametrize("timeout", ["6", "h", "0h", "-1h", "6 h", "1w"])
def test_a_timeout_that_is_no_duration_is_refused(tmp_path, timeout):
    recipe = write(tmp_path, cluster_recipe(tmp_path))
    done = CliRunner().invoke(cli, ["submit", recipe, "--timeout", timeout, "--host", "http://127.0.0.1:1"])
    assert "--timeout: expected a whole number and s, m, h or d" in str(done.exception)


def test_a_run_that_outlasts_the_timeout_goes_on_and_the_error_says_how_to_follow_it(kubeflow, tmp_path):
    recipe = write(tmp_path, cluster_recipe(tmp_path))
    arguments = ["submit", recipe, "--host", kubeflow.url, "--timeout", "1s", "--interval", "0.6"]
    done = CliRunner().invoke(cli, arguments)
    (run_id,) = kubeflow.runs
    assert isinstance(done.exception, ServiceError)
    assert f"follow {run_id} --host {kubeflow.url}" in str(done.exception)
    assert kubeflow.runs[run_id].state == "PENDING"


def test_a_failed_run_without_logs_is_a_fault_of_the_service_with_what_the_server_says(kubeflow, order):
    from kfp_server_api import GoogleRpcStatus, V2beta1PipelineTaskDetail, V2beta1RunDetails

    run = submit(reach(kubeflow), order).run
    failed = V2beta1PipelineTaskDetail(task_id="pod", display_name="train", state="FAILED")
    failed.error = GoogleRpcStatus(message="the pod was evicted: memory")
    kept = kubeflow.runs[run.run_id]
    kept.state, kept.run_details = "FAILED", V2beta1RunDetails(task_details=[failed])
    done = CliRunner().invoke(cli, ["follow", run.run_id, "--host", kubeflow.url])
    assert isinstance(done.exception, ServiceError)
    assert "the run failed at: train\nthe pod was evicted: memory" in str(done.exception)


def test_a_run_is_followed_by_its_id_to_its_outcome(kubeflow, order):
    run = submit(reach(kubeflow), order).run
    kubeflow.runs[run.run_id].state = "SUCCEEDED"
    done = CliRunner().invoke(cli, ["follow", run.run_id, "--host", kubeflow.url])
    assert (done.exit_code, done.exception) == (0, None)
    assert f"sentei.run_key = {run.display_name}" in done.output


def test_a_token_that_expires_while_a_run_is_followed_leaves_the_run_and_says_so(kubeflow, order, tmp_path):
    run = submit(reach(kubeflow), order).run
    kubeflow.token = "first"
    (tmp_path / "token").write_text("first")
    kubeflow.faults = [Fault(f"GET .*/runs/{run.run_id}", 401, times=9)]
    kubeflow.faults.insert(0, Fault(f"GET .*/runs/{run.run_id}", 200, acts=True, times=2))
    arguments = ["follow", run.run_id, "--host", kubeflow.url, "--token-file", str(tmp_path / "token")]
    done = CliRunner().invoke(cli, [*arguments, "--interval", "0.1"])
    assert isinstance(done.exception, ServiceError)
    assert "the run goes on; follow it with:" in str(done.exception)
    assert "first" not in str(done.exception)
    assert kubeflow.runs[run.run_id].state == "PENDING"
