"""PDF: its pages and words, without its scripts, forms, attachments and metadata.

A PDF can cost a reader any time and memory, so it is read in a process of its own that has little of both, behind all
others; and one at a time of each organization, so that nobody's PDFs keep the portal busy.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import zlib
from collections.abc import Hashable
from enum import IntEnum
from io import BytesIO
from typing import Any

from exchange.attachment_images import Damaged, TooManyPixels, jpg
from exchange.turns import Turns

_SECONDS, _MEMORY_BYTES = 20, 1_000_000_000
_INFLATED_BYTES, _INFLATED_IN_ALL = 75_000_000, 300_000_000
_MOST_PAGES, _MOST_OBJECTS, _MOST_CHARACTERS = 200, 20_000, 1_000_000
_PAGE_KEPT = frozenset({"/Type", "/Parent", "/Resources", "/MediaBox", "/CropBox", "/Rotate", "/Contents", "/UserUnit"})
_DROPPED = ("/Metadata", "/PieceInfo", "/AA", "/OpenAction", "/LastModified", "/StructParent", "/OPI", "/Measure")
_PHOTOGRAPHS = ("/DCTDecode", ["/DCTDecode"])
_PIECE = 1_000_000
_TURN_WITHIN_S = 5.0
_turns = Turns(2, of_one=1)


class Verdict(IntEnum):
    """How the process ended; anything else is a file that cannot be read."""

    CLEAN = 0
    ENCRYPTED = 3
    TOO_COMPLEX = 4


class Unfit(Exception):
    """Not taken: encrypted, too complex, or damaged (None)."""

    def __init__(self, verdict: Verdict | None) -> None:
        super().__init__(verdict)
        self.verdict = verdict


class Busy(Exception):
    """Others are being read, or another one of the same organization."""


def pdf(body: bytes, whose: Hashable) -> tuple[bytes, str]:
    """The pages alone, and their words. Raises: Unfit, Busy."""
    command = [sys.executable, "-I", "-m", __name__]
    if not _turns.take(whose, wait_s=_TURN_WITHIN_S):
        raise Busy
    try:
        done = subprocess.run(command, input=body, capture_output=True, timeout=2 * _SECONDS, env={}, check=False)
    except subprocess.TimeoutExpired:
        raise Unfit(Verdict.TOO_COMPLEX) from None
    finally:
        _turns.give(whose)
    if done.returncode == -9 or done.returncode == -24:  # Out of time.
        raise Unfit(Verdict.TOO_COMPLEX)
    if done.returncode != Verdict.CLEAN:
        raise Unfit(Verdict(done.returncode) if done.returncode in set(Verdict) else None)
    length, _, rest = done.stdout.partition(b"\n")
    return rest[int(length) :], rest[: int(length)].decode()


# --- in the process of its own ----------------------------------------------------------------------------


def _main() -> int:
    os.nice(19)
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_BYTES, _MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (_SECONDS, _SECONDS))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    try:
        verdict, clean, words = _cleaned(sys.stdin.buffer.read())
    except MemoryError:
        return Verdict.TOO_COMPLEX
    sys.stdout.buffer.write(b"%d\n" % len(words) + words + clean)
    return verdict


def _cleaned(body: bytes) -> tuple[Verdict, bytes, bytes]:
    from pypdf import PdfReader, PdfWriter, overwrite_configuration
    from pypdf.errors import LimitReachedError

    overwrite_configuration(jbig2dec_binary=None)  # No other program is called for a picture.
    try:
        reader = PdfReader(BytesIO(body))
        if reader.is_encrypted:
            return Verdict.ENCRYPTED, b"", b""
        if body.count(b" obj") > _MOST_OBJECTS or len(reader.pages) > _MOST_PAGES:
            return Verdict.TOO_COMPLEX, b"", b""
        words = _words(reader)
        writer = PdfWriter()
        for page in reader.pages:
            for name in set(page) - _PAGE_KEPT:
                del page[name]
            writer.add_page(page)
        return Verdict.CLEAN, _written(writer), words.encode(errors="replace")
    except (LimitReachedError, RecursionError):
        return Verdict.TOO_COMPLEX, b"", b""


def _words(reader: Any) -> str:
    found, length = [], 0
    for page in reader.pages:
        text = page.extract_text()
        found.append(text)
        length += len(text)
        if length > _MOST_CHARACTERS:
            break
    return "\n".join(found)[:_MOST_CHARACTERS]


def _written(writer: Any) -> bytes:
    """Without what any object says of its maker, and without objects that no page needs."""
    from pypdf.errors import LimitReachedError
    from pypdf.generic import DictionaryObject, StreamObject

    for one in writer._objects:
        if isinstance(one, DictionaryObject):
            for name in _DROPPED:
                one.pop(name, None)
        if isinstance(one, StreamObject) and one.get("/Filter") in _PHOTOGRAPHS:
            one._data = _photograph(one._data)
    streams = [one for one in writer._objects if isinstance(one, StreamObject)]
    if sum(map(_inflated, streams)) > _INFLATED_IN_ALL:
        raise LimitReachedError("a viewer would drown in it")
    writer.metadata = None
    writer.compress_identical_objects(remove_duplicates=False, remove_unreferenced=True)
    out = BytesIO()
    writer.write(out)
    return out.getvalue()


def _inflated(stream: Any) -> int:
    """How many bytes a viewer makes of a stream, at most those after which nobody goes on counting."""
    if "/FlateDecode" not in str(stream.get("/Filter")):
        return len(stream._data)
    unpacking, size, rest = zlib.decompressobj(), 0, stream._data
    try:
        while rest and size <= _INFLATED_BYTES:
            size += len(unpacking.decompress(rest, _PIECE))
            rest = unpacking.unconsumed_tail
    except zlib.error:
        return size
    return size if size <= _INFLATED_BYTES else _INFLATED_IN_ALL + 1


def _photograph(data: bytes) -> bytes:
    """Without the place and time of a camera; nothing is left of what is no photograph."""
    try:
        return jpg(data)
    except (Damaged, TooManyPixels):
        return b""


if __name__ == "__main__":
    sys.exit(_main())
