"""What an authority has: its copies of reports, version by version, and of each what its documents show."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import ColumnElement, ScalarSelect, Select, func, select
from sqlalchemy.orm import Session, aliased

from exchange import accounts, audit, clocks, documents, incidents, talk
from exchange.clocks import Running
from exchange.documents import Filing, Marks, View
from exchange.errors import Invalid, NotFound, Problem, WrongState
from exchange.form import FIELDS
from exchange.models import Case, Deadline, Delivery, Message, Organization, ReportVersion
from exchange.sharing import Kind, Permission, Purpose, Scope, Viewer, delivered_to, may_open_copy, permitted, seen_in

# A year that was mistyped would silence the clock for good: an extension cannot be taken back.
_LONGEST_EXTENSION = timedelta(days=366)


class Copy(NamedTuple):
    """A version that was delivered."""

    delivery: Delivery
    version: ReportVersion

    @property
    def purpose(self) -> Purpose:
        """What it was delivered for."""
        return Purpose(self.delivery.purpose)

    @property
    def row(self) -> Mapping[str, Any]:
        """What was decided about this recipient: `law`, `reason`, `regimes`, in the decision's words."""
        rows = self.version.decision["recipients"]
        return next(one for one in rows if one["id"] == self.delivery.recipient)


class State(StrEnum):
    """Where a case stands for an authority: not received, a question open, an answer there."""

    NEW = "new"
    ASKED = "asked"
    ANSWERED = "answered"


@dataclass(frozen=True)
class Entry:
    """A case in an inbox: its newest copy, and the clocks of this authority's own regimes.

    `kind` is the kind of incident, where the reporter allows the purpose of this copy and its documents tell it.
    """

    ref: str
    copy: Copy
    kind: str | None
    states: Collection[State]
    clocks: Sequence[Running]


def authority_of(db: Session, viewer: Viewer) -> str | None:
    """The authority that the viewer's organization stands for; None for everybody else."""
    if viewer.organization_id is None or not permitted(viewer, Permission.INBOX):
        return None
    return Kind.NCO.value if viewer.kind is Kind.NCO else db.get_one(Organization, viewer.organization_id).authority


# --- the list ------------------------------------------------------------------------------------------


def entries(
    db: Session, viewer: Viewer, *, only: State | None, now: datetime, most: int = 200
) -> tuple[list[Entry], bool]:
    """The cases of which `viewer` has a copy, those not received first, then the newest; and whether there are more."""
    own = authority_of(db, viewer)
    last_word = _last_word(own)
    rows = _newest(viewer, own).add_columns(last_word)
    if only:
        rows = rows.where(_is(only, last_word))
    rows = rows.order_by(Delivery.received_at.is_not(None), ReportVersion.received_at.desc(), Case.ref)
    found = db.execute(rows.limit(most + 1)).unique().all()
    running = _deadlines(db, [version.case_id for _, version, _ in found])
    listed = [
        _entry(Copy(delivery, version), _states(delivery, word), running, now)
        for delivery, version, word in found[:most]
    ]
    return listed, len(found) > most


def _entry(copy: Copy, states: Collection[State], deadlines: Sequence[Deadline], now: datetime) -> Entry:
    version = copy.version
    told = seen_in(version.answers, _paths(copy, version.answers)) if copy.purpose in version.purposes else {}
    return Entry(version.case.ref, copy, told.get("incident_kind"), states, _own(deadlines, copy, now))


def _copies(viewer: Viewer, own: str | None) -> Select[Delivery, ReportVersion]:
    joined = select(Delivery, ReportVersion).join(ReportVersion, Delivery.report_version_id == ReportVersion.id)
    return joined.join(Case, ReportVersion.case_id == Case.id).where(delivered_to(viewer, own, Delivery, Case))


