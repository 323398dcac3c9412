"""Cron lines are read as Kubeflow reads them, said back in words, or refused with the right line."""

import re
from datetime import UTC, datetime, timedelta
from itertools import islice

import pytest
from croniter import croniter
from hypothesis import assume, given
from hypothesis import strategies as st

from sentei.adapters.kubeflow.cron import FIELDS, MONTHS, parse_cron
from sentei.adapters.kubeflow.cron_words import DAY_NAMES, MONTH_NAMES, every_in_words, in_words
from sentei.errors import RecipeError

NOW = datetime(2026, 11, 26, 19, 30, 5, tzinfo=UTC)


@st.composite
def items(draw, bounds):
    """One item of a field: a number or name, a range, or an open range, each with a step or without."""
    low = draw(st.integers(bounds.least, bounds.most - 1))
    high = draw(st.integers(low + 1, bounds.most))  # croniter takes 10-10 for every day
    step = draw(st.integers(1, bounds.most))

    def said(value):
        return draw(st.sampled_from([str(value), *([bounds.names[value - bounds.least]] if bounds.names else [])]))

    return draw(st.sampled_from([said(low), f"{said(low)}-{said(high)}", f"{low}-{high}/{step}", f"{low}/{step}"]))


@st.composite
def lines(draw):
    """A line that cron implementations agree on: a step behind a star stands in one field of days at most."""
    fields = []
    for bounds in FIELDS:
        several = st.lists(items(bounds), min_size=1, max_size=3).map(",".join)
        fields.append(draw(st.one_of(st.just("*"), several)))
    if "*" in (fields[3], fields[5]):
        place = 5 if fields[3] == "*" else 3
        fields[place] = draw(st.sampled_from([fields[place], "*/2", "*/3"]))
    return " ".join(fields)


moments = st.integers(0, 4 * 366 * 86400).map(lambda seconds: datetime(2025, 1, 1, tzinfo=UTC) + timedelta(0, seconds))


@given(lines(), moments)
def test_the_next_times_are_those_of_an_independent_implementation(line, now):
    theirs = croniter(line, now, second_at_beginning=True, max_years_between_matches=5)
    try:
        expected = [theirs.get_next(datetime) for _ in range(3)]
    except ValueError:
        expected = None
    assume(expected is not None)
    assert list(islice(parse_cron(line, now).after(now), 3)) == expected


@given(lines(), moments)
def test_a_question_mark_says_what_a_star_says(line, now):
    try:
        expected = list(islice(parse_cron(line, now).after(now), 3))
    except RecipeError:
        assume(False)
    assert list(islice(parse_cron(line.replace("*", "?"), now).after(now), 3)) == expected


@given(lines(), moments)
def test_every_word_about_times_days_and_months_is_true_of_the_next_times(line, now):
    try:
        cron = parse_cron(line, now)
    except RecipeError:
        assume(False)
    words, times = in_words(cron), list(islice(cron.after(now), 30))
    clock = set(re.findall(r"\d\d:\d\d:\d\d", words))
    assert not clock or {f"{time:%H:%M:%S}" for time in times} <= clock
    months = {name for name in MONTH_NAMES if name in words}
    assert not months or {MONTH_NAMES[time.month - 1] for time in times} <= months
    days = {name for name in DAY_NAMES if name in words}
    of_month = re.search(r"on days? ([\d, and]+) of the month", words)
    numbers = set(re.findall(r"\d+", of_month[1])) if of_month else set()
    for time in times:
        by_name, by_number = f"{time:%A}" in days, str(time.day) in numbers
        if "if that is a" in words:
            assert by_name
            assert by_number
        elif days or numbers:
            assert by_name or by_number


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("0 0 3 * * *", "at 03:00:00 every day"),
        ("@daily", "at 00:00:00 every day"),
        ("@weekly", "at 00:00:00 on every Sunday"),
        ("@yearly", "at 00:00:00 on day 1 of the month in January"),
        ("0 */15 * * * *", "at second 0 of minutes 0, 15, 30 and 45 of every hour every day"),
        ("0 0 3,15 1,15 * ?", "at 03:00:00 and 15:00:00 on days 1 and 15 of the month"),
        ("0 0 3 13 * FRI", "at 03:00:00 on day 13 of the month and on every Friday"),
        ("* * * * * *", "at every second every day"),
    ],
)
def test_a_line_is_said_back_in_words(line, words):
    assert in_words(parse_cron(line, NOW)) == words


