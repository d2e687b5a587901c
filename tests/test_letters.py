"""Mails: what is written to whom and when, and that each goes out once, as what it says is still so."""

from __future__ import annotations

import smtplib
import ssl
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from pathlib import Path
from typing import Any
from uuid import UUID

import orjson
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from sqlalchemy import select
from sqlalchemy.orm import Session

from config import Settings, SettingsError
from exchange import accounts, clocks, incidents, letters, outbox, talk
from exchange.db import vault_of
from exchange.incidents import Filing
from exchange.models import AuditEntry, Case, Delivery, Event, Letter, Organization, Person
from exchange.sharing import Kind, Role, Viewer
from exchange.stores import Stores
from tests.conftest import NOW
from tests.mailbox import Mailbox, serving
from tests.make import Clock, make_organization, make_report, make_viewer
from workers import post

LEAK = {"designated_asset": "yes", "personal_data": "yes", "share_scope": "nco", "summary": "顧客名簿が持ち出された。"}
OPERATOR = {"sector": "finance", "act_special_operator": True}
# The commission's full report: sixty days, the first counted, to the end of the day in Japan.
END = datetime(2027, 1, 19, 14, 59, 59, 999999, tzinfo=UTC)
CSIRT = "csirt@operator.example"


@pytest.fixture
def box() -> Iterator[Mailbox]:
    """A mail server that answers."""
    made = Mailbox()
    with serving(made):
        yield made


@pytest.fixture
def posting(settings: Settings, box: Mailbox) -> Settings:
    """The installation with that mail server."""
    return replace(settings, mail_url=box.url, mail_from="noroshi@portal.example", public_url="https://portal.example/")


def contacts(*addresses: str) -> list[dict[str, str]]:
    return [{"role": "CSIRT", "name": "当直", "phone": "+81-50-0000-0000", "email": one} for one in addresses]


def make_reporter(db: Session, *addresses: str) -> Viewer:
    own = make_organization(db, **OPERATOR, contacts=contacts(*(addresses or (CSIRT,))))
    return make_viewer(db, own)


def make_case(stores: Stores, *addresses: str, **answers: Any) -> tuple[Viewer, Case]:
    with stores.case.transaction() as db:
        reporter = make_reporter(db, *addresses)
        return reporter, make_report(db, reporter, **LEAK | answers).case


def change_contacts(db: Session, case: Case, *addresses: str) -> None:
    own = db.get_one(Organization, case.organization_id)
    profile = accounts.profile_of(db, own) | {"contacts": contacts(*addresses)}
    own.sealed_profile = vault_of(db).seal(orjson.dumps(profile), at=f"organization:{own.id}")


def remind(stores: Stores, now: datetime) -> int:
    with stores.case.transaction() as db:
        return letters.remind(db, now=now)


def written(stores: Stores, kind: str = "") -> list[Letter]:
    with stores.case.reading() as db:
        rows = db.scalars(select(Letter).order_by(Letter.at, Letter.topic)).all()
    return [row for row in rows if row.topic.startswith(kind)]


def about_full_report(stores: Stores) -> list[str]:
    """The topics of the letters about the commission's full report, in the order in which they were written."""
    with stores.case.reading() as db:
        deadlines = {row.id: (row.regime, row.stage) for row in db.scalars(select(clocks.Deadline)).unique()}
    rows = [row for row in written(stores, "deadline") if deadlines[row.subject_id] == ("ppc-private", "kakuhou")]
    return [row.topic.removeprefix("deadline:") for row in rows]


def deliver(stores: Stores, settings: Settings, clock: Callable[[], datetime]) -> None:
    """What the workers do with letters, without a broker."""
    post.hand_over(stores, settings, clock=clock)
    with stores.case.transaction() as db:
        due = outbox.to_ring(db, now=clock())
    for topic, event_id in due:
        if topic == "letter.ready":
            post.deliver(stores, settings, event_id, clock=clock)


# --- when ----------------------------------------------------------------------------------------------


