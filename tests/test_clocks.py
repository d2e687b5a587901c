"""The board of deadlines: what stands where, for whom, and what nobody can miss."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import icalendar
import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from config import Settings
from exchange import accounts, boards, clocks, incidents
from exchange.boards import in_words
from exchange.clocks import Urgency
from exchange.errors import Unavailable
from exchange.incidents import Filing
from exchange.models import Case, Delivery, Organization, Person
from exchange.sharing import Kind, Role, Viewer
from exchange.stores import Stores
from exchange.tables import lay_over
from portal.app import create_app
from portal.web import previews
from tests.conftest import NOW
from tests.make import Clock, make_organization, make_report, make_viewer

# A leak that somebody may have wanted: the commission gets a full report within sixty days, the first counted.
LEAK = {"designated_asset": "yes", "personal_data": "yes", "incident_kind": "ransomware", "share_scope": "nco"}
LAST_DAY = datetime(2027, 1, 19, 14, 59, 59, 999999, tzinfo=UTC)
OPERATOR = {"sector": "finance", "act_special_operator": True}
Person_ = tuple[Viewer, Case]


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """What time it is for the pages."""
    told = Clock()
    for module in ("portal.web.clocks", "portal.web.cases", "portal.web.home", "portal.auth"):
        monkeypatch.setattr(f"{module}.utcnow", told)
    return told


@pytest.fixture
def app(settings: Settings) -> Iterator[Flask]:
    """The portal."""
    made = create_app(settings)
    yield made
    made.extensions["stores"].close()


@pytest.fixture
def browser(app: Flask) -> Callable[[Viewer], FlaskClient]:
    """A browser in which somebody has signed in, in Japanese."""

    def signed_in(viewer: Viewer) -> FlaskClient:
        with app.extensions["stores"].case.transaction() as db:
            person = db.get_one(Person, viewer.person_id)
            token = accounts.open_login(db, person, now=NOW, hours=24 * 400)
        client = app.test_client()
        with client.session_transaction() as session:
            session["login"], session["lang"] = token, "ja"
        return client

    return signed_in


def make_leak(stores: Stores, *, own: dict[str, Any] = OPERATOR, **answers: Any) -> Person_:
    with stores.case.transaction() as db:
        reporter = make_viewer(db, make_organization(db, **own))
        return reporter, make_report(db, reporter, **LEAK | answers).case


def urgencies(stores: Stores, viewer: Viewer, now: datetime) -> dict[tuple[str, str], Urgency]:
    with stores.case.reading() as db:
        board = boards.show(db, viewer, now=now)
    rows = [row for group in board.running.values() for row in group]
    return {(row.deadline.regime, row.deadline.stage): row.urgency for row in rows}


# --- the board -----------------------------------------------------------------------------------------


def test_a_deadline_runs_then_is_soon_over_then_late(stores: Stores) -> None:
    reporter, _ = make_leak(stores)
    full = ("ppc-private", "kakuhou")
    moments = {
        NOW: Urgency.RUNNING,
        LAST_DAY - timedelta(days=3): Urgency.SOON,
        LAST_DAY: Urgency.SOON,
        LAST_DAY + timedelta(microseconds=1): Urgency.LATE,
    }
    assert {at: urgencies(stores, reporter, at)[full] for at in moments} == moments
    assert urgencies(stores, reporter, NOW)["ppc-private", "sokuhou"] is Urgency.MET


def test_late_ones_come_first_and_the_longest_over_before_all(stores: Stores) -> None:
    reporter, _ = make_leak(stores)
    with stores.case.reading() as db:
        late = boards.show(db, reporter, now=LAST_DAY + timedelta(days=1)).running[Urgency.LATE]
    ends = [row.deadline.runs_out_at for row in late]
    assert len(ends) == 3 and ends == sorted(ends, key=lambda end: end or NOW)


def test_an_update_meets_the_deadline_that_asks_for_one(stores: Stores) -> None:
    reporter, case = make_leak(stores)
    later = LAST_DAY + timedelta(days=2)
    with stores.case.transaction() as db:
        held = incidents.hold(db, case.id)
        incidents.update(db, held, {"current_status": "contained"}, Filing("zokuhou", "web", reporter), now=later)
        kinds = {row.urgency for row in boards.of_case(db, held, now=later) if row.deadline.met_by == "update"}
    assert kinds == {Urgency.MET}


def test_a_correction_is_no_news_of_the_case(stores: Stores) -> None:
    """Another telephone number, or another consent, is not the follow-up that an authority waits for."""
    reporter, case = make_leak(stores)
    follow = ("fsa", "follow")
    with stores.case.transaction() as db:
        held = incidents.hold(db, case.id)
        for stage, changes, urgency, mark in (
            ("correction", {"callback": "+81399999999"}, Urgency.RUNNING, ""),
            ("correction", {"share_scope": "legal-only"}, Urgency.RUNNING, ""),
            ("zokuhou", {"current_status": "contained"}, Urgency.MET, "met"),
        ):
            shown = previews.of(db, held, changes, stage, by=reporter, now=NOW)["dues"]
            assert {(due.clock.regime, due.clock.stage): due.mark for due in shown}[follow] == mark, stage
            incidents.update(db, held, changes, Filing(stage, "web", reporter), now=NOW)
            rows = {(one.deadline.regime, one.deadline.stage): one.urgency for one in boards.of_case(db, held, now=NOW)}
            assert rows[follow] is urgency, stage


def test_a_case_that_collects_a_recipient_by_two_ways_is_filed(stores: Stores) -> None:
    """The rule names the ministry by its id, which is the ministry of the sector as well."""
    added = {"to": ["fsa", "ministry"], "id": "twice", "ja": "追加", "en": "Added", "when": {"all": []}}
    words = {"law": {"ja": "法", "en": "Law"}, "reason": {"ja": "理由", "en": "Reason"}}
    lists = {"stages": [], "otherwise": [], "regime": True, "purpose": "response"}
    lay_over({("rules", "rules"): [added | words | lists]}, "test")
    try:
        _, case = make_leak(stores)
    finally:
        lay_over({}, "")
    with stores.case.reading() as db:
        told = db.scalars(select(Delivery.recipient)).all()
    assert case.ref and sorted(told) == ["cao-cyber", "fsa", "nco", "ppc"]


def test_a_closed_case_presses_nobody(stores: Stores) -> None:
    reporter, case = make_leak(stores)
    with stores.case.transaction() as db:
        incidents.close(db, incidents.hold(db, case.id), by=reporter, now=NOW)
        assert boards.own_pressing(db, reporter, now=LAST_DAY + timedelta(days=1)) == []
        assert not any(boards.show(db, reporter, now=NOW).running.values())


def test_each_sees_the_clocks_of_the_cases_that_it_may_see(stores: Stores) -> None:
    reporter, _ = make_leak(stores)
    secret, _ = make_leak(stores, share_scope="legal-only")
    with stores.case.transaction() as db:
        desk = make_viewer(db, make_organization(db, kind=Kind.NCO), Role.ANALYST)
        stranger = make_viewer(db, make_organization(db, kind=Kind.ISAC, isacs=["t-isac"]), Role.READER)
    for viewer, seen in ((reporter, 1), (secret, 1), (desk, 1), (stranger, 0)):
        with stores.case.reading() as db:
            board = boards.show(db, viewer, now=NOW)
        assert len(board.versions) == seen
        assert len({row.deadline.case_id for rows in board.running.values() for row in rows}) == seen


def test_what_was_not_known_is_asked_again_until_an_update_answers_it(stores: Stores) -> None:
    reporter, case = make_leak(stores, personal_data="unknown")
    with stores.case.transaction() as db:
        (asked,) = boards.show(db, reporter, now=NOW).again
        assert (asked.case.ref, asked.at) == (case.ref, NOW + timedelta(hours=24))
        held = incidents.hold(db, case.id)
        incidents.update(db, held, {"personal_data": "no"}, Filing("zokuhou", "web", reporter), now=NOW)
        db.flush()
        assert boards.show(db, reporter, now=NOW).again == []


@pytest.mark.parametrize(
    ("left", "ja", "en"),
    [
        (timedelta(days=2, hours=4, minutes=59), "あと2日4時間", "2 days 4 hours left"),
        (timedelta(days=1, minutes=5), "あと1日", "1 day left"),
        (timedelta(days=58, hours=3), "あと58日", "58 days left"),
        (timedelta(hours=1, minutes=1), "あと1時間1分", "1 hour 1 minute left"),
        (timedelta(minutes=45, seconds=59), "あと45分", "45 minutes left"),
        (timedelta(seconds=59), "あと1分未満", "less than a minute left"),
        (-timedelta(days=2, hours=4), "2日4時間経過", "2 days 4 hours past"),
        (-timedelta(seconds=1), "過ぎたところ", "just past"),
    ],
)
def test_time_left_is_told_in_words_and_never_more_than_there_is(left: timedelta, ja: str, en: str) -> None:
    assert (in_words(left).ja, in_words(left).en) == (ja, en)


# --- the pages -----------------------------------------------------------------------------------------


def text_of(page: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page))


def test_the_page_puts_what_is_late_on_top_in_words_and_with_a_sign(
    stores: Stores, clock: Clock, browser: Callable[[Viewer], FlaskClient]
) -> None:
    reporter, case = make_leak(stores)
    clock.now = LAST_DAY + timedelta(days=2, hours=4)
    page = browser(reporter).get("/clocks").get_data(as_text=True)
    late, main = page.index('id="late"'), page.index("<main")
    assert main < late and "due--late" in page[late:] and '<svg class="sign"' in page[late:]
    told = text_of(page[late:])
    assert "期限超過" in told and "2日4時間経過" in told and "2027年1月19日（火）" in told and case.ref in told
    assert "個人データの漏えい等の報告（民間）" in told and "確報を出す" in told
    assert f'action="/cases/{case.ref}/drafts"' in page and 'name="stage" value="kakuhou"' in page


def test_every_page_of_a_late_reporter_says_so_and_nobody_elses(
    stores: Stores, clock: Clock, browser: Callable[[Viewer], FlaskClient]
) -> None:
    reporter, case = make_leak(stores)
    with stores.case.transaction() as db:
        desk = make_viewer(db, make_organization(db, kind=Kind.NCO), Role.ANALYST)
        other = make_viewer(db, make_organization(db))
    late, others = browser(reporter), [browser(desk), browser(other)]
    pages = ["/", "/clocks", "/reports/new", "/feed", f"/cases/{case.ref}", f"/cases/{case.ref}/receipt", "/nowhere"]
    assert not [path for path in pages if 'class="alarm"' in late.get(path).get_data(as_text=True)]
    clock.now = LAST_DAY + timedelta(days=1)
    assert [path for path in pages if 'class="alarm"' in late.get(path).get_data(as_text=True)] == pages
    for client in others:
        assert not [path for path in ("/", "/clocks") if 'class="alarm"' in client.get(path).get_data(as_text=True)]


def test_the_desk_is_led_to_its_own_page_of_the_case(
    stores: Stores, clock: Clock, browser: Callable[[Viewer], FlaskClient]
) -> None:
    _, case = make_leak(stores)
    with stores.case.transaction() as db:
        desk = make_viewer(db, make_organization(db, kind=Kind.NCO), Role.ANALYST)
    page = browser(desk).get("/clocks").get_data(as_text=True)
    assert f"/desk/{case.ref}" in page and f"/cases/{case.ref}" not in page and "を出す" not in page


def test_more_time_is_shown_with_who_gave_it(
    stores: Stores, clock: Clock, browser: Callable[[Viewer], FlaskClient]
) -> None:
    reporter, case = make_leak(stores)
    until = LAST_DAY.date() + timedelta(days=30)
    with stores.case.transaction() as db:
        held = incidents.hold(db, case.id)
        clocks.extend(db, held, "ppc-private", "kakuhou", until=until, authority="ppc", by=reporter, now=NOW)
    told = text_of(browser(reporter).get("/clocks").get_data(as_text=True))
    assert "個人情報保護委員会が2027年2月18日（木）まで延長しました" in told


def test_without_a_deadline_the_page_says_so(
    stores: Stores, clock: Clock, browser: Callable[[Viewer], FlaskClient]
) -> None:
    with stores.case.transaction() as db:
        reporter = make_viewer(db, make_organization(db))
    page = browser(reporter).get("/clocks").get_data(as_text=True)
    assert "進行中の期限はありません" in page and "clocks.ics" not in page


def test_no_page_of_deadlines_names_the_organization(
    stores: Stores, clock: Clock, browser: Callable[[Viewer], FlaskClient]
) -> None:
    reporter, case = make_leak(stores)
    with stores.case.reading() as db:
        profile = accounts.profile_of(db, db.get_one(Organization, case.organization_id))
    client = browser(reporter)
    for path in ("/clocks", "/clocks.ics", f"/cases/{case.ref}/clocks.ics"):
        said = client.get(path).get_data(as_text=True)
        assert not [name for name in (profile["name_ja"], profile["name_en"]) if name in said], path


def test_a_clock_whose_rule_was_taken_away_breaks_no_page(
    stores: Stores, clock: Clock, browser: Callable[[Viewer], FlaskClient]
) -> None:
    reporter, case = make_leak(stores)
    with stores.case.transaction() as db:
        for deadline in clocks.of_case(db, case):
            deadline.regime, deadline.extended_by, deadline.extended_to = "gone", "gone", LAST_DAY.date()
            deadline.stage = str(deadline.id)
    clock.now = LAST_DAY + timedelta(days=1)
    client = browser(reporter)
    for path in ("/clocks", "/", "/clocks.ics"):
        assert "gone" in client.get(path).get_data(as_text=True), path


def test_a_page_can_be_shown_while_nobody_can_say_what_is_late(
    stores: Stores, clock: Clock, browser: Callable[[Viewer], FlaskClient], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may be the one that says so."""

    def away(*_: object, **__: object) -> None:
        raise Unavailable("away")

    reporter, _ = make_leak(stores)
    client = browser(reporter)
    monkeypatch.setattr(boards, "own_pressing", away)
    assert client.get("/nowhere").status_code == 404


