"""The settings of an installation: environment variables with the prefix NOROSHI_, and their defaults."""

from __future__ import annotations

import dataclasses
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

from config.proxies import Network, networks

PREFIX = "NOROSHI_"
_MAILBOX = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]+@[A-Za-z0-9.-]+")


class Installation(StrEnum):
    """What an installation is for; documentation addresses count as real in all but a live one."""

    LIVE = "live"
    DEMO = "demo"
    EXERCISE = "exercise"


class SettingsError(Exception):
    """The settings do not make an installation; says everything that is wrong at once."""


def _setting(help_text: str, default: Any = dataclasses.MISSING) -> Any:
    return dataclasses.field(metadata={"help": help_text}, default=default)


@dataclass(frozen=True)
class Settings:
    """What a deployment may choose. An empty URL stands for the embedded default under `var`."""

    var: Path = _setting("Folder for data: the two SQLite files, the queue, logs.")
    keys: Path = _setting("Folder for secrets and content keys, never inside NOROSHI_VAR. Default: <NOROSHI_VAR>-keys.")
    database_url: str = _setting("SQLAlchemy URL of the case store. Default: case.db under NOROSHI_VAR, SQLite.")
    released_url: str = _setting("SQLAlchemy URL of the released store. Default: released.db, SQLite.")
    broker_url: str = _setting("Celery broker: amqp:// or redis://. Default: a folder under NOROSHI_VAR.")
    installation: Installation = _setting(
        "live, demo or exercise. demo runs only embedded, on 127.0.0.1, and loads the demonstration data. "
        "Default: demo when both stores are SQLite, else live."
    )
    queue: str = _setting("Name of the queue, where several installations share a broker.", "noroshi")
    host: str = _setting("Address that the portal and the TAXII server bind to (an address, not a name).", "127.0.0.1")
    portal_port: int = _setting("Port of the portal and its API.", 8000)
    taxii_port: int = _setting("Port of the TAXII server.", 8001)
    https: bool = _setting("1 when a proxy in front speaks HTTPS: cookies are then marked Secure.", False)
    proxies: str = _setting(
        "Addresses and networks of the proxies in front, such as 10.0.0.5, 10.1.0.0/24: whom they name in "
        "X-Forwarded-For is who asks. Empty: nobody is believed.",
        "",
    )
    login_hours: int = _setting("Hours after which a person signs in again.", 12)
    claim_lease_s: int = _setting("Seconds that a worker may hold an event before another may take it.", 60)
    max_page_size: int = _setting("Objects in one TAXII page at most (1 to 1000).", 1000)
    public_url: str = _setting("Address of the portal as people type it, for links in mails and calendars.", "")
    mail_url: str = _setting(
        "Mail server, smtp://user:password@host:587/?starttls=1; name and password with %XX for @ : / ? # and %. "
        "Empty: no mail goes out, and it waits.",
        "",
    )
    mail_from: str = _setting("Address that mails come from; needed with a mail server.", "")
    local_webhooks: bool = _setting("1 in a demo or an exercise: webhooks may also lead to http://127.0.0.1.", False)

    @property
    def embedded(self) -> bool:
        """True when both stores are SQLite files: the size that needs no server."""
        return self.database_url.startswith("sqlite") and self.released_url.startswith("sqlite")

    @property
    def trusted_proxies(self) -> tuple[Network, ...]:
        """The proxies that are believed."""
        return networks(self.proxies)

    @property
    def documentation_is_real(self) -> bool:
        """True where RFC 5737 addresses and .example names stand for real ones."""
        return self.installation is not Installation.LIVE

    @property
    def demo_accounts(self) -> Path:
        """Where the demonstration's random passwords and keys are written, mode 0600."""
        return self.var / "demo-accounts.json"

    @property
    def audit_anchors(self) -> Path:
        """Where the head of the audit chain is noted every minute."""
        return self.keys / "audit-heads.log"

    @property
    def portal_url(self) -> str:
        """The portal as seen from this machine."""
        return f"http://{_bracketed(self.host)}:{self.portal_port}"

    @property
    def linked_url(self) -> str:
        """The portal as seen by people, without a slash at its end."""
        return self.public_url.rstrip("/") or self.portal_url

    @property
    def taxii_url(self) -> str:
        """The TAXII discovery document as seen from this machine."""
        return f"http://{_bracketed(self.host)}:{self.taxii_port}/taxii2/"

    @classmethod
    def read(cls, environ: Mapping[str, str] | None = None) -> Self:
        """The settings of this process.

        Raises: SettingsError, naming every variable that is wrong.
        """
        given = {
            name.removeprefix(PREFIX).lower(): value
            for name, value in (os.environ if environ is None else environ).items()
            if name.startswith(PREFIX) and value.strip()
        }
        wrong: list[str] = []
        values = {f.name: _read(f, given, wrong) for f in dataclasses.fields(cls)}
        _fill_defaults(values)
        settings = cls(**values)
        wrong += _contradictions(settings)
        if wrong:
            raise SettingsError("\n".join(wrong))
        return settings

    def environment(self) -> dict[str, str]:
        """The same settings as variables, for a child process."""
        as_text: Callable[[object], str] = lambda v: str(int(v)) if isinstance(v, bool) else str(v)  # noqa: E731
        return {PREFIX + f.name.upper(): as_text(getattr(self, f.name)) for f in dataclasses.fields(self)}


