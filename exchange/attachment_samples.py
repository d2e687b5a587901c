"""Malware that a reporter hands over: an encrypted ZIP, looked at from outside and never opened."""

from __future__ import annotations

import struct
from collections.abc import Iterator

_END = struct.Struct("<4s4H2LH")
_ENTRY = struct.Struct("<4s6H3L5H2L")
_LOCAL = struct.Struct("<4s2H")
_ENCRYPTED = 0x0001
_MOST_ENTRIES = 1000
_LONGEST_COMMENT = 65_535


def is_sealed(body: bytes) -> bool:
    """Whether this is one ZIP from its first byte to its last, and every file in it is encrypted.

    Source: APPNOTE.TXT 6.3, sections 4.3.12 and 4.4.4: bit 0 in the central directory, and in each file's own header.
    """
    entries = list(_entries(body))
    files = [(flags, at) for flags, name, at in entries if not name.endswith(b"/")]
    from_its_start = bool(files) and min(at for _, _, at in entries) == 0
    return from_its_start and all(_is_encrypted(body, *one) for one in files)


def _is_encrypted(body: bytes, flags: int, at: int) -> bool:
    if at + _LOCAL.size > len(body):
        return False
    mark, _, own_flags = _LOCAL.unpack_from(body, at)
    return bool(mark == b"PK\x03\x04" and flags & own_flags & _ENCRYPTED)


def _entries(body: bytes) -> Iterator[tuple[int, bytes, int]]:
    """(flags, name, where it lies) of each entry; nothing for what is no whole ZIP."""
    end = body.rfind(b"PK\x05\x06", max(0, len(body) - _LONGEST_COMMENT - _END.size))
    if not body.startswith(b"PK\x03\x04") or end < 0 or end + _END.size > len(body):
        return
    _, disk, first_disk, here, count, size, start, comment = _END.unpack_from(body, end)
    one_file = disk == first_disk == 0 and here == count and end + _END.size + comment == len(body)
    if not one_file or start + size != end or count > _MOST_ENTRIES:
        return
    at = start
    for _ in range(count):
        if at + _ENTRY.size > end:
            return
        mark, _, _, flags, *_, name_length, extra, note, _, _, _, where = _ENTRY.unpack_from(body, at)
        if mark != b"PK\x01\x02":
            return
        yield flags, body[at + _ENTRY.size : at + _ENTRY.size + name_length], where
        at += _ENTRY.size + name_length + extra + note