# --- the calendar --------------------------------------------------------------------------------------


def test_the_calendar_has_every_deadline_of_the_case_by_a_name_that_stays(
    stores: Stores, clock: Clock, browser: Callable[[Viewer], FlaskClient]
) -> None:
    reporter, case = make_leak(stores)
    answer = browser(reporter).get(f"/cases/{case.ref}/clocks.ics")
    assert answer.status_code == 200 and answer.content_type == "text/calendar; charset=utf-8"
    events = {str(event["UID"]): event for event in icalendar.Calendar.from_ical(answer.data).walk("VEVENT")}
    with stores.case.reading() as db:
        ends = [one for one in clocks.of_case(db, case) if one.runs_out_at is not None]
    assert set(events) == {str(one.id) for one in ends} and ends
    assert all(str(event["SUMMARY"]).removeprefix("【済】").startswith(case.ref) for event in events.values())
    again = browser(reporter).get("/clocks.ics").data
    assert {str(event["UID"]) for event in icalendar.Calendar.from_ical(again).walk("VEVENT")} == set(events)


def test_a_calendar_of_somebody_elses_case_does_not_exist(
    stores: Stores, clock: Clock, browser: Callable[[Viewer], FlaskClient]
) -> None:
    _, case = make_leak(stores)
    stranger, _ = make_leak(stores)
    client = browser(stranger)
    assert client.get(f"/cases/{case.ref}/clocks.ics").status_code == 404
    assert case.ref not in client.get("/clocks.ics").get_data(as_text=True)


# --- others --------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("clock")
def test_the_receipt_and_the_case_say_that_one_is_not_alone(
    stores: Stores, browser: Callable[[Viewer], FlaskClient]
) -> None:
    reporter, case = make_leak(stores, share_scope="council-anon")
    client, paths = browser(reporter), (f"/cases/{case.ref}", f"/cases/{case.ref}/receipt")
    words = "過去72時間に、同じ種類の報告が他にもありました。"
    for expected in (False, False, False, True):
        assert [words in client.get(path).get_data(as_text=True) for path in paths] == [expected, expected]
        make_leak(stores, share_scope="council-anon")
