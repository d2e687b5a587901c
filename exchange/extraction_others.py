"""What else describes an attack: user agents, registry keys, file names, techniques, networks and wallets."""

from __future__ import annotations

import re
from collections.abc import Iterator

from exchange.extraction_page import Hit, Page
from exchange.extraction_text import LETTERS, WORDS
from exchange.extraction_wallets import is_onion, is_wallet
from exchange.indicator_values import OtherKind, ipv4

_QUOTES, _CLOSED = "\"'“「『", "\"'”」』"
_PRODUCT = r"[A-Za-z][A-Za-z0-9._-]{0,40}+/[0-9A-Za-z.+:_-]{1,60}+"
_MORE = rf"(?: ?\([^()\r\n]{{0,250}}+\)| \[[^\]\r\n]{{0,60}}+\]| {_PRODUCT}){{0,16}}+"
_MEDIA = "HTTP|application|audio|font|image|message|model|multipart|text|video"
_AGENT = re.compile(
    rf"[MUu{_QUOTES}](?:(?<=M)(?<![0-9A-Za-z].)ozilla/\d\.\d{_MORE}"
    rf"|(?<=[Uu])ser-[Aa]gent[\"']?+[ \t]*+[:=][ \t]*+[{_QUOTES}]?+(?P<header>{_PRODUCT}{_MORE})"
    rf"|(?<=[{_QUOTES}])(?P<quoted>(?!(?:{_MEDIA})/)[A-Za-z][A-Za-z0-9_-]{{1,40}}+/(?P<version>\d[0-9A-Za-z.+_-]{{0,30}}+)"
    rf"(?P<more>{_MORE}))(?=[{_CLOSED}]))"
)
_KEY = r"[A-Za-z0-9._{}()%$*@#&+~-]"
_KEY_WORDS = rf"{_KEY}{{1,60}}+(?: (?!HK)[A-Z0-9{{(]{_KEY}{{0,60}}+){{0,5}}+"
_REGISTRY = re.compile(
    rf"H(?<![A-Za-z0-9_\\]H)(?P<hive>KEY_[A-Z_]{{4,20}}+|KLM|KCU|KCR|KU|KCC):?+"
    rf"(?P<path>(?:\\{{1,2}}{_KEY_WORDS}(?=\\))*+"
    rf"(?:\\{{1,2}}(?:{_KEY_WORDS}(?=[{_CLOSED})\],;|、。\r\n]|$)|{_KEY}{{1,60}}+))?+)"
)
_HIVES: dict[str, str] = WORDS["registry_hives"]
_ATTACK = re.compile(r"T(?<![A-Za-z0-9._/-].)(?:A0\d{3}|(?:1\d{3}|0[89]\d\d)(?:\.\d{3})?)(?![0-9A-Za-z_-])")
_SYSTEM = re.compile(r"AS(?<![A-Za-z0-9._/-]AS)N?(?P<blank>[ -])?(?P<number>[1-9]\d{0,9})(?![0-9A-Za-z]|[.-]\d)")
_NO_SYSTEMS, _LAST_SYSTEM, _SHORTEST_APART = frozenset(WORDS["no_systems"]), 4294967294, 3
_MAC = re.compile(
    r"[0-9A-Fa-f](?<![0-9A-Za-z_.:-].)[0-9A-Fa-f](?:(?P<mark>[:-])[0-9A-Fa-f]{2}(?:(?P=mark)[0-9A-Fa-f]{2}){4}"
    r"|[0-9A-Fa-f]{2}\.[0-9A-Fa-f]{4}\.[0-9A-Fa-f]{4})(?![0-9A-Za-z_]|[:.-][0-9A-Fa-f])"
)
_WORD = re.compile(r"[0-9A-Za-z](?<![0-9A-Za-z_].)[0-9A-Za-z]{13,108}+(?![0-9A-Za-z_])")
_ONION = re.compile("[a-z2-7]{56}")
_EXTENSION = re.compile(r"\.(?P<extension>[0-9A-Za-z]{2,8}+)(?![0-9A-Za-z_%/\\]|\.[0-9A-Za-z])")
_EXTENSIONS, _PRODUCTS = frozenset(WORDS["named_extensions"]), frozenset(WORDS["product_names"])
_NAME_REVERSED = re.compile(
    rf"[{LETTERS}0-9_.~%+@$#&-]++|[\u30a1-\u30fa\u30fc-\u30fe\u3400-\u4dbf\u4e00-\u9fff]++[{LETTERS}0-9_.-]*+"
)
_LONGEST_NAME = 100


