"""A number shown means a row committed: what one transaction leaves behind."""

from __future__ import annotations

from datetime import timedelta

import pytest
import sqlalchemy as sa
from sqlalchemy import func, select

from exchange import findings, idempotency, incidents
from exchange.db import vault_of
from exchange.errors import Conflict, Invalid, NotFound, NotPermitted
from exchange.idempotency import Once
from exchange.models import AuditEntry, Case, Deadline, Delivery, Event, Observable, ReportVersion
from exchange.sharing import PUBLIC, Purpose, Role
from exchange.stores import Stores
from tests.conftest import NOW
from tests.make import SAMPLES, expected, file_sample, make_answers, make_organization, make_report, make_viewer, work


def test_a_report_leaves_version_decision_audit_and_event_in_one_transaction(stores: Stores) -> None:
    with stores.case.transaction() as db:
        filed = make_report(db, make_viewer(db, make_organization(db)))
    with stores.case.reading() as db:
        assert db.get_one(ReportVersion, filed.version.id).decision["recipients"]
        assert db.scalar(select(func.count()).select_from(Delivery)) == len(filed.decision.recipients)
        assert db.scalar(select(func.count()).select_from(Deadline)) == len(filed.decision.clocks)
        assert db.scalars(select(Event.subject_id).where(Event.topic == "report.filed")).all() == [filed.version.id]
        assert any('"report.filed"' in entry for entry in db.scalars(select(AuditEntry.entry)))


def test_a_filing_that_fails_leaves_nothing(stores: Stores) -> None:
    with stores.case.transaction() as db:
        alice = make_viewer(db, make_organization(db))
    with pytest.raises(RuntimeError), stores.case.transaction() as db:
        make_report(db, alice)
        raise RuntimeError("the machine burns")
    with stores.case.reading() as db:
        counts = [db.scalar(select(func.count()).select_from(row)) for row in (Case, ReportVersion, Delivery, Deadline)]
        assert counts == [0, 0, 0, 0]
        assert db.scalar(select(Event.id).where(Event.topic == "report.filed")) is None


@pytest.mark.parametrize("name", SAMPLES)
def test_each_sample_reaches_the_authorities_that_it_must(stores: Stores, name: str) -> None:
    filed = file_sample(stores, name)
    assert [one.id for one in filed.decision.recipients] == unordered(expected(name)["recipients"])
    assert list(filed.decision.regimes) == unordered(expected(name)["regimes"])


