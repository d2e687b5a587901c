"""Commands about emergency codes, for whoever runs the installation while its pages are away."""

from __future__ import annotations

import click
from sqlalchemy import select
from sqlalchemy.orm import Session

from exchange import accounts, emergency
from exchange.errors import NotPermitted, WrongState
from exchange.models import Person
from exchange.sharing import Permission, Viewer, permitted
from exchange.stores import open_stores
from exchange.times import JST, utcnow
from portal.cli.chosen import settings


@click.group()
def emergency_command() -> None:
    """Emergency codes: each opens one quick report when nobody can sign in."""


@emergency_command.command()
@click.argument("username")
def issue(username: str) -> None:
    """Issue a code to the organization of USERNAME, a reporter; prints it, this once.

    \b
    noroshi emergency issue org-001
    """
    now = utcnow()
    with open_stores(settings()).case.transaction() as db:
        try:
            code = emergency.issue(db, by=_reporter(db, username), now=now)
        except NotPermitted:
            raise click.ClickException(f"the organization of {username} does not report") from None
        except WrongState:
            raise click.ClickException("there are twenty usable codes already: revoke some first") from None
    click.echo(f"code     {code}\nuntil    {(now + emergency.VALID).astimezone(JST):%Y-%m-%d}")


@emergency_command.command(name="list")
@click.argument("username")
def list_codes(username: str) -> None:
    """List the codes of the organization of USERNAME: when issued, by whom, and what became of them."""
    now = utcnow()
    with open_stores(settings()).case.reading() as db:
        for one in emergency.listed(db, by=_reporter(db, username), now=now):
            click.echo(f"{one.row.issued_at.astimezone(JST):%Y-%m-%d %H:%M}  {one.issuer}  {one.state}")


def _reporter(db: Session, username: str) -> Viewer:
    person = db.scalars(select(Person).where(Person.username == accounts.canonical(username), Person.active)).first()
    viewer = accounts.viewer_of(person) if person else None
    if viewer is None or not permitted(viewer, Permission.REPORT):
        raise click.ClickException(f"there is no reporter {username}")
    return viewer
