"""Commands of a reporter: file a report over the API, from a file."""

from __future__ import annotations

import json
import os
import sys
import urllib.error
import urllib.request
from collections.abc import Mapping
from typing import Any
from uuid import uuid4

import click

from config import Settings
from exchange.tables import table
from portal.cli.chosen import settings

_TIMEOUT_S = 30


@click.group()
def report_command() -> None:
    """Reports."""


@report_command.command()
@click.argument("file", type=click.File("rb"))
@click.option("--account", help="in a demonstration: whose key to use, such as org-001")
@click.option("--url", help="the portal; default: the one of these settings")
@click.option("--idempotency-key", help="give the same one again after a failure; default: a new one")
@click.option("--json", "as_json", is_flag=True, help="print the whole receipt")
def submit(file: Any, account: str | None, url: str | None, idempotency_key: str | None, as_json: bool) -> None:
    """File the quick report (速報) in FILE, or - for standard input.

    The key comes from NOROSHI_API_KEY, or from the demonstration's accounts with --account; without
    either, a demonstration uses the key of the organisation that the report names.

    \b
    noroshi demo report S01 | noroshi report submit -
    NOROSHI_API_KEY=noroshi_... noroshi report submit report.json --url https://noroshi.example
    """
    body, chosen = file.read(), settings()
    key = os.environ.get("NOROSHI_API_KEY") or _demo_key(chosen, account, body)
    status, answer = post(url or chosen.portal_url, key, body, idempotency_key or str(uuid4()))
    _tell(status, answer, as_json)


@click.group()
def demo_command() -> None:
    """The demonstration's invented reports and accounts."""


@demo_command.command(name="report")
@click.argument("sample")
def show_report(sample: str) -> None:
    """Print one of the ten invented reports, S01 to S10, as the API takes it."""
    click.echo(json.dumps(demo_report(sample), ensure_ascii=False, indent=1))


def demo_report(sample: str) -> dict[str, Any]:
    """An invented report as the API takes it. Raises: ClickException if there is none of this name."""
    for row in table("demo")["reports"]:
        if row["sample"] == sample.upper():
            return {"organisation": {"org_id": row["organisation"]}, **row["answers"]}
    raise click.ClickException(f"there is no invented report {sample}; try S01 to S10")


def demo_accounts(chosen: Settings) -> list[dict[str, Any]]:
    """The demonstration's accounts. Raises: ClickException if this is none."""
    try:
        accounts: list[dict[str, Any]] = json.loads(chosen.demo_accounts.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise click.ClickException("no key: set NOROSHI_API_KEY (this is no demonstration)") from None
    return accounts


def _demo_key(chosen: Settings, account: str | None, body: bytes) -> str:
    wanted = account or _named_organisation(body)
    if wanted is None:
        raise click.ClickException("the file is no JSON, or names no organisation: give --account or NOROSHI_API_KEY")
    keys = {row["username"]: row["api_key"] for row in demo_accounts(chosen)}
    if wanted.lower() not in keys:
        raise click.ClickException(f"the demonstration has no account {wanted}")
    return str(keys[wanted.lower()])


def _named_organisation(body: bytes) -> str | None:
    try:
        return str(json.loads(body)["organisation"]["org_id"])
    except (ValueError, KeyError, TypeError):
        return None


def post(url: str, key: str, body: bytes, idempotency_key: str) -> tuple[int, Mapping[str, Any]]:
    """Send a report. Returns the status and the decoded answer. Raises: ClickException if nobody answers."""
    request = urllib.request.Request(f"{url}/api/v1/reports", data=body, method="POST")  # noqa: S310
    request.add_header("Authorization", f"Bearer {key}")
    request.add_header("Content-Type", "application/json")
    request.add_header("Accept-Language", "en" if os.environ.get("LANG", "").startswith("en") else "ja")
    request.add_header("Idempotency-Key", idempotency_key)
    try:
        with urllib.request.urlopen(request, timeout=_TIMEOUT_S) as response:  # noqa: S310
            return response.status, json.load(response)
    except urllib.error.HTTPError as error:
        return error.code, _decoded(error.read())
    except OSError as error:
        raise click.ClickException(
            f"no answer from the portal at {url} ({error}). It is not known whether the report was filed: repeat the "
            f"command with --idempotency-key {idempotency_key}, which never files it twice"
        ) from None


def _decoded(body: bytes) -> Mapping[str, Any]:
    try:
        decoded: Mapping[str, Any] = json.loads(body)
    except ValueError:
        return {"detail": "the answer is no JSON"}
    return decoded


def _tell(status: int, answer: Mapping[str, Any], as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(answer, ensure_ascii=False, indent=1))
    if status != 201:
        click.echo(f"not filed ({status}): {answer.get('title', '')} {answer.get('detail', '')}", err=True)
        for wrong in answer.get("errors", ()):
            click.echo(f"  {wrong['field']}: {wrong['message']}", err=True)
        sys.exit(1)
    if not as_json:
        click.echo(f"filed: {answer['case_id']}")
        if "possible_duplicate_of" in answer:
            click.echo(f"  the same answers were filed minutes ago: {answer['possible_duplicate_of']}")
        for one in answer["recipients"]:
            click.echo(f"  {one['name']}  {one['legal_basis']}  {one['due'] or ''}")