def _read(f: dataclasses.Field[Any], given: Mapping[str, str], wrong: list[str]) -> Any:
    text = given.get(f.name)
    if text is None:
        return None if f.default is dataclasses.MISSING else f.default
    try:
        return _PARSERS.get(str(f.type), str)(text)
    except ValueError as error:
        wrong.append(f"{PREFIX}{f.name.upper()}: {error}")
        return None if f.default is dataclasses.MISSING else f.default


def _whole_number(text: str) -> int:
    if not text.isdecimal() or int(text) == 0:
        raise ValueError(f"expected a whole number above 0, not {text!r}")
    return int(text)


def _yes_or_no(text: str) -> bool:
    if text.lower() not in {"0", "1", "true", "false"}:
        raise ValueError(f"expected 1 or 0, not {text!r}")
    return text.lower() in {"1", "true"}


def _installation(text: str) -> Installation:
    if text not in set(Installation):
        raise ValueError(f"expected live, demo or exercise, not {text!r}")
    return Installation(text)


_PARSERS: Mapping[str, Callable[[str], Any]] = {
    "Path": lambda text: Path(text).expanduser().absolute(),
    "int": _whole_number,
    "bool": _yes_or_no,
    "Installation": _installation,
}


def _fill_defaults(values: dict[str, Any]) -> None:
    values["var"] = var = values["var"] or Path("var").absolute()
    values["keys"] = values["keys"] or var.with_name(var.name + "-keys")
    values["database_url"] = values["database_url"] or f"sqlite:///{var / 'case.db'}"
    values["released_url"] = values["released_url"] or f"sqlite:///{var / 'released.db'}"
    values["broker_url"] = values["broker_url"] or "filesystem://"
    embedded = all(values[name].startswith("sqlite") for name in ("database_url", "released_url"))
    values["installation"] = values["installation"] or (Installation.DEMO if embedded else Installation.LIVE)


def _contradictions(settings: Settings) -> list[str]:
    wrong = []
    try:
        loopback = ip_address(settings.host).is_loopback
    except ValueError:
        return [f"NOROSHI_HOST: expected an address such as 127.0.0.1, not {settings.host!r}"]
    if settings.installation is Installation.DEMO and not (settings.embedded and loopback):
        wrong.append(
            "NOROSHI_INSTALLATION: a demo runs only embedded (SQLite) and on 127.0.0.1; "
            "choose live or exercise for a database server or another address"
        )
    if settings.keys == settings.var or settings.var in settings.keys.parents:
        wrong.append("NOROSHI_KEYS: must not lie inside NOROSHI_VAR, or a copy of the data carries its keys")
    if settings.max_page_size > 1000:
        wrong.append("NOROSHI_MAX_PAGE_SIZE: at most 1000")
    if settings.local_webhooks and settings.installation is Installation.LIVE:
        wrong.append("NOROSHI_LOCAL_WEBHOOKS: a live installation never connects to itself")
    return wrong + _proxy_faults(settings) + _mail_faults(settings)


def _proxy_faults(settings: Settings) -> list[str]:
    try:
        networks(settings.proxies)
    except ValueError:
        return ["NOROSHI_PROXIES: expected addresses and networks such as 10.0.0.5, 10.1.0.0/24, and not everybody"]
    return []


def _mail_faults(settings: Settings) -> list[str]:
    wrong = []
    if settings.public_url and not _is_url(settings.public_url, {"http", "https"}):
        wrong.append("NOROSHI_PUBLIC_URL: expected an address such as https://report.example.jp")
    if settings.mail_url and not (_is_url(settings.mail_url, {"smtp"}) and _asks_for_no_more(settings.mail_url)):
        # The value is not repeated: it holds a password.
        wrong.append("NOROSHI_MAIL_URL: expected smtp://user:password@host:587/?starttls=1")
    if settings.mail_url and not _MAILBOX.fullmatch(settings.mail_from):
        wrong.append("NOROSHI_MAIL_FROM: expected a mail address, since NOROSHI_MAIL_URL is set")
    return wrong


def _asks_for_no_more(mail_url: str) -> bool:
    """A misspelt `starttls` would send the password in the clear."""
    parts = urlsplit(mail_url)
    return parts.query in {"", "starttls=0", "starttls=1"} and parts.path in {"", "/"}


def _is_url(text: str, schemes: set[str]) -> bool:
    try:
        parts = urlsplit(text)
        return parts.scheme in schemes and bool(parts.hostname) and parts.port != 0 and text.isprintable()
    except ValueError:
        return False


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
