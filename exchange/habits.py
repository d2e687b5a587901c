"""What the counters of a client mean: findings in plain words, the worst first. Pure, and the same for both doors.

The words, and how grave each finding is, stand in `data/habits.json`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from exchange.models import ClientHabit, Collection
from exchange.polls import COUNTED, Habit
from exchange.tables import table

_SILENT = timedelta(days=1)
_SHARE_OF_RETRIES = 0.05
"""A page is asked for twice now and then, when an answer was lost on the way."""


@dataclass(frozen=True)
class Finding:
    """Something amiss with a client.

    Attributes:
        where: the collections in which it was seen; none if it concerns the account as a whole.
        times: how often it was seen, if it is something to count.
    """

    code: str
    where: tuple[Collection, ...] = ()
    times: int = 0

    @property
    def kind(self) -> str:
        """`error` where objects may not arrive, `warning` where the client does more than it need, else `info`."""
        return str(table("habits")[self.code]["kind"])

    @property
    def says(self) -> Mapping[str, str]:
        """What is amiss, `ja` and `en`."""
        return self._words("says")

    @property
    def advice(self) -> Mapping[str, str]:
        """What to do about it, `ja` and `en`."""
        return self._words("advice")

    def _words(self, part: str) -> Mapping[str, str]:
        words: Mapping[str, str] = table("habits")[self.code][part]
        return words


def findings(habits: Sequence[Habit], *, now: datetime) -> list[Finding]:
    """What the counters tell, the worst first; empty when nothing is amiss."""
    whole = _of_account(habits, now)
    each = [_counted(code, rule, habits) for code, rule in _RULES.items()]
    found = [one for one in [*whole, *each] if one is not None]
    order = list(table("habits"))
    return sorted(found, key=lambda one: order.index(one.code))


def _of_account(habits: Sequence[Habit], now: datetime) -> list[Finding]:
    polled = [one.counted.polled_at for one in habits if one.counted and one.counted.polled_at]
    if not polled:
        return [Finding("never")]
    return [Finding("stopped")] if max(polled) < now - _SILENT else []


def _counted(code: str, rule: _Rule, habits: Sequence[Habit]) -> Finding | None:
    times = [(one.collection, rule(one.counted, one.offered)) for one in habits if one.counted]
    seen = [(where, n) for where, n in times if n]
    return Finding(code, tuple(where for where, _ in seen), sum(n for _, n in seen)) if seen else None


_Rule = Callable[[ClientHabit, int], int]


def _restarts(counted: ClientHabit, offered: int) -> int:
    """Asking from the beginning is right for who has nothing yet, so what was fetched decides."""
    again = counted.restarts > 1 and counted.objects >= 2 * max(offered, 1)
    return counted.restarts if again else 0


def _repeated(counted: ClientHabit, _offered: int) -> int:
    return counted.repeated if counted.repeated > _SHARE_OF_RETRIES * counted.polls else 0


_RULES: Mapping[str, _Rule] = {
    "skipped": lambda counted, _: counted.skipped,
    "future": lambda counted, _: counted.future,
    "wrong_media": lambda counted, _: counted.wrong_media,
    "unknown_parameters": lambda counted, _: counted.unknown_parameters,
    "restarts": _restarts,
    "repeated": _repeated,
    "no_version": lambda counted, _: counted.no_version,
}


def counters(habit: Habit) -> dict[str, Any]:
    """Every counter by its name, zero for what was never counted."""
    return {name: getattr(habit.counted, name) if habit.counted else 0 for name in COUNTED}
