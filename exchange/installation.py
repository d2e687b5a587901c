"""An installation: schemas brought up to date, collections made, and, in a demonstration, its invented people."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Callable, Collection, Iterator, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from config import Installation, Settings
from exchange import accounts, added, carrying, sectors
from exchange.db import add_if_absent
from exchange.errors import Invalid, Problem
from exchange.models import Installed, Organization, Person
from exchange.sharing import Kind, Role
from exchange.stores import Stores
from exchange.tables import table

_SEALED = ("name_ja", "name_en", "corporate_number", "prefecture", "domains", "networks", "contacts")
_ATTRIBUTES = (
    "sector",
    "authority",
    "country",
    "isacs",
    "ceptoar",
    "council_member",
    "ci_operator",
    "act_special_operator",
    "public_body",
    "standing_scope",
)


def prepare(stores: Stores, settings: Settings, *, now: datetime) -> None:
    """Bring both stores to where this code needs them; may run at every start.

    Raises: WrongKind.
    """
    stores.case.migrate()
    stores.released.migrate()
    _settle_kind(stores, settings.installation)
    with stores.case.reading() as db:
        added.follow(db)
    carrying.install(stores, now=now)
    if settings.installation is Installation.DEMO:
        _load_demo(stores, settings, now)


class WrongKind(Exception):
    """The stores were made for another kind of installation."""


def _settle_kind(stores: Stores, kind: Installation) -> None:
    """Raises: WrongKind; what was an exercise or a demonstration never becomes a live installation, nor the reverse."""
    with stores.case.transaction() as db:
        add_if_absent(db, Installed, id=1, kind=kind.value)
        found = db.get_one(Installed, 1).kind
    if found != kind.value:
        raise WrongKind(f"these stores belong to a {found} installation; NOROSHI_INSTALLATION says {kind}")


def add_organization(db: Session, row: Mapping[str, Any], *, now: datetime) -> Organization:
    """Register an organization from one row of data: `ref`, `kind`, attributes, and what is sealed."""
    added.follow(db)
    _check(row, now)
    attributes = {name: row[name] for name in _ATTRIBUTES if name in row}
    profile = {name: row[name] for name in _SEALED if name in row}
    kind = Kind(row["kind"])
    return accounts.add_organization(db, ref=row["ref"], kind=kind, profile=profile, now=now, **attributes)


def _check(row: Mapping[str, Any], now: datetime) -> None:
    """An organization that could neither report nor poll is no help to anybody."""
    wrong = [name for name, known in _KNOWN.items() if not _all_known(row.get(name), known(now))]
    needed = {Kind.OPERATOR: "sector", Kind.ISAC: "isacs", Kind.CEPTOAR: "ceptoar", Kind.AUTHORITY: "authority"}
    kind = Kind(row["kind"])
    missing = [needed[kind]] if kind in needed and not row.get(needed[kind]) else []
    problems = [Problem(name, "unknown-option") for name in wrong] + [Problem(name, "required") for name in missing]
    if problems:
        raise Invalid(problems)


def _all_known(given: Any, known: Collection[str]) -> bool:
    values = given if isinstance(given, list) else [given] if given else []
    return all(value in known for value in values)


_KNOWN: Mapping[str, Callable[[datetime], Collection[str]]] = {
    "sector": sectors.sector_ids,
    "isacs": sectors.isacs,
    "ceptoar": sectors.ceptoars,
    "authority": sectors.authority_ids,
}


def check_roles(kind: Kind, roles: Collection[Role]) -> None:
    """Raises: Invalid if an organization of this kind has no such work to give."""
    wrong = [role for role in roles if kind not in _ROLE_KINDS.get(role, set(Kind))]
    if wrong:
        raise Invalid([Problem("roles", "unknown-option")])


_ROLE_KINDS: Mapping[Role, set[Kind]] = {
    Role.REPORTER: {Kind.OPERATOR},
    Role.ANALYST: {Kind.NCO, Kind.AUTHORITY},
    Role.APPROVER: {Kind.NCO},
    Role.ADMINISTRATOR: {Kind.ADMIN, Kind.NCO},
    Role.AUDITOR: {Kind.AUDITOR},
    Role.ENFORCEMENT: {Kind.ENFORCEMENT},
}


def scopes_of(roles: Collection[Role]) -> list[str]:
    """What a key of somebody with these roles opens: everybody polls, reporters also file."""
    return ["feed", "report"] if Role.REPORTER in roles else ["feed"]


def _load_demo(stores: Stores, settings: Settings, now: datetime) -> None:
    """Invented organizations and accounts with random secrets, written where only the owner can read."""
    with stores.case.transaction() as db:
        if db.scalar(select(Person.id).limit(1)) is not None:
            return
        organizations = {row["name_ja"]: add_organization(db, row, now=now) for row in _demo_organizations()}
        made = [_demo_account(db, row, organizations, now) for row in table("demo")["accounts"]]
        _write_private(settings, [account for account, _ in made])
    for _, person_id in made:
        carrying.account(stores, person_id, now=now)


def _demo_organizations() -> Iterator[dict[str, Any]]:
    """Operators with all that is known of them; the others from their accounts, one each."""
    for row in table("demo")["organisations"]:
        yield {**row, "kind": Kind.OPERATOR, "isacs": row["isac"]}
    others = {row["organisation_ja"]: row for row in table("demo")["accounts"] if row["kind"] != Kind.OPERATOR}
    for name, row in others.items():
        own = {"ref": row["username"].upper(), "name_ja": name, "name_en": row["organisation_en"]}
        own |= {"council_member": row["kind"] == Kind.COUNCIL, "isacs": [row["isac"]] if "isac" in row else []}
        yield row | own


def _demo_account(
    db: Session, row: Mapping[str, Any], organizations: Mapping[str, Organization], now: datetime
) -> tuple[dict[str, Any], UUID]:
    organization = organizations[row["organisation_ja"]]
    password, roles = secrets.token_urlsafe(15), [Role(role) for role in row["roles"]]
    person = accounts.add_person(db, organization, username=row["username"], roles=roles, password=password, now=now)
    key = accounts.issue_key(db, person, scopes=scopes_of(roles), now=now)
    shown = {"organisation": row["organisation_ja"], "kind": organization.kind, "username": person.username}
    return shown | {"password": password, "api_key": key, "roles": person.roles}, person.id


def _write_private(settings: Settings, listed: list[dict[str, Any]]) -> None:
    descriptor = os.open(settings.demo_accounts, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as out:
        json.dump(listed, out, ensure_ascii=False, indent=1)
