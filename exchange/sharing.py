"""Who may see what, and what of a report becomes an edition. No other module decides it.

Access is written twice, because one asks about a thing and the other about a million: `may_see` for Python,
`visible_to` for a WHERE clause. They stand side by side, and a test holds them together.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from enum import StrEnum
from functools import lru_cache
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, false, or_

from exchange import lanes
from exchange.times import JST


class TLP(StrEnum):
    """Traffic Light Protocol 2.0 (FIRST, August 2022)."""

    CLEAR = "clear"
    GREEN = "green"
    AMBER = "amber"
    AMBER_STRICT = "amber+strict"
    RED = "red"

    @property
    def rank(self) -> int:
        """0 for CLEAR to 4 for RED: a reader with a ceiling of n receives ranks up to n."""
        return list(TLP).index(self)

    @property
    def label(self) -> str:
        """As people write it: `TLP:AMBER+STRICT`."""
        return f"TLP:{self.value.upper()}"


class Kind(StrEnum):
    """What an organization is to the exchange."""

    OPERATOR = "operator"
    AUTHORITY = "authority"
    ISAC = "isac"
    CEPTOAR = "ceptoar"
    COUNCIL = "council"
    ALLIED = "allied"
    NCO = "nco"
    ADMIN = "admin"
    AUDITOR = "auditor"
    ENFORCEMENT = "enforcement"
    PUBLIC = "public"


class Role(StrEnum):
    """What a person does for the organization."""

    REPORTER = "reporter"
    READER = "reader"
    ANALYST = "analyst"
    APPROVER = "approver"
    ADMINISTRATOR = "administrator"
    AUDITOR = "auditor"
    ENFORCEMENT = "enforcement"


class Scope(StrEnum):
    """How far the reporter lets a report go. Each scope includes those before it."""

    LEGAL_ONLY = "legal-only"
    NCO = "nco"
    COUNCIL_ANON = "council-anon"
    ALLIED_ANON = "allied-anon"


class EditionKind(StrEnum):
    """A circle of readers. The full case is a room, never an edition in a feed; `public` is made from warnings."""

    SHARED = "shared"
    ALLIED = "allied"
    PUBLIC = "public"


class Purpose(StrEnum):
    """Why somebody opens or receives something."""

    RESPONSE = "response"
    WARNING = "warning"
    STATISTICS = "statistics"
    STATUTORY_SUPERVISION = "statutory-supervision"
    CRIMINAL_INVESTIGATION = "criminal-investigation"


class Permission(StrEnum):
    """What a route asks for."""

    ANYONE = "anyone"
    SIGNED_IN = "signed-in"
    REPORT = "report"
    DESK = "desk"
    PROPOSE = "propose"
    RELEASE = "release"
    ADMINISTER = "administer"
    INBOX = "inbox"


@dataclass(frozen=True)
class Viewer:
    """Somebody who asks, with the rights of this very moment; `key_id` is the key with which a program asks."""

    person_id: UUID | None
    organization_id: UUID | None
    username: str
    kind: Kind
    roles: frozenset[Role]
    key_id: UUID | None = None


PUBLIC = Viewer(None, None, "", Kind.PUBLIC, frozenset())

_DESK = frozenset({Role.ANALYST, Role.APPROVER})
_WHO: Mapping[Permission, Mapping[Kind, frozenset[Role]]] = {
    Permission.REPORT: dict.fromkeys(Kind, frozenset({Role.REPORTER})),
    Permission.DESK: {Kind.NCO: _DESK},
    Permission.PROPOSE: {Kind.NCO: frozenset({Role.ANALYST})},
    Permission.RELEASE: {Kind.NCO: frozenset({Role.APPROVER})},
    Permission.ADMINISTER: dict.fromkeys((Kind.NCO, Kind.ADMIN), frozenset({Role.ADMINISTRATOR})),
    Permission.INBOX: {Kind.AUTHORITY: frozenset({Role.READER, Role.ANALYST}), Kind.NCO: _DESK},
}


def permitted(viewer: Viewer, permission: Permission) -> bool:
    """May `viewer` do this kind of thing at all? Whether to this very thing, `may_see` tells."""
    if permission is Permission.ANYONE:
        return True
    if permission is Permission.SIGNED_IN:
        return viewer.person_id is not None
    return bool(viewer.roles & _WHO[permission].get(viewer.kind, frozenset()))


# --- cases ---------------------------------------------------------------------------------------------


def may_see(viewer: Viewer, *, organization_id: UUID, scope: Scope) -> bool:
    """May `viewer` open a case of this organization, reported with this scope?"""
    if permitted(viewer, Permission.REPORT) and viewer.organization_id == organization_id:
        return True
    return permitted(viewer, Permission.DESK) and scope is not Scope.LEGAL_ONLY


def may_report_on(viewer: Viewer, *, organization_id: UUID) -> bool:
    """May `viewer` file updates about a case of this organization?"""
    return permitted(viewer, Permission.REPORT) and viewer.organization_id == organization_id


def may_call_back(viewer: Viewer) -> bool:
    """May `viewer` know who reported on an emergency code, to call them back, whatever the scope? No answer opens."""
    return permitted(viewer, Permission.DESK)


def may_report_for(viewer: Viewer) -> bool:
    """May `viewer` take a report down for an organization that told it on the telephone, or handed over its file?"""
    return permitted(viewer, Permission.DESK)


def visible_to(viewer: Viewer, case: Any) -> ColumnElement[bool]:
    """`may_see` as a clause over the rows of `case` (the Case model, or an alias of it)."""
    clauses: list[ColumnElement[bool]] = []
    if permitted(viewer, Permission.REPORT):
        clauses.append(case.organization_id == viewer.organization_id)
    if permitted(viewer, Permission.DESK):
        clauses.append(case.share_scope != Scope.LEGAL_ONLY.value)
    return or_(*clauses) if clauses else false()


# --- the copies of authorities, and the talk about them ------------------------------------------------


# The national office has its copies by the reporter's consent alone.
_BY_SCOPE = Kind.NCO.value


def may_open_copy(viewer: Viewer, *, own: str | None, recipient: str, scope: Scope) -> bool:
    """May `viewer`, whose organization stands for the authority `own`, open a copy that `recipient` was sent of a case
    whose scope is now `scope`?"""
    if own is None or own != recipient or not permitted(viewer, Permission.INBOX):
        return False
    return own != _BY_SCOPE or scope is not Scope.LEGAL_ONLY


def delivered_to(viewer: Viewer, own: str | None, delivery: Any, case: Any) -> ColumnElement[bool]:
    """`may_open_copy` as a clause over the rows of `delivery` joined with their `case` (the models, or aliases)."""
    return _for(viewer, own, delivery.recipient, case)


def _for(viewer: Viewer, own: str | None, recipient: Any, case: Any) -> ColumnElement[bool]:
    if own is None or not permitted(viewer, Permission.INBOX):
        return false()
    clause: ColumnElement[bool] = recipient == own
    return clause & (case.share_scope != Scope.LEGAL_ONLY.value) if own == _BY_SCOPE else clause


def may_follow(viewer: Viewer, *, own: str | None, authority: str, organization_id: UUID, scope: Scope) -> bool:
    """May `viewer` read what this authority and the reporter of a case say to each other? Only these two."""
    if may_report_on(viewer, organization_id=organization_id):
        return True
    return may_open_copy(viewer, own=own, recipient=authority, scope=scope)


def said_to(viewer: Viewer, own: str | None, message: Any, case: Any) -> ColumnElement[bool]:
    """`may_follow` as a clause over the rows of `message`, joined with their `case`."""
    clauses: list[ColumnElement[bool]] = []
    if permitted(viewer, Permission.REPORT):
        clauses.append(case.organization_id == viewer.organization_id)
    return or_(*clauses, _for(viewer, own, message.authority, case))


def seen_in(answers: Mapping[str, Any], paths: Iterable[str]) -> dict[str, Any]:
    """The answers that documents show, and nothing beside them: purpose limitation.

    Args:
        paths: fields, or `group.member` where only a part of a group is shown.
    """
    shown: dict[str, Any] = {}
    for name, _, member in sorted(path.partition(".") for path in paths):
        if name not in answers:
            continue
        if not member:
            shown[name] = answers[name]
        elif isinstance(answers[name], Mapping) and member in answers[name]:
            shown.setdefault(name, {})[member] = answers[name][member]
    return shown


# --- editions ------------------------------------------------------------------------------------------

_EDITIONS: Mapping[Scope, tuple[EditionKind, ...]] = {
    Scope.LEGAL_ONLY: (),
    Scope.NCO: (),
    Scope.COUNCIL_ANON: (EditionKind.SHARED,),
    Scope.ALLIED_ANON: (EditionKind.SHARED, EditionKind.ALLIED),
}

# An edition is built up from these; a class that is not named here has no way in.
_CLASSES: Mapping[EditionKind, frozenset[str]] = {
    EditionKind.SHARED: frozenset({"T"}),
    EditionKind.ALLIED: frozenset({"T"}),
    EditionKind.PUBLIC: frozenset(),
}


# And of those classes, by name: what a later stage learns has no way in because nobody thought of it.
_FIELDS = frozenset({"incident_kind", "system_class", "current_status"})


def editions_of(scope: Scope, purposes: Collection[str], *, unconfirmed: bool = False) -> tuple[EditionKind, ...]:
    """The editions that a reporter's scope allows, for warning is what they are for.

    None without that purpose, and none while nobody knows whether the reporter is who it says.
    """
    return () if unconfirmed or Purpose.WARNING not in purposes else _EDITIONS[scope]


_SHARING = [scope.value for scope, editions in _EDITIONS.items() if editions]


def shared(case: Any) -> ColumnElement[bool]:
    """The rows of `case` (the Case model) of which others may know something, by the scope that the reporter chose."""
    clause: ColumnElement[bool] = case.share_scope.in_(_SHARING) & case.unconfirmed.is_(False)
    return clause


def counted(case: Any) -> ColumnElement[bool]:
    """Those that may be counted, so that another reporter or reader is told something by the count."""
    clause: ColumnElement[bool] = shared(case) & case.for_statistics.is_(True)
    return clause


def passing(
    answers: Mapping[str, Any], fields: Mapping[str, Mapping[str, Any]], edition: EditionKind
) -> dict[str, Any]:
    """The answers that `edition` may carry: of an allowed class, and chosen from a list, never typed.

    Args:
        fields: the dictionary's entries by id, each with `class` and `free_text`.
    """
    entries = {name: fields[name] for name in _FIELDS & fields.keys()}
    allowed = {name for name, f in entries.items() if f["class"] in _CLASSES[edition] and not f["free_text"]}
    return {name: value for name, value in answers.items() if name in allowed}


@dataclass(frozen=True)
class Technical:
    """What a later stage says of the attack, member by member, and nothing that was typed.

    Attributes:
        techniques: (id, domain) of MITRE ATT&CK.
        roles: by (type, value as typed) of an indicator.
    """

    techniques: tuple[tuple[str, str], ...] = ()
    malware: tuple[str, ...] = ()
    roles: Mapping[tuple[str, str], str] = field(default_factory=dict)


def technical(answers: Mapping[str, Any], edition: EditionKind) -> Technical:
    """The technical answers that `edition` may carry, by name and member."""
    if "T" not in _CLASSES[edition]:
        return Technical()
    # What kinds of DDoS attack there are, the dictionary says in ids of ATT&CK.
    vectors = (one for one in answers.get("ddos", {}).get("vectors", ()) if one != "unknown")
    return Technical(
        (
            *((one["id"], one.get("domain") or "enterprise") for one in answers.get("ttps", ())),
            *((one, "enterprise") for one in vectors),
        ),
        tuple(one["kind"] for one in answers.get("malware", ()) if one.get("kind") not in {None, "other", "unknown"}),
        {(one["type"], one["value"]): one["role"] for one in answers.get("iocs", ()) if one.get("role")},
    )


def observed_on(answers: Mapping[str, Any], *, received_at: datetime) -> date:
    """The day that an edition may name, never finer: in UTC, or as told when only the day is known.

    A day that has not begun in UTC when the report came becomes the day on which it came.
    """
    aware_at = datetime.fromisoformat(answers["aware_at"])
    day_only = answers.get("aware_fidelity") == "day"
    day = aware_at.astimezone(JST if day_only else UTC).date()
    return min(day, received_at.astimezone(UTC).date())


def seals(entry: Mapping[str, Any]) -> bool:
    """Must an answer to this field be kept encrypted? Classes V and P, and whatever people type."""
    return entry["class"] in {"V", "P"} or bool(entry["free_text"])


def purposes_of(answers: Mapping[str, Any]) -> list[Purpose]:
    """What a report may be used for; the police only if the reporter turned to them here.

    The reporter may allow less; supervision is a matter of law, and not theirs to refuse.
    """
    allowed = [Purpose.RESPONSE, Purpose.WARNING, Purpose.STATISTICS, Purpose.STATUTORY_SUPERVISION]
    if answers.get("police_consult") == "requested-here":
        allowed.append(Purpose.CRIMINAL_INVESTIGATION)
    wanted = {*(answers.get("permitted_purposes") or allowed), Purpose.STATUTORY_SUPERVISION}
    return [one for one in allowed if one in wanted]


def tlp_of(edition: EditionKind) -> TLP:
    """The marking of an edition's objects: a de-identified technical part is for the community."""
    return TLP.CLEAR if edition is EditionKind.PUBLIC else TLP.GREEN


