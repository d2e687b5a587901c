"""The two stores of an installation, opened together. The TAXII process opens only the second, by itself."""

from __future__ import annotations

from dataclasses import dataclass

from config import Settings
from exchange.db import Store
from exchange.vault import Vault


@dataclass(frozen=True)
class Stores:
    """case: reports, people, rules, audit. released: what was released."""

    case: Store
    released: Store

    def faults(self) -> list[str]:
        """What keeps the installation from serving, in words."""
        return self.case.faults() + self.released.faults()

    def close(self) -> None:
        """Let go of every connection."""
        self.case.close()
        self.released.close()


def open_stores(settings: Settings) -> Stores:
    """Open both; makes the content keys on first use."""
    vault = Vault.open(settings.keys)
    return Stores(Store(settings.database_url, "case", vault), Store(settings.released_url, "released"))
