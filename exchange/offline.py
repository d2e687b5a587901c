"""Reports from the offline form: a file that was filled in without any network, sealed for this installation.

The page has the installation's public key in it and seals in the browser: an ephemeral ECDH key on P-256, HKDF-SHA-256,
AES-256-GCM. Only this installation opens the file, and its organization alone, or the desk, brings it in.
"""

from __future__ import annotations

import hashlib
from base64 import b64decode, b64encode
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from exchange import json_text
from exchange.errors import Invalid, Problem, Unreadable
from exchange.vault import secret_file

FORMAT = "noroshi-offline-report"
LARGEST_BYTES = 1_000_000
INFO = b"noroshi offline report 1"
CODE_SALT, CODE_ROUNDS = b"noroshi offline code 1", 100_000
_CURVE = ec.SECP256R1()
_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
_STRICT = ConfigDict(strict=True, extra="forbid", frozen=True)


class Parcel(BaseModel):
    """The file, as it is: only `sealed` has something to hide."""

    model_config = _STRICT

    format: Literal["noroshi-offline-report"]
    version: Literal[1]
    id: Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]
    key_id: Annotated[str, Field(pattern=r"^[0-9a-f]{8}$")]
    ephemeral: Annotated[str, Field(max_length=100)]
    nonce: Annotated[str, Field(max_length=24)]
    sealed: Annotated[str, Field(max_length=LARGEST_BYTES)]

    @property
    def file_id(self) -> UUID:
        """Random, made with the file."""
        return UUID(self.id)

    @property
    def code(self) -> str:
        """Twelve digits that the reporter reads out: another file with the same ones is not to be made."""
        whole = ".".join((self.id, self.key_id, self.ephemeral, self.nonce, self.sealed))
        found = hashlib.pbkdf2_hmac("sha256", whole.encode(), CODE_SALT, CODE_ROUNDS, dklen=8)
        digits = f"{int.from_bytes(found, 'big') % 10**12:012}"
        return f"{digits[:4]}-{digits[4:8]}-{digits[8:]}"


class Typed(BaseModel):
    """What was sealed: the form as it was typed, when, by the clock of that machine, and whose it is: the register
    number, or nothing.
    """

    model_config = _STRICT

    made_at: str
    lang: Literal["ja", "en"]
    organization: Annotated[str, Field(max_length=100)] = ""
    answers: Annotated[dict[str, list[str]], Field(max_length=100)]


@dataclass(frozen=True)
class Box:
    """The installation's key pair; its private half stays in the folder of secrets."""

    key: ec.EllipticCurvePrivateKey

    @classmethod
    def open(cls, folder: Path) -> Self:
        """The key pair kept in `folder`; made on first use, mode 0600."""
        return cls(_key_from(secret_file(folder, "offline")))

    @property
    def public(self) -> bytes:
        """The public half: 65 bytes, an uncompressed point."""
        return self.key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)

    @property
    def key_id(self) -> str:
        """Names the pair: 8 hex digits."""
        return hashlib.sha256(self.public).hexdigest()[:8]

    def unseal(self, parcel: Parcel) -> bytes:
        """What was sealed for this pair. Raises: Invalid, and says whether the file is damaged or for another pair."""
        if parcel.key_id != self.key_id:
            raise _wrong("old-key")
        try:
            point, nonce, sealed = (b64decode(text, validate=True) for text in _secrets(parcel))
            shared = self.key.exchange(ec.ECDH(), ec.EllipticCurvePublicKey.from_encoded_point(_CURVE, point))
            named = f"{parcel.id}.{parcel.key_id}".encode()
            return AESGCM(derived(shared, point + self.public)).decrypt(nonce, sealed, named)
        except (ValueError, InvalidTag):
            raise _wrong("damaged") from None


def _secrets(parcel: Parcel) -> tuple[str, str, str]:
    return parcel.ephemeral, parcel.nonce, parcel.sealed


def derived(shared: bytes, salt: bytes) -> bytes:
    """The key of one file: 256 bits."""
    return HKDF(algorithm=SHA256(), length=32, salt=salt, info=INFO).derive(shared)


def _key_from(secret: bytes) -> ec.EllipticCurvePrivateKey:
    """48 bytes of the secret's expansion leave no bias in a number below the curve's order (FIPS 186-5, A.2.1)."""
    wide = HKDF(algorithm=SHA256(), length=48, salt=None, info=b"noroshi offline key 1").derive(secret)
    return ec.derive_private_key(1 + int.from_bytes(wide, "big") % (_ORDER - 1), _CURVE)


def read(body: bytes, box: Box) -> tuple[Parcel, Typed]:
    """A file and what was typed into it. Raises: Invalid (`file`: foreign, damaged, old-key, too-large)."""
    if len(body) > LARGEST_BYTES:
        raise _wrong("too-large")
    parcel = _parcel(body)
    try:
        return parcel, Typed.model_validate(json_text.loads(box.unseal(parcel)))
    except (ValidationError, Unreadable):
        raise _wrong("damaged") from None


def _parcel(body: bytes) -> Parcel:
    try:
        found: Any = json_text.loads(body)
    except Unreadable:
        raise _wrong("damaged" if FORMAT.encode() in body[:200] else "foreign") from None
    if not isinstance(found, dict) or found.get("format") != FORMAT:
        raise _wrong("foreign")
    try:
        return Parcel.model_validate(found)
    except ValidationError:
        raise _wrong("damaged") from None


def _wrong(code: str) -> Invalid:
    return Invalid([Problem("file", code)])


def public_text(box: Box) -> str:
    """The public half, as the page carries it."""
    return b64encode(box.public).decode()
