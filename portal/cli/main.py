"""The `noroshi` command: what an operator of an installation types, and what a script of a reporter calls."""

from __future__ import annotations

from importlib import import_module

import click

# A reporter's script needs little and should start at once, so a command's module is loaded when it is called.
_COMMANDS = {
    "start": "portal.cli.installation",
    "migrate": "portal.cli.installation",
    "doctor": "portal.cli.installation",
    "settings": "portal.cli.installation",
    "audit": "portal.cli.installation",
    "organization": "portal.cli.accounts",
    "account": "portal.cli.accounts",
    "key": "portal.cli.accounts",
    "report": "portal.cli.reports",
    "demo": "portal.cli.demo",
    "table": "portal.cli.tables",
    "measure": "portal.cli.measure",
    "offline": "portal.cli.offline",
    "emergency": "portal.cli.emergency",
    "indicators": "portal.cli.indicators",
}


class _LazyGroup(click.Group):
    """A group whose commands are found by name: the module's `<name>_command`."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        module = _COMMANDS.get(cmd_name)
        if module is None:
            return None
        found: click.Command = getattr(import_module(module), f"{cmd_name}_command")
        return found


@click.group(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
def main() -> None:
    """Noroshi: one report, every authority informed, what others may know in their feed a minute later.

    \b
    noroshi start                          run everything on this machine
    noroshi report submit report.json      file a quick report (速報)
    noroshi report update REF news.json    file what is new about it (続報)
    noroshi doctor                         say what is wrong with this installation
    """
