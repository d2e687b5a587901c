"""From a case to what others may know of it: which editions, built from what, rendered once, for whom."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import orjson
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from exchange import audit, findings, form, incidents, outbox, sectors, sharing
from exchange.db import add_if_absent, vault_of
from exchange.feed import Publication
from exchange.listed import listed
from exchange.models import Case, Edition, EditionObject, Observable, Organization, ReportVersion
from exchange.sectors import Sector
from exchange.sharing import TLP, EditionKind, Purpose, Scope, Viewer
from exchange.stix.content import Content, Finding
from exchange.stix.edition import drafts
from exchange.stix.render import Previous, Rendered, ends_silently, render, revoke

_LANGUAGE: Mapping[EditionKind, str] = {EditionKind.SHARED: "ja", EditionKind.ALLIED: "en"}
_ADDRESSES = {"ipv4-addr", "ipv6-addr"}
_HIJACKED = {"ddos-source", "http-flood"}
_CELL_WINDOW = timedelta(days=90)
_SHARING_SCOPES = [scope for scope in Scope if sharing.editions_of(scope)]


def decide(db: Session, version_id: UUID, *, now: datetime) -> None:
    """Open the editions that the reporter's scope allows, and leave word for each to be released."""
    version = db.get_one(ReportVersion, version_id)
    # Two versions of a case, or a withdrawal, may be under way at once.
    case = incidents.hold(db, version.case_id)
    level = TLP(incidents.latest(case).decision["tlp_technical"])
    for kind in sharing.editions_of(Scope(case.share_scope), unconfirmed=case.unconfirmed):
        _open(db, case, kind, level, now)
    _name_sector_if_k_passes(db, case, now)
    until = incidents.latest(case).answers.get("embargo_until")
    for edition in of_case(db, case):
        embargo = datetime.fromisoformat(until) if until else None
        outbox.tell(db, "edition.ready", edition.id, now=now, not_before=embargo)


def _open(db: Session, case: Case, kind: EditionKind, level: TLP, now: datetime) -> None:
    """An edition is as strict as the rules want its technical part; what is out already is never loosened by itself."""
    tlp = sharing.stricter(sharing.tlp_of(kind), level)
    values = {"tlp": tlp, "purpose": Purpose.WARNING, "created_at": now, "names_sector": False}
    if add_if_absent(db, Edition, id=uuid4(), case_id=case.id, kind=kind, **values):
        audit.record(db, "edition.opened", by="worker", subject=case.id, now=now, purpose=Purpose.WARNING)
        return
    edition = db.scalars(select(Edition).where(Edition.case_id == case.id, Edition.kind == kind)).unique().one()
    edition.tlp, edition.withdrawn_at = sharing.stricter(TLP(edition.tlp), tlp), None


def withdraw(db: Session, case: Case, *, by: Viewer | str, now: datetime) -> list[Release]:
    """End the editions that the reporter's scope allows no more; what must leave the feed, and what revokes it."""
    allowed = sharing.editions_of(Scope(case.share_scope))
    ended = [one for one in of_case(db, case) if EditionKind(one.kind) not in allowed and one.withdrawn_at is None]
    for edition in ended:
        edition.withdrawn_at = now
        audit.record(db, "edition.withdrawn", by=by, subject=edition.id, now=now)
    return [prepare(db, lock(db, edition.id), None, now=now) for edition in ended]


# --- the k-check ---------------------------------------------------------------------------------------


def _name_sector_if_k_passes(db: Session, case: Case, now: datetime) -> None:
    """Once enough different organizations of a sector were hit by this kind, the sector may be named in all."""
    if case.sector is None or not _cell_passes(db, case, now):
        return
    waiting = select(Edition).join(Case).where(_cell(case, now), Edition.names_sector.is_(False))
    for edition in db.scalars(waiting).unique():
        edition.names_sector = True
        audit.record(db, "edition.sector-named", by="worker", subject=edition.id, now=now)
        if edition.case_id != case.id:
            outbox.tell(db, "edition.ready", edition.id, now=now)
    db.flush()


def _cell_passes(db: Session, case: Case, now: datetime) -> bool:
    assert case.sector is not None
    hit = select(func.count(Case.organization_id.distinct())).where(_cell(case, now))
    registered = select(func.count()).select_from(Organization)
    registered = registered.where(Organization.sector == case.sector, Organization.kind == sharing.Kind.OPERATOR)
    own = sectors.sector_of(case.sector, now)
    counts = {"hit": db.scalar(hit) or 0, "registered": db.scalar(registered) or 0}
    return sharing.k_passes(**counts, k=own.k, population=own.population)


