"""Cases: `/api/v1/cases`."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, jsonify, request, url_for
from flask.typing import ResponseReturnValue
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.orm import Session
from werkzeug.exceptions import UnsupportedMediaType

from exchange import accounts, audit, boards, carrying, editions, findings, form, incidents, json_text, receipts
from exchange.answer_types import Time
from exchange.errors import Invalid, NotFound, Problem
from exchange.form import OrganisationRef
from exchange.incidents import Filing
from exchange.models import Case
from exchange.sharing import Permission, Purpose
from exchange.times import rfc3339, utcnow
from portal import current, language, present
from portal.api import once, pace
from portal.auth import requires

bp = Blueprint("api_cases", __name__, url_prefix="/api/v1/cases")
STAGES = ("zokuhou", "kakuhou", "correction")
MOST_CASES, USUAL_CASES = 200, 50
_ROUTE = "PATCH /api/v1/cases"
_TYPES = {"application/json", "application/merge-patch+json"}
Json = dict[str, Any]


@bp.get("")
@requires(Permission.REPORT)
def list_cases() -> ResponseReturnValue:
    """The cases of the caller's organisation, newest first: 200; 401, 403; 422 if `limit` is none."""
    most = _limit(request.args.get("limit", str(USUAL_CASES)))
    with current.case_store().reading() as db:
        found = incidents.cases(db, current.viewer(), most=most)
        newest = boards.newest(db, Case.id.in_([one.id for one in found]))
        shown = [present.listed(one, newest[one.id], status_url=_url(one)) for one in found]
    return jsonify({"cases": shown})


def _limit(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) < 4 and 1 <= int(text) <= MOST_CASES):
        raise Invalid([Problem("limit", "out-of-range", {"min": 1, "max": MOST_CASES})])
    return int(text)


def _url(case: Case) -> str:
    return url_for("api_cases.show_case", ref=case.ref)


# --- one case ------------------------------------------------------------------------------------------


@bp.get("/<ref>")
@requires(Permission.REPORT)
def show_case(ref: str) -> ResponseReturnValue:
    """A case of the caller's organisation: who got it, its clocks, its versions, what was released. 200.

    401, 403, 404.
    """
    with current.case_store().transaction() as db:
        return jsonify(_shown(db, incidents.find(db, ref, current.viewer())))


def _shown(db: Session, case: Case) -> Json:
    version, lang, now = incidents.latest(case), language.chosen(), utcnow()
    audit.record(
        db, "report.read", by=current.viewer(), subject=version.id, purpose=Purpose(version.purposes[0]), now=now
    )
    excluded = [
        {"type": row.type, "value": value, "reason": findings.told(row.excluded)}
        for row, value in findings.kept(db, version.id)
        if row.excluded
    ]
    body = present.case(case, version, lang=lang, released=_released(db, case), excluded=excluded)
    return body | {
        "versions": [present.version(one, url=f"{_url(case)}/versions/{one.seq}") for one in case.versions],
        "deadlines": [present.deadline(one, lang=lang) for one in boards.of_case(db, case, now=now)],
        "receipts": [present.receipt(one) for one in receipts.of_case(db, case)],
    }


def _released(db: Session, case: Case) -> list[Json]:
    return [
        {
            "edition": one.edition.kind,
            "id": one.stix_id,
            "modified": rfc3339(one.modified) if one.modified else None,
            "tlp": one.edition.tlp,
        }
        for one in editions.released(db, case)
    ]


@bp.get("/<ref>/versions/<seq>")
@requires(Permission.REPORT)
def show_version(ref: str, seq: str) -> ResponseReturnValue:
    """One version of a report of the caller's organisation, with all its answers; the reading is audited. 200.

    401; 403, also where the reporter allowed no use for response; 404.
    """
    viewer = current.viewer()
    with current.case_store().transaction() as db:
        case = incidents.find_own(db, ref, viewer)
        version = next((one for one in case.versions if str(one.seq) == seq), None)
        if version is None:
            raise NotFound(f"version {seq}")
        answers = incidents.open_answers(db, version, by=viewer, purpose=Purpose(version.purposes[0]), now=utcnow())
        routing = present.routing(version, lang=language.chosen())
    own = present.version(version, url=request.path) | {"case_id": case.ref, "answers": answers}
    return jsonify(routing | own)


# --- what is new ---------------------------------------------------------------------------------------


class Claims(BaseModel):
    """What may stand in an update beside the answers."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    submitted_at: Time | None = Field(default=None, description="The client's own claim: kept, never trusted.")
    organisation: OrganisationRef | None = None


@bp.patch("/<ref>")
@requires(Permission.REPORT)
def update_case(ref: str) -> ResponseReturnValue:
    """File what is new about a case, a JSON Merge Patch over all fields: 201, a new version and what follows from it.
    The same Idempotency-Key gives the first answer again.

    400 not JSON; 401; 403; 404; 409 the case is closed, or the key came with another body; 413; 415;
    422 an answer is wrong, every field listed, or nothing is new; 503 nothing was kept.
    """
    if request.mimetype not in _TYPES:
        raise UnsupportedMediaType
    said, stage = json_text.loads(request.get_data()), _stage()
    pace.keep()
    with current.case_store().transaction() as db:
        answer, replayed = once.answered(db, _ROUTE, lambda: _file(db, ref, said, stage), now=utcnow())
    return once.respond(answer, 201, location=answer["version_url"], replayed=replayed)


def _stage() -> str:
    stage = request.args.get("stage", "zokuhou")
    if stage not in STAGES:
        raise Invalid([Problem("stage", "unknown-option")])
    return stage


def _file(db: Session, ref: str, said: object, stage: str) -> Json:
    viewer = current.viewer()
    claims, changes = _apart(db, said)
    filing = Filing(stage, "api", viewer, claimed_at=claims.submitted_at)
    filed = carrying.file_in(db, current.stores(), ref, changes, filing, clock=utcnow)
    return present.updated(filed, lang=language.chosen(), status_url=_url(filed.case))


def _apart(db: Session, said: object) -> tuple[Claims, object]:
    """What the sender claims, and the answers. Raises: Invalid; NotFound if another organisation is named."""
    if not isinstance(said, dict):
        return Claims(), said
    own = accounts.own_organization(db, current.viewer(), None)
    claimed = {name: value for name, value in said.items() if name in Claims.model_fields}
    claims = form.checked(Claims, claimed, profile=incidents.profile_of(own), now=utcnow())
    if claims.organisation is not None:
        accounts.own_organization(db, current.viewer(), claims.organisation.org_id)
    return claims, {name: value for name, value in said.items() if name not in claimed}


@bp.post("/<ref>/close")
@requires(Permission.REPORT)
def close_case(ref: str) -> ResponseReturnValue:
    """Say that it is over: 200 and the case; 401, 403, 404; 409 if it is closed already."""
    viewer = current.viewer()
    with current.case_store().transaction() as db:
        case = incidents.hold(db, incidents.find_own(db, ref, viewer).id)
        incidents.close(db, case, by=viewer, now=utcnow())
        return jsonify(_shown(db, case))


@bp.post("/<ref>/reopen")
@requires(Permission.REPORT)
def reopen_case(ref: str) -> ResponseReturnValue:
    """Go on with a closed case: 200 and the case; 401, 403, 404; 409 if it is open."""
    viewer = current.viewer()
    with current.case_store().transaction() as db:
        case = incidents.hold(db, incidents.find_own(db, ref, viewer).id)
        incidents.reopen(db, case, by=viewer, now=utcnow())
        return jsonify(_shown(db, case))
