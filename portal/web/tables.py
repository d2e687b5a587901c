"""Sectors, authorities and rules, for an administrator: what there is, what was added, what a row would change."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter
from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from sqlalchemy.orm import Session

from exchange import added, carrying, form, json_text, sectors, trial
from exchange.errors import Invalid, Unreadable
from exchange.rules import purpose_name
from exchange.sharing import Permission
from exchange.tables import packaged, table
from exchange.times import utcnow
from portal import current, language
from portal.auth import requires

bp = Blueprint("tables", __name__, url_prefix="/admin/tables")


@bp.get("")
@requires(Permission.ADMINISTER)
def show() -> ResponseReturnValue:
    """Every row, and where it comes from; with `?change=rule/act-report` that row to be changed. 200."""
    kind, __, row_id = request.args.get("change", "").partition("/")
    with current.case_store().reading() as db:
        return _page(db, kind=kind, typed=_as_json(kind, row_id))


@bp.post("/<kind>")
@requires(Permission.ADMINISTER)
def add(kind: str) -> ResponseReturnValue:
    """Add a row or change one: 200 and what it would change; 303 when that was confirmed; 404 for another kind.

    422 and what was typed, if it is wrong.
    """
    typed = request.form.get("row", "")
    try:
        body = _sector() if kind == "sector" and not typed else json_text.loads(typed.encode())
        if request.form.get("confirmed") != "yes":
            return _check(kind, body)
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


def _check(kind: str, body: object) -> str:
    """What would change; or the form again, when somebody wants to change what was typed. Raises: Invalid."""
    with current.case_store().reading() as db:
        row = added.ready(db, kind, body)
        if "again" in request.form:
            return _page(db, kind=kind, typed=request.form.get("row", ""))
        found = trial.run(db, kind, row, now=utcnow())
    typed = [pair for pair in request.form.items(multi=True) if pair[0] not in {"csrf_token", "confirmed"}]
    return render_template(
        "tables_check.html",
        kind=kind,
        row=row,
        body=_pretty(row),
        rule=_rule(row) if kind == "rule" else None,
        at=found.at,
        changes=[(report, list(rows)) for report, rows in groupby(found.changes, key=attrgetter("report"))],
        typed=typed,
    )


@bp.post("/<kind>/<row_id>/remove")
@requires(Permission.ADMINISTER)
def remove(kind: str, row_id: str) -> ResponseReturnValue:
    """Take an added row away: 303; 404; 422 if it is in use."""
    try:
        with current.case_store().transaction() as db:
            added.remove(db, kind, row_id, by=current.viewer(), now=utcnow())
    except Invalid as error:
        with current.case_store().reading() as db:
            return _page(db, problems={row_id: " ".join(_problems(error).values())}), 422
    flash(_("Removed: %(id)s.", id=row_id))
    return redirect(url_for("tables.show"), 303)


def _problems(error: Invalid | Unreadable) -> dict[str, str]:
    """What is wrong, by the member of the row."""
    if isinstance(error, Unreadable):
        return {error.at: _("This is not JSON that can be read.")}
    lang = language.chosen()
    return {problem.field: form.message(problem, lang) for problem in error.problems}


def _sector() -> dict[str, Any]:
    """A row from the fields of the page."""
    own = {name: request.form.get(name, "").strip() for name in ("id", "ja", "en", "ministry", "weight", "valid_from")}
    number = request.form.get("no", "").strip()
    ceptoar = {name: request.form.get(f"ceptoar_{name}", "").strip() for name in ("id", "ja", "en")}
    row: dict[str, Any] = {name: value for name, value in own.items() if value}
    if number:
        row["no"] = int(number) if number.isascii() and number.isdigit() and len(number) < 4 else number
    row |= {"isac": request.form.getlist("isac"), "ceptoar": [ceptoar] if any(ceptoar.values()) else []}
    return row


def _page(db: Session, *, kind: str = "", typed: str = "", problems: Mapping[str, str] | None = None) -> str:
    kinds = {name: table(where)[rows] for name, (_model, where, rows) in added.KINDS.items()}
    return render_template(
        "tables.html",
        kinds=kinds,
        rules=[_rule(row) for row in kinds["rule"]],
        ministries=[row for row in kinds["authority"] if row["kind"].endswith("-ministry")],
        own={name: {row["id"] for row in added.of_kind(db, name)} for name in added.KINDS},
        packaged={
            name: {row["id"] for row in packaged(where)[rows]} for name, (_m, where, rows) in added.KINDS.items()
        },
        kind=kind,
        typed=typed,
        given=request.form,
        problems=problems or {},
        examples={name: _pretty(row) for name, row in _EXAMPLES.items()},
        version=table("rules")["version"],
    )


def _as_json(kind: str, row_id: str) -> str:
    """The row as it is kept, to be changed; empty without one."""
    _model, where, rows = added.KINDS.get(kind, (None, "sectors", "sectors"))
    found = next((row for row in table(where)[rows] if row["id"] == row_id), None)
    return _pretty(found) if found and kind in added.KINDS else ""


def _pretty(row: Mapping[str, Any]) -> str:
    return json.dumps(row, ensure_ascii=False, indent=2)


# --- a rule in words -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Clock:
    """A clock of a rule: its name, and the facts about it."""

    name: Mapping[str, Any]
    facts: list[str]


@dataclass(frozen=True)
class Rule:
    """A rule as the page shows it."""

    row: Mapping[str, Any]
    recipients: list[Any]
    purpose: Any
    clocks: list[Clock]


def _rule(row: Mapping[str, Any]) -> Rule:
    recipients = [_recipient(who) for who in row["to"]]
    return Rule(row, recipients, purpose_name(row["purpose"]), [_clock(stage) for stage in row["stages"]])


def _recipient(who: str) -> Any:
    return _("The ministry in charge of the sector") if who == "ministry" else sectors.authority(who, utcnow()).name


def _clock(stage: Mapping[str, Any]) -> Clock:
    facts = [_amount(stage), _("Counted from: %(what)s", what=form.FIELDS[stage["start"]]["label"][language.chosen()])]
    if stage.get("first_day_counted"):
        facts.append(_("The first day counts"))
    if stage.get("roll_if_closed"):
        facts.append(_("A closed day moves it to the next open day"))
    if "target_hours" in stage:
        facts.append(_("Our own target: %(n)s hours", n=stage["target_hours"]))
    if "when" in stage:
        facts.append(_("Only under a further condition"))
    return Clock(stage, [*facts, _met_by(stage["met_by"])])


def _amount(stage: Mapping[str, Any]) -> str:
    amounts = {
        "hours": _("Within %(n)s hours", n=stage.get("hours")),
        "days": _("Within %(n)s days", n=stage.get("days")),
        "business_days": _("Within %(n)s business days", n=stage.get("business_days")),
        "months": _("Within %(n)s months", n=stage.get("months")),
    }
    return str(next((words for unit, words in amounts.items() if unit in stage), _("Without delay")))


def _met_by(filing: str) -> str:
    words = {
        "any": _("Met by any report"),
        "update": _("Met by the next update"),
        "kakuhou": _("Met by the full report"),
    }
    return str(words[filing])


_RULE = {
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
_EXAMPLES: Mapping[str, Mapping[str, Any]] = {
    "rule": _RULE,
    "authority": {
        "id": "new-agency",
        "ja": "新しい機関",
        "en": "A new agency",
        "kind": "agency",
        "valid_from": "2027-04-01",
        "before": [{"until": "2029-03-31", "ja": "前の名称", "en": "Its name until then"}],
    },
    "isac": {"id": "new-isac", "ja": "新しいISAC", "en": "A new ISAC", "sectors": ["chemical"]},
    "sector": {
        "id": "new-sector",
        "no": 16,
        "ja": "新しい分野",
        "en": "A new sector",
        "valid_from": "2027-04-01",
        "ministry": "meti",
        "ministry_before": [],
        "isac": [],
        "ceptoar": [{"id": "new-ceptoar", "ja": "新しいセプター", "en": "A new CEPTOAR"}],
        "stix": ["utilities"],
        "weight": "normal",
        "anonymity": {"k": 3, "population": 10},
    },
}
"""A complete row of each kind."""
