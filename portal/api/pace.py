"""How fast a program may file."""

from __future__ import annotations

import time

from exchange import quotas
from exchange.times import utcnow
from portal import current


def keep() -> None:
    """Slow down one that files more than any incident needs; nobody is refused, and nothing is locked meanwhile."""
    with current.case_store().reading() as db:
        pause_s = quotas.pause_s(db, current.viewer().organization_id, now=utcnow())
    if pause_s:
        time.sleep(pause_s)
