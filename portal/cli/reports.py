"""Commands of a reporter, over the API: file a report, follow it up, look at it.

What is asked for goes to standard output, everything else to standard error. `portal.cli.asking` tells the exit codes.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import click

from exchange.form import FIELDS
from portal.cli.asking import asks, fetch, portal, read, send
from portal.cli.words import lang, say

_STIX = "application/stix+json;version=2.1"
_REPORTS, _CASES = "/api/v1/reports", "/api/v1/cases"
_ONCE = click.option("--idempotency-key", help="give the same one again after a failure; default: a new one")
Json = Mapping[str, Any]


@click.group()
def report_command() -> None:
    """Reports: file them, follow them up, look at them.

    Exit codes: 0 done, 2 the command or its file is wrong, 3 the portal refuses, 4 it does not answer.
    """


@report_command.command()
@click.argument("file", type=click.File("rb"))
@click.option("--stix", is_flag=True, help="FILE is a STIX 2.1 bundle with an incident")
@click.option("--draft", is_flag=True, help="do not file it: a person reads it on the portal, and files it there")
@_ONCE
@asks
def submit(
    file: Any,
    stix: bool,
    draft: bool,
    idempotency_key: str | None,
    account: str | None,
    url: str | None,
    as_json: bool,
) -> None:
    """File the quick report (速報) in FILE, or - for standard input.

    The key comes from NOROSHI_API_KEY, or from the demonstration's accounts with --account; without
    either, a demonstration uses the key of the organisation that the report names.

    \b
    noroshi demo report S01 | noroshi report submit -
    noroshi report submit --draft alert.json
    noroshi report submit --stix bundle.json --account org-001
    NOROSHI_API_KEY=noroshi_... noroshi report submit report.json --url https://noroshi.example
    """
    body = read(file)
    to = portal(account, url, body=body)
    path = f"{_REPORTS}?confirm=false" if draft else _REPORTS
    more = {"content_type": _STIX} if stix else {}
    answer = send(to, "POST", path, body, as_json=as_json, once=idempotency_key, **more)
    if not as_json:
        _tell_draft(to.url, answer) if "draft_id" in answer else _tell_filed(answer)


@report_command.command()
@click.argument("ref")
@click.argument("file", type=click.File("rb"))
@click.option(
    "--stage",
    type=click.Choice(["zokuhou", "kakuhou", "correction"]),
    default="zokuhou",
    show_default=True,
    help="an update (続報), the full report (確報) or a correction (訂正)",
)
@_ONCE
@asks
def update(
    ref: str,
    file: Any,
    stage: str,
    idempotency_key: str | None,
    account: str | None,
    url: str | None,
    as_json: bool,
) -> None:
    """File what is new about the case REF: FILE, or - for standard input, is a JSON Merge Patch.

    \b
    noroshi demo report S01 --stage 2 | noroshi report update N-1234-5678 -
    echo '{"current_status": "recovered"}' | noroshi report update N-1234-5678 - --account org-001
    noroshi report update N-1234-5678 full.json --stage kakuhou
    """
    body = read(file)
    path = f"{_path(ref)}?stage={stage}"
    answer = send(portal(account, url, body=body), "PATCH", path, body, as_json=as_json, once=idempotency_key)
    if not as_json:
        _tell_filed(answer)
        _tell_list("changed", "fields", [_name(field) for field in answer["changed"]])
        names = {one["id"]: one["name"] for one in answer["recipients"]}
        _tell_list("new-recipients", "names", [names[one] for one in answer["new_recipients"]])


@report_command.command()
@click.argument("ref")
@click.option("--version", "seq", type=int, help="print the answers of this version, as JSON; the reading is noted")
@asks
def show(ref: str, seq: int | None, account: str | None, url: str | None, as_json: bool) -> None:
    """Show the case REF: its versions, its deadlines, who has it.

    \b
    noroshi report show N-1234-5678 --account org-001
    noroshi report show N-1234-5678 --version 1 --account org-001
    """
    to = portal(account, url)
    if seq is not None:
        answer = fetch(to, f"{_path(ref)}/versions/{seq}", as_json=as_json)
        if not as_json:
            click.echo(json.dumps(answer["answers"], ensure_ascii=False, indent=1))
        return
    answer = fetch(to, _path(ref), as_json=as_json)
    if not as_json:
        _tell_case(answer)


@report_command.command(name="list")
@click.option("--limit", type=click.IntRange(1, 200), default=50, show_default=True)
@asks
def list_cases(limit: int, account: str | None, url: str | None, as_json: bool) -> None:
    """List the cases of your organisation, newest first.

    \b
    noroshi report list --account org-001
    noroshi report list --limit 5 --json --account org-001
    """
    answer = fetch(portal(account, url), f"{_CASES}?limit={limit}", as_json=as_json)
    if as_json:
        return
    for one in answer["cases"]:
        click.echo("  ".join((one["case_id"], _state(one), _version(one), one["received_at"][:16])))
    if not answer["cases"]:
        click.echo(say("none"), err=True)


@report_command.command()
@click.argument("ref")
@asks
def close(ref: str, account: str | None, url: str | None, as_json: bool) -> None:
    """Say that the case REF is over.

    \b
    noroshi report close N-1234-5678 --account org-001
    """
    answer = fetch(portal(account, url), f"{_path(ref)}/close", as_json=as_json, method="POST")
    if not as_json:
        click.echo(say("closed", case_id=answer["case_id"]))


@report_command.command()
@click.argument("ref")
@asks
def reopen(ref: str, account: str | None, url: str | None, as_json: bool) -> None:
    """Go on with the closed case REF.

    \b
    noroshi report reopen N-1234-5678 --account org-001
    """
    answer = fetch(portal(account, url), f"{_path(ref)}/reopen", as_json=as_json, method="POST")
    if not as_json:
        click.echo(say("reopened", case_id=answer["case_id"]))


# --- what is told --------------------------------------------------------------------------------------


def _path(ref: str) -> str:
    return f"{_CASES}/{quote(ref, safe='')}"


def _tell_filed(answer: Json) -> None:
    click.echo(say("filed", case_id=answer["case_id"]))
    if "possible_duplicate_of" in answer:
        click.echo(f"  {say('duplicate', case_id=answer['possible_duplicate_of'])}")
    for one in answer["recipients"]:
        click.echo(f"  {one['name']}  {one['legal_basis']}  {one['due'] or ''}")


def _tell_draft(url: str, answer: Json) -> None:
    click.echo(say("draft", url=f"{url}{answer['review_url']}"))
    _tell_list("missing", "fields", [_name(field) for field in answer["missing"]])


def _tell_list(key: str, part: str, names: list[str]) -> None:
    if names:
        click.echo(f"  {say(key, **{part: ', '.join(names)})}")


def _tell_case(answer: Json) -> None:
    click.echo(f"{answer['case_id']}  {_state(answer)}  {_version(answer)}")
    click.echo(say("versions"))
    for one in answer["versions"]:
        click.echo(f"  {_version(one)}  {one['received_at'][:16]}  {one['via']}")
    click.echo(say("deadlines"))
    for one in answer["deadlines"]:
        due = one["extended_to"] or one["due_date"] or one["due_at"] or ""
        click.echo(f"  {say(one['state'])}  {one['name']}  {due}")
    click.echo(say("receipts"))
    for one in answer["receipts"]:
        seq = one["received_seq"]
        click.echo(f"  {one['recipient']}  {say('received', seq=seq) if seq else say('not-received')}")


def _state(case: Json) -> str:
    return say("state-closed" if case["closed_at"] else "state-open")


def _version(one: Json) -> str:
    return say("version", seq=one["seq"], stage=say(one["stage"]))


def _name(field: str) -> str:
    """A field as the form calls it."""
    return str(FIELDS[field]["label"][lang()]) if field in FIELDS else field
