"""Of what was pasted and listed, what may go out: the strictest word about a value counts, no answer lists members."""

from __future__ import annotations

from typing import Any

import pytest

from exchange import carrying, desk, editions, findings, incidents, listed
from exchange.errors import Problem
from exchange.incidents import Filed, Filing
from exchange.listed import is_of_type
from exchange.sharing import Kind, Role, Viewer
from exchange.stores import Stores
from tests.conftest import NOW
from tests.make import SAMPLES, file_sample, make_organization, make_report, make_viewer, work

HASH = "c01d" * 16
RED = {"type": "file:sha256", "value": HASH, "tlp": "red"}


def reporter(stores: Stores) -> Viewer:
    with stores.case.transaction() as db:
        return make_viewer(db, make_organization(db))


def member(stores: Stores, domain: str) -> None:
    with stores.case.transaction() as db:
        make_organization(db, domains=[domain])


def filed(stores: Stores, by: Viewer, **answers: Any) -> Filed:
    with stores.case.transaction() as db:
        return make_report(db, by, **answers)


def updated(stores: Stores, first: Filed, by: Viewer, **answers: Any) -> Filed:
    with stores.case.transaction() as db:
        case = incidents.hold(db, first.case.id)
        return incidents.update(db, case, answers, Filing("zokuhou", "api", by), now=NOW)


def kept(stores: Stores, one: Filed) -> dict[str, tuple[str | None, int]]:
    """Why each value stays here, and how sure it is, after the workers have read the version."""
    work(stores, one)
    with stores.case.reading() as db:
        return {value: (row.excluded, row.confidence) for row, value in findings.kept(db, one.version.id)}


def outcome(stores: Stores, **answers: Any) -> dict[str, tuple[str | None, int]]:
    """`kept` of what an update lists, where nothing else was pasted."""
    alice = reporter(stores)
    first = filed(stores, alice, ioc_paste="")
    return kept(stores, updated(stores, first, alice, **answers))


# --- named twice ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("turned", [False, True])
def test_a_value_that_is_marked_once_is_held_wherever_else_it_is_named(stores: Stores, turned: bool) -> None:
    rows = [{"type": "domain-name", "value": "evil.example", "tlp": "red"}]
    rows += [{"type": "domain-name", "value": "EVIL[.]example"}]
    malware = [{"kind": "ransomware", "hashes": [HASH.upper()]}]
    found = outcome(stores, iocs=[RED, *(rows[::-1] if turned else rows)], malware=malware, ioc_paste="evil.example")
    assert {value: why for value, (why, _) in found.items()} == {"evil.example": "marked", HASH: "marked"}


@pytest.mark.parametrize("turned", [False, True])
def test_the_lower_of_two_confidences_counts_and_silence_is_none(stores: Stores, turned: bool) -> None:
    rows = [{"type": "domain-name", "value": f"{name}.example"} for name in ("doubted", "sure")]
    low, high, silent = ({"confidence": "low"}, {"confidence": "high"}, dict[str, str]())
    iocs = [rows[0] | low, rows[0] | high, rows[1] | high, rows[1] | silent]
    found = outcome(stores, iocs=iocs[::-1] if turned else iocs, ioc_paste="doubted.example sure.example")
    assert found == {"doubted.example": ("low-confidence", 15), "sure.example": (None, 85)}


@pytest.mark.parametrize("turned", [False, True])
def test_of_two_reasons_the_reporters_marking_is_the_stricter(stores: Stores, turned: bool) -> None:
    iocs = [RED, RED | {"tlp": "green", "confidence": "low"}]
    assert outcome(stores, iocs=iocs[::-1] if turned else iocs) == {HASH: ("marked", 15)}


# --- values that are not of their type ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "value", "fits"),
    [
        ("ipv4-addr", "198[.]51[.]100[.]7 (Tor)", True),
        ("ipv4-addr", "10.0.0.0/24", True),
        ("ipv4-addr", "2001:db8::1", False),
        ("ipv6-addr", "2001[:]db8::1", True),
        ("domain-name", "evil[.]zip", True),
        ("domain-name", "dc01.corp.local", True),
        ("domain-name", "not a name", False),
        ("url", "hxxp://intranet/x", True),
        ("url", "intranet", False),
        ("email-addr", "boss[at]bad[.]example", True),
        ("email-addr", "boss", False),
        ("file:sha256", HASH.upper(), True),
        ("file:sha256", HASH[:32], False),
        ("file:md5", "0" * 32, True),
        ("mutex", "anything", True),
        ("other", "anything", True),
    ],
)
def test_a_value_is_what_its_type_says_also_one_that_nobody_could_block(kind: str, value: str, fits: bool) -> None:
    assert is_of_type(kind, value) is fits


