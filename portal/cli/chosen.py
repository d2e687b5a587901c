"""The settings of the command that runs."""

from __future__ import annotations

import sys

import click

from config import Settings, SettingsError


def settings() -> Settings:
    """The settings of this process; what is wrong with them ends it with status 2."""
    try:
        return Settings.read()
    except SettingsError as error:
        click.echo(str(error), err=True)
        sys.exit(2)
