"""Hashes in a text, also those that a line break cut into pieces."""

from __future__ import annotations

import re
from collections.abc import Iterator

from exchange.extraction_page import Hit, Page
from exchange.extraction_text import WORDS, ends_in, is_alnum
from exchange.indicator_values import HASHES, Kind, hash_kind

_RUN = re.compile("(?<![0-9A-Za-z_])[0-9A-Fa-f]{12,}+(?![0-9A-Za-z_])")
_BREAK, _PIECE = r"[-=]?+[ \t|]*+\r?\n[ \t>|*#]*+", r"([0-9A-Fa-f]{1,128}+)(?![0-9A-Za-z_@/:]|[.-][0-9A-Za-z])"
_CONTINUED = re.compile(_BREAK + _PIECE)
_GOES_ON = re.compile(rf"(?:[ \t]{{1,4}}(?=[0-9A-Fa-f])|{_BREAK}){_PIECE}")
_STUB = re.compile(r"(?<![0-9A-Za-z_.@/:-])([0-9A-Fa-f]{1,11}+)-?+[ \t]*+\r?\n[ \t>|*#]*+$")
_EXTENSION = re.compile(r"\.([0-9A-Za-z]{1,8}+)(?![0-9A-Za-z.])")
_OTHER_WORDS, _EXTENSIONS = tuple(WORDS["other_hex_words"]), frozenset(WORDS["named_extensions"])
_LABELS: dict[Kind, tuple[str, ...]] = {
    "md5": ("md5",),
    "sha1": ("sha1", "sha-1"),
    "sha256": ("sha256", "sha-256", "sha2"),
    "sha512": ("sha512", "sha-512"),
}
_FILLERS = ("値は", "値", "は", "が", "の", "hash", "value", "is", "checksum", "sum")
_GAP = " \t\r\n=:：「『(\"'`*|>[{-)"
_LOOK_BACK, _PIECES, _LM_AND_NT, _WIDE = 48, 8, 32, 20


def hashes(page: Page) -> Iterator[Hit]:
    """By their length; a longer name than a hash's, a session, a commit or a password hash is none."""
    done = 0
    for run in _RUN.finditer(page.text):
        if run.start() >= done:
            hit = _hash(page.text, run.start(), run.end(), done)
            if hit:
                done = hit.end
                yield hit


def _hash(text: str, start: int, end: int, done: int) -> Hit | None:
    before = text[max(done, start - _LOOK_BACK) : start]
    wrapped = _wrapped(text, before, start, end)
    if wrapped:
        return wrapped
    kind = hash_kind(text[start:end])
    if kind is None or not _stands_alone(text, before, start, end):
        return None
    is_other = ends_in(before, _OTHER_WORDS, (), _GAP)
    return Hit(start, end, None if is_other else kind, text[start:end].lower())


def _stands_alone(text: str, before: str, start: int, end: int) -> bool:
    """Not a part of a name, a path, an address or a longer number, but perhaps the name of a file."""
    if before.endswith((".", "@", "%", "\\", "+", "~", "-", "#")) or _is_password_hash(text, start, end):
        return False
    is_short = end - start < 64
    if before.endswith("/") and is_short and not hash_kind(before[-end + start - 1 : -1]):
        return False
    after = text[end : end + 1]
    if after == ".":
        extension = _EXTENSION.match(text, end)
        is_file = extension is not None and extension[1].lower() in _EXTENSIONS and not before.endswith("/")
        return is_file or not is_alnum(text, end + 1)
    return after not in {"-", "@"} or not is_alnum(text, end + 1)


def _is_password_hash(text: str, start: int, end: int) -> bool:
    """Two of 32 joined by a colon are what Windows keeps of a password."""
    if end - start != _LM_AND_NT:
        return False
    ahead, behind = text[end : end + 1 + _LM_AND_NT], text[max(0, start - 1 - _LM_AND_NT) : start]
    return (ahead[:1] == ":" and hash_kind(ahead[1:]) == "md5") or (
        behind[-1:] == ":" and hash_kind(behind[:-1]) == "md5"
    )


def _wrapped(text: str, before: str, start: int, end: int) -> Hit | None:
    """A hash that goes on in the next lines, or whose first few digits stand at the end of the line before."""
    label = _label(before) if _GOES_ON.match(text, end) else None
    if label and (whole := _as_labelled(text, start, end, label)):
        return whole
    if _CONTINUED.match(text, end):
        pieces, last = _pieces(text, start, end, label)
        value = "".join(pieces).lower()
        kind = hash_kind(value) if len(pieces) > 1 else None
        if kind and (label == kind or _is_evidently_one(pieces)):
            return Hit(start, last, kind, value)
    stub = None if end - start in HASHES else _STUB.search(before)
    value = (stub[1] + text[start:end]).lower() if stub else ""
    kind = hash_kind(value)
    return Hit(start - len(before) + stub.start(1), end, kind, value) if stub and kind else None


def _as_labelled(text: str, start: int, end: int, label: Kind) -> Hit | None:
    """Pieces with blanks or line breaks between them, if together they are exactly as long as the label says."""
    pieces = [text[start:end]]
    while len(pieces) < _PIECES and (following := _GOES_ON.match(text, end)):
        pieces.append(following[1])
        end = following.end()
        if hash_kind(value := "".join(pieces).lower()) == label:
            return Hit(start, end, label, value)
    return None


def _pieces(text: str, start: int, end: int, label: Kind | None) -> tuple[list[str], int]:
    """The lines of hexadecimal digits from here: all as long as the one before, but for the first and the last."""
    pieces, size = [text[start:end]], end - start
    while size < 128 and len(pieces) < _PIECES and (label is None or HASHES.get(size) != label):
        following = _CONTINUED.match(text, end)
        if following is None or (len(pieces) > 1 and len(following[1]) > len(pieces[-1])):
            break
        is_last = len(following[1]) < len(pieces[-1])
        pieces.append(following[1])
        end, size = following.end(), size + len(following[1])
        if is_last:
            break
    return pieces, end


def _is_evidently_one(pieces: list[str]) -> bool:
    """Without a label only where no piece is a hash by itself, or the rest is too odd to be a number or a word."""
    first, rest = pieces[0], pieces[-1]
    if hash_kind(first) is None:
        return len(rest) < len(first) or (len(pieces) == 2 and len(rest) >= _WIDE)
    is_odd = len(rest) >= 4 and not rest.isdigit() and not rest.isalpha()
    return len(pieces) == 2 and hash_kind(rest) is None and is_odd


def _label(before: str) -> Kind | None:
    return next((kind for kind, words in _LABELS.items() if ends_in(before, words, _FILLERS, _GAP)), None)
