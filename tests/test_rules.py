"""What follows from a report: the ten demonstration reports, and invented ones of every sector."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest

from exchange.form import Profile, QuickReport, parse
from exchange.incidents import answers_of
from exchange.rules import Decision, decide, last_open_day
from exchange.sectors import authority, sector_of
from exchange.sharing import TLP
from exchange.tables import table

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
