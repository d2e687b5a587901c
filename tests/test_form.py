"""The quick report: what it accepts, what it says about the rest, and what people may type."""

from __future__ import annotations

import string
from datetime import UTC, date, datetime, timedelta
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchange import form
from exchange.errors import Invalid, Problem
from exchange.form import FIELDS, QUICK, Profile, QuickReport, from_form, message, parse
from exchange.japanese_dates import moment, read_date
from exchange.tables import table

NOW = datetime(2026, 11, 20, 3, 0, tzinfo=UTC)
TODAY = NOW.date()
ANYBODY = Profile("chemical", act_special_operator=False, public_body=False, ci_operator=True)
SPECIAL = Profile("chemical", act_special_operator=True, public_body=False, ci_operator=True)
GOOD = {
    "incident_kind": "unknown",
    "aware_at": "2026-11-20T09:00:00+09:00",
    "service_impact": "unknown",
    "system_class": ["unknown"],
    "personal_data": "unknown",
    "current_status": "unknown",
    "callback": "03-0000-0000",
    "share_scope": "legal-only",
}
TEXTS = st.text(st.characters(), max_size=20)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=8,
)


def accepted(profile: Profile = ANYBODY, **answers: object) -> QuickReport:
    return parse({**GOOD, **answers}, profile=profile, now=NOW)


def refused(profile: Profile = ANYBODY, **answers: object) -> list[tuple[str, str]]:
    """What `parse` says about the good report with these answers, as (field, code)."""
    with pytest.raises(Invalid) as caught:
        accepted(profile, **answers)
    return [(problem.field, problem.code) for problem in caught.value.problems]


def options(name: str) -> list[str]:
    return [option["value"] for option in FIELDS[name].get("options", [])]


def test_the_dictionary_and_the_model_ask_the_same_questions():
    assert set(QUICK) | {"submitted_at", "organisation"} == set(QuickReport.model_fields)
    for name, field in QUICK.items():
        assert QuickReport.model_fields[name].is_required() == (field["required"] is True), name


@pytest.mark.parametrize(
    ("name", "literal"),
    [
        ("incident_kind", form.IncidentKind),
        ("aware_fidelity", form.Fidelity),
        ("service_impact", form.Impact),
        ("system_class", form.SystemClass),
        ("personal_data", form.PersonalData),
        ("current_status", form.Status),
        ("share_scope", form.ShareScope),
        ("designated_asset", form.DesignatedAsset),
        ("support_wanted", form.Support),
        ("police_consult", form.PoliceConsult),
    ],
)
def test_the_dictionary_and_the_model_offer_the_same_options(name, literal):
    assert options(name) == list(get_args(literal))


def test_every_word_is_there_in_both_languages():
    for field in FIELDS.values():
        words = [
            field["label"],
            *([field["help"]] if "help" in field else []),
            *(option["label"] for option in field.get("options", [])),
        ]
        assert all(one["ja"] and one["en"] for one in words), field["id"]
    assert all(one["ja"] and one["en"] for one in table("problems").values())


def test_the_limits_in_the_dictionary_are_those_of_the_model():
    for name in ("summary", "ioc_paste", "callback"):
        most = FIELDS[name]["max_length"]
        assert refused(**{name: "1" * (most + 1)}) == [(name, "too-long")]
    assert len(accepted(summary="あ" * FIELDS["summary"]["max_length"]).summary) == 400
    assert refused(ioc_paste="あ" * 30_000) == [("ioc_paste", "too-long")]


def test_a_report_that_knows_nothing_is_valid():
    report = accepted()
    assert (report.aware_fidelity, report.summary, report.support_wanted) == ("minute", "", ())


def test_an_empty_report_lists_every_required_question_at_once():
    with pytest.raises(Invalid) as caught:
        parse({}, profile=SPECIAL, now=NOW)
    required = {name for name, field in FIELDS.items() if field["required"]}
    found = {(one.field, one.code) for one in caught.value.problems}
    assert found == {(name, "required") for name in required}


def test_every_problem_is_listed_each_field_once():
    wrong = {"incident_kind": "flood", "system_class": ["it", "x", "y"], "callback": "12", "zzz": 1}
    found = refused(**wrong, personal_data=None)
    assert found == [
        ("incident_kind", "unknown-option"),
        ("system_class", "unknown-option"),
        ("personal_data", "required"),
        ("callback", "bad-phone"),
        ("zzz", "unknown-field"),
    ]


