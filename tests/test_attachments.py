"""Files that come with a report: what they are, what is left of them, where their bytes lie, and who gets them."""

from __future__ import annotations

import re
import shutil
import struct
import zipfile
import zlib
from base64 import b64encode
from collections.abc import Iterator
from datetime import timedelta
from email.message import EmailMessage
from io import BytesIO
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import unquote
from uuid import UUID

import pytest
from flask import Flask
from flask.testing import FlaskClient
from playwright.sync_api import sync_playwright
from pypdf import PdfReader, PdfWriter
from pypdf.actions import JavaScript
from pypdf.generic import DecodedStreamObject, DictionaryObject, NameObject, NumberObject, StreamObject
from sqlalchemy import select
from werkzeug.serving import make_server

from config import Settings
from exchange import accounts, attachments, findings, incidents
from exchange.attachment_kinds import Refused, TooBig, Unsupported
from exchange.attachment_reading import read
from exchange.errors import NotFound
from exchange.models import Attachment, AuditEntry, Login, Person, ReportVersion
from exchange.sharing import Kind, Role, Viewer
from exchange.stores import Stores
from exchange.turns import Turns
from portal.app import create_app
from tests.conftest import NOW
from tests.make import make_answers, make_organization, make_report, make_viewer

SECRET = "添付の中身 secret-of-the-file"
GPS = b"GPS 35.6895N 139.6917E owner of the camera"


# --- real files, made here ------------------------------------------------------------------------------------


