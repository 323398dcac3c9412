"""Schedules: made once, replaced without a gap, paused, resumed and deleted by name, and told in words."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from click.testing import CliRunner

from sentei.adapters.kubeflow.recurrence import Recurrence
from sentei.adapters.kubeflow.schedules import act, named, schedule
from sentei.cli import cli
from sentei.cli.schedule import lines
from sentei.errors import RecipeError, ServiceError
from tests.services.kubeflow.asking import reach
from tests.services.kubeflow.recipe import cluster_recipe, write
from tests.services.kubeflow.server import Fault

DAILY = Recurrence(cron="0 0 3 * * *")
LATER = Recurrence(cron="0 0 4 * * *")
WEEKLY = Recurrence(every=7 * 86400)
NOW = datetime(2026, 11, 26, 19, 30, tzinfo=UTC)


@pytest.fixture
def sentei(kubeflow, tmp_path):
    """Runs a command against the server; the recipe is written where it says RECIPE."""
    recipe = write(tmp_path, cluster_recipe(tmp_path))

    def run(*arguments):
        done = CliRunner().invoke(
            cli, [*(recipe if one == "RECIPE" else one for one in arguments), "--host", kubeflow.url]
        )
        assert done.exception is None or isinstance(done.exception, (RecipeError, ServiceError, SystemExit)), done
        return done.output + str(done.exception or "")

    return run


def test_a_schedule_runs_one_at_a_time_and_catches_up_on_nothing_unless_that_is_asked(kubeflow, order):
    schedule(reach(kubeflow), order, "nightly", DAILY)
    (made,) = kubeflow.recurring.values()
    assert (made.max_concurrency, made.no_catchup, made.mode) == ("1", True, "ENABLE")
    assert made.trigger.cron_schedule.cron == "0 0 3 * * *"
    assert made.trigger.periodic_schedule is None
    assert made.plugins_input == {"mlflow": {"experiment_name": "tiny"}}
    assert made.service_account == "sentei"


def test_each_run_of_a_schedule_takes_its_own_id_for_its_key(kubeflow, order):
    schedule(reach(kubeflow), order, "nightly", DAILY)
    (made,) = kubeflow.recurring.values()
    assert made.runtime_config.parameters == {"recipe": order.recipe, "run_key": ""}
    assert made.pipeline_version_reference.pipeline_version_id in kubeflow.versions


def test_an_interval_is_sent_in_seconds(kubeflow, order):
    schedule(reach(kubeflow), order, "weekly", WEEKLY)
    (made,) = kubeflow.recurring.values()
    assert made.trigger.periodic_schedule.interval_second == "604800"


@pytest.mark.parametrize(
    "recurrence",
    [
        DAILY,
        WEEKLY,
        Recurrence("0 0 3 * * *", None, NOW, NOW + timedelta(90), max_concurrency=2, catch_up=True),
        Recurrence(None, 3600, NOW, None),
    ],
)
def test_the_same_schedule_again_changes_nothing(kubeflow, order, recurrence):
    first, second = (schedule(reach(kubeflow), order, "nightly", recurrence) for _ in range(2))
    assert [first.how, second.how] == ["new", "unchanged"]
    assert len(kubeflow.recurring) == 1


@pytest.mark.parametrize(
    ("other", "told"),
    [
        (LATER, "cron 0 0 3 * * * there, 0 0 4 * * * here"),
        (WEEKLY, "cron 0 0 3 * * * there, none here; every none there, 604800 here"),
        (Recurrence("0 0 3 * * *", max_concurrency=2), "concurrency 1 there, 2 here"),
        (Recurrence("0 0 3 * * *", catch_up=True), "catch-up no there, yes here"),
        (Recurrence("0 0 3 * * *", start=NOW), "start none there, 2026-11-26T19:30:00Z here"),
    ],
)
def test_a_name_that_is_taken_by_another_content_is_refused_with_the_difference(kubeflow, order, other, told):
    schedule(reach(kubeflow), order, "nightly", DAILY)
    with pytest.raises(RecipeError, match=f"{re.escape(told)}; say --replace, or --name another"):
        schedule(reach(kubeflow), order, "nightly", other)
    assert [one.trigger.cron_schedule.cron for one in kubeflow.recurring.values()] == ["0 0 3 * * *"]


def test_a_replacement_is_made_before_the_old_one_is_deleted(kubeflow, order):
    schedule(reach(kubeflow), order, "nightly", DAILY)
    kubeflow.requests.clear()
    assert schedule(reach(kubeflow), order, "nightly", LATER, replace=True).how == "replaced"
    assert [one.trigger.cron_schedule.cron for one in kubeflow.recurring.values()] == ["0 0 4 * * *"]
    verbs = [line.partition(" ")[0] for line in kubeflow.asked("(POST|DELETE) .*/recurringruns")]
    assert verbs == ["POST", "DELETE"]


def test_a_replacement_that_was_cut_short_leaves_both_and_the_same_command_completes_it(kubeflow, order):
    schedule(reach(kubeflow), order, "nightly", DAILY)
    kubeflow.faults = [Fault("DELETE", 403)]
    with pytest.raises(ServiceError, match="delete the schedule nightly, received 403"):
        schedule(reach(kubeflow), order, "nightly", LATER, replace=True)
    assert len(kubeflow.recurring) == 2
    with pytest.raises(RecipeError, match="there are 2: a replacement was cut short; complete it with --replace"):
        schedule(reach(kubeflow), order, "nightly", LATER)
    with pytest.raises(RecipeError, match="complete it with sentei schedule --replace"):
        act(reach(kubeflow), "resume", "nightly", "kubeflow")
    assert schedule(reach(kubeflow), order, "nightly", LATER, replace=True).how == "replaced"
    assert [one.trigger.cron_schedule.cron for one in kubeflow.recurring.values()] == ["0 0 4 * * *"]


@pytest.mark.parametrize("status", [0, 503])
def test_a_schedule_whose_answer_was_lost_is_found_and_not_made_again(kubeflow, order, status):
    kubeflow.faults = [Fault("POST .*/recurringruns", status, acts=True)]
    assert schedule(reach(kubeflow), order, "nightly", DAILY).how == "new"
    assert len(kubeflow.recurring) == 1


@pytest.mark.parametrize("status", [0, 503])
def test_a_deletion_whose_answer_was_lost_is_a_deletion(kubeflow, order, status):
    schedule(reach(kubeflow), order, "nightly", DAILY)
    kubeflow.faults = [Fault("DELETE", status, acts=True)]
    assert act(reach(kubeflow), "delete", "nightly", "kubeflow") == 1
    assert kubeflow.recurring == {}


def test_schedules_are_found_on_whatever_page_they_are(kubeflow, order):
    for name in ("one", "two", "three", "four", "five"):
        schedule(reach(kubeflow), order, name, DAILY)
    assert len(named(reach(kubeflow), "one", "kubeflow")) == 1
    assert len(named(reach(kubeflow), "five", "kubeflow")) == 1


def test_a_schedule_is_paused_listed_resumed_and_deleted_by_its_name(kubeflow, sentei):
    assert "there is no schedule" in sentei("schedules")
    said = sentei("schedule", "RECIPE", "--cron", "0 0 3 * * MON-FRI", "--name", "nightly")
    assert "scheduled nightly" in said
    assert "at 03:00:00 on every Monday, Tuesday, Wednesday, Thursday and Friday (UTC)" in said
    assert len(re.findall(r"\d{4}-\d\d-\d\d 03:00:00 UTC", said)) == 3
    assert "nightly is paused" in sentei("pause", "nightly")
    assert re.search(r"nightly .*- +. paused", sentei("schedules"))
    assert "it is paused; sentei resume nightly" in sentei(
        "schedule", "RECIPE", "--cron", "0 0 3 * * MON-FRI", "--name", "nightly"
    )
    assert "nightly runs again" in sentei("resume", "nightly")
    assert re.search(r"nightly .*03:00:00 UTC +. running", sentei("schedules"))
    assert "nightly is deleted" in sentei("delete", "nightly")
    assert kubeflow.recurring == {}
    assert "there is none of that name; there are: none" in sentei("delete", "nightly")


def test_without_a_name_a_schedule_is_called_by_its_recipe_and_pipeline(kubeflow, sentei):
    sentei("schedule", "RECIPE", "--every", "7d")
    assert [one.display_name for one in kubeflow.recurring.values()] == ["digits-small-compress"]


def test_a_schedule_that_was_made_elsewhere_is_listed_as_it_is(kubeflow, order, sentei):
    schedule(reach(kubeflow), order, "elsewhere", DAILY)
    next(iter(kubeflow.recurring.values())).trigger.cron_schedule.cron = "0 3 * * 1"
    assert re.search(r"elsewhere .*cron 0 3 \* \* 1 ", sentei("schedules"))


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--cron", "0 3 * * *"), "write '0 0 3 * * *'"),
        ((), "expected one of --cron"),
        (("--cron", "@daily", "--every", "1d"), "received both or none"),
        (("--every", "soon"), "--every: expected a whole number and s, m, h or d"),
        (("--every", "7d", "--start", "tomorrow"), "--start: expected a time with its zone"),
        (("--every", "7d", "--start", "2026-12-01T03:00:00"), "--start: expected a time with its zone"),
        (("--every", "7d", "--end", "2020-01-01T00:00:00Z"), "--end: expected a time after the first run"),
        (("--cron", "@yearly", "--end", "2020-01-01T00:00:00Z"), "--end: expected a time after the first run"),
    ],
)
def test_what_cannot_be_a_schedule_is_refused_before_anything_is_sent(kubeflow, sentei, arguments, told):
    assert told in sentei("schedule", "RECIPE", *arguments)
    assert kubeflow.requests == []


def test_the_next_times_are_those_after_the_start_and_before_the_end():
    within = Recurrence("0 0 3 * * *", None, NOW + timedelta(10), NOW + timedelta(12))
    assert lines(within, NOW) == [
        "at 03:00:00 every day (UTC)",
        "next: Mon 2026-12-07 03:00:00 UTC, Tue 2026-12-08 03:00:00 UTC",
    ]
    assert lines(Recurrence(every=7 * 86400), NOW)[1].startswith("next: Thu 2026-12-03 19:30:00 UTC, Thu 2026-12-10")


def test_the_other_pipeline_recurs_as_well(kubeflow, sentei):
    """What README says to type: the champion is tested again every week."""
    told = sentei("schedule", "RECIPE", "--every", "7d", "--pipeline", "recertify")
    assert "scheduled digits-small-recertify\n  every 7 days\n  next: " in told
    (made,) = kubeflow.recurring.values()
    version = kubeflow.versions[made.pipeline_version_reference.pipeline_version_id]
    assert version.display_name.startswith("sentei-recertify-")
    executors = version.pipeline_spec["pipeline_spec"]["deploymentSpec"]["executors"]
    assert {"exec-fetch-champion", "exec-retest", "exec-conclude"} <= set(executors)