def test_a_deadline_is_told_of_at_each_threshold_and_once(stores: Stores) -> None:
    make_case(stores)
    expected = []
    for before, threshold in ((72, "three-days"), (24, "one-day"), (2, "two-hours"), (0, "late")):
        passed = END - timedelta(hours=before)
        remind(stores, passed - timedelta(microseconds=1))
        assert about_full_report(stores) == expected
        expected.append(threshold)
        for _ in range(3):
            remind(stores, passed + timedelta(seconds=1))
        assert about_full_report(stores) == expected
    remind(stores, END + timedelta(days=400))
    assert about_full_report(stores) == expected


def test_after_a_long_silence_there_is_one_letter_and_not_one_for_each_threshold(stores: Stores) -> None:
    make_case(stores)
    remind(stores, END - timedelta(hours=1))
    assert about_full_report(stores) == ["two-hours"]


def test_the_day_to_be_safe_is_told_in_its_morning(stores: Stores) -> None:
    """Three days after awareness, of the five for the quick report, if nobody has met that one yet."""
    _, case = make_case(stores)
    with stores.case.transaction() as db:
        (quick,) = (one for one in clocks.of_case(db, case) if one.warn_date is not None)
        quick.met_at = None
    morning = datetime(2026, 11, 24, 0, 0, tzinfo=UTC)
    for at, count in ((morning - timedelta(seconds=1), 0), (morning, 1), (morning + timedelta(hours=1), 1)):
        remind(stores, at)
        assert [row.subject_id for row in written(stores, "deadline:warn-day")] == [quick.id] * count


def test_more_time_means_to_be_told_again(stores: Stores) -> None:
    reporter, case = make_case(stores)
    late = END + timedelta(minutes=1)
    remind(stores, late)
    with stores.case.transaction() as db:
        held, until = incidents.hold(db, case.id), END.date() + timedelta(days=10)
        clocks.extend(db, held, "ppc-private", "kakuhou", until=until, authority="ppc", by=reporter, now=late)
    remind(stores, late)
    assert about_full_report(stores) == ["late"]
    remind(stores, late + timedelta(days=10))
    assert about_full_report(stores) == ["late", "late"]


def test_nobody_is_told_of_what_is_met_or_closed(stores: Stores) -> None:
    reporter, case = make_case(stores)
    with stores.case.transaction() as db:
        incidents.close(db, incidents.hold(db, case.id), by=reporter, now=NOW)
    assert remind(stores, END + timedelta(days=1)) == 0
    with stores.case.transaction() as db:
        incidents.reopen(db, incidents.hold(db, case.id), by=reporter, now=NOW)
        for deadline in clocks.of_case(db, case):
            deadline.met_at = NOW
    assert remind(stores, END + timedelta(days=1)) == 0


def test_a_question_of_the_rules_is_asked_a_day_later_unless_it_is_answered(stores: Stores) -> None:
    make_case(stores, personal_data="unknown")
    reporter, answered = make_case(stores, personal_data="unknown")
    with stores.case.transaction() as db:
        filing = Filing("zokuhou", "web", reporter)
        incidents.update(db, incidents.hold(db, answered.id), {"personal_data": "no"}, filing, now=NOW)
    assert not [row for row in written(stores) if row.topic == "again"]
    for later in (timedelta(hours=23), timedelta(hours=24), timedelta(hours=25)):
        remind(stores, NOW + later)
    (letter,) = written(stores, "again")
    assert letter.case_id != answered.id and letter.at == NOW + timedelta(hours=24)


def test_a_question_that_stays_open_is_asked_once_and_in_time_whatever_is_filed_meanwhile(stores: Stores) -> None:
    reporter, case = make_case(stores, personal_data="unknown")
    for hours, status in ((20, "contained"), (30, "recovered"), (60, "ongoing")):
        now = NOW + timedelta(hours=hours)
        with stores.case.transaction() as db:
            filing = Filing("zokuhou", "web", reporter)
            incidents.update(db, incidents.hold(db, case.id), {"current_status": status}, filing, now=now)
        remind(stores, now)
        remind(stores, NOW + timedelta(hours=24) if hours < 24 else now + timedelta(hours=24))
    (letter,) = written(stores, "again")
    assert letter.at == NOW + timedelta(hours=24)


