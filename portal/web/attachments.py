"""Files that come with a report: on the form of the report, one by one from a script, and later on the case."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import quote
from uuid import UUID

from flask import Blueprint, Response, flash, jsonify, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from sqlalchemy.orm import Session
from werkzeug.datastructures import FileStorage

from exchange import attachments, form, incidents
from exchange.attachment_kinds import Refused, TooBig, Unsupported
from exchange.attachment_reading import read
from exchange.attachments import Kept
from exchange.errors import Problem
from exchange.sharing import Permission
from exchange.times import utcnow
from portal import current, language
from portal.auth import requires
from portal.body import takes_files
from portal.web import wording

bp = Blueprint("attachments", __name__)
LABEL: wording.Words = {"ja": "添付ファイル", "en": "Attachments"}
_QUESTION, _KEPT, _REMOVED = "attachment", "attached", "detach"
FIELDS = frozenset({_QUESTION, _KEPT, _REMOVED})
_STATUS: dict[type[Refused], int] = {TooBig: 413, Unsupported: 415}
# Nothing may run in it, nothing may be fetched by it, and it is nobody's page.
_POLICY = "default-src 'none'; sandbox; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"


@dataclass(frozen=True)
class Arrived:
    """The files that wait for the report that is being typed, and what is wrong with those that were refused."""

    ids: Sequence[UUID]
    wrong: Sequence[Problem] = ()
    status: int = 200

    @property
    def carried(self) -> list[str]:
        """As the page hands them on."""
        return [str(one) for one in self.ids]


def arrived() -> Arrived:
    """Take the files that come with this form, and let go of the one that is to be removed."""
    kept = ids(request.form.getlist(_KEPT))
    files = [one for one in request.files.getlist(_QUESTION) if one.filename]
    removed = ids([request.form.get(_REMOVED, "")])
    if not files and not removed:
        return Arrived(kept)
    with current.case_store().transaction() as db:
        for one in removed:
            attachments.drop(db, one, by=current.viewer())
    return _taken(files, [one for one in kept if one not in removed])


def ids(texts: Sequence[str]) -> list[UUID]:
    """Of files that wait, as a form or a draft names them; what is no id names nothing."""
    found = []
    for text in texts:
        try:
            found.append(UUID(text))
        except ValueError:
            continue
    return list(dict.fromkeys(found))[: attachments.MOST]


def _taken(files: Sequence[FileStorage], kept: list[UUID]) -> Arrived:
    """Each by itself: one that is refused does not take the others with it."""
    wrong: list[Problem] = []
    status = 200
    for file in files:
        try:
            kept = list(dict.fromkeys([*kept, _take(file, kept)]))
        except Refused as error:
            wrong += error.problems
            status = _STATUS.get(type(error), 422)
    return Arrived(kept, wrong, status)


def _take(file: FileStorage, beside: Sequence[UUID]) -> UUID:
    found = read(file.filename or "", file.stream.read(), whose=current.viewer().organization_id)
    with current.case_store().transaction() as db:
        return attachments.take(db, found, beside=beside, by=current.viewer(), now=utcnow())


def waiting(db: Session, ids: Sequence[UUID]) -> list[Kept]:
    """For the page: the files that wait."""
    return attachments.pending(db, ids, by=current.viewer())


def answer(kept: Sequence[Kept]) -> list[wording.Answer]:
    """The files as one more answer to look over."""
    names: list[wording.Words] = [{"ja": one.name, "en": one.name} for one in kept]
    return [wording.Answer({"id": _QUESTION, "label": LABEL}, list(names))] if names else []


# --- one by one, from a script ----------------------------------------------------------------------------------


@bp.post("/attachments")
@requires(Permission.REPORT)
@takes_files
def add() -> ResponseReturnValue:
    """Keep one file for the report that is being typed: 201, its id and its name; 413, 415, 422 and why."""
    came = arrived()
    if came.wrong or not came.ids:
        problem = came.wrong[0] if came.wrong else Problem("file", "required")
        return jsonify(message=form.message(problem, language.chosen())), came.status if came.wrong else 422
    with current.case_store().reading() as db:
        (newest,) = waiting(db, came.ids[-1:])
    return jsonify(id=str(newest.row.id), name=newest.name), 201


# --- with a case --------------------------------------------------------------------------------------------------


@bp.get("/cases/<ref>/attachments")
@requires(Permission.REPORT)
def show(ref: str) -> ResponseReturnValue:
    """The files of a case, and a form for more. 200, 404."""
    with current.case_store().reading() as db:
        return _page(db, ref, Arrived([]))


@bp.post("/cases/<ref>/attachments")
@requires(Permission.REPORT)
@takes_files
def add_later(ref: str) -> ResponseReturnValue:
    """Keep more files with a case: 303 back to it; 404; 413, 415, 422 and the page again if one is refused."""
    with current.case_store().reading() as db:
        incidents.find_own(db, ref, current.viewer())
    came = arrived()
    if not came.ids and not came.wrong and _REMOVED not in request.form:
        came = Arrived([], [Problem("attachment", "required")], 422)
    if came.wrong or _REMOVED in request.form:
        with current.case_store().reading() as db:
            return _page(db, ref, came), came.status
    try:
        with current.case_store().transaction() as db:
            attachments.add_later(db, ref, came.ids, by=current.viewer(), now=utcnow())
    except Refused as error:
        with current.case_store().reading() as db:
            return _page(db, ref, Arrived(came.ids, error.problems)), 422
    flash(_("Attached. What is recognised in it appears on the page of the case in a few seconds."))
    return redirect(url_for(".show", ref=ref), 303)


def _page(db: Session, ref: str, came: Arrived) -> str:
    case = incidents.find_own(db, ref, current.viewer())
    return render_template(
        "attachments.html",
        case=case,
        filed=attachments.of_case(db, case),
        attached=waiting(db, came.ids),
        errors=[(one.field, form.message(one, language.chosen())) for one in came.wrong],
    )


@bp.get("/attachments/<uuid:attachment_id>")
@requires(Permission.SIGNED_IN)
def download(attachment_id: UUID) -> ResponseReturnValue:
    """A file, to save: for those who may open the whole report, and audited. 200, 403, 404."""
    with current.case_store().transaction() as db:
        found = attachments.open_file(db, attachment_id, by=current.viewer(), now=utcnow())
    response = Response(found.body, content_type=found.media_type)
    ending = found.name.rpartition(".")[2]
    names = f"filename=\"attachment.{ending}\"; filename*=UTF-8''{quote(found.name, safe='')}"
    response.headers["Content-Disposition"] = f"attachment; {names}"
    response.headers["Content-Security-Policy"] = _POLICY
    return response
