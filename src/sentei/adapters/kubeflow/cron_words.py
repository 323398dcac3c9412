"""A cron line said back in words."""

from collections.abc import Sequence
from itertools import product

from sentei.adapters.kubeflow.cron import FIELDS, Bounds, Cron, Field

MONTH_NAMES = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
DAY_NAMES = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")
MOST_TIMES = 6
"""As many times of day are said one by one; more are said as their hours, minutes and seconds."""
_SECOND, _MINUTE, _HOUR, _DAY, _MONTH, _WEEKDAY = FIELDS


def in_words(cron: Cron) -> str:
    """When a line fires, as one would say it.

    Example:
        >>> from sentei.adapters.kubeflow.cron import parse_cron
        >>> in_words(parse_cron("0 30 3 * * MON-FRI"))
        'at 03:30:00 on every Monday, Tuesday, Wednesday, Thursday and Friday'
    """
    parts = [_times(cron), _days(cron)]
    if not _all(cron.month, _MONTH):
        parts.append(f"in {_and([MONTH_NAMES[month - 1] for month in cron.month.values])}")
    return " ".join(parts)


def every_in_words(seconds: int) -> str:
    """A fixed interval, as one would say it.

    Example:
        >>> every_in_words(7 * 86400), every_in_words(3600)
        ('every 7 days', 'every hour')
    """
    if seconds < 1:
        raise ValueError(f"expected an interval of 1 second or more, received {seconds}")
    units = ((86400, "day"), (3600, "hour"), (60, "minute"), (1, "second"))
    unit, name = next(pair for pair in units if seconds % pair[0] == 0)
    count = seconds // unit
    return f"every {name}" if count == 1 else f"every {count} {name}s"


def _times(cron: Cron) -> str:
    clock = list(product(cron.hour.values, cron.minute.values, cron.second.values))
    if len(clock) <= MOST_TIMES:
        return f"at {_and([f'{hour:02}:{minute:02}:{second:02}' for hour, minute, second in clock])}"
    parts = [
        _of(cron.second, _SECOND, "second", "seconds"),
        _of(cron.minute, _MINUTE, "minute", "minutes"),
        _of(cron.hour, _HOUR, "hour", "hours"),
    ]
    while parts[1:] and parts[0].startswith("every") and parts[1].startswith("every"):
        parts.pop(1)  # every second of every minute is every second
    return f"at {' of '.join(parts)}"


def _days(cron: Cron) -> str:
    days, weekdays = not _all(cron.day, _DAY), not _all(cron.weekday, _WEEKDAY)
    numbers = (
        f"on {'day' if len(cron.day.values) == 1 else 'days'} {_and(list(map(str, cron.day.values)))} of the month"
    )
    names = [DAY_NAMES[day] for day in cron.weekday.values]
    if cron.day.star or cron.weekday.star:
        if days and weekdays:
            return f"{numbers}, if that is a {_and(names, 'or')}"
        if weekdays:
            return f"on every {_and(names)}"
        return numbers if days else "every day"
    return f"{numbers} and on every {_and(names)}"


def _of(field: Field, bounds: Bounds, one: str, several: str) -> str:
    if _all(field, bounds):
        return f"every {one}"
    return f"{one if len(field.values) == 1 else several} {_and(list(map(str, field.values)))}"


def _all(field: Field, bounds: Bounds) -> bool:
    return len(field.values) == bounds.most - bounds.least + 1


def _and(words: Sequence[str], last: str = "and") -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} {last} {words[-1]}"
