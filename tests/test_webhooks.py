"""Webhooks: who may register what, what is told and what never is, and that it arrives, signed, once or again."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa
from celery import Celery
from flask import Flask
from jsonschema import Draft202012Validator

from config import Installation, Settings, SettingsError
from exchange import accounts, carrying, fetch, incidents, outbox, webhooks
from exchange.fetch import Answer
from exchange.models import Case, Deadline, Delivery, Event, Knock, Message, Webhook
from exchange.sharing import Kind, Role
from exchange.times import utcnow
from portal.api import openapi
from portal.app import create_app
from tests.conftest import NOW, ROOT
from tests.make import Clock, make_answers, make_report, make_viewer, work
from tests.members import CASES, Member, make_member, stopped
from tests.test_api import _stores, count_rows, refused, without_request_id
from workers import app as workers_app
from workers import tasks

HOOKS = "/api/v1/webhooks"
GOOD = "https://soc.example/hook"


class Listener:
    """Somebody's server: what it heard, and how it answers."""

    def __init__(self) -> None:
        self.heard: list[tuple[dict[str, str], bytes]] = []
        self.status = 204
        listener = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                listener.heard.append((dict(self.headers), body))
                self.send_response(listener.status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Quietly."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/hook"

    def said(self, number: int = -1) -> dict[str, Any]:
        """A message that came."""
        return dict(json.loads(self.heard[number][1]))

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture
def listener() -> Iterator[Listener]:
    """A server on this machine."""
    made = Listener()
    yield made
    made.close()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Time stands still, in the API and in the workers."""
    clock = stopped(monkeypatch)
    monkeypatch.setattr(tasks, "utcnow", clock)
    return clock


@pytest.fixture
def app(settings: Settings, clock: Clock) -> Iterator[Flask]:
    """The portal of an exercise that lets webhooks lead to this machine, once on each database."""
    made = create_app(replace(settings, local_webhooks=True))
    yield made
    _stores(made).close()


@pytest.fixture
def worker(settings: Settings, clock: Clock) -> Iterator[Celery]:
    """The worker of the same installation; its tasks are called by hand."""
    made = workers_app.create_app(replace(settings, local_webhooks=True))
    yield made
    made.house.stores.close()
    made.close()


@pytest.fixture
def alice(app: Flask) -> Member:
    """A reporter."""
    return make_member(app)


def registered(member: Member, url: str) -> dict[str, Any]:
    return member.told("POST", HOOKS, {"url": url})


def ring(worker: Celery, clock: Clock) -> None:
    """Do all that waits by now, as workers do when they are rung for."""
    case = worker.house.stores.case
    while True:
        with case.reading() as db:
            free = sa.or_(Event.leased_until.is_(None), Event.leased_until <= clock.now)
            due = sa.select(Event.topic, Event.id).where(Event.done_at.is_(None), Event.at <= clock.now, free)
            waiting = [row for row in db.execute(due.order_by(Event.at)) if row[0] in {"case.changed", "webhook.due"}]
        if not waiting:
            return
        for topic, event_id in waiting:
            worker.tasks[topic](str(event_id))


# --- registering ---------------------------------------------------------------------------------------


def test_a_webhook_is_registered_with_a_secret_that_is_shown_once_and_kept_sealed(alice: Member) -> None:
    answer = alice.call("POST", HOOKS, {"url": GOOD}, Idempotency_Key="k")
    assert answer.status_code == 201 and answer.json
    secret = answer.json["secret"]
    assert len(secret) > 40 and answer.headers["Location"] == f"{HOOKS}/{answer.json['id']}"
    again = alice.call("POST", HOOKS, {"url": GOOD}, Idempotency_Key="k")
    assert again.json == {name: value for name, value in answer.json.items() if name != "secret"}
    listed = alice.told("GET", HOOKS)["webhooks"]
    assert [(one["url"], one["failing_since"]) for one in listed] == [(GOOD, None)]
    with _stores(alice.app).case.engine.connect() as connection:
        for table in ("webhook", "answer", "audit_entry"):
            rows = connection.exec_driver_sql(f"SELECT * FROM {table}").all()
            for told in (secret, "soc.example"):
                assert rows and told not in str(rows) and told.encode().hex() not in str(rows)


@pytest.mark.parametrize(
    "body",
    [
        {},
        [],
        None,
        {"url": None},
        {"url": 7},
        {"url": ""},
        {"url": "http://soc.example/"},
        {"url": "https://10.0.0.1/"},
        {"url": "https://[::ffff:127.0.0.1]/"},
        {"url": "https://user:word@soc.example/"},
        {"url": "http://localhost:8000/"},
        {"url": "gopher://soc.example/"},
        {"url": "https://soc.example/\u0000"},
        {"url": GOOD, "secret": "mine"},
    ],
    ids=str,
)
def test_what_is_no_address_on_the_internet_is_refused_and_nothing_is_kept(alice: Member, body: object) -> None:
    before = count_rows(alice.app)
    problem = refused(alice.call("POST", HOOKS, json.dumps(body).encode(), Idempotency_Key="k"), 422)
    assert problem["errors"] and all(one["message"] for one in problem["errors"])
    assert count_rows(alice.app) == before


def test_only_where_the_installation_says_so_this_machine_may_be_meant(settings: Settings, clock: Clock) -> None:
    app = create_app(settings)
    refused(make_member(app).call("POST", HOOKS, {"url": "http://127.0.0.1:9/"}), 422)
    _stores(app).close()
    with pytest.raises(SettingsError, match="NOROSHI_LOCAL_WEBHOOKS"):
        Settings.read({"NOROSHI_LOCAL_WEBHOOKS": "1", "NOROSHI_INSTALLATION": "live"})
    assert Settings.read({"NOROSHI_LOCAL_WEBHOOKS": "1"}).installation is Installation.DEMO


def test_five_are_enough_and_a_revoked_one_makes_room(alice: Member) -> None:
    made = [registered(alice, f"{GOOD}/{number}") for number in range(webhooks.MOST)]
    refused(alice.call("POST", HOOKS, {"url": GOOD}), 422)
    gone = alice.told("DELETE", f"{HOOKS}/{made[0]['id']}")
    assert gone["revoked_at"]
    registered(alice, GOOD)
    assert made[0]["id"] not in {one["id"] for one in alice.told("GET", HOOKS)["webhooks"]}


def test_anothers_webhook_is_answered_as_one_that_never_was(app: Flask, alice: Member) -> None:
    own, carol = registered(alice, GOOD), make_member(app)
    assert carol.told("GET", HOOKS) == {"webhooks": []}
    never = "00000000-0000-4000-8000-000000000000"
    answers = [carol.call("DELETE", f"{HOOKS}/{one}") for one in (own["id"], never, "x")]
    refused(answers[0], 404)
    assert without_request_id(answers[0]) == without_request_id(answers[1]) == without_request_id(answers[2])
    assert len(alice.told("GET", HOOKS)["webhooks"]) == 1


def test_whoever_may_not_report_registers_nothing(app: Flask) -> None:
    office = make_member(app, {"kind": Kind.NCO}, roles=(Role.ANALYST,))
    for method, path in (("POST", HOOKS), ("GET", HOOKS), ("DELETE", f"{HOOKS}/x")):
        refused(office.call(method, path, {"url": GOOD}), 403)


# --- what is told --------------------------------------------------------------------------------------


def test_a_filed_report_is_told_with_its_number_and_nothing_of_what_it_says(
    alice: Member, worker: Celery, clock: Clock, listener: Listener
) -> None:
    registered(alice, listener.url)
    answers = make_answers(personal_data="yes", summary="極秘の概要", callback="03-9876-5432")
    receipt = alice.told("POST", "/api/v1/reports", answers)
    ring(worker, clock)
    said = listener.said()
    assert (said["case_id"], said["type"], said["report"]) == (
        receipt["case_id"],
        "case.changed",
        {"seq": 1, "stage": "sokuhou"},
    )
    assert said["changed"] == ["state", "report", "deadlines"]
    assert {(one["regime"], one["state"]) for one in said["deadlines"]} >= {("ppc-private", "met")}
    with _stores(alice.app).case.engine.connect() as connection:
        kept = connection.exec_driver_sql("SELECT * FROM knock").all()
    assert kept and receipt["case_id"] not in str(kept)
    text = listener.heard[0][1].decode()
    for word in ("極秘", "9876", "203.0.113.45", "bad.example", "ransomware", alice.organization.ref):
        assert word not in text


def test_every_message_is_as_the_description_says(
    alice: Member, worker: Celery, clock: Clock, listener: Listener
) -> None:
    registered(alice, listener.url)
    ref = alice.filed(personal_data="yes")
    ring(worker, clock)
    alice.patch(ref, {"current_status": "recovered"}, "?stage=kakuhou")
    ring(worker, clock)
    schemas = openapi.document()["components"]["schemas"]
    schema = {"components": {"schemas": schemas}, **schemas["CaseChanged"], "additionalProperties": False}
    for number in range(len(listener.heard)):
        Draft202012Validator(schema).validate(listener.said(number))
    assert len({listener.said(number)["id"] for number in range(len(listener.heard))}) == len(listener.heard) == 2


def test_each_change_is_told_and_what_is_known_is_not_told_again(
    alice: Member, worker: Celery, clock: Clock, listener: Listener
) -> None:
    """A report, a receipt, a question, an edition, the end of a case: each says what changed."""
    registered(alice, listener.url)
    ref = alice.filed()
    ring(worker, clock)
    case = worker.house.stores.case
    with case.reading() as db:
        found = db.scalars(sa.select(Case).where(Case.ref == ref)).unique().one()
        filed = incidents.Filed(incidents.latest(found), None, None)  # type: ignore[arg-type]
        assert filed.case is found

    def told(act: Callable[[Any], None]) -> list[str]:
        clock.now += timedelta(minutes=1)
        with case.transaction() as db:
            act(db)
            outbox.tell(db, "case.changed", found.id, now=clock.now)
        before = len(listener.heard)
        ring(worker, clock)
        return list(listener.said()["changed"]) if len(listener.heard) > before else []

    def receive(db: Any) -> None:
        db.execute(sa.update(Delivery).where(Delivery.recipient == "nco").values(received_at=clock.now))

    def ask(db: Any) -> None:
        person = make_viewer(db, alice.organization).person_id
        row = {"case_id": found.id, "authority": "mlit", "from_reporter": False, "person_id": person}
        db.add(Message(**row, sealed_text=b"", at=NOW))

    assert told(lambda _: None) == []
    assert told(receive) == ["receipts"]
    assert listener.said()["receipts"] == [{"recipient": "nco", "seq": 1}]
    assert told(ask) == ["questions"]
    edition = work(worker.house.stores, filed)[0]
    with case.transaction() as db:
        event_id = outbox.tell(db, "edition.ready", edition.id, now=clock.now)
    tasks.release_edition(str(event_id))
    assert told(lambda _: None) == ["editions"] and listener.said()["editions"] == ["shared"]
    alice.call("POST", f"{CASES}/{ref}/close")
    assert told(lambda _: None) == ["state"] and listener.said()["state"] == "closed"
    assert told(receive) == []


def test_a_deadline_that_comes_near_or_passes_is_told_though_nobody_files(
    alice: Member, worker: Celery, clock: Clock, listener: Listener
) -> None:
    registered(alice, listener.url)
    alice.filed(personal_data="yes")
    ring(worker, clock)

    def states() -> dict[str, str]:
        tasks.look_at_clocks()
        ring(worker, clock)
        return {one["stage"]: one["state"] for one in listener.said()["deadlines"] if one["regime"] == "ppc-private"}

    with worker.house.stores.case.reading() as db:
        runs_out_at = db.scalar(sa.select(Deadline.runs_out_at).where(Deadline.stage == "kakuhou"))
    assert runs_out_at and states()["kakuhou"] == "running" and len(listener.heard) == 1
    clock.now = runs_out_at - timedelta(days=1)
    assert states()["kakuhou"] == "soon" and listener.said()["changed"] == ["deadlines"]
    clock.now = runs_out_at + timedelta(seconds=1)
    assert states()["kakuhou"] == "late" and len(listener.heard) == 3
    assert states()["kakuhou"] == "late" and len(listener.heard) == 3


def test_nobody_else_hears_of_it(app: Flask, alice: Member, worker: Celery, clock: Clock, listener: Listener) -> None:
    registered(make_member(app), listener.url)
    alice.filed(share_scope="allied-anon")
    ring(worker, clock)
    assert listener.heard == []


# --- signed --------------------------------------------------------------------------------------------


def test_a_message_is_signed_with_the_secret_over_its_time_and_its_very_bytes(
    alice: Member, worker: Celery, clock: Clock, listener: Listener
) -> None:
    secret = registered(alice, listener.url)["secret"]
    alice.filed()
    ring(worker, clock)
    headers, body = listener.heard[0]
    stamp, mac = (part.partition("=")[2] for part in headers["Noroshi-Signature"].split(","))
    right = hmac.new(secret.encode(), stamp.encode() + b"." + body, hashlib.sha256).hexdigest()
    assert (int(stamp), mac) == (int(NOW.timestamp()), right)
    assert headers["Content-Type"] == "application/json"


def test_the_check_that_the_documentation_shows_tells_genuine_messages_from_others() -> None:
    page = (ROOT / "docs" / "connectors.md").read_text(encoding="utf-8")
    shown: dict[str, Any] = {}
    exec(page.partition("```python\n")[2].partition("```")[0], shown)
    is_genuine: Callable[[str, str, bytes], bool] = shown["is_genuine"]
    now = utcnow()
    header = webhooks.signature("secret", b"{}", at=now)
    assert is_genuine("secret", header, b"{}")
    assert not is_genuine("other", header, b"{}")
    assert not is_genuine("secret", header, b"{ }")
    assert not is_genuine("secret", webhooks.signature("secret", b"{}", at=now - timedelta(minutes=6)), b"{}")


# --- again and again -----------------------------------------------------------------------------------


def test_what_is_not_taken_is_tried_again_later_each_time_for_a_day_and_shown_as_failing(
    alice: Member, worker: Celery, clock: Clock, listener: Listener
) -> None:
    registered(alice, listener.url)
    listener.status = 500
    alice.filed()
    ring(worker, clock)
    minutes = [0.0]
    while next_at := _next(worker):
        clock.now = next_at
        ring(worker, clock)
        minutes.append((next_at - NOW) / timedelta(minutes=1))
    assert minutes == [0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024]
    assert len(listener.heard) == len(minutes)
    assert len({body for _, body in listener.heard}) == 1
    shown = alice.told("GET", HOOKS)["webhooks"][0]
    assert (shown["last_status"], shown["last_delivered_at"]) == (500, None)
    assert shown["failing_since"] == "2026-11-21T03:00:00.123456Z"


def _next(worker: Celery) -> datetime | None:
    """When the next message is due."""
    with worker.house.stores.case.reading() as db:
        return db.scalar(sa.select(sa.func.min(Event.at)).where(Event.topic == "webhook.due", Event.done_at.is_(None)))


@pytest.mark.parametrize("status", [301, 307, 400, 404, 410, 500])
def test_only_a_success_is_one(alice: Member, worker: Celery, clock: Clock, listener: Listener, status: int) -> None:
    registered(alice, listener.url)
    listener.status = status
    alice.filed()
    ring(worker, clock)
    assert alice.told("GET", HOOKS)["webhooks"][0]["failing_since"]
    listener.status = 202
    clock.now += timedelta(minutes=1)
    ring(worker, clock)
    shown = alice.told("GET", HOOKS)["webhooks"][0]
    assert (shown["failing_since"], shown["last_status"]) == (None, 202) and shown["last_delivered_at"]
    clock.now += timedelta(days=2)
    ring(worker, clock)
    assert len(listener.heard) == 2


def test_nobody_there_keeps_no_report_from_being_filed(alice: Member, worker: Celery, clock: Clock) -> None:
    registered(alice, "http://127.0.0.1:9/")
    ref = alice.filed()
    ring(worker, clock)
    assert alice.patch(ref, {"current_status": "recovered"}).status_code == 201
    assert alice.told("GET", HOOKS)["webhooks"][0]["failing_since"]


def test_a_webhook_that_is_revoked_gets_nothing_more_not_even_what_waits(
    alice: Member, worker: Celery, clock: Clock, listener: Listener
) -> None:
    own = registered(alice, listener.url)
    listener.status = 503
    ref = alice.filed()
    ring(worker, clock)
    alice.told("DELETE", f"{HOOKS}/{own['id']}")
    alice.patch(ref, {"current_status": "recovered"})
    clock.now += timedelta(hours=1)
    ring(worker, clock)
    assert len(listener.heard) == 1


def _key_is_revoked(alice: Member, _clock: Clock) -> None:
    with _stores(alice.app).case.reading() as db:
        key_id = db.scalars(sa.select(Webhook)).unique().one().key_id
    assert key_id
    carrying.revoke_key(_stores(alice.app), key_id, by="installation", now=NOW)


def _key_expires(_alice: Member, clock: Clock) -> None:
    clock.now += timedelta(days=365)


def _account_is_switched_off(alice: Member, _clock: Clock) -> None:
    with _stores(alice.app).case.transaction() as db:
        accounts.end(db, db.scalars(sa.select(Webhook)).unique().one().person, now=NOW)


def _account_reports_no_more(alice: Member, _clock: Clock) -> None:
    with _stores(alice.app).case.transaction() as db:
        db.scalars(sa.select(Webhook)).unique().one().person.roles = [Role.READER]


ENDS = (_key_is_revoked, _key_expires, _account_is_switched_off, _account_reports_no_more)


@pytest.mark.parametrize("end", ENDS, ids=lambda end: end.__name__)
def test_a_webhook_ends_with_the_key_and_the_account_that_made_it(
    alice: Member, worker: Celery, clock: Clock, listener: Listener, end: Callable[[Member, Clock], None]
) -> None:
    registered(alice, listener.url)
    listener.status = 503
    alice.filed()
    ring(worker, clock)
    with _stores(alice.app).case.transaction() as db:
        colleague = make_viewer(db, alice.organization)
    end(alice, clock)
    with _stores(alice.app).case.transaction() as db:
        make_report(db, colleague, now=clock.now, aware_at=clock.now.isoformat())
        assert webhooks.of_organization(db, colleague, now=clock.now) == []
    clock.now += timedelta(hours=1)
    ring(worker, clock)
    assert len(listener.heard) == 1


def test_a_message_is_claimed_and_goes_out_once_however_often_the_bell_rings(
    alice: Member, worker: Celery, clock: Clock, listener: Listener
) -> None:
    registered(alice, listener.url)
    alice.filed()
    ring(worker, clock)
    with worker.house.stores.case.reading() as db:
        events = db.execute(sa.select(Event.topic, Event.id)).all()
    for topic, event_id in events:
        if topic in {"case.changed", "webhook.due"}:
            worker.tasks[topic](str(event_id))
    assert len(listener.heard) == 1


def test_one_that_is_deaf_keeps_the_others_waiting_once_and_not_with_each_message(
    alice: Member, worker: Celery, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def post(url: str, *_: object, **__: object) -> Answer:
        asked.append(url)
        return Answer(500 if "deaf" in url else 200, b"")

    monkeypatch.setattr(fetch, "post", post)
    for name in ("deaf", "well"):
        registered(alice, f"https://{name}.example/")
    for number in range(4):
        alice.filed(summary=str(number))
    with worker.house.stores.case.reading() as db:
        changed = db.scalars(sa.select(Event.id).where(Event.topic == "case.changed")).all()
    for event_id in changed:
        tasks.write_about_case(str(event_id))
    tasks.knock("any")
    assert (asked.count("https://deaf.example/"), asked.count("https://well.example/")) == (1, 4)


def test_while_one_thread_sends_another_goes_on_with_reports(
    alice: Member, worker: Celery, clock: Clock, listener: Listener
) -> None:
    registered(alice, listener.url)
    alice.filed()
    with worker.house.stores.case.reading() as db:
        event_id = db.scalars(sa.select(Event.id).where(Event.topic == "case.changed")).one()
    tasks.write_about_case(str(event_id))
    with tasks._KNOCKING:
        tasks.knock("any")
    assert listener.heard == []
    tasks.knock("any")
    assert len(listener.heard) == 1


def test_old_messages_are_forgotten(alice: Member, worker: Celery, clock: Clock, listener: Listener) -> None:
    registered(alice, listener.url)
    alice.filed()
    ring(worker, clock)
    for days, left in ((89, 1), (91, 0)):
        with worker.house.stores.case.transaction() as db:
            webhooks.forget(db, now=NOW + timedelta(days=days))
        assert count_rows(alice.app)["knock"] == left


def test_the_rows_belong_together(alice: Member, worker: Celery, clock: Clock, listener: Listener) -> None:
    own = registered(alice, listener.url)
    alice.filed()
    ring(worker, clock)
    with worker.house.stores.case.reading() as db:
        knock = db.scalars(sa.select(Knock)).unique().one()
        assert knock.webhook == db.get_one(Webhook, UUID(own["id"]))
        assert (knock.status, str(knock.id)) == (204, listener.said()["id"])
