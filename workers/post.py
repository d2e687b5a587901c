"""The post: letters go out over SMTP, one connection each. After a crash one may go out again, as the same mail."""

from __future__ import annotations

import smtplib
import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from email.message import EmailMessage
from threading import Lock
from urllib.parse import unquote, urlsplit
from uuid import UUID

import structlog

from config import Settings
from exchange import added, letters, outbox
from exchange.errors import Unavailable
from exchange.feed import Clock
from exchange.stores import Stores

_log = structlog.get_logger()
# Longer than a mail server may take over all it is told, each within its patience.
_LEASE = timedelta(minutes=10)
_PATIENCE_S = 20.0
# Relays say other things with 5xx too, which somebody puts right: only these are about the recipient alone.
_NO_SUCH_RECIPIENT = {550, 551, 553}


_SENDING = Lock()


@contextmanager
def alone() -> Iterator[bool]:
    """Whether this thread is the one of its worker that sends; if so, no other does inside the block."""
    taken = _SENDING.acquire(blocking=False)
    try:
        yield taken
    finally:
        if taken:
            _SENDING.release()


class Refused(Exception):
    """The mail server will not take this letter, however often it is asked; says with which code."""


def remind(stores: Stores, *, clock: Clock) -> None:
    """Write the letters about what has come due."""
    with stores.case.reading() as db:
        added.follow(db)
        waiting = letters.anything_to_remind_of(db, now=clock())
    if waiting:
        with stores.case.transaction() as db:
            letters.remind(db, now=clock())


def hand_over(stores: Stores, settings: Settings, *, clock: Clock) -> None:
    """Let every letter be sent; without a mail server they wait."""
    if not settings.mail_url:
        return
    with stores.case.reading() as db:
        waiting = letters.anything_to_hand_over(db)
    if waiting:
        with stores.case.transaction() as db:
            letters.hand_over(db, now=clock())


def deliver(stores: Stores, settings: Settings, event_id: UUID, *, clock: Clock) -> None:
    """Send the letter of an event. Run twice, it sends once; a server that does not answer is asked again later."""
    with stores.case.transaction() as db:
        letter_id = outbox.claim(db, event_id, now=clock(), lease=_LEASE)
    if letter_id is None:  # Sent, or in another worker's hands.
        return
    try:
        _deliver(stores, settings, letter_id, clock)
    except Refused as error:
        _log.warning("letter.refused", letter_id=str(letter_id), code=str(error))
        with stores.case.transaction() as db:
            letters.refused(db, letter_id, fault=str(error), now=clock())
    except Exception as error:  # noqa: BLE001  Whatever failed, others must be able to take the event.
        usual = isinstance(error, smtplib.SMTPException | OSError | Unavailable)
        _log.warning("letter.waits", letter_id=str(letter_id), kind=type(error).__name__, exc_info=not usual)
        with stores.case.transaction() as db:
            outbox.let_go(db, event_id, now=clock(), fault=type(error).__name__)


def _deliver(stores: Stores, settings: Settings, letter_id: UUID, clock: Clock) -> None:
    """No connection to the database is held while the mail server is asked."""
    with stores.case.transaction() as db:
        added.follow(db)
        told = {"portal_url": settings.linked_url, "sender": settings.mail_from}
        mail = letters.read(db, letter_id, **told, now=clock())
        if mail is None:
            outbox.settle(db, letter_id, now=clock())
    if mail is None:
        return
    send(settings.mail_url, mail)
    with stores.case.transaction() as db:
        letters.sent(db, letter_id, now=clock())
        outbox.settle(db, letter_id, now=clock())


def send(mail_url: str, mail: EmailMessage) -> None:
    """Give one mail to the server. Raises: Refused; Unavailable, SMTPException and OSError are worth another try."""
    if not mail_url:
        raise Unavailable("no mail server is set")
    parts = urlsplit(mail_url)
    server = smtplib.SMTP(parts.hostname or "", parts.port or smtplib.SMTP_PORT, timeout=_PATIENCE_S)
    try:
        if parts.query == "starttls=1":
            server.starttls(context=ssl.create_default_context())
        if parts.username:
            server.login(unquote(parts.username), unquote(parts.password or ""))
        _give(server, mail)
    finally:
        with suppress(smtplib.SMTPException, OSError):  # It is sent or not, whatever the server says in parting.
            server.quit()


def _give(server: smtplib.SMTP, mail: EmailMessage) -> None:
    try:
        server.send_message(mail)
    except smtplib.SMTPRecipientsRefused as error:
        codes = {code for code, _ in error.recipients.values()}
        if codes <= _NO_SUCH_RECIPIENT:
            raise Refused(f"smtp-{min(codes)}") from None
        raise
    except smtplib.SMTPDataError as error:
        if error.smtp_code >= 500:
            raise Refused(f"smtp-{error.smtp_code}") from None
        raise
