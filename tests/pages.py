"""A reader of pages: signs in and sends forms as a browser without scripts does."""

from __future__ import annotations

from html.parser import HTMLParser
from urllib.parse import urljoin

import requests

Pairs = list[tuple[str, str]]


class _Forms(HTMLParser):
    """The forms of a page: where each goes, and its hidden fields."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, Pairs]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.found.append((given.get("action", ""), []))
        elif tag == "input" and given.get("type") == "hidden" and self.found:
            self.found[-1][1].append((given["name"], given.get("value", "")))


class Reader:
    """Somebody at a browser."""

    def __init__(self, portal_url: str) -> None:
        self._portal_url = portal_url
        self._session = requests.Session()
        self.page = ""

    def __enter__(self) -> Reader:
        return self

    def __exit__(self, *_: object) -> None:
        self._session.close()

    def open(self, path: str) -> requests.Response:
        """Go to a page of the portal."""
        return self._keep(self._session.get(urljoin(self._portal_url, path), timeout=30))

    def send(self, path: str, pairs: Pairs) -> requests.Response:
        """Send the form on this page that goes to `path`, with its hidden fields."""
        forms = _Forms()
        forms.feed(self.page)
        hidden = next(fields for action, fields in forms.found if action == path)
        return self._keep(self._session.post(urljoin(self._portal_url, path), data=[*hidden, *pairs], timeout=30))

    def sign_in(self, username: str, password: str) -> None:
        """Sign in, and be on the first page."""
        self.open("/login")
        answer = self.send("/login", [("username", username), ("password", password)])
        assert answer.status_code == 200 and "/login" not in answer.url

    def _keep(self, answer: requests.Response) -> requests.Response:
        self.page = answer.text
        return answer