def _newest(viewer: Viewer, own: str | None) -> Select[Delivery, ReportVersion]:
    """Of each case the newest version that was delivered here, which need not be the newest that there is."""
    sent, version = aliased(Delivery), aliased(ReportVersion)
    last = select(func.max(version.seq)).join(sent, sent.report_version_id == version.id)
    last = last.where(version.case_id == ReportVersion.case_id, sent.recipient == own)
    return _copies(viewer, own).where(ReportVersion.seq == last.correlate(ReportVersion).scalar_subquery())


def _last_word(own: str | None) -> ScalarSelect[bool]:
    """Whose the last message is: the reporter's or not; null without any."""
    said = select(Message.from_reporter).where(Message.case_id == Case.id, Message.authority == own)
    return said.order_by(Message.at.desc(), Message.id.desc()).limit(1).correlate(Case).scalar_subquery()


def _is(state: State, last_word: ScalarSelect[bool]) -> ColumnElement[bool]:
    if state is State.NEW:
        return Delivery.received_at.is_(None)
    return last_word.is_(state is State.ANSWERED)


def _states(delivery: Delivery, last_word: bool | None) -> list[State]:
    new = [State.NEW] if delivery.received_at is None else []
    return new if last_word is None else [*new, State.ANSWERED if last_word else State.ASKED]


def _deadlines(db: Session, cases: Collection[UUID]) -> Sequence[Deadline]:
    rows = select(Deadline).where(Deadline.case_id.in_(cases))
    return db.scalars(rows.order_by(Deadline.runs_out_at.nulls_last(), Deadline.regime, Deadline.stage)).unique().all()


def _own(deadlines: Sequence[Deadline], copy: Copy, now: datetime) -> list[Running]:
    """The clocks of the regimes under which this copy was sent; a copy by consent has none."""
    regimes, case_id = set(copy.row["regimes"]), copy.version.case_id
    return [clocks.stands(one, now) for one in deadlines if one.case_id == case_id and one.regime in regimes]


# --- one case ------------------------------------------------------------------------------------------


def find(db: Session, ref: str, viewer: Viewer) -> list[Copy]:
    """The copies of a case, oldest first. Raises: NotFound if `viewer` has none."""
    own = authority_of(db, viewer)
    rows = _copies(viewer, own).where(Case.ref == ref.strip().upper()).order_by(ReportVersion.seq)
    # PostgreSQL refuses to look for a text that it could not hold.
    found = db.execute(rows).unique().all() if ref.isprintable() else []
    if not found:
        raise NotFound(f"copies of {ref}")
    return [Copy(delivery, version) for delivery, version in found]


def has_copy(db: Session, case: Case, viewer: Viewer) -> bool:
    """Whether `viewer` has a copy of this case in the inbox."""
    return db.execute(_copies(viewer, authority_of(db, viewer)).where(Case.id == case.id).limit(1)).first() is not None


def chosen(copies: Sequence[Copy], seq: int | None) -> Copy:
    """The copy of this version, or the newest. Raises: NotFound."""
    if seq is None:
        return copies[-1]
    for one in copies:
        if one.version.seq == seq:
            return one
    raise NotFound(f"version {seq}")


class Document(NamedTuple):
    """A document of a copy, filled in."""

    view: View
    marks: Marks


@dataclass(frozen=True)
class Opened:
    """What a copy says: its documents by id, and those answers that stand in them."""

    documents: Mapping[str, Document]
    answers: Mapping[str, Any]


def open_copy(db: Session, copy: Copy, *, by: Viewer, now: datetime) -> Opened:
    """Read a copy for the purpose for which it was delivered; this is audited, or does not happen.

    Raises: NotFound; NotPermitted if the reporter did not allow this purpose.
    """
    delivery, version = copy
    scope = Scope(version.case.share_scope)
    if not may_open_copy(by, own=authority_of(db, by), recipient=delivery.recipient, scope=scope):
        raise NotFound(f"copy {delivery.id}")
    answers = incidents.open_answers(db, version, by=by, purpose=copy.purpose, now=now)
    filing = _filing(db, version, answers)
    made = {one: Document(documents.view(one, filing), documents.marks(one, filing)) for one in _made(copy, answers)}
    return Opened(made, seen_in(answers, _paths(copy, answers)))


