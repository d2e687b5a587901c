"""What the pages say about a report: answers, recipients, clocks and findings, in both languages."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import Any

from exchange import findings, form, rules, sectors, sharing
from exchange.extraction import defang, extract
from exchange.sharing import EditionKind, Scope
from exchange.tables import table
from exchange.times import JST

Words = Mapping[str, str]

EDITIONS: Mapping[EditionKind, Words] = {
    EditionKind.SHARED: {
        "ja": "匿名化した技術情報（協議会・すべてのISAC・すべてのセプター）",
        "en": "De-identified technical part (council, all ISACs, all CEPTOARs)",
    },
    EditionKind.ALLIED: {
        "ja": "匿名化した技術情報（海外CERT）",
        "en": "De-identified technical part (allied CERTs)",
    },
    EditionKind.PUBLIC: {"ja": "公開情報", "en": "Public edition"},
}
_REASONS: Mapping[str, Words] = {
    "private": {"ja": "内部アドレス", "en": "Private or reserved address"},
    "own": {"ja": "自組織のもの", "en": "Belongs to your organisation"},
    "public-suffix": {"ja": "ドメイン全体を指す", "en": "Stands for a whole public suffix"},
    "held": {"ja": "国の窓口が確かめるまで共有しません", "en": "Not shared until the national office has looked at it"},
}
_CONCERNS: Mapping[str, Words] = {
    "member": {"ja": "登録されている組織のもの", "en": "Belongs to a registered organisation"},
    "contributor": {"ja": "提供した組織自身のもの", "en": "Belongs to the contributor itself"},
    "member-term": {
        "ja": "登録されている組織の名称や連絡先などが含まれる",
        "en": "Names a registered organisation, or its people or phones",
    },
    "contributor-term": {
        "ja": "提供した組織自身の名称や連絡先などが含まれる",
        "en": "Names the contributor itself, or its people or phones",
    },
}
STAGES: Mapping[str, Words] = {"sokuhou": {"ja": "速報", "en": "Quick report"}}
VIAS: Mapping[str, Words] = {"web": {"ja": "画面", "en": "Web form"}, "api": {"ja": "API", "en": "API"}}


def option(field: str, value: object) -> Words:
    """An option's label in both languages."""
    return {lang: form.label(field, value, lang) for lang in ("ja", "en")}


@dataclass(frozen=True)
class Answer:
    """One answered question: the dictionary's entry, and what to show."""

    field: Mapping[str, Any]
    shown: list[Any]


def answers(given: Mapping[str, Any]) -> list[Answer]:
    """The answers in the order of the form; what was left open is not listed."""
    return [Answer(entry, _shown(name, given[name])) for name, entry in form.FIELDS.items() if given.get(name)]


def _shown(name: str, value: Any) -> list[Any]:
    if form.FIELDS[name]["input"] == "datetime":
        return [datetime.fromisoformat(value)]
    if form.FIELDS[name]["free_text"]:
        return [defanged(value)]
    values = value if isinstance(value, list | tuple) else [value]
    return [option(name, one) for one in values]


@dataclass(frozen=True)
class Recipient:
    """Who gets a copy, and why."""

    id: str
    name: Any
    law: Words
    reason: Words
    purpose: Any


@dataclass(frozen=True)
class Clock:
    """A deadline in words."""

    regime: str
    name: Any
    stage: str
    text: Words
    due_at: datetime | None
    due_date: date | None
    target_at: datetime | None
    warn_date: date | None

    @property
    def due(self) -> datetime | date | None:
        """When it runs out, as exactly as the rule says."""
        return self.due_at or self.due_date

    @property
    def runs_out(self) -> datetime:
        """The last moment; a day lasts to its end in Japan."""
        if self.due_date:
            return datetime.combine(self.due_date, time.max, JST)
        return self.due_at or datetime.max.replace(tzinfo=UTC)


def recipients(decision: Mapping[str, Any], at: datetime) -> list[Recipient]:
    """The recipients of a decision as it is kept (JSON)."""
    return [
        Recipient(
            id=one["id"],
            name=sectors.authority(one["id"], at).name,
            law=one["law"],
            reason=one["reason"],
            purpose=rules.purpose_name(one["purpose"]),
        )
        for one in decision["recipients"]
    ]


def clocks(decision: Mapping[str, Any]) -> list[Clock]:
    """The clocks of a decision as it is kept (JSON)."""
    return [
        Clock(
            regime=one["regime"],
            name=rules.regime_name(one["regime"]),
            stage=one["stage"],
            text=one["text"],
            due_at=_time(one["due_at"]),
            due_date=_day(one["due_date"]),
            target_at=_time(one["target_at"]),
            warn_date=_day(one["warn_date"]),
        )
        for one in decision["clocks"]
    ]


def _time(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def _day(text: str | None) -> date | None:
    return date.fromisoformat(text) if text else None


@dataclass(frozen=True)
class Found:
    """One recognised value, defanged, and why it stays (None: it may go out)."""

    type: str
    value_defanged: str
    excluded: Words | None


def found(values: Iterable[tuple[str, str, str | None]]) -> list[Found]:
    """From (type, value, reason code)."""
    return [Found(kind, defang(value, kind), excluded_because(why)) for kind, value, why in values]


def defanged(text: str) -> str:
    """The text with every address and name in it made harmless to click."""
    out, done = "", 0
    for one in extract(text, documentation_is_real=True):
        out, done = out + text[done : one.start] + defang(one.value, one.type), one.end
    return out + text[done:]


def excluded_because(reason: str | None) -> Words | None:
    """Why a value stays here: a reason of our own, or the title of the known-good list that has it."""
    code = findings.told(reason)
    if code is None:
        return None
    return _REASONS.get(code) or _listed()[code]


def concern(code: str) -> Words:
    """Why an approver should look twice at something that a member contributed."""
    return _CONCERNS.get(code) or _REASONS.get(code) or _listed()[code]


def _listed() -> Mapping[str, Words]:
    return {f"known-good:{one['id']}": one["title"] for one in table("known_good")["lists"]}


@dataclass(frozen=True)
class Sharing:
    """What will be shared with whom, before it is."""

    editions: list[Words]
    found: list[Found]


def editions_of(scope: str) -> list[Words]:
    """The editions that a scope allows, in words."""
    return [EDITIONS[kind] for kind in sharing.editions_of(Scope(scope))]


def first_aid(answers_given: Mapping[str, Any]) -> list[Words]:
    """What to do first, by kind; control systems before everything."""
    texts = table("first_aid")
    kind = answers_given["incident_kind"]
    by_kind = texts.get(kind, texts["other"])
    return [*(texts["ot"] if "ot" in answers_given["system_class"] else []), *by_kind]
