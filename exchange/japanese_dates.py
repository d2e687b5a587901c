"""Dates and times as people in Japan type them, full-width digits and imperial eras included."""

from __future__ import annotations

import re
import unicodedata
from datetime import date, datetime, time

from exchange.times import JST

# The year before the first of each era, by its kanji and by its letter.
_ERAS = {"令和": 2018, "R": 2018, "平成": 1988, "H": 1988, "昭和": 1925, "S": 1925}

_DATE = re.compile(
    r"(?P<era>令和|平成|昭和|[RHS])?(?P<year>元|[0-9]{1,4})(?:年|[-/.])"
    r"(?P<month>[0-9]{1,2})(?:月|[-/.])(?P<day>[0-9]{1,2})日?"
)
_DAY_OF_YEAR = re.compile(r"(?P<month>[0-9]{1,2})(?:月|[-/.])(?P<day>[0-9]{1,2})日?")
_COMPACT_DATE = re.compile(r"(?P<year>[0-9]{4})(?P<month>[0-9]{2})(?P<day>[0-9]{2})")
_WEEKDAY = re.compile(r"\([月火水木金土日](?:曜日?)?\)$")
_COMPACT_TIME = re.compile(r"(?P<hour>[0-9]{2})(?P<minute>[0-9]{2})")
_TIME = re.compile(
    r"(?P<half>午前|午後)?(?P<hour>[0-9]{1,2})(?::(?P<minute>[0-9]{2})(?::[0-9]{2})?|時(?:(?P<spoken>半|[0-9]{1,2}分))?)"
    r"(?:頃|ごろ)?"
)


def _plain(text: str) -> str:
    """Half-width, without blanks: `２０２６年 １１月` becomes `2026年11月`."""
    return re.sub(r"\s", "", unicodedata.normalize("NFKC", text)).upper()


def _year(era: str | None, year: str) -> int:
    """The western year; 0, which no date has, for a year that needs an era and has none."""
    if era is None:
        return int(year) if len(year) == 4 else 0
    counted = 1 if year == "元" else int(year)
    return _ERAS[era] + counted if counted else 0


def read_date(text: str, today: date, *, ahead: bool = False) -> date | None:
    """`2026-11-04`, `2026/11/4`, `2026年11月4日（水）`, `令和8年11月4日`, `R8.11.4`, `11/4`; None if none of these.

    Args:
        today: without a year it is the last such day up to this one.
        ahead: or the nearest one, which may be to come.
    """
    plain = _WEEKDAY.sub("", _plain(text))
    match = _DATE.fullmatch(plain) or _COMPACT_DATE.fullmatch(plain)
    if match is not None:
        year = _year(match.groupdict().get("era"), match["year"])
        return _day(year, int(match["month"]), int(match["day"]))
    match = _DAY_OF_YEAR.fullmatch(plain)
    return _without_year(int(match["month"]), int(match["day"]), today, ahead=ahead) if match else None


def _day(year: int, month: int, day: int) -> date | None:
    try:
        return date(year, month, day)
    except ValueError:
        return None


def _without_year(month: int, day: int, today: date, *, ahead: bool) -> date | None:
    """29 February may be eight years away, around 2100."""
    years = range(today.year - 8, today.year + 9 if ahead else today.year + 1)
    days = filter(None, (_day(year, month, day) for year in years))
    return min((one for one in days if ahead or one <= today), key=lambda one: abs(one - today), default=None)


def _minute(match: re.Match[str]) -> int:
    if match["minute"]:
        return int(match["minute"])
    if match["spoken"] == "半":
        return 30
    return int((match["spoken"] or "0").removesuffix("分"))


def _hour(match: re.Match[str]) -> int:
    """On the 24-hour clock: 午後5時 is 17, and 午前12時 is midnight."""
    hour = int(match["hour"])
    if match["half"] is None or hour > 12:
        return hour
    return hour % 12 + (12 if match["half"] == "午後" else 0)


def read_time(text: str) -> time | None:
    """`05:12`, `0512`, `5時12分`, `午後5時半`, `5時頃`, `正午`; seconds are dropped; None if it is none of these."""
    plain = re.sub(r"^正午", "12時", _plain(text))
    try:
        if compact := _COMPACT_TIME.fullmatch(plain):
            return time(int(compact["hour"]), int(compact["minute"]))
        match = _TIME.fullmatch(plain)
        return time(_hour(match), _minute(match)) if match else None
    except ValueError:
        return None


def moment(day_text: str, time_text: str, today: date, *, ahead: bool = False) -> str:
    """Both as one RFC 3339 time in Japan, or, when either cannot be read, what was typed, as it was.

    Args: as those of `read_date`.
    """
    day, clock = read_date(day_text, today, ahead=ahead), read_time(time_text)
    if day is None or clock is None:
        return f"{day_text} {time_text}".strip()
    return datetime.combine(day, clock, tzinfo=JST).isoformat()