def test_a_deadline_counts_how_often_it_was_told_of_and_not_to_how_many(stores: Stores) -> None:
    _, case = make_case(stores, CSIRT, "second@operator.example")
    for before in (72, 24, 2, 0):
        remind(stores, END - timedelta(hours=before) + timedelta(seconds=1))
    with stores.case.reading() as db:
        (full,) = (one for one in clocks.of_case(db, case) if (one.regime, one.stage) == ("ppc-private", "kakuhou"))
    assert full.warned == 4


def test_an_idle_minute_writes_nothing(stores: Stores) -> None:
    make_case(stores)
    with stores.case.reading() as db:
        assert not letters.anything_to_remind_of(db, now=NOW)
        assert letters.anything_to_remind_of(db, now=END)
    remind(stores, END)
    with stores.case.reading() as db:
        assert not letters.anything_to_remind_of(db, now=END)


def test_several_workers_write_each_letter_once(stores: Stores) -> None:
    for _ in range(3):
        make_case(stores, CSIRT, "second@operator.example")
    with ThreadPoolExecutor(4) as threads:
        counts = list(threads.map(lambda _: remind(stores, END), range(4)))
    keys = [row.natural_key for row in written(stores)]
    assert sum(counts) == len(keys) == len(set(keys)) > 0


# --- to whom -------------------------------------------------------------------------------------------


def addressed(stores: Stores) -> set[str]:
    with stores.case.reading() as db:
        rows = db.scalars(select(Letter)).all()
        return {vault_of(db).unseal(row.sealed_address, at=f"letter:{row.id}").decode() for row in rows}


HOSTILE = [
    "a@x.example\r\nBcc: thief@x.example",
    "a@x.example\nSubject: x",
    "a@x.example,thief@x.example",
    "Name <a@x.example>",
    "a b@x.example",
    "a@x.example>",
    '"a@evil.example"@x.example',
    "当直@x.example",
    "a@日本.example",
    "a@localhost",
    "a@[127.0.0.1]",
    "a" * 65 + "@x.example",
    "a@" + "b." * 200 + "example",
    "@x.example",
    "a@",
    "",
    "\0@x.example",
    "-oQ/tmp@x.example/../y",
]


def test_an_address_that_is_none_gets_no_letter_and_keeps_none_back(stores: Stores) -> None:
    make_case(stores, *HOSTILE, "right@operator.example", "RIGHT@operator.example")
    remind(stores, END)
    assert addressed(stores) == {"RIGHT@operator.example"}


def test_an_organization_in_which_nobody_may_report_any_more_is_not_written_to(stores: Stores) -> None:
    reporter, _ = make_case(stores)
    with stores.case.transaction() as db:
        accounts.end(db, db.get_one(Person, reporter.person_id), now=NOW)
    assert remind(stores, END) == 0


def test_the_row_of_a_letter_does_not_tell_the_address(stores: Stores) -> None:
    make_case(stores)
    remind(stores, END)
    (letter, *_) = written(stores)
    kept = b"|".join(str(value).encode() for value in vars(letter).values()) + letter.sealed_address
    assert b"csirt" not in kept and b"operator.example" not in kept


# --- authorities ---------------------------------------------------------------------------------------


def make_commission(db: Session, *addresses: str, **more: Any) -> Viewer:
    own = make_organization(db, kind=Kind.AUTHORITY, authority="ppc", contacts=contacts(*addresses), **more)
    return make_viewer(db, own, Role.READER)


def changed(stores: Stores, case: Case, now: datetime = NOW) -> None:
    with stores.case.transaction() as db:
        letters.on_case_changed(db, case.id, now=now)


def test_an_authority_hears_of_its_copy_and_the_reporter_of_receipt_and_question(stores: Stores) -> None:
    with stores.case.transaction() as db:
        commission = make_commission(db, "desk@authority.example")
    _, case = make_case(stores)
    for _ in range(2):
        changed(stores, case)
    assert [row.topic for row in written(stores)] == ["copy"]
    assert addressed(stores) == {"desk@authority.example"}
    with stores.case.transaction() as db:
        for delivery in db.scalars(select(Delivery).where(Delivery.recipient == "ppc")):
            delivery.received_at, delivery.received_by_id = NOW, commission.person_id
        talk.say(db, case, "ppc", "いつから止まっていますか。", from_reporter=False, by=commission, now=NOW)
    for _ in range(2):
        changed(stores, case)
    assert sorted(row.topic for row in written(stores)) == ["copy", "question", "received"]
    assert addressed(stores) == {"desk@authority.example", CSIRT}


