"""Cron lines as Kubeflow reads them: six fields, seconds first; an impossible line is refused, never sent.

Kubeflow parses with robfig/cron 1.2, which takes five fields as well and reads them as second to month: a line that
everybody else writes would run at other times than it says. Here a line has six fields, and what that parser passes
over in silence (an empty item, ``*-5``) is refused.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sentei.errors import RecipeError

MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
HORIZON = 5
"""Years after which Kubeflow gives up looking for the next time."""
DESCRIPTORS = {
    "@yearly": "0 0 0 1 1 *",
    "@annually": "0 0 0 1 1 *",
    "@monthly": "0 0 0 1 * *",
    "@weekly": "0 0 0 * * 0",
    "@daily": "0 0 0 * * *",
    "@midnight": "0 0 0 * * *",
    "@hourly": "0 0 * * * *",
}


@dataclass(frozen=True)
class Bounds:
    """What a field may say: a whole number from ``least`` to ``most``, or a name."""

    name: str
    least: int
    most: int
    names: tuple[str, ...] = ()

    def number(self, text: str, field: str) -> int:
        """The value of one number or name."""
        if text.lower() in self.names:
            return self.names.index(text.lower()) + self.least
        if not (text.isascii() and text.isdigit() and self.least <= int(text) <= self.most):
            named = f", or {self.names[0].upper()} to {self.names[-1].upper()}" if self.names else ""
            sunday = "; Sunday is 0 here" if (self.name, text) == ("day of week", "7") else ""
            expected = f"--cron: {self.name}: expected {self.least} to {self.most}{named}"
            raise RecipeError(f"{expected}, received {text!r} in {field!r}{sunday}")
        return int(text)


FIELDS = (
    Bounds("second", 0, 59),
    Bounds("minute", 0, 59),
    Bounds("hour", 0, 23),
    Bounds("day of month", 1, 31),
    Bounds("month", 1, 12, MONTHS),
    Bounds("day of week", 0, 6, DAYS),
)


@dataclass(frozen=True)
class Field:
    """The values of one field, rising; ``star`` where it says ``*`` or ``?``, with a step or without."""

    values: tuple[int, ...]
    star: bool


@dataclass(frozen=True)
class Cron:
    """A cron line: when it fires, in UTC.

    Attributes:
        line: As Kubeflow is told.
        second: Values from 0 to 59; the other fields likewise, with Sunday as 0.
    """

    line: str
    second: Field
    minute: Field
    hour: Field
    day: Field
    month: Field
    weekday: Field

    def fires_on(self, date: datetime) -> bool:
        """Whether it fires on this day; where both kinds of days are restricted, one of them is enough."""
        if date.month not in self.month.values:
            return False
        day, weekday = date.day in self.day.values, (date.weekday() + 1) % 7 in self.weekday.values
        return (day and weekday) if self.day.star or self.weekday.star else (day or weekday)

    def after(self, moment: datetime) -> Iterator[datetime]:
        """The times after a moment, in UTC, to the second; none once Kubeflow would find none.

        Args:
            moment: Aware of its time zone.
        """
        now = moment.astimezone(UTC).replace(microsecond=0)
        day, last = now.replace(hour=0, minute=0, second=0), now.year + HORIZON
        while day.year <= last:
            if self.fires_on(day):
                for found in self._within(day, now):
                    yield found
                    last = found.year + HORIZON
            day += timedelta(days=1)

    def _within(self, day: datetime, now: datetime) -> Iterator[datetime]:
        for hour in self.hour.values:
            if day.replace(hour=hour, minute=59, second=59) <= now:
                continue
            for minute in self.minute.values:
                for second in self.second.values:
                    if (time := day.replace(hour=hour, minute=minute, second=second)) > now:
                        yield time


def parse_cron(line: str, now: datetime | None = None) -> Cron:
    """The schedule that a line asks for.

    Args:
        line: Second, minute, hour, day of month, month and day of week, or a name such as ``@daily``.
        now: When it is asked, for a line that never fires again; the present if None.

    Raises:
        RecipeError: The line is not one that Kubeflow reads as it is written, or it never fires.

    Source:
        robfig/cron 1.2.0, parser.go and spec.go.

    Example:
        >>> parse_cron("0 30 3 * * MON-FRI").weekday.values
        (1, 2, 3, 4, 5)
    """
    text = line.strip()
    words = _words(text)
    cron = Cron(" ".join(words) if text[:1] != "@" else text, *map(_field, words, FIELDS))
    if next(cron.after(now or datetime.now(UTC)), None) is None:
        raise RecipeError(
            f"--cron {line!r}: expected a line that fires, received one that does not within {HORIZON} years: no such "
            "month has such a day; correct the days or the months"
        )
    return cron


def _words(text: str) -> list[str]:
    if text.startswith("@every"):
        raise RecipeError(f"--cron {text!r}: expected a cron line; write --every 7d for a fixed interval")
    if text.startswith("@") and text not in DESCRIPTORS:
        raise RecipeError(f"--cron {text!r}: expected one of {', '.join(DESCRIPTORS)}, or six fields")
    words = DESCRIPTORS.get(text, text).split()
    if len(words) == len(FIELDS):
        return words
    if len(words) == len(FIELDS) - 1:
        days = "0" if words[4] == "7" else words[4]
        right = " ".join(["0", *words[:4], days])
        raise RecipeError(
            f"--cron {text!r}: expected six fields, seconds first, received five, which Kubeflow would read as second "
            f"to month; write {right!r}"
        )
    names = ", ".join(bounds.name for bounds in FIELDS)
    raise RecipeError(f"--cron {text!r}: expected six fields ({names}), received {len(words)}")


def _field(text: str, bounds: Bounds) -> Field:
    values: set[int] = set()
    star = False
    for item in text.split(","):
        values |= set(_item(item, text, bounds))
        star |= item[:1] in ("*", "?")
    return Field(tuple(sorted(values)), star)


def _item(item: str, field: str, bounds: Bounds) -> range:
    span, slash, step = item.partition("/")
    if slash and not (step.isascii() and step.isdigit() and int(step) > 0):
        raise RecipeError(f"--cron: {bounds.name}: expected a step of 1 or more after '/', received {field!r}")
    every = int(step) if slash else 1
    if span in ("*", "?"):
        return range(bounds.least, bounds.most + 1, every)
    low, dash, high = span.partition("-")
    first = bounds.number(low, field)
    last = bounds.number(high, field) if dash else (bounds.most if slash else first)
    if last < first:
        raise RecipeError(f"--cron: {bounds.name}: expected a range that rises, received {field!r}; write it as two")
    return range(first, last + 1, every)
