"""Commands about sectors, authorities and reporting rules."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from typing import BinaryIO

import click

from exchange import added, carrying, json_text, trial
from exchange.errors import Invalid, NotFound, Unreadable
from exchange.form import message
from exchange.stores import Stores, open_stores
from exchange.tables import packaged, table
from exchange.times import JST, utcnow
from exchange.trial import Trial
from portal.cli.chosen import settings

_kind = click.argument("kind", type=click.Choice(list(added.KINDS)))


@click.group()
def table_command() -> None:
    """Sectors, authorities, ISACs and reporting rules: data that an administrator may add to, without code."""


@table_command.command(name="list")
@_kind
def list_rows(kind: str) -> None:
    """The rows of a kind, and which were added here.

    \b
    noroshi table list sector
    """
    _model, where, rows = added.KINDS[kind]
    with closing(open_stores(settings())) as stores, stores.case.reading() as db:
        added.follow(db)
        own = {row["id"] for row in added.of_kind(db, kind)}
    shipped = {row["id"] for row in packaged(where)[rows]}
    for row in table(where)[rows]:
        mark = "" if row["id"] not in own else " (changed here)" if row["id"] in shipped else " (added here)"
        click.echo(f"{row['id']:<28}{row['ja']} / {row['en']}{mark}")


@table_command.command(name="add")
@_kind
@click.argument("file", type=click.File("rb"))
@click.option("--dry-run", is_flag=True, help="Say what it would change, and keep nothing.")
def add_row(kind: str, file: BinaryIO, *, dry_run: bool) -> None:
    """Add the row in FILE (JSON, - for standard input), or put it in the place of the one with its id.

    \b
    noroshi table add sector space.json
    noroshi table add --dry-run rule - < new-regime.json
    """
    with closing(open_stores(settings())) as stores:
        try:
            told = (_try if dry_run else _add)(stores, kind, json_text.loads(file.read()))
        except Unreadable as error:
            raise click.ClickException(
                f"this is not JSON that can be read ({error.code} at {error.at or '/'})"
            ) from None
        except Invalid as error:
            raise click.ClickException("\n".join(f"{p.field}: {message(p, 'en')}" for p in error.problems)) from None
    click.echo("\n".join(told))


def _add(stores: Stores, kind: str, body: object) -> list[str]:
    with stores.case.transaction() as db:
        row = added.add(db, kind, body, by="operator", now=utcnow())
        added.follow(db)
    carrying.install(stores, now=utcnow())
    return [f"{kind} {row['id']} holds from now on"]


def _try(stores: Stores, kind: str, body: object) -> list[str]:
    with stores.case.reading() as db:
        return list(_told(trial.run(db, kind, added.ready(db, kind, body), now=utcnow())))


def _told(found: Trial) -> Iterator[str]:
    yield f"nothing was kept; plain reports of {found.at.astimezone(JST):%Y-%m-%d} would change so:"
    if not found.changes:
        yield "no plain report would be treated otherwise"
    for change in found.changes:
        yield f"{change.report.en}: {change.sector.en} ({change.organizations} organisations)"
        for sign, outcome in (("+", change.more), ("-", change.less)):
            yield from (f"  {sign} {one.en}" for one in (*outcome.recipients, *outcome.clocks))


@table_command.command(name="remove")
@_kind
@click.argument("row_id")
def remove_row(kind: str, row_id: str) -> None:
    """Take an added row away; a shipped one of the same id shows again."""
    with closing(open_stores(settings())) as stores, stores.case.transaction() as db:
        try:
            added.remove(db, kind, row_id, by="operator", now=utcnow())
        except NotFound:
            raise click.ClickException(f"no {kind} {row_id} was added here") from None
        except Invalid as error:
            raise click.ClickException("\n".join(message(p, "en") for p in error.problems)) from None
    click.echo(f"{kind} {row_id} is removed")