class unordered(list):
    """Equal to any order of the same things."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, list) and sorted(self) == sorted(other)

    __hash__ = None  # type: ignore[assignment]


def test_no_sealed_answer_and_no_name_stands_in_clear_in_the_case_store(stores: Stores) -> None:
    secrets = ["+81312345678", "秘密のひとこと", "203.0.113.45", "bad.example", "極秘組織", "7000000000001"]
    with stores.case.transaction() as db:
        own = make_organization(db, name_ja="極秘組織", corporate_number="7000000000001")
        filed = make_report(db, make_viewer(db, own), summary="秘密のひとこと")
        findings.normalise(db, filed.version.id, now=NOW, documentation_is_real=True)
    with stores.case.reading() as db:
        assert db.scalar(select(func.count()).select_from(Observable)) == 3
        for table in sa.inspect(db.get_bind()).get_table_names():
            for row in db.execute(sa.text(f'SELECT * FROM "{table}"')):
                text = " ".join(v.decode("utf-8", "replace") if isinstance(v, bytes) else str(v) for v in row)
                assert not [secret for secret in secrets if secret in text], table


def test_what_the_reporter_leaves_out_stays_here_however_it_is_spelled(stores: Stores) -> None:
    left_out = ["203[.]0[.]113[.]45", "hxxps://BAD[.]example/x", "198.51.100.1", "no value at all"]
    with stores.case.transaction() as db:
        filed = make_report(db, make_viewer(db, make_organization(db)), ioc_left_out=left_out)
    work(stores, filed)
    with stores.case.reading() as db:
        kept = {value: row.excluded for row, value in findings.kept(db, filed.version.id)}
    assert kept == {"203.0.113.45": "reporter", "https://bad.example/x": "reporter", "CVE-2024-21887": None}


def test_the_reporter_opens_the_answers_and_the_reading_is_noted(stores: Stores) -> None:
    with stores.case.transaction() as db:
        alice = make_viewer(db, make_organization(db))
        filed = make_report(db, alice, summary="画面に脅迫文")
    with stores.case.transaction() as db:
        version = incidents.latest(incidents.find(db, filed.case.ref, alice))
        given = incidents.open_answers(db, version, by=alice, purpose=Purpose.RESPONSE, now=NOW)
    assert given["summary"] == "画面に脅迫文" and given["callback"] == "+81312345678"
    with stores.case.reading() as db:
        last = db.scalars(select(AuditEntry.entry).order_by(AuditEntry.seq.desc())).first()
        assert last is not None and '"report.read"' in last and '"response"' in last


def test_a_purpose_that_the_reporter_did_not_allow_opens_nothing(stores: Stores) -> None:
    with stores.case.transaction() as db:
        filed = make_report(db, make_viewer(db, make_organization(db)), police_consult="no")
        with pytest.raises(NotPermitted):
            incidents.open_answers(db, filed.version, by="x", purpose=Purpose.CRIMINAL_INVESTIGATION, now=NOW)


def test_a_case_of_somebody_else_is_not_there(stores: Stores) -> None:
    with stores.case.transaction() as db:
        filed = make_report(db, make_viewer(db, make_organization(db)))
        dave = make_viewer(db, make_organization(db))
        for viewer in (dave, PUBLIC, make_viewer(db, filed.case.organization, Role.READER)):
            with pytest.raises(NotFound):
                incidents.find(db, filed.case.ref, viewer)


def test_a_report_in_the_name_of_another_organization_finds_none(stores: Stores) -> None:
    with stores.case.transaction() as db:
        other, alice = make_organization(db), make_viewer(db, make_organization(db))
        for ref in (other.ref, "ORG-NEVER"):
            with pytest.raises(NotFound):
                incidents.read(db, make_answers(organisation={"org_id": ref}), by=alice, now=NOW)


def test_the_same_answers_minutes_apart_are_two_cases_and_say_so(stores: Stores) -> None:
    with stores.case.transaction() as db:
        alice = make_viewer(db, make_organization(db))
        first, second = make_report(db, alice), make_report(db, alice, now=NOW + timedelta(minutes=9))
        much_later = make_report(db, alice, now=NOW + timedelta(hours=1))
    assert second.duplicate_of == first.case.ref != second.case.ref
    assert first.duplicate_of is None and much_later.duplicate_of is None


def test_one_key_gives_one_answer_and_refuses_another_body(stores: Stores) -> None:
    with stores.case.transaction() as db:
        alice = make_viewer(db, make_organization(db))
        assert alice.person_id is not None
        once = Once(alice.person_id, "POST /x", "key")
        mark = vault_of(db).fingerprint
        assert idempotency.first_answer(db, once, fingerprint=mark("a"), now=NOW) is None
        idempotency.keep(db, once, {"ref": "N-1"})
    with stores.case.transaction() as db:
        assert idempotency.first_answer(db, once, fingerprint=mark("a"), now=NOW) == {"ref": "N-1"}
        with pytest.raises(Conflict):
            idempotency.first_answer(db, once, fingerprint=mark("b"), now=NOW)
        for bad in ("", "x" * 129, "é", "a\nb"):
            with pytest.raises(Invalid):
                idempotency.first_answer(db, Once(alice.person_id, "POST /x", bad), fingerprint="f", now=NOW)
    with stores.case.transaction() as db:
        assert idempotency.forget(db, now=NOW + timedelta(days=8)) == 1
