"""What the national office decides about members: what they contribute goes out, or does not; who is cleared."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa
from click.testing import CliRunner, Result
from flask import Flask
from flask.testing import FlaskClient

from config import Settings
from exchange import accounts, carrying, contributions, feed_accounts, lanes, outbox, weighing
from exchange.models import AuditEntry, Collection, Entry, Event, Person
from exchange.sharing import TLP, Kind, Role, Viewer
from exchange.stix.ids import TLP_MARKING
from exchange.stores import Stores
from exchange.times import JST, utcnow
from portal.app import create_app
from portal.cli import accounts as cli
from tests.conftest import NOW
from tests.make import make_organization, make_viewer
from tests.taxii_house import V2, Json, thing

AMBER, STRICT = ([TLP_MARKING[level]] for level in ("amber", "amber+strict"))


@dataclass(frozen=True)
class Desk:
    """The pages, a member who contributes, and the people of the national office."""

    app: Flask
    stores: Stores
    member: Viewer
    analyst: Viewer
    approver: Viewer

    def contribute(self, *things: Json, by: Viewer | None = None, at: datetime = NOW, to: str = "isac-t-isac") -> UUID:
        """Objects that now wait in quarantine."""
        who = (by or self.member).person_id
        assert who is not None
        with self.stores.released.transaction() as db:
            caller = feed_accounts.caller_of_account(db, who, now=at)
            assert caller is not None
            place = caller.collection(to).id
            submission_id, status = contributions.submit(db, place, things, by=caller.viewer, now=at)
        assert json.loads(status)["success_count"] == len(things), status
        return submission_id

    def browser(self, viewer: Viewer, lang: str = "en") -> FlaskClient:
        """Signed in."""
        client = self.app.test_client()
        client.get(f"/language/{lang}")
        typed = {"username": viewer.username, "password": "right horse", "csrf_token": _token(client, "/login")}
        assert client.post("/login", data=typed).status_code == 303
        return client

    def text(self, path: str, *, by: Viewer | None = None, lang: str = "en") -> str:
        """What a page says to somebody of the office, tags left out."""
        answer = self.browser(by or self.approver, lang).get(path)
        assert answer.status_code == 200, path
        return _text(answer.get_data(as_text=True))

    def decide(self, submission_id: UUID, act: str, *, by: Viewer | None = None) -> Any:
        """Press the button."""
        client = self.browser(by or self.approver)
        path = f"/desk/contributions/{submission_id}"
        return client.post(f"{path}/{act}", data={"csrf_token": _token(client, "/")}, follow_redirects=True)

    def audited(self, action: str) -> list[dict[str, Any]]:
        """The entries of the audit chain of one kind."""
        with self.stores.case.reading() as db:
            entries = [json.loads(one) for one in db.scalars(sa.select(AuditEntry.entry).order_by(AuditEntry.seq))]
        return [one for one in entries if one["action"] == action]

    def carry(self) -> None:
        """What a worker does with every admission."""
        with self.stores.case.reading() as db:
            waiting = sa.select(Event).where(Event.topic == "contribution.admitted", Event.done_at.is_(None))
            events = db.scalars(waiting).all()
        for event in events:
            carrying.contribution(self.stores, event.subject_id, clock=lambda: NOW)
            with self.stores.case.transaction() as db:
                outbox.settle(db, event.id, now=NOW)

    def released(self, alias: str = "isac-t-isac") -> list[str]:
        """Ids that any reader of a collection gets."""
        with self.stores.released.reading() as db:
            own = sa.select(Collection.id).where(Collection.alias == alias).scalar_subquery()
            rows = sa.select(Entry.stix_id).where(Entry.collection_id == own, Entry.lane < lanes.QUARANTINED)
            return [one for one in db.scalars(rows) if one.startswith(("indicator", "malware"))]


def _token(client: FlaskClient, path: str) -> str:
    found = re.search(r'name="csrf_token" value="([^"]+)"', client.get(path).get_data(as_text=True))
    assert found
    return found[1]


def _text(page: str) -> str:
    """Words one blank apart, entities as they are read."""
    words = re.sub(r"<[^>]+>", " ", page.partition("<main")[2].partition("</main>")[0])
    for entity, char in (("&#39;", "'"), ("&#34;", '"'), ("&lt;", "<"), ("&gt;", ">"), ("&amp;", "&")):
        words = words.replace(entity, char)
    return " ".join(words.split())


@pytest.fixture
def desk(settings: Settings, stores: Stores) -> Iterator[Desk]:
    """Once on each database."""
    app = create_app(settings)
    with stores.case.transaction() as db:
        office = make_organization(db, kind=Kind.NCO, name_ja="国の窓口試験", name_en="Trial Office")
        analyst, approver = make_viewer(db, office, Role.ANALYST), make_viewer(db, office, Role.APPROVER)
        own: dict[str, Any] = {
            "name_ja": "例電力株式会社",
            "name_en": "Rei Power K.K.",
            "domains": ["rei-power.example"],
        }
        member = make_viewer(db, make_organization(db, **own), Role.REPORTER)
    for person in (member, analyst, approver):
        assert person.person_id is not None
        carrying.account(stores, person.person_id, now=NOW)
    yield Desk(app, stores, member, analyst, approver)
    app.extensions["stores"].close()


LIST = "/desk/contributions"


# --- the list --------------------------------------------------------------------------------------------


def test_an_empty_desk_says_what_will_be_there(desk: Desk) -> None:
    assert "Nothing waits" in desk.text(LIST) and "承認の可否" in desk.text(LIST, lang="ja")
    assert "Nothing that members posted waits" in desk.text("/desk")


def test_the_list_says_who_contributed_what_where_and_how_strict_it_is(desk: Desk) -> None:
    desk.contribute(thing(), thing(object_marking_refs=AMBER))
    desk.contribute(thing(), at=NOW - timedelta(hours=1))
    page = desk.text(LIST, by=desk.analyst)
    assert page.count("Rei Power K.K.") == 2
    assert "12:00, JST" not in page and "Sat 21 Nov 2026, 12:00 JST" in page
    assert page.index("Sat 21 Nov 2026, 11:00 JST") < page.index("Sat 21 Nov 2026, 12:00 JST")
    assert page.index("TLP:GREEN") < page.index("TLP:AMBER")
    assert "Objects: 2" in page and "例電力株式会社" in desk.text(LIST, lang="ja")
    assert "Waiting for an approver: 2" in desk.text("/desk")


def test_the_desk_works_on_cases_while_the_feed_is_away(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    from exchange.errors import Unavailable

    def silent(_db: object) -> list[object]:
        raise Unavailable("the database does not answer")

    monkeypatch.setattr(contributions, "waiting", silent)
    assert "The feed does not answer" in desk.text("/desk")
    assert desk.browser(desk.approver).get(LIST).status_code == 503


def test_a_list_that_is_too_long_says_how_much_more_there_is(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    from portal.web import contributions as web

    monkeypatch.setattr(web, "_LISTED", 1)
    for _ in range(3):
        desk.contribute(thing())
    assert "And 2 more" in desk.text(LIST)


# --- one contribution ------------------------------------------------------------------------------------


def test_each_object_can_be_read_and_its_posted_form_too(desk: Desk) -> None:
    identity = thing("identity", name="Security team", object_marking_refs=[TLP_MARKING["clear"]])
    malware = thing("malware", name="Kasumi", description="Locks files.", created_by_ref=identity["id"])
    indicator = thing(created_by_ref=identity["id"], object_marking_refs=AMBER)
    joint = thing("relationship", source_ref=indicator["id"], target_ref=malware["id"])
    page = desk.text(f"{LIST}/{desk.contribute(identity, malware, indicator, joint)}", by=desk.analyst)
    assert "[ipv4-addr:value = '203.0.113.9'] indicates Kasumi" in page
    assert "Locks files." in page and f"Created by: Security team {identity['id']}" in page
    assert page.count("TLP:AMBER") == 2  # The object's, and the strictest in all.
    assert '"malware_types"' not in page and '"is_family": false' in page
    assert "Nothing in it is on the lists" in page


def test_opening_a_contribution_is_on_record(desk: Desk) -> None:
    submission_id = desk.contribute(thing())
    desk.text(f"{LIST}/{submission_id}", by=desk.analyst)
    read = desk.audited("contribution.read")
    assert [(one["actor"], one["object"]) for one in read] == [(str(desk.analyst.person_id), str(submission_id))]


@pytest.mark.parametrize("submission_id", [uuid4(), "x"])
def test_what_is_not_there_is_not_found_and_not_on_record(desk: Desk, submission_id: object) -> None:
    assert desk.browser(desk.approver).get(f"{LIST}/{submission_id}").status_code == 404
    assert desk.audited("contribution.read") == []


def test_a_large_contribution_is_read_page_by_page(desk: Desk) -> None:
    things = [thing(name=f"N{n:04}") for n in range(1, 251)]
    things[249]["pattern"] = "[ipv4-addr:value = '8.8.8.8']"
    path = f"{LIST}/{desk.contribute(*things)}"
    first, last = desk.text(path), desk.text(f"{path}?page=99")
    assert "N0001" in first and "N0101" not in first and "Page 1 of 3" in first
    assert "N0250" in last and "Page 3 of 3" in last and "Approve all of it" in last
    assert "250. Indicator" in first and 'page=3#o250"' in desk.browser(desk.approver).get(path).get_data(as_text=True)
    for odd in ("?page=x", "?page=-1", "?page=0", f"?page={'9' * 30}"):
        assert "Page" in desk.text(path + odd)


# --- what to look at twice ---------------------------------------------------------------------------------


def concerns(desk: Desk, *things: Json, by: Viewer | None = None, real: bool = True) -> list[tuple[str, str]]:
    """(code, what) of the objects, as if `by` had contributed them."""
    who = (by or desk.member).person_id
    assert who is not None
    with desk.stores.case.reading() as db:
        own = weighing.contributor(db, who)
        scales = weighing.Scales(db, own, documentation_is_real=real)
        return [(one.code, one.what) for each in things for one in scales.concerns(each)]


EVERYDAY = [
    ("[ipv4-addr:value = '203.0.113.9']", None),
    ("[ipv4-addr:value = '192.168.1.1']", ("private", "192.168.1.1")),
    ("[ipv4-addr:value ISSUBSET '10.0.0.0/8']", ("private", "10.0.0.0/8")),
    ("[domain-name:value = 'co.jp']", ("public-suffix", "co.jp")),
    ("[domain-name:value IN ('bad.example', 'co.jp')]", ("public-suffix", "co.jp")),
    (r"[domain-name:value IN ('bad.example', 'it\'s.bad.example')]", None),
    ("[url:value = 'https://bad.example/(co.jp)']", None),
    ("[network-traffic:dst_ref.value = '127.0.0.1']", ("private", "127.0.0.1")),
    ("[file:hashes.MD5 = 'd41d8cd98f00b204e9800998ecf8427e']", ("empty-file", "d41d8cd98f00b204e9800998ecf8427e")),
    ("[ipv4-addr:value = '8.8.8.8' AND ipv4-addr:value = '8.8.8.8']", ("public-dns", "8.8.8.8")),
]


def test_an_indicator_of_everyday_traffic_is_looked_at_twice(desk: Desk) -> None:
    for pattern, expected in EVERYDAY:
        found = [(code.removeprefix("known-good:"), what) for code, what in concerns(desk, thing(pattern=pattern))]
        assert found == ([expected] if expected else []), pattern


def test_documentation_addresses_count_as_private_in_a_live_installation(desk: Desk) -> None:
    assert concerns(desk, thing(), real=False) == [("private", "203.0.113.9")]


def test_what_belongs_to_a_registered_organisation_or_names_it_is_looked_at_twice(desk: Desk) -> None:
    with desk.stores.case.transaction() as db:
        row: dict[str, Any] = {"name_ja": "架空銀行株式会社", "name_en": "Kaku Bank", "domains": ["kaku-bank.example"]}
        make_organization(db, **row, networks=["198.51.100.0/24"])
    inside = thing(pattern="[url:value = 'https://www.kaku-bank.example/x']")
    address = thing("ipv4-addr", value="198.51.100.77")
    telling = thing("malware", name="x", description="架空 銀行で見つかった。")
    assert concerns(desk, inside, address, telling) == [
        ("member", "https://www.kaku-bank.example/x"),
        ("member", "198.51.100.77"),
        ("member-term", "架空 銀行"),
    ]
    page = desk.text(f"{LIST}/{desk.contribute(inside, address, telling)}")
    assert "Objects to look at twice: 3" in page and "Names a registered organisation" in page
    assert "登録されている組織のもの" in desk.text(
        f"{LIST}/{desk.contribute(thing(**inside | {'id': thing()['id']}))}", lang="ja"
    )


def test_an_operator_that_names_itself_is_looked_at_twice_and_an_isac_that_does_is_not(desk: Desk) -> None:
    own = thing("malware", name="x", description="Found at Rei Power, host a.rei-power.example")
    assert {code for code, _ in concerns(desk, own)} == {"contributor-term"}
    assert concerns(desk, thing("identity", name="Rei Power K.K.")) == []
    mine = thing(pattern="[domain-name:value = 'a.rei-power.example']")
    assert concerns(desk, mine) == [("contributor", "a.rei-power.example")]
    with desk.stores.case.transaction() as db:
        isac = make_organization(db, kind=Kind.ISAC, isacs=["f-isac"], name_ja="金融ISAC試験", name_en="Trial F-ISAC")
        sender = make_viewer(db, isac, Role.READER)
    assert concerns(desk, thing("malware", name="x", description="Trial F-ISAC says"), by=sender) == []
    assert {code for code, _ in concerns(desk, own, by=sender)} == {"member-term"}


def test_no_name_is_read_across_two_texts_or_out_of_ids(desk: Desk) -> None:
    with desk.stores.case.transaction() as db:
        make_organization(db, corporate_number="8123123456789")
    apart = thing("malware", name="Rei", description="Power outage", labels=["rei", "power"])
    alike = thing("malware", name="x", id="malware--12345678-1234-4123-8123-123456789012")
    assert concerns(desk, apart, alike) == []


# --- deciding --------------------------------------------------------------------------------------------


def test_what_an_approver_lets_out_is_being_released_and_then_in_the_feed(desk: Desk) -> None:
    indicator = thing()
    submission_id = desk.contribute(indicator)
    answer = desk.decide(submission_id, "approve")
    assert (answer.status_code, answer.request.path) == (200, LIST)
    assert "Approved." in _text(answer.get_data(as_text=True)) and "Is being released" in desk.text(LIST)
    assert "Approve all of it" not in desk.text(f"{LIST}/{submission_id}") and desk.released() == []
    desk.carry()
    assert desk.released() == [indicator["id"]] and "Nothing waits" in desk.text(LIST)
    assert len(desk.audited("contribution.admitted")) == 1


def test_what_an_approver_refuses_is_gone(desk: Desk) -> None:
    submission_id = desk.contribute(thing())
    assert "Nothing waits" in _text(desk.decide(submission_id, "refuse").get_data(as_text=True))
    desk.carry()
    assert desk.released() == [] and len(desk.audited("contribution.refused")) == 1


@pytest.mark.parametrize("act", ["approve", "refuse"])
def test_what_somebody_has_decided_meanwhile_is_said_so(desk: Desk, act: str) -> None:
    submission_id = desk.contribute(thing())
    desk.decide(submission_id, "refuse")
    page = desk.decide(submission_id, act).get_data(as_text=True)
    assert "waits any more" in page and "notice--info" in page and "notice--success" not in page


@pytest.mark.parametrize("act", ["approve", "refuse"])
def test_only_an_approver_of_the_office_decides(desk: Desk, act: str) -> None:
    submission_id = desk.contribute(thing())
    for who in (desk.analyst, desk.member):
        assert desk.decide(submission_id, act, by=who).status_code == 403
    path = f"{LIST}/{submission_id}"
    page = desk.browser(desk.analyst).get(path).get_data(as_text=True)
    assert "An approver decides" in page and "/approve" not in page
    assert desk.browser(desk.member).get(path).status_code == 403
    assert desk.browser(desk.approver).post(f"{path}/{act}").status_code == 400  # No token.
    with desk.stores.released.reading() as db:
        assert len(contributions.waiting(db)) == 1


def test_what_is_posted_is_shown_and_never_run(desk: Desk) -> None:
    hostile = "<script>alert(1)</script>{{ 7*7 }}"
    path = f"{LIST}/{desk.contribute(thing('malware', name=hostile, description=hostile, modified=V2))}"
    page = desk.browser(desk.approver).get(path).get_data(as_text=True)
    assert (
        "<script>alert" not in page and "&lt;script&gt;alert(1)" in page and "49" not in _text(page).partition("{{")[0]
    )


# --- clearances --------------------------------------------------------------------------------------------


@pytest.fixture
def noroshi(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """The commands about accounts, in this process."""
    monkeypatch.setattr(cli, "settings", lambda: None)
    monkeypatch.setattr(cli, "open_stores", lambda _settings: desk.stores)
    groups = {"account": cli.account_command, "key": cli.key_command}
    return lambda group, *words: CliRunner().invoke(groups[group], words)


def _ceiling(desk: Desk, who: Viewer, at: datetime) -> int:
    """The strictest rank that an account receives at a moment."""
    assert who.person_id is not None
    with desk.stores.released.reading() as db:
        caller = feed_accounts.caller_of_account(db, who.person_id, now=at)
        assert caller is not None
        return caller.viewer.tlp


def test_a_clearance_holds_through_its_last_day_in_japan_and_ends_at_once(
    desk: Desk, noroshi: Callable[..., Result]
) -> None:
    name, day = desk.analyst.username, (utcnow() + timedelta(days=40)).astimezone(JST).date()
    done = noroshi("account", "clearance", name, "--until", str(day))
    assert (done.exit_code, done.output) == (0, f"{name} is cleared until {day}\n")
    midnight = datetime(day.year, day.month, day.day, tzinfo=JST) + timedelta(days=1)
    assert _ceiling(desk, desk.analyst, midnight - timedelta(seconds=1)) == TLP.AMBER_STRICT.rank
    assert _ceiling(desk, desk.analyst, midnight) == TLP.AMBER.rank
    assert f"cleared until {day}" in noroshi("account", "list").output
    with desk.stores.case.reading() as db:
        assert db.get_one(Person, desk.analyst.person_id).clearance == "valid"
    ended = noroshi("account", "clearance", name, "--end")
    assert (ended.exit_code, ended.output) == (0, f"{name} has no clearance\n")
    assert _ceiling(desk, desk.analyst, utcnow()) == TLP.AMBER.rank
    assert len(desk.audited("account.cleared")) == len(desk.audited("account.clearance-ended")) == 1
    with desk.stores.case.reading() as db:
        person = db.get_one(Person, desk.analyst.person_id)
        assert (person.clearance, person.clearance_until) == (None, None)


def test_a_clearance_that_makes_no_sense_is_refused(desk: Desk, noroshi: Callable[..., Result]) -> None:
    both = ["--end", "--until", "2999-01-01"]
    for options in ([], both, ["--until", "2020-01-01"], ["--until", "soon"]):
        assert noroshi("account", "clearance", desk.analyst.username, *options).exit_code == 2, options
    assert noroshi("account", "clearance", "nobody", "--end").exit_code == 1
    assert noroshi("account", "clearance", desk.analyst.username, "--until", "9999-12-31").exit_code == 0
    assert len(desk.audited("account.cleared")) == 1


def test_ending_or_shortening_a_clearance_reaches_the_feed_even_when_the_case_store_fails(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert desk.analyst.person_id is not None
    who, year = desk.analyst.person_id, timedelta(days=365)
    carrying.clear(desk.stores, who, until=NOW + year, by="test", now=NOW)

    def failing(*_: object, **__: object) -> None:
        raise RuntimeError("the case store is away")

    monkeypatch.setattr(accounts, "lock_person", failing)
    for until, ends in ((NOW + 2 * year, NOW + year), (NOW + year / 2, NOW + year / 2), (None, NOW)):
        with pytest.raises(RuntimeError):
            carrying.clear(desk.stores, who, until=until, by="test", now=NOW)
        assert _ceiling(desk, desk.analyst, ends) == TLP.AMBER.rank
        assert ends == NOW or _ceiling(desk, desk.analyst, ends - timedelta(seconds=1)) == TLP.AMBER_STRICT.rank


def test_another_key_is_shown_and_opens_the_feed(desk: Desk, noroshi: Callable[..., Result]) -> None:
    made = noroshi("key", "add", desk.member.username)
    assert made.exit_code == 0, made.exception
    with desk.stores.released.reading() as db:
        hashed = accounts.hash_of(made.output.split()[-1])
        assert feed_accounts.caller_of_key(db, hashed, username=desk.member.username, now=utcnow()) is not None
