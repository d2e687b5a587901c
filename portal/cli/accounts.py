"""Commands about organizations and accounts. Outside the demonstration no account exists until one is added."""

from __future__ import annotations

import secrets
from datetime import datetime, time
from typing import Any
from uuid import UUID

import click
from sqlalchemy import select

from exchange import accounts, carrying, installation
from exchange.errors import Invalid
from exchange.form import message
from exchange.models import ApiKey, Organization, Person
from exchange.sharing import Kind, Role, Scope
from exchange.stores import Stores, open_stores
from exchange.times import JST, utcnow
from portal.cli.chosen import settings


@click.group()
def organization_command() -> None:
    """Organizations."""


@organization_command.command(name="add")
@click.argument("ref")
@click.option("--kind", type=click.Choice([kind.value for kind in Kind]), required=True)
@click.option("--name-ja", required=True)
@click.option("--name-en", required=True)
@click.option("--sector", help="for operators and CEPTOARs, as in the sector table")
@click.option("--authority", help="for authorities: their id, such as mlit")
@click.option("--country", default="JP", show_default=True)
@click.option("--isac", "isacs", multiple=True, help="may be given several times")
@click.option("--ceptoar")
@click.option("--council-member", is_flag=True)
@click.option("--ci-operator", is_flag=True)
@click.option("--act-special-operator", is_flag=True)
@click.option("--public-body", is_flag=True)
@click.option("--standing-scope", type=click.Choice([scope.value for scope in Scope]))
@click.option("--domain", "domains", multiple=True, help="its own; never goes out as an indicator")
@click.option("--network", "networks", multiple=True, help="its own, such as 198.51.100.0/24")
def add_organization(**row: Any) -> None:
    """Register an organization under REF, the id that its reports name.

    \b
    noroshi organization add ORG-1 --kind operator --name-ja 例電力 --name-en "Rei Power" --sector electricity
    """
    row |= {name: list(row[name]) for name in ("isacs", "domains", "networks")}
    with open_stores(settings()).case.transaction() as db:
        if db.scalar(select(Organization.id).where(Organization.ref == row["ref"])):
            raise click.ClickException(f"there is an organization {row['ref']} already")
        try:
            installation.add_organization(db, row, now=utcnow())
        except Invalid as error:
            raise click.ClickException("\n".join(f"{p.field}: {message(p, 'en')}" for p in error.problems)) from None
    click.echo(f"organization {row['ref']} is registered")


@click.group()
def account_command() -> None:
    """Accounts of people and machines."""


@account_command.command(name="add")
@click.argument("username")
@click.option("--organization", "ref", required=True)
@click.option("--role", "roles", multiple=True, required=True, type=click.Choice([r.value for r in Role]))
def add_account(username: str, ref: str, roles: tuple[str, ...]) -> None:
    """Give USERNAME an account; prints its password and its key, this once.

    \b
    noroshi account add rei-duty --organization ORG-1 --role reporter
    """
    stores, now, chosen = open_stores(settings()), utcnow(), [Role(role) for role in roles]
    password = secrets.token_urlsafe(15)
    with stores.case.transaction() as db:
        own = db.scalars(select(Organization).where(Organization.ref == ref)).one_or_none()
        if own is None:
            raise click.ClickException(f"there is no organization {ref}")
        if db.scalar(select(Person.id).where(Person.username == accounts.canonical(username))):
            raise click.ClickException(f"the name {username} is taken")
        try:
            installation.check_roles(Kind(own.kind), chosen)
        except Invalid:
            raise click.ClickException(f"an organization of the kind {own.kind} has no such role to give") from None
        person = accounts.add_person(db, own, username=username, roles=chosen, password=password, now=now)
        key = accounts.issue_key(db, person, scopes=installation.scopes_of(chosen), now=now)
    carrying.account(stores, person.id, now=now)
    click.echo(f"username {person.username}\npassword {password}\nkey      {key}")


@account_command.command(name="list")
def list_accounts() -> None:
    """List every account: its name, the organization's id, its roles, and whether it is switched off."""
    with open_stores(settings()).case.reading() as db:
        for person in db.scalars(select(Person).order_by(Person.username)).unique():
            state = "" if person.active else "  off"
            cleared = f"  {_cleared(person.clearance_until)}" if person.clearance_until else ""
            click.echo(f"{person.username}  {person.organization.ref}  {','.join(person.roles)}{cleared}{state}")


@account_command.command()
@click.argument("username")
def disable(username: str) -> None:
    """Switch USERNAME off: no sign-in, no key, in every process from the next request on."""
    stores = open_stores(settings())
    carrying.switch_off(stores, _person_id(stores, username), by="installation", now=utcnow())
    click.echo(f"{username} is switched off")


@account_command.command()
@click.argument("username")
@click.option("--until", type=click.DateTime(["%Y-%m-%d"]), metavar="YYYY-MM-DD", help="its last day, in Japan")
@click.option("--end", is_flag=True, help="over at once, in every process")
def clearance(username: str, until: datetime | None, end: bool) -> None:
    """Say until when USERNAME has a clearance: it opens TLP:AMBER+STRICT to the office, the council and allies.

    \b
    noroshi account clearance council-office --until 2027-03-31
    noroshi account clearance council-office --end
    """
    if end is (until is not None):
        raise click.UsageError("say either --until or --end")
    last, now = _end_of(until) if until else None, utcnow()
    if last and last <= now:
        raise click.BadParameter("this day is over; say --end to end a clearance", param_hint="--until")
    stores = open_stores(settings())
    carrying.clear(stores, _person_id(stores, username), until=last, by="installation", now=now)
    click.echo(f"{username} is {_cleared(last)}" if last else f"{username} has no clearance")


def _end_of(day: datetime) -> datetime:
    """A clearance holds through its last day in Japan."""
    return datetime.combine(day.date(), time.max, JST)


def _cleared(until: datetime) -> str:
    return f"cleared until {until.astimezone(JST).date()}"


@click.group()
def key_command() -> None:
    """API and feed keys."""


@key_command.command(name="add")
@click.argument("username")
@click.option("--days", default=365, show_default=True, help="until it expires")
def add_key(username: str, days: int) -> None:
    """Give USERNAME another key; prints it, this once. The old ones stay until they are revoked."""
    stores, now = open_stores(settings()), utcnow()
    person_id = _person_id(stores, username)
    with stores.case.transaction() as db:
        person = accounts.lock_person(db, person_id)
        scopes = installation.scopes_of([Role(role) for role in person.roles])
        key = accounts.issue_key(db, person, scopes=scopes, now=now, days=days)
    carrying.account(stores, person.id, now=now)
    click.echo(f"key      {key}")


@key_command.command()
@click.argument("username")
def revoke(username: str) -> None:
    """Revoke every key of USERNAME: over in every process from the next request on."""
    stores = open_stores(settings())
    person_id = _person_id(stores, username)
    with stores.case.reading() as db:
        held = select(ApiKey.id).where(ApiKey.person_id == person_id, ApiKey.revoked_at.is_(None))
        ids = db.scalars(held).all()
    for key_id in ids:
        carrying.revoke_key(stores, key_id, by="installation", now=utcnow())
    click.echo(f"{len(ids)} keys revoked")


def _person_id(stores: Stores, username: str) -> UUID:
    with stores.case.reading() as db:
        found = db.scalar(select(Person.id).where(Person.username == accounts.canonical(username)))
    if found is None:
        raise click.ClickException(f"there is no account {username}")
    return found
