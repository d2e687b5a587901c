"""Which media types a client may ask for, and which it may send (TAXII 2.1, section 3.1)."""

from __future__ import annotations

from functools import lru_cache

from flask import request
from werkzeug.http import parse_accept_header, parse_options_header

from taxii_server.errors import MEDIA_TYPE

_TAXII = {"application/taxii+json", "application/vnd.oasis.taxii+json"}
_ANYTHING = {"*/*", "application/*"}


def show_what_views_know() -> None:
    """medallion's views know one spelling of Accept, and GET but not HEAD."""
    request.environ["HTTP_ACCEPT"] = MEDIA_TYPE
    if request.method == "HEAD":  # The server leaves the body out by what stands in the environment.
        request.method = "GET"


def names_version(header: str) -> bool:
    """Whether the client says which version it takes, as it should (TAXII 2.1, section 3.1)."""
    return "version" in header or "*" in header


@lru_cache(maxsize=256)
def accepts(header: str) -> bool:
    """Whether a client with this Accept header takes TAXII 2.1. Parameters other than the version do not matter."""
    return any(quality > 0 and _is_ours(media_range) for media_range, quality in parse_accept_header(header))


def sends_taxii(header: str) -> bool:
    """Whether this Content-Type is a TAXII 2.1 resource, with or without its version."""
    return _is_ours(header) and "*" not in header


def _is_ours(media_range: str) -> bool:
    name, parameters = parse_options_header(media_range.lower())
    if name in _ANYTHING:
        return True
    return name in _TAXII and parameters.get("version", "2.1") == "2.1"
