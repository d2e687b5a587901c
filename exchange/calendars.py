"""Deadlines as a calendar (iCalendar, RFC 5545): the number of a case and the regime, and no more."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

from exchange.times import JST

MEDIA_TYPE = "text/calendar"
_LINE_OCTETS = 75
_ALARMS = ("-P1D", "-PT2H")
_HEAD = ("BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//Noroshi//Clocks//JA", "CALSCALE:GREGORIAN", "METHOD:PUBLISH")
# Japan has had one offset and no summer time since 1951. A calendar needs a component even without any deadline.
_ZONE = (
    "BEGIN:VTIMEZONE",
    "TZID:Asia/Tokyo",
    "BEGIN:STANDARD",
    "DTSTART:19700101T000000",
    "TZOFFSETFROM:+0900",
    "TZOFFSETTO:+0900",
    "TZNAME:JST",
    "END:STANDARD",
    "END:VTIMEZONE",
)


@dataclass(frozen=True)
class Entry:
    """One deadline, by an id that is random and stays. `due`: a day for what lasts to its end. Done, it is silent."""

    id: UUID
    title: str
    due: datetime | date
    url: str
    done: bool = False


def render(entries: Iterable[Entry], *, name: str, now: datetime) -> bytes:
    """The calendar as it is sent: UTF-8, lines of at most 75 octets, ended by CR LF."""
    lines = [*_HEAD, f"X-WR-CALNAME:{_text(name)}", f"NAME:{_text(name)}", *_ZONE]
    for entry in entries:
        lines += _event(entry, now)
    return b"".join(map(_folded, [*lines, "END:VCALENDAR"]))


def _event(entry: Entry, now: datetime) -> Iterator[str]:
    yield "BEGIN:VEVENT"
    yield f"UID:{entry.id}"
    yield f"DTSTAMP:{now.astimezone(UTC):%Y%m%dT%H%M%SZ}"
    yield from _when(entry.due)
    yield f"SUMMARY:{_text(entry.title)}"
    yield f"URL:{_uri(entry.url)}"
    yield "TRANSP:TRANSPARENT"
    if not entry.done:
        for trigger in _ALARMS:
            yield from _alarm(entry, trigger)
    yield "END:VEVENT"


def _when(due: datetime | date) -> tuple[str, ...]:
    """A moment in Japan, or a whole day there."""
    if isinstance(due, datetime):
        return (f"DTSTART;TZID=Asia/Tokyo:{due.astimezone(JST):%Y%m%dT%H%M%S}",)
    return (f"DTSTART;VALUE=DATE:{due:%Y%m%d}", f"DTEND;VALUE=DATE:{due + timedelta(days=1):%Y%m%d}")


def _alarm(entry: Entry, trigger: str) -> tuple[str, ...]:
    """Before the moment; before the end of a day, which is when it runs out."""
    related = "" if isinstance(entry.due, datetime) else ";RELATED=END"
    shown = f"DESCRIPTION:{_text(entry.title)}"
    return "BEGIN:VALARM", "ACTION:DISPLAY", shown, f"TRIGGER{related}:{trigger}", "END:VALARM"


def _text(value: str) -> str:
    """A TEXT value: nothing in it can end a line or a property (section 3.3.11)."""
    plain = "".join(char for char in value if char.isprintable() or char == "\n")
    escaped = plain.replace("\\", "\\\\").replace(";", "\\;").replace(",", "\\,")
    return escaped.replace("\n", "\\n")


def _uri(value: str) -> str:
    return "".join(char for char in value if char.isascii() and char.isprintable() and char != " ")


def _folded(line: str) -> bytes:
    """A line in pieces of at most 75 octets, each character whole (section 3.1)."""
    pieces, current = [], b""
    for char in line:
        encoded = char.encode()
        if len(current) + len(encoded) > _LINE_OCTETS:
            pieces.append(current)
            current = b" "
        current += encoded
    return b"\r\n".join([*pieces, current]) + b"\r\n"
