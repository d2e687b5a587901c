"""Texts as they come from Japanese machines, and mails, of which only the header and the text are read."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator, Sequence
from email import message_from_bytes
from email.errors import HeaderParseError
from email.header import decode_header
from email.message import Message
from encodings import normalize_encoding
from encodings.aliases import aliases
from html import unescape
from typing import Any

_BOMS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
_CHARSETS = ("utf-8", "cp932")
# What mails are written in. Python knows many more, and takes hours over a few of them.
_CHARSETS_OF_MAILS = frozenset(
    (
        *("utf_8", "ascii", "iso2022_jp", "shift_jis", "cp932", "euc_jp", "latin_1", "cp1252", "utf_16"),
        *("gb18030", "gb2312", "gbk", "big5", "euc_kr"),
    )
)
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0e-\x1f\x7f-\x9f]")
_HEADER = re.compile(r"[!-9;-~]{1,76}:")
_KNOWN = re.compile(
    r"^(?:from|to|cc|subject|date|received|message-id|mime-version|return-path|content-type|x-mailer|delivered-to):",
    re.IGNORECASE | re.MULTILINE,
)
_TAG = re.compile(r"<[^<>]*>")
_LINK = re.compile(r"""\b(?:href|src|action)\s{0,8}=\s{0,8}["']?([^"'\s<>]{1,2048})""", re.IGNORECASE)
_HEAD_CHARACTERS = 65_536
_MOST_BOUNDARIES, _MOST_NESTED, _MOST_PARTS, _MOST_LINES = 50, 20, 200, 300_000
_MOST_FIELDS, _LONGEST_FIELD = 500, 16_000


def decoded(body: bytes) -> str | None:
    """The text, in UTF-8, UTF-16 with its mark, or CP932; None if it is none: too much of it could not be shown."""
    charsets = [charset for bom, charset in _BOMS if body.startswith(bom)] or _CHARSETS
    for charset in charsets:
        try:
            text = body.decode(charset)
        except UnicodeDecodeError:
            continue
        return text if _is_readable(text) else None
    return None


def _is_readable(text: str) -> bool:
    """Terminals leave a few control characters in what they log, but no NUL."""
    return "\0" not in text and len(_CONTROL.findall(text)) <= len(text) // 20


def shown(text: str) -> str:
    """With a mark in place of each control character, and the line ends of Unix."""
    return _CONTROL.sub("\ufffd", text.replace("\r\n", "\n").replace("\r", "\n"))


# --- mail -----------------------------------------------------------------------------------------------


class _Mail(Message):
    """A mail, and each part of one: its parameters too are read in the charsets of mails alone."""

    def get_param(self, param: str, failobj: Any = None, header: str = "content-type", unquote: bool = True) -> Any:
        """As text; none of a field that is too long to be taken apart."""
        if len(str(self.get(header, ""))) > _LONGEST_FIELD:
            return failobj
        found = super().get_param(param, failobj, header, unquote)
        if not isinstance(found, tuple):
            return found
        charset, _, raw = found
        return _words(raw.encode("raw-unicode-escape"), charset)


def is_mail(text: str) -> bool:
    """Whether it begins as mails do: a header of known fields, then a blank line or nothing."""
    start = text[:_HEAD_CHARACTERS]
    start = start if start == text else start.rpartition("\n")[0]  # Not the half of a line.
    head = re.split(r"\r?\n\r?\n", start, maxsplit=1)[0]
    lines = head.splitlines()[1 if head.startswith("From ") else 0 :]
    named = [line for line in lines if line[:1] not in {" ", "\t"}]
    return bool(named) and all(map(_HEADER.match, named)) and len(_KNOWN.findall(head)) >= 2


def mail(body: bytes) -> str | None:
    """The header and the texts of a mail; what is attached is named and never opened. None if it is too involved."""
    folded = body.lower()
    if folded.count(b"boundary=") > _MOST_BOUNDARIES or folded.count(b"message/") > _MOST_NESTED:
        return None
    if body.count(b"\n") + body.count(b"\r") > _MOST_LINES * (2 if b"\r\n" in body else 1):
        return None
    found = message_from_bytes(body, _class=_Mail)
    parts = list(found.walk())
    if len(parts) > _MOST_PARTS or not all(map(_is_simple, parts)):
        return None
    header = "\n".join(f"{name}: {_header(str(value))}" for name, value in found.items())
    return shown("\n\n".join([header, *_texts(parts)]))


def _is_simple(part: Message) -> bool:
    """Whether its header can be read at once: what takes a field apart takes the square of its length."""
    return len(part) <= _MOST_FIELDS and all(len(str(value)) <= _LONGEST_FIELD for value in part.values())


def _header(value: str) -> str:
    """A field in words: `=?utf-8?B?…?=` read, and the folds taken out."""
    try:
        pieces = decode_header(" ".join(value.split()))
    except (HeaderParseError, ValueError):
        return value
    return "".join(one if isinstance(one, str) else _words(one, charset) for one, charset in pieces)


def _words(raw: bytes, charset: str | None) -> str:
    for wanted in (_codec(charset or ""), *_CHARSETS):
        try:
            return raw.decode(wanted)
        except UnicodeDecodeError:
            continue
    return raw.decode("latin-1")


def _codec(charset: str) -> str:
    """The codec of a charset of mails; UTF-8 for any other. No codec is looked up by a name that somebody sent."""
    name = normalize_encoding(charset.lower())
    name = aliases.get(name, name)
    return name if name in _CHARSETS_OF_MAILS else "utf-8"


def _texts(parts: Sequence[Message]) -> Iterator[str]:
    for part in parts:
        kind, name = part.get_content_type(), part.get_filename()
        if part.is_multipart():
            continue
        if name is None and kind in {"text/plain", "text/html"}:
            raw = part.get_payload(decode=True)
            text = _words(raw if isinstance(raw, bytes) else b"", part.get_content_charset())
            yield text if kind == "text/plain" else _without_tags(text)
        else:
            yield f"[{_header(name or '')} {kind}]"


def _without_tags(page: str) -> str:
    """What a page says, and where its links lead."""
    words = re.sub(r"\n\s*\n+", "\n", unescape(_TAG.sub(" ", page)))
    return "\n".join([words.strip(), *dict.fromkeys(unescape(link) for link in _LINK.findall(page))])
