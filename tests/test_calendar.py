"""The calendar file: read back by somebody else's parser, and looked at octet by octet."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from uuid import UUID

import icalendar
import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchange import calendars
from exchange.calendars import Entry
from exchange.times import JST
from tests.conftest import NOW

ID = UUID("7f8b1c1e-0f5d-4a3b-9c55-1d2e3f405162")
URL = "https://report.example/cases/N-0000-0000"
AT = datetime(2026, 11, 22, 3, 30, tzinfo=UTC)


def entry(
    title: str = "N-0000-0000 個人データの漏えい等の報告", due: datetime | date = AT, *, done: bool = False
) -> Entry:
    return Entry(ID, title, due, URL, done)


def lines_of(*entries: Entry) -> list[str]:
    """The lines, put together again."""
    text = calendars.render(entries, name="期限", now=NOW).decode()
    return text.replace("\r\n ", "").split("\r\n")


def events(*entries: Entry) -> list[icalendar.Event]:
    read = icalendar.Calendar.from_ical(calendars.render(entries, name="期限", now=NOW))
    return list(read.walk("VEVENT"))


def test_a_moment_is_an_event_at_that_moment_in_japan() -> None:
    (event,) = events(entry())
    assert event["DTSTART"].dt == AT and event["DTSTART"].dt.utcoffset() == timedelta(hours=9)
    assert "DTSTART;TZID=Asia/Tokyo:20261122T123000" in lines_of(entry())
    assert event["DTSTAMP"].dt == NOW.replace(microsecond=0)


def test_a_day_is_a_whole_day() -> None:
    (event,) = events(entry(due=date(2026, 12, 31)))
    assert event["DTSTART"].dt == date(2026, 12, 31) and event["DTEND"].dt == date(2027, 1, 1)


def test_it_reminds_a_day_and_two_hours_before_a_moment_and_before_the_end_of_a_day() -> None:
    for due, related in ((AT, None), (date(2026, 12, 31), "END")):
        alarms = [alarm["TRIGGER"] for event in events(entry(due=due)) for alarm in event.walk("VALARM")]
        assert [alarm.dt for alarm in alarms] == [timedelta(days=-1), timedelta(hours=-2)]
        assert [alarm.params.get("RELATED") for alarm in alarms] == [related, related]


def test_what_is_done_rings_no_more_and_keeps_its_name() -> None:
    (event,) = events(entry(done=True))
    assert not event.walk("VALARM") and event["UID"] == str(ID)


def test_a_calendar_without_a_deadline_is_one_that_programs_can_read() -> None:
    """RFC 5545 wants at least one component: the time zone is always there."""
    read = icalendar.Calendar.from_ical(calendars.render([], name="期限", now=NOW))
    (zone,) = read.walk("VTIMEZONE")
    assert datetime(2026, 7, 1, tzinfo=zone.to_tz()).utcoffset() == datetime(2026, 7, 1, tzinfo=JST).utcoffset()


def test_no_line_is_longer_than_75_octets_and_no_character_is_cut() -> None:
    for length in range(1, 120):
        raw = calendars.render([entry("a" * (length % 7) + "報" * length + "𠮷")], name="期限", now=NOW)
        assert raw.endswith(b"END:VCALENDAR\r\n") and b"\n" not in raw.replace(b"\r\n", b"")
        for line in raw.split(b"\r\n"):
            assert len(line) <= 75
            line.decode()


HOSTILE = [
    "a\r\nBEGIN:VALARM\r\nACTION:PROCEDURE",
    "a\nATTACH:file:///etc/passwd",
    'a;b,c\\d:e"f',
    "a\u2028b\u0085c\x00d\x0be\u202ef",
    "\\n\\,;;,,",
]


@pytest.mark.parametrize("title", HOSTILE)
def test_nothing_in_a_text_becomes_a_line_of_its_own(title: str) -> None:
    calm, loud = lines_of(entry("x")), lines_of(entry(title))
    assert [line.partition(":")[0] for line in calm] == [line.partition(":")[0] for line in loud]


@given(st.text(st.characters(categories=["L", "N", "P", "S", "Zs"]), max_size=200))
def test_a_title_comes_back_as_it_was(title: str) -> None:
    plain = "".join(char for char in title if char.isprintable())
    (event,) = events(entry(plain))
    assert str(event["SUMMARY"]) == plain


def test_a_link_stays_on_its_line() -> None:
    (event,) = events(Entry(ID, "x", AT, "https://a.example/\r\nX-BAD:1 \u3042"))
    assert str(event["URL"]) == "https://a.example/X-BAD:1"