def chunk(kind: bytes, data: bytes) -> bytes:
    """One chunk of a PNG."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def make_png(*more: bytes, width: int = 2, height: int = 2, tail: bytes = b"") -> bytes:
    """A grey picture, with chunks of whoever made it."""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    rows = chunk(b"IDAT", zlib.compress(b"\0\x10\x20" * min(height, 2)))
    return b"\x89PNG\r\n\x1a\n" + header + b"".join(more) + rows + chunk(b"IEND", b"") + tail


def segment(marker: int, data: bytes) -> bytes:
    """One segment of a JPEG."""
    return bytes((0xFF, marker)) + struct.pack(">H", len(data) + 2) + data


def make_jpg(*more: bytes, width: int = 8, height: int = 8, tail: bytes = b"") -> bytes:
    """A grey square of 8 by 8, with what a camera writes around it."""
    tables = segment(0xDB, b"\0" + bytes([16] * 64))
    tables += segment(0xC4, b"\x00" + bytes([1] + [0] * 15) + b"\0")
    tables += segment(0xC4, b"\x10" + bytes([1] + [0] * 15) + b"\0")
    frame = segment(0xC0, struct.pack(">BHHBBBB", 8, height, width, 1, 1, 0x11, 0))
    scan = segment(0xDA, b"\x01\x01\x00\x00\x3f\x00") + b"\x3f\xff\x00"
    start = b"\xff\xd8" + segment(0xE0, b"JFIF\0\x01\x02\x00\x00\x01\x00\x01\x01\x01" + b"\xaa\xbb\xcc")
    return start + b"".join(more) + tables + frame + scan + b"\xff\xd9" + tail


def _named(**entries: str) -> DictionaryObject:
    return DictionaryObject({NameObject(f"/{name}"): NameObject(value) for name, value in entries.items()})


def make_pdf(*, encrypted: bool = False, pages: int = 1, photograph: bytes = b"", script: bool = True) -> bytes:
    """A page that says something, with a script, an author, an attached file, and a photograph if there is one."""
    writer = PdfWriter()
    for _ in range(pages):
        page = writer.add_blank_page(200, 200)
        font = DictionaryObject(
            {NameObject("/Type"): NameObject("/Font"), NameObject("/Subtype"): NameObject("/Type1")}
        )
        font[NameObject("/BaseFont")] = NameObject("/Helvetica")
        resources = DictionaryObject({NameObject("/Font"): DictionaryObject({NameObject("/F1"): font})})
        said = DecodedStreamObject()
        said.set_data(b"BT /F1 12 Tf 20 100 Td (callback to 198.51.100.23 seen) Tj ET")
        page[NameObject("/Contents")] = writer._add_object(said)
        if photograph:
            picture = StreamObject()
            picture._data = photograph
            picture.update(
                {NameObject("/Subtype"): NameObject("/Image"), NameObject("/Filter"): NameObject("/DCTDecode")}
            )
            picture.update({NameObject("/Width"): NumberObject(8), NameObject("/Height"): NumberObject(8)})
            resources[NameObject("/XObject")] = DictionaryObject({NameObject("/I"): writer._add_object(picture)})
        page[NameObject("/Resources")] = resources
    writer.add_metadata({"/Author": "Camera Owner", "/Title": "internal title"})
    if script:
        writer.add_open_action(JavaScript("app.alert('hostile script')"))
        writer.add_attachment("inner.exe", b"MZ inner program")
    if encrypted:
        writer.encrypt("password", algorithm="AES-256")
    out = BytesIO()
    writer.write(out)
    return out.getvalue()


def make_zip(files: dict[str, bytes], *, marked: bool = False) -> bytes:
    """A ZIP; `marked` sets the bit of encryption everywhere, as a tool with a password does."""
    out = BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, body in files.items():
            archive.writestr(name, body)
    made = bytearray(out.getvalue())
    if marked:
        for mark, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
            for found in re.finditer(re.escape(mark), bytes(made)):
                made[found.start() + at] |= 1
    return bytes(made)


def make_mail() -> bytes:
    """A phishing mail as it was received, with a program attached."""
    mail = EmailMessage()
    mail["From"], mail["To"] = "請求係 <billing@phish.example>", "taro@victim.example"
    mail["Subject"], mail["Date"] = "【至急】請求書のご確認", "Fri, 20 Nov 2026 10:00:00 +0900"
    mail.set_content("こちらを開いてください http://phish.example/pay")
    mail.add_alternative('<p>開く <a href="https://landing.example/x?a=1&amp;b=2">こちら</a></p>', subtype="html")
    mail.add_attachment(b"MZ hostile", maintype="application", subtype="octet-stream", filename="請求書.exe")
    return mail.as_bytes()


def _refused(name: str, body: bytes) -> tuple[type[Refused], str]:
    with pytest.raises(Refused) as caught:
        read(name, body)
    return type(caught.value), caught.value.problems[0].code


# --- what a file is -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "body", "kind", "kept"),
    [
        ("ログ.txt", "怪しい通信 203.0.113.9".encode(), "txt", "ログ.txt"),
        ("log.txt", "怪しい通信".encode("cp932"), "txt", "log.txt"),
        ("log.txt", "怪しい通信".encode("utf-16"), "txt", "log.txt"),
        ("log.log", b"\xef\xbb\xbfGET /", "txt", "log.log.txt"),
        ("access.csv", b"time,ip\n1,203.0.113.9\n", "csv", "access.csv.txt"),
        ("event", b'{"ip": "203.0.113.9"}', "json", "event.json.txt"),
        ("event.json", b"[1]", "json", "event.json.txt"),
        ("notes", b"BMW and MZ are words too", "txt", "notes.txt"),
        ("eicar.txt", b"X5O!P%@AP[4\\PZX54(P^)7CC)7}$EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*", "txt", "eicar.txt"),
        ("mail.eml", make_mail(), "eml", "mail.eml.txt"),
        ("screen.txt", make_png(), "png", "screen.txt.png"),
        ("screen.png", make_png(), "png", "screen.png"),
        ("photo.jpeg.exe", make_jpg(), "jpg", "photo.jpeg.exe.jpg"),
        ("a.pdf", make_pdf(), "pdf", "a.pdf"),
        ("malware.zip", make_zip({"a.exe": b"MZ"}, marked=True), "sample", "malware.zip.sample"),
    ],
)
def test_a_file_is_what_is_in_it_whatever_it_is_called(name: str, body: bytes, kind: str, kept: str) -> None:
    found = read(name, body)
    assert (found.kind, found.name) == (kind, kept)


@pytest.mark.parametrize(
    ("name", "body", "code"),
    [
        ("picture.png", b"MZ\x90\x00\x03" + bytes(60), "executable"),
        ("a.txt", b"\x7fELF\x02\x01\x01" + bytes(9), "executable"),
        ("a.txt", b"#!/bin/sh\nrm -rf /", "script"),
        ("run.ps1", b"Invoke-Expression 1", "script"),
        ("a.txt", b"<!DOCTYPE html><script>alert(1)</script>", "html"),
        ("a.txt", b"\n<!-- x --><svg onload=alert(1)>", "html"),
        ("a.txt", '<?xml version="1.0"?><svg/>'.encode("utf-16"), "html"),
        ("page.html", b"plain words", "html"),
        ("a.pdf", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(100), "office"),
        ("a.txt", b"{\\rtf1 words}", "office"),
        ("a.docx", make_zip({"[Content_Types].xml": b"<Types/>", "word/document.xml": b"x"}), "office"),
        ("a.zip", make_zip({"a.txt": b"words"}), "zip-open"),
        ("a.txt", b"\x1f\x8b\x08" + bytes(20), "archive"),
        ("a.txt", b"7z\xbc\xaf\x27\x1c" + bytes(20), "archive"),
        ("a.txt", bytes(257) + b"ustar\x0000" + bytes(248), "archive"),
        ("a.gif", b"GIF89a" + bytes(20), "picture"),
        ("a.txt", b"words\0and more", "unknown"),
        ("a.bin", bytes(range(256)) * 4, "unknown"),
    ],
)
def test_what_could_run_or_be_opened_is_refused_in_words(name: str, body: bytes, code: str) -> None:
    from exchange.form import message

    kind, found = _refused(name, body)
    assert (kind, found) == (Unsupported, code)
    with pytest.raises(Refused) as caught:
        read(name, body)
    for lang in ("ja", "en"):
        said = message(caught.value.problems[0], lang)
        assert name.rpartition("/")[2] in said and "{" not in said


def test_an_empty_file_and_one_byte_too_many_are_refused() -> None:
    assert _refused("a.txt", b"") == (Refused, "empty")
    assert read("a.txt", b"x" * 10_000_000).kind == "txt"
    assert _refused("a.txt", b"x" * 10_000_001) == (TooBig, "too-large")


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("../../etc/passwd", "passwd.txt"),
        ("C:\\Users\\taro\\log.txt", "log.txt"),
        ("..\\..\\", "file.txt"),
        ("invoice\u202etxt.exe", "invoicetxt.exe"),
        ("a\0b\r\nSet-Cookie: x.txt", "abSet-Cookie: x.txt"),
        (".htaccess", "htaccess.txt"),
        ("", "file.txt"),
        ("長" * 300 + ".txt", "長" * 100 + ".txt"),
    ],
)
def test_no_name_leads_elsewhere_or_hides_what_the_file_is(name: str, kept: str) -> None:
    if kept.endswith(".exe"):
        assert _refused(name, b"words")[1] == "executable"
    else:
        assert read(name, b"words").name == kept


# --- what is left of it -----------------------------------------------------------------------------------------


def test_a_picture_keeps_what_draws_it_and_nothing_else() -> None:
    extras = [chunk(b"eXIf", GPS), chunk(b"tEXt", b"Author\0" + GPS), chunk(b"iTXt", GPS), chunk(b"tIME", bytes(7))]
    assert read("a.png", make_png(*extras)).body == make_png()


def test_what_lies_behind_a_picture_is_cut_off() -> None:
    archive = make_zip({"a.exe": b"MZ hostile"})
    assert read("a.png", make_png(tail=archive)).body == make_png()
    clean = read("a.jpg", make_jpg(tail=archive)).body
    assert b"PK\x03\x04" not in clean and clean.endswith(b"\xff\xd9")
    with pytest.raises(zipfile.BadZipFile):
        zipfile.ZipFile(BytesIO(clean))


def test_a_photograph_loses_its_place_and_stays_the_same_picture() -> None:
    from PIL import Image

    extras = [segment(0xE1, b"Exif\0\0" + GPS), segment(0xFE, GPS), segment(0xE2, b"MPF\0" + GPS), segment(0xED, GPS)]
    clean = read("a.jpg", make_jpg(*extras)).body
    assert GPS not in clean and b"\xaa\xbb\xcc" not in clean
    before, after = (Image.open(BytesIO(body)) for body in (make_jpg(), clean))
    assert before.tobytes() == after.tobytes() and not after.getexif()


def test_a_photograph_with_several_scans_and_restarts_is_kept_whole() -> None:
    from PIL import Image

    out = BytesIO()
    picture = Image.effect_mandelbrot((64, 64), (-2.0, -1.5, 1.0, 1.5), 50).convert("CMYK")
    picture.save(out, "JPEG", progressive=True, restart_marker_rows=1, exif=b"Exif\0\0" + GPS)
    clean = read("a.jpg", out.getvalue()).body
    assert GPS not in clean
    assert Image.open(BytesIO(clean)).tobytes() == Image.open(BytesIO(out.getvalue())).tobytes()


@pytest.mark.parametrize("size", [(30_000, 1), (1, 30_000), (10_000, 10_000), (0, 5), (2**31 - 1, 2**31 - 1)])
def test_a_picture_of_monstrous_size_is_refused(size: tuple[int, int]) -> None:
    code = "damaged" if 0 in size else "too-many-pixels"
    assert _refused("a.png", make_png(width=size[0], height=size[1]))[1] == code
    if max(size) < 65_536:
        assert _refused("a.jpg", make_jpg(width=size[0], height=size[1]))[1] == code


def test_a_picture_cut_short_or_changed_is_damaged() -> None:
    for whole in (make_png(), make_jpg()):
        for end in range(12, len(whole) - 1, 7):
            assert _refused("a", whole[:end])[1] == "damaged", end
    broken = bytearray(make_png())
    broken[20] ^= 1
    assert _refused("a.png", bytes(broken))[1] == "damaged"
    for body in (b"\xff\xd8\xff\xd9" + bytes(20), b"\xff\xd8" + b"\xff" * 2000, b"\xff\xd8\xff\xe0\x00\x01"):
        assert _refused("a.jpg", body)[1] == "damaged"


def test_a_picture_made_of_markers_alone_is_read_in_one_pass() -> None:
    for hostile in (b"\xff\xd0" * 4_000_000, b"\xff" * 9_000_000):
        assert _refused("a.jpg", b"\xff\xd8" + hostile)[1] == "damaged"
    assert _refused("a.png", b"\x89PNG\r\n\x1a\n" + chunk(b"teXt", b"") * 700_000)[1] == "damaged"


def test_a_pdf_keeps_its_words_and_loses_scripts_forms_files_and_its_author() -> None:
    found = read("a.pdf", make_pdf(photograph=make_jpg(segment(0xE1, b"Exif\0\0" + GPS))))
    assert "198.51.100.23" in found.text
    reader = PdfReader(BytesIO(found.body))
    assert "198.51.100.23" in reader.pages[0].extract_text()
    assert not reader.metadata and not reader.attachments
    assert set(reader.trailer["/Root"]) <= {"/Type", "/Pages"}  # type: ignore[arg-type]
    for told in (b"hostile script", b"Camera Owner", b"internal title", b"inner.exe", b"MZ inner", GPS, b"pypdf"):
        assert told not in found.body, told


def test_a_pdf_that_cannot_be_read_is_refused_and_costs_little() -> None:
    assert _refused("a.pdf", make_pdf(encrypted=True))[1] == "encrypted-pdf"
    assert _refused("a.pdf", make_pdf(pages=201))[1] == "too-complex"
    assert _refused("a.pdf", b"%PDF-1.7\nnothing of the kind")[1] == "damaged"
    assert _refused("a.pdf", b"%PDF-1.7\n" + b"1 0 obj\n" * 30_000)[1] in {"too-complex", "damaged"}
    assert _refused("a.pdf", _bomb())[1] in {"too-complex", "damaged"}


def test_a_pdf_that_finds_others_being_read_is_refused_alone_and_can_be_sent_again(app: Flask) -> None:
    from exchange import attachment_pdf

    client = _signed_in(app)
    with app.extensions["stores"].case.reading() as db:
        own = db.scalars(select(Person)).one().organization_id
    token = _token(client.get("/reports/new").text)
    assert attachment_pdf._turns.take(own)
    try:
        files = [_sent("a.pdf", make_pdf()), _sent("b.txt", b"words")]
        answer = client.post("/reports/check", data=_typed(csrf_token=token, attachment=files))
        assert answer.status_code == 422 and "少し待ってから" in answer.text and len(_attached(answer.text)) == 1
        assert client.post("/reports", data=_typed(csrf_token=token, idempotency_key="k")).status_code == 303
        assert read("a.pdf", make_pdf(), whose="another").kind == "pdf"
    finally:
        attachment_pdf._turns.give(own)
    again = client.post("/attachments", data={"csrf_token": token, "attachment": _sent("a.pdf", make_pdf())})
    assert again.status_code == 201


def test_a_turn_is_taken_from_nobody_else() -> None:
    turns = Turns(2, of_one=1)
    assert turns.take("a") and not turns.take("a")
    assert turns.take("b") and not turns.take("c")
    turns.give("a")
    assert turns.take("c") and not turns.take("a")
    assert set(turns._held) == {"b", "c"}


def _bomb() -> bytes:
    """A page of 200 kB that becomes 200 MB."""
    packed = zlib.compress(bytes(200_000_000), 9)
    parts = [
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 9 9]/Contents 4 0 R>>",
        b"<</Length %d/Filter/FlateDecode>>stream\n" % len(packed) + packed + b"\nendstream",
    ]
    body, places = b"%PDF-1.4\n", []
    for number, part in enumerate(parts, 1):
        places.append(len(body))
        body += b"%d 0 obj" % number + part + b"endobj\n"
    table = b"".join(b"%010d 00000 n \n" % at for at in places)
    head = b"xref\n0 5\n0000000000 65535 f \n"
    return body + head + table + b"trailer<</Size 5/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF" % len(body)


def test_of_a_mail_the_header_the_words_and_the_links_are_kept_and_nothing_is_opened() -> None:
    found = read("mail.eml", make_mail())
    for told in ("【至急】請求書のご確認", "billing@phish.example", "http://phish.example/pay", "請求書.exe"):
        assert told in found.text
    assert "https://landing.example/x?a=1&b=2" in found.text
    assert b"MZ hostile" not in found.body and b64encode(b"MZ hostile") not in found.body
    assert found.media_type == "text/plain; charset=utf-8"


def test_only_the_charsets_of_mails_are_read_and_no_codec_of_pythons_own() -> None:
    """One of them, punycode, takes the square of a text's length."""
    for charset, words in (("iso-2022-jp", "日本語"), ("EUC-JP", "日本語"), ("gb2312", "汉字"), ("utf-16", "語")):
        head = f"From: a@b.example\nSubject: x\nContent-Type: text/plain; charset={charset}\n".encode()
        sealed = b"Content-Transfer-Encoding: base64\n\n" + b64encode(words.encode(charset))
        assert words in read("a.eml", head + sealed).text, charset
    hostile = (
        b"Content-Type: text/plain; charset=punycode",
        b"Content-Type: text/plain; charset*=punycode''utf-8-",
        b"Content-Disposition: attachment; filename*=punycode''bcher-kva",
        b"Content-Type: multipart/mixed; boundary*=punycode''bcher-kva",
        b"Subject: =?punycode?Q?bcher-kva?=",
    )
    for line in hostile:
        text = read("a.eml", b"From: a@b.example\nTo: c@d.example\n" + line + b"\n\n--b\xc3\xbccher\nbcher-kva").text
        assert "bcher-kva" in text and "bücher" not in text.replace("--bücher", ""), line


