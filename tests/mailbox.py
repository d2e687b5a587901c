"""A mail server of our own, on 127.0.0.1: it takes what it is told to take, and keeps it."""

from __future__ import annotations

import ssl
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import SMTP
from typing import Any, cast

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP as Protocol
from aiosmtpd.smtp import AuthResult, LoginPassword

from tests.live import free_port


@dataclass
class Mailbox:
    """What came in, and for whom. `says`: what is answered to a recipient or to a whole mail instead of 250."""

    received: list[tuple[str, EmailMessage]] = field(default_factory=list)
    says: dict[str, str] = field(default_factory=dict)
    logins: list[tuple[bytes, bytes]] = field(default_factory=list)
    tried: int = 0
    port: int = field(default_factory=free_port)

    @property
    def url(self) -> str:
        """As NOROSHI_MAIL_URL."""
        return f"smtp://127.0.0.1:{self.port}"

    @property
    def mails(self) -> list[EmailMessage]:
        """What came in."""
        return [mail for _, mail in self.received]

    async def handle_RCPT(self, _server: Any, _session: Any, envelope: Any, address: str, _options: Any) -> str:
        self.tried += 1
        if "RCPT" in self.says:
            return self.says["RCPT"]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:
        if "DATA" in self.says:
            return self.says["DATA"]
        mail = cast(EmailMessage, message_from_bytes(envelope.content, policy=SMTP))
        (address,) = envelope.rcpt_tos
        self.received.append((address, mail))
        return self.says.get("DATA-AFTER", "250 OK")

    def let_in(self, _server: Any, _session: Any, _envelope: Any, _mechanism: str, given: Any) -> AuthResult:
        """Anybody, and note who."""
        assert isinstance(given, LoginPassword)
        self.logins.append((given.login, given.password))
        return AuthResult(success=True)


@contextmanager
def serving(box: Mailbox, *, tls: ssl.SSLContext | None = None, auth: bool = False) -> Iterator[None]:
    """The server answers inside the block."""
    options: dict[str, Any] = {"tls_context": tls, "require_starttls": tls is not None} if tls else {}
    if auth:
        options |= {"authenticator": box.let_in, "auth_required": True, "auth_require_tls": False}

    class Server(Controller):
        def factory(self) -> Protocol:
            return Protocol(self.handler, enable_SMTPUTF8=False, **options)

    server = Server(box, hostname="127.0.0.1", port=box.port)
    with warnings.catch_warnings():
        # It warns of what it is here to be: a server that takes a password in the clear.
        warnings.filterwarnings("ignore", "Requiring AUTH while not requiring TLS")
        server.start()
        try:
            yield
        finally:
            server.stop()
