"""Pictures without what a camera writes into them: place, time, owner, small previews, and anything after the end.

Only what draws the picture is kept, piece by piece as it stands; nothing is decoded, so no picture can be too large
to look at here. Source: PNG (W3C, third edition), section 5; JPEG (ITU-T T.81), annex B; JFIF 1.02.
"""

from __future__ import annotations

import re
import zlib

MOST_PIXELS, LONGEST_SIDE = 50_000_000, 20_000
_PNG = b"\x89PNG\r\n\x1a\n"
_PNG_KEPT = frozenset({b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"})
_JPEG_FRAMES = frozenset({*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC})
_JPEG_KEPT = _JPEG_FRAMES | {0xC4, 0xCC, 0xDA, 0xDB, 0xDC, 0xDD}
_ALONE = frozenset({0x01, *range(0xD0, 0xD8)})
_MARKER = re.compile(rb"\xff+([^\x00\xff])", re.DOTALL)
_MOST_SCANS, _MOST_PIECES = 100, 100_000


class Damaged(Exception):
    """Not a whole picture."""


class TooManyPixels(Exception):
    """Larger than anybody's screen, and than a viewer can bear."""


def png(body: bytes) -> bytes:
    """The picture alone. Raises: Damaged, TooManyPixels."""
    kept, at = [_PNG], len(_PNG)
    kinds: list[bytes] = []
    while (not kinds or kinds[-1] != b"IEND") and len(kinds) < _MOST_PIECES:
        length, kind = int.from_bytes(body[at : at + 4], "big"), body[at + 4 : at + 8]
        whole, at = body[at : at + length + 12], at + length + 12
        if len(whole) < length + 12 or zlib.crc32(whole[4:-4]) != int.from_bytes(whole[-4:], "big"):
            raise Damaged
        kinds.append(kind)
        if kind in _PNG_KEPT:
            kept.append(whole)
        elif not kind[:1].islower():  # Without it the rest means nothing.
            raise Damaged
    whole_picture = kinds[-1] == b"IEND" and kinds.count(b"IHDR") == 1 and b"IDAT" in kinds
    if kinds[0] != b"IHDR" or len(kept[1]) != 25 or not whole_picture:
        raise Damaged
    _check_size(*(int.from_bytes(kept[1][at : at + 4], "big") for at in (8, 12)))
    return b"".join(kept)


def jpg(body: bytes) -> bytes:
    """The picture alone. Raises: Damaged, TooManyPixels."""
    kept, at = [b"\xff\xd8"], 2
    seen: list[int] = []
    for _ in range(_MOST_PIECES):
        marker, at = _marker(body, at)
        if marker == 0xD9:
            break
        if marker in _ALONE:
            continue
        segment, at = _segment(body, marker, at)
        seen.append(marker)
        if marker in _JPEG_FRAMES:
            _check_size(int.from_bytes(segment[7:9], "big"), int.from_bytes(segment[5:7], "big"))
        kept.append(_kept(marker, segment))
        if marker == 0xDA:
            end = _end_of_scan(body, at)
            kept.append(body[at:end])
            at = end
    else:
        raise Damaged
    if not _JPEG_FRAMES & set(seen) or not 1 <= seen.count(0xDA) <= _MOST_SCANS:
        raise Damaged
    return b"".join([*kept, b"\xff\xd9"])


def _check_size(width: int, height: int) -> None:
    if not width or not height:
        raise Damaged
    if max(width, height) > LONGEST_SIDE or width * height > MOST_PIXELS:
        raise TooManyPixels


def _marker(body: bytes, at: int) -> tuple[int, int]:
    """The marker at this place, and where it ends; any number of FF may stand before it."""
    found = _MARKER.match(body, at)
    if found is None:
        raise Damaged
    return found[1][0], found.end()


def _segment(body: bytes, marker: int, at: int) -> tuple[bytes, int]:
    length = int.from_bytes(body[at : at + 2], "big")
    if length < 2 or at + length > len(body) or (marker in _JPEG_FRAMES and length < 8):
        raise Damaged
    return bytes((0xFF, marker)) + body[at : at + length], at + length


def _kept(marker: int, segment: bytes) -> bytes:
    """The colours of a picture hang on two small blocks of applications; all others go."""
    if marker == 0xE0 and segment[4:9] == b"JFIF\0" and len(segment) >= 18:
        return segment[:2] + b"\x00\x10" + segment[4:16] + b"\x00\x00"
    if marker == 0xEE and segment[4:9] == b"Adobe" and len(segment) == 16:
        return segment
    return segment if marker in _JPEG_KEPT else b""


def _end_of_scan(body: bytes, at: int) -> int:
    """Where the next marker begins that is not part of the picture's data."""
    while (at := body.find(b"\xff", at)) >= 0:
        following = body[at + 1 : at + 2]
        if following and following[0] not in {0x00, *_ALONE, 0xFF}:
            return at
        at += 1 if following == b"\xff" else 2
    raise Damaged