def test_a_field_that_is_too_long_is_never_taken_apart() -> None:
    head = b"From: a@b.example\nSubject: x\nContent-Type: multipart/mixed"
    assert _refused("a.eml", head + b";" * 5_000_000 + b"\n\nwords")[1] == "too-complex"


def test_a_mail_of_boxes_in_boxes_is_refused() -> None:
    head = b"From: a@b.example\nSubject: x\n"
    deep = b"".join(b'Content-Type: multipart/mixed; boundary="b%d"\n\n--b%d\n' % (n, n) for n in range(500))
    assert _refused("a.eml", head + deep)[1] == "too-complex"
    forwarded = b"Content-Type: message/rfc822\n\nFrom: a@b.example\n" * 1000
    assert _refused("a.eml", head + forwarded)[1] == "too-complex"


def test_strange_headers_are_read_and_monstrous_ones_refused_at_once() -> None:
    head = b"From: a@b.example\nTo: =?x-none?Q?=FF=FE?= =?utf-8?B?!!!!?=\nSubject: "
    for subject in (b"=?" * 5000, b"(" * 15_000, b"=?utf-8?q?" + b"=41" * 3000 + b"?=", b"\xff" * 1000):
        assert read("a.eml", head + subject + b"\n\nwords").kind == "eml"
    for monster in (b"=?utf-8?b?QUFB?= " * 500_000, b"x\n" + b"a: b\n" * 1_500_000, b"x\n" + b" y\n" * 3_000_000):
        assert _refused("a.eml", head + monster + b"\n\nwords")[1] == "too-complex"