def _cell(case: Case, now: datetime) -> Any:
    return (
        (Case.sector == case.sector)
        & (Case.incident_kind == case.incident_kind)
        & (Case.opened_at > now - _CELL_WINDOW)
        & Case.share_scope.in_(_SHARING_SCOPES)
        & Case.unconfirmed.is_(False)
    )


# --- content -------------------------------------------------------------------------------------------


def content_of(db: Session, edition: Edition, description: Mapping[str, str] | None) -> Content:
    """What `edition` may say: built up from the allow-list, from nothing else.

    Args:
        description: a text that a person released, or proposes to; None without one.
    """
    version = incidents.latest(edition.case)
    kind = EditionKind(edition.kind)
    passing = sharing.passing(version.answers, form.FIELDS, kind)
    answers = incidents.whole_answers(db, version)
    technical = sharing.technical(answers, kind)
    roles = _roles(answers, technical)
    sector = _named_sector(edition, version)
    observables = [(row, value) for row, value in findings.kept(db, version.id) if row.excluded is None]
    return Content(
        lang=_LANGUAGE[kind],
        tlp=edition.tlp,
        incident_kind=passing["incident_kind"],
        sectors=sector.stix if sector else (),
        sector_names=vars(sector.name) if sector else None,
        observed_on=sharing.observed_on(version.answers, received_at=version.received_at),
        findings=tuple(
            _finding(row, value, passing, roles) for row, value in observables if row.type != "vulnerability"
        ),
        vulnerabilities=tuple(value for row, value in observables if row.type == "vulnerability"),
        description=description,
        techniques=technical.techniques,
        malware=technical.malware,
    )


def _roles(answers: Mapping[str, Any], technical: sharing.Technical) -> Mapping[tuple[str, str], str]:
    """What each indicator was used for, by its normal type and value."""
    rows = listed(answers, documentation_is_real=True)
    return {(row.type, row.value): technical.roles[row.typed] for row in rows if row.typed in technical.roles}


def _named_sector(edition: Edition, version: ReportVersion) -> Sector | None:
    if not edition.names_sector or edition.case.sector is None:
        return None
    return sectors.sector_of(edition.case.sector, version.received_at)


def _finding(row: Observable, value: str, passing: Mapping[str, Any], roles: Mapping[tuple[str, str], str]) -> Finding:
    """Sources of a DDoS are hijacked machines of third parties: kept as seen, never put on a block list.

    In a DDoS report, an address is taken for one unless the reporter says what else it was.
    """
    role = roles.get((row.type, value), "unknown")
    hijacked = role in _HIJACKED or (
        role == "unknown" and passing["incident_kind"] == "ddos" and row.type in _ADDRESSES
    )
    return Finding(row.type, value, not hijacked, row.confidence, role)


# --- rendering -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Release:
    """What goes into the released store, and where.

    `revoked`: the last versions of objects that hold no more, earlier ones go. `gone`: ids of what has no versions.
    """

    aliases: frozenset[str]
    tlp: TLP
    objects: Sequence[Publication]
    revoked: Sequence[Publication] = ()
    gone: Sequence[str] = ()


def lock(db: Session, edition_id: UUID) -> Edition:
    """The edition as it is now, held until the transaction ends: it is rendered by one at a time."""
    held = select(Edition).where(Edition.id == edition_id).with_for_update(of=Edition)
    return db.scalars(held.execution_options(populate_existing=True)).one()


def prepare(db: Session, edition: Edition, description: Mapping[str, str] | None, *, now: datetime) -> Release:
    """Render a locked edition, and keep ids and bytes: a second run gives the same. A withdrawn one says nothing."""
    ids = _KeptIds(db, edition)
    rendered = [] if edition.withdrawn_at else _render(db, edition, ids, description, now)
    for one in rendered:
        ids.keep(one)
        if one.changed:
            audit.record(db, "object.released", by="worker", subject=one.id, version=one.digest, now=now)
    kind = EditionKind(edition.kind)
    aliases = sharing.audience(kind, isacs=sectors.isacs(now), ceptoars=sectors.ceptoars(now))
    objects = [Publication(one.id, one.type, one.version, one.body) for one in rendered]
    revoked, gone = _retired(db, edition, ids, rendered, now)
    return Release(aliases, TLP(edition.tlp), objects, revoked, gone)