def stricter(one: TLP, other: TLP) -> TLP:
    """The marking that fewer may receive."""
    return max(one, other, key=lambda tlp: tlp.rank)


def k_passes(*, counted: int, hit: int, registered: int, k: int, population: int) -> bool:
    """May a cell be named? At least `k` different organizations hit, `population` registered, half of them at most hit.

    Args:
        counted: those of the `hit` that allow to be counted. A cell is named on their account alone; that too many were
            hit holds it back whoever they are, since to leave somebody out would make it look safer than it is.
    Source: k-anonymity with the population rule of the exchange.
    """
    return counted >= k and registered >= population and 2 * hit <= registered


def may_say_not_alone(*, others: int) -> bool:
    """May a reporter be told that others were hit too? Three organizations besides its own; never how many."""
    return others >= 3


# --- the feed ------------------------------------------------------------------------------------------


def audience(edition: EditionKind, *, isacs: Iterable[str], ceptoars: Iterable[str]) -> frozenset[str]:
    """Aliases of the collections that carry `edition`: everybody of a circle at the same moment."""
    if edition is EditionKind.PUBLIC:
        return frozenset({"public"})
    if edition is EditionKind.ALLIED:
        return frozenset({"allied"})
    return frozenset({"nco", "council", *map(isac_alias, isacs), *map(ceptoar_alias, ceptoars)})


