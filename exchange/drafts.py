"""Drafts: what an organization has typed and not filed yet, sealed. A colleague may go on with it; nobody else sees it.

A draft of a quick report holds the first form as it was typed. One of a later stage belongs to a case; what it asks and
says is told by `exchange.drafting`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import orjson
from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from exchange import audit, carrying, incidents, quotas, typed, updates
from exchange.db import vault_of
from exchange.drafting import Work, rebased
from exchange.errors import Conflict, NotFound, NotPermitted, WrongState
from exchange.feed import Clock
from exchange.form import FIELDS
from exchange.incidents import Filed, Filing
from exchange.models import Attachment, Case, Draft, ReportVersion
from exchange.sectors import day_of
from exchange.sharing import Purpose, Viewer, may_report_on
from exchange.stores import Stores
from exchange.typed import Answers, Pairs, Row, Typed

KEPT = timedelta(days=90)
_FIELDS: list[Row] = list(FIELDS.values())
_STAGES = ("zokuhou", "kakuhou", "correction")
_FIRST = "first"


@dataclass(frozen=True)
class Opened:
    """A draft and what lies sealed in it.

    Attributes:
        base: the number of the version that it goes on from; 0 for a quick report.
        saved: for each section, the revision with which it was last saved.
        done: the sections that somebody has gone through.
        removed: the row that was removed last, until something else is saved.
        later: answers of the other stages that a machine brought; they are filed with the quick report.
    """

    row: Draft
    typed: Pairs
    base: int = 0
    saved: Mapping[str, int] = field(default_factory=dict)
    done: frozenset[str] = frozenset()
    removed: Pairs = field(default_factory=dict)
    later: Answers = field(default_factory=dict)


# --- beginning and finding -----------------------------------------------------------------------------


def start(
    db: Session,
    *,
    by: Viewer,
    stage: str,
    now: datetime,
    case: Case | None = None,
    machine: bool = False,
    later: Answers | None = None,
) -> Draft:
    """A draft; of a case, filled from its newest version, or the one of this stage that was begun before.

    Args:
        machine: whether a program began it, and a person has to look at it.
        later: what that program said besides a quick report.
    Raises: NotFound; NotPermitted if `by` may not report; WrongState if the case is closed, or there are many drafts.
    """
    if case is None:
        return _add(db, by, "sokuhou", None, machine=machine, later=later, now=now).row
    held = incidents.hold(db, case.id)
    if not may_report_on(by, organization_id=held.organization_id) or stage not in _STAGES:
        raise NotFound(f"case {case.ref}")
    if held.closed_at is not None:
        raise WrongState("the case is closed")
    begun = select(Draft).filter_by(case_id=held.id, stage=stage, machine=False).order_by(Draft.created_at)
    if found := db.scalars(begun).unique().first():
        return found
    version = incidents.latest(held)
    known = incidents.open_answers(db, version, by=by, purpose=Purpose(version.purposes[0]), now=now)
    return _add(db, by, stage, held, typed.from_answers(_FIELDS, known), now=now).row


def _add(
    db: Session,
    by: Viewer,
    stage: str,
    case: Case | None,
    pairs: Pairs | None = None,
    *,
    machine: bool = False,
    later: Answers | None = None,
    now: datetime,
) -> Opened:
    if by.organization_id is None or not may_report_on(by, organization_id=by.organization_id):
        raise NotPermitted("only a member organization can report")
    quotas.check_draft(db, by.organization_id, machine=machine)
    row = Draft(id=uuid4(), organization_id=by.organization_id, case=case, stage=stage, machine=machine)
    row.created_at = now
    made = Opened(row, pairs or {}, base=incidents.latest(case).seq if case else 0, later=later or {})
    _write(db, made, by, revision=1, now=now)
    db.add(row)
    db.flush()
    return made


def find(db: Session, draft_id: UUID, by: Viewer, *, held: bool = False) -> Opened:
    """A draft of the organization of `by`, on top of the newest version of its case.

    Args:
        held: lock it until the transaction ends.
    Raises: NotFound.
    """
    wanted = select(Draft).where(Draft.id == draft_id)
    wanted = wanted.with_for_update(of=Draft).execution_options(populate_existing=True) if held else wanted
    row = db.scalars(wanted).unique().one_or_none()
    if row is None or not may_report_on(by, organization_id=row.organization_id):
        raise NotFound(f"draft {draft_id}")
    return _opened(db, row)


def _opened(db: Session, row: Draft) -> Opened:
    kept: dict[str, Any] = orjson.loads(vault_of(db).unseal(row.sealed_typed, at=f"draft:{row.id}"))
    opened = Opened(row, done=frozenset(kept.pop("done")), **kept)
    if row.case is None or opened.base == incidents.latest(row.case).seq:
        return opened
    then, latest = row.case.versions[opened.base - 1], incidents.latest(row.case)
    answers = (incidents.whole_answers(db, version) for version in (then, latest))
    return replace(opened, typed=rebased(_FIELDS, opened.typed, *answers), base=latest.seq)


def of_organization(db: Session, by: Viewer, *, case: Case | None = None) -> Sequence[Draft]:
    """The drafts that `by` may go on with, or those of one case, the newest first."""
    if by.organization_id is None or not may_report_on(by, organization_id=by.organization_id):
        return []
    rows = select(Draft).where(Draft.organization_id == by.organization_id)
    rows = rows.where(Draft.case_id == case.id) if case else rows
    return db.scalars(rows.order_by(Draft.updated_at.desc(), Draft.id)).unique().all()


def quick_typed(db: Session, row: Draft) -> Pairs:
    """What was typed into a draft of a quick report; nothing of one that has a case already."""
    return _opened(db, row).typed if row.case_id is None else {}


def work_on(db: Session, draft: Opened) -> Work:
    """What a draft of a case says so far."""
    case = draft.row.case
    assert case is not None, "a quick report has no case yet"
    filed = {version.stage for version in case.versions}
    return Work(
        stage=draft.row.stage,
        reached=max((stage for stage in updates.STAGES if stage in filed), key=updates.STAGES.index),
        profile=incidents.profile_of(case.organization),
        known=incidents.whole_answers(db, incidents.latest(case)),
        typed=draft.typed,
        today=day_of(draft.row.updated_at),
        done=draft.done,
    )


# --- saving --------------------------------------------------------------------------------------------


def save(
    db: Session,
    draft: Opened,
    said: Typed,
    *,
    fields: Sequence[Row],
    by: Viewer,
    revision: int,
    base: int,
    now: datetime,
    gone_through: bool = False,
    removed: Pairs | None = None,
) -> Opened:
    """Keep what was typed into these fields, whatever it is. The draft must be held.

    Args:
        revision: the one that the page was made from.
        base: the number of the version that the page was made from.
        removed: a row that is not in `said` any more, to be shown once.
    Raises: Conflict if a section of these fields was saved with other words meanwhile, or another answer to one of
        them was filed.
    """
    names = {entry["id"] for entry in fields}
    others = {name: values for name, values in draft.typed.items() if name.partition(".")[0] not in names}
    sections = {entry["section"] for entry in fields}
    pairs = others | typed.tidied(fields, said)
    if pairs != draft.typed and not names.isdisjoint(filed_since(db, draft, base)):
        raise Conflict("another answer was filed meanwhile")
    return _keep(db, draft, pairs, sections, by, revision, now, done=gone_through, removed=removed)


def filed_since(db: Session, draft: Opened, base: int) -> list[str]:
    """The fields whose answers in the case differ from those of its version `base`; of no such version, all."""
    case = draft.row.case
    assert case is not None, "a quick report has no case yet"
    if base == draft.base:
        return []
    then = next((incidents.whole_answers(db, version) for version in case.versions if version.seq == base), {})
    return updates.changed(then, incidents.whole_answers(db, incidents.latest(case)))


def save_form(db: Session, draft: Opened, said: Typed, *, by: Viewer, revision: int, now: datetime) -> Opened:
    """`save` for the form of a quick report, as it was typed."""
    pairs = {name: list(values) for name, values in said.items() if any(values)}
    return _keep(db, draft, pairs, {_FIRST}, by, revision, now)


def _keep(
    db: Session,
    draft: Opened,
    pairs: Pairs,
    sections: Collection[str],
    by: Viewer,
    revision: int,
    now: datetime,
    *,
    done: bool = False,
    removed: Pairs | None = None,
) -> Opened:
    gone_through = draft.done.union(sections if done else ())
    if pairs == draft.typed and gone_through == draft.done:
        return draft
    if pairs != draft.typed and any(draft.saved.get(section, 0) > revision for section in sections):
        raise Conflict("somebody else saved this meanwhile")
    number = draft.row.revision + 1
    saved = {**draft.saved, **dict.fromkeys(sections, number)}
    kept = replace(draft, typed=pairs, saved=saved, done=gone_through, removed=removed or {})
    _write(db, kept, by, revision=number, now=now)
    db.flush()
    return kept


def _write(db: Session, draft: Opened, by: Viewer, *, revision: int, now: datetime) -> None:
    assert by.person_id is not None
    row = draft.row
    kept = {name: getattr(draft, name) for name in ("typed", "base", "saved", "removed", "later")}
    kept |= {"done": sorted(draft.done)}
    row.sealed_typed = vault_of(db).seal(orjson.dumps(kept), at=f"draft:{row.id}")
    row.person_id, row.revision, row.updated_at = by.person_id, revision, now


# --- the end of a draft --------------------------------------------------------------------------------


def file(db: Session, stores: Stores, draft_id: UUID, *, by: Viewer, revision: int, after: int, clock: Clock) -> Filed:
    """File what a draft says, and end it.

    Args:
        revision: of the draft, as it was checked.
        after: the number of the version that it was checked against.
    Raises: Conflict if either has changed; Invalid, NotFound, WrongState; Unavailable, and nothing was kept.
    """
    case = find(db, draft_id, by).row.case
    assert case is not None, "a quick report is filed with its own form"
    incidents.hold(db, case.id)
    draft = find(db, draft_id, by, held=True)
    if (draft.row.revision, draft.base) != (revision, after):
        raise Conflict("the draft or its case has changed since it was checked")
    filing = Filing(draft.row.stage, "web", by)
    filed = carrying.file_in(db, stores, case.ref, work_on(db, draft).changes, filing, clock=clock)
    settle(db, draft, filed.version)
    return filed


def settle(db: Session, draft: Opened, version: ReportVersion) -> None:
    """The draft has become a version: its attachments go with it."""
    own = Attachment.draft_id == draft.row.id
    db.execute(update(Attachment).where(own).values(report_version_id=version.id, draft_id=None))
    db.delete(draft.row)
    db.flush()


def discard(db: Session, draft: Opened, *, by: Viewer, now: datetime) -> None:
    """Throw away what was typed, and what was attached."""
    audit.record(db, "draft.discarded", by=by, subject=draft.row.id, now=now)
    _remove(db, [draft.row.id])


def forget(db: Session, *, now: datetime) -> int:
    """Remove drafts that nobody has touched for 90 days; returns how many."""
    old = db.scalars(select(Draft.id).where(Draft.updated_at < now - KEPT)).all()
    _remove(db, old)
    return len(old)


def _remove(db: Session, ids: Sequence[UUID]) -> None:
    db.execute(delete(Attachment).where(Attachment.draft_id.in_(ids)))
    db.execute(delete(Draft).where(Draft.id.in_(ids)))
