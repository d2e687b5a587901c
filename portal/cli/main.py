"""The `noroshi` command: what an operator of an installation types, and what a script of a reporter calls."""

from __future__ import annotations

import sys

import click

from config import Settings, SettingsError
from portal.cli import accounts, installation, measure, reports


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
def main() -> None:
    """Noroshi: one report, every authority informed, what others may know in their feed a minute later.

    \b
    noroshi start                          run everything on this machine
    noroshi report submit report.json      file a quick report (速報)
    noroshi doctor                         say what is wrong with this installation
    """


def settings() -> Settings:
    """The settings of this process; what is wrong with them ends it."""
    try:
        return Settings.read()
    except SettingsError as error:
        click.echo(str(error), err=True)
        sys.exit(2)


installation.install(main, settings)
accounts.install(main, settings)
reports.install(main, settings)
measure.install(main, settings)
