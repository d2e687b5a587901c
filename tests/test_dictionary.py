"""One dictionary: every question is asked once, at one place, and never about what is known."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from exchange import conditions, updates
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


def test_true_is_not_one_where_a_number_is_chosen() -> None:
    from exchange.errors import Invalid

    quick = {
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
    assert updates.merged(quick, {"severity_self": 1}, profile=PROFILE, now=NOW)["severity_self"] == 1
    with pytest.raises(Invalid):
        updates.merged(quick, {"severity_self": True}, profile=PROFILE, now=NOW)
