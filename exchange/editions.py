"""From a case to what others may know of it: which editions, built from what, rendered once, for whom."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
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
from exchange.stix.render import Previous, Rendered, ends_silently, remark, render, revoke

_LANGUAGE: Mapping[EditionKind, str] = {EditionKind.SHARED: "ja", EditionKind.ALLIED: "en"}
_ADDRESSES = {"ipv4-addr", "ipv6-addr"}
_HIJACKED = {"ddos-source", "http-flood"}
_CELL_WINDOW = timedelta(days=90)


def decide(db: Session, version_id: UUID, *, now: datetime) -> None:
    """Open the editions that the reporter allows, and leave word for each to be released.

    What an embargo holds back is carried when it ends; of what is out already, only what must go, and that at once.
    """
    version = db.get_one(ReportVersion, version_id)
    # Two versions of a case, or a withdrawal, may be under way at once.
    case = incidents.hold(db, version.case_id)
    purposes = incidents.latest(case).purposes
    for kind in sharing.editions_of(Scope(case.share_scope), purposes, unconfirmed=case.unconfirmed):
        _open(db, case, kind, version.seq, now)
    _name_sector_if_k_passes(db, case, now)
    until = embargoed_until(case, now=now)
    for edition in of_case(db, case):
        out = bool(_KeptIds(db, edition).out)
        outbox.tell(db, "edition.ready", edition.id, now=now, not_before=None if out else until)


def embargoed_until(case: Case, *, now: datetime) -> datetime | None:
    """Until when nothing more of the case may go out; None if there is no embargo, or it has ended."""
    text = incidents.latest(case).answers.get("embargo_until")
    until = datetime.fromisoformat(text) if text else None
    return until if until and until > now else None


def _open(db: Session, case: Case, kind: EditionKind, seq: int, now: datetime) -> None:
    """What is out already is never loosened by itself."""
    tlp = _level(case, kind)
    values = {"tlp": tlp, "purpose": Purpose.WARNING, "seq": seq, "created_at": now, "names_sector": False}
    if add_if_absent(db, Edition, id=uuid4(), case_id=case.id, kind=kind, **values):
        audit.record(db, "edition.opened", by="worker", subject=case.id, now=now, purpose=Purpose.WARNING)
        return
    edition = db.scalars(select(Edition).where(Edition.case_id == case.id, Edition.kind == kind)).unique().one()
    edition.tlp, edition.withdrawn_at = sharing.stricter(TLP(edition.tlp), tlp), None
    edition.seq = max(edition.seq, seq)


def _level(case: Case, kind: EditionKind) -> TLP:
    """An edition is as strict as the rules want its technical part."""
    return sharing.stricter(sharing.tlp_of(kind), TLP(incidents.latest(case).decision["tlp_technical"]))


def narrow(db: Session, case: Case, *, by: Viewer | str, now: datetime) -> list[Release]:
    """What the feed must know before the newest version of a held case is confirmed.

    Editions that the reporter allows no more end; the others let go of what they say no more, and of readers who may
    not have it any longer. Whoever is about to publish one of them waits, and sees this version.
    """
    allowed = sharing.editions_of(Scope(case.share_scope), incidents.latest(case).purposes)
    releases: list[Release] = []
    for edition in [lock(db, one.id) for one in in_force(db, case)]:
        if EditionKind(edition.kind) not in allowed:
            edition.withdrawn_at = now
            audit.record(db, "edition.withdrawn", by=by, subject=edition.id, now=now)
        releases += cut_back(db, edition, now=now)
    return releases


# --- the k-check ---------------------------------------------------------------------------------------


def _name_sector_if_k_passes(db: Session, case: Case, now: datetime) -> None:
    """Once enough different organizations of a sector were hit by this kind, the sector may be named in all."""
    if case.sector is None or not _cell_passes(db, case, now):
        return
    waiting = select(Edition).join(Case).where(_cell(case, now), sharing.shared(Case), Edition.names_sector.is_(False))
    for edition in db.scalars(waiting).unique():
        edition.names_sector = True
        audit.record(db, "edition.sector-named", by="worker", subject=edition.id, now=now)
        if edition.case_id != case.id:
            outbox.tell(db, "edition.ready", edition.id, now=now)
    db.flush()


def _cell_passes(db: Session, case: Case, now: datetime) -> bool:
    assert case.sector is not None
    hit = select(func.count(Case.organization_id.distinct())).where(_cell(case, now), sharing.shared(Case))
    counted = hit.where(sharing.counted(Case))
    registered = select(func.count()).select_from(Organization)
    registered = registered.where(Organization.sector == case.sector, Organization.kind == sharing.Kind.OPERATOR)
    own = sectors.sector_of(case.sector, now)
    found = {"counted": counted, "hit": hit, "registered": registered}
    counts = {name: db.scalar(asked) or 0 for name, asked in found.items()}
    return sharing.k_passes(**counts, k=own.k, population=own.population)


def _cell(case: Case, now: datetime) -> Any:
    return (
        (Case.sector == case.sector)
        & (Case.incident_kind == case.incident_kind)
        & (Case.opened_at > now - _CELL_WINDOW)
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
    observables = _observables(db, edition, answers)
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


def _observables(db: Session, edition: Edition, answers: Mapping[str, Any]) -> list[tuple[Observable, str]]:
    """What was found in the report; of a version that is still to be looked through, what it says of that again."""
    looked_through = edition.case.versions[edition.seq - 1]
    found = [(row, value) for row, value in findings.kept(db, looked_through.id) if row.excluded is None]
    if looked_through is incidents.latest(edition.case):
        return found
    seen = findings.in_answers(db, answers, organization=edition.case.organization, documentation_is_real=True)
    named = {(one.found.type, one.found.value) for one in seen if one.excluded is None}
    return [(row, value) for row, value in found if (row.type, value) in named]


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

    `seq`: the version of the report that it says. `revoked`: the last versions of objects that hold no more, earlier
    ones go. `gone`: ids of what has no versions. `restricted`: what is there already, for fewer readers from now on.
    """

    seq: int
    aliases: frozenset[str]
    tlp: TLP
    objects: Sequence[Publication] = ()
    revoked: Sequence[Publication] = ()
    gone: Sequence[str] = ()
    restricted: Sequence[Publication] = ()


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
    objects = [Publication(one.id, one.type, one.version, one.body) for one in rendered]
    # What was taken back before is told of again: that run may have ended before the feed heard of it.
    said, unsaid = ids.sorted_by({one.key for one in rendered})
    revoked, gone = _retired(db, edition, said, [*ids.retired, *unsaid], now)
    return replace(_into(edition, TLP(edition.tlp), now), objects=objects, revoked=revoked, gone=gone)


