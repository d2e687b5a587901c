"""The proof of a filing: what was received here and when, a check value of each version, and who has it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from sqlalchemy.orm import Session

from exchange import accounts, incidents, receipts, sectors
from exchange.documents import Marks, Row, Section, View
from exchange.documents.values import moment, same
from exchange.inbox import Copy
from exchange.models import Case, ReportVersion
from exchange.receipts import Receipt
from exchange.sectors import Text, text
from exchange.sharing import TLP
from exchange.tables import table


def of_case(db: Session, case: Case, *, now: datetime) -> tuple[View, Marks]:
    """The proof, and the marks of a page that carries it; for the reporter of the case."""
    words, last = table("proof"), incidents.latest(case)
    named = accounts.profile_of(db, case.organization)
    report = (
        _row("ref", same(case.ref)),
        _row("organisation", Text(named["name_ja"], named["name_en"])),
        _row("opened", moment(case.opened_at)),
        _row("made", moment(now)),
    )
    versions = tuple(Row(_name(one), tuple(_version(one))) for one in case.versions)
    recipients = tuple(_recipient(last, one) for one in receipts.of_case(db, case))
    parts = {"report": report, "versions": versions, "recipients": recipients}
    sections = tuple(Section(text(words["sections"][name]), rows) for name, rows in parts.items())
    marks = Marks(TLP(last.decision["tlp_victim"]), case.exercise, case.doubt, case.ref, _name(last), last.received_at)
    return View(text(words["title"]), text(words["note"]), sections), marks


def _row(label: str, value: Text) -> Row:
    return Row(text(table("proof")["labels"][label]), (value,))


def _word(name: str, **values: Text | str | int) -> Text:
    entry = table("proof")["words"][name]
    ja, en = ({key: getattr(one, lang, one) for key, one in values.items()} for lang in ("ja", "en"))
    return Text(entry["ja"].format_map(ja), entry["en"].format_map(en))


def _name(version: ReportVersion) -> Text:
    return _word("version", seq=version.seq, stage=text(table("documents")["stages"][version.stage]))


def _version(version: ReportVersion) -> Iterator[Text]:
    yield _word("received", at=moment(version.received_at))
    yield _word("hash", hash=version.fingerprint)


def _recipient(last: ReportVersion, receipt: Receipt) -> Row:
    return Row(sectors.authority(receipt.recipient, last.received_at).name, tuple(_became(receipt)))


def _became(receipt: Receipt) -> Iterator[Text]:
    sent = receipt.sent
    yield _word("law", law=text(sent.row["law"]))
    yield _word("delivered", version=_name(sent.version), at=moment(sent.version.received_at))
    if receipt.received is not None:
        yield from _confirmed(receipt.received)
    else:
        yield _word("not-confirmed")


def _confirmed(copy: Copy) -> Iterator[Text]:
    assert copy.delivery.received_at is not None
    yield _word("confirmed", version=_name(copy.version), at=moment(copy.delivery.received_at))
    if copy.delivery.reference:
        yield _word("reference", reference=same(copy.delivery.reference))
