"""Indicators in pasted text, English or Japanese, live or defanged.

Every pattern is a run of one class of characters or bounded, so that hostile text costs linear time.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources import files
from itertools import islice
from typing import NamedTuple

from exchange.defanging import Live, defang, refang
from exchange.indicator_values import Kind, hash_kind, host_text, ipv4, ipv6, live_scheme, public_name

__all__ = ["Found", "defang", "extract"]

LONGEST = 2048
_WORDS = json.loads(files("exchange").joinpath("data/extraction.json").read_text(encoding="utf-8"))


def _any_of(words: str) -> str:
    return "|".join(map(re.escape, _WORDS[words]))


_CJK = "\u3005\u3007\u3041-\u3096\u30a1-\u30fa\u30fc-\u30fe\u3400-\u4dbf\u4e00-\u9fff"
_LETTERS = "A-Za-z\u00c0-\u024f\u0370-\u052f\u1e00-\u1fff"
_SCHEME = (
    r"h[tx*_#]{2}ps?|meows?|ttps?|s?f[tx]ps?|tftp|ssh|tcp|udp|wss?|ldaps?|rmi|smb|telnet|dns|rtsp|ircs?"
    r"|socks[45]?|mqtts?|git"
)
_URL = re.compile(
    rf"(?<![A-Za-z0-9])(?P<scheme>{_SCHEME}):[/\\]{{2}}"
    rf"(?P<rest>[{_LETTERS}{_CJK}0-9!#$%&()*+,./:;=?@\[\]_~-]{{1,{LONGEST}}})",
    re.IGNORECASE,
)
_URL_STOP = re.compile(
    r"&(?:quot|apos|gt|lt|nbsp|#39|#34);"
    r"|[,;](?=[a-z*#]{3,6}:|[0-9a-f]{32}|CVE-|\d{4}-\d\d-\d\d|(?:\d{1,3}\.){3}\d"
    r"|(?:[a-z0-9-]{1,63}\.){1,4}[a-z]{2,24}(?:[,;]|$))",
    re.IGNORECASE,
)
_CVE = re.compile(r"(?<![A-Za-z0-9])CVE[-_ ー]{1,2}((?:19|20)\d\d)[-_ー](\d{4,10})(?![0-9])", re.IGNORECASE)
_NATIVE = re.compile(
    rf"(?<![\w.@-])(?:[a-z0-9-]{{1,63}}\.){{0,3}}(?P<label>[{_CJK}]{{1,20}})(?:\.[a-z0-9-]{{1,63}}){{0,2}}"
    r"\.(?P<tld>[a-z]{2,24})(?![A-Za-z0-9-])"
)
_PARTICLES = "のはがをにへとでもや"
_TOKEN = re.compile(rf"[{_LETTERS}0-9._@:/%+\\~-]+")
_EMAIL = re.compile(rf"([A-Za-z0-9._%+-]{{1,64}})@([{_LETTERS}0-9.-]{{1,253}})")
_VERSION_BEFORE = re.compile(
    rf"(?<![A-Za-z])(?:{_any_of('version_words')})[\s.:=/#「『(\"']{{0,3}}"
    r"(?:番号|number|は|が|の|を|is|of)?[\s:.]{0,2}$",
    re.IGNORECASE,
)
_VERSION_AFTER = re.compile(
    r"[ \t]?(?:(?:より前|以前|以降|未満|以下)の|より(?:古|新し)い|の?(?:版|系|バージョン|ファーム)"
    r"|(?:に|へ)の?(?:更新|アップ|バージョン)|(?:and|or) (?:earlier|later|below|prior|newer|older)\b)",
    re.IGNORECASE,
)
_VERSION_CHAIN = re.compile(
    r"[\s,、/・~〜-]{0,3}(?:and|or|to|through|から|と|または|又は|および|及び|ならびに)?[\s,、]{0,2}",
    re.IGNORECASE,
)
_NAMED_BEFORE = re.compile(rf"(?:{_any_of('name_words')})名?[\s:「『(\"'はが]{{0,3}}$", re.IGNORECASE)


@dataclass(frozen=True)
class Found:
    """An indicator: its normal form, and where in the text it was written (`end` is one past)."""

    type: str
    value: str
    start: int
    end: int


class _Hit(NamedTuple):
    """A stretch of live text that was understood; without a type it was understood to be none of ours."""

    start: int
    end: int
    type: Kind | None = None
    value: str = ""


def extract(text: str, *, documentation_is_real: bool = False) -> list[Found]:
    """Every indicator once, in the order of its first appearance.

    Args:
        documentation_is_real: whether `.example` names count, as they do in a demo or an exercise.
    Returns:
        Values refanged and normalised: IPv6 by RFC 5952, names lower-case A-labels, of a URL only the scheme
        and host lower-case, of an address only the domain, hashes lower-case, CVE ids upper-case.
        A CIDR range is not reported unless it holds one address.
    """
    live = refang(text)
    found: dict[tuple[str, str], Found] = {}
    for hit in sorted(_Reader(live, documentation_is_real).hits()):
        if hit.type:
            one = Found(hit.type, hit.value, *live.span(hit.start, hit.end))
            found.setdefault((hit.type, hit.value), one)
    return list(found.values())


def _url_length(rest: str) -> int:
    """Up to a closing bracket never opened, the sign of a next value, or Japanese in the path."""
    stop = _URL_STOP.search(rest)
    end = stop.start() if stop else len(rest)
    path = re.search(r"[/?#]", rest[:end])
    native = re.search(f"[{_CJK}]", rest[path.start() : end]) if path else None
    end = path.start() + native.start() if path and native else end
    opened: list[str] = []
    for at, char in enumerate(rest[:end]):
        if char in "([":
            opened.append(char)
        elif char in ")]" and not (opened and opened.pop() + char in {"()", "[]"}):
            end = at
            break
    return len(rest[:end].rstrip(".,;:!?*(["))


def _after_labels(token: str) -> list[int]:
    """The beginning, and what follows the first colons: an address may have words such as «C2:» before it."""
    return [0, *(colon.end() for colon in islice(re.finditer("[0-9A-Za-z]:(?!:)", token), 3))]


def _native_authority(authority: str, real: bool) -> str:
    """Where Japanese follows the host it is the sentence going on; where it comes first it is the host."""
    ascii_part = re.match(f"[^{_CJK}]*", authority)
    before = ascii_part[0].rstrip(".,:") if ascii_part else ""
    if before == authority or host_text(before, real):
        return before
    named = re.match(r"[\w.-]*\.[A-Za-z]{2,24}(?::\d{1,5})?", authority)
    return named[0] if named else before


class _Reader:
    """Reads one text: URLs first, and what they cover is not read again; then ids, names and the rest."""

    def __init__(self, live: Live, real: bool) -> None:
        self.live, self.text, self.real = live, live.text, real
        self.version_end = -99  # Where the last version number ended, for a list of them.

    def hits(self) -> Iterator[_Hit]:
        for find in (self._urls, self._vulnerabilities, self._native_names, self._tokens):
            hits = list(find())
            yield from hits
            self._cover(hits)

    def _cover(self, hits: list[_Hit]) -> None:
        pieces, done = [], 0
        for hit in hits:
            pieces += [self.text[done : hit.start], "\0" * (hit.end - hit.start)]
            done = hit.end
        self.text = "".join([*pieces, self.text[done:]])

    def _urls(self) -> Iterator[_Hit]:
        at = 0
        while match := _URL.search(self.text, at):
            rest = match["rest"]
            rest = rest[: _url_length(rest)]
            authority = re.split(r"[/?#]", rest, maxsplit=1)[0]
            whole = _native_authority(authority, self.real)
            rest = rest if whole == authority else whole
            at = match.start("rest") + max(1, len(rest))
            yield self._url(match, rest, whole, at)

    def _url(self, match: re.Match[str], rest: str, authority: str, end: int) -> _Hit:
        host = host_text(authority, self.real)
        if host is None or end - match.start() >= LONGEST:
            return _Hit(match.start(), end)
        user = authority.rpartition("@")[0]
        value = f"{live_scheme(match['scheme'])}://{user + '@' if user else ''}{host}{rest[len(authority) :]}"
        return _Hit(match.start(), end, "url", value)

    def _vulnerabilities(self) -> Iterator[_Hit]:
        for match in _CVE.finditer(self.text):
            yield _Hit(*match.span(), "vulnerability", f"CVE-{match[1]}-{match[2]}")

    def _native_names(self) -> Iterator[_Hit]:
        """A wholly Japanese label that stands alone; one that ends in a particle is a sentence."""
        for match in _NATIVE.finditer(self.text):
            name = public_name(match[0], self.real)
            is_sentence = match["label"].endswith(tuple(_PARTICLES))
            if name and not is_sentence and match["tld"] not in _WORDS["file_extensions"]:
                yield _Hit(*match.span(), "domain-name", name)

    def _tokens(self) -> Iterator[_Hit]:
        for match in _TOKEN.finditer(self.text):
            if len(match[0]) <= LONGEST:
                yield from self._token(match.start(), match[0])

    def _token(self, at: int, token: str) -> Iterator[_Hit]:
        if "@" in token.lstrip("@"):
            yield from self._addresses(at, token)
        elif "\\" in token:
            yield from self._share(at, token)
        elif "/" in token.strip("/"):
            yield from self._slashed(at, token)
        elif not token.startswith(("/", "~/")):
            yield from self._colons(at, token.rstrip("/"), is_path=token.endswith("/"))

    def _addresses(self, at: int, token: str) -> Iterator[_Hit]:
        for match in _EMAIL.finditer(token):
            local = match[1].lstrip(".-+%")
            start, end = at + match.end(1) - len(local), at + match.start(2) + len(match[2].rstrip(".-"))
            name = public_name(match[2].rstrip(".-"), self.real)
            if name and local:
                yield _Hit(start, end, "email-addr", f"{local}@{name}")
            elif address := ipv4(match[2].rstrip(".-")):
                yield _Hit(at + match.start(2), end, "ipv4-addr", address)

    def _share(self, at: int, token: str) -> Iterator[_Hit]:
        """Of a Windows path only the address of the machine, if it has one."""
        host = token[2:].partition("\\")[0]
        if token.startswith("\\\\") and ipv4(host):
            yield _Hit(at + 2, at + 2 + len(host), "ipv4-addr", host)

    def _slashed(self, at: int, token: str) -> Iterator[_Hit]:
        """An address with its prefix length, a list of addresses, or a name and a path."""
        head, _, tail = token.partition("/")
        if tail.isdigit() and (ipv4(head) or ipv6(head)):
            whole = tail == ("32" if ipv4(head) else "128")
            yield from self._colons(at, head, is_path=True) if whole else ()
        elif all(ipv4(part) for part in token.split("/")):
            for match in re.finditer("[^/]+", token):
                yield from self._plain(at + match.start(), match[0], evident=True)
        elif head.strip(".~"):
            yield from self._colons(at, head, is_path=True)

    def _colons(self, at: int, token: str, *, is_path: bool) -> Iterator[_Hit]:
        """An IPv6 address, perhaps after a label; or parts such as label, host and port."""
        for start in _after_labels(token):
            rest = token[start:]
            rest = rest if rest.endswith("::") else rest.rstrip(":.-+")
            if address := ipv6(rest):
                yield _Hit(at + start, at + start + len(rest), "ipv6-addr", address)
                return
        for match in re.finditer("[^:]+", token):
            has_port = re.match(r":\d{1,5}(?![\d.])", token[match.end() :]) is not None
            yield from self._plain(at + match.start(), match[0], evident=has_port or is_path)

    def _plain(self, at: int, token: str, *, evident: bool) -> Iterator[_Hit]:
        """A hash, an IPv4 address or two ends of a range, or a name; `evident` if a port or path followed."""
        at += len(token) - len(token.lstrip("._-+%~@"))
        token = token.strip("._-+%~@")
        end = at + len(token)
        evident = evident or self.live.was_defanged(at, end)
        low, dash, high = token.replace("~", "-").partition("-")
        if kind := hash_kind(token):
            yield _Hit(at, end, kind, token.lower())
        elif ipv4(token):
            yield _Hit(at, end, None if self._is_version(at, end, evident) else "ipv4-addr", token)
        elif dash and ipv4(low) and ipv4(high):
            yield _Hit(at, at + len(low), "ipv4-addr", low)
            yield _Hit(end - len(high), end, "ipv4-addr", high)
        elif "." in token and (evident or not self._is_file_or_code(token, at, end)):
            name = public_name(token, self.real)
            yield from [_Hit(at, end, "domain-name", name)] if name else []

    def _is_version(self, start: int, end: int, evident: bool) -> bool:
        gap = self.text[self.version_end : start] if 0 <= start - self.version_end <= 16 else ""
        found = not evident and (
            _VERSION_BEFORE.search(self.text[max(0, start - 32) : start]) is not None
            or _VERSION_AFTER.match(self.text, end) is not None
            or (gap != "" and _VERSION_CHAIN.fullmatch(gap) is not None)
        )
        self.version_end = end if found else self.version_end
        return found

    def _is_file_or_code(self, token: str, start: int, end: int) -> bool:
        labels = token.lower().split(".")
        if _NAMED_BEFORE.search(self.text[max(0, start - 24) : start]) or labels[0] == "www":
            return False
        ordinary = labels[-1] in _WORDS["ordinary_endings"]
        return (
            labels[-1] in _WORDS["file_extensions"]
            or token.lower() in _WORDS["product_names"]
            or (not token.isupper() and not token.rpartition(".")[2].islower())
            or (labels[0] in _WORDS["code_objects"] and not ordinary)
            or (labels[0] in _WORDS["package_roots"] and len(labels) > 2 and not ordinary)
            or re.match(r"\((?:\)|[\"'])", self.text[end : end + 2]) is not None
        )