@pytest.mark.parametrize("name", sorted(GOOD))
@pytest.mark.parametrize("value", [True, 1, 1.5, {}, {"a": 1}])
def test_nothing_is_coerced(name, value):
    assert refused(**{name: value}) == [(name, "wrong-type")]


@given(JSON)
def test_whatever_is_sent_is_a_report_or_invalid(value):
    with pytest.raises(Invalid) as caught:
        parse(value, profile=SPECIAL, now=NOW)
    assert all(message(one, lang) for one in caught.value.problems for lang in ("ja", "en"))


@given(st.dictionaries(st.sampled_from([*QuickReport.model_fields, "extra"]), JSON, max_size=4))
def test_whatever_stands_in_a_field_is_accepted_or_named(answers):
    try:
        report = accepted(SPECIAL, **answers)
    except Invalid as error:
        assert {one.field.split(".")[0] for one in error.problems} <= {*answers, "designated_asset"}
    else:
        report.model_dump_json()


@given(
    st.fixed_dictionaries({name: st.sampled_from(options(name)) for name in QUICK if QUICK[name]["input"] == "radio"})
)
def test_any_combination_of_options_is_a_valid_report_and_survives_storage(answers):
    report = accepted(SPECIAL, **answers)
    assert QuickReport.model_validate_json(report.model_dump_json()) == report


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-11-04T05:12:00+09:00", datetime(2026, 11, 3, 20, 12, tzinfo=UTC)),
        ("2026-11-04t05:12:00z", datetime(2026, 11, 4, 5, 12, tzinfo=UTC)),
        ("2026-11-04T05:12:00.123456789Z", datetime(2026, 11, 4, 5, 12, 0, 123456, tzinfo=UTC)),
        ("2026-11-04T05:12:00.5-03:30", datetime(2026, 11, 4, 8, 42, 0, 500000, tzinfo=UTC)),
    ],
)
def test_times_are_rfc_3339_and_kept_in_utc(text, expected):
    assert accepted(aware_at=text).aware_at == expected


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-04",
        "2026-11-04 05:12:00Z",
        "2026-11-04T05:12Z",
        "2026-11-04T05:12:00",
        "2026-02-30T00:00:00Z",
        "2026-11-04T05:12:00.1234567890Z",
        "1969-12-31T00:00:00Z",
        "9999-12-31T23:59:59-23:59",
        "２０２６-11-04T05:12:00Z",
        "2026-11-04T05:12:00+09:00\n",
        "2026-11-04T24:00:00Z",
        "きのう",
    ],
)
def test_any_other_time_is_refused(text):
    assert refused(aware_at=text) == [("aware_at", "bad-time")]


@pytest.mark.parametrize(
    ("aware_at", "code"),
    [
        (NOW + timedelta(minutes=5), None),
        (NOW + timedelta(minutes=5, microseconds=1), "too-late"),
        (NOW.replace(year=2024), None),
        (NOW.replace(year=2024) - timedelta(microseconds=1), "too-early"),
    ],
)
def test_awareness_lies_between_two_years_ago_and_now(aware_at, code):
    if code:
        assert refused(aware_at=aware_at.isoformat()) == [("aware_at", code)]
    else:
        assert accepted(aware_at=aware_at.isoformat()).aware_at == aware_at


def test_two_years_before_a_leap_day_is_the_28th():
    leap = datetime(2028, 2, 29, 3, 0, tzinfo=UTC)
    report = parse({**GOOD, "aware_at": "2026-02-28T03:00:00Z"}, profile=ANYBODY, now=leap)
    assert report.aware_at.day == 28


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("03-1234-5678", "+81312345678"),
        ("０３（１２３４）５６７８", "+81312345678"),
        ("090 1234 5678", "+819012345678"),
        ("０９０ー１２３４ー５６７８", "+819012345678"),
        ("0120-123-456", "+81120123456"),
        ("+81-50-0000-0001", "+815000000001"),
        ("+81 (0)3-1234-5678", "+81312345678"),
        ("+1 (202) 555-0100", "+12025550100"),
    ],
)
def test_a_telephone_number_is_kept_as_e164(typed, kept):
    assert accepted(callback=typed).callback == kept


