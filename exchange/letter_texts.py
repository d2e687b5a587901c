"""What a letter says: numbers, regimes and times, in both languages; never a name, and nothing that people typed."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime
from email.headerregistry import Address
from email.message import EmailMessage
from typing import Any

from sqlalchemy.orm import Session

from exchange import boards, clocks, incidents
from exchange.clocks import Urgency
from exchange.matters import Matter
from exchange.models import Case, Deadline, Letter
from exchange.sectors import Text
from exchange.sharing import TLP
from exchange.tables import table
from exchange.times import JST

_LETTERS = table("letters")
_PAGES = {"copy": "/inbox/{}", "disowned": "/inbox/{}"}
_REPORTERS_PAGE = "/cases/{}"
_RULE = "-" * 24


def message(
    db: Session, letter: Letter, matter: Matter, *, to: str, sender: str, portal_url: str, now: datetime
) -> EmailMessage:
    """A letter as a mail. Written again it has the same Message-ID, and subject and times but for what is left."""
    mail = EmailMessage()
    mail["From"], mail["To"] = Address(addr_spec=sender), Address(addr_spec=to)
    mail["Subject"] = _subject(matter)
    mail["Date"], mail["Message-ID"] = letter.at, f"<{letter.id}@{sender.rpartition('@')[2]}>"
    mail["Auto-Submitted"] = "auto-generated"
    tlp = TLP(incidents.latest(matter.case).decision["tlp_victim"]).label
    link = portal_url + _PAGES.get(matter.kind, _REPORTERS_PAGE).format(matter.case.ref)
    parts = ["\n".join(_lines(db, matter, lang, link, now)) for lang in ("ja", "en")]
    mail.set_content("\n\n".join([tlp, parts[0], _RULE, parts[1], tlp]))
    return mail


def _subject(matter: Matter) -> str:
    """The number and what kind of letter it is, no more: subjects are read by mail servers and on locked screens."""
    drill = _LETTERS["words"]["exercise"]["ja"] if matter.case.exercise else ""
    return f"{drill}{matter.case.ref} {_LETTERS['subjects'][matter.kind]['ja']}"


def _lines(db: Session, matter: Matter, lang: str, link: str, now: datetime) -> Iterator[str]:
    yield _word("hello", lang)
    if matter.case.exercise:
        yield _word("exercise", lang) + _word("drill", lang)
    yield ""
    yield _word("number", lang).format(matter.case.ref)
    yield from (_in(one, lang) for one in matter.opening)
    if matter.kind == "copy" and matter.case.unconfirmed:
        yield _word("unconfirmed", lang)
    if matter.deadline is not None:
        yield ""
        yield from _clock(matter.deadline, lang, now)
    if matter.recipient is None:
        yield from _others(db, matter, lang, now)
    yield ""
    yield _word("link" if matter.kind in {"deadline", "again"} else "link-open", lang)
    yield link
    yield ""
    yield _word("no-reply", lang)


def _others(db: Session, matter: Matter, lang: str, now: datetime) -> Iterator[str]:
    running = [one for one in _running(db, matter.case, now) if one is not matter.deadline]
    if running:
        yield ""
        yield _word("others" if matter.deadline else "deadlines", lang)
    for deadline in running:
        yield from _clock(deadline, lang, now)


def _running(db: Session, case: Case, now: datetime) -> list[Deadline]:
    standing = [clocks.stands(one, now) for one in clocks.of_case(db, case)]
    return [one.deadline for one in standing if one.urgency is not Urgency.MET and one.left is not None]


def _clock(deadline: Deadline, lang: str, now: datetime) -> Iterator[str]:
    """A deadline in two lines, three if somebody extended it."""
    mark, indent = ("・", "　") if lang == "ja" else ("* ", "  ")
    assert deadline.runs_out_at is not None
    left = _in(boards.in_words(deadline.runs_out_at - now), lang)
    brackets = "（{}）" if lang == "ja" else " ({})"
    yield mark + _in(boards.regime_of(deadline), lang)
    yield indent + _word("due", lang).format(due(deadline, lang)) + brackets.format(left)
    authority = boards.extended_by(deadline)
    if deadline.extended_to and authority:
        words = {"authority": _in(authority, lang), "day": day(deadline.extended_to, lang)}
        yield indent + _word("extended", lang).format(**words)


def due(deadline: Deadline, lang: str) -> str:
    """When a deadline runs out, in Japan's time: a moment, or the end of a day."""
    assert deadline.runs_out_at is not None
    last = deadline.runs_out_at.astimezone(JST)
    if deadline.due_date is None:
        return moment(last, lang)
    return _word("end-of-day", lang).format(day(last.date(), lang))


def moment(at: datetime, lang: str) -> str:
    """`2026年12月26日（土）12:00`, `Sat 26 Dec 2026, 12:00 JST`."""
    local = at.astimezone(JST)
    return day(local.date(), lang) + (f"{local:%H:%M}" if lang == "ja" else f", {local:%H:%M} JST")


def day(on: date, lang: str) -> str:
    """`2026年12月26日（土）`, `Sat 26 Dec 2026`."""
    weekday, month = _LETTERS["weekdays"][lang][on.weekday()], _LETTERS["months"][lang][on.month - 1]
    return f"{on.year}年{month}{on.day}日（{weekday}）" if lang == "ja" else f"{weekday} {on.day} {month} {on.year}"


def _word(name: str, lang: str) -> str:
    return str(_LETTERS["words"][name][lang])


def _in(words: Text, lang: str) -> str:
    said: Any = getattr(words, lang)
    return str(said)
