"""Commands about the installation itself: start, migrate, doctor, settings, audit."""

from __future__ import annotations

import dataclasses
import os
import re
import sys

import click
from kombu.connection import Connection

from config import Settings
from exchange import audit, installation, letters, outbox
from exchange.db import vault_of
from exchange.stores import open_stores
from exchange.times import utcnow
from portal.cli.chosen import settings
from portal.cli.supervisor import Supervisor

_OTHER_VARIABLES = {"NOROSHI_API_KEY", "NOROSHI_TESTDATA", "NOROSHI_TEST_POSTGRESQL"}


@click.command()
def start_command() -> None:
    """Run portal, TAXII server and worker under one supervisor, until Ctrl-C."""
    sys.exit(Supervisor(settings()).run())


@click.command()
def migrate_command() -> None:
    """Bring both stores to the head of their migrations, and make the collections."""
    chosen = settings()
    stores = open_stores(chosen)
    try:
        installation.prepare(stores, chosen, now=utcnow())
    except installation.WrongKind as error:
        raise click.ClickException(str(error)) from None
    click.echo("case store and released store are current")


@click.command()
def doctor_command() -> None:
    """Say what is wrong with this installation; exit 1 if anything is."""
    chosen = settings()
    if chosen.embedded and not chosen.var.exists():
        raise click.ClickException(f"there is no installation in {chosen.var} yet; `noroshi start` makes one")
    stores = open_stores(chosen)
    faults = stores.faults() + _broker_faults(chosen) + _proxy_faults(chosen) + _unknown_settings()
    if not faults:
        with stores.case.reading() as db:
            late = outbox.stuck(db, now=utcnow())
            for remark in letters.remarks(db, has_post=bool(chosen.mail_url)):
                click.echo(remark)
        faults += [f"{late} steps wait longer than two minutes: is a worker running?"] if late else []
    for fault in faults:
        click.echo(fault, err=True)
    click.echo(f"{len(faults)} faults" if faults else "all is well")
    sys.exit(1 if faults else 0)


def _broker_faults(chosen: Settings) -> list[str]:
    """A silent broker loses nothing, and stops everything behind the receipt."""
    if chosen.broker_url.startswith("filesystem"):
        return []
    try:
        with Connection(chosen.broker_url, connect_timeout=5) as connection:  # type: ignore[no-untyped-call]
            connection.ensure_connection(max_retries=1, timeout=5)
    except Exception as error:  # noqa: BLE001  Each transport has errors of its own.
        return [f"broker: does not answer ({type(error).__name__})"]
    return []


def _proxy_faults(chosen: Settings) -> list[str]:
    if chosen.https and not chosen.proxies:
        return ["NOROSHI_PROXIES: empty, so all who come through the proxy are one caller, and one can lock all out"]
    return []


def _unknown_settings() -> list[str]:
    known = {f"NOROSHI_{field.name.upper()}" for field in dataclasses.fields(Settings)} | _OTHER_VARIABLES
    return [
        f"{name}: there is no such setting" for name in os.environ if name.startswith("NOROSHI_") and name not in known
    ]


@click.command()
def settings_command() -> None:
    """List every setting: its variable, its value here, and what it is for."""
    chosen = settings()
    for field in dataclasses.fields(Settings):
        click.echo(f"NOROSHI_{field.name.upper()}={_without_password(str(getattr(chosen, field.name)))}")
        click.echo(click.wrap_text(field.metadata["help"], initial_indent="    ", subsequent_indent="    "))


def _without_password(value: str) -> str:
    """Of a URL, all but its password: what is printed ends up in tickets."""
    return re.sub(r"(?<=://)([^/@:]*):[^/@]*(?=@)", r"\1:***", value)


@click.group()
def audit_command() -> None:
    """The audit chain."""


@audit_command.command()
def verify() -> None:
    """Walk the chain; name the first entry that was changed. Exit 1 if there is one."""
    chosen = settings()
    heads = audit.anchored(chosen.audit_anchors)
    with open_stores(chosen).case.reading() as db:
        verdict = audit.verify(db, vault_of(db), heads)
    click.echo(f"{verdict.entries} entries hold")
    if verdict.first_bad is not None:
        click.echo(f"entry {verdict.first_bad} is the first that does not", err=True)
        sys.exit(1)
