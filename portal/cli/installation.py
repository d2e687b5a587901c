"""Commands about the installation itself: start, migrate, doctor, settings, audit."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Callable

import click

from config import Settings
from exchange import audit, installation
from exchange.db import vault_of
from exchange.stores import open_stores
from exchange.times import utcnow
from portal.cli.supervisor import Supervisor


def install(main: click.Group, settings: Callable[[], Settings]) -> None:
    """Add the commands."""

    @main.command()
    def start() -> None:
        """Run portal, TAXII server and worker under one supervisor, until Ctrl-C."""
        sys.exit(Supervisor(settings()).run())

    @main.command()
    def migrate() -> None:
        """Bring both stores to the head of their migrations, and make the collections."""
        chosen = settings()
        stores = open_stores(chosen)
        installation.prepare(stores, chosen, now=utcnow())
        click.echo("case store and released store are current")

    @main.command()
    def doctor() -> None:
        """Say what is wrong with this installation; exit 1 if anything is."""
        faults = open_stores(settings()).faults()
        for fault in faults:
            click.echo(fault, err=True)
        click.echo(f"{len(faults)} faults" if faults else "all is well")
        sys.exit(1 if faults else 0)

    @main.command(name="settings")
    def show_settings() -> None:
        """List every setting: its variable, its value here, and what it is for."""
        chosen = settings()
        for field in dataclasses.fields(Settings):
            click.echo(f"NOROSHI_{field.name.upper()}={getattr(chosen, field.name)}")
            click.echo(click.wrap_text(field.metadata["help"], initial_indent="    ", subsequent_indent="    "))

    @main.group(name="audit")
    def audit_group() -> None:
        """The audit chain."""

    @audit_group.command()
    def verify() -> None:
        """Walk the chain; name the first entry that was changed. Exit 1 if there is one."""
        with open_stores(settings()).case.reading() as db:
            verdict = audit.verify(db, vault_of(db))
        click.echo(f"{verdict.entries} entries hold")
        if verdict.first_bad is not None:
            click.echo(f"entry {verdict.first_bad} is the first that does not", err=True)
            sys.exit(1)
