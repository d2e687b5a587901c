"""Indicators made harmless for display, and text with harmless ones read back as it acts."""

from __future__ import annotations

import re
from collections.abc import Iterator
from heapq import merge

from exchange.extraction_text import ALNUM, WORDS, Change, Live, changed, is_alnum, spelled_plainly

_OPEN, _CLOSE = r"\[({<【〔「『", r"[\])}>】〕」』]"
_DOT, _AT = r"(?i:dot)|ドット|ト\u3099ット", "(?i:at)|アットマーク|アット"
# The first character is of one class, so that the engine passes over all others at once.
_DEFANGED = re.compile(
    rf"[{_OPEN}\]\\ドトア&](?:(?<=[{_OPEN}])(?=[ \t.。:/\\@dDドトaAアhHfFsS{_OPEN}])(?:"
    rf"(?P<dot>[{_OPEN}]?[ \t]?(?:\\?[.。]|{_DOT})[ \t]?{_CLOSE}{{1,2}})|(?P<at>[ \t]?(?:@|{_AT})[ \t]?{_CLOSE})"
    r"|(?P<authority>:?//[\])}]|:/[\])}]/)|(?P<colon>:[\])}])|(?P<slash>/[\])}])|(?P<colons>(?<=[0-9A-Fa-f].)::[\])}])"
    r"|(?P<scheme>(?i:h[tx*_#]{2}ps?|f[tx]ps?))[\])}](?=:|[\[({]:)|(?<=[pP].)(?P<secure>[sS])[\])](?=:|[\[({]:)"
    r"|(?P<opened>(?<=[0-9A-Za-z]\[)\.(?=[0-9A-Za-z])))"
    r"|(?P<closed>(?<=[0-9A-Za-z]\.\])(?=[0-9A-Za-z]))|(?<=\\)\\?(?P<escaped>[./=_:-])"
    r"|(?P<dot_word>(?<=ド)ット|(?<=ト)\u3099ット)|(?P<at_word>(?<=ア)ット(?:マーク)?)"
    r"|(?P<entity>(?<=&)(?:\#46|\#x2[eE]|period);))"
)
_SPOKEN = re.compile(
    r" (?:(?P<spoken>(?i:dot))|(?P<spaced>\.)|(?P<at_spoken>AT(?= [0-9A-Za-z-]{1,63}+ DOT )))(?= [0-9A-Za-z])"
)
_PLAIN = {
    "dot": ".", "at": "@", "authority": "://", "colon": ":", "colons": "::", "slash": "/", "opened": ".", "closed": "",
    "dot_word": ".", "at_word": "@", "entity": ".", "spoken": ".", "spaced": ".", "at_spoken": "@",
}  # fmt: skip
_ARTICLES = frozenset({"the", "a", "an", "this", "that", "of", "and", "or", "every", "each", "some", "any", "no"})
_LABEL = re.compile(r"([0-9A-Za-z-]{1,63}+)(?P<more> dot | \.)?", re.IGNORECASE)
_SOFT_BREAK = re.compile("=\r?\n")
_QUOTED = re.compile("=(?:\r?\n|([0-9A-F]{2}))")
_STOPS = re.compile(r"(?<![0-9A-Za-z.。-])[0-9A-Za-z.-]*+。[0-9A-Za-z.。-]*+")
_URL = re.compile(r"([a-z0-9+.-]+)://([^/?#]*)(.*)", re.IGNORECASE | re.DOTALL)
_LIVE_DOT = re.compile(r"(?<!\[)\.(?!\])")
_LIVE_COLON = re.compile(r"(?<!\[):(?!\])")


def refang(text: str) -> Live:
    """Plainly spelled, without what mail leaves in it, every bracketed, escaped or spoken dot, at and colon made plain.

    Scheme words (hxxp) stay as they are: they mean something only at the start of a URL.
    """
    live = _unquoted(spelled_plainly(text))
    return _with_dots(changed(live, _changes(live.text)))


def _unquoted(live: Live) -> Live:
    """Without the soft line breaks and escapes of quoted-printable, if the text has both."""
    if _SOFT_BREAK.search(live.text) is None or "=3D" not in live.text:
        return live
    return changed(live, ((one.start(), one.end(), _octet(one[1])) for one in _QUOTED.finditer(live.text)))


def _octet(digits: str | None) -> str:
    """What is no ASCII is a part of some other letter, and separates as that would."""
    if digits is None:
        return ""
    return chr(int(digits, 16)) if digits < "80" else " "