def _into(edition: Edition, tlp: TLP, now: datetime) -> Release:
    """A release of the newest version to those who read this edition."""
    circles = {"isacs": sectors.isacs(now), "ceptoars": sectors.ceptoars(now)}
    aliases = sharing.audience(EditionKind(edition.kind), **circles)
    return Release(incidents.latest(edition.case).seq, aliases, tlp)


def is_current(edition: Edition, release: Release) -> bool:
    """Whether a locked edition still is what was prepared: not withdrawn, and of no newer version of the report."""
    return edition.withdrawn_at is None and incidents.latest(edition.case).seq == release.seq


def cut_back(db: Session, edition: Edition, *, now: datetime) -> list[Release]:
    """What is out of a locked edition and may not be any longer, by the newest version; nothing new is said.

    What remains is not rendered anew: at a stricter level it says what it said.
    """
    ids = _KeptIds(db, edition)
    if not ids.out:
        return []
    before, keys = TLP(edition.tlp), set()
    if edition.withdrawn_at is None:
        keys = {draft.key for draft in drafts(content_of(db, edition, None), ids.id_of)}
        edition.tlp = sharing.stricter(before, _level(edition.case, EditionKind(edition.kind)))
    said, unsaid = ids.sorted_by(keys)
    releases = []
    if unsaid:
        # A revocation says nothing, and goes to all who had the object.
        revoked, gone = _retired(db, edition, said, unsaid, now)
        releases.append(replace(_into(edition, before, now), revoked=revoked, gone=gone))
    restricted: defaultdict[TLP, list[Publication]] = defaultdict(list)
    if edition.tlp != before:
        restricted[TLP(edition.tlp)] += _remarked(db, said, TLP(edition.tlp), now)
    for level, one in _bare(db, edition, said if edition.tlp != before else [], unsaid):
        if level.rank > before.rank:
            restricted[level].append(one)
    return [*releases, *(replace(_into(edition, tlp, now), restricted=some) for tlp, some in restricted.items())]