def user_agents(page: Page) -> Iterator[Hit]:
    """What a program says it is; the numbers inside are versions. A URL inside was read before."""
    for match in _AGENT.finditer(page.text):
        group = next((name for name in ("header", "quoted") if match[name]), 0)
        is_address = match["quoted"] is not None and not match["more"] and ipv4(match["version"]) is not None
        if not is_address:
            start, end = match.span(group)
            yield Hit(start, end, "user-agent", page.live.text[start:end])


def others(page: Page) -> Iterator[Hit]:
    """Of what no other reader understood."""
    for find in (_registry_keys, _hardware, _techniques, _systems, _words, _file_names):
        hits = list(find(page.text))
        yield from hits
        page.cover(hits)


def _registry_keys(text: str) -> Iterator[Hit]:
    """With the whole name of the hive.

    Source: STIX 2.1, section 6.16.
    """
    for match in _REGISTRY.finditer(text):
        path = match["path"].replace("\\\\", "\\").rstrip("\\.,)")
        hive = "H" + match["hive"]
        if path:
            yield Hit(*match.span(), "windows-registry-key", _HIVES.get(hive, hive) + path)


def _hardware(text: str) -> Iterator[Hit]:
    for match in _MAC.finditer(text):
        digits = "".join(char for char in match[0].lower() if char.isalnum())
        if match["mark"] or not digits.isdigit():
            yield Hit(*match.span(), "mac-addr", ":".join(digits[at : at + 2] for at in range(0, 12, 2)))


def _techniques(text: str) -> Iterator[Hit]:
    for match in _ATTACK.finditer(text):
        kind: OtherKind = "x-mitre-tactic" if match[0].startswith("TA") else "attack-pattern"
        yield Hit(*match.span(), kind, match[0])


def _systems(text: str) -> Iterator[Hit]:
    """Numbers of autonomous systems; after a blank only longer ones, as nobody writes «AS 2 hosts» in capitals."""
    for match in _SYSTEM.finditer(text):
        number = match["number"]
        is_short = match["blank"] == " " and len(number) < _SHORTEST_APART
        if int(number) <= _LAST_SYSTEM and number not in _NO_SYSTEMS and not is_short:
            yield Hit(*match.span(), "autonomous-system", f"AS{number}")


def _words(text: str) -> Iterator[Hit]:
    """Wallets and hidden services."""
    for match in _WORD.finditer(text):
        if _ONION.fullmatch(match[0]) and is_onion(match[0]):
            yield Hit(*match.span(), "onion-address", f"{match[0]}.onion")
        elif is_wallet(match[0]):
            yield Hit(*match.span(), "cryptocurrency-wallet", match[0])


def _file_names(text: str) -> Iterator[Hit]:
    """A name with a known extension; in quotes or brackets of its own, all that stands in them."""
    done = 0
    for match in _EXTENSION.finditer(text):
        if match["extension"].lower() in _EXTENSIONS:
            start = _name_start(text, max(done, match.start() - _LONGEST_NAME), match.start(), match.end())
            done = match.end()
            name = text[start:done]
            if start < match.start() and name.lower() not in _PRODUCTS:
                yield Hit(start, done, "file-name", name)


def _name_start(text: str, earliest: int, dot: int, end: int) -> int:
    before, closing = text[earliest:dot], _CLOSED.find(text[end : end + 1]) if end < len(text) else -1
    opening = before.rfind(_QUOTES[closing]) if closing >= 0 else -1
    if opening >= 0 and not set("\\/\0\n") & set(before[opening:]):
        return earliest + opening + 1
    name = _NAME_REVERSED.match(before[::-1])
    return dot - len(name[0].rstrip(".~-+&#%@")) if name else dot
