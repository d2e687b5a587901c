"""Files that come with a report: read and cleaned (`exchange.attachment_reading`), sealed, and shown to nobody but
those who may open the whole report. One that is sent before its report waits for it, a day at most.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID, uuid4

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session, undefer

from exchange import accounts, audit, incidents, outbox
from exchange.attachment_kinds import Refused
from exchange.attachment_reading import Read
from exchange.db import vault_of
from exchange.errors import NotFound, NotPermitted, Problem
from exchange.models import Attachment, Case, Draft, ReportVersion
from exchange.sharing import Purpose, Viewer, visible_to

MOST = 3
_MOST_WAITING = 60
_WAITS = timedelta(days=1)
_NOTE_TYPE = "text/plain; charset=utf-8"


@dataclass(frozen=True)
class Kept:
    """A file and its name, without what is in it."""

    row: Attachment
    name: str

    @property
    def is_sample(self) -> bool:
        """Whether it is kept apart, and nobody may open it here."""
        return self.row.route == "sample"


@dataclass(frozen=True)
class Opened:
    """A file as it is handed out."""

    name: str
    media_type: str
    body: bytes


# --- taking -------------------------------------------------------------------------------------------------


def take(db: Session, found: Read, *, beside: Collection[UUID], by: Viewer, now: datetime) -> UUID:
    """Keep a file for a report that is not filed yet; the same one again is the one that waits already.

    Args:
        found: as `attachment_reading.read` gives it, outside of any transaction: a large file takes its time.
        beside: the files that wait for the same report.
    Raises: Refused if there are enough; NotPermitted.
    """
    own = accounts.own_organization(db, by, None)
    fingerprint = vault_of(db).fingerprint(found.body)
    waiting = [one.row for one in pending(db, beside, by=by)]
    if same := next((row for row in waiting if row.fingerprint == fingerprint), None):
        return same.id
    if len(waiting) >= MOST or _waiting_of(db, own.id) >= _MOST_WAITING:
        raise Refused([Problem("attachment", "too-many", {"max": MOST, "name": found.name})])
    return _keep(db, found, own.id, fingerprint, now=now).id


def _waiting_of(db: Session, organization_id: UUID) -> int:
    rows = select(func.count()).select_from(Attachment)
    rows = rows.where(Attachment.organization_id == organization_id, Attachment.report_version_id.is_(None))
    return db.scalar(rows) or 0


def _keep(db: Session, found: Read, organization_id: UUID, fingerprint: str, *, now: datetime) -> Attachment:
    row = Attachment(id=uuid4(), organization_id=organization_id, route=found.route, media_type=found.media_type)
    row.size_bytes, row.fingerprint, row.added_at = len(found.body), fingerprint, now
    _seal(db, row, name=found.name, body=found.body, text=found.text)
    db.add(row)
    db.flush()
    return row


def _seal(db: Session, row: Attachment, *, name: str, body: bytes, text: str) -> None:
    vault = vault_of(db)
    row.sealed_name = vault.seal(name.encode(), at=f"attachment.name:{row.id}")
    row.sealed_body = vault.seal(body, at=f"attachment.body:{row.id}")
    row.sealed_text = vault.seal(text.encode(errors="replace"), at=f"attachment.text:{row.id}")


def pending(db: Session, ids: Collection[UUID], *, by: Viewer) -> list[Kept]:
    """Those of these files that wait for a report of one's own organization, the oldest first."""
    rows = select(Attachment).where(Attachment.id.in_(ids), Attachment.report_version_id.is_(None))
    rows = rows.where(Attachment.organization_id == by.organization_id).order_by(Attachment.added_at, Attachment.id)
    return [_named(db, row) for row in db.scalars(rows)]


def drop(db: Session, attachment_id: UUID, *, by: Viewer) -> None:
    """Let go of a file that waits; nothing of it is left. One that is not there, or filed, stays as it is."""
    for kept in pending(db, [attachment_id], by=by):
        db.delete(kept.row)


def hang(db: Session, ids: Collection[UUID], version: ReportVersion, *, by: Viewer, now: datetime) -> int:
    """Let files that wait belong to a filed version; returns how many. Its indicators are looked for anew."""
    waiting = pending(db, ids, by=by)[:MOST]
    for kept in waiting:
        kept.row.report_version_id, kept.row.draft_id = version.id, None
        audit.record(db, "attachment.filed", by=by, subject=kept.row.id, version=version.fingerprint, now=now)
    return len(waiting)


