"""Sectors, authorities and reporting rules, for an administrator: what there is, and what was added."""

from __future__ import annotations

import json
from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from sqlalchemy.orm import Session

from exchange import added, carrying, form, json_text
from exchange.errors import Invalid, Unreadable
from exchange.sharing import Permission
from exchange.tables import packaged, table
from exchange.times import utcnow
from portal import current, language
from portal.auth import requires

bp = Blueprint("tables", __name__, url_prefix="/admin/tables")
_CHOICES = ("isac",)


@bp.get("")
@requires(Permission.ADMINISTER)
def show() -> ResponseReturnValue:
    """Every row, and where it comes from. 200."""
    with current.case_store().reading() as db:
        return _page(db)


@bp.post("/<kind>")
@requires(Permission.ADMINISTER)
def add(kind: str) -> ResponseReturnValue:
    """Add a row or change one: 303; 404 for another kind; 422 and what was typed, if it is wrong."""
    typed = request.form.get("row", "")
    try:
        body = _sector() if kind == "sector" and not typed else json_text.loads(typed.encode())
        with current.case_store().transaction() as db:
            row = added.add(db, kind, body, by=current.viewer(), now=utcnow())
            added.follow(db)
    except (Invalid, Unreadable) as error:
        with current.case_store().reading() as db:
            return _page(db, kind=kind, typed=typed, problems=_problems(error)), 422
    # A new circle has its collection before anything is released to it.
    carrying.install(current.stores(), now=utcnow())
    flash(_("Kept: %(id)s. It holds from now on.", id=row["id"]))
    return redirect(url_for("tables.show"), 303)


@bp.post("/<kind>/<row_id>/remove")
@requires(Permission.ADMINISTER)
def remove(kind: str, row_id: str) -> ResponseReturnValue:
    """Take an added row away: 303; 404; 422 if it is in use."""
    try:
        with current.case_store().transaction() as db:
            added.remove(db, kind, row_id, by=current.viewer(), now=utcnow())
    except Invalid as error:
        with current.case_store().reading() as db:
            return _page(db, kind=kind, problems=_problems(error)), 422
    flash(_("Removed: %(id)s.", id=row_id))
    return redirect(url_for("tables.show"), 303)


def _problems(error: Invalid | Unreadable) -> list[tuple[str, str]]:
    if isinstance(error, Unreadable):
        return [(error.at, _("This is not JSON that can be read."))]
    lang = language.chosen()
    return [(problem.field, form.message(problem, lang)) for problem in error.problems]


def _sector() -> dict[str, Any]:
    """A row from the fields of the page."""
    own = {name: request.form.get(name, "").strip() for name in ("id", "ja", "en", "ministry", "weight", "valid_from")}
    number = request.form.get("no", "").strip()
    ceptoar = {name: request.form.get(f"ceptoar_{name}", "").strip() for name in ("id", "ja", "en")}
    row: dict[str, Any] = {name: value for name, value in own.items() if value}
    row |= {"no": int(number) if number.isascii() and number.isdigit() and len(number) < 4 else number}
    row |= {"isac": request.form.getlist("isac"), "ceptoar": [ceptoar] if any(ceptoar.values()) else []}
    return row


def _page(db: Session, *, kind: str = "", typed: str = "", problems: list[tuple[str, str]] | None = None) -> str:
    own = {name: {row["id"] for row in added.of_kind(db, name)} for name in added.KINDS}
    return render_template(
        "tables.html",
        kinds={name: table(where)[rows] for name, (_model, where, rows) in added.KINDS.items()},
        own=own,
        packaged={
            name: {row["id"] for row in packaged(where)[rows]} for name, (_m, where, rows) in added.KINDS.items()
        },
        kind=kind,
        typed=typed or request.form.get("row", ""),
        given=request.form,
        problems=problems or [],
        example=json.dumps(_EXAMPLE, ensure_ascii=False, indent=2),
        version=table("rules")["version"],
    )


_EXAMPLE = {
    "id": "new-regime",
    "ja": "新しい報告制度",
    "en": "A new reporting regime",
    "law": {"ja": "根拠となる法令", "en": "The law that it rests on"},
    "reason": {"ja": "なぜ対象になるのか", "en": "Why it applies"},
    "valid_from": "2027-04-01",
    "when": {"all": [{"profile": "sector", "in": ["chemical"]}, {"answer": "service_impact", "in": ["stopped"]}]},
    "to": ["ministry"],
    "purpose": "statutory-supervision",
    "stages": [
        {
            "id": "sokuhou",
            "ja": "速報：24時間以内",
            "en": "Within 24 hours",
            "start": "aware_at",
            "hours": 24,
            "met_by": "any",
        },
        {
            "id": "shouhou",
            "ja": "詳報：30日以内",
            "en": "Within 30 days",
            "start": "aware_at",
            "days": 30,
            "met_by": "kakuhou",
        },
    ],
    "otherwise": [
        {
            "code": "not-stopped",
            "when": {"profile": "sector", "in": ["chemical"]},
            "ja": "停止していないため",
            "en": "Nothing has stopped",
        }
    ],
}
