"""The wire's limit: pages that are bytes in memory, sent by nothing but a WSGI callable."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path
from urllib.parse import parse_qs

_PAGES = [page.read_bytes() for page in sorted(Path(os.environ["BENCH_PAGES"]).glob("*.json"))]
Start = Callable[[str, list[tuple[str, str]]], object]


def app(environ: dict[str, str], start_response: Start) -> Iterable[bytes]:
    """Page number `next`, which is in the page before it."""
    page = _PAGES[int(parse_qs(environ["QUERY_STRING"]).get("next", ["0"])[0])]
    headers = [("Content-Type", "application/taxii+json;version=2.1"), ("Content-Length", str(len(page)))]
    start_response("200 OK", headers)
    return [page]