def _remarked(db: Session, rows: Sequence[EditionObject], tlp: TLP, now: datetime) -> list[Publication]:
    """A version at another level of each of these objects that has versions."""
    made: list[Publication] = []
    versions: dict[str, str] = {}
    # A translation names the version that it holds for.
    for row in sorted(rows, key=lambda row: row.stix_id.startswith("language-content--")):
        if row.body is not None and row.modified is not None:
            row.body, version, row.digest = remark(row.body, tlp, versions, now=now)
            row.modified, versions[row.stix_id] = datetime.fromisoformat(version), version
            made.append(Publication(row.stix_id, _type_of(row), version, row.body))
            audit.record(db, "object.released", by="worker", subject=row.stix_id, version=row.digest, now=now)
    return made


def _bare(
    db: Session, edition: Edition, said: Sequence[EditionObject], unsaid: Sequence[EditionObject]
) -> Iterator[tuple[TLP, Publication]]:
    """What has neither versions nor a marking, and the loosest level at which its circle is told of it by any case."""
    own = {row.stix_id for row in said}
    for row in [*said, *unsaid]:
        if row.body is not None and row.modified is None:
            levels = _levels_elsewhere(db, edition, row.stix_id) + [TLP(edition.tlp)] * (row.stix_id in own)
            if levels:
                level = min(levels, key=lambda tlp: tlp.rank)
                yield level, Publication(row.stix_id, _type_of(row), None, row.body)


def _type_of(row: EditionObject) -> str:
    return row.stix_id.partition("--")[0]


def _retired(
    db: Session, edition: Edition, said: Sequence[EditionObject], ended: Sequence[EditionObject], now: datetime
) -> tuple[list[Publication], list[str]]:
    """Revocations of what this edition says no more, and ids of what cannot be revoked."""
    revoked, gone, still = [], [], {row.stix_id for row in said}
    for row in ended:
        kept = orjson.loads(row.body or b"{}")
        if ends_silently(row.stix_id):
            if row.stix_id not in still and not _levels_elsewhere(db, edition, row.stix_id):
                gone.append(row.stix_id)
        elif kept.get("revoked"):
            revoked.append(Publication(row.stix_id, kept["type"], kept["modified"], row.body or b""))
        elif kept:
            row.body, version = revoke(row.body or b"", now=now)
            row.modified = datetime.fromisoformat(version)
            revoked.append(Publication(row.stix_id, kept["type"], version, row.body))
            audit.record(db, "object.revoked", by="worker", subject=row.stix_id, now=now)
        row.retire()
    return revoked, gone


def _levels_elsewhere(db: Session, edition: Edition, stix_id: str) -> list[TLP]:
    """The levels of other cases' editions for the same circle that have this object too."""
    others = select(Edition.tlp).join(EditionObject).where(EditionObject.stix_id == stix_id, Edition.id != edition.id)
    others = others.where(Edition.kind == edition.kind, Edition.withdrawn_at.is_(None), EditionObject.body.is_not(None))
    return [TLP(level) for level in db.scalars(others.where(EditionObject.retired.is_(False)).distinct())]


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
        self.retired = [row for row in rows if row.retired]

    @property
    def out(self) -> list[EditionObject]:
        """What was released, and not taken back."""
        return [row for row in self._rows.values() if row.body is not None and not row.retired]

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

    def sorted_by(self, keys: Collection[str]) -> tuple[list[EditionObject], list[EditionObject]]:
        """What is out: what was released for these keys, and the rest."""
        sources = {self._source(key) for key in keys}
        said = [row for row in self.out if row.source in sources]
        return said, [row for row in self.out if row.source not in sources]

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


def in_force(db: Session, case: Case) -> list[Edition]:
    """Those of them that were not withdrawn."""
    return [one for one in of_case(db, case) if one.withdrawn_at is None]


def of_case(db: Session, case: Case) -> list[Edition]:
    """The editions of a case, in a fixed order."""
    return list(db.scalars(select(Edition).where(Edition.case_id == case.id).order_by(Edition.kind)).unique())
