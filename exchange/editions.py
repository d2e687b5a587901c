"""From a case to what others may know of it: which editions, built from what, rendered once, for whom."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from exchange import audit, findings, form, incidents, outbox, sectors, sharing
from exchange.db import add_if_absent, vault_of
from exchange.feed import Publication
from exchange.models import Case, Edition, EditionObject, Observable, Organization, ReportVersion
from exchange.sectors import Sector
from exchange.sharing import TLP, EditionKind, Purpose, Scope
from exchange.stix.content import Content, Finding
from exchange.stix.edition import drafts
from exchange.stix.render import Previous, Rendered, render

_LANGUAGE: Mapping[EditionKind, str] = {EditionKind.SHARED: "ja", EditionKind.ALLIED: "en"}
_ADDRESSES = {"ipv4-addr", "ipv6-addr"}
_CELL_WINDOW = timedelta(days=90)
_SHARING_SCOPES = [scope for scope in Scope if sharing.editions_of(scope)]


def decide(db: Session, version_id: UUID, *, now: datetime) -> None:
    """Open the editions that the reporter's scope allows, and leave word for each to be released."""
    version = db.get_one(ReportVersion, version_id)
    for kind in sharing.editions_of(Scope(version.case.share_scope)):
        _open(db, version.case, kind, now)
    _name_sector_if_k_passes(db, version.case, now)
    for edition in of_case(db, version.case):
        outbox.tell(db, "edition.ready", edition.id, now=now)


def _open(db: Session, case: Case, kind: EditionKind, now: datetime) -> None:
    values = {"tlp": sharing.tlp_of(kind), "purpose": Purpose.WARNING, "created_at": now, "names_sector": False}
    if add_if_absent(db, Edition, id=uuid4(), case_id=case.id, kind=kind, **values):
        audit.record(db, "edition.opened", by="worker", subject=case.id, now=now, purpose=Purpose.WARNING)


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
    sector = _named_sector(edition, version)
    observables = [(row, value) for row, value in findings.kept(db, version.id) if row.excluded is None]
    return Content(
        lang=_LANGUAGE[kind],
        tlp=edition.tlp,
        incident_kind=passing["incident_kind"],
        sectors=sector.stix if sector else (),
        sector_names=vars(sector.name) if sector else None,
        observed_on=sharing.observed_on(version.answers, received_at=version.received_at),
        findings=tuple(_finding(row, value, passing) for row, value in observables if row.type != "vulnerability"),
        vulnerabilities=tuple(value for row, value in observables if row.type == "vulnerability"),
        description=description,
    )


def _named_sector(edition: Edition, version: ReportVersion) -> Sector | None:
    if not edition.names_sector or edition.case.sector is None:
        return None
    return sectors.sector_of(edition.case.sector, version.received_at)


def _finding(row: Observable, value: str, passing: Mapping[str, Any]) -> Finding:
    """Sources of a DDoS are hijacked machines of third parties: kept as seen, never put on a block list."""
    indicates = not (passing["incident_kind"] == "ddos" and row.type in _ADDRESSES)
    return Finding(row.type, value, indicates, row.confidence)


# --- rendering -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Release:
    """What goes into the released store, and where."""

    aliases: frozenset[str]
    tlp: TLP
    objects: Sequence[Publication]


def lock(db: Session, edition_id: UUID) -> Edition:
    """The edition as it is now, held until the transaction ends: it is rendered by one at a time."""
    held = select(Edition).where(Edition.id == edition_id).with_for_update(of=Edition)
    return db.scalars(held.execution_options(populate_existing=True)).one()


def prepare(db: Session, edition: Edition, description: Mapping[str, str] | None, *, now: datetime) -> Release:
    """Render a locked edition, and keep ids and bytes: a second run gives the same."""
    ids = _KeptIds(db, edition)
    rendered = _render(db, edition, ids, description, now)
    for one in rendered:
        ids.keep(one)
        if one.changed:
            audit.record(db, "object.released", by="worker", subject=one.id, version=one.digest, now=now)
    kind = EditionKind(edition.kind)
    aliases = sharing.audience(kind, isacs=sectors.isacs(now), ceptoars=sectors.ceptoars(now))
    objects = [Publication(one.id, one.type, one.version, one.body) for one in rendered]
    return Release(aliases, TLP(edition.tlp), objects)


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
        rows = db.scalars(select(EditionObject).where(EditionObject.edition_id == edition.id))
        self._rows = {row.source: row for row in rows}

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
    return db.scalars(rows.order_by(Edition.kind, EditionObject.stix_id)).unique().all()


def of_case(db: Session, case: Case) -> list[Edition]:
    """The editions of a case, in a fixed order."""
    return list(db.scalars(select(Edition).where(Edition.case_id == case.id).order_by(Edition.kind)).unique())