@pytest.mark.parametrize(
    ("typed", "code"),
    [
        ("12345", "bad-phone"),
        ("0312345678901", "bad-phone"),
        ("call me", "bad-phone"),
        ("+0312345678", "bad-phone"),
        ("+81123", "bad-phone"),
        ("03-1234\u200b-5678", "bad-phone"),
        ("\u202e03-1234-5678", "bidi-character"),
        ("03-1234-5678\x00", "control-character"),
        ("", "required"),
        (None, "required"),
        ("\ud800", "bad-text"),
    ],
)
def test_what_is_no_telephone_number_is_refused(typed, code):
    assert refused(callback=typed) == [("callback", code)]


@pytest.mark.parametrize(
    ("field", "value", "code"),
    [
        ("system_class", [], "empty-choice"),
        ("system_class", ["it", "it"], "repeated"),
        ("system_class", ["it", "unknown"], "exclusive"),
        ("system_class", "it", "wrong-type"),
        ("support_wanted", ["none", "information"], "exclusive"),
        ("support_wanted", ["information", "information"], "repeated"),
        ("support_wanted", ["tea"], "unknown-option"),
    ],
)
def test_choices_are_made_once_and_unknown_stands_alone(field, value, code):
    assert refused(**{field: value}) == [(field, code)]


@pytest.mark.parametrize("name", ["summary", "ioc_paste"])
def test_free_text_keeps_its_lines_and_no_control_characters(name):
    assert getattr(accepted(**{name: "a\r\nb\tc\rd"}), name) == "a\nb\tc\nd"
    for bad in ("\x00", "\x1b[2J", "\x7f", "\x85"):
        assert refused(**{name: bad}) == [(name, "control-character")]
    assert refused(**{name: "\ud800"}) == [(name, "bad-text")]


def test_whoever_carries_the_duties_of_the_act_says_whether_a_designated_computer_is_involved():
    assert refused(SPECIAL) == [("designated_asset", "required")]
    assert accepted(SPECIAL, designated_asset="unknown").designated_asset == "unknown"
    assert accepted(ANYBODY, designated_asset="yes").designated_asset == "yes"


def test_what_is_nested_is_named_with_a_dot():
    assert accepted(organisation={"org_id": "X-1"}).organisation == form.OrganisationRef(org_id="X-1")
    assert refused(organisation={"org_id": 1, "x": 2}) == [
        ("organisation.org_id", "wrong-type"),
        ("organisation.x", "unknown-field"),
    ]
    assert refused(organisation={}) == [("organisation.org_id", "required")]


def test_the_senders_own_time_is_kept_whatever_it_claims():
    assert accepted(submitted_at="2031-01-01T00:00:00Z").submitted_at == datetime(2031, 1, 1, tzinfo=UTC)
    assert refused(submitted_at="soon") == [("submitted_at", "bad-time")]


@pytest.mark.parametrize("lang", ["ja", "en"])
def test_a_message_is_the_fields_own_and_carries_its_numbers(lang):
    words = table("problems")
    assert message(Problem("aware_at", "too-late"), lang) == words["aware_at.too-late"][lang]
    assert message(Problem("zzz", "unknown-field"), lang) == words["unknown-field"][lang]
    assert "400" in message(Problem("summary", "too-long", {"max": 400}), lang)
    assert FIELDS["system_class"]["options"][-1]["label"][lang] in message(
        Problem("system_class", "exclusive", {"option": "unknown"}), lang
    )


def test_messages_need_nothing_but_the_parameters_we_give():
    needed = {
        name
        for words in table("problems").values()
        for text in words.values()
        for _, name, _, _ in string.Formatter().parse(text)
        if name
    }
    assert needed == {"extension", "fault", "field", "found", "id", "max", "min", "name", "number", "option", "terms"}


def test_a_posted_page_becomes_the_report_that_a_machine_would_send():
    pairs = {name: [value] if isinstance(value, str) else value for name, value in GOOD.items()}
    del pairs["aware_at"]
    pairs |= {
        "aware_date": ["令和8年11月20日"],
        "aware_time": ["９時００分"],
        "summary": [""],
        "police_consult": [""],
        "csrf_token": ["x"],
        "idempotency_key": ["k"],
        "action": ["send"],
        "lang": ["ja"],
    }
    assert from_form(pairs, today=TODAY) == GOOD


