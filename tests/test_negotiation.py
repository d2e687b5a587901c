"""TAXII 2.1, section 3.1: what may stand in Accept, as the clients that exist write it."""

from __future__ import annotations

import pytest

from taxii_server.negotiation import accepts, sends_taxii


@pytest.mark.parametrize(
    ("header", "served"),
    [
        ("application/taxii+json;version=2.1", True),
        ("application/taxii+json", True),
        ('application/taxii+json; version="2.1"; q=0.9', True),
        ("application/taxii+json;charset=utf-8;version=2.1", True),
        ("APPLICATION/TAXII+JSON;VERSION=2.1", True),
        ("application/taxii+json;version=2.1,application/stix+json;version=2.1", True),
        ("text/html, application/vnd.oasis.taxii+json", True),
        ("application/json, text/plain, */*", True),
        ("*/*", True),
        ("application/*", True),
        ("application/taxii+json;version=2.0", False),
        ("application/taxii+json;version=9.9", False),
        ("application/taxii+json;version=2.1;q=0", False),
        ("application/json", False),
        ("application/stix+json;version=2.1", False),
        ("", False),
    ],
)
def test_neg_03_and_04_what_means_taxii_2_1_is_served(header: str, served: bool) -> None:
    assert accepts(header) is served


@pytest.mark.parametrize(
    ("header", "taken"),
    [
        ("application/taxii+json;version=2.1", True),
        ("application/taxii+json;charset=utf-8", True),
        ("application/taxii+json;version=2.0", False),
        ("application/json", False),
        ("*/*", False),
        ("", False),
    ],
)
def test_neg_06_a_taxii_resource_may_be_sent_with_or_without_its_version(header: str, taken: bool) -> None:
    assert sends_taxii(header) is taken
