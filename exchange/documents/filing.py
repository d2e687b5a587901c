"""A filed version of a report, with all that its documents may say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True)
class Filing:
    """One filed version.

    Attributes:
        organisation: the profile, opened, with the sector: name_ja, name_en, corporate_number, sector, prefecture_ja,
            contacts (each with role, name, phone, email).
        answers: all that is known, as it is kept (JSON).
        stage: sokuhou, zokuhou, kakuhou or correction.
        doubt: `unconfirmed` if nobody knows yet whether it is the organization's own, `disowned` if it is not.
        decision: what was decided about this version, as it is kept (JSON of `rules.Decision`).
    """

    organisation: Mapping[str, Any]
    answers: Mapping[str, Any]
    ref: str
    stage: str
    seq: int
    received_at: datetime
    decision: Mapping[str, Any]
    exercise: bool = False
    doubt: str | None = None

    @property
    def known(self) -> Mapping[str, object]:
        """What conditions of the tables can ask about, besides the answers."""
        regimes = self.decision["regimes"]
        return {
            "sector": self.organisation.get("sector"),
            "ci_operator": "ci-info" in regimes,
            "form": self.decision["form"],
            "regimes": regimes,
        }
