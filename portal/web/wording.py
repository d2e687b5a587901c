"""What the pages say about a report: answers, recipients, clocks and findings, in both languages."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from exchange import findings, form, rules, sectors, sharing
from exchange.extraction import defang, places
from exchange.sharing import EditionKind, Scope
from exchange.tables import table
from exchange.times import JST

Words = Mapping[str, str]
_FIRST_WORDS = 40

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
    findings.LEFT_OUT: {"ja": "自組織の判断", "en": "Your organisation chose so"},
    "marked": {"ja": "共有の範囲が狭く指定されている", "en": "You marked it for fewer readers"},
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
STAGES: Mapping[str, Words] = {
    "sokuhou": {"ja": "速報", "en": "Quick report"},
    "zokuhou": {"ja": "続報", "en": "Update"},
    "kakuhou": {"ja": "確報", "en": "Full report"},
    "correction": {"ja": "訂正", "en": "Correction"},
}
VIAS: Mapping[str, Words] = {
    "web": {"ja": "画面", "en": "Web form"},
    "api": {"ja": "API", "en": "API"},
    "stix": {"ja": "STIX", "en": "STIX"},
    "phone": {"ja": "電話（当直が代行入力）", "en": "Telephone, typed by the duty officer"},
    "offline": {"ja": "オフライン様式", "en": "Offline form"},
    "emergency": {"ja": "緊急コード", "en": "Emergency code"},
}


def option(field: str, value: object) -> Words:
    """An option's label in both languages."""
    return {lang: form.label(field, value, lang) for lang in ("ja", "en")}


def first_words(typed: Mapping[str, Sequence[str]]) -> Words | None:
    """By what a draft of a quick report is known: its kind and how its sentence begins; None if neither was typed."""
    kind, summary = ("".join(typed.get(name, ())[:1]) for name in ("incident_kind", "summary"))
    short = summary if len(summary) <= _FIRST_WORDS else f"{summary[:_FIRST_WORDS]}…"
    said = [*([option("incident_kind", kind)] if kind else []), *([_same(defanged(short))] if short.strip() else [])]
    return {lang: " · ".join(one[lang] for one in said) for lang in ("ja", "en")} if said else None


@dataclass(frozen=True)
class Answer:
    """One answered question: the dictionary's entry, and what to show."""

    field: Mapping[str, Any]
    shown: list[Any]


def answers(given: Mapping[str, Any]) -> list[Answer]:
    """The answers in the order of the form; what was left open is not listed."""
    answered = {name: value for name, value in given.items() if value not in (None, "", [], {})}
    return [Answer(entry, _shown(name, answered[name])) for name, entry in form.FIELDS.items() if name in answered]


def _shown(name: str, value: Any) -> list[Any]:
    return shown(form.FIELDS[name], value)


def shown(field: Mapping[str, Any], value: Any) -> list[Any]:
    """An answer, piece by piece: words in both languages, times, and typed text that nobody can click on.

    A record is one piece, `label: answer` of each member; a table one piece a record.
    """
    kind = field["input"]
    if kind == "table":
        return [piece for record in value for piece in _record(field, record)]
    if kind == "group":
        return _record(field, value)
    if kind == "datetime":
        return [datetime.fromisoformat(value)]
    if kind == "date":
        return [date.fromisoformat(value)]
    values = value if isinstance(value, list | tuple) else [value]
    return [_piece(field, one) for one in values]


def _piece(field: Mapping[str, Any], value: Any) -> Any:
    known = {_key(known["value"]): known["label"] for known in field.get("options", _YES_NO.get(field["input"], ()))}
    if _key(value) in known:
        return known[_key(value)]
    if isinstance(value, dict):
        return _same(f"{value['min']:,}–{value['max']:,}")
    if field["input"] == "tel":
        return _same(national(value))
    return _same(f"{value:,}" if isinstance(value, int | float) else defanged(value))


def national(number: str) -> str:
    """A Japanese number in E.164 as it is dialled there; any other as it is."""
    return f"0{number[3:]}" if number.startswith("+81") else number


def _key(value: Any) -> tuple[str, str]:
    """`1` and `true` are equal in Python, and two answers here."""
    return type(value).__name__, str(value)


def _same(text: str) -> Words:
    return {"ja": text, "en": text}


_UNKNOWN: Words = {"ja": "不明", "en": "Not known"}
_YES_NO: Mapping[str, list[Any]] = {
    "yesno": [
        {"value": True, "label": {"ja": "はい", "en": "Yes"}},
        {"value": False, "label": {"ja": "いいえ", "en": "No"}},
        {"value": "unknown", "label": _UNKNOWN},
    ],
    "count": [{"value": "unknown", "label": _UNKNOWN}],
}


def _record(field: Mapping[str, Any], record: Mapping[str, Any]) -> list[Words]:
    parts: dict[str, list[str]] = {"ja": [], "en": []}
    for item in field["items"]:
        if record.get(item["id"]) in (None, "", [], {}):
            continue
        pieces = shown(item, record[item["id"]])
        for lang, (colon, comma) in {"ja": ("：", "、"), "en": (": ", ", ")}.items():
            parts[lang].append(f"{item['label'][lang]}{colon}{comma.join(_text(one, lang) for one in pieces)}")
    joined = {"ja": "　".join(parts["ja"]), "en": "; ".join(parts["en"])}
    return [joined] if joined["ja"] else []


def _text(piece: Any, lang: str) -> str:
    if isinstance(piece, datetime):
        return f"{piece.astimezone(JST):%Y-%m-%d %H:%M}"
    return piece.isoformat() if isinstance(piece, date) else str(piece[lang])


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


@dataclass(frozen=True)
class NotTriggered:
    """A regime that says nothing about this incident, and why."""

    name: Any
    reason: Words


def not_triggered(decision: Mapping[str, Any]) -> list[NotTriggered]:
    """What the reporter may have expected, of a decision as it is kept (JSON)."""
    return [NotTriggered(rules.regime_name(one["regime"]), one["reason"]) for one in decision["not_triggered"]]


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
    """One recognised value, and why it stays (None: it may go out). `left_out`: because the reporter wants it so."""

    type: str
    value: str
    value_defanged: str
    excluded: Words | None
    left_out: bool


def found(values: Iterable[tuple[str, str, str | None]]) -> list[Found]:
    """From (type, value, reason code)."""
    return [
        Found(kind, value, defang(value, kind), excluded_because(why), why == findings.LEFT_OUT)
        for kind, value, why in values
    ]


def defanged(text: str) -> str:
    """The text with every address and name in it made harmless to click."""
    out, done = "", 0
    for one in places(text, documentation_is_real=True):
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


def editions_of(given: Mapping[str, Any]) -> list[Words]:
    """The editions that these answers allow, in words."""
    allowed = sharing.editions_of(Scope(given["share_scope"]), sharing.purposes_of(given))
    return [EDITIONS[kind] for kind in allowed]


def first_aid(answers_given: Mapping[str, Any]) -> list[Words]:
    """What to do first, by kind; control systems before everything."""
    texts = table("first_aid")
    kind = answers_given["incident_kind"]
    by_kind = texts.get(kind, texts["other"])
    return [*(texts["ot"] if "ot" in answers_given["system_class"] else []), *by_kind]
