"""Steps with a case that need no draft: another consent, closing, opening again; and the versions, one by one."""

from __future__ import annotations

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from sqlalchemy.orm import Session

from exchange import carrying, incidents
from exchange.errors import NotFound, WrongState
from exchange.form import FIELDS
from exchange.incidents import Filing
from exchange.models import Case, Person, ReportVersion
from exchange.sharing import Permission, Purpose, Scope
from exchange.times import utcnow
from portal import current
from portal.auth import requires
from portal.web import differences, once, previews, wording

bp = Blueprint("steps", __name__, url_prefix="/cases")
_SCOPES = [scope.value for scope in Scope]
_STAGE = "correction"


@bp.get("/<ref>/versions/<int:seq>")
@requires(Permission.REPORT)
def show_version(ref: str, seq: int) -> ResponseReturnValue:
    """What a version changed, old and new. The reading is audited. 200, 404."""
    with current.case_store().transaction() as db:
        case = incidents.find(db, ref, current.viewer())
        version = next((one for one in case.versions if one.seq == seq), None)
        if version is None:
            raise NotFound(f"version {seq} of {ref}")
        before = _opened(db, case.versions[seq - 2]) if seq > 1 else {}
        after = _opened(db, version)
        names = version.changed if seq > 1 else [name for name in FIELDS if after.get(name) not in (None, "", [], {})]
        return render_template(
            "draft_version.html",
            case=case,
            version=version,
            stage_name=wording.STAGES[version.stage],
            via=wording.VIAS[version.via],
            filed_by=db.get_one(Person, version.person_id).username,
            last=len(case.versions),
            changes=differences.between(before, after, names),
        )


def _opened(db: Session, version: ReportVersion) -> dict[str, object]:
    purpose = Purpose(version.purposes[0])
    return incidents.open_answers(db, version, by=current.viewer(), purpose=purpose, now=utcnow())


# --- the consent ---------------------------------------------------------------------------------------


@bp.get("/<ref>/consent")
@requires(Permission.REPORT)
def ask_consent(ref: str) -> ResponseReturnValue:
    """How far the report may be shared: the choice as it stands. 200, 404."""
    with current.case_store().reading() as db:
        return _consent_page(incidents.find_own(db, ref, current.viewer()))


def _consent_page(case: Case, *, error: str = "") -> str:
    return render_template(
        "draft_consent.html", case=case, field=FIELDS["share_scope"], chosen=case.share_scope, error=error
    )


@bp.post("/<ref>/consent")
@requires(Permission.REPORT)
def change_consent(ref: str) -> ResponseReturnValue:
    """First what the change brings: 200; then, confirmed, the change: 303 to the case. 404, 409 if the case is closed,
    422 without a choice that differs; 503, and nothing was kept, while the feed must be told and is away."""
    viewer, now, scope = current.viewer(), utcnow(), request.form.get("share_scope", "")
    changes = {"share_scope": scope}
    with current.case_store().transaction() as db:
        case = incidents.find_own(db, ref, viewer)
        if case.closed_at is not None:
            raise WrongState("the case is closed")
        if scope not in _SCOPES:
            return _consent_page(case, error=_("Choose how far it may be shared.")), 422
        if request.form.get("confirmed") != "yes":
            if scope == case.share_scope:
                return _consent_page(case, error=_("This is the choice as it stands.")), 422
            preview = previews.of(db, case, changes, _STAGE, by=viewer, now=now)
            key = once.new_key()
            return render_template(
                "draft_consent_check.html", case=case, scope=scope, preview=preview, idempotency_key=key
            )
        if once.first_time(db):
            carrying.file_in(db, current.stores(), ref, changes, Filing(_STAGE, "web", viewer), clock=utcnow)
            flash(_("The consent is changed. It holds from this moment."))
    return redirect(url_for("cases.show", ref=ref), 303)


# --- the end -------------------------------------------------------------------------------------------


@bp.post("/<ref>/close")
@requires(Permission.REPORT)
def close(ref: str) -> ResponseReturnValue:
    """The incident is over. 303 to the case, 404; 409 if it was closed already."""
    with current.case_store().transaction() as db:
        case = incidents.hold(db, incidents.find_own(db, ref, current.viewer()).id)
        incidents.close(db, case, by=current.viewer(), now=utcnow())
    flash(_("The case is closed. You can open it again at any time."))
    return redirect(url_for("cases.show", ref=ref), 303)


@bp.post("/<ref>/reopen")
@requires(Permission.REPORT)
def reopen(ref: str) -> ResponseReturnValue:
    """Go on with a closed case. 303 to the case, 404; 409 if it is open."""
    with current.case_store().transaction() as db:
        case = incidents.hold(db, incidents.find_own(db, ref, current.viewer()).id)
        incidents.reopen(db, case, by=current.viewer(), now=utcnow())
    flash(_("The case is open again."))
    return redirect(url_for("cases.show", ref=ref), 303)