def isac_alias(isac: str) -> str:
    """`t-isac` -> `isac-t-isac`."""
    return f"isac-{isac}"


def ceptoar_alias(ceptoar: str) -> str:
    """`port-ceptoar` -> `ceptoar-port-ceptoar`."""
    return f"ceptoar-{ceptoar}"


def bilateral_alias(country: str) -> str:
    """`US` -> `allied-us`: between that country's CERTs and the national office."""
    return f"allied-{country.lower()}"


@dataclass(frozen=True)
class FeedRights:
    """What an account may do in the feed: aliases of collections, and the strictest marking it may receive.

    `cleared_tlp` holds until `cleared_until`, and `tlp` from then on; each request asks which.
    """

    reads: frozenset[str]
    tlp: TLP
    writes: frozenset[str] = frozenset()
    sandbox: bool = False
    cleared_tlp: TLP = TLP.CLEAR
    cleared_until: datetime | None = None


NOTHING = FeedRights(frozenset(), TLP.CLEAR)
_NO_FEED = FeedRights(frozenset({"public"}), TLP.CLEAR)
_MEMBERS = frozenset({Kind.OPERATOR, Kind.ISAC, Kind.CEPTOAR, Kind.COUNCIL})


def feed_rights(
    kind: Kind,
    *,
    isacs: Iterable[str],
    ceptoar: str | None,
    council_member: bool,
    country: str,
    bilaterals: Iterable[str],
    cleared_until: datetime | None,
) -> FeedRights:
    """The feed rights of an account, from its organization's attributes and its own clearance.

    A clearance opens TLP:AMBER+STRICT to the national office, council members and allies, and to nobody else.

    Args:
        country: ISO 3166-1 alpha-2.
        bilaterals: countries that have a collection of their own; the national office reads them all.
    """
    if kind is Kind.NCO:
        own = {bilateral_alias(one) for one in bilaterals}
        rights = FeedRights(frozenset({"nco", "public", *own}), TLP.AMBER, frozenset(own), sandbox=True)
        return _cleared(rights, cleared_until)
    if kind is Kind.ALLIED:
        circles = frozenset({"allied", bilateral_alias(country)})
        return _cleared(FeedRights(circles | {"public"}, TLP.AMBER, circles, sandbox=True), cleared_until)
    if kind not in _MEMBERS:
        return _NO_FEED
    own = {*map(isac_alias, isacs)} | ({ceptoar_alias(ceptoar)} if ceptoar else set())
    rights = FeedRights(frozenset(own | {"public"}), TLP.AMBER, frozenset(own), sandbox=True)
    if not council_member:
        return rights
    council = frozenset({"council"})
    return _cleared(replace(rights, reads=rights.reads | council, writes=rights.writes | council), cleared_until)


