"""Updates, full reports and corrections: begun, typed section by section, checked, filed. Nothing typed is lost."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from flask import Blueprint, Response, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from sqlalchemy.orm import Session

from exchange import attachments, drafting, drafts, findings, incidents, typed
from exchange.drafting import Work
from exchange.drafts import Opened
from exchange.errors import Conflict, Invalid, NotFound, Problem
from exchange.models import Case, Draft, Person, ReportVersion
from exchange.sharing import Permission
from exchange.times import utcnow
from exchange.typed import Pairs, Row
from exchange.updates import SECTIONS
from portal import current, language
from portal.auth import requires
from portal.web import once, previews, questions, wording

bp = Blueprint("drafts", __name__)
_ROW = re.compile(r"\.[0-9]+\.")
_LAST = ".99999."
_TITLES = {section["id"]: section for section in SECTIONS}


@bp.post("/cases/<ref>/drafts")
@requires(Permission.REPORT)
def start(ref: str) -> ResponseReturnValue:
    """Begin an update, a full report or a correction, or go on with it. 303 to it, 404, 409 if the case is closed."""
    viewer, now = current.viewer(), utcnow()
    with current.case_store().transaction() as db:
        case = incidents.find_own(db, ref, viewer)
        draft = drafts.start(db, by=viewer, stage=request.form.get("stage", ""), now=now, case=case)
    return redirect(url_for(".show", draft_id=draft.id), 303)


@bp.get("/drafts/<uuid:draft_id>")
@requires(Permission.REPORT)
def show(draft_id: UUID) -> ResponseReturnValue:
    """The sections, how far each is, and what is still missing. 200, 302 to the form of a quick report, 404."""
    with current.case_store().reading() as db:
        draft = drafts.find(db, draft_id, current.viewer())
        if draft.row.case is None:
            return redirect(url_for("reports.new", draft=draft_id))
        work = drafts.work_on(db, draft)
        wrong = drafting.problems(work, now=utcnow())
        return render_template(
            "draft.html",
            **_about(db, draft.row),
            parts=drafting.parts(work, wrong),
            missing=questions.missing(work),
            wrong=questions.told(wrong),
        )


def _about(db: Session, row: Draft) -> dict[str, Any]:
    """What every page of a draft says about it."""
    case = _case_of(row)
    return {
        "draft": row,
        "case": case,
        "kind": wording.option("incident_kind", case.incident_kind),
        "stage": row.stage,
        "stage_name": wording.STAGES[row.stage],
        "saved_by": db.get_one(Person, row.person_id).username,
    }


# --- one section ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Page:
    """A section of a draft, in a transaction."""

    draft: Opened
    work: Work
    section: str

    @property
    def names(self) -> set[str]:
        """The questions of this section."""
        return _ids(self.work.fields_of(self.section))

    def seen(self, said: Pairs) -> list[Row]:
        """Those of them that stood in the form that was sent."""
        shown = set(" ".join(said.get("shown", [])).split())
        return [field for field in self.work.fields_of(self.section) if field["id"] in shown]


def _page(db: Session, draft_id: UUID, section: str, *, held: bool = False) -> Page:
    """Raises: NotFound, also for a section that is not asked."""
    draft = drafts.find(db, draft_id, current.viewer(), held=held)
    if draft.row.case is None:
        raise NotFound("a quick report has no sections")
    work = drafts.work_on(db, draft)
    if not work.fields_of(section):
        raise NotFound(f"section {section}")
    return Page(draft, work, section)


@bp.get("/drafts/<uuid:draft_id>/<section>")
@requires(Permission.REPORT)
def edit(draft_id: UUID, section: str) -> ResponseReturnValue:
    """The questions of one section, with what was typed so far. 200, 404."""
    with current.case_store().reading() as db:
        page = _page(db, draft_id, section)
        wrong = _wrong_here(page) if "check" in request.args else []
        return _form(db, page, wrong=wrong, add=request.args.get("add", ""), opened=request.args.get("open", ""))


@bp.post("/drafts/<uuid:draft_id>/<section>")
@requires(Permission.REPORT)
def save(draft_id: UUID, section: str) -> ResponseReturnValue:
    """Keep what was typed, and go where the button leads: 303; 404; 409 and both, if a colleague saved the section
    meanwhile or filed other answers; 422 and the page again if one wants to go on and something cannot be read, which
    is kept all the same."""
    said = request.form.to_dict(flat=False)
    action, _sep, which = request.form.get("action", "").partition(":")
    try:
        with current.case_store().transaction() as db:
            page = _page(db, draft_id, section, held=True)
            kept = _kept(db, page, *_after(action, which, said, page))
            if action == "next":
                return _onward(db, kept)
    except Conflict:
        return _clash(draft_id, section, said), 409
    language.chosen()  # It may be what the button was pressed for.
    if action == "list":
        return redirect(url_for(".show", draft_id=draft_id), 303)
    there = {"add": which, "open": which.replace(":", ".")}
    shown: dict[str, Any] = {action: there[action]} if action in there else {}
    anchor = (there["open"] if action == "open" else which.partition(":")[0]) or None
    return redirect(url_for(".edit", draft_id=draft_id, section=section, _anchor=anchor, **shown), 303)


@bp.post("/drafts/<uuid:draft_id>/autosave")
@requires(Permission.REPORT)
def autosave(draft_id: UUID) -> ResponseReturnValue:
    """Keep what was typed into a section: 204, the revision as ETag, and as Noroshi-Base the number of the version
    that it goes on from; 404; 409 if a colleague saved it meanwhile, or filed other answers."""
    with current.case_store().transaction() as db:
        page = _page(db, draft_id, request.form.get("section", ""), held=True)
        draft = _kept(db, page, request.form.to_dict(flat=False)).draft
    response = Response(status=204, headers={"Noroshi-Base": str(draft.base)})
    response.set_etag(str(draft.row.revision))
    return response


def _kept(db: Session, page: Page, said: Pairs, removed: Pairs | None = None, *, gone_through: bool = False) -> Page:
    """Only what the page showed is replaced: a question that appeared meanwhile was not left blank, but not seen."""
    draft = drafts.save(
        db,
        page.draft,
        said,
        fields=page.seen(said),
        by=current.viewer(),
        revision=_number(said, "revision"),
        base=_number(said, "base"),
        now=utcnow(),
        gone_through=gone_through,
        removed=removed,
    )
    return Page(draft, drafts.work_on(db, draft), page.section)


def _number(said: Mapping[str, list[str]], name: str) -> int:
    text = next(iter(said.get(name, [])), "")
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else 0


def _after(action: str, which: str, said: Pairs, page: Page) -> tuple[Pairs, Pairs]:
    """(what is typed, the row that is removed) after the button; `iocs:2` is a row."""
    if action == "restore":
        return said | {_ROW.sub(_LAST, name, count=1): texts for name, texts in page.draft.removed.items()}, {}
    table, _sep, number = which.partition(":")
    if action != "remove" or not number.isdecimal():
        return said, {}
    row = f"{table}.{number}."
    gone = {name: texts for name, texts in said.items() if name.startswith(row) and any(texts)}
    return {name: texts for name, texts in said.items() if not name.startswith(row)}, gone


def _wrong_here(page: Page) -> list[Problem]:
    return [one for one in drafting.problems(page.work, now=utcnow()) if drafting.root_of(one) in page.names]


def _onward(db: Session, page: Page) -> ResponseReturnValue:
    """To the next section, unless something here cannot be read, or an answer brought further questions."""
    if wrong := _wrong_here(page):
        return _form(db, page, wrong=wrong), 422
    draft_id, seen = page.draft.row.id, page.seen(request.form.to_dict(flat=False))
    unseen = [field["id"] for field in page.work.fields_of(page.section) if field not in seen]
    if unseen:
        flash(_("Your answer brings further questions on this page."), "info")
        return redirect(url_for(".edit", draft_id=draft_id, section=page.section, _anchor=unseen[0]), 303)
    _kept(db, page, request.form.to_dict(flat=False), gone_through=True)
    asked = [section["id"] for section in SECTIONS if page.work.fields_of(section["id"])]
    after = asked[asked.index(page.section) + 1 :]
    if not after:
        return redirect(url_for(".check", draft_id=draft_id), 303)
    return redirect(url_for(".edit", draft_id=draft_id, section=after[0]), 303)


def _form(
    db: Session,
    page: Page,
    *,
    add: str = "",
    opened: str = "",
    wrong: Sequence[Problem] = (),
    values: Pairs | None = None,
    theirs: Sequence[Any] = (),
    filed: ReportVersion | None = None,
) -> str:
    fields = page.work.fields_of(page.section)
    pasted = any(field["input"] == "recognised" or field["id"] == "iocs" for field in fields)
    return render_template(
        "draft_section.html",
        **_about(db, page.draft.row),
        **questions.context(fields, page.work.typed if values is None else values, wrong, add=add, opened=opened),
        section=_TITLES[page.section],
        removed=next(iter(page.draft.removed), "").partition(".")[0] in page.names,
        shown=" ".join(field["id"] for field in fields),
        base=page.draft.base,
        recognised=_recognised(db, page) if pasted else [],
        theirs=theirs,
        filed=filed,
        filed_by=db.get_one(Person, filed.person_id).username if filed else None,
    )


def _recognised(db: Session, page: Page) -> list[wording.Found]:
    """What the pasted text and the files hold, and what of it stays here."""
    case, answers = _case_of(page.draft.row), page.work.answers
    seen = findings.look_through(
        db,
        answers.get("ioc_paste", ""),
        organization=case.organization,
        callback=answers.get("callback"),
        documentation_is_real=current.settings().documentation_is_real,
        attached=attachments.words_of(db, incidents.latest(case)),
        left_out=answers.get("ioc_left_out", ()),
    )
    return wording.found((one.found.type, one.found.value, one.excluded) for one in seen)


def _clash(draft_id: UUID, section: str, said: Pairs) -> str:
    """What one has typed is in the boxes, and what is saved or filed stands beside it; the next save decides."""
    with current.case_store().reading() as db:
        page = _page(db, draft_id, section)
        seen = page.seen(said)
        mine, theirs = typed.tidied(seen, said), page.work.typed
        others = {name: values for name, values in theirs.items() if name.partition(".")[0] not in _ids(seen)}
        changed = drafts.filed_since(db, page.draft, _number(said, "base"))
        filed = None if _ids(seen).isdisjoint(changed) else incidents.latest(_case_of(page.draft.row))
        return _form(db, page, values=others | mine, theirs=questions.differing(seen, mine, theirs), filed=filed)


def _ids(fields: Sequence[Row]) -> set[str]:
    return {field["id"] for field in fields}


def _case_of(row: Draft) -> Case:
    assert row.case is not None, "a quick report has its own page"
    return row.case


# --- checking and filing -------------------------------------------------------------------------------


@bp.get("/drafts/<uuid:draft_id>/check")
@requires(Permission.REPORT)
def check(draft_id: UUID) -> ResponseReturnValue:
    """What would change, who gets it, by when, what each will see. The reading is audited. 200, 404."""
    return _checked(draft_id)


def _checked(draft_id: UUID, *, changed_meanwhile: bool = False) -> str:
    viewer, now = current.viewer(), utcnow()
    with current.case_store().transaction() as db:
        draft = drafts.find(db, draft_id, viewer)
        if draft.row.case is None:
            raise NotFound("a quick report is checked with its own form")
        case, stage, work = draft.row.case, draft.row.stage, drafts.work_on(db, draft)
        wrong = questions.told(drafting.problems(work, now=now))
        may_look = not wrong and case.closed_at is None
        return render_template(
            "draft_check.html",
            **_about(db, draft.row),
            wrong=wrong,
            missing=questions.missing(work),
            base=draft.base,
            idempotency_key=once.new_key(),
            changed_meanwhile=changed_meanwhile,
            may_file=may_look and (stage == "kakuhou" or bool(work.changes)),
            preview=previews.of(db, case, work.changes, stage, by=viewer, now=now) if may_look else None,
        )


@bp.post("/drafts/<uuid:draft_id>/file")
@requires(Permission.REPORT)
def file(draft_id: UUID) -> ResponseReturnValue:
    """File it: 303 to the case; 404; 409 and the page again if it or the case has changed since it was checked;
    422 if it cannot be filed; 503, and nothing was kept, while the feed must be told and is away."""
    said = request.form.to_dict(flat=False)
    known = {"revision": _number(said, "revision"), "after": _number(said, "base")}
    try:
        with current.case_store().transaction() as db:
            if once.first_time(db):
                filed = drafts.file(db, current.stores(), draft_id, by=current.viewer(), clock=utcnow, **known)
                name = wording.STAGES[filed.version.stage][language.chosen()]
                flash(_("%(what)s filed, as report no. %(n)s.", what=name, n=filed.version.seq))
    except Conflict:
        return _checked(draft_id, changed_meanwhile=True), 409
    except Invalid:
        return _checked(draft_id), 422
    return redirect(url_for("cases.show", ref=request.form.get("ref", "")), 303)


# --- throwing away -------------------------------------------------------------------------------------


@bp.get("/drafts/<uuid:draft_id>/discard")
@requires(Permission.REPORT)
def ask_to_discard(draft_id: UUID) -> ResponseReturnValue:
    """Whether it is really to be thrown away. 200, 404."""
    with current.case_store().reading() as db:
        row = drafts.find(db, draft_id, current.viewer()).row
        saved_by = db.get_one(Person, row.person_id).username
    return render_template("draft_discard.html", draft=row, stage_name=wording.STAGES[row.stage], saved_by=saved_by)


@bp.post("/drafts/<uuid:draft_id>/discard")
@requires(Permission.REPORT)
def discard(draft_id: UUID) -> ResponseReturnValue:
    """Throw the draft away. 303 to its case or to the first page, 404."""
    viewer = current.viewer()
    with current.case_store().transaction() as db:
        draft = drafts.find(db, draft_id, viewer, held=True)
        case = draft.row.case
        drafts.discard(db, draft, by=viewer, now=utcnow())
    flash(_("The draft is thrown away. Nothing was sent."))
    return redirect(url_for("cases.show", ref=case.ref) if case else url_for("home.show"), 303)
