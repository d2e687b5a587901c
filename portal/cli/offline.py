"""Commands for the day when the portal does not answer: the form as a file, and filing what came back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
from sqlalchemy import select
from sqlalchemy.orm import Session

from config import Installation, Settings
from exchange import accounts, audit, offline, offline_reports
from exchange.errors import Conflict, Invalid, NotFound, NotPermitted
from exchange.form import FIELDS, message
from exchange.models import Case, Organization, Person
from exchange.offline import Box
from exchange.offline_reports import NotTheirs, Read
from exchange.sharing import Permission, Viewer, may_report_for, permitted
from exchange.stores import open_stores
from exchange.times import utcnow
from portal.cli.chosen import settings


@click.group()
def offline_command() -> None:
    """The offline form, and the files that it makes."""


@offline_command.command(name="form")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
def write_form(file: Path) -> None:
    """Write the offline form of this installation to FILE, an HTML page that needs no network.

    \b
    noroshi offline form noroshi-offline.html
    """
    from portal.app import create_app

    file.write_bytes(create_app(settings()).test_client().get("/offline.html").data)
    click.echo(f"{file}: hand it out, and put a printed copy beside the phone")


@offline_command.command(name="import")
@click.argument("file", type=click.File("rb"))
@click.option("--organization", "ref", required=True, help="whose report it is, by its register number")
@click.option("--account", help="who brings it: a reporter of the organization, or somebody at the desk")
@click.option("--code", default="", help="the check code that the reporter read out")
def import_file(file: Any, ref: str, account: str | None, code: str) -> None:
    """File the report in FILE, made with the offline form. Imported twice, it is one report.

    Without --account it is brought by the organization's only reporter.

    \b
    noroshi offline import noroshi-7A3F.json --organization ORG-001 --code 1234-5678-9012
    """
    chosen = settings()
    try:
        read = offline.read(file.read(offline.LARGEST_BYTES + 1), Box.open(chosen.keys))
        offline_reports.check_code(read[0], code)
        case, is_new = _file(chosen, read, ref, account)
    except NotTheirs as error:
        with open_stores(chosen).case.transaction() as db:
            offline_reports.note(db, error, by="installation", now=utcnow())
        raise click.ClickException(_told(error)) from None
    except Invalid as error:
        raise click.ClickException(_told(error)) from None
    except Conflict:
        raise click.ClickException("another file with the same number was imported before; nothing was filed") from None
    click.echo(f"filed: {case.ref}" if is_new else f"filed before: {case.ref}")


def _file(chosen: Settings, read: Read, ref: str, account: str | None) -> tuple[Case, bool]:
    """Raises: Invalid, Conflict; ClickException if nobody may bring it."""
    exercise, now = chosen.installation is Installation.EXERCISE, utcnow()
    with open_stores(chosen).case.transaction() as db:
        own = db.scalars(select(Organization).where(Organization.ref == ref)).one_or_none()
        if own is None:
            raise click.ClickException(f"there is no organization {ref}")
        by = _bringer(db, own, account)
        audit.record(db, "offline.brought", by="installation", subject=own.id, now=now)
        wanted = ref if by.organization_id != own.id else None
        try:
            return offline_reports.take(db, read, organization=wanted, by=by, now=now, exercise=exercise)
        except (NotFound, NotPermitted):
            raise click.ClickException(f"{ref} is no organization that reports") from None


def _bringer(db: Session, own: Organization, account: str | None) -> Viewer:
    active = select(Person).where(Person.active)
    named = Person.username == accounts.canonical(account or "")
    people = db.scalars(active.where(named if account else Person.organization_id == own.id)).unique().all()
    able = [one for one in map(accounts.viewer_of, people) if _may_bring(one, own)]
    if len(able) == 1:
        return able[0]
    raise click.ClickException(
        f"the account {account} may not report for {own.ref}"
        if account
        else f"{own.ref} has {len(able)} reporters: say with --account who brings the file"
    )


def _may_bring(viewer: Viewer, own: Organization) -> bool:
    reports = permitted(viewer, Permission.REPORT) and viewer.organization_id == own.id
    return reports or may_report_for(viewer)


def _told(error: Invalid) -> str:
    lines = [
        f"{FIELDS[one.field]['label']['en']}: {message(one, 'en')}" if one.field in FIELDS else message(one, "en")
        for one in error.problems
    ]
    return "\n".join(["nothing was filed", *lines])