def _cleared(rights: FeedRights, until: datetime | None) -> FeedRights:
    return replace(rights, cleared_tlp=TLP.AMBER_STRICT, cleared_until=until) if until else rights


def ceiling_of(alias: str) -> TLP:
    """The strictest marking that may be posted to a collection: what any of its readers could receive."""
    if alias == "public":
        return TLP.CLEAR
    cleared_readers = alias in {"nco", "council", "allied"} or alias.startswith("allied-")
    return TLP.AMBER_STRICT if cleared_readers else TLP.AMBER


@dataclass(frozen=True)
class FeedViewer:
    """Who polls, as the released store knows it; without credentials there is no account.

    `tlp` is the rank of the strictest marking that it may receive at this moment; `quarantined` are the collections
    where something of its own waits for a person.
    """

    account_id: UUID | None
    username: str
    tlp: int
    reads: Collection[UUID]
    writes: Collection[UUID] = ()
    quarantined: Collection[UUID] = ()


def may_receive(viewer: FeedViewer, *, collection_id: UUID, lane: int, contributor_id: UUID | None) -> bool:
    """May `viewer` receive an entry of this lane from this collection? From quarantine only what it posted itself."""
    own = contributor_id is not None and contributor_id == viewer.account_id
    return collection_id in viewer.reads and lane in _lanes_for(viewer.tlp, own=own)


