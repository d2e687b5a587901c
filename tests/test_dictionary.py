"""One dictionary: every question is asked once, at one place, and never about what is known."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest

from exchange import conditions, form, typed, updates
from exchange.drafting import Work, problems
from exchange.errors import Invalid, Problem
from exchange.form import FIELDS, QUICK, Profile
from exchange.sectors import sector_ids
from exchange.tables import table
from tests.conftest import NOW, ROOT

KINDS = [option["value"] for option in FIELDS["incident_kind"]["options"]]
PROFILE = Profile("chemical", act_special_operator=True, public_body=False, ci_operator=True)


def conditions_in(entry: Any) -> Iterator[dict[str, Any]]:
    """The leaves of every condition in a table."""
    if isinstance(entry, dict):
        if {"answer", "profile"} & entry.keys() and {"in", "answered"} & entry.keys():
            yield entry
        for value in entry.values():
            yield from conditions_in(value)
    elif isinstance(entry, list):
        for value in entry:
            yield from conditions_in(value)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("sector", sector_ids(NOW))
def test_over_all_stages_no_question_comes_twice(sector: str, kind: str) -> None:
    profile = Profile(sector, act_special_operator=True, public_body=False, ci_operator=True)
    answers = {"incident_kind": kind, "personal_data": "yes"}
    asked = Counter(field["id"] for field in updates.asked("kakuhou", answers, profile))
    assert set(asked.values()) == {1}
    # A later stage asks all that an earlier one asked, so that it can be corrected.
    earlier = {field["id"] for field in updates.asked("zokuhou", answers, profile)}
    assert set(QUICK) <= earlier <= set(asked)


def test_no_two_questions_have_the_same_words() -> None:
    for lang in ("ja", "en"):
        labels = Counter(field["label"][lang] for field in FIELDS.values())
        assert [label for label, times in labels.items() if times > 1] == []


def test_every_field_has_a_section_and_every_section_a_field() -> None:
    assert {field["section"] for field in FIELDS.values()} == {section["id"] for section in updates.SECTIONS}


def test_what_the_profile_knows_is_never_asked() -> None:
    known = {*Profile.__dataclass_fields__, "organisation", "corporate_number", "ministry", "contacts", "name_ja"}
    assert not known & set(FIELDS)


def test_every_condition_asks_about_a_question_or_an_attribute_that_exists() -> None:
    attributes = {*Profile.__dataclass_fields__, "ministry"}
    for name in ("form", "rules"):
        for leaf in conditions_in(table(name)):
            if "profile" in leaf:
                assert leaf["profile"] in attributes, leaf
            else:
                assert leaf["answer"].partition(".")[0] in FIELDS, leaf


def test_every_value_that_a_condition_waits_for_can_be_answered() -> None:
    """A rule that waits for a word which no option has would never hold."""
    for leaf in conditions_in([table("form"), table("rules")]):
        name, _, member = leaf.get("answer", "").partition(".")
        if name not in FIELDS or "in" not in leaf:
            continue
        field = next(item for item in FIELDS[name]["items"] if item["id"] == member) if member else FIELDS[name]
        offered = [option["value"] for option in field.get("options", [])]
        offered += [True, False, "unknown"] if field["input"] == "yesno" else []
        assert all(value is None or value in offered for value in leaf["in"]), leaf


def test_pages_ask_through_the_dictionary_alone() -> None:
    """No template has an input of its own for an answer; what a page passes on unseen asks nothing."""
    for path in (ROOT / "portal" / "templates").glob("*.html"):
        inputs = re.findall(r"<(?:input|select|textarea)[^>]*>", path.read_text(encoding="utf-8"))
        own = {name for one in inputs if 'type="hidden"' not in one for name in re.findall(r'\bname="([a-z_.]+)"', one)}
        assert not own & FIELDS.keys(), path.name


def test_a_condition_that_is_not_understood_is_no_condition() -> None:
    with pytest.raises(KeyError):
        conditions.holds({"nonsense": 1}, {}, {})


@pytest.mark.parametrize(
    ("condition", "answers", "holds"),
    [
        ({"answer": "a", "in": ["x"]}, {"a": ["y", "x"]}, True),
        ({"answer": "a", "in": [None]}, {}, True),
        ({"answer": "a.b", "in": ["x"]}, {"a": {"b": "x"}}, True),
        ({"answer": "a.b", "in": ["x"]}, {"a": "x"}, False),
        ({"answer": "a", "in": [1]}, {"a": True}, False),
        ({"answer": "a", "in": [True]}, {"a": 1}, False),
        ({"answer": "a", "answered": True}, {"a": []}, False),
        ({"answer": "a", "answered": True}, {"a": ["x"]}, True),
        ({"all": []}, {}, True),
        ({"any": []}, {}, False),
    ],
)
def test_conditions_mean_what_they_say(condition: Any, answers: Any, holds: bool) -> None:
    assert conditions.holds(condition, answers, vars(PROFILE)) is holds


QUICK_ANSWERS: dict[str, Any] = {
    "incident_kind": "unknown",
    "aware_at": "2026-11-20T00:00:00Z",
    "service_impact": "unknown",
    "system_class": ["unknown"],
    "personal_data": "unknown",
    "current_status": "unknown",
    "callback": "+81312345678",
    "share_scope": "nco",
    "designated_asset": "unknown",
}


def told(changes: dict[str, Any], *, known: dict[str, Any] | None = None, now: datetime = NOW) -> list[tuple[str, str]]:
    """(field, code) of what is wrong with an update."""
    try:
        updates.merged(QUICK_ANSWERS if known is None else known, changes, profile=PROFILE, now=now)
    except Invalid as error:
        return [(problem.field, problem.code) for problem in error.problems]
    return []


def test_true_is_not_one_where_a_number_is_chosen() -> None:
    assert told({"severity_self": 1}) == []
    assert told({"severity_self": True}) == [("severity_self", "unknown-option")]


# --- times ---------------------------------------------------------------------------------------------


def test_years_later_a_case_can_still_be_reported_on_and_its_times_corrected() -> None:
    now = NOW.replace(year=2029)
    known = QUICK_ANSWERS | {"pd_aware_at": "2026-11-19T00:00:00Z"}
    for changes in (
        {"current_status": "recovered"},
        {"share_scope": "legal-only"},
        {"aware_at": known["aware_at"]},
        {"aware_at": "2026-11-19T23:00:00Z"},
        {"pd_aware_at": "2026-11-18T00:00:00Z"},
    ):
        assert told(changes, known=known, now=now) == [], changes
    assert told({"aware_at": "2016-11-20T00:00:00Z"}, known=known, now=now) == [("aware_at", "too-early")]


@pytest.mark.parametrize("name", ["pd_aware_at", "accident_known_at"])
def test_what_starts_a_clock_is_neither_long_ago_nor_to_come(name: str) -> None:
    assert told({name: "2024-11-21T00:00:00Z"}) == []
    assert told({name: "1980-01-01T00:00:00Z"}) == [(name, "too-early")]
    assert told({name: "2026-11-22T00:00:00Z"}) == [(name, "too-late")]


def test_every_clock_starts_with_an_answer_that_is_near() -> None:
    starts = {stage["start"] for rule in table("rules")["rules"] for stage in rule["stages"]}
    assert [name for name in starts if not (name == "aware_at" or FIELDS[name].get("near"))] == []


def test_the_next_report_is_planned_for_a_day_of_the_coming_week() -> None:
    """NOW is noon of the 21st in Japan."""
    assert told({"next_update_at": "2026-11-28T23:59:00+09:00"}) == []
    for late in ("2026-11-29T00:00:00+09:00", "2031-01-01T00:00:00Z", "9999-12-31T23:59:59Z"):
        assert told({"next_update_at": late}) == [("next_update_at", "too-far")]
    for lang in ("ja", "en"):
        assert "7" in form.message(Problem("next_update_at", "too-far", {"max": 7}), lang)


@pytest.mark.parametrize(
    ("changes", "wrong"),
    [
        ({"occurred_at": "2026-11-20T00:00:00Z", "contained_at": "2026-11-10T00:00:00Z"}, ["contained_at"]),
        ({"occurred_at": "2026-11-20T00:00:00Z", "closed_at": "2026-11-20T00:00:00Z"}, []),
        ({"detected_at": "2026-11-20T00:00:00Z", "closed_at": "2026-11-19T00:00:00Z"}, ["closed_at"]),
        ({"ddos": {"started_at": "2026-11-20T00:00:00Z", "ended_at": "2026-11-19T00:00:00Z"}}, ["ddos.ended_at"]),
        (
            {
                "affected_services": [
                    {"name_ja": "甲", "start": "2026-11-20T00:00:00Z", "end": "2026-11-19T00:00:00Z"},
                    {"name_ja": "乙", "start": "2026-11-20T00:00:00Z", "end": "2026-11-18T00:00:00Z"},
                    {"name_ja": "丙", "end": "2026-11-18T00:00:00Z"},
                ]
            },
            ["affected_services.end"],
        ),
    ],
)
def test_times_stand_in_their_order_also_in_groups_and_rows_and_over_what_is_left_out(
    changes: dict[str, Any], wrong: list[str]
) -> None:
    assert told(changes) == [(name, "out-of-order") for name in wrong]


def test_what_is_out_of_order_is_told_with_the_words_of_the_other_question() -> None:
    problem = Problem("affected_services.end", "out-of-order", {"field": "affected_services.start"})
    member = next(item for item in FIELDS["affected_services"]["items"] if item["id"] == "start")
    for lang in ("ja", "en"):
        assert member["label"][lang] in form.message(problem, lang)


def test_a_draft_names_the_row_whose_times_are_out_of_order() -> None:
    first, second = "affected_services.0", "affected_services.1"
    pairs = typed.from_answers(FIELDS.values(), QUICK_ANSWERS) | {
        f"{first}.name_ja": ["甲"],
        f"{second}.name_ja": ["乙"],
        f"{second}.start.date": ["2026-11-20"],
        f"{second}.start.time": ["9:00"],
        f"{second}.end.date": ["11月19日（木）"],
        f"{second}.end.time": ["正午"],
    }
    work = Work("zokuhou", "sokuhou", PROFILE, QUICK_ANSWERS, pairs, NOW.date())
    assert [(one.field, one.code) for one in problems(work, now=NOW)] == [(f"{second}.end", "out-of-order")]


def test_the_size_of_an_attack_is_more_than_nothing() -> None:
    for name in ("peak_gbps", "peak_mpps", "peak_rps"):
        assert told({"ddos": {name: 0.5}}) == []
        assert told({"ddos": {name: 0}}) == [(f"ddos.{name}", "greater_than_equal")]


# --- an organization that changes ----------------------------------------------------------------------


def test_who_comes_under_the_act_after_its_report_can_go_on_and_take_nothing_back() -> None:
    """The profile says special operator by now; the first report was not asked."""
    known = {name: value for name, value in QUICK_ANSWERS.items() if name != "designated_asset"}
    assert told({"share_scope": "legal-only"}, known=known) == []
    assert told({"designated_asset": None}) == [("designated_asset", "required")]
