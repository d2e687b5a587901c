"""Page tokens: where a page stopped, signed for one question of one caller. The server remembers nothing."""

from __future__ import annotations

import hashlib
import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as Base64Error

from exchange.errors import BadCursor

_MAC_BYTES = 16


def write(key: bytes, question: str, position: int) -> str:
    """A token for the page after `position` (date_added, µs) of `question` (endpoint, collection, filters, caller)."""
    raw = position.to_bytes(8, "big")
    return urlsafe_b64encode(raw + _mac(key, question, raw)).decode().rstrip("=")


def read(key: bytes, question: str, token: str) -> int:
    """Raises: BadCursor if this server did not make it for this question.

    Source: TAXII 2.1, appendix B: a `next` value from a client is not trusted.
    """
    try:
        raw = urlsafe_b64decode(token.encode("ascii") + b"==")
    except (Base64Error, UnicodeEncodeError, ValueError):
        raise BadCursor from None
    position, mac = raw[:8], raw[8:]
    if len(raw) != 8 + _MAC_BYTES or not hmac.compare_digest(mac, _mac(key, question, position)):
        raise BadCursor
    return int.from_bytes(position, "big")


def _mac(key: bytes, question: str, raw: bytes) -> bytes:
    return hmac.digest(key, question.encode() + b"\0" + raw, hashlib.sha256)[:_MAC_BYTES]