def test_old_news_is_not_sent_to_an_address_that_comes_later(stores: Stores) -> None:
    with stores.case.transaction() as db:
        commission = make_commission(db)
    _, case = make_case(stores)
    with stores.case.transaction() as db:
        talk.say(db, case, "ppc", "いつから止まっていますか。", from_reporter=False, by=commission, now=NOW)
        change_contacts(db, case, "new@operator.example")
    changed(stores, case, NOW + timedelta(days=8))
    assert written(stores) == []


# --- what they say -------------------------------------------------------------------------------------


def mail_about(stores: Stores, topic: str, now: datetime) -> Any:
    (letter,) = [row for row in written(stores) if row.topic == topic][:1]
    with stores.case.transaction() as db:
        told = {"portal_url": "https://portal.example", "sender": "noroshi@portal.example"}
        return letters.read(db, letter.id, **told, now=now)


def test_a_mail_tells_the_number_the_regimes_the_times_and_where_to_report(stores: Stores) -> None:
    _, case = make_case(stores)
    now = END - timedelta(hours=24) + timedelta(seconds=1)
    remind(stores, now)
    mail = mail_about(stores, "deadline:one-day", now)
    text = mail.get_content()
    lines = text.splitlines()
    assert lines[0] == lines[-1] == "TLP:AMBER+STRICT"
    assert mail["Subject"] == f"{case.ref} 期限のお知らせ"
    assert mail["To"] == CSIRT and mail["From"] == "noroshi@portal.example"
    for said in (
        f"https://portal.example/cases/{case.ref}",
        "期限まで24時間を切りました。",
        "個人データの漏えい等の報告（民間）",
        "2027年1月19日（火）の終わりまで（あと23時間59分）",
        "Less than 24 hours are left.",
        "Report of a personal data breach (private bodies)",
        "the end of Tue 19 Jan 2027 (23 hours 59 minutes left)",
        "金融庁へのシステム障害・サイバー事案の報告",
    ):
        assert said in text, said


def test_no_mail_tells_who_reported_or_what(stores: Stores) -> None:
    with stores.case.transaction() as db:
        commission = make_commission(db, "desk@authority.example")
    _, case = make_case(stores)
    changed(stores, case)
    with stores.case.transaction() as db:
        talk.say(db, case, "ppc", "顧客名簿は何件ですか。", from_reporter=False, by=commission, now=NOW)
        profile = accounts.profile_of(db, db.get_one(Organization, case.organization_id))
    changed(stores, case)
    remind(stores, END)
    now = {"deadline:late": END + timedelta(seconds=1)}
    remind(stores, now["deadline:late"])
    for topic in ("copy", "question", "deadline:late"):
        mail = mail_about(stores, topic, now.get(topic, NOW))
        said = mail["Subject"] + mail.get_content()
        told = (profile["name_ja"], profile["name_en"], "顧客名簿", "03-1234-5678", "ransomware", "ランサム")
        assert not [word for word in told if word in said], topic
        assert mail.get_content().splitlines()[0] == mail.get_content().splitlines()[-1] == "TLP:AMBER+STRICT"


def test_an_exercise_says_so_in_the_subject_and_in_both_languages(stores: Stores) -> None:
    _, case = make_case(stores)
    with stores.case.transaction() as db:
        db.get_one(Case, case.id).exercise = True
    remind(stores, END + timedelta(seconds=1))
    mail = mail_about(stores, "deadline:late", END + timedelta(seconds=1))
    assert mail["Subject"].startswith("【訓練】") and "[EXERCISE]" in mail.get_content()