def _changes(text: str) -> Iterator[Change]:
    done = 0
    spoken = _SPOKEN.finditer(text) if " . " in text or " dot " in text.lower() else ()
    for match in merge(_DEFANGED.finditer(text), spoken, key=lambda match: match.start()):
        change = _change(match, text)
        if change and change[0] >= done:
            yield change
            done = change[1]


def _change(match: re.Match[str], text: str) -> Change | None:
    kind, (start, end) = match.lastgroup or "", match.span()
    if kind == "escaped":
        return _unescaped(match, text)
    if kind == "authority" and text[start - 1 : start] == ":":
        start -= 1
    if kind == "dot" and text[start - 1 : start] == "." and is_alnum(text, start - 2):
        start -= 1
    if kind in {"dot", "at", "dot_word", "at_word", "spoken", "spaced", "at_spoken"}:
        start, end = _with_blanks(text, start, end)
    if kind in {"dot_word", "at_word"} and not (is_alnum(text, start - 1) and is_alnum(text, end)):
        return None
    if kind in {"spoken", "spaced"} and not _is_a_name_being_spelled(text, start, end):
        return None
    return start, end, _PLAIN.get(kind, match[kind] if kind in {"scheme", "secure"} else "")


def _with_blanks(text: str, start: int, end: int) -> tuple[int, int]:
    """With a blank on either side, where a letter or digit stands beyond it."""
    if text[start - 1 : start] in {" ", "\t"} and is_alnum(text, start - 2):
        start -= 1
    if text[end : end + 1] in {" ", "\t"} and is_alnum(text, end + 1):
        end += 1
    return start, end


def _unescaped(match: re.Match[str], text: str) -> Change | None:
    start, end, char = match.start(), match.end(), match["escaped"]
    between = is_alnum(text, start - 1) and (is_alnum(text, end) or text.startswith(("//", "\\"), end))
    if char != "/" and (not between or _is_in_windows_path(text, start)):
        return None
    return start, end, char


def _is_in_windows_path(text: str, at: int) -> bool:
    return text[max(0, at - 64) : at].rstrip(ALNUM + "_ -").endswith("\\")


def _is_a_name_being_spelled(text: str, start: int, end: int) -> bool:
    r"""Of «evil-1 dot com» and «the dot com boom», the first; of «203 . 0 . 113 . 5» and «end . Next», too."""
    before, label = text[max(0, start - 64) : start].rsplit(None, 1), _LABEL.match(text, end)
    if not is_alnum(text, start - 1) or label is None:
        return False
    word, following = before[-1].lower(), label[1].lower()
    if word.isdigit() or following.isdigit():
        return word.isdigit() and following.isdigit()
    is_odd = not word.isalpha() or label["more"] is not None
    return word not in _ARTICLES and (is_odd or following in WORDS["ordinary_endings"])


def _with_dots(live: Live) -> Live:
    if "。" not in live.text:
        return live
    return changed(live, ((one.start(), one.end(), _dots_in_a_name(one[0])) for one in _STOPS.finditer(live.text)))


def _dots_in_a_name(run: str) -> str:
    """A 。 is a dot only where no other dot is, and where the whole then reads as an address or a name."""
    stops = run.strip("。")
    as_name = stops.replace("。", ".")
    ending = as_name.rpartition(".")[2]
    is_name = 2 <= len(ending) <= 24 and ending.isalpha()
    is_address = not as_name.strip("0123456789.")
    return run.replace(stops, as_name) if stops and "." not in stops and (is_name or is_address) else run


def defang(value: str, type: str) -> str:  # noqa: A002 -- the word of STIX.
    """A value as people may see it, so that nobody and nothing follows it; a second time changes nothing.

    Dots of a host only, never of a path or of the local part of an address; hashes and CVEs stay.
    """
    if type == "url":
        return _defanged_url(value)
    if type == "email-addr":
        local, _, domain = value.replace("[@]", "@").rpartition("@")
        return f"{local}[@]{_LIVE_DOT.sub('[.]', domain)}"
    if type in {"ipv6-addr", "ipv6-cidr"}:
        value = _LIVE_COLON.sub("[:]", value)
    return _LIVE_DOT.sub("[.]", value) if type in _HOSTS else value


_HOSTS = frozenset({"ipv4-addr", "ipv6-addr", "ipv4-cidr", "ipv6-cidr", "domain-name", "onion-address"})


def _defanged_url(url: str) -> str:
    parts = _URL.fullmatch(url)
    if parts is None:
        return _LIVE_DOT.sub("[.]", url)
    scheme, authority, tail = parts.groups()
    user, at, host = authority.rpartition("@")
    scheme = scheme.replace("tt", "xx").replace("ftp", "fxp")
    return f"{scheme}://{user}{at}{_LIVE_DOT.sub('[.]', host)}{tail}"
