"""Indicators made harmless for display, and read back: live text with a map to where it was typed."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

_OPEN, _CLOSE = r"[ \t]?[\[({<【〔]", r"[\])}>】〕][ \t]?"
_OPEN_TWICE, _CLOSE_TWICE = r"[ \t]?[\[({<【〔]{1,2}", r"[\])}>】〕]{1,2}[ \t]?"
_DOT, _AT = "(?:dot|ドット|ト\u3099ット)", "(?:at|アットマーク|アット)"
_AFTER, _BEFORE = "(?<=[0-9A-Za-z])", "(?=[0-9A-Za-z])"
_DEFANGED = re.compile(
    rf"(?P<dot>{_OPEN_TWICE}[ \t]?(?:\\?[.。]|{_DOT})[ \t]?{_CLOSE_TWICE}"
    rf"|{_AFTER}(?:\[\.|\.\]|\\\.|[ \t]?ドット[ \t]?){_BEFORE})"
    rf"|(?P<spoken>{_AFTER} dot {_BEFORE})"
    rf"|(?P<at>{_OPEN}[ \t]?(?:@|{_AT})[ \t]?{_CLOSE}|{_AFTER}[ \t]?アット(?:マーク)?[ \t]?{_BEFORE})"
    r"|(?P<authority>[\[({]:?//[\])}]|[\[({]:/[\])}]/)|(?P<colon>[\[({]:[\])}])|(?P<slash>[\[({]/[\])}])"
    r"|[\[({](?P<scheme>h[tx*_#]{2}ps?|f[tx]ps?)[\])}](?=:|[\[({]:)|(?<=[pP])[\[(](?P<secure>s)[\])](?=:|[\[({]:)",
    re.IGNORECASE,
)
_PLAIN = {"dot": ".", "at": "@", "authority": "://", "colon": ":", "slash": "/"}
_STOPS = re.compile(r"[0-9A-Za-z.。-]+")
_DASHES = "\u2010\u2011\u2012\u2013\u2014\u2015\u2212"
_URL = re.compile(r"([a-z0-9+.-]+)://([^/?#]*)(.*)", re.IGNORECASE | re.DOTALL)
_LIVE_DOT = re.compile(r"(?<!\[)\.(?!\])")
_LIVE_COLON = re.compile(r"(?<!\[):(?!\])")


@dataclass(frozen=True)
class Live:
    """Text as it acts: for each of its characters, where the typed text it stands for starts and ends."""

    text: str
    starts: Sequence[int]
    ends: Sequence[int]

    def span(self, start: int, end: int) -> tuple[int, int]:
        """Positions in the typed text."""
        return self.starts[start], self.ends[end - 1]

    def was_defanged(self, start: int, end: int) -> bool:
        return any(self.ends[at] - self.starts[at] > 1 for at in range(start, end))


def refang(text: str) -> Live:
    """NFKC without what cannot be seen, every bracketed or spoken dot, at and colon made plain.

    Scheme words (hxxp) stay as they are: they mean something only at the start of a URL.
    """
    live = _spelled_plainly(text)
    pieces: list[tuple[str, int, int]] = []
    done = 0
    for match in _DEFANGED.finditer(live.text):
        plain = _meaning(match, live.text)
        if plain is not None:
            pieces += [("", done, match.start()), (plain, match.start(), match.end())]
            done = match.end()
    return _with_dots(_joined(live, [*pieces, ("", done, len(live.text))]))


def _spelled_plainly(text: str) -> Live:
    plain = [_plain(char) for char in text]
    places = [at for at, spelled in enumerate(plain) for _ in spelled]
    return Live("".join(plain), places, [at + 1 for at in places])


@lru_cache(maxsize=8192)
def _plain(char: str) -> str:
    """Circled digits and footnote marks become a space, lest they grow onto the address beside them."""
    kind = unicodedata.category(char)
    if kind == "Cf" or "\ufe00" <= char <= "\ufe0f":
        return ""
    if kind == "No":
        return " "
    return "-" if char in _DASHES else unicodedata.normalize("NFKC", char)


def _meaning(match: re.Match[str], text: str) -> str | None:
    kind = match.lastgroup or ""
    if kind == "spoken":
        return "." if _is_a_name_being_spelled(text[max(0, match.start() - 64) : match.start()]) else None
    return _PLAIN.get(kind) or match[kind]


def _is_a_name_being_spelled(before: str) -> bool:
    """Of «evil-1 dot com» and «the dot com boom», the first."""
    return re.search(r"[-0-9]", before.rsplit(None, 1)[-1]) is not None


def _joined(live: Live, pieces: list[tuple[str, int, int]]) -> Live:
    """Each piece is (its new text, or nothing to keep it, start, end)."""
    text: list[str] = []
    starts: list[int] = []
    ends: list[int] = []
    for plain, start, end in pieces:
        if plain:
            first, last = live.span(start, end)
            starts += [first] * len(plain)
            ends += [last] * len(plain)
        else:
            starts += live.starts[start:end]
            ends += live.ends[start:end]
        text.append(plain or live.text[start:end])
    return Live("".join(text), starts, ends)


def _with_dots(live: Live) -> Live:
    return Live(_STOPS.sub(_dots_in_a_name, live.text), live.starts, live.ends)


def _dots_in_a_name(run: re.Match[str]) -> str:
    """A 。 is a dot only where no other dot is, and where the whole then reads as an address or a name."""
    stops = run[0].strip("。")
    as_name = stops.replace("。", ".")
    is_name = "." not in stops and re.fullmatch(r"[0-9.]+|[0-9A-Za-z.-]*\.[A-Za-z]{2,24}", as_name)
    return run[0].replace(stops, as_name) if stops and is_name else run[0]


def defang(value: str, type: str) -> str:  # noqa: A002 -- the word of STIX.
    """A value as people may see it, so that nobody and nothing follows it; a second time changes nothing.

    Dots of a host only, never of a path or of the local part of an address; hashes and CVEs stay.
    """
    if type == "url":
        return _defanged_url(value)
    if type == "email-addr":
        local, _, domain = value.replace("[@]", "@").rpartition("@")
        return f"{local}[@]{_LIVE_DOT.sub('[.]', domain)}"
    if type == "ipv6-addr":
        value = _LIVE_COLON.sub("[:]", value)
    return _LIVE_DOT.sub("[.]", value) if type in {"ipv4-addr", "ipv6-addr", "domain-name"} else value


def _defanged_url(url: str) -> str:
    parts = _URL.fullmatch(url)
    if parts is None:
        return _LIVE_DOT.sub("[.]", url)
    scheme, authority, tail = parts.groups()
    user, at, host = authority.rpartition("@")
    scheme = scheme.replace("tt", "xx").replace("ftp", "fxp")
    return f"{scheme}://{user}{at}{_LIVE_DOT.sub('[.]', host)}{tail}"
