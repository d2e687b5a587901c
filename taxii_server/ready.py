"""Bodies that are bytes already: an envelope around a page, packed as the client takes it."""

from __future__ import annotations

import gzip
import zlib
from dataclasses import dataclass

import orjson
import zstandard
from flask import Response, request

from exchange.pages import Packed, Page
from taxii_server.errors import MEDIA_TYPE

WORTH_PACKING_BYTES = 1024
_FASTEST = 1
_ZEROS = bytes(4_000_000)
# RFC 1952: no name, no time, no operating system.
_GZIP_HEAD = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"


@dataclass(frozen=True)
class Rendered:
    """A body that medallion's views pass on as it is."""

    body: bytes


def wanted_coding() -> str | None:
    """How the client takes long bodies best: `zstd`, `gzip` or plain (RFC 9110, section 12.5.3; RFC 8878)."""
    return next(filter(takes, ("zstd", "gzip")), None)


def takes(coding: str) -> bool:
    """Whether the client names this coding, or takes any."""
    return request.accept_encodings[coding] > 0


def packed(body: bytes, coding: str) -> bytes:
    """`body` in this coding."""
    if coding == "zstd":
        return zstandard.ZstdCompressor(level=_FASTEST).compress(body)
    return gzip.compress(body, _FASTEST, mtime=0)


def listing(page: Page, name: str, token: str | None) -> Response:
    """A page as an answer."""
    headers = {"Content-Encoding": "gzip"} if page.packed else {}
    return Response(envelope(page, name, token), content_type=MEDIA_TYPE, headers=headers)


def envelope(page: Page, name: str, token: str | None) -> bytes:
    """A page as an envelope, a manifest or a list of versions, in gzip if the page is packed; `{}` without objects."""
    head = orjson.dumps({"more": True, "next": token})[:-1] + b"," if token else b"{"
    head, tail = head + b'"%s":[' % name.encode(), b"]}"
    if page.packed:
        return _spliced(head, page.packed, tail)
    return b"".join((head, page.body, tail)) if page.objects else b"{}"


def _spliced(head: bytes, kept: Packed, tail: bytes) -> bytes:
    """One gzip member of head, the kept bytes and tail, without unpacking them (RFC 1951 and 1952)."""
    packer = zlib.compressobj(_FASTEST, zlib.DEFLATED, -zlib.MAX_WBITS)
    before = packer.compress(head) + packer.flush(zlib.Z_FULL_FLUSH)
    packer = zlib.compressobj(_FASTEST, zlib.DEFLATED, -zlib.MAX_WBITS)
    behind = packer.compress(tail) + packer.flush(zlib.Z_FINISH)
    crc = zlib.crc32(tail, _crc32_after(zlib.crc32(head), kept))
    size = (len(head) + kept.size_bytes + len(tail)) & 0xFFFFFFFF
    end = crc.to_bytes(4, "little") + size.to_bytes(4, "little")
    return b"".join((_GZIP_HEAD, before, kept.deflate, behind, end))


def _crc32_after(start: int, kept: Packed) -> int:
    """crc32 of the kept bytes going on from `start`: it differs from theirs as it does for as many zeros."""
    zeros = _ZEROS if kept.size_bytes <= len(_ZEROS) else bytes(kept.size_bytes)
    return kept.crc32 ^ zlib.crc32(memoryview(zeros)[: kept.size_bytes], start)
