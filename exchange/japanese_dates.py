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
_COMPACT_DATE = re.compile(r"(?P<year>[0-9]{4})(?P<month>[0-9]{2})(?P<day>[0-9]{2})")
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


def read_date(text: str) -> date | None:
    """`2026-11-04`, `2026/11/4`, `2026年11月4日`, `令和8年11月4日`, `R8.11.4`; None if none of these."""
    plain = _plain(text)
    match = _DATE.fullmatch(plain) or _COMPACT_DATE.fullmatch(plain)
    if match is None:
        return None
    try:
        year = _year(match.groupdict().get("era"), match["year"])
        return date(year, int(match["month"]), int(match["day"]))
    except ValueError:
        return None


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
    """`05:12`, `5時12分`, `午後5時半`, `5時頃`; seconds are dropped; None if it is none of these."""
    match = _TIME.fullmatch(_plain(text))
    try:
        return time(_hour(match), _minute(match)) if match else None
    except ValueError:
        return None


def moment(day_text: str, time_text: str) -> str:
    """Both as one RFC 3339 time in Japan, or, when either cannot be read, what was typed, as it was."""
    day, clock = read_date(day_text), read_time(time_text)
    if day is None or clock is None:
        return f"{day_text} {time_text}".strip()
    return datetime.combine(day, clock, tzinfo=JST).isoformat()