@pytest.mark.parametrize(
    "body",
    [
        make_zip({"a.txt": b"x"}, marked=True)[:-1],
        make_zip({"a.txt": b"x"}, marked=True) + b"tail",
        b"PK\x03\x04" + bytes(100),
        b"PK\x05\x06" + bytes(18),
        make_zip({"a.txt": b"x"}, marked=True).replace(b"PK\x01\x02", b"PK\x01\x03"),
        # Encrypted in the list, and open where it lies.
        make_zip({"a.txt": b"x" * 50}, marked=True).replace(b"PK\x03\x04\x14\x00\x01", b"PK\x03\x04\x14\x00\x00"),
    ],
)
def test_only_a_whole_zip_with_everything_encrypted_is_a_sample(body: bytes) -> None:
    assert _refused("a.zip", body) == (Unsupported, "zip-open")


def test_a_sample_is_kept_as_it_is_and_never_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    body = make_zip({"bomb.bin": bytes(50_000_000), "dir/": b""}, marked=True)
    monkeypatch.setattr(zipfile, "ZipFile", None)
    found = read("malware.zip", body)
    assert (found.body, found.text, found.route) == (body, "", "sample")
    assert found.media_type == "application/octet-stream"


# --- where it lies, and who gets it ---------------------------------------------------------------------------


