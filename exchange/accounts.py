"""Organizations and people: how they come to be, sign in, and hold keys."""

from __future__ import annotations

import hashlib
import secrets
import unicodedata
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from ipaddress import IPv6Address, ip_address, ip_network
from typing import Any
from uuid import UUID, uuid4

import orjson
from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError
from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session

from exchange import audit, outbox
from exchange.db import vault_of
from exchange.errors import Invalid, NotFound, NotPermitted, Problem, TooMuch
from exchange.indicator_values import public_name
from exchange.models import ApiKey, Login, Organization, Person, SignInFailure
from exchange.sharing import Kind, Role, Viewer

KEY_PREFIX = "noroshi_"
_HASHER = PasswordHasher()
# Spent on names that do not exist, so that they take as long as names that do.
_NOBODY = _HASHER.hash(secrets.token_hex(16))
_FAILURES_ALLOWED = 5
_FAILURES_OF_A_NETWORK = 50
_FAILURE_WINDOW = timedelta(minutes=15)


class TooManyAttempts(TooMuch):
    """Wait before the next sign-in."""

    code = "too-many-attempts"
    retry_after_s = int(_FAILURE_WINDOW.total_seconds())


def add_organization(
    db: Session, *, ref: str, kind: Kind, profile: Mapping[str, Any], now: datetime, **attributes: Any
) -> Organization:
    """Register an organization.

    Args:
        profile: what is class V: name_ja, name_en, corporate_number, domains, networks, contacts.
        attributes: sector, authority, country, isacs, ceptoar, council_member and the designation flags.
    Raises: Invalid if a domain or network of its own is none.
    """
    _check_own(profile)
    new = Organization(id=uuid4(), ref=ref, kind=kind, created_at=now, sealed_profile=b"", **attributes)
    new.sealed_profile = vault_of(db).seal(orjson.dumps(dict(profile)), at=f"organization:{new.id}")
    db.add(new)
    audit.record(db, "organization.added", by="installation", subject=new.id, now=now)
    return new


def _check_own(profile: Mapping[str, Any]) -> None:
    """One wrong entry would hold back, or let out, other people's addresses too."""
    problems = [Problem("domains", "bad-domain") for name in profile.get("domains", ()) if not public_name(name, True)]
    for network in profile.get("networks", ()):
        try:
            ip_network(network)
        except ValueError:
            problems.append(Problem("networks", "bad-network"))
    if problems:
        raise Invalid(problems)


def profile_of(db: Session, organization: Organization) -> dict[str, Any]:
    """The sealed profile, opened."""
    plain = vault_of(db).unseal(organization.sealed_profile, at=f"organization:{organization.id}")
    profile: dict[str, Any] = orjson.loads(plain)
    return profile


def add_person(
    db: Session, organization: Organization, *, username: str, roles: list[Role], password: str, now: datetime
) -> Person:
    """Give somebody an account; the workers carry its feed rights across."""
    person = Person(
        id=uuid4(),
        organization_id=organization.id,
        organization=organization,
        username=canonical(username),
        roles=sorted(roles),
        password_hash=_HASHER.hash(password),
        created_at=now,
    )
    db.add(person)
    db.flush()
    audit.record(db, "account.added", by="installation", subject=person.id, now=now)
    outbox.tell(db, "account.changed", person.id, now=now)
    return person


def allied_countries(db: Session) -> list[str]:
    """Countries with an allied CERT, ISO 3166-1 alpha-2."""
    return list(db.scalars(select(Organization.country).where(Organization.kind == Kind.ALLIED).distinct()))


def people_of(db: Session, kind: Kind) -> list[UUID]:
    """Everybody with an account at an organization of this kind."""
    return list(db.scalars(select(Person.id).join(Organization).where(Organization.kind == kind)))


def issue_key(db: Session, person: Person, *, scopes: list[str], now: datetime, days: int = 365) -> str:
    """A new key, shown this once.

    Args:
        scopes: of `report` (the API) and `feed` (TAXII).
    """
    key = KEY_PREFIX + secrets.token_urlsafe(32)
    row = ApiKey(person_id=person.id, key_hash=hash_of(key), scopes=scopes, created_at=now)
    row.expires_at = now + timedelta(days=days)
    db.add(row)
    db.flush()
    audit.record(db, "key.issued", by="installation", subject=row.id, now=now)
    outbox.tell(db, "account.changed", person.id, now=now)
    return key


def hash_of(secret: str) -> str:
    """SHA-256, 64 hex digits: enough for 256 random bits, and fast."""
    return hashlib.sha256(secret.encode()).hexdigest()


def canonical(username: str) -> str:
    """One spelling of a name: NFKC, no case, no blanks around it; NUL, which PostgreSQL cannot hold, is U+FFFD."""
    return unicodedata.normalize("NFKC", username).strip().casefold().replace("\0", "\ufffd")


