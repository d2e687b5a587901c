"""Asking a portal over its API: whose key, what is sent, and what a refusal or silence means for a script.

Exit codes: 0 done, 2 the command or its file is wrong, 3 the portal refuses, 4 it does not answer.
"""

from __future__ import annotations

import http.client
import json
import os
import re
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar
from uuid import uuid4

import click

from portal.cli.chosen import settings
from portal.cli.demo import demo_accounts
from portal.cli.words import lang, say

_TIMEOUT_S = 30
# The portal, or a proxy in front of it, cannot at the moment: nothing was kept.
_NOT_NOW = {502, 503, 504}
Command = TypeVar("Command", bound=Callable[..., Any])
Json = Mapping[str, Any]


class WrongInput(click.ClickException):
    """What was given cannot be sent."""

    exit_code = 2


class Refused(click.ClickException):
    """The portal understood, and does not do it."""

    exit_code = 3


class Silent(click.ClickException):
    """The portal does not answer."""

    exit_code = 4


@dataclass(frozen=True)
class Portal:
    """A portal, and the key to show there."""

    url: str
    key: str

    def ask(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        *,
        content_type: str = "application/json",
        once: str | None = None,
    ) -> tuple[int, Json]:
        """The status and the decoded answer.

        Args:
            once: the Idempotency-Key, for what must not happen twice.
        Raises: Silent.
        """
        request = urllib.request.Request(f"{self.url}{path}", data=body, method=method)  # noqa: S310
        headers = {"Authorization": f"Bearer {self.key}", "Accept-Language": lang()}
        headers |= {"Content-Type": content_type} if body is not None else {}
        for name, value in (headers | ({"Idempotency-Key": once} if once else {})).items():
            request.add_header(name, value)
        try:
            with urllib.request.urlopen(request, timeout=_TIMEOUT_S) as response:  # noqa: S310
                return response.status, _decoded(response.read())
        except urllib.error.HTTPError as error:
            return error.code, _decoded(error.read())
        except (OSError, http.client.HTTPException) as error:
            told = say("unreachable", url=self.url, reason=error)
            raise Silent(f"{told} {say('repeat', once=once)}" if once else told) from None


def _decoded(body: bytes) -> Json:
    try:
        decoded = json.loads(body)
    except ValueError:
        decoded = None
    return decoded if isinstance(decoded, dict) else {"detail": "the answer is no JSON"}


# --- for the commands ----------------------------------------------------------------------------------


def asks(command: Command) -> Command:
    """The options that every command has which asks a portal."""
    options = (
        click.option("--account", help="in a demonstration: whose key to use, such as org-001"),
        click.option("--url", help="the portal; default: the one of these settings"),
        click.option("--json", "as_json", is_flag=True, help="print the whole answer"),
    )
    for option in reversed(options):
        command = option(command)
    return command


def read(file: Any) -> bytes:
    """What a file says. Raises: WrongInput if it is no JSON."""
    body: bytes = file.read()
    try:
        json.loads(body)
    except (ValueError, RecursionError):
        raise WrongInput(say("no-json")) from None
    return body


def portal(account: str | None, url: str | None, *, body: bytes | None = None) -> Portal:
    """The portal to ask, with NOROSHI_API_KEY, or in a demonstration with the key of an account.

    Args:
        body: names the organisation whose account it is, when none is given.
    Raises: WrongInput without a key, or if the address is none of the web.
    """
    chosen = settings()
    address = (url or chosen.portal_url).rstrip("/")
    if not re.fullmatch(r"https?://[!-~]+", address):
        raise WrongInput(say("no-url", url=address))
    key = os.environ.get("NOROSHI_API_KEY", "").strip()
    if not re.fullmatch(r"[!-~]+", key):
        accounts = demo_accounts(chosen)
        if accounts is None:
            raise WrongInput(say("no-key"))
        key = _key(accounts, account or _organisation(body))
    return Portal(address, key)


def _key(accounts: list[dict[str, Any]], wanted: str | None) -> str:
    if wanted is None:
        raise WrongInput(say("no-organisation"))
    keys = {row["username"]: row["api_key"] for row in accounts}
    if wanted.lower() not in keys:
        raise WrongInput(say("no-account", account=wanted))
    return str(keys[wanted.lower()])


def _organisation(body: bytes | None) -> str | None:
    try:
        return str(json.loads(body or b"{}")["organisation"]["org_id"])
    except (KeyError, TypeError):
        return None


def send(to: Portal, method: str, path: str, body: bytes, *, as_json: bool, **more: Any) -> Json:
    """Send something, once; a refusal is told field by field. Raises: Refused, Silent."""
    click.echo(say("sending", url=to.url), err=True)
    more["once"] = more.get("once") or str(uuid4())
    return _taken(to.ask(method, path, body, **more), as_json=as_json)


def fetch(to: Portal, path: str, *, as_json: bool, method: str = "GET") -> Json:
    """Ask for something. Raises: Refused, Silent."""
    click.echo(say("asking", url=to.url), err=True)
    return _taken(to.ask(method, path), as_json=as_json)


def _taken(answered: tuple[int, Json], *, as_json: bool) -> Json:
    status, answer = answered
    if as_json:
        click.echo(json.dumps(answer, ensure_ascii=False, indent=1))
    if status >= 300:
        for wrong in answer.get("errors", ()):
            click.echo(f"  {wrong['field']}: {wrong['message']}", err=True)
        told = {"title": answer.get("title", ""), "detail": answer.get("detail", "")}
        error = Silent if status in _NOT_NOW else Refused
        raise error(say("refused", status=status, **told))
    return answer
