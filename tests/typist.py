"""Somebody who types reports into the pages, without scripts; and a portal that answers over HTTP for it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from html import unescape
from html.parser import HTMLParser
from threading import Thread
from typing import Any
from urllib.parse import urljoin, urlsplit

import requests
from flask import Flask
from werkzeug.serving import make_server

from exchange.form import FIELDS
from exchange.typed import Pairs
from tests.pages import Reader

Json = dict[str, Any]
FIELD_LIST = list(FIELDS.values())
NEXT, LIST = ("action", "next"), ("action", "list")


@contextmanager
def serving(app: Flask) -> Iterator[str]:
    """The address of this portal, which answers in threads of this process until the end."""
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
        app.extensions["stores"].close()


class _Form(HTMLParser):
    """The controls of the first form with one id or action, as a browser would post them untouched."""

    def __init__(self, wanted: str) -> None:
        super().__init__()
        self._wanted, self._inside, self._text, self._select = wanted, False, "", ""
        self.action, self.typed = "", dict[str, list[str]]()
        self.names: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            self._inside = not self.action and self._wanted in (given.get("id"), given.get("action"))
            self.action = given["action"] if self._inside else self.action
        elif self._inside and tag in {"input", "textarea", "select", "option"}:
            self._control(tag, given)

    def _control(self, tag: str, given: dict[str, str]) -> None:
        kind, name = given.get("type", "text"), given.get("name", "")
        self.names.add(name)
        if tag == "textarea":
            self._text = name
            self.typed[name] = [""]
        elif tag == "select":
            self._select = name
            self.typed[name] = [""]
        elif tag == "option" and "selected" in given:
            self.typed[self._select] = [given["value"]]
        elif tag == "input" and (kind not in {"radio", "checkbox"} or "checked" in given):
            self.typed.setdefault(name, []).append(given.get("value", ""))

    def handle_data(self, data: str) -> None:
        if self._text:
            self.typed[self._text][0] += data

    def handle_endtag(self, tag: str) -> None:
        if tag == "textarea" and self._text:
            # HTML drops the line feed right after the tag, and posts the others as CR LF.
            text = self.typed[self._text][0].removeprefix("\n")
            self.typed[self._text], self._text = [text.replace("\n", "\r\n")], ""


class Typist(Reader):
    """Somebody who types into the boxes that are there, and presses buttons."""

    at = ""

    def form(self, wanted: str) -> _Form:
        found = _Form(wanted)
        found.feed(self.page)
        assert found.action, f"no form {wanted}"
        return found

    def press(
        self, wanted: str, button: tuple[str, str] | None = None, /, to: str = "", **said: str | list[str]
    ) -> requests.Response:
        """Type (`x__y` is the box `x.y`), and press a button. Every box that is typed into must be there."""
        form = self.form(wanted)
        new = {name.replace("__", "."): [v] if isinstance(v, str) else v for name, v in said.items()}
        assert new.keys() <= form.names, new.keys() - form.names
        pairs = [(name, value) for name, values in {**form.typed, **new}.items() for value in values]
        return self._post(to or form.action, [*pairs, button] if button else pairs)

    def _post(self, path: str, pairs: list[tuple[str, str]]) -> requests.Response:
        return self._keep(self._session.post(urljoin(self._portal_url, path), data=pairs, timeout=30))

    def _keep(self, answer: requests.Response) -> requests.Response:
        self.at = urlsplit(answer.url).path
        return super()._keep(answer)

    def says(self, *words: str) -> bool:
        """Whether the page shows all of these."""
        text = " ".join(unescape(re.sub(r"<[^>]*>", " ", self.page)).split())
        return all(" ".join(one.split()) in text for one in words)


def begin(reader: Typist, ref: str, stage: str = "zokuhou") -> str:
    """Begin a draft with the button of the case; its path."""
    reader.open(f"/cases/{ref}")
    assert reader.press(f"/cases/{ref}/drafts", ("stage", stage)).status_code == 200
    return reader.at


def type_section(reader: Typist, section: str, pairs: Pairs) -> None:
    """Everything that belongs into this section, with as many rows and further questions as it takes; then on."""
    mine = {name: values for name, values in pairs.items() if FIELDS[name.partition(".")[0]]["section"] == section}
    for name in sorted(mine):
        table, _, rest = name.partition(".")
        if FIELDS[table]["input"] == "table" and name not in reader.form("draft").names:
            reader.press("draft", ("action", f"add:{table}"))
            row = f"{table}.{rest.partition('.')[0]}."
            reader.press("draft", ("lang", "ja"), **{n: values for n, values in mine.items() if n.startswith(row)})
    asked = {name: values for name, values in mine.items() if name in reader.form("draft").names}
    if asked.keys() < mine.keys():
        reader.press("draft", ("lang", "ja"), **asked)
    reader.press("draft", NEXT, **mine)
