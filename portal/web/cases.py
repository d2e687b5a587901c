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

from exchange import desk, editions, findings, incidents, outbox
from exchange.models import Case, EditionObject
from exchange.sharing import EditionKind, Permission, Purpose
from exchange.times import utcnow
from portal import current
from portal.auth import requires
from portal.web import wording

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
        given = incidents.open_answers(db, version, by=viewer, purpose=Purpose.RESPONSE, now=now)
        return render_template(
            "case.html",
            case=case,
            kind=wording.option("incident_kind", case.incident_kind),
            scope=wording.option("share_scope", case.share_scope),
            versions=[(wording.STAGES[v.stage], v.received_at, wording.VIAS[v.via]) for v in case.versions],
            answers=wording.answers(given),
            recipients=wording.recipients(version.decision, version.received_at),
            clocks=wording.clocks(version.decision),
            reminders=version.decision["reminders"],
            released=_released(editions.released(db, case)),
            found=_found(db, case),
            released_text=desk.released_text(db, case.id),
            in_work=outbox.in_work(db, [version.id, *(one.id for one in editions.of_case(db, case))]),
            waiting=desk.open_proposal(db, case) is not None,
        )


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
    return render_template(
        "receipt.html",
        case=case,
        recipients=wording.recipients(version.decision, version.received_at),
        clocks=wording.clocks(version.decision),
        reminders=version.decision["reminders"],
        first_aid=wording.first_aid(version.answers),
        possible_duplicate=request.args.get("duplicate"),
    )