def _reporter(stores: Stores, **more: Any) -> Viewer:
    with stores.case.transaction() as db:
        return make_viewer(db, make_organization(db, **more))


def _filed(stores: Stores, by: Viewer, files: dict[str, bytes], **answers: Any) -> tuple[str, list[UUID]]:
    with stores.case.transaction() as db:
        filed = make_report(db, by, **answers)
        ids: list[UUID] = []
        for name, body in files.items():
            ids.append(attachments.take(db, read(name, body), beside=ids, by=by, now=NOW))
        attachments.hang(db, ids, filed.version, by=by, now=NOW)
    return filed.case.ref, ids


def test_neither_name_nor_words_can_be_read_in_the_database(sqlite_settings: Settings) -> None:
    from exchange.stores import open_stores

    stores = open_stores(sqlite_settings)
    by = _reporter(stores)
    _filed(stores, by, {"極秘の名前.txt": SECRET.encode(), "a.png": make_png()})
    stores.close()
    for path in Path(sqlite_settings.var).glob("case.db*"):
        raw = path.read_bytes()
        for told in (SECRET.encode(), "極秘の名前".encode(), b"secret-of-the-file", b"IHDR"):
            assert told not in raw, path.name


def test_what_is_in_a_file_is_recognised_and_waits_for_a_person(stores: Stores) -> None:
    by = _reporter(stores)
    ref, _ = _filed(stores, by, {"log.txt": b"198.51.100.77 and 203.0.113.45"}, ioc_paste="203.0.113.45")
    with stores.case.transaction() as db:
        version = incidents.latest(incidents.find_own(db, ref, by))
        findings.normalise(db, version.id, now=NOW, documentation_is_real=True)
        kept = {value: row.excluded for row, value in findings.kept(db, version.id)}
    assert kept == {"203.0.113.45": None, "198.51.100.77": "attached"}
    assert findings.told("attached") == "held"


def test_a_file_that_comes_later_is_looked_through_too_and_three_are_enough(stores: Stores) -> None:
    by = _reporter(stores)
    ref, _ = _filed(stores, by, {"a.txt": b"one", "b.txt": b"two"}, ioc_paste="")
    with stores.case.transaction() as db:
        third = attachments.take(db, read("c.txt", b"198.51.100.88"), beside=[], by=by, now=NOW)
        attachments.add_later(db, ref, [third], by=by, now=NOW)
        fourth = attachments.take(db, read("d.txt", b"more"), beside=[], by=by, now=NOW)
    with pytest.raises(Refused), stores.case.transaction() as db:
        attachments.add_later(db, ref, [fourth], by=by, now=NOW)
    with stores.case.transaction() as db:
        case = incidents.find_own(db, ref, by)
        findings.normalise(db, case.versions[0].id, now=NOW, documentation_is_real=True)
        assert [value for _, value in findings.kept(db, case.versions[0].id)] == ["198.51.100.88"]
        assert {one.name for one in attachments.of_case(db, case)} == {"a.txt", "b.txt", "c.txt"}


def test_the_same_file_twice_is_one_and_a_fourth_is_refused(stores: Stores) -> None:
    by = _reporter(stores)
    with stores.case.transaction() as db:
        first = attachments.take(db, read("a.txt", b"one"), beside=[], by=by, now=NOW)
        assert attachments.take(db, read("b.txt", b"one"), beside=[first], by=by, now=NOW) == first
        more = [first, *(attachments.take(db, read("c", b"%d" % n), beside=[], by=by, now=NOW) for n in range(2))]
        with pytest.raises(Refused):
            attachments.take(db, read("d.txt", b"four"), beside=more, by=by, now=NOW)