def add_later(db: Session, ref: str, ids: Collection[UUID], *, by: Viewer, now: datetime) -> None:
    """Let files that wait belong to a case that was filed before: three with each version.

    Raises: Refused; NotFound.
    """
    case = incidents.hold(db, incidents.find_own(db, ref, by).id)
    version = incidents.latest(case)
    names = [one.name for one in pending(db, ids, by=by)]
    if len(_of_version(db, version.id)) + len(names) > MOST:
        raise Refused([Problem("attachment", "too-many", {"max": MOST, "name": names[-1]})])
    if hang(db, ids, version, by=by, now=now):
        outbox.tell(db, "report.filed", version.id, now=now)
        outbox.tell(db, "case.changed", case.id, now=now)


def keep_with(db: Session, ids: Collection[UUID], draft: Draft, *, by: Viewer) -> None:
    """Let files wait as long as their draft does."""
    for kept in pending(db, ids, by=by):
        kept.row.draft_id = draft.id


def note(db: Session, version: ReportVersion, *, name: str, text: str, now: datetime) -> None:
    """Keep words of ours beside a report: sealed, and not looked through."""
    row = Attachment(id=uuid4(), organization_id=version.case.organization_id, route="note", media_type=_NOTE_TYPE)
    row.report_version_id, row.size_bytes, row.added_at = version.id, len(text.encode()), now
    row.fingerprint = vault_of(db).fingerprint(text)
    _seal(db, row, name=name, body=text.encode(), text="")
    db.add(row)


def forget(db: Session, *, now: datetime) -> int:
    """Remove files whose report never came, a day after; returns how many. A draft keeps its own."""
    old = delete(Attachment).where(Attachment.report_version_id.is_(None), Attachment.draft_id.is_(None))
    gone = db.execute(old.where(Attachment.added_at < now - _WAITS))
    return int(gone.rowcount)  # type: ignore[attr-defined]


# --- reading ------------------------------------------------------------------------------------------------


def of_case(db: Session, case: Case) -> list[Kept]:
    """Every file of a case, in the order in which they came."""
    rows = select(Attachment).join(ReportVersion, ReportVersion.id == Attachment.report_version_id)
    rows = rows.where(ReportVersion.case_id == case.id).order_by(Attachment.added_at, Attachment.id)
    return [_named(db, row) for row in db.scalars(rows)]


def _of_version(db: Session, version_id: UUID) -> Sequence[Attachment]:
    own = select(Attachment).where(Attachment.report_version_id == version_id, Attachment.route != "note")
    return db.scalars(own).all()


def _named(db: Session, row: Attachment) -> Kept:
    return Kept(row, vault_of(db).unseal(row.sealed_name, at=f"attachment.name:{row.id}").decode())


def open_file(db: Session, attachment_id: UUID, *, by: Viewer, now: datetime) -> Opened:
    """A filed file as it is kept. The reading is audited in the same transaction, or does not happen.

    Raises: NotFound; NotPermitted if the reporter does not allow that its report is used for response.
    """
    seen = select(Attachment, ReportVersion).join(ReportVersion, ReportVersion.id == Attachment.report_version_id)
    seen = seen.join(Case, Case.id == ReportVersion.case_id).where(visible_to(by, Case))
    found = db.execute(seen.where(Attachment.id == attachment_id).options(undefer(Attachment.sealed_body))).first()
    if found is None:
        raise NotFound("attachment")
    row, version = found
    if Purpose.RESPONSE not in version.purposes:
        raise NotPermitted("the reporter did not allow it")
    audit.record(db, "attachment.read", by=by, subject=row.id, purpose=Purpose.RESPONSE, now=now)
    body = vault_of(db).unseal(row.sealed_body, at=f"attachment.body:{row.id}")
    return Opened(_named(db, row).name, row.media_type, body)


def words_of(db: Session, version: ReportVersion) -> str:
    """What the files of a case say, up to this version: indicators are looked for in it."""
    rows = select(Attachment).join(ReportVersion, ReportVersion.id == Attachment.report_version_id)
    rows = rows.where(ReportVersion.case_id == version.case_id, ReportVersion.seq <= version.seq)
    return _words(db, db.scalars(rows.order_by(Attachment.added_at, Attachment.id).options(_TEXT)).all())


def pending_words(db: Session, ids: Collection[UUID], *, by: Viewer) -> str:
    """What files that wait say."""
    waiting = [kept.row.id for kept in pending(db, ids, by=by)]
    rows = select(Attachment).where(Attachment.id.in_(waiting)).order_by(Attachment.added_at, Attachment.id)
    return _words(db, db.scalars(rows.options(_TEXT)).all())


_TEXT = undefer(Attachment.sealed_text)


def _words(db: Session, rows: Sequence[Attachment]) -> str:
    opened = (vault_of(db).unseal(row.sealed_text, at=f"attachment.text:{row.id}").decode() for row in rows)
    return "\n".join(text for text in opened if text)
