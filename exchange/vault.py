"""Content keys, and what is sealed with them: AES-256-GCM for fields, HMAC-SHA-256 for what must be found again."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import secrets
from base64 import b64decode, b64encode
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_NONCE_BYTES = 12


class SealBroken(Exception):
    """A sealed value that does not open: another key, another row or column, or a changed bit."""


class Vault:
    """The keys of the case store. The TAXII process never makes one."""

    def __init__(self, keys: dict[str, bytes], current: str, secrets_by_name: dict[str, bytes]) -> None:
        self._keys = {key_id: AESGCM(key) for key_id, key in keys.items()}
        self._current = current
        self._secrets = secrets_by_name

    @classmethod
    def open(cls, folder: Path) -> Self:
        """The vault kept in `folder`; made on first start, files of mode 0600."""
        book = _read_or_make(folder / "content.json", _new_key_book)
        keys = {key_id: b64decode(key) for key_id, key in book["keys"].items()}
        named = {name: secret_file(folder, name) for name in ("audit", "lookup", "session")}
        return cls(keys, book["current"], named)

    def seal(self, plain: bytes, *, at: str) -> bytes:
        """Encrypt `plain` for one place, `table.column:row id`; key id, nonce and ciphertext in one value."""
        nonce = os.urandom(_NONCE_BYTES)
        return self._current.encode() + nonce + self._keys[self._current].encrypt(nonce, plain, at.encode())

    def unseal(self, sealed: bytes, *, at: str) -> bytes:
        """Raises: SealBroken."""
        key = self._keys.get(sealed[:4].decode("ascii", "replace"))
        nonce, body = sealed[4 : 4 + _NONCE_BYTES], sealed[4 + _NONCE_BYTES :]
        try:
            if key is None:
                raise SealBroken(at)
            return key.decrypt(nonce, body, at.encode())
        except InvalidTag:
            raise SealBroken(at) from None

    def fingerprint(self, *parts: str | bytes) -> str:
        """A keyed hash, 64 hex digits: equal for equal parts, and of no use without the key."""
        return self._mac("lookup", *parts)

    def chain(self, previous: str, entry: bytes) -> str:
        """The audit chain's link: HMAC(key, previous mac ‖ entry), 64 hex digits."""
        return self._mac("audit", previous, entry)

    @property
    def session_secret(self) -> bytes:
        """Signs the portal's cookies."""
        return self._secrets["session"]

    def _mac(self, name: str, *parts: str | bytes) -> str:
        mac = hmac.new(self._secrets[name], digestmod=hashlib.sha256)
        for part in parts:
            raw = part.encode() if isinstance(part, str) else part
            mac.update(len(raw).to_bytes(8, "big") + raw)
        return mac.hexdigest()


def secret_file(folder: Path, name: str) -> bytes:
    """32 random bytes kept in `folder/name.json`; made on first use, mode 0600."""
    made = _read_or_make(folder / f"{name}.json", lambda: {"secret": b64encode(os.urandom(32)).decode()})
    return b64decode(made["secret"])


def _new_key_book() -> dict[str, Any]:
    key_id = secrets.token_hex(2)
    return {"current": key_id, "keys": {key_id: b64encode(AESGCM.generate_key(256)).decode()}}


def _read_or_make(path: Path, make: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """What the file holds. Two processes that start together end with one file: the first to link it wins."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not path.exists():
        draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as out:
            json.dump(make(), out)
            out.flush()
            os.fsync(out.fileno())
        with suppress(FileExistsError):
            os.link(draft, path)
        draft.unlink()
    found: dict[str, Any] = json.loads(path.read_text())
    return found
