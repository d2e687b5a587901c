"""You are not alone: what a reporter may be told of others, and what this may never tell."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy.orm import Session

from exchange import alike, carrying, incidents
from exchange.incidents import Filing
from exchange.models import Case
from exchange.sharing import Viewer
from exchange.stores import Stores
from tests.make import make_organization, make_report, make_viewer

HOURS_AGO = timedelta(hours=1)


def make_case(db: Session, now: datetime, *, by: Viewer | None = None, **answers: Any) -> Case:
    return make_report(
        db, by or make_viewer(db, make_organization(db)), now=now - HOURS_AGO, **given(now, answers)
    ).case


def given(now: datetime, answers: dict[str, Any]) -> dict[str, Any]:
    return {"aware_at": (now - timedelta(days=9)).isoformat(), "share_scope": "council-anon"} | answers


def test_two_others_say_nothing_and_three_say_it(stores: Stores, now: datetime) -> None:
    with stores.case.transaction() as db:
        own = make_case(db, now, share_scope="legal-only")
        for _ in range(2):
            make_case(db, now)
        assert not alike.others_too(db, own, now=now)
        make_case(db, now, share_scope="allied-anon")
        assert alike.others_too(db, own, now=now)


def test_ones_own_organization_does_not_count(stores: Stores, now: datetime) -> None:
    with stores.case.transaction() as db:
        reporter = make_viewer(db, make_organization(db))
        own, *_ = (make_case(db, now, by=reporter, summary=f"第{n}報") for n in range(4))
        for _ in range(2):
            make_case(db, now)
        assert not alike.others_too(db, own, now=now)


def test_several_reports_of_one_organization_count_once(stores: Stores, now: datetime) -> None:
    with stores.case.transaction() as db:
        own, other = make_case(db, now), make_viewer(db, make_organization(db))
        for n in range(5):
            make_case(db, now, by=other, summary=f"第{n}報")
        make_case(db, now)
        assert not alike.others_too(db, own, now=now)


@pytest.mark.parametrize("scope", ["legal-only", "nco"])
def test_a_report_that_may_not_go_out_says_nothing_to_others(stores: Stores, now: datetime, scope: str) -> None:
    with stores.case.transaction() as db:
        own = make_case(db, now)
        for _ in range(5):
            make_case(db, now, share_scope=scope)
        assert not alike.others_too(db, own, now=now)


def test_another_kind_and_another_week_are_not_the_same(stores: Stores, now: datetime) -> None:
    with stores.case.transaction() as db:
        own = make_case(db, now)
        for _ in range(3):
            make_case(db, now, incident_kind="ddos")
        assert not alike.others_too(db, own, now=now)
        for _ in range(3):
            make_case(db, now)
        assert alike.others_too(db, own, now=now + timedelta(hours=70))
        assert not alike.others_too(db, own, now=now + timedelta(hours=72))


def test_who_learns_the_kind_later_is_told_of_it(stores: Stores, now: datetime) -> None:
    with stores.case.transaction() as db:
        reporter = make_viewer(db, make_organization(db))
        own = make_case(db, now, by=reporter, incident_kind="unknown")
        for _ in range(3):
            make_case(db, now)
        assert not alike.others_too(db, own, now=now)
    update = Filing("zokuhou", "api", reporter)
    carrying.file(stores, own.ref, {"incident_kind": "ransomware"}, update, clock=lambda: now)
    with stores.case.reading() as db:
        assert alike.others_too(db, incidents.find(db, own.ref, reporter), now=now)


def test_who_corrects_the_kind_is_told_of_the_kind_that_was_reported_first(stores: Stores, now: datetime) -> None:
    with stores.case.transaction() as db:
        reporter = make_viewer(db, make_organization(db))
        own = make_case(db, now, by=reporter)
        for _ in range(3):
            make_case(db, now, incident_kind="ddos")
    correction = Filing("correction", "api", reporter)
    carrying.file(stores, own.ref, {"incident_kind": "ddos"}, correction, clock=lambda: now)
    with stores.case.reading() as db:
        case = incidents.find(db, own.ref, reporter)
        assert case.incident_kind == "ddos" and not alike.others_too(db, case, now=now)


def test_who_allows_no_statistics_is_not_counted(stores: Stores, now: datetime) -> None:
    with stores.case.transaction() as db:
        own, other = make_case(db, now), make_viewer(db, make_organization(db))
        theirs = make_case(db, now, by=other)
        for _ in range(2):
            make_case(db, now)
        assert alike.others_too(db, own, now=now)
    purposes = {"permitted_purposes": ["response", "warning"]}
    carrying.file(stores, theirs.ref, purposes, Filing("zokuhou", "api", other), clock=lambda: now)
    with stores.case.reading() as db:
        assert not alike.others_too(db, own, now=now)


@pytest.mark.parametrize("kind", ["other", "unknown"])
def test_who_names_no_kind_has_nothing_in_common_with_others(stores: Stores, now: datetime, kind: str) -> None:
    with stores.case.transaction() as db:
        own, *_ = (make_case(db, now, incident_kind=kind) for _ in range(5))
        assert not alike.others_too(db, own, now=now)
