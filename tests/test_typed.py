"""What a form posts and what is kept: one codec, there and back, for every question of the dictionary."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exchange import typed, updates
from exchange.form import FIELDS, QUICK, Profile
from exchange.updates import Later, merged
from tests.conftest import NOW
from tests.make import DEMO, make_answers

Json = dict[str, Any]
PROFILE = Profile("port", act_special_operator=False, public_body=False, ci_operator=True)
FIELD_LIST = list(FIELDS.values())
TODAY = NOW.date()

# --- every answer that there can be ---------------------------------------------------------------------

_VISIBLE = st.characters(blacklist_categories=("Cs", "Cc"))
_FIRST, _LAST = (datetime.fromisoformat(day) for day in ("1970-01-02", "2026-11-20"))
_TIMES = st.datetimes(_FIRST, _LAST, timezones=st.just(UTC))
_RECENT = st.datetimes(datetime.fromisoformat("2024-11-22"), _LAST, timezones=st.just(UTC))


def _line(most: int) -> st.SearchStrategy[str]:
    return st.text(_VISIBLE, min_size=1, max_size=min(most, 40)).map(str.strip).filter(bool)


def _text(field: Json) -> st.SearchStrategy[str]:
    if "pattern" in field:
        return st.from_regex(field["pattern"].replace("{4,}", "{4,9}"), fullmatch=True).filter(str.isascii)
    lines = st.lists(_line(20), min_size=1, max_size=3 if field["input"] == "textarea" else 1)
    return lines.map("\n".join).filter(lambda text: len(text) <= field.get("max_length", 400))


def _chosen(field: Json) -> st.SearchStrategy[Any]:
    return st.sampled_from([option["value"] for option in field["options"]])


def _choices(field: Json) -> st.SearchStrategy[Any]:
    if "options" not in field:
        return st.lists(_text(field), min_size=1, max_size=4, unique=True)
    alone = [option["value"] for option in field["options"] if option.get("exclusive")]
    several = st.lists(_chosen(field).filter(lambda value: value not in alone), min_size=1, max_size=4, unique=True)
    return several | st.sampled_from([[value] for value in alone]) if alone else several


def _number(field: Json) -> st.SearchStrategy[float]:
    return st.floats(field.get("min", 0), field.get("max", 10**12), allow_nan=False).map(abs)


def _whole(field: Json) -> st.SearchStrategy[int]:
    return st.integers(field.get("min", 0), field.get("max", 10**12))


def _count(_: Json) -> st.SearchStrategy[Any]:
    pair = st.tuples(_whole({}), _whole({})).map(sorted)
    return _whole({}) | st.just("unknown") | pair.map(lambda two: {"min": two[0], "max": two[1]})


def _record(field: Json) -> st.SearchStrategy[Json]:
    made = {item["id"]: ANSWERS[item["input"]](item) for item in field["items"]}
    needed = {item["id"]: made.pop(item["id"]) for item in field["items"] if item["required"]}
    return st.fixed_dictionaries(needed, optional=made).filter(bool)


ANSWERS: dict[str, Any] = {
    "radio": _chosen,
    "select": _chosen,
    "checkboxes": _choices,
    "codes": _choices,
    "text": _text,
    "textarea": _text,
    "lines": lambda field: st.lists(_line(field.get("max_length", 1000)), min_size=1, max_size=4),
    "recognised": lambda _: st.lists(_line(40), min_size=1, max_size=4),
    "datetime": lambda field: (_RECENT if field.get("near") else _TIMES).map(
        lambda when: when.isoformat().replace("+00:00", "Z")
    ),
    "date": lambda _: st.dates(date(1970, 1, 1), date(2099, 12, 31)).map(date.isoformat),
    "integer": _whole,
    "number": _number,
    "count": _count,
    "yesno": lambda _: st.sampled_from([True, False, "unknown"]),
    "url": lambda _: st.sampled_from(["https://a.example/ず?x=1&y=2", "hxxp://198[.]51[.]100[.]7/"]),
    "tel": lambda _: st.sampled_from(["+81312345678", "+14155550100"]),
    "group": _record,
    "table": lambda field: st.lists(_record(field), min_size=1, max_size=3),
}


def _said(patch: Json) -> Json:
    """A patch without what it takes back."""
    found = {name: value for name, value in patch.items() if value is not None}
    groups = {name: value for name, value in found.items() if isinstance(value, dict) and "min" not in value}
    return found | {name: {k: v for k, v in value.items() if v is not None} for name, value in groups.items()}


# --- there and back -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", FIELDS)
@given(draw=st.data())
@settings(max_examples=25, deadline=None)
def test_an_answer_goes_into_a_form_and_comes_back_as_it_was(name: str, draw: st.DataObject) -> None:
    answers = {name: draw.draw(ANSWERS[FIELDS[name]["input"]](FIELDS[name]))}
    pairs = typed.from_answers([FIELDS[name]], answers)
    assert _said(typed.to_answers([FIELDS[name]], pairs, today=TODAY)) == answers
    assert typed.problems([FIELDS[name]], pairs, today=TODAY) == []
    assert typed.tidied([FIELDS[name]], pairs) == pairs


@given(draw=st.data())
@settings(max_examples=25, deadline=None)
def test_what_is_kept_of_a_form_is_what_was_shown_in_it(draw: st.DataObject) -> None:
    """Through the model of the answers and back: nothing changes because somebody opened a page and saved it."""
    chosen = draw.draw(st.sets(st.sampled_from([n for n in FIELDS if n not in QUICK]), max_size=8))
    answers = {name: draw.draw(ANSWERS[FIELDS[name]["input"]](FIELDS[name])) for name in chosen}
    kept = Later.model_validate(answers, context={"now": NOW}).model_dump(mode="json", exclude_none=True)
    patch = typed.to_answers(FIELD_LIST, typed.from_answers(FIELD_LIST, kept), today=TODAY)
    assert _said(patch) == kept
    assert set(patch) == set(FIELDS)


@pytest.mark.parametrize("report", DEMO["reports"], ids=lambda report: report["sample"])
def test_the_ten_can_be_typed(report: Json) -> None:
    before: Json = {}
    now = NOW + timedelta(days=400)
    for stage in [report["answers"], *(later["answers"] for later in report["later"])]:
        answers = {name: value for name, value in stage.items() if name != "submitted_at"}
        said = merged(before, answers, profile=PROFILE, now=now)
        pairs = typed.from_answers(FIELD_LIST, said)
        retyped = typed.to_answers(FIELD_LIST, pairs, today=TODAY)
        assert updates.changed(said, merged(said, retyped, profile=PROFILE, now=now)) == []
        before = said


# --- what people type -----------------------------------------------------------------------------------


def read(name: str, **boxes: str | list[str]) -> tuple[Any, list[str]]:
    """(the answer, the codes of its problems) of what was typed into the boxes of one question."""
    parts = {f"{name}{box and '.'}{box}": value for box, value in boxes.items()}
    pairs = {part: value if isinstance(value, list) else [value] for part, value in parts.items()}
    codes = [problem.code for problem in typed.problems([FIELDS[name]], pairs, today=TODAY)]
    return typed.to_answers([FIELDS[name]], pairs, today=TODAY)[name], codes


def said(name: str, text: str) -> Any:
    """The answer to a question with one box, if it can be read."""
    answer, codes = read(name, **{"": text})
    return "unreadable" if codes else answer


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("120", 120),
        ("１，２００", 1200),
        (" 1,200 人 ", 1200),
        ("3万", 30_000),
        ("1億2000万", 120_000_000),
        ("100-200", {"min": 100, "max": 200}),
        ("１００〜２００人", {"min": 100, "max": 200}),
        ("100人から200人", {"min": 100, "max": 200}),
        ("0", 0),
        ("不明", "unknown"),
        ("まだ 分からない", "unreadable"),
        ("分からない", "unknown"),
        ("Not known", "unknown"),
        ("約120", "unreadable"),
        ("-5", "unreadable"),
        ("1-2-3", "unreadable"),
        ("1.5", "unreadable"),
        ("9" * 5000, "unreadable"),
        ("万", "unreadable"),
        ("", None),
        ("　 ", None),
    ],
)
def test_a_count_is_a_number_a_range_or_not_known(text: str, count: object) -> None:
    assert said("pd_subject_count", text) == count


@pytest.mark.parametrize(
    ("text", "number"), [("３，０００万円", 30_000_000), ("1200", 1200), ("0.5", "unreadable"), ("百万", "unreadable")]
)
def test_a_sum_of_money_is_read_as_it_is_written_in_japan(text: str, number: object) -> None:
    assert said("financial_loss_jpy", text) == number


def test_a_number_out_of_its_bounds_is_kept_and_named() -> None:
    pairs = {"affected_services.3.users_pct": ["120"], "affected_services.3.name_ja": ["出荷"]}
    problem = typed.problems(FIELD_LIST, pairs, today=TODAY)[0]
    assert (problem.field, problem.code, problem.params) == (
        "affected_services.3.users_pct",
        "out-of-range",
        {"min": 0, "max": 100},
    )


@pytest.mark.parametrize(
    ("day", "clock", "answer"),
    [
        ("2026-11-04", "05:12", "2026-11-03T20:12:00Z"),
        ("令和8年11月4日", "午前5時12分", "2026-11-03T20:12:00Z"),
        ("２０２６／１１／４", "５：１２：３３", "2026-11-03T20:12:33Z"),
        ("2026-11-04", "05:12:33.5", "2026-11-03T20:12:33.500000Z"),
        ("2026-11-04T05:12:00+09:00", "", "2026-11-03T20:12:00Z"),
        ("11月4日（水）", "0512", "2026-11-03T20:12:00Z"),
        ("12/31", "正午", "2025-12-31T03:00:00Z"),
    ],
)
def test_a_time_is_read_in_japans_time(day: str, clock: str, answer: str) -> None:
    assert read("detected_at", date=day, time=clock) == (answer, [])


@pytest.mark.parametrize(
    ("day", "clock", "code"),
    [
        ("2026-11-04", "", "time-missing"),
        ("", "05:12", "bad-time"),
        ("きのう", "05:12", "bad-time"),
        ("2026-11-04", "25:00:00", "bad-time"),
        ("2026-02-30", "05:12", "bad-time"),
        ("2026-11-04T05:12:00", "", "bad-time"),
    ],
)
def test_a_time_that_cannot_be_read_stays_as_typed(day: str, clock: str, code: str) -> None:
    assert read("detected_at", date=day, time=clock) == (f"{day} {clock}".strip(), [code])


def test_what_may_be_to_come_is_read_as_the_nearest_such_day() -> None:
    assert read("next_update_at", date="11/27", time="正午") == ("2026-11-27T03:00:00Z", [])
    assert said("prevention_due", "1月15日") == "2027-01-15"
    assert read("detected_at", date="11/27", time="正午") == ("2025-11-27T03:00:00Z", [])


def test_where_only_the_day_is_known_no_time_is_asked() -> None:
    pairs = {"occurred_at.date": ["2026-11-04"], "occurred_fidelity": ["day"]}
    assert typed.to_answers(FIELD_LIST, pairs, today=TODAY)["occurred_at"] == "2026-11-03T15:00:00Z"
    assert typed.problems(FIELD_LIST, pairs, today=TODAY) == []


def test_the_last_second_of_the_calendar_comes_back() -> None:
    answers = {"embargo_until": "9999-12-31T23:59:59Z"}
    assert _said(typed.to_answers(FIELD_LIST, typed.from_answers(FIELD_LIST, answers), today=TODAY)) == answers


def test_codes_are_read_in_any_width_and_from_any_list() -> None:
    assert said("countries", "us、ＫＲ  tw,vn・de") == ["US", "KR", "TW", "VN", "DE"]
    assert read("vulnerabilities", **{"0.cve": " ｃｖｅ－2024－55591 "})[0] == [{"cve": "CVE-2024-55591"}]
    assert said("countries", "アメリカ") == ["アメリカ"]


def test_a_list_of_options_keeps_numbers_numbers() -> None:
    assert read("severity_self", **{"": "3"}) == (3, [])
    assert read("severity_self", **{"": "9"}) == ("9", [])


def test_lines_are_what_stands_between_the_ends_of_lines() -> None:
    assert said("prevention_ja", "多要素認証\r\n\r\n  訓練 \r\n") == ["多要素認証", "訓練"]


# --- tables ---------------------------------------------------------------------------------------------


def test_blank_rows_are_dropped_and_the_rest_is_numbered_anew() -> None:
    pairs = {
        "malware.0.name": ["  "],
        "malware.2.name": ["箱"],
        "malware.2.hashes": ["ab\r\ncd"],
        "malware.10.kind": ["worm"],
        "malware.7.kind": [""],
    }
    rows = [{"name": "箱", "hashes": ["ab", "cd"]}, {"kind": "worm"}]
    assert typed.to_answers(FIELD_LIST, pairs, today=TODAY)["malware"] == rows
    tidy = typed.tidied(FIELD_LIST, pairs)
    assert tidy == {"malware.0.name": ["箱"], "malware.0.hashes": ["ab\ncd"], "malware.1.kind": ["worm"]}
    assert typed.to_answers(FIELD_LIST, tidy, today=TODAY)["malware"] == rows


def test_a_problem_names_the_row_and_the_question() -> None:
    pairs = {
        "affected_services.0.name_ja": ["出荷"],
        "affected_services.4.users_affected": ["たくさん"],
        "affected_services.4.start.date": ["いつか"],
        "sector_extra.flights.delayed": ["多数"],
    }
    named = {
        (problem.field, problem.code)
        for problem in typed.problems(FIELD_LIST, typed.tidied(FIELD_LIST, pairs), today=TODAY)
    }
    assert named == {
        ("affected_services.1.users_affected", "bad-count"),
        ("affected_services.1.start", "bad-time"),
        ("sector_extra.flights.delayed", "bad-count"),
    }
    answers = typed.to_answers(FIELD_LIST, pairs, today=TODAY)
    assert answers["affected_services"][1] == {"users_affected": "たくさん", "start": "いつか"}


def test_a_part_of_a_group_that_was_emptied_is_taken_back_and_the_rest_stays() -> None:
    patch = typed.to_answers(
        [FIELDS["police"]], {"police.status": ["consulted"], "police.reference": [""]}, today=TODAY
    )
    assert patch == {"police": {"status": "consulted", "prefecture_ja": None, "at": None, "reference": None}}
    before = merged({}, make_answers(police={"status": "none", "reference": "12"}), profile=PROFILE, now=NOW)
    assert merged(before, patch, profile=PROFILE, now=NOW)["police"] == {"status": "consulted"}
    assert typed.to_answers([FIELDS["police"]], {}, today=TODAY) == {"police": None}


@pytest.mark.parametrize(
    "name",
    [
        "malware.99999999999999999999.name",
        "malware.00.name",
        "malware.-1.name",
        "malware.٣.name",
        "malware.0",
        "malware.0.",
        "malware..name",
        "malware.0.name.x",
        "__class__",
        "",
        "\x00",
        "." * 100_000,
    ],
)
def test_a_name_that_no_form_of_ours_has_is_nothing(name: str) -> None:
    assert typed.tidied(FIELD_LIST, {name: ["x"]}) == {}
    assert _said(typed.to_answers(FIELD_LIST, {name: ["x"]}, today=TODAY)) == {}


def _names(field: Json, name: str) -> list[str]:
    if field["input"] == "table":
        return [one for item in field["items"] for one in _names(item, f"{name}.{len(item['id']) % 3}.{item['id']}")]
    if field["input"] == "group":
        return [one for item in field["items"] for one in _names(item, f"{name}.{item['id']}")]
    return [f"{name}.date", f"{name}.time"] if field["input"] == "datetime" else [name]


NAMES = [one for field in FIELD_LIST for one in _names(field, field["id"])]


@given(pairs=st.dictionaries(st.sampled_from(NAMES), st.lists(st.text(), max_size=2), min_size=1, max_size=40))
@settings(max_examples=300, deadline=None)
def test_whatever_is_typed_is_read_and_reading_it_again_tidied_gives_the_same(pairs: Json) -> None:
    tidy = typed.tidied(FIELD_LIST, pairs)
    assert typed.to_answers(FIELD_LIST, tidy, today=TODAY) == typed.to_answers(FIELD_LIST, pairs, today=TODAY)
    assert typed.tidied(FIELD_LIST, tidy) == tidy