def receivable_lanes(viewer: FeedViewer, collection_id: UUID) -> Sequence[int]:
    """`may_receive` as the lanes to read; those of quarantine only where `viewer` is the contributor."""
    if collection_id not in viewer.reads:
        return ()
    return _lanes_for(viewer.tlp, own=viewer.account_id is not None)


@lru_cache(maxsize=16)
def _lanes_for(rank: int, *, own: bool) -> Sequence[int]:
    """The lanes of a reader of this rank; `own`: of what it contributed itself."""
    return tuple(n for n in lanes.ALL if (own if lanes.rank_of(n) == lanes.QUARANTINE else lanes.rank_of(n) <= rank))


def may_remove(viewer: FeedViewer, *, contributor_id: UUID | None, sandbox: bool) -> bool:
    """May `viewer` delete an entry that it sees, where it may read and write? What others gave is not its own."""
    return sandbox or (contributor_id is not None and contributor_id == viewer.account_id)


def contributed_tlp(markings: Iterable[TLP | None]) -> TLP:
    """The level of a contributed object by its markings, the strictest of them; unmarked is not for passing on.

    Source: FIRST TLP 2.0; where a marking is demanded and none is there, AMBER+STRICT.
    """
    known = [one for one in markings if one is not None]
    return max(known, key=lambda one: one.rank) if known else TLP.AMBER_STRICT
