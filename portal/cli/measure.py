"""How long a report takes from its receipt into a client of the feed: measured on a running demonstration."""

from __future__ import annotations

import json
import secrets
import statistics
import time

import click
import requests.auth
from rich.progress import track
from taxii2client.v21 import Collection, Server

from config import Settings
from exchange.times import utcnow
from portal.cli.asking import Portal
from portal.cli.chosen import settings
from portal.cli.demo import demo_accounts
from portal.cli.words import say

_GIVE_UP_S = 60.0
_BETWEEN_POLLS_S = 0.05


@click.command()
@click.option("--filings", default=20, show_default=True)
@click.option("--reporter", default="org-001", show_default=True)
@click.option("--reader", default="t-isac", show_default=True)
def measure_command(filings: int, reporter: str, reader: str) -> None:
    """File invented reports in a running demonstration, and time each from receipt to a poller's hands."""
    chosen = settings()
    accounts = demo_accounts(chosen)
    if accounts is None:
        raise click.ClickException(say("no-key"))
    keys = {row["username"]: row["api_key"] for row in accounts}
    collection = _collection(chosen, reader, keys[reader])
    times = [_once(chosen, keys[reporter], collection) for _ in track(range(filings), "filing")]
    click.echo(
        f"{filings} filings, receipt to visible in the feed: median {statistics.median(times):.2f} s, "
        f"slowest {max(times):.2f} s"
    )


def _collection(chosen: Settings, username: str, key: str) -> Collection:
    auth = requests.auth.HTTPBasicAuth(username, key)
    server = Server(chosen.taxii_url, auth=auth)
    shown = {one.alias: one for one in server.default.collections}
    found: Collection = shown[f"isac-{username}"]
    return found


def _once(chosen: Settings, key: str, collection: Collection) -> float:
    """Seconds from the receipt until the poller holds the report's own indicator."""
    name = f"{secrets.token_hex(8)}.example"
    since = utcnow()
    to, once = Portal(chosen.portal_url, key), secrets.token_urlsafe(16)
    status, answer = to.ask("POST", "/api/v1/reports", _report(name), once=once)
    if status != 201:
        raise click.ClickException(f"not filed ({status}): {answer.get('detail')}")
    start = time.monotonic()
    while time.monotonic() - start < _GIVE_UP_S:
        envelope = collection.get_objects(added_after=since, type="domain-name")
        if any(one.get("value") == name for one in envelope.get("objects", ())):
            return time.monotonic() - start
        time.sleep(_BETWEEN_POLLS_S)
    raise click.ClickException(f"not in the feed after {_GIVE_UP_S:.0f} s")


def _report(name: str) -> bytes:
    answers = {
        "incident_kind": "other",
        "aware_at": utcnow().isoformat(),
        "service_impact": "none",
        "system_class": ["unknown"],
        "personal_data": "no",
        "current_status": "unknown",
        "designated_asset": "no",
        "callback": "+81-50-0000-0000",
        "share_scope": "council-anon",
        "ioc_paste": f"hxxps://{name.replace('.', '[.]')}/x {name} 203.0.113.{secrets.randbelow(254) + 1}",
    }
    return json.dumps(answers).encode()