def test_what_waits_is_gone_after_a_day_and_what_is_filed_stays(stores: Stores) -> None:
    by = _reporter(stores)
    _filed(stores, by, {"a.txt": b"filed"})
    with stores.case.transaction() as db:
        attachments.take(db, read("b.txt", b"waits"), beside=[], by=by, now=NOW)
    with stores.case.transaction() as db:
        assert attachments.forget(db, now=NOW + timedelta(hours=23)) == 0
        assert attachments.forget(db, now=NOW + timedelta(hours=25)) == 1
        assert len(db.scalars(select(Attachment)).all()) == 1


def test_nobody_takes_or_drops_what_waits_for_another_organization(stores: Stores) -> None:
    by, other = _reporter(stores), _reporter(stores)
    with stores.case.transaction() as db:
        mine = attachments.take(db, read("a.txt", b"one"), beside=[], by=by, now=NOW)
        assert attachments.pending(db, [mine], by=other) == []
        attachments.drop(db, mine, by=other)
        assert attachments.hang(db, [mine], make_report(db, other).version, by=other, now=NOW) == 0
        attachments.drop(db, mine, by=by)
        assert attachments.pending(db, [mine], by=by) == []


def test_only_those_who_may_open_the_report_get_its_files_and_that_is_audited(stores: Stores) -> None:
    by, other = _reporter(stores), _reporter(stores)
    with stores.case.transaction() as db:
        officer = make_viewer(db, make_organization(db, kind=Kind.NCO), Role.ANALYST)
        isac = make_viewer(db, make_organization(db, kind=Kind.ISAC, isacs=["t-isac"]), Role.READER)
        mlit = make_viewer(db, make_organization(db, kind=Kind.AUTHORITY, authority="mlit"), Role.READER)
    _, open_ids = _filed(stores, by, {"a.txt": SECRET.encode()}, share_scope="nco")
    _, closed_ids = _filed(stores, by, {"a.txt": SECRET.encode()}, share_scope="legal-only", summary="x")
    for attachment_id, allowed in ((open_ids[0], [by, officer]), (closed_ids[0], [by])):
        for viewer in (by, officer, other, isac, mlit):
            with stores.case.transaction() as db:
                if viewer in allowed:
                    found = attachments.open_file(db, attachment_id, by=viewer, now=NOW)
                    assert found.body == SECRET.encode()
                else:
                    with pytest.raises(NotFound):
                        attachments.open_file(db, attachment_id, by=viewer, now=NOW)
    with stores.case.reading() as db:
        told = [entry.entry for entry in db.scalars(select(AuditEntry)) if "attachment.read" in entry.entry]
    assert len(told) == 3 and not any(SECRET in entry for entry in told)


def test_a_file_that_waits_is_handed_to_nobody(stores: Stores) -> None:
    by = _reporter(stores)
    with stores.case.transaction() as db:
        waits = attachments.take(db, read("a.txt", b"one"), beside=[], by=by, now=NOW)
        with pytest.raises(NotFound):
            attachments.open_file(db, waits, by=by, now=NOW)


# --- pages ------------------------------------------------------------------------------------------------------


@pytest.fixture
def app(sqlite_settings: Settings) -> Iterator[Flask]:
    """The portal."""
    made = create_app(sqlite_settings)
    yield made
    made.extensions["stores"].close()


def _token(page: str) -> str:
    found = re.search(r'name="csrf_token" value="([^"]+)"', page)
    assert found
    return found[1]


def _signed_in(app: Flask, kind: Kind = Kind.OPERATOR, role: Role = Role.REPORTER) -> FlaskClient:
    client = app.test_client()
    with app.extensions["stores"].case.transaction() as db:
        name = make_viewer(db, make_organization(db, kind=kind), role).username
    typed = {"username": name, "password": "right horse", "csrf_token": _token(client.get("/login").text)}
    assert client.post("/login", data=typed).status_code == 303
    return client


def _typed(**more: Any) -> dict[str, Any]:
    answers = make_answers(aware_date="2026-11-20", aware_time="10:00")
    del answers["aware_at"]
    return answers | more


def _sent(name: str, body: bytes) -> tuple[BytesIO, str]:
    return BytesIO(body), name


def _attached(page: str) -> list[str]:
    return re.findall(r'name="attached" value="([0-9a-f-]{36})"', page)


def test_files_come_with_the_form_without_scripts_and_survive_its_errors(app: Flask) -> None:
    client = _signed_in(app)
    token = _token(client.get("/reports/new").text)
    files = [_sent("ログ.txt", SECRET.encode()), _sent("a.png", make_png())]
    wrong = client.post("/reports/check", data=_typed(csrf_token=token, callback="x", attachment=files))
    assert wrong.status_code == 422 and len(_attached(wrong.text)) == 2 and "ログ.txt" in wrong.text
    right = client.post("/reports/check", data=_typed(csrf_token=token, attached=_attached(wrong.text)))
    assert right.status_code == 200 and "ログ.txt" in right.text
    hidden = _attached(right.text)
    answer = client.post("/reports", data=_typed(csrf_token=token, idempotency_key="k", attached=hidden))
    assert answer.status_code == 303
    ref = answer.headers["Location"].split("/")[2]
    page = client.get(f"/cases/{ref}/attachments")
    assert "ログ.txt" in page.text and "a.png" in page.text


