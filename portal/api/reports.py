"""Reports: `POST /api/v1/reports`, as JSON or as a STIX bundle."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session
from werkzeug.exceptions import UnsupportedMediaType

from config import Installation
from exchange import json_text, machine
from exchange.errors import Invalid, Problem
from exchange.machine import Brought
from exchange.sharing import Permission
from exchange.times import utcnow
from portal import current, language, present
from portal.api import once, pace
from portal.auth import requires

bp = Blueprint("api_reports", __name__, url_prefix="/api/v1/reports")
_ROUTE = "POST /api/v1/reports"
_STIX = "application/stix+json"


@bp.post("")
@requires(Permission.REPORT)
def report_incident() -> ResponseReturnValue:
    """Accept a quick report, or a STIX bundle that tells one: 201 and its receipt. The same Idempotency-Key gives the
    first answer again. With `confirm=false`, or when a bundle leaves a required answer open, it is kept as a draft
    that waits for a person: 202.

    400 not JSON; 401; 403; 404 another organisation; 409 the key came with another body; 413; 415;
    422 the form is wrong, every field listed; 503 nothing was kept.
    """
    _refuse_other_types()
    said, confirmed = json_text.loads(request.get_data()), _confirmed()
    pace.keep()
    with current.case_store().transaction() as db:
        answer, replayed = once.answered(db, _ROUTE, lambda: _take(db, said, confirmed=confirmed), now=utcnow())
    filed = "report_id" in answer
    return once.respond(answer, 201 if filed else 202, location=answer["status_url"], replayed=replayed)


def _refuse_other_types() -> None:
    stix = request.mimetype == _STIX and request.mimetype_params.get("version", "2.1") == "2.1"
    if request.mimetype != "application/json" and not stix:
        raise UnsupportedMediaType


def _confirmed() -> bool:
    """Whether the sender files by itself, or a person shall look first."""
    said = request.args.get("confirm", "true")
    if said not in {"true", "false"}:
        raise Invalid([Problem("confirm", "unknown-option")])
    return said == "true"


def _take(db: Session, said: object, *, confirmed: bool) -> dict[str, Any]:
    viewer = current.viewer()
    if request.mimetype != _STIX:
        brought = Brought(said)
        return _file(db, brought) if confirmed else _keep(db, brought)
    brought = machine.from_stix(db, said, by=viewer)
    sure = confirmed and not brought.doubted and not machine.missing(db, brought, by=viewer, now=utcnow())
    return _file(db, brought) if sure else _keep(db, brought)


def _file(db: Session, brought: Brought) -> dict[str, Any]:
    exercise = current.settings().installation is Installation.EXERCISE
    filed = machine.file(db, current.stores(), brought, by=current.viewer(), exercise=exercise, clock=utcnow)
    status_url = url_for("api_cases.show_case", ref=filed.case.ref)
    return present.filed(filed, lang=language.chosen(), status_url=status_url)


def _keep(db: Session, brought: Brought) -> dict[str, Any]:
    missing = machine.missing(db, brought, by=current.viewer(), now=utcnow())
    draft = machine.keep(db, brought, by=current.viewer(), now=utcnow())
    return present.draft(draft, status_url=url_for("api_drafts.show_draft", draft_id=draft.id)) | {"missing": missing}