def test_what_concerns_others_is_red(stores: Stores) -> None:
    make_case(stores, support_wanted=["advisory-to-customers"])
    remind(stores, END + timedelta(seconds=1))
    lines = mail_about(stores, "deadline:late", END + timedelta(seconds=1)).get_content().splitlines()
    assert lines[0] == lines[-1] == "TLP:RED"


def test_every_word_of_the_letters_is_in_both_languages() -> None:
    from exchange.tables import table

    def halves(value: Any) -> list[Any]:
        if isinstance(value, dict):
            mine = [value] if ("ja" in value) != ("en" in value) else []
            return mine + [one for part in value.values() for one in halves(part)]
        return [one for part in value for one in halves(part)] if isinstance(value, list) else []

    assert halves(table("letters")) == []


# --- settings ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "wrong",
    [
        {"MAIL_URL": "http://host"},
        {"MAIL_URL": "smtp://"},
        {"MAIL_URL": "smtp://host:99999"},
        {"MAIL_URL": "smtp://host/?starttls=true"},
        {"MAIL_URL": "smtp://n:geheim@host/?tls=1"},
        {"MAIL_FROM": ""},
        {"MAIL_FROM": "a@b.example, c@d.example"},
        {"PUBLIC_URL": "javascript:alert(1)"},
    ],
)
def test_a_wrong_mail_setting_is_named_and_no_password_is_repeated(wrong: dict[str, str]) -> None:
    right = {"MAIL_URL": "smtp://n:geheim@host:587/?starttls=1", "MAIL_FROM": "noroshi@portal.example"}
    Settings.read({f"NOROSHI_{name}": value for name, value in right.items()})
    with pytest.raises(SettingsError) as said:
        Settings.read({f"NOROSHI_{name}": value for name, value in (right | wrong).items()})
    assert f"NOROSHI_{next(iter(wrong))}" in str(said.value) and "geheim" not in str(said.value)


# --- sending -------------------------------------------------------------------------------------------


def test_a_letter_goes_out_once_however_often_it_is_asked_for(stores: Stores, posting: Settings, box: Mailbox) -> None:
    make_case(stores, CSIRT, "second@operator.example")
    remind(stores, END)
    clock = Clock()
    clock.now = END
    for _ in range(3):
        deliver(stores, posting, clock)
        clock.now += timedelta(minutes=1)
    assert {address for address, _ in box.received} == {CSIRT, "second@operator.example"}
    ids = [mail["Message-ID"] for mail in box.mails]
    assert len(ids) == len(set(ids)) == len(written(stores)) and all(row.sent_at for row in written(stores))
    assert {str(mail["To"]) for mail in box.mails} == {CSIRT, "second@operator.example"}


def test_several_workers_send_a_letter_once(stores: Stores, posting: Settings, box: Mailbox) -> None:
    make_case(stores)
    remind(stores, END)
    with stores.case.transaction() as db:
        letters.hand_over(db, now=END)
        events = [row.id for row in db.scalars(select(Event).where(Event.topic == "letter.ready"))]
    with ThreadPoolExecutor(6) as threads:
        list(threads.map(lambda one: post.deliver(stores, posting, one, clock=lambda: END), events * 6))
    assert len(box.received) == len(events) > 0


def test_a_server_that_does_not_answer_is_asked_again_later_each_time(stores: Stores, settings: Settings) -> None:
    box, clock = Mailbox(), Clock()
    posting = replace(settings, mail_url=box.url, mail_from="noroshi@portal.example")
    make_case(stores)
    clock.now = END
    remind(stores, END)
    waits = []
    for _ in range(4):
        deliver(stores, posting, clock)
        with stores.case.reading() as db:
            event = db.scalars(select(Event).where(Event.topic == "letter.ready")).first()
            assert event is not None and event.done_at is None
            waits.append(event.ring_at - clock.now)
        clock.now = event.ring_at
    assert waits == sorted(waits) and len(set(waits)) == 4
    assert not any(row.sent_at for row in written(stores))
    with serving(box):
        deliver(stores, posting, clock)
    assert len(box.received) == len([row for row in written(stores) if row.sent_at]) > 0


