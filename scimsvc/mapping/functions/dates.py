"""Functions on dates and times."""

from __future__ import annotations

import calendar
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from scimsvc.mapping.functions.model import Function, FunctionError, Lazy, Parameter, each, plain
from scimsvc.mapping.functions.moments import (
    EPOCH,
    NO_CURRENT_DATE,
    WHITE_STYLES,
    Moment,
    check_format,
    moved,
    read,
    read_as,
    write,
)
from scimsvc.mapping.functions.values import as_integer, as_text, is_empty

_SECONDS = {"ww": 604_800, "d": 86_400, "h": 3_600, "n": 60, "s": 1}
_INTERVALS = ("yyyy", "m", "ww", "d", "h", "n", "s")
_INTERVAL_HELP = "interval is yyyy (years), m (months), ww (weeks), d (days), h (hours), n (minutes) or s (seconds)."
_MAX_AMOUNT = 400_000_000_000


def as_moment(value: Any) -> Moment | None:
    """Return a date as CDate reads it, in UTC; None for a null or empty text."""
    if isinstance(value, Moment):
        return value
    return None if is_empty(value) else read(as_text(value) or "").utc()


C_DATE = Function(
    "CDate",
    "The date and time that a text spells, such as 2020-03-16-07:00, in UTC; without an offset it is in UTC already. As a text "
    "it reads 3/16/2020 7:00:00 AM. A null or empty expression gives null.",
    (Parameter("expression"),),
    plain(as_moment, 1),
    check=each({0: as_moment}),
    result="dateTime",
)


def _interval(value: Any) -> str:
    interval = as_text(value) or ""
    if interval not in _INTERVALS:
        raise FunctionError(f"interval must be one of {', '.join(_INTERVALS)}, not {interval[:20]!r}")
    return interval


def _date_add(interval: Any, value: Any, date_time: Any) -> Moment | None:
    unit, amount, moment = _interval(interval), as_integer(value, "value"), as_moment(date_time)
    if moment is None:
        return None
    if abs(amount) > _MAX_AMOUNT:
        raise FunctionError("the date would be outside the years 1 to 9999")
    if unit in _SECONDS:
        return moment._replace(clock=moved(moment.clock, timedelta(seconds=amount * _SECONDS[unit])))
    months = moment.clock.year * 12 + moment.clock.month - 1 + amount * (12 if unit == "yyyy" else 1)
    year, month = divmod(months, 12)
    if not 1 <= year <= 9999:
        raise FunctionError("the date would be outside the years 1 to 9999")
    day = min(moment.clock.day, calendar.monthrange(year, month + 1)[1])
    return moment._replace(clock=moment.clock.replace(year=year, month=month + 1, day=day))


DATE_ADD = Function(
    "DateAdd",
    f"A date some intervals later, or earlier if value is negative. {_INTERVAL_HELP} A day that a month doesn't have becomes "
    "its last.",
    (Parameter("interval"), Parameter("value", "integer"), Parameter("dateTime", "dateTime")),
    plain(_date_add, 3),
    check=each({0: _interval}),
    result="dateTime",
)


def _date_diff(interval: Any, first: Any, second: Any) -> int | None:
    unit, one, other = _interval(interval), as_moment(first), as_moment(second)
    if one is None or other is None:
        return None
    start, end = one.clock, other.clock
    match unit:
        case "yyyy":
            return end.year - start.year
        case "m":
            return (end.year - start.year) * 12 + end.month - start.month
        case "ww":
            # Sundays that lie between, as Visual Basic counts weeks.
            return end.toordinal() // 7 - start.toordinal() // 7
    between = end - start
    ticks = (between.days * 86_400 + between.seconds) * 10**7 + between.microseconds * 10 + other.tick - one.tick
    whole = abs(ticks) // (_SECONDS[unit] * 10**7)
    return whole if ticks >= 0 else -whole


DATE_DIFF = Function(
    "DateDiff",
    f"How many intervals lie between date1 and date2; negative if date2 is the earlier one. {_INTERVAL_HELP} Days, hours, "
    "minutes and seconds are whole ones, years and months are those of the calendar, and weeks are counted by their Sundays.",
    (Parameter("interval"), Parameter("date1", "dateTime"), Parameter("date2", "dateTime")),
    plain(_date_diff, 3),
    check=each({0: _interval}),
    result="integer",
)


