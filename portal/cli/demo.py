"""The demonstration: its invented reports, stage by stage, and its accounts."""

from __future__ import annotations

import json
from typing import Any

import click

from config import Settings
from exchange.tables import table
from portal.cli.words import say


@click.group()
def demo_command() -> None:
    """The demonstration's invented reports and accounts."""


@demo_command.command(name="report")
@click.argument("sample")
@click.option("--stage", default=1, show_default=True, help="1 is the quick report, each further one an update")
def show_report(sample: str, stage: int) -> None:
    """Print one of the ten invented reports, S01 to S10, as the API takes it.

    \b
    noroshi demo report S01 | noroshi report submit -
    noroshi demo report S01 --stage 2 | noroshi report update N-1234-5678 -
    """
    stages = demo_stages(sample)
    if not 1 <= stage <= len(stages):
        raise click.BadParameter(say("no-stage", sample=sample.upper(), last=len(stages)), param_hint="--stage")
    name, answers = stages[stage - 1]
    click.echo(json.dumps(answers, ensure_ascii=False, indent=1))
    if name not in {"sokuhou", "zokuhou"}:
        click.echo(say("stage-hint", stage=name), err=True)


def demo_stages(sample: str) -> list[tuple[str, dict[str, Any]]]:
    """(stage, answers) of an invented report as the API takes them. Raises: BadParameter if there is none such."""
    row = next((one for one in table("demo")["reports"] if one["sample"] == sample.upper()), None)
    if row is None:
        raise click.BadParameter(say("no-sample", sample=sample), param_hint="SAMPLE")
    own = {"organisation": {"org_id": row["organisation"]}}
    later = [(one["stage"], own | one["answers"]) for one in row["later"]]
    return [("sokuhou", own | row["answers"]), *later]


def demo_accounts(chosen: Settings) -> list[dict[str, Any]] | None:
    """The demonstration's accounts; None if this is none."""
    try:
        accounts: list[dict[str, Any]] = json.loads(chosen.demo_accounts.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    return accounts