def test_a_posted_page_keeps_what_it_does_not_understand_for_parse_to_name():
    answers = from_form(
        {
            "aware_date": ["きのう"],
            "aware_time": ["9:00"],
            "zzz": ["1"],
            "callback": [""],
            "share_scope": ["nco", "nco"],
            "system_class": ["it", "ot"],
        },
        today=TODAY,
    )
    assert answers == {
        "aware_at": "きのう 9:00",
        "zzz": "1",
        "share_scope": ["nco", "nco"],
        "system_class": ["it", "ot"],
        "callback": "",
    }
    assert refused(**answers) == [
        ("aware_at", "bad-time"),
        ("callback", "required"),
        ("share_scope", "wrong-type"),
        ("zzz", "unknown-field"),
    ]


def test_when_only_the_day_is_known_it_begins_at_midnight():
    pairs = {"aware_date": ["2026-11-04"], "aware_time": [""], "aware_fidelity": ["day"]}
    assert from_form(pairs, today=TODAY)["aware_at"] == "2026-11-04T00:00:00+09:00"
    assert from_form({"aware_date": [""], "aware_time": [""]}, today=TODAY) == {}


@pytest.mark.parametrize(
    "day",
    [
        "2026-11-04",
        "2026/11/4",
        "2026.11.04",
        "20261104",
        "２０２６年１１月４日",
        "令和8年11月4日",
        "R8.11.4",
        "ｒ８／１１／４",
        "11/4",
        "11-04",
        "１１月４日",
        "2026年11月4日（水）",
        "11/4(水曜日)",
    ],
)
@pytest.mark.parametrize("clock", ["05:12", "5:12", "５時１２分", "午前5時12分頃", "5:12:59", "0512"])
def test_dates_are_read_as_people_type_them(day, clock):
    assert moment(day, clock, TODAY) == "2026-11-04T05:12:00+09:00"


@pytest.mark.parametrize(
    ("day", "clock", "expected"),
    [
        ("令和元年5月1日", "午後5時半", "2019-05-01T17:30:00+09:00"),
        ("H31.4.30", "午後12:00", "2019-04-30T12:00:00+09:00"),
        ("2026-02-30", "5:00", "2026-02-30 5:00"),
        ("8/11/4", "5:00", "8/11/4 5:00"),
        ("R0.1.1", "5:00", "R0.1.1 5:00"),
        ("2026-11-04", "25:00", "2026-11-04 25:00"),
        ("2026-11-04", "", "2026-11-04"),
        ("元年5月1日", "5時", "元年5月1日 5時"),
        ("2026-11-04", "正午", "2026-11-04T12:00:00+09:00"),
        ("2026-11-04", "正午ごろ", "2026-11-04T12:00:00+09:00"),
        ("2026-11-04", "2460", "2026-11-04 2460"),
        ("2026-11-04", "512", "2026-11-04 512"),
        ("2/30", "5:00", "2/30 5:00"),
        ("11/4（祝）", "5:00", "11/4（祝） 5:00"),
    ],
)
def test_eras_and_halves_of_the_day_count_and_nonsense_stays_as_typed(day, clock, expected):
    assert moment(day, clock, TODAY) == expected


@pytest.mark.parametrize(
    ("typed", "ahead", "day"),
    [
        ("11/20", False, date(2026, 11, 20)),
        ("11/21", False, date(2025, 11, 21)),
        ("12/31", False, date(2025, 12, 31)),
        ("2/29", False, date(2024, 2, 29)),
        ("11/27", True, date(2026, 11, 27)),
        ("11/15", True, date(2026, 11, 15)),
        ("1/5", True, date(2027, 1, 5)),
    ],
)
def test_without_a_year_it_is_the_last_such_day_or_the_nearest_where_it_may_be_to_come(typed, ahead, day):
    assert read_date(typed, TODAY, ahead=ahead) == day


@given(TEXTS, TEXTS)
def test_any_typed_date_gives_an_answer(day, clock):
    assert isinstance(moment(day, clock, TODAY), str)


def test_the_model_describes_itself_for_openapi():
    schema = QuickReport.model_json_schema(ref_template="#/components/schemas/{model}")
    assert schema["additionalProperties"] is False
    assert set(schema["required"]) == {name for name, field in FIELDS.items() if field["required"] is True}
    assert schema["properties"]["summary"]["maxLength"] == 400
