"""What the reporter sees of each recipient: its receipt, its questions, and a proof of what was filed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from sqlalchemy.orm import Session

from exchange import incidents, proof, receipts, rules, sectors, talk
from exchange.documents.pdf import pdf
from exchange.errors import Invalid, NotFound
from exchange.form import message
from exchange.models import Case
from exchange.receipts import Receipt
from exchange.sharing import Permission
from exchange.times import utcnow
from portal import current, language
from portal.auth import requires
from portal.web import downloads, once, wording

bp = Blueprint("receipts", __name__, url_prefix="/cases")


@dataclass(frozen=True)
class Recipient:
    """A recipient of a case in words, and what became of its copy. `held`: it gets no further one."""

    id: str
    name: Any
    law: Any
    reason: Any
    purpose: Any
    held: bool
    receipt: Receipt


@dataclass(frozen=True)
class Thread:
    """What one authority and the reporter said to each other."""

    authority: str
    name: Any
    said: list[talk.Said]
    waits: bool


def given(db: Session, case: Case) -> dict[str, Any]:
    """What the list of recipients shows, for a template that includes it."""
    found = [_recipient(one) for one in receipts.of_case(db, case)]
    settled = sum(one.receipt.is_settled for one in found)
    return {"given": found, "settled": settled, "stages": wording.STAGES}


def _recipient(receipt: Receipt) -> Recipient:
    row, version = receipt.sent.row, receipt.sent.version
    return Recipient(
        id=receipt.recipient,
        name=_name(receipt.recipient, version.received_at),
        law=row["law"],
        reason=row["reason"],
        purpose=rules.purpose_name(row["purpose"]),
        held=version.seq < len(version.case.versions),
        receipt=receipt,
    )


def _name(authority: str, at: datetime) -> sectors.Text:
    return sectors.authority(authority, at).name


def asked(db: Session, case: Case, *, now: datetime) -> dict[str, Any]:
    """What the questions of authorities show, for a template that includes them; those without an answer first."""
    found = talk.threads(db, case, own=None, viewer=current.viewer(), now=now)
    threads = [Thread(who, _name(who, said[0].at), said, talk.waits(said)) for who, said in found.items()]
    shown = sorted(threads, key=lambda one: not one.waits)
    return {"threads": shown, "defanged": wording.defanged, "longest": talk.LONGEST, "new_key": once.new_key}


@bp.get("/<ref>/receipts")
@requires(Permission.REPORT)
def show(ref: str) -> ResponseReturnValue:
    """The list of recipients alone, for a page that brings itself up to date. 200, 404."""
    with current.case_store().reading() as db:
        return render_template("inbox_receipts.html", **given(db, incidents.find_own(db, ref, current.viewer())))


@bp.get("/<ref>/talk/<authority>")
@requires(Permission.REPORT)
def thread(ref: str, authority: str) -> ResponseReturnValue:
    """What an authority has asked, and a box for the answer. 200, 404."""
    return _thread(ref, authority)


@bp.post("/<ref>/talk/<authority>")
@requires(Permission.REPORT)
def answer(ref: str, authority: str) -> ResponseReturnValue:
    """Answer an authority that has asked: 303, also the second time; 404; 422 if it cannot be sent so."""
    typed = request.form.get("text", "")
    try:
        with current.case_store().transaction() as db:
            if once.first_time(db):
                talk.answer(db, ref, authority, typed, by=current.viewer(), now=utcnow())
    except Invalid as error:
        return _thread(ref, authority, typed, error), 422
    flash(_("Sent. Only this authority reads your answer."))
    return redirect(url_for("cases.show", ref=ref), 303)


def _thread(ref: str, authority: str, typed: str = "", wrong: Invalid | None = None) -> str:
    with current.case_store().transaction() as db:
        case = incidents.find_own(db, ref, current.viewer())
        shown = asked(db, case, now=utcnow())
    found = [one for one in shown["threads"] if one.authority == authority]
    if not found:
        raise NotFound(f"question of {authority}")
    problems = [(one.field, message(one, language.chosen())) for one in wrong.problems] if wrong else []
    return render_template("inbox_thread.html", case=case, one=found[0], typed=typed, problems=problems, **shown)


@bp.get("/<ref>/proof")
@requires(Permission.REPORT)
def prove(ref: str) -> ResponseReturnValue:
    """What was received here and who has it, to print. 200, 404."""
    with current.case_store().reading() as db:
        case = incidents.find_own(db, ref, current.viewer())
        view, marks = proof.of_case(db, case, now=utcnow())
    return render_template("inbox_proof.html", case=case, view=view, marks=marks)


@bp.get("/<ref>/proof.pdf")
@requires(Permission.REPORT)
def prove_as_pdf(ref: str) -> ResponseReturnValue:
    """The same as a PDF. 200, 404."""
    with current.case_store().reading() as db:
        view, marks = proof.of_case(db, incidents.find_own(db, ref, current.viewer()), now=utcnow())
    lang = language.chosen()
    title = f"{marks.ref}_{getattr(view.title, lang)}"
    body = pdf(view, lang=lang, marks=marks)
    return downloads.attachment(body, "application/pdf", title=title, plain=f"{marks.ref}-proof", form="pdf")
