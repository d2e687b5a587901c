"""What follows from a report: the ten demonstration reports, and invented ones of every sector."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import orjson
import pytest

from exchange.form import Profile, QuickReport, parse
from exchange.incidents import answers_of
from exchange.rules import Decision, decide, last_open_day
from exchange.sectors import authority, sector_of
from exchange.sharing import TLP
from exchange.tables import lay_over, table

DEMO = table("demo")
ORGANISATIONS = {organisation["ref"]: organisation for organisation in DEMO["organisations"]}
SECTORS = [sector["id"] for sector in table("sectors")["sectors"]]
NOW = datetime(2026, 11, 20, 3, 0, tzinfo=UTC)
UNKNOWN = {
    "incident_kind": "unknown",
    "aware_at": "2026-11-20T09:00:00+09:00",
    "service_impact": "unknown",
    "system_class": ["unknown"],
    "personal_data": "unknown",
    "current_status": "unknown",
    "callback": "03-0000-0000",
    "share_scope": "legal-only",
    "designated_asset": "unknown",
}


def a_profile(sector: str = "chemical", *, act: bool = False, public: bool = False, ci: bool = True) -> Profile:
    return Profile(sector, act_special_operator=act, public_body=public, ci_operator=ci)


def a_report(profile: Profile | None = None, **answers: object) -> QuickReport:
    return parse({**UNKNOWN, **answers}, profile=profile or a_profile(), now=NOW)


def decided(profile: Profile | None = None, *, at: datetime = NOW, **answers: object) -> Decision:
    profile = profile or a_profile()
    return decide(answers_of(a_report(profile, **answers)), profile, at=at)


def recipients(decision: Decision) -> list[str]:
    return [recipient.id for recipient in decision.recipients]


def untriggered(decision: Decision) -> set[str]:
    return {one.regime for one in decision.not_triggered}


def demo_decision(sample: dict[str, Any]) -> Decision:
    organisation = ORGANISATIONS[sample["organisation"]]
    profile = Profile(**{name: organisation[name] for name in Profile.__dataclass_fields__})
    filed_at = datetime.fromisoformat(sample["answers"]["submitted_at"])
    return decide(answers_of(parse(sample["answers"], profile=profile, now=filed_at)), profile, at=filed_at)


def deadlines(decision: Decision) -> list[dict[str, str]]:
    """The clocks in the spelling of the demonstration data, instants in UTC."""
    found = []
    for clock in decision.clocks:
        target = clock.target_at and clock.target_at.isoformat()
        days = {"target_at": target, "warn_date": clock.warn_date, "due_date": clock.due_date}
        stated = {name: str(day) for name, day in days.items() if day}
        if stated:  # Without delay, and no more: nothing that a calendar could hold.
            found.append({"regime": clock.regime, "stage": clock.stage, **stated})
    return found


def in_utc(wanted: list[dict[str, str]]) -> list[dict[str, str]]:
    def utc(name: str, value: str) -> str:
        return datetime.fromisoformat(value).astimezone(UTC).isoformat() if name == "target_at" else value

    return [{name: utc(name, value) for name, value in one.items()} for one in wanted]


@pytest.mark.parametrize("sample", DEMO["reports"], ids=lambda sample: sample["sample"])
def test_a_demonstration_report_goes_where_it_should(sample):
    decision, expected = demo_decision(sample), sample["expected"]
    assert recipients(decision) == expected["recipients"]
    assert set(decision.regimes) == set(expected["regimes"])
    assert untriggered(decision) == set(expected["not_triggered"])
    assert decision.form == expected["form"]


@pytest.mark.parametrize("sample", DEMO["reports"], ids=lambda sample: sample["sample"])
def test_a_demonstration_report_starts_exactly_its_clocks(sample):
    assert deadlines(demo_decision(sample)) == in_utc(sample["expected"]["deadlines"])


@pytest.mark.parametrize("sector", SECTORS)
@pytest.mark.parametrize("act", [False, True])
def test_a_report_that_knows_nothing_is_valid_and_reaches_the_ministry_of_its_sector(sector, act):
    decision = decided(a_profile(sector, act=act))
    expected = [sector_of(sector, NOW).ministry, *(["cao-cyber"] if act else [])]
    assert recipients(decision) == expected
    assert decision.form == "様式3"
    assert ("act-report" in decision.regimes) == act


@pytest.mark.parametrize("sector", SECTORS)
def test_an_invented_report_of_any_sector_reaches_everyone_it_concerns(sector):
    answers = {
        "personal_data": "yes",
        "share_scope": "nco",
        "police_consult": "requested-here",
        "incident_kind": "ddos",
        "service_impact": "stopped",
    }
    decision = decided(a_profile(sector, act=True), **answers)
    assert recipients(decision) == [sector_of(sector, NOW).ministry, "cao-cyber", "nco", "npa", "ppc"]
    assert decision.form == "様式1"


def test_every_recipient_is_told_with_law_and_reason_in_both_languages():
    decision = decided(a_profile("finance", act=True), personal_data="yes", share_scope="nco")
    for recipient in decision.recipients:
        assert all((recipient.law.ja, recipient.law.en, recipient.reason.ja, recipient.reason.en))


def test_one_copy_has_one_purpose_the_gravest_of_its_rules():
    purposes = {one.id: one.purpose for one in decided(police_consult="requested-here").recipients}
    assert purposes == {"meti": "response", "npa": "criminal-investigation"}
    statutory = {one.id: one.purpose for one in decided(a_profile(act=True)).recipients}
    assert statutory == {"meti": "statutory-supervision", "cao-cyber": "statutory-supervision"}


def test_unknown_personal_data_starts_no_clock_but_asks_again_after_a_day():
    decision = decided()
    assert not decision.clocks
    assert [(one.regime, (one.remind_at - NOW).total_seconds()) for one in decision.reminders] == [
        ("ppc-private", 86_400)
    ]


@pytest.mark.parametrize(
    ("kind", "due"),
    [
        ("ransomware", date(2027, 1, 18)),
        ("unknown", date(2026, 12, 21)),
    ],
)
def test_a_possible_attack_gives_sixty_days_for_the_full_report_on_personal_data(kind, due):
    """60 days end on 18 January; 30 days on Saturday 19 December, which rolls over to Monday."""
    clocks = decided(incident_kind=kind, personal_data="yes").clocks
    assert [clock.due_date for clock in clocks if clock.stage == "kakuhou"] == [due]


@pytest.mark.parametrize(
    ("sector", "impact", "applies"),
    [
        ("electricity", "stopped", True),
        ("electricity", "none", False),
        ("electricity", "unknown", False),
        ("gas", "degraded", True),
        ("gas", "none", False),
        ("water", "stopped", False),
    ],
)
def test_energy_accidents_are_reported_within_a_day_of_a_disturbed_supply(sector, impact, applies):
    decision = decided(a_profile(sector), service_impact=impact)
    due = [clock.due_at for clock in decision.clocks if clock.due_at]
    assert due == ([datetime(2026, 11, 21, 0, 0, tzinfo=UTC)] if applies else [])
    assert (sector in decision.regimes) == applies


def test_an_unknown_disturbance_of_the_power_supply_is_asked_about_again():
    reminded = [one.regime for one in decided(a_profile("electricity")).reminders]
    assert reminded == ["ppc-private", "electricity"]


def test_a_public_body_reports_personal_data_under_its_own_article():
    decision = decided(a_profile("government", public=True), personal_data="possible")
    assert "ppc-public" in decision.regimes
    assert "ppc-private" in untriggered(decision)
    assert recipients(decision) == ["mic", "ppc"]


def test_only_the_reporters_consent_sends_a_report_to_the_national_office():
    assert [
        ("nco" in recipients(decided(share_scope=scope)))
        for scope in ("legal-only", "nco", "council-anon", "allied-anon")
    ] == [False, True, True, True]


@pytest.mark.parametrize(
    ("scope", "tlp"),
    [
        ("legal-only", TLP.AMBER),
        ("nco", TLP.AMBER),
        ("council-anon", TLP.GREEN),
        ("allied-anon", TLP.GREEN),
    ],
)
def test_the_technical_part_travels_as_far_as_the_reporter_said(scope, tlp):
    assert decided(share_scope=scope).tlp_technical is tlp


def test_what_says_who_was_hit_stays_with_its_reader_and_narrower_if_customers_are_concerned():
    assert decided().tlp_victim is TLP.AMBER_STRICT
    assert decided(support_wanted=["advisory-to-customers"]).tlp_victim is TLP.RED


def test_the_act_applies_from_the_first_of_october_2026():
    profile = a_profile(act=True)
    before = decided(profile, at=datetime(2026, 9, 30, 14, 59, tzinfo=UTC))
    assert "act-report" in untriggered(before)
    assert "cao-cyber" not in recipients(before)
    assert "act-report" in decided(profile, at=datetime(2026, 9, 30, 15, 0, tzinfo=UTC)).regimes


def test_water_belonged_to_the_health_ministry_until_march_2024():
    last = datetime(2024, 3, 31, 14, 59, tzinfo=UTC)
    assert sector_of("water", last).ministry == "mhlw"
    assert sector_of("water", datetime(2024, 3, 31, 15, 0, tzinfo=UTC)).ministry == "mlit"
    assert recipients(decided(a_profile("water"), at=last)) == ["mhlw"]
    assert "transport" not in decided(a_profile("water"), at=last).regimes


def test_the_national_office_had_another_name_until_june_2025():
    assert "NISC" in authority("nco", datetime(2025, 6, 30, 12, 0, tzinfo=UTC)).name.ja
    assert authority("nco", NOW).name.ja == "国家サイバー統括室"


def test_an_unknown_sector_is_named_in_the_error():
    with pytest.raises(ValueError, match="no 'space'"):
        decided(a_profile("space"))
    with pytest.raises(ValueError, match="2023-01-01"):
        sector_of("port", datetime(2023, 1, 1, tzinfo=UTC))


def test_somebody_who_runs_no_critical_infrastructure_is_told_so():
    decision = decided(a_profile(ci=False))
    assert not decision.regimes
    assert "ci-info" in untriggered(decision)


def test_priority_sectors_come_first():
    assert decided(a_profile("electricity")).priority == "priority-sector"
    assert decided(a_profile("chemical")).priority == "normal"


@pytest.mark.parametrize(
    ("day", "expected"),
    [
        (date(2026, 12, 28), date(2026, 12, 28)),
        (date(2026, 12, 29), date(2027, 1, 4)),
        (date(2027, 1, 9), date(2027, 1, 12)),
        (date(2026, 5, 3), date(2026, 5, 7)),
    ],
)
def test_deadlines_roll_over_weekends_holidays_and_the_new_year(day, expected):
    assert last_open_day(day) == expected


# --- rules that an administrator added -----------------------------------------------------------------


RULE = {
    "id": "added",
    "ja": "追加の報告",
    "en": "An added report",
    "regime": True,
    "law": {"ja": "追加の法令", "en": "An added law"},
    "when": {"all": []},
    "reason": {"ja": "追加の理由", "en": "An added reason"},
    "to": [],
    "purpose": "response",
    "stages": [],
    "otherwise": [],
    "by_consent": False,
}


@pytest.fixture
def add_rules():
    """Lays rules over the packaged ones until the test ends."""

    def add(*rows: dict[str, Any]) -> None:
        lay_over({("rules", "rules"): [RULE | row for row in rows]}, "test")

    yield add
    lay_over({}, "")


def kept(decision: Decision) -> dict[str, Any]:
    """As a version keeps it (JSON)."""
    return orjson.loads(orjson.dumps(decision))


def test_a_ministry_that_a_rule_names_by_its_id_gets_one_copy_with_all_reasons(add_rules):
    add_rules({"to": ["mlit", "ministry", "cao-cyber"]})
    decision = decided(a_profile("port", act=True))
    assert recipients(decision) == ["mlit", "cao-cyber"]
    first = decision.recipients[0]
    assert first.regimes == ("act-report", "transport", "ci-info", "added")
    assert {"追加の理由", "国土交通省が所管する分野の事業者のため"} <= set(first.reason.ja.split("。"))


@pytest.mark.parametrize("ministry", ["cao-cyber", "npa", "ppc", "nco"])
def test_a_sectors_ministry_that_receives_by_another_law_too_gets_one_copy(ministry):
    lay_over({("sectors", "sectors"): [sector_row("chemical") | {"ministry": ministry}]}, "test")
    try:
        answers = {"personal_data": "yes", "police_consult": "requested-here", "share_scope": "nco"}
        found = recipients(decided(a_profile(act=True), **answers))
    finally:
        lay_over({}, "")
    assert sorted(found) == ["cao-cyber", "nco", "npa", "ppc"] and found[0] == ministry


def sector_row(wanted: str) -> dict[str, Any]:
    return next(dict(row) for row in table("sectors")["sectors"] if row["id"] == wanted)


def test_whom_an_earlier_version_reached_stays_when_its_rule_names_somebody_else(add_rules):
    add_rules({"to": ["jpcert", "mlit"]}, {"id": "asked", "to": ["ipa"], "by_consent": True, "regime": False})
    first = decided()
    assert recipients(first) == ["meti", "jpcert", "mlit", "ipa"]
    add_rules({"to": ["npa"]})
    second = decide(answers_of(a_report()), a_profile(), at=NOW, before=kept(first))
    third = decide(answers_of(a_report()), a_profile(), at=NOW, before=kept(second))
    for decision in (second, third):
        assert recipients(decision) == ["meti", "npa", "jpcert", "mlit", "ipa"]
        by_id = {one.id: one for one in decision.recipients}
        was = {one.id: one for one in first.recipients}
        assert (by_id["mlit"].law, by_id["mlit"].reason) == (was["mlit"].law, was["mlit"].reason)
        assert [one.id for one in decision.recipients if one.held] == ["ipa"], "of a consent, without its rule, no more"


STAGE = {"id": "first", "ja": "期限", "en": "Deadline", "start": "aware_at", "met_by": "any"}


@pytest.mark.parametrize(
    ("aware", "stage", "due"),
    [
        # 28 December 2026 is a Monday, and the last open day of the year.
        ("2026-12-25", {"business_days": 1}, "2026-12-28"),
        ("2026-12-25", {"business_days": 2}, "2027-01-04"),
        ("2026-12-28", {"business_days": 1}, "2027-01-04"),
        ("2026-12-28", {"business_days": 1, "first_day_counted": True}, "2026-12-28"),
        ("2026-12-28", {"business_days": 2, "first_day_counted": True}, "2027-01-04"),
        ("2026-12-30", {"business_days": 1, "first_day_counted": True}, "2027-01-04"),
        ("2027-01-03", {"business_days": 3}, "2027-01-06"),
        # 23 November 2026 is a holiday, on a Monday.
        ("2026-11-20", {"business_days": 1}, "2026-11-24"),
        ("2026-11-22", {"business_days": 3}, "2026-11-26"),
        ("2026-11-18", {"business_days": 5}, "2026-11-26"),
        # Golden Week 2026: Wednesday 29 April, and from Saturday 2 to Wednesday 6 May.
        ("2026-04-28", {"business_days": 3}, "2026-05-07"),
        ("2026-05-01", {"business_days": 3, "first_day_counted": True}, "2026-05-08"),
        ("2026-05-03", {"business_days": 2, "first_day_counted": True}, "2026-05-08"),
        # Months: to the day before the same day; a first of the month to the last of another.
        ("2026-11-29", {"months": 1}, "2026-12-29"),
        ("2026-11-29", {"months": 1, "roll_if_closed": True}, "2027-01-04"),
        ("2026-12-02", {"months": 1, "first_day_counted": True}, "2027-01-01"),
        ("2027-01-31", {"months": 1}, "2027-02-28"),
        ("2027-01-30", {"months": 1}, "2027-02-28"),
        ("2027-02-28", {"months": 1}, "2027-03-31"),
        ("2026-10-03", {"months": 1, "roll_if_closed": True}, "2026-11-04"),
        ("2026-11-13", {"days": 10}, "2026-11-23"),
        ("2026-11-13", {"days": 10, "roll_if_closed": True}, "2026-11-24"),
    ],
)
def test_a_clock_counts_open_days_days_or_months_as_its_rule_says(add_rules, aware, stage, due):
    add_rules({"stages": [STAGE | stage]})
    now = datetime.fromisoformat(f"{aware}T13:00:00+09:00")
    answers = answers_of(parse(UNKNOWN | {"aware_at": f"{aware}T12:00:00+09:00"}, profile=a_profile(), now=now))
    (clock,) = decide(answers, a_profile(), at=now).clocks
    assert str(clock.due_date) == due


# --- later filings -------------------------------------------------------------------------------------


def test_a_regime_that_an_update_brings_starts_its_own_clock_until_its_time_is_told():
    """Aware on the 4th; on the 20th the supply stops, and personal data are at risk; nobody says since when."""
    profile, later = a_profile("electricity"), NOW + timedelta(days=3)
    known = answers_of(a_report(profile, aware_at="2026-11-04T09:00:00+09:00", service_impact="none"))
    first = decide(known, profile, at=datetime(2026, 11, 4, 1, tzinfo=UTC))
    brought = known | {"service_impact": "stopped", "personal_data": "yes"}
    second = decide(brought, profile, at=NOW, before=kept(first))
    # A later version moves nothing; a time that is told does, and that of awareness is no time of the accident.
    third = decide(brought | {"aware_at": "2026-11-03T00:00:00Z"}, profile, at=later, before=kept(second))
    for decision in (second, third):
        starts = {(clock.regime, clock.stage): clock.starts_at for clock in decision.clocks}
        assert set(starts.values()) == {NOW} and len(starts) == 4
        due = {(clock.regime, clock.stage): clock.due_at or clock.due_date for clock in decision.clocks}
        assert due["electricity", "sokuhou"] == NOW + timedelta(hours=24)
        assert due["ppc-private", "sokuhou"] == date(2026, 11, 25)
    told = brought | {"accident_known_at": "2026-11-19T09:00:00Z"}
    fourth = decide(told, profile, at=later, before=kept(third))
    due = {(clock.regime, clock.stage): clock.due_at or clock.due_date for clock in fourth.clocks}
    assert due["electricity", "sokuhou"] == datetime(2026, 11, 20, 9, tzinfo=UTC)
    assert due["ppc-private", "sokuhou"] == date(2026, 11, 25)


def test_what_the_first_report_brought_starts_when_one_became_aware_also_when_that_is_corrected():
    known = answers_of(a_report(personal_data="yes"))
    first = decide(known, a_profile(), at=NOW)
    second = decide(known | {"aware_at": "2026-11-18T00:00:00Z"}, a_profile(), at=NOW, before=kept(first))
    assert {clock.starts_at for clock in second.clocks} == {datetime(2026, 11, 18, tzinfo=UTC)}


def test_a_question_that_stays_open_is_asked_when_the_first_version_said():
    known, later = answers_of(a_report()), NOW + timedelta(hours=20)
    first = decide(known, a_profile(), at=NOW)
    second = decide(known | {"current_status": "contained"}, a_profile(), at=later, before=kept(first))
    assert [one.remind_at for one in second.reminders] == [NOW + timedelta(hours=24)]
    answered = decide(known | {"personal_data": "no"}, a_profile(), at=later, before=kept(second))
    assert not answered.reminders
    again = decide(known, a_profile(), at=later, before=kept(answered))
    assert [one.remind_at for one in again.reminders] == [later + timedelta(hours=24)]


def test_every_rule_sends_to_somebody_known_and_has_all_its_words():
    known = {"ministry", *(row["id"] for row in table("sectors")["authorities"])}
    for rule in table("rules")["rules"]:
        assert set(rule["to"]) <= known
        for words in (rule, rule["law"], rule["reason"], *rule["stages"], *rule["otherwise"]):
            assert words["ja"]
            assert words["en"]


def test_the_demonstration_accounts_belong_to_somebody_known():
    sectors = table("sectors")
    accounts = DEMO["accounts"]
    assert len({account["username"] for account in accounts}) == len(accounts)
    for key, rows in (("isac", "isacs"), ("authority", "authorities"), ("sector", "sectors")):
        known = {row["id"] for row in sectors[rows]}
        assert {account[key] for account in accounts if key in account} <= known


def test_first_aid_is_there_for_each_kind_in_both_languages():
    first_aid = table("first_aid")
    assert set(first_aid) == {"ransomware", "ddos", "other", "ot"}
    assert all(step["ja"] and step["en"] for steps in first_aid.values() for step in steps)