def test_a_file_that_is_refused_says_why_beside_the_question_and_the_others_stay(app: Flask) -> None:
    client = _signed_in(app)
    token = _token(client.get("/reports/new").text)
    files = [_sent("good.txt", b"words"), _sent("evil.exe", b"MZ\x90\0" + bytes(50))]
    answer = client.post("/reports/check", data=_typed(csrf_token=token, attachment=files))
    assert answer.status_code == 415 and len(_attached(answer.text)) == 1
    assert "「evil.exe」は実行できるファイル" in answer.text
    large = _large(client, "/reports/check", token, 10_000_001)
    assert large.status_code == 413 and "大きすぎます" in large.text


def test_a_file_that_waits_can_be_taken_away(app: Flask) -> None:
    client = _signed_in(app)
    token = _token(client.get("/reports/new").text)
    kept = client.post("/reports/edit", data=_typed(csrf_token=token, attachment=[_sent("a.txt", b"words")]))
    (attached,) = _attached(kept.text)
    gone = client.post("/reports/edit", data=_typed(csrf_token=token, attached=attached, detach=attached))
    assert gone.status_code == 200 and not _attached(gone.text)
    with app.extensions["stores"].case.reading() as db:
        assert db.scalars(select(Attachment)).all() == []


def test_a_script_may_send_files_one_by_one(app: Flask) -> None:
    client = _signed_in(app)
    token = _token(client.get("/reports/new").text)
    answer = client.post("/attachments", data={"csrf_token": token, "attachment": _sent("a.txt", b"words")})
    assert answer.status_code == 201 and answer.json and UUID(answer.json["id"]) and answer.json["name"] == "a.txt"
    refused = client.post("/attachments", data={"csrf_token": token, "attachment": _sent("a.exe", b"MZ\0\0")})
    assert refused.status_code == 415 and refused.json and "a.exe" in refused.json["message"]
    assert client.post("/attachments", data={"csrf_token": token}).status_code == 422
    assert client.post("/attachments", data={"attachment": _sent("a.txt", b"x")}).status_code == 400


def test_a_file_is_handed_out_as_a_download_that_can_do_nothing(app: Flask) -> None:
    stores, client = app.extensions["stores"], _signed_in(app)
    token = _token(client.get("/reports/new").text)
    data = _typed(csrf_token=token, idempotency_key="k", attachment=[_sent("報告 '書'.csv", b"=cmd,1\n")])
    ref = client.post("/reports", data=data).headers["Location"].split("/")[2]
    page = client.get(f"/cases/{ref}/attachments").text
    path = re.search(r'href="(/attachments/[0-9a-f-]{36})"', page)
    assert path
    answer = client.get(path[1])
    assert answer.data == b"=cmd,1\n" and answer.mimetype == "text/plain"
    assert "sandbox" in answer.headers["Content-Security-Policy"]
    assert answer.headers["X-Content-Type-Options"] == "nosniff" and answer.headers["Cache-Control"] == "no-store"
    disposition = answer.headers["Content-Disposition"]
    assert disposition.startswith("attachment;") and "報告 '書'.csv.txt" in unquote(disposition)
    assert app.test_client().get(path[1]).status_code == 302
    assert _signed_in(app).get(path[1]).status_code == 404
    with stores.case.reading() as db:
        assert len(db.scalars(select(ReportVersion)).unique().all()) == 1


def test_more_files_can_be_added_to_a_case(app: Flask) -> None:
    client = _signed_in(app)
    token = _token(client.get("/reports/new").text)
    filed = client.post("/reports", data=_typed(csrf_token=token, idempotency_key="k"))
    path = f"/cases/{filed.headers['Location'].split('/')[2]}/attachments"
    answer = client.post(
        path, data={"csrf_token": token, "attachment": [_sent("a.txt", b"one"), _sent("b.txt", b"two")]}
    )
    assert (answer.status_code, answer.headers["Location"]) == (303, path)
    assert "a.txt" in client.get(path).text and "b.txt" in client.get(path).text
    wrong = client.post(path, data={"csrf_token": token, "attachment": [_sent("c.html", b"<html>")]})
    assert wrong.status_code == 415 and "c.html" in wrong.text
    assert client.post(path, data={"csrf_token": token}).status_code == 422
    assert _signed_in(app).get(path).status_code == 404


def _large(client: FlaskClient, path: str, token: str, size: int) -> Any:
    """A file too large for the test client, which would write it to the disk."""
    head = f'--b\r\nContent-Disposition: form-data; name="csrf_token"\r\n\r\n{token}\r\n--b\r\n'
    head += 'Content-Disposition: form-data; name="attachment"; filename="a.txt"\r\n\r\n'
    body = head.encode() + b"x" * size + b"\r\n--b--\r\n"
    return client.post(path, data=body, content_type="multipart/form-data; boundary=b")


