"""The objects that are the same in every installation and in every collection: who publishes all this."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from exchange.stix import ids, names
from exchange.stix.draft import Draft, common, in_language, twin
from exchange.stix.render import Rendered, render

# A change of any text below needs a later `modified`, because somebody holds the version of this day.
_SINCE: Final = datetime(2026, 11, 21, tzinfo=UTC)
_IDS: Final = {"portal": ids.PORTAL, "language:portal": ids.PORTAL_IN_ENGLISH}


def fixed_objects() -> list[Rendered]:
    """The publisher's identity, TLP:CLEAR, and its English twin. Every collection has both."""
    texts = {"name": names.PORTAL}
    body = {
        **common("clear"),
        "lang": "ja",
        **in_language(texts, "ja"),
        "identity_class": "organization",
        "sectors": ["government"],
    }
    drafts = [Draft("portal", "identity", body), twin("portal", ids.PORTAL, "clear", "ja", texts)]
    return render(drafts, {}, id_of=lambda key, _: _IDS[key], now=_SINCE)