def test_two_restricted_kinds_of_days_fire_on_either_and_a_star_with_a_step_asks_for_both():
    """robfig/cron: a star, also one with a step, turns 'or' into 'and'."""
    either = [f"{time:%a %d}" for time in islice(parse_cron("0 0 3 13 * MON", NOW).after(NOW), 4)]
    both = [f"{time:%a %d}" for time in islice(parse_cron("0 0 3 */2 * MON", NOW).after(NOW), 2)]
    assert either == ["Mon 30", "Mon 07", "Sun 13", "Mon 14"]
    assert both == ["Mon 07", "Mon 21"]


def test_the_last_second_of_february_in_a_leap_year_is_found():
    assert next(parse_cron("59 59 23 29 FEB *", NOW).after(NOW)) == datetime(2028, 2, 29, 23, 59, 59, tzinfo=UTC)


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("0 3 * * 1", "received five, which Kubeflow would read as second to month; write '0 0 3 * * 1'"),
        ("*/5 * * * *", "write '0 */5 * * * *'"),
        ("0 3 * * 7", "write '0 0 3 * * 0'"),
        ("banana", "expected six fields (second, minute, hour, day of month, month, day of week), received 1"),
        ("", "received 0"),
        ("0 0 3 30 2 *", "no such month has such a day"),
        ("0 0 3 31 4,6,9,11 ?", "no such month has such a day"),
        ("0 0 3 * * 7", "day of week: expected 0 to 6, or SUN to SAT, received '7' in '7'; Sunday is 0 here"),
        ("@every 7d", "write --every 7d"),
        ("@reboot", "expected one of @yearly"),
        ("60 0 3 * * *", "second: expected 0 to 59, received '60'"),
        ("0 0 24 * * *", "hour: expected 0 to 23"),
        ("0 0 3 0 * *", "day of month: expected 1 to 31"),
        ("0 0 3 * 13 *", "month: expected 1 to 12, or JAN to DEC"),
        ("0 0 3,, * * *", "received '' in '3,,'"),
        ("0 0 5-3 * * *", "expected a range that rises"),
        ("0 0 */0 * * *", "expected a step of 1 or more"),
        ("0 0 1/2/3 * * *", "expected a step of 1 or more"),
        ("0 0 *-5 * * *", "hour: expected 0 to 23, received '*'"),
        ("0 0 ٣ * * *", "hour: expected 0 to 23"),
        ("0 0 3 L * *", "day of month: expected 1 to 31, received 'L'"),
    ],
)
def test_a_line_that_would_not_run_as_it_reads_is_refused(line, told):
    with pytest.raises(RecipeError) as caught:
        parse_cron(line, NOW)
    assert told in str(caught.value)


@pytest.mark.parametrize("month", range(1, 13))
def test_names_of_months_are_their_numbers(month):
    named = parse_cron(f"0 0 3 1 {MONTHS[month - 1].title()} *", NOW)
    assert next(named.after(NOW)).month == month


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(604800, "every 7 days"), (86400, "every day"), (5400, "every 90 minutes"), (61, "every 61 seconds")],
)
def test_an_interval_is_said_in_its_largest_whole_unit(seconds, words):
    assert every_in_words(seconds) == words


def test_no_interval_at_all_is_none():
    with pytest.raises(ValueError, match="1 second or more, received 0"):
        every_in_words(0)