def test_a_worker_that_dies_after_sending_sends_the_same_mail_again(
    stores: Stores, posting: Settings, box: Mailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The receiving side knows it by its Message-ID."""

    class Killed(BaseException):
        pass

    def die(*_: object, **__: object) -> None:
        raise Killed

    make_case(stores)
    clock = Clock()
    clock.now = END
    remind(stores, END)
    with monkeypatch.context() as patched:
        patched.setattr(letters, "sent", die)
        with pytest.raises(Killed):
            deliver(stores, posting, clock)
    assert len(box.received) == 1
    clock.now += timedelta(seconds=30)
    deliver(stores, posting, clock)
    first = box.mails[0]["Message-ID"]
    assert [mail["Message-ID"] for mail in box.mails].count(first) == 1, "the lease holds"
    clock.now += timedelta(minutes=11)
    deliver(stores, posting, clock)
    again = [mail for mail in box.mails if mail["Message-ID"] == first]
    assert len(again) == 2 and again[0]["Date"] == again[1]["Date"] and again[0]["Subject"] == again[1]["Subject"]
    assert all(row.sent_at for row in written(stores))


def test_a_crash_before_sending_loses_no_letter(stores: Stores, posting: Settings, box: Mailbox) -> None:
    make_case(stores)
    remind(stores, END)
    with stores.case.transaction() as db:
        letters.hand_over(db, now=END)
        for row in db.scalars(select(Event.id).where(Event.topic == "letter.ready")).all():
            outbox.claim(db, row, now=END, lease=timedelta(minutes=10))
    clock = Clock()
    clock.now = END + timedelta(minutes=1)
    deliver(stores, posting, clock)
    assert box.received == []
    clock.now = END + timedelta(minutes=10)
    deliver(stores, posting, clock)
    assert len(box.received) == len(written(stores)) > 0


def test_a_mailbox_that_does_not_exist_is_tried_once_and_people_are_told(
    stores: Stores, posting: Settings, box: Mailbox
) -> None:
    box.says["RCPT"] = "550 5.1.1 No such mailbox"
    make_case(stores)
    clock = Clock()
    clock.now = END
    remind(stores, END)
    for _ in range(3):
        deliver(stores, posting, clock)
        clock.now += timedelta(hours=1)
    count = len(written(stores))
    assert box.tried == count and box.received == []
    with stores.case.reading() as db:
        assert letters.remarks(db, has_post=True) == [f"letters that the mail server refused for good: {count}"]


@pytest.mark.parametrize(
    "says",
    [{"RCPT": "450 4.2.0 Greylisted"}, {"RCPT": "554 5.7.1 Relay access denied"}, {"DATA": "451 4.3.0 Try again"}],
)
def test_a_server_that_says_not_now_is_asked_again(
    stores: Stores, posting: Settings, box: Mailbox, says: dict[str, str]
) -> None:
    make_case(stores)
    clock = Clock()
    clock.now = END
    remind(stores, END)
    box.says |= says
    deliver(stores, posting, clock)
    assert box.received == []
    box.says.clear()
    clock.now += timedelta(minutes=10)
    deliver(stores, posting, clock)
    assert len(box.received) == len(written(stores)) > 0


def test_who_lost_the_right_meanwhile_gets_no_letter(stores: Stores, posting: Settings, box: Mailbox) -> None:
    reporter, case = make_case(stores, CSIRT, "gone@operator.example")
    clock = Clock()
    clock.now = END
    remind(stores, END)
    with stores.case.transaction() as db:
        change_contacts(db, case, CSIRT)
    deliver(stores, posting, clock)
    assert {address for address, _ in box.received} == {CSIRT}
    assert all(row.sent_at for row in written(stores)), "what may not go out is gone"
    clock.now = END + timedelta(seconds=1)
    remind(stores, clock.now)
    with stores.case.transaction() as db:
        accounts.end(db, db.get_one(Person, reporter.person_id), now=clock.now)
    count = len(box.received)
    deliver(stores, posting, clock)
    assert len(box.received) == count
    with stores.case.reading() as db:
        actions = [orjson.loads(one)["action"] for one in db.scalars(select(AuditEntry.entry))]
    assert actions.count("letter.sent") == count and "letter.dropped" in actions


def test_what_is_no_longer_so_is_not_sent(stores: Stores, posting: Settings, box: Mailbox) -> None:
    """Written while there was no mail server: only what holds today goes out, once there is one."""
    _, case = make_case(stores)
    for hours in (72, 24, 2):
        remind(stores, END - timedelta(hours=hours) + timedelta(seconds=1))
    clock = Clock()
    clock.now = END + timedelta(days=2)
    remind(stores, clock.now)
    deliver(stores, posting, clock)
    assert len(about_full_report(stores)) == 1
    assert all("期限を過ぎています" in mail.get_content() for mail in box.mails)
    with stores.case.transaction() as db:
        for deadline in clocks.of_case(db, case):
            deadline.met_at, deadline.extended_to = None, END.date() + timedelta(days=60)
            deadline.runs_out_at = END + timedelta(days=60)
    clock.now = END + timedelta(days=59, hours=1)
    remind(stores, clock.now)
    with stores.case.transaction() as db:
        for deadline in clocks.of_case(db, case):
            deadline.met_at = clock.now
    count = len(box.received)
    deliver(stores, posting, clock)
    assert len(box.received) == count


def test_without_a_mail_server_letters_wait_and_the_doctor_says_so(stores: Stores, settings: Settings) -> None:
    make_case(stores)
    remind(stores, END)
    clock = Clock()
    clock.now = END
    deliver(stores, settings, clock)
    count = len(written(stores))
    with stores.case.reading() as db:
        assert db.scalar(select(Event.id).where(Event.topic == "letter.ready").limit(1)) is None
        (said,) = letters.remarks(db, has_post=False)
        assert letters.remarks(db, has_post=True) == []
    assert "NOROSHI_MAIL_URL" in said and said.endswith(f": {count}")


def make_mail() -> EmailMessage:
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = "noroshi@portal.example", CSIRT, "N-0000-0000"
    mail.set_content("TLP:RED")
    return mail


def test_the_post_signs_in_with_the_name_and_password_of_the_url() -> None:
    box = Mailbox()
    with serving(box, auth=True):
        post.send(f"smtp://post%40portal.example:p%40ss%3Aword@127.0.0.1:{box.port}", make_mail())
    assert box.logins == [(b"post@portal.example", b"p@ss:word")] and len(box.received) == 1


def _nobodys_certificate(folder: Path) -> ssl.SSLContext:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    made = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    years = timedelta(days=9000)
    made = made.serial_number(1).not_valid_before(NOW - years).not_valid_after(NOW + years)
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / "pem").write_bytes(private + made.sign(key, hashes.SHA256()).public_bytes(pem))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "pem")
    return context


def test_a_server_with_a_certificate_that_nobody_vouches_for_gets_nothing(tmp_path: Path) -> None:
    box = Mailbox()
    with serving(box, tls=_nobodys_certificate(tmp_path)), pytest.raises(ssl.SSLCertVerificationError):
        post.send(f"{box.url}/?starttls=1", make_mail())
    assert box.received == []


def test_a_server_that_cannot_speak_in_secret_hears_no_password() -> None:
    box = Mailbox()
    with serving(box, auth=True), pytest.raises(smtplib.SMTPNotSupportedError):
        post.send(f"smtp://name:word@127.0.0.1:{box.port}/?starttls=1", make_mail())
    assert box.logins == [] and box.received == []


def test_a_slow_mail_server_holds_one_thread_of_a_worker_and_no_more() -> None:
    with post.alone() as first, ThreadPoolExecutor(1) as thread:

        def another() -> bool:
            with post.alone() as free:
                return free

        assert first and not thread.submit(another).result()
    with post.alone() as free:
        assert free


def test_the_id_of_a_letter_is_the_id_of_its_event(stores: Stores) -> None:
    """So that two who hand over at once leave word once."""
    make_case(stores)
    remind(stores, END)
    for _ in range(2):
        with stores.case.transaction() as db:
            letters.hand_over(db, now=END)
    with stores.case.reading() as db:
        told: set[UUID] = set(db.scalars(select(Event.id).where(Event.topic == "letter.ready")))
    assert told == {row.id for row in written(stores)}