def _date_from_num(value: Any) -> Moment | None:
    if is_empty(value):
        return None
    number = as_integer(value, "value")
    if abs(number) > 10**19:
        raise FunctionError("the date would be outside the years 1 to 9999")
    microseconds, tick = divmod(number, 10)
    return Moment(moved(EPOCH, timedelta(microseconds=microseconds)), tick, 0)


DATE_FROM_NUM = Function(
    "DateFromNum",
    "The date and time of a number in Active Directory's form: 100 nanoseconds since 1601.",
    (Parameter("value", "integer"),),
    plain(_date_from_num, 1),
    inverse=lambda value: str(_num_from_date(value)),
    result="dateTime",
)


def _num_from_date(value: Any) -> int | None:
    moment = as_moment(value)
    return None if moment is None else moment.file_time()


NUM_FROM_DATE = Function(
    "NumFromDate",
    "A date and time as a number in Active Directory's form: 100 nanoseconds since 1601. Without an offset it is in UTC.",
    (Parameter("value", "dateTime"),),
    plain(_num_from_date, 1),
    inverse=lambda value: str(_date_from_num(value)),
    result="integer",
)
NOW = Function(
    "Now",
    "The present date and time in UTC.",
    (),
    lambda arguments: lambda attributes: Moment(datetime.now(UTC).replace(tzinfo=None), 0, 0),
    deterministic=False,
    result="dateTime",
)

_STYLES = frozenset(
    {
        "None",
        "AllowWhiteSpaces",
        "RoundtripKind",
        "AssumeLocal",
        "AssumeUniversal",
        "AdjustToUniversal",
        NO_CURRENT_DATE,
        "CurrentCulture",
    }
)
_DEFAULT_STYLES = frozenset({"RoundtripKind", "AllowLeadingWhite", "AllowTrailingWhite"})


def _styles(value: Any) -> frozenset[str]:
    text = as_text(value)
    if text is None:
        return _DEFAULT_STYLES
    styles = {style.strip() for style in text.replace("|", ",").split(",") if style.strip()}
    for style in styles - _STYLES - WHITE_STYLES:
        raise FunctionError(f"{style[:40]!r} is not a DateTimeStyles; there are {', '.join(sorted(_STYLES | WHITE_STYLES))}")
    return frozenset(styles | WHITE_STYLES if "AllowWhiteSpaces" in styles else styles)


def _format_date_time(source: Any, styles: Any, input_format: Any, output_format: Any) -> str | None:
    if is_empty(source):
        return None
    chosen = _styles(styles)
    if isinstance(source, Moment) and not (as_text(input_format) or ""):
        moment = source
    else:
        moment = read_as(as_text(source) or "", as_text(input_format) or "", chosen)
    if "AdjustToUniversal" in chosen:
        moment = moment.utc()
    return write(moment, as_text(output_format) or "")


_format = plain(_format_date_time, 4)


def _build_format_date_time(arguments: Sequence[Lazy | None]) -> Lazy:
    if len(arguments) == 3:
        source, *formats = arguments
        arguments = [source, None, *formats]
    if arguments[2] is None or arguments[3] is None:
        raise FunctionError("FormatDateTime needs an inputFormat and an outputFormat")
    return _format(arguments)


def _check_formats(constants: Sequence[Any]) -> None:
    *rest, input_format, output_format = range(len(constants))
    # What a date function gives needs no format to be read.
    each({input_format: lambda text: check_format(text) if text else None, output_format: check_format})(constants)
    each({rest[1]: _styles} if len(rest) > 1 else {})(constants)


FORMAT_DATE_TIME = Function(
    "FormatDateTime",
    "A date that is written in one format, in another. Formats are .NET's, such as yyyy-MM-dd or M/d/yyyy h:mm:ss tt. The clock "
    "stays as it is written, whatever its offset, unless dateTimeStyles has AdjustToUniversal or the output format is U; "
    "without dateTimeStyles they are "
    "RoundtripKind, AllowLeadingWhite and AllowTrailingWhite. May also be called without the place for dateTimeStyles, with "
    "three arguments. A null or empty source gives null.",
    (
        Parameter("source"),
        Parameter("dateTimeStyles", optional=True),
        Parameter("inputFormat"),
        Parameter("outputFormat", optional=True),
    ),
    _build_format_date_time,
    check=_check_formats,
)

FUNCTIONS = (C_DATE, DATE_ADD, DATE_DIFF, DATE_FROM_NUM, NUM_FROM_DATE, NOW, FORMAT_DATE_TIME)
