"""A case as its reporter sees it, and the receipt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
from flask import Blueprint, render_template, request
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from exchange import desk, drafts, editions, findings, incidents, outbox
from exchange.models import Case, EditionObject, Person
from exchange.sharing import EditionKind, Permission, Purpose, may_report_on
from exchange.times import utcnow
from portal import current
from portal.auth import requires
from portal.web import receipts, wording

bp = Blueprint("cases", __name__, url_prefix="/cases")


@dataclass(frozen=True)
class Released:
    """An object that others have."""

    edition: Any
    type: str
    name: Any
    modified: datetime | None
    tlp: str


@bp.get("/<ref>")
@requires(Permission.REPORT)
def show(ref: str) -> ResponseReturnValue:
    """Everything that was told, decided and released. 200, 404."""
    viewer, now = current.viewer(), utcnow()
    with current.case_store().transaction() as db:
        case = incidents.find(db, ref, viewer)
        version = incidents.latest(case)
        # Whoever reads what they reported themselves needs no leave of their own.
        given = incidents.open_answers(db, version, by=viewer, purpose=Purpose(version.purposes[0]), now=now)
        return render_template(
            "case.html",
            case=case,
            kind=wording.option("incident_kind", case.incident_kind),
            scope=wording.option("share_scope", case.share_scope),
            versions=_versions(db, case),
            begun=[(one, wording.STAGES[one.stage]) for one in drafts.of_organization(db, viewer, case=case)],
            may_go_on=may_report_on(viewer, organization_id=case.organization_id),
            answers=wording.answers(given),
            not_triggered=wording.not_triggered(version.decision),
            reminders=version.decision["reminders"],
            released=_released(editions.released(db, case)),
            found=_found(db, case),
            released_text=desk.released_text(db, case.id),
            in_work=outbox.in_work(db, [version.id, *(one.id for one in editions.of_case(db, case))]),
            waiting=desk.open_proposal(db, case) is not None,
            **receipts.given(db, case),
            **receipts.asked(db, case, now=now),
        )


@dataclass(frozen=True)
class Version:
    """A filed version in the history of a case."""

    seq: int
    stage: Any
    received_at: datetime
    via: Any
    filed_by: str
    changed: int


def _versions(db: Session, case: Case) -> list[Version]:
    """The newest first."""
    return [
        Version(
            one.seq,
            wording.STAGES[one.stage],
            one.received_at,
            wording.VIAS[one.via],
            db.get_one(Person, one.person_id).username,
            len(one.changed),
        )
        for one in reversed(case.versions)
    ]


def _released(rows: Sequence[EditionObject]) -> list[Released]:
    """Every object, with its name in both languages if it has one."""
    objects = [(row, orjson.loads(row.body or b"{}")) for row in rows]
    twins = {one["object_ref"]: one["contents"] for _, one in objects if one["type"] == "language-content"}
    return [
        Released(
            wording.EDITIONS[EditionKind(row.edition.kind)],
            one["type"],
            _named(one, twins.get(one["id"], {})),
            row.modified,
            row.edition.tlp,
        )
        for row, one in objects
    ]


def _named(one: dict[str, Any], twin: dict[str, dict[str, str]]) -> dict[str, str] | None:
    if "name" not in one:
        return None
    names = {lang: wording.defanged(one["name"]) for lang in ("ja", "en")}
    return names | {lang: wording.defanged(texts["name"]) for lang, texts in twin.items()}


def _found(db: Session, case: Case) -> list[wording.Found]:
    kept = findings.kept(db, incidents.latest(case).id)
    return wording.found((row.type, value, row.excluded) for row, value in kept)


@bp.get("/<ref>/receipt")
@requires(Permission.REPORT)
def receipt(ref: str) -> ResponseReturnValue:
    """The number, who got it, what to do first. 200, 404."""
    with current.case_store().reading() as db:
        case = incidents.find(db, ref, current.viewer())
        version = incidents.latest(case)
        given = receipts.given(db, case)
    return render_template(
        "receipt.html",
        case=case,
        **given,
        reminders=version.decision["reminders"],
        first_aid=wording.first_aid(version.answers),
        possible_duplicate=request.args.get("duplicate"),
    )
