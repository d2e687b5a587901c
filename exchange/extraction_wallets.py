"""Whether a word is an address of a cryptocurrency or of a hidden service: each carries its own checksum."""

from __future__ import annotations

import base64
import hashlib
import re

from exchange.extraction_text import WORDS

_BASE58 = {char: value for value, char in enumerate("123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz")}
_BECH32 = {char: value for value, char in enumerate("qpzry9x8gf2tvdw0s3jn54khce6mua7l")}
_GENERATORS = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)
_BECH32_SUMS = frozenset({1, 0x2BC830A3})
_VERSIONS = tuple(bytes.fromhex(version) for version in WORDS["wallet_versions"])
_PREFIXES = tuple(f"{prefix}1" for prefix in WORDS["wallet_prefixes"])
_HASHED_BYTES = 20
_SHAPES = re.compile(r"0x[0-9A-Fa-f]{40}|[48][0-9AB][1-9A-HJ-NP-Za-km-z]{93}")


def is_wallet(word: str) -> bool:
    """Of Bitcoin and what was made after it, by checksum; of Ethereum and Monero, by shape."""
    if _SHAPES.fullmatch(word):
        return len(set(word)) > 8
    if word.lower().startswith(_PREFIXES):
        return _is_bech32(word)
    return 26 <= len(word) <= 35 and _is_base58check(word)


def _is_base58check(word: str) -> bool:
    """Source: the Bitcoin wiki, Base58Check encoding."""
    number = 0
    for char in word:
        if char not in _BASE58:
            return False
        number = number * 58 + _BASE58[char]
    leading = len(word) - len(word.lstrip("1"))
    octets = bytes(leading) + number.to_bytes((number.bit_length() + 7) // 8, "big")
    payload, checksum = octets[:-4], octets[-4:]
    version = next((one for one in _VERSIONS if payload.startswith(one)), None)
    if version is None or len(payload) != len(version) + _HASHED_BYTES:
        return False
    return hashlib.sha256(hashlib.sha256(payload).digest()).digest()[:4] == checksum


def _is_bech32(word: str) -> bool:
    """Source: BIP 173 and BIP 350."""
    if word not in {word.lower(), word.upper()}:
        return False
    prefix, _, rest = word.lower().rpartition("1")
    if any(char not in _BECH32 for char in rest):
        return False
    spread = [ord(char) >> 5 for char in prefix] + [0] + [ord(char) & 31 for char in prefix]
    return _polymod(spread + [_BECH32[char] for char in rest]) in _BECH32_SUMS


def _polymod(values: list[int]) -> int:
    total = 1
    for value in values:
        top = total >> 25
        total = (total & 0x1FFFFFF) << 5 ^ value
        for bit, generator in enumerate(_GENERATORS):
            total ^= generator if top >> bit & 1 else 0
    return total


def is_onion(word: str) -> bool:
    """Whether 56 characters are the name of a hidden service of version 3.

    Source: Tor rend-spec-v3, section 6.
    """
    octets = base64.b32decode(word.upper())
    key, checksum, version = octets[:32], octets[32:34], octets[34:]
    made = hashlib.sha3_256(b".onion checksum" + key + version).digest()[:2]
    return version == b"\x03" and checksum == made
