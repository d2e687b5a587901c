"""Reports: `POST /api/v1/reports`."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, jsonify, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session
from werkzeug.exceptions import UnsupportedMediaType

from config import Installation
from exchange import idempotency, incidents, json_text
from exchange.db import vault_of
from exchange.idempotency import Once
from exchange.sharing import Permission
from exchange.times import utcnow
from portal import current, language, present
from portal.auth import requires

bp = Blueprint("api_reports", __name__, url_prefix="/api/v1/reports")
_ROUTE = "POST /api/v1/reports"


@bp.post("")
@requires(Permission.REPORT)
def report_incident() -> ResponseReturnValue:
    """Accept a quick report: 201 and its receipt. The same Idempotency-Key gives the first answer again.

    400 not JSON; 401; 403; 404 another organisation; 409 the key came with another body; 413; 415;
    422 the form is wrong, every field listed; 503 nothing was kept.
    """
    if request.mimetype != "application/json":
        raise UnsupportedMediaType
    body = request.get_data()
    answers = json_text.loads(body)
    with current.case_store().transaction() as db:
        once = _once()
        given = _given_before(db, once, body) if once else None
        receipt = given or _file(db, answers, once)
    return _created(receipt, replayed=given is not None)


def _once() -> Once | None:
    key, viewer = request.headers.get("Idempotency-Key"), current.viewer()
    assert viewer.person_id is not None
    return Once(viewer.person_id, _ROUTE, key) if key is not None else None


def _given_before(db: Session, once: Once, body: bytes) -> dict[str, Any] | None:
    return idempotency.first_answer(db, once, fingerprint=vault_of(db).fingerprint(body), now=utcnow())


def _file(db: Session, answers: object, once: Once | None) -> dict[str, Any]:
    viewer, now = current.viewer(), utcnow()
    quick = incidents.read(db, answers, by=viewer, now=now)
    exercise = current.settings().installation is Installation.EXERCISE
    filed = incidents.report(db, quick, by=viewer, via="api", now=now, exercise=exercise)
    status_url = url_for("api_cases.show_case", ref=filed.case.ref)
    receipt = present.filed(filed, lang=language.chosen(), status_url=status_url)
    if once is not None:
        idempotency.keep(db, once, receipt)
    return receipt


def _created(receipt: dict[str, Any], *, replayed: bool) -> Response:
    response = jsonify(receipt)
    response.status_code = 201
    response.headers["Location"] = receipt["status_url"]
    if replayed:
        response.headers["Idempotent-Replay"] = "true"
    return response
