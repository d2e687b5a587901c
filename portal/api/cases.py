"""Cases: `GET /api/v1/cases/{ref}`."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, jsonify
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from exchange import audit, editions, findings, incidents
from exchange.models import Case
from exchange.sharing import Permission, Purpose
from exchange.times import rfc3339, utcnow
from portal import current, language, present
from portal.auth import requires

bp = Blueprint("api_cases", __name__, url_prefix="/api/v1/cases")


@bp.get("/<ref>")
@requires(Permission.REPORT)
def show_case(ref: str) -> ResponseReturnValue:
    """A case of the caller's organisation: who got it, its clocks, what was released. 200, 401, 403, 404."""
    viewer, lang = current.viewer(), language.chosen()
    with current.case_store().transaction() as db:
        case = incidents.find(db, ref, viewer)
        version = incidents.latest(case)
        audit.record(db, "report.read", by=viewer, subject=version.id, purpose=Purpose.RESPONSE, now=utcnow())
        excluded = [
            {"type": row.type, "value": value, "reason": findings.told(row.excluded)}
            for row, value in findings.kept(db, version.id)
            if row.excluded
        ]
        body = present.case(case, version, lang=lang, released=_released(db, case), excluded=excluded)
    return jsonify(body)


def _released(db: Session, case: Case) -> list[dict[str, Any]]:
    return [
        {
            "edition": one.edition.kind,
            "id": one.stix_id,
            "modified": rfc3339(one.modified) if one.modified else None,
            "tlp": one.edition.tlp,
        }
        for one in editions.released(db, case)
    ]