def _retired(
    db: Session, edition: Edition, ids: _KeptIds, rendered: Sequence[Rendered], now: datetime
) -> tuple[list[Publication], list[str]]:
    """What this edition said before and says no more: revocations, and ids of what cannot be revoked.

    A row is told of at every run, since a run may end before the feed has heard of it.
    """
    revoked, gone, said = [], [], {one.id for one in rendered}
    for row in ids.unused({one.key for one in rendered}):
        kept = orjson.loads(row.body or b"{}")
        if ends_silently(row.stix_id):
            if row.stix_id not in said and not _said_elsewhere(db, edition, row.stix_id):
                gone.append(row.stix_id)
        elif kept.get("revoked"):
            revoked.append(Publication(row.stix_id, kept["type"], kept["modified"], row.body or b""))
        elif kept:
            row.body, version = revoke(row.body or b"", now=now)
            row.modified = datetime.fromisoformat(version)
            revoked.append(Publication(row.stix_id, kept["type"], version, row.body))
            audit.record(db, "object.revoked", by="worker", subject=row.stix_id, now=now)
        ids.retire(row)
    return revoked, gone


def _said_elsewhere(db: Session, edition: Edition, stix_id: str) -> bool:
    """Whether another case's edition for the same circle has this object too."""
    others = select(EditionObject.id).join(Edition).where(EditionObject.stix_id == stix_id, Edition.id != edition.id)
    others = others.where(Edition.kind == edition.kind, Edition.withdrawn_at.is_(None), EditionObject.body.is_not(None))
    return db.scalar(others.where(EditionObject.retired.is_(False)).limit(1)) is not None


def view(db: Session, edition: Edition, description: Mapping[str, str] | None, *, now: datetime) -> Sequence[Rendered]:
    """What a release would publish, object by object, without publishing."""
    edition = lock(db, edition.id)
    return _render(db, edition, _KeptIds(db, edition), description, now)


def _render(
    db: Session, edition: Edition, ids: _KeptIds, description: Mapping[str, str] | None, now: datetime
) -> Sequence[Rendered]:
    made = drafts(content_of(db, edition, description), ids.id_of)
    return render(made, ids.previous([draft.key for draft in made]), id_of=ids.id_of, now=now)


class _KeptIds:
    """The random ids of an edition's objects, one for each source row, for ever."""

    def __init__(self, db: Session, edition: Edition) -> None:
        self._db, self._edition = db, edition
        rows = db.scalars(select(EditionObject).where(EditionObject.edition_id == edition.id)).unique().all()
        self._rows = {row.source: row for row in rows if not row.retired}
        self._retired = [row for row in rows if row.retired]

    def id_of(self, key: str, stix_type: str) -> str:
        return self._row(key, lambda: f"{stix_type}--{uuid4()}").stix_id

    def previous(self, keys: Sequence[str]) -> dict[str, Previous]:
        known = {key: self._rows.get(self._source(key)) for key in keys}
        return {
            key: Previous(row.stix_id, row.created, row.modified, row.digest)
            for key, row in known.items()
            if row is not None and row.digest is not None
        }

    def keep(self, one: Rendered) -> None:
        row = self._row(one.key, lambda: one.id)
        row.digest, row.created, row.modified, row.body = one.digest, one.created, one.modified, one.body

    def unused(self, keys: set[str]) -> list[EditionObject]:
        """Rows that were released for other keys than these, those that were retired before included."""
        sources = {self._source(key) for key in keys}
        idle = [row for source, row in self._rows.items() if source not in sources and row.body is not None]
        return [*self._retired, *idle]

    def retire(self, row: EditionObject) -> None:
        """An id that was revoked is never used again (STIX 2.1, section 3.6): what comes back gets another."""
        if not row.retired:
            row.retired, row.source = True, f"{row.source}:{row.id}"

    def _row(self, key: str, make_id: Any) -> EditionObject:
        source = self._source(key)
        if source not in self._rows:
            row = EditionObject(edition_id=self._edition.id, source=source, stix_id=make_id())
            self._db.add(row)
            self._rows[source] = row
        return self._rows[source]

    def _source(self, key: str) -> str:
        return vault_of(self._db).fingerprint(str(self._edition.id), key)


def released(db: Session, case: Case) -> Sequence[EditionObject]:
    """What was released of a case, edition by edition."""
    rows = select(EditionObject).join(Edition).where(Edition.case_id == case.id, EditionObject.body.is_not(None))
    rows = rows.where(EditionObject.retired.is_(False), Edition.withdrawn_at.is_(None))
    return db.scalars(rows.order_by(Edition.kind, EditionObject.stix_id)).unique().all()


def of_case(db: Session, case: Case) -> list[Edition]:
    """The editions of a case, in a fixed order."""
    return list(db.scalars(select(Edition).where(Edition.case_id == case.id).order_by(Edition.kind)).unique())
