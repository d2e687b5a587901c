"""Reading what strangers send: whole, within its limit, in time, and no other than was announced."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as Late
from typing import BinaryIO

from exchange.errors import CutShort, TooLarge, TooSlow

_PIECE = 65_536
_SECONDS, _BYTES_PER_SECOND = 10.0, 100_000

# A read that waits for a stalled client cannot be interrupted: it waits in here, and its request goes on.
_readers = ThreadPoolExecutor(max_workers=256, thread_name_prefix="body")


def read(stream: BinaryIO, announced: int | None, limit: int) -> bytes:
    """The whole body.

    Args:
        announced: its length in bytes; None for one that comes in chunks.
        limit: in bytes.
    Raises:
        TooLarge, TooSlow, CutShort (shorter than announced).
    """
    if announced is not None and announced > limit:
        raise TooLarge
    most = announced if announced is not None else limit + 1
    if most == 0:
        return b""
    try:
        body = _readers.submit(_all, stream, most).result(_SECONDS + most / _BYTES_PER_SECOND)
    except Late:
        raise TooSlow from None
    if len(body) > limit:
        raise TooLarge
    if announced is not None and len(body) < announced:
        raise CutShort
    return body


def _all(stream: BinaryIO, most: int) -> bytes:
    """At most `most` bytes; gives up between two pieces when the time is over."""
    deadline = time.monotonic() + _SECONDS + most / _BYTES_PER_SECOND
    pieces, size = [], 0
    while size < most and time.monotonic() < deadline:
        piece = stream.read(min(_PIECE, most - size))
        if not piece:
            break
        pieces.append(piece)
        size += len(piece)
    return b"".join(pieces)