def test_only_who_signed_in_may_send_a_body_with_files(app: Flask) -> None:
    assert _large(app.test_client(), "/attachments", "x", 600_000).status_code == 413
    client = _signed_in(app)
    token = _token(client.get("/reports/new").text)
    assert _large(client, "/attachments", token, 600_000).status_code == 201
    assert _large(client, "/attachments", token, 31_000_001).status_code == 413
    assert _large(client, "/login", token, 600_000).status_code == 413


def test_a_few_large_bodies_at_once_are_enough(app: Flask) -> None:
    from portal import body

    client = _signed_in(app)
    token = _token(client.get("/reports/new").text)
    assert [_large(client, "/attachments", token, 600_000 + n).status_code for n in range(9)] == [201] * 9
    for other in range(8):
        assert body._large.take(other)
    try:
        assert _large(client, "/attachments", token, 600_000).status_code == 503
    finally:
        for other in range(8):
            body._large.give(other)
    assert _large(client, "/attachments", token, 600_000).status_code == 201


def test_one_person_sends_two_large_bodies_at_once_and_leaves_room_for_others(app: Flask) -> None:
    from portal import body

    client, other = _signed_in(app), _signed_in(app)
    with app.extensions["stores"].case.reading() as db:
        person_id = db.scalars(select(Login).order_by(Login.created_at)).first().person_id
    token, others = (_token(one.get("/reports/new").text) for one in (client, other))
    assert body._large.take(person_id) and body._large.take(person_id)
    try:
        assert _large(client, "/attachments", token, 600_000).status_code == 503
        assert _large(other, "/attachments", others, 600_000).status_code == 201
        assert (
            client.post("/attachments", data={"csrf_token": token, "attachment": _sent("a", b"x")}).status_code == 201
        )
    finally:
        for _ in range(2):
            body._large.give(person_id)


def test_a_cookie_whose_login_is_over_takes_no_place_of_large_bodies(app: Flask) -> None:
    client = _signed_in(app)
    token = _token(client.get("/reports/new").text)
    with app.extensions["stores"].case.transaction() as db:
        accounts.end(db, db.scalars(select(Person)).one(), now=NOW)
    assert _large(client, "/attachments", token, 600_000).status_code == 413


def test_a_form_of_too_many_parts_is_refused_on_a_page(app: Flask) -> None:
    part = 'Content-Disposition: form-data; name="a%d"\r\n\r\nx\r\n'
    body = "".join(f"--b\r\n{part % n}" for n in range(300)) + "--b--\r\n"
    answer = app.test_client().post("/login", data=body, content_type="multipart/form-data; boundary=b")
    assert (answer.status_code, answer.mimetype) == (413, "text/html")


def test_nothing_of_a_file_is_written_to_the_disk_on_its_way(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a file on disk")

    client = _signed_in(app)
    token = _token(client.get("/reports/new").text)
    monkeypatch.setattr("werkzeug.formparser.SpooledTemporaryFile", refuse)
    assert _large(client, "/attachments", token, 2_000_000).status_code == 201


def test_files_wait_with_a_draft_and_go_with_it(app: Flask) -> None:
    client, stores = _signed_in(app), app.extensions["stores"]
    token = _token(client.get("/reports/new").text)
    saved = client.post("/reports/later", data=_typed(csrf_token=token, attachment=[_sent("a.txt", b"words")]))
    assert saved.status_code == 303
    with stores.case.transaction() as db:
        assert attachments.forget(db, now=NOW + timedelta(days=30)) == 0
        (row,) = db.scalars(select(Attachment)).all()
    page = client.get(f"/reports/new?draft={row.draft_id}").text
    assert _attached(page) == [str(row.id)]
    data = _typed(csrf_token=token, idempotency_key="k", draft=str(row.draft_id), attached=_attached(page))
    assert client.post("/reports", data=data).status_code == 303
    with stores.case.reading() as db:
        assert db.scalars(select(Attachment)).one().report_version_id is not None


@pytest.mark.timeout(120)
def test_a_browser_sends_several_large_files_one_after_another(app: Flask) -> None:
    path = shutil.which("chromium")
    if path is None:
        pytest.skip("chromium is not on PATH")
    with app.extensions["stores"].case.transaction() as db:
        name = make_viewer(db, make_organization(db)).username
    server = make_server("127.0.0.1", 0, app, threaded=True)
    serving = Thread(target=server.serve_forever)
    serving.start()
    try:
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu"])
            page = browser.new_page()
            page.goto(f"http://127.0.0.1:{server.server_port}/login?next=/reports/new")
            page.fill("[name=username]", name)
            page.fill("[name=password]", "right horse")
            page.press("[name=password]", "Enter")
            files = [{"name": f"{n}.txt", "mimeType": "text/plain", "buffer": b"%d" % n * 900_000} for n in range(3)]
            page.locator("[data-upload] input[type=file]").set_input_files(files)  # type: ignore[arg-type]
            page.locator("[data-files] input[name=attached]:enabled").nth(2).wait_for(state="attached")
            assert page.locator("[data-files] li[data-failed]").count() == 0
            browser.close()
    finally:
        server.shutdown()
        serving.join()
        server.server_close()
    with app.extensions["stores"].case.reading() as db:
        assert len(db.scalars(select(Attachment)).all()) == 3
