"""One thing each, every argument optional."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from itertools import count
from typing import Any

from sqlalchemy.orm import Session

from exchange import accounts, editions, findings, incidents, installation
from exchange.incidents import Filed
from exchange.models import Edition, Organization
from exchange.sharing import Kind, Role, Viewer
from exchange.stores import Stores
from exchange.tables import table
from tests.conftest import NOW

_numbers = count(1)
DEMO = table("demo")
SAMPLES: list[str] = [row["sample"] for row in DEMO["reports"]]


class Clock:
    """The time that the doors are told; a test moves it."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now


def make_organization(db: Session, *, ref: str | None = None, kind: Kind = Kind.OPERATOR, **more: Any) -> Organization:
    """An organization; an operator of the port sector unless told otherwise."""
    ref = ref or f"ORG-T{next(_numbers)}"
    row = {"ref": ref, "kind": kind, "name_ja": f"試験{ref}株式会社", "name_en": f"Trial {ref} K.K.", "domains": []}
    if kind is Kind.OPERATOR:
        row |= {"sector": "port", "isacs": ["t-isac"], "ceptoar": "port-ceptoar", "ci_operator": True}
    return installation.add_organization(db, row | more, now=NOW)


def make_viewer(db: Session, organization: Organization, *roles: Role, username: str | None = None) -> Viewer:
    """Somebody of the organization, with these roles."""
    name = username or f"user-{next(_numbers)}"
    person = accounts.add_person(
        db, organization, username=name, roles=list(roles or (Role.REPORTER,)), password="right horse", now=NOW
    )
    return accounts.viewer_of(person)


def sample(name: str) -> dict[str, Any]:
    """One of the ten invented reports: its organisation's row, its answers, the later stages, what is expected."""
    report = next(row for row in DEMO["reports"] if row["sample"] == name)
    own = next(row for row in DEMO["organisations"] if row["ref"] == report["organisation"])
    return {"own": own} | {name: report[name] for name in ("answers", "later", "expected")}


def make_answers(**more: Any) -> dict[str, Any]:
    """A right quick report, as the API takes it."""
    answers = {
        "incident_kind": "ransomware",
        "aware_at": (NOW - timedelta(hours=1)).isoformat(),
        "service_impact": "stopped",
        "system_class": ["it"],
        "personal_data": "no",
        "current_status": "ongoing",
        "callback": "03-1234-5678",
        "share_scope": "council-anon",
        "ioc_paste": "203[.]0[.]113[.]45 hxxps://bad[.]example/x CVE-2024-21887",
    }
    return answers | more


def make_report(db: Session, by: Viewer, *, now: datetime = NOW, **answers: Any) -> Filed:
    """A filed report."""
    quick = incidents.read(db, make_answers(**answers), by=by, now=now)
    return incidents.report(db, quick, by=by, via="api", now=now)


def file_sample(stores: Stores, name: str, *, now: datetime = NOW) -> Filed:
    """File one of the ten as its own organization would, at the time that it tells."""
    found = sample(name)
    filed_at = datetime.fromisoformat(found["answers"]["submitted_at"])
    with stores.case.transaction() as db:
        own = installation.add_organization(
            db, {**found["own"], "kind": Kind.OPERATOR, "isacs": found["own"]["isac"]}, now=now
        )
        viewer = make_viewer(db, own)
        quick = incidents.read(db, found["answers"], by=viewer, now=filed_at)
        return incidents.report(db, quick, by=viewer, via="api", now=filed_at)


def work(stores: Stores, filed: Filed, *, now: datetime = NOW, documentation_is_real: bool = True) -> list[Edition]:
    """What the workers do with a report, up to the editions, without a broker."""
    version_id = filed.version.id
    with stores.case.transaction() as db:
        findings.normalise(db, version_id, now=now, documentation_is_real=documentation_is_real)
    with stores.case.transaction() as db:
        editions.decide(db, version_id, now=now)
    with stores.case.reading() as db:
        return editions.of_case(db, filed.case)


def expected(name: str) -> Mapping[str, Any]:
    """What the rules must say about a sample."""
    found: Mapping[str, Any] = sample(name)["expected"]
    return found