def test_a_name_that_could_be_a_file_is_a_name_where_the_reporter_says_so(stores: Stores) -> None:
    assert outcome(stores, iocs=[{"type": "domain-name", "value": "evil.zip"}]) == {"evil.zip": (None, 50)}


def test_only_new_rows_that_are_not_of_their_type_are_refused_each_by_its_place() -> None:
    bad, good = {"type": "ipv4-addr", "value": "not an ip"}, {"type": "ipv4-addr", "value": "198.51.100.7"}
    worse = {"type": "url", "value": "nothing"}
    assert listed.problems([good, bad, worse], [bad]) == [Problem("iocs.2.value", "bad-indicator")]
    assert [one.field for one in listed.problems([bad, good, worse], [])] == ["iocs.0.value", "iocs.2.value"]


# --- values of other members ---------------------------------------------------------------------------


def told(stores: Stores, one: Filed) -> dict[str, str | None]:
    """What the reporter reads of each value."""
    return {value: findings.told(why) for value, (why, _) in kept(stores, one).items()}


def test_one_value_of_another_member_holds_all_that_would_go_out_alike(stores: Stores) -> None:
    member(stores, "other.example")
    paste = "203.0.113.9 mail.other.example bad.example 10.0.0.8 CVE-2024-21887"
    assert told(stores, filed(stores, reporter(stores), share_scope="legal-only", ioc_paste=paste)) == {
        **dict.fromkeys(("203.0.113.9", "mail.other.example", "bad.example", "CVE-2024-21887"), "held"),
        "10.0.0.8": "private",
    }


def test_without_a_value_of_another_member_nothing_is_held(stores: Stores) -> None:
    member(stores, "other.example")
    assert told(stores, filed(stores, reporter(stores), ioc_paste="203.0.113.9 another.example")) == {
        "203.0.113.9": None,
        "another.example": None,
    }


def test_what_waits_already_tells_nothing_of_members(stores: Stores) -> None:
    member(stores, "other.example")
    iocs = [
        {"type": "domain-name", "value": "other.example", "tlp": "red"},
        {"type": "ipv4-addr", "value": "203.0.113.9"},
    ]
    assert outcome(stores, iocs=iocs) == {"other.example": ("marked", 50), "203.0.113.9": (None, 50)}


def test_what_is_out_stays_out_when_an_update_names_a_members_value(stores: Stores) -> None:
    member(stores, "other.example")
    alice = reporter(stores)
    first = filed(stores, alice, ioc_paste="203.0.113.9")
    assert told(stores, first) == {"203.0.113.9": None}
    more = updated(stores, first, alice, ioc_paste="203.0.113.9 other.example bad.example")
    assert told(stores, more) == {"203.0.113.9": None, "other.example": "held", "bad.example": "held"}


def test_who_becomes_a_member_later_is_not_told_by_an_update_either(stores: Stores) -> None:
    alice = reporter(stores)
    first = filed(stores, alice, ioc_paste="203.0.113.9 other.example")
    assert set(told(stores, first).values()) == {None}
    member(stores, "other.example")
    more = updated(stores, first, alice, current_status="contained")
    assert told(stores, more) == {"203.0.113.9": "held", "other.example": "held"}


def test_a_second_person_may_release_a_text_about_what_is_held(stores: Stores) -> None:
    member(stores, "other.example")
    one = filed(stores, reporter(stores), ioc_paste="203.0.113.9 mail.other.example")
    kept(stores, one)
    texts = {"ja": "203[.]0[.]113[.]9 への通信を確かめてください。", "en": "Look for traffic to 203[.]0[.]113[.]9."}
    with stores.case.transaction() as db:
        office = make_organization(db, kind=Kind.NCO)
        proposal = desk.propose(db, one.case.ref, texts, by=make_viewer(db, office, Role.ANALYST), now=NOW)
        shown = desk.view(db, one.case, texts, now=NOW).digest
        desk.release(db, proposal.id, shown=shown, by=make_viewer(db, office, Role.APPROVER), now=NOW)
        edition = editions.of_case(db, one.case)[0]
    carrying.release(stores, edition.id, clock=lambda: NOW)
    with stores.case.reading() as db:
        out = b"".join(row.body or b"" for row in editions.released(db, one.case)).decode()
    assert texts["en"] in out and "other.example" not in out and '"indicator"' not in out


def test_no_sample_names_a_value_of_another_member(stores: Stores) -> None:
    for name in SAMPLES:
        assert not {"member", "with-member"} & {why for why, _ in kept(stores, file_sample(stores, name)).values()}, (
            name
        )
