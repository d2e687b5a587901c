"""One file, as somebody sends it: what it is, what of it is kept, and the words in it that may tell of an attack."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass

from exchange import attachment_images, attachment_kinds, attachment_pdf, attachment_samples, attachment_texts
from exchange.attachment_kinds import Unsupported, refuse
from exchange.attachment_pdf import Busy, Unfit, Verdict

_MOST_CHARACTERS = 500_000
_OFFICE = b"[Content_Types].xml"
_WHY: Mapping[Verdict | None, str] = {
    Verdict.ENCRYPTED: "encrypted-pdf",
    Verdict.TOO_COMPLEX: "too-complex",
    None: "damaged",
}


@dataclass(frozen=True)
class Read:
    """A file that is taken.

    Attributes:
        kind: txt, csv, json, eml, png, jpg, pdf or sample.
        name: without folders, ending as what it is.
        media_type: ours.
        body: what is kept.
        text: its words, of which indicators are looked for; empty for pictures and samples.
    """

    kind: str
    name: str
    media_type: str
    body: bytes
    text: str

    @property
    def route(self) -> str:
        """`sample` for what nobody may open here, `read` for the rest."""
        return "sample" if self.kind == "sample" else "read"


def read(name: str, body: bytes, *, whose: Hashable = None) -> Read:
    """A file by what is in it, whatever it is called.

    Args:
        whose: the organization that sends it; of each, one that is dear to read is read at a time.
    Raises: Refused (empty, damaged, too complex, or busy), TooBig, Unsupported: each with its words.
    """
    kind = attachment_kinds.recognise(name, body)
    if kind == "zip":
        kind, clean, text = _sample(name, body)
    elif kind == "pdf":
        clean, text = _pdf(name, body, whose)
    else:
        clean, text = _READERS[kind](name, body)
    kept_name = attachment_kinds.kept_name(name, kind)
    return Read(kind, kept_name, attachment_kinds.media_type(kind), clean, text[:_MOST_CHARACTERS])


def _sample(name: str, body: bytes) -> tuple[str, bytes, str]:
    if not attachment_samples.is_sealed(body):
        refuse("office" if _OFFICE in body[:4096] else "zip-open", name, Unsupported)
    return "sample", body, ""


def _text(name: str, body: bytes) -> tuple[bytes, str]:
    words = attachment_texts.decoded(body)
    if words is None:
        refuse("unknown", name, Unsupported)
    shown = attachment_texts.shown(words)
    return shown.encode(), shown


def _mail(name: str, body: bytes) -> tuple[bytes, str]:
    words = attachment_texts.mail(body)
    if words is None:
        refuse("too-complex", name)
    return words.encode(errors="replace"), words


def _picture(clean: Callable[[bytes], bytes]) -> Callable[[str, bytes], tuple[bytes, str]]:
    def cleaned(name: str, body: bytes) -> tuple[bytes, str]:
        try:
            return clean(body), ""
        except attachment_images.Damaged:
            refuse("damaged", name)
        except attachment_images.TooManyPixels:
            refuse("too-many-pixels", name)

    return cleaned


def _pdf(name: str, body: bytes, whose: Hashable) -> tuple[bytes, str]:
    try:
        return attachment_pdf.pdf(body, whose)
    except Busy:
        refuse("busy", name)
    except Unfit as error:
        refuse(_WHY.get(error.verdict, "damaged"), name)


_READERS: Mapping[str, Callable[[str, bytes], tuple[bytes, str]]] = {
    "txt": _text,
    "csv": _text,
    "json": _text,
    "eml": _mail,
    "png": _picture(attachment_images.png),
    "jpg": _picture(attachment_images.jpg),
}