def matching(db: Session, *, username: str, password: str, network: str, now: datetime) -> Person | None:
    """The person whose name and password these are, or None. Slow on purpose, and writes nothing.

    Raises: TooManyAttempts from this network, for this name or for many, before any password is looked at.
    """
    name = canonical(username)
    for subject, allowed in _counted(name, network).items():
        recent = select(func.count()).select_from(SignInFailure)
        recent = recent.where(SignInFailure.subject == subject, SignInFailure.at > now - _FAILURE_WINDOW)
        if (db.scalar(recent) or 0) >= allowed:
            raise TooManyAttempts
    person = db.scalars(select(Person).where(Person.username == name, Person.active)).one_or_none()
    fits = _password_fits(person.password_hash if person else _NOBODY, password)
    return person if fits else None


def count_failure(db: Session, *, username: str, network: str, now: datetime) -> None:
    """Note that a name and a password did not fit."""
    subjects = _counted(canonical(username), network)
    db.add_all(SignInFailure(subject=subject, at=now) for subject in subjects)
    audit.record(db, "sign-in.refused", by="unknown", subject=next(iter(subjects))[:16], now=now)


def forget_failures(db: Session, *, now: datetime) -> int:
    """Remove failures that count no more; returns how many."""
    gone = db.execute(delete(SignInFailure).where(SignInFailure.at < now - _FAILURE_WINDOW))
    return int(gone.rowcount)  # type: ignore[attr-defined]


def _counted(name: str, network: str) -> dict[str, int]:
    """What is counted, and how often it may fail: a name from one network, so that nobody else can lock it
    out; and the network, whatever the name."""
    own = household(network)
    return {hash_of(f"{name}\n{own}"): _FAILURES_ALLOWED, hash_of(own): _FAILURES_OF_A_NETWORK}


def household(network: str) -> str:
    """Whom an address belongs to: one household of IPv6 has 2^64 of them, and counts as one."""
    try:
        address = ip_address(network)
    except ValueError:
        return network
    return str(ip_network((address.packed, 64), strict=False)) if isinstance(address, IPv6Address) else network


def _password_fits(password_hash: str, password: str) -> bool:
    try:
        return _HASHER.verify(password_hash, password)
    except (Argon2Error, InvalidHashError):
        return False


def open_login(db: Session, person: Person, *, now: datetime, hours: int) -> str:
    """A new login; returns its token, which only the browser keeps."""
    token = secrets.token_urlsafe(32)
    login = Login(person_id=person.id, token_hash=hash_of(token), created_at=now)
    login.expires_at = now + timedelta(hours=hours)
    db.add(login)
    audit.record(db, "sign-in", by=viewer_of(person), subject=person.id, now=now)
    return token


def close_login(db: Session, token: str, *, now: datetime) -> None:
    """Over, from the next request on."""
    db.execute(update(Login).where(Login.token_hash == hash_of(token)).values(revoked_at=now))


def end(db: Session, person: Person, *, now: datetime) -> None:
    """Switch an account off, with every login and key of it."""
    person.active = False
    for row in (Login, ApiKey):
        held = update(row).where(row.person_id == person.id, row.revoked_at.is_(None))
        db.execute(held.values(revoked_at=now))


def viewer_of_login(db: Session, token: str, *, now: datetime) -> Viewer | None:
    """Who this browser is, with the rights of this moment."""
    found = select(Login).where(Login.token_hash == hash_of(token), Login.revoked_at.is_(None), Login.expires_at > now)
    login = db.scalars(found).one_or_none()
    return viewer_of(login.person) if login and login.person.active else None


def viewer_of_key(db: Session, key: str, *, scope: str, now: datetime) -> Viewer | None:
    """Who holds this key; without any role if it does not open `scope`."""
    found = select(ApiKey).where(ApiKey.key_hash == hash_of(key), ApiKey.revoked_at.is_(None), ApiKey.expires_at > now)
    row = db.scalars(found).one_or_none()
    if row is None or not row.person.active:
        return None
    viewer = replace(viewer_of(row.person), key_id=row.id)
    return viewer if scope in row.scopes else replace(viewer, roles=frozenset())


def viewer_of(person: Person) -> Viewer:
    """The rights of a person at this moment."""
    roles = frozenset(Role(role) for role in person.roles)
    return Viewer(person.id, person.organization_id, person.username, Kind(person.organization.kind), roles)


def own_organization(db: Session, by: Viewer, ref: str | None) -> Organization:
    """The organization that `by` speaks for.

    Raises: NotPermitted if it speaks for none; NotFound if `ref` names another.
    """
    if by.organization_id is None:
        raise NotPermitted("only a member organization can report")
    own = db.get_one(Organization, by.organization_id)
    if ref is not None and ref != own.ref:
        raise NotFound("organization")
    return own


def lock_person(db: Session, person_id: UUID) -> Person:
    """The account as it is now, held until the transaction ends. Raises: NotFound."""
    held = select(Person).where(Person.id == person_id).with_for_update(of=Person)
    person = db.scalars(held.execution_options(populate_existing=True)).one_or_none()
    if person is None:
        raise NotFound("account")
    return person