def _made(copy: Copy, answers: Mapping[str, Any]) -> list[str]:
    """The documents that this recipient gets of this version."""
    profile = incidents.profile_of(copy.version.case.organization)
    return documents.documents_for(copy.version.decision, answers, profile, recipient=copy.delivery.recipient)


def _paths(copy: Copy, answers: Mapping[str, Any]) -> set[str]:
    """The fields that stand in these documents, all together."""
    return {path for one in _made(copy, answers) for path in documents.fields_of(one)}


def _filing(db: Session, version: ReportVersion, answers: Mapping[str, Any]) -> Filing:
    case = version.case
    return Filing(
        organisation=accounts.profile_of(db, case.organization) | {"sector": case.organization.sector},
        answers=answers,
        ref=case.ref,
        stage=version.stage,
        seq=version.seq,
        received_at=version.received_at,
        decision=version.decision,
        exercise=case.exercise,
        doubt=case.doubt,
    )


def take_document(db: Session, copy: Copy, document_id: str, form: str, *, by: Viewer, now: datetime) -> Document:
    """A document to carry away; audited as such, `form` being pdf or xlsx. Raises: NotFound, NotPermitted."""
    found = open_copy(db, copy, by=by, now=now).documents.get(document_id)
    if found is None:
        raise NotFound(f"document {document_id}")
    subject = f"{copy.version.id} {document_id}.{form}"
    version = copy.version.fingerprint
    audit.record(db, "document.taken", by=by, subject=subject, version=version, purpose=copy.purpose, now=now)
    return found


class Change(NamedTuple):
    """A field whose answer differs from the copy before; None for no answer, or one that was not shown then."""

    field: Mapping[str, Any]
    before: Any
    after: Any


def changes(before: Opened, after: Opened) -> list[Change]:
    """What an authority learns from one copy that the one before did not tell it, in the order of the dictionary."""
    pairs = ((field, before.answers.get(name), after.answers.get(name)) for name, field in FIELDS.items())
    return [Change(*pair) for pair in pairs if pair[1] != pair[2]]


def clocks_of(db: Session, copies: Sequence[Copy], *, now: datetime) -> list[Running]:
    """The deadlines of a case under the regimes for which this authority has its copies."""
    return _own(_deadlines(db, [copies[-1].version.case_id]), copies[-1], now)


# --- what an authority does ----------------------------------------------------------------------------


def held(db: Session, ref: str, by: Viewer) -> list[Copy]:
    """`find`, with the case locked until the transaction ends and nothing older than the lock."""
    copies = find(db, ref, by)
    incidents.hold(db, copies[0].version.case_id)
    for delivery, _ in copies:
        db.refresh(delivery)
    return copies


def ask(db: Session, ref: str, text: str, *, by: Viewer, now: datetime) -> Message:
    """Ask the reporter about a copy. Raises: NotFound, Invalid."""
    delivery, version = find(db, ref, by)[-1]
    return talk.say(db, version.case, delivery.recipient, text, from_reporter=False, by=by, now=now)


def extend(
    db: Session, ref: str, regime: str, stage: str, until: date | None, *, by: Viewer, now: datetime
) -> Deadline:
    """Give more time under a regime of one's own. Raises: NotFound, Invalid; WrongState if the deadline is met."""
    copies = held(db, ref, by)
    named = (one.deadline for one in clocks_of(db, copies, now=now))
    deadline = next((one for one in named if (one.regime, one.stage) == (regime, stage)), None)
    if deadline is None or deadline.due_date is None:
        raise NotFound(f"deadline {regime} {stage}")
    if deadline.met_at is not None:
        raise WrongState("the deadline is met")
    if until is None:
        raise Invalid([Problem("until", "bad-date")])
    if until > (deadline.extended_to or deadline.due_date) + _LONGEST_EXTENSION:
        raise Invalid([Problem("until", "too-far")])
    case, authority = copies[0].version.case, copies[0].delivery.recipient
    return clocks.extend(db, case, regime, stage, until=until, authority=authority, by=by, now=now)
