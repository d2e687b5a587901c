"""The rules of TAXII 2.1 for those who read, each by its id in the checklist, against a real server over HTTP."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
import requests
from stix2.v21 import OBJ_MAP, OBJ_MAP_OBSERVABLE

from exchange.sharing import TLP
from tests.taxii_house import (
    ACCEPT,
    DATABASES,
    MEDIA_TYPE,
    SENDING,
    SHELVES,
    START,
    V1,
    V2,
    V3,
    Door,
    Headers,
    Json,
    Member,
    open_door,
    thing,
)
from tests.taxii_shapes import TIMESTAMP, body_of, faults, is_identifier

MARKING = f"marking-definition--{UUID(int=2, version=4)}"
A, B = f"indicator--{UUID(int=3, version=4)}", f"malware--{UUID(int=4, version=4)}"
NAMES = {A: "A", B: "B", MARKING: "M"}


COUNCIL = "/api1/collections/council/"


@dataclass(frozen=True)
class House(Member):
    """A reader of `council`, which holds the worked example, and of `public`, which is empty.

    Attributes:
        status: the path of the status resource of the one thing in its sandbox.
    """

    status: str

    def ask(self, method: str, path: str, headers: Headers = ACCEPT, **more: Any) -> requests.Response:
        """One request; the path may name what is this reader's alone."""
        here = path.replace("{sandbox}", self.sandbox.removesuffix("/")).replace("{status}", self.status)
        return super().ask(method, here, headers, **more)

    def ids(self, **params: str) -> list[str]:
        """What a query on the objects of `council` gives, as `type version`."""
        objects = self.get("/api1/collections/council/objects/", **params).json().get("objects", [])
        return [f"{NAMES[one['id']]} {one.get('modified', one['created'])[9:10]}" for one in objects]


@pytest.fixture(scope="module", params=DATABASES)
def door(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    """The TAXII server in a process of its own."""
    with open_door(request, tmp_path_factory.mktemp("rules")) as opened:
        yield opened


@pytest.fixture(scope="module")
def house(door: Door) -> House:
    """Who reads there, and what: A, B, A again, and a marking, a second between them."""
    steps = [
        thing(id=A, name="a"),
        thing("malware", id=B, name="b"),
        thing(id=A, name="a", modified=V2),
        thing("marking-definition", id=MARKING, name="m"),
    ]
    for n, one in enumerate(steps):
        door.publish([one], "council", at=START + timedelta(seconds=n))
    reader = door.join()
    posted = reader.post(reader.sandbox, thing()).json()
    return House(**vars(reader), status=f"/sandbox/status/{posted['id']}")


@pytest.fixture(scope="module")
def many(door: Door) -> Member:
    """A reader of `allied`, which holds 1,005 objects: more than a page."""
    door.publish([thing(name=f"{n}") for n in range(1005)], "allied")
    return door.join(reads=["allied"])


def at(second: int) -> str:
    """The date_added of the step."""
    return (START + timedelta(seconds=second)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


RESOURCES = {
    "/taxii2/": "discovery",
    "/api1/": "api-root",
    "/api1/collections/": "collections",
    COUNCIL: "collection",
    f"{COUNCIL}objects/": "envelope",
    f"{COUNCIL}manifest/": "manifest",
    f"{COUNCIL}objects/{A}/": "envelope",
    f"{COUNCIL}objects/{A}/versions/": "versions",
    "/sandbox/": "api-root",
    "/sandbox/collections/": "collections",
    "{sandbox}/": "collection",
    "{sandbox}/objects/": "envelope",
    "{sandbox}/manifest/": "manifest",
    "{status}/": "status",
}
PATHS = list(RESOURCES)
LISTS = [path for path in PATHS if path.startswith(COUNCIL) and path != COUNCIL]
PROTECTED = [path for path in PATHS if path.startswith(COUNCIL) or "{" in path]
ERRORS = [
    "/nowhere/",
    "/taxii2",
    "/api1/collections/none/",
    f"{COUNCIL}objects/?limit=0",
    "/api1/status/x/",
]
METHODS = ["GET", "HEAD", "POST", "DELETE", "PUT", "PATCH", "OPTIONS"]
every_path = pytest.mark.parametrize("path", PATHS)


# --- general, negotiation, authentication ----------------------------------------------------------------


@pytest.mark.parametrize(
    "path", ["/", "/taxii/", "/TAXII2/", "/taxii2/taxii2/", "/api1/taxii2/", "/taxii2/collections/"]
)
def test_gen_01_discovery_is_at_its_own_path_and_nowhere_else(house: House, path: str) -> None:
    assert house.get("/taxii2/").status_code == 200
    assert house.get(path).status_code == 404


def test_gen_02_and_root_02_each_root_has_an_address_of_its_own(house: House) -> None:
    roots = house.get("/taxii2/").json()["api_roots"]
    assert len(set(roots)) == len(roots) == 2
    assert len({house.get(root).json()["title"] for root in roots}) == 2


@pytest.mark.parametrize(("path", "resource"), RESOURCES.items())
def test_gen_04_and_07_and_08_each_answer_is_the_resource_of_its_endpoint_and_add_07_no_name_is_made_up(
    house: House, path: str, resource: str
) -> None:
    answer = house.get(path)
    assert answer.status_code == 200
    assert faults(resource, body_of(answer)) == []


@pytest.mark.parametrize("path", [*PATHS, *ERRORS])
def test_gen_06_every_answer_has_the_media_type(house: House, path: str) -> None:
    assert house.get(path).headers["Content-Type"] == MEDIA_TYPE


@every_path
def test_gen_06_whatever_the_method(house: House, path: str) -> None:
    for method in METHODS:
        here = path.replace(A, f"indicator--{uuid4()}") if method == "DELETE" else path
        answer = house.ask(method, here, SENDING)
        assert answer.headers["Content-Type"] == MEDIA_TYPE, method
        assert answer.ok or method == "HEAD" or faults("error", body_of(answer)) == [], method


@every_path
def test_gen_09_no_list_is_empty_and_gen_13_all_is_utf_8(house: House, path: str) -> None:
    body = body_of(house.get(path))
    assert not [name for name, value in body.items() if value in ([], None)]


def test_gen_10_times_are_microseconds_in_utc(house: House) -> None:
    records = house.get(f"{COUNCIL}manifest/").json()["objects"]
    asked = [*(one["date_added"] for one in records), house.get("{status}/").json()["request_timestamp"]]
    assert all(TIMESTAMP.fullmatch(time) for time in asked) and len(asked) == 4


def test_gen_11_identifiers_are_random_uuids(house: House) -> None:
    found = [house.get(path).json()["id"] for path in (COUNCIL, "{sandbox}/", "{status}/")]
    assert all(is_identifier(one) for one in found)


def test_gen_12_whole_numbers_stay_where_every_client_can_count(house: House) -> None:
    sizes = [house.get(root).json()["max_content_length"] for root in ("/api1/", "/sandbox/")]
    counts = [value for name, value in house.get("{status}/").json().items() if name.endswith("_count")]
    assert len(counts) == 4 and all(type(one) is int and 0 <= one < 2**53 for one in [*sizes, *counts])


def test_gen_13_names_in_other_scripts_come_whole(door: Door) -> None:
    reader, one = door.join(reads=["isac-t-isac"]), thing(name="攻撃者 \u2028 𠮷 é")
    door.publish([one], "isac-t-isac")
    answer = reader.get(f"/api1/collections/isac-t-isac/objects/{one['id']}/")
    assert body_of(answer)["objects"] == [one]


@every_path
def test_gen_15_a_client_without_a_name_is_served(house: House, path: str) -> None:
    assert house.ask("GET", path, ACCEPT | {"User-Agent": ""}).status_code == 200


@every_path
def test_neg_03_and_04_what_is_defined_is_never_406(house: House, path: str) -> None:
    for accept in ("application/taxii+json", f"{MEDIA_TYPE},application/stix+json;version=2.1", "*/*"):
        answer = house.ask("GET", path, {"Accept": accept})
        assert (answer.status_code, answer.headers["Content-Type"]) == (200, MEDIA_TYPE), accept


ACCEPTED = [
    'application/taxii+json; version="2.1"',
    "Application/TAXII+JSON;Version=2.1",
    "application/taxii+json ;  version=2.1 , text/plain",
    "application/taxii+json;version=2.1;charset=utf-8",
    "text/html, application/taxii+json;version=2.1;q=0.1",
    "application/taxii+json;version=2.0, application/taxii+json;version=2.1",
    "application/taxii+json;version=2.0, application/taxii+json",
    "application/vnd.oasis.taxii+json; version=2.1",
    "application/vnd.oasis.taxii+json",
    "application/*",
    "application/json, text/plain, */*",
]
NOT_ACCEPTED = [
    None,
    "",
    "application/taxii+json;version=2.0",
    "application/taxii+json;version=9.9",
    "application/taxii+json;version=2.1;q=0",
    "application/taxii+json;version=2.1;q=0, text/html",
    "application/json",
    "application/stix+json;version=2.1",
    "text/html",
]


@every_path
def test_neg_04_in_each_spelling_and_our_14_with_wildcards(house: House, path: str) -> None:
    answers = {accept: house.ask("GET", path, {"Accept": accept}) for accept in ACCEPTED}
    assert {accept: answer.status_code for accept, answer in answers.items()} == dict.fromkeys(ACCEPTED, 200)
    assert {answer.headers["Content-Type"] for answer in answers.values()} == {MEDIA_TYPE}


@every_path
def test_neg_05_what_is_not_taxii_2_1_is_406(house: House, path: str) -> None:
    answers = [house.ask("GET", path, {"Accept": accept}) for accept in NOT_ACCEPTED]
    assert [answer.status_code for answer in answers] == [406] * len(NOT_ACCEPTED)
    assert all(faults("error", body_of(answer)) == [] for answer in answers)


def test_neg_09_the_version_is_two_numbers_and_2_1(house: House) -> None:
    named = house.get("/api1/").json()["versions"] + house.get(COUNCIL).json()["media_types"]
    named += [house.get("/taxii2/").headers["Content-Type"]]
    assert {one.partition(";")[2] for one in named} == {"version=2.1"}


@every_path
def test_auth_01_and_02_wrong_credentials_get_401_with_a_challenge_whatever_the_method(house: House, path: str) -> None:
    for method in METHODS:
        answer = house.ask(method, path, SENDING, auth=(house.username, "wrong"))
        assert answer.status_code == 401, method
        assert answer.headers["WWW-Authenticate"].startswith("Basic "), method


@pytest.mark.parametrize("path", PROTECTED)
def test_auth_01_and_02_so_do_none(house: House, path: str) -> None:
    for method in METHODS:
        answer = house.ask(method, path, SENDING, auth=None)
        assert answer.status_code == 401, method
        assert answer.headers["WWW-Authenticate"].startswith("Basic "), method


@pytest.mark.parametrize("path", ["/taxii2/", "/api1/", "/api1/collections/", "/api1/collections/public/objects/"])
def test_auth_01_nor_is_anything_changed_without_credentials(house: House, path: str) -> None:
    asked = [house.ask(method, path, SENDING, auth=None) for method in ("GET", "POST", "DELETE")]
    assert [answer.status_code for answer in asked] == [200, 401, 401]


@pytest.mark.parametrize("scheme", ["Basic", "basic", "BASIC"])
def test_auth_03_basic_is_known_in_any_case(house: House, scheme: str) -> None:
    pair = b64encode(f"{house.username}:{house.key}".encode()).decode()
    answer = house.ask("GET", COUNCIL, ACCEPT | {"Authorization": f"{scheme} {pair}"}, auth=None)
    assert answer.status_code == 200


# --- discovery, roots, collections -----------------------------------------------------------------------


def test_disc_01_to_04_discovery_names_its_default_among_its_roots(house: House) -> None:
    found = house.get("/taxii2/").json()
    assert found["title"] and found["default"] in found["api_roots"]
    assert all(re.fullmatch(r"/[^/?][^?]*", root) for root in found["api_roots"])


@pytest.mark.parametrize("path", ["/taxii2/", "/api1/", "/sandbox/"])
def test_disc_01_and_root_01_nothing_in_the_query_is_an_error_there(house: House, path: str) -> None:
    assert {house.get(f"{path}?{query}").status_code for query in MALFORMED} == {200}


def test_root_01_to_05_the_root_says_what_it_speaks_and_how_much_it_takes(house: House) -> None:
    root = house.get("/api1/").json()
    assert root["title"] and MEDIA_TYPE in root["versions"]
    assert isinstance(root["max_content_length"], int) and root["max_content_length"] > 0


@pytest.mark.parametrize(
    "path", ["/none/", "/none/collections/", "/none/collections/council/objects/", "/none/status/x/"]
)
def test_root_01_a_root_that_is_not_there_is_404(house: House, path: str) -> None:
    assert house.get(path).status_code == 404


def test_stat_03_a_status_that_never_was_is_404(house: House) -> None:
    assert house.get(f"/api1/status/{uuid4()}/").status_code == 404


def test_coll_02_who_has_no_collection_gets_an_empty_object(door: Door) -> None:
    nobody = door.join(reads=(), sandbox=False)
    answers = [nobody.get(f"/{root}/collections/") for root in ("api1", "sandbox")]
    assert [(answer.status_code, answer.content) for answer in answers] == [(200, b"{}")] * 2


def test_coll_03_collections_keep_their_order_and_coll_05_say_what_this_client_may(house: House) -> None:
    lists = [house.get("/api1/collections/").json()["collections"] for _ in range(3)]
    assert lists[0] == lists[1] == lists[2]
    assert [one["alias"] for one in lists[0]] == ["public", "council"]
    for one in lists[0]:
        assert UUID(one["id"]).version == 4 and one["title"]
        assert (one["can_read"], one["can_write"]) == (True, False)
        assert one["media_types"] == ["application/stix+json;version=2.1"]


def test_coll_01_and_04_the_list_and_the_single_answer_say_the_same(house: House) -> None:
    for root in ("api1", "sandbox"):
        listed = house.get(f"/{root}/collections/").json()["collections"]
        assert [house.get(f"/{root}/collections/{one['id']}/").json() for one in listed] == listed


def test_coll_05_each_client_is_told_its_own_rights(door: Door) -> None:
    members = {
        (True, False): door.join(reads=["council"]),
        (True, True): door.join(reads=["council"], writes=["council"]),
        (False, True): door.join(reads=(), only_writes="council"),
    }
    for rights, member in members.items():
        shown = member.get(COUNCIL).json()
        assert (shown["can_read"], shown["can_write"]) == rights
        assert member.get("/api1/collections/").json()["collections"] == [shown]


def test_coll_06_an_alias_works_as_the_id_does(house: House) -> None:
    by_alias = house.get(COUNCIL).json()
    assert house.get(f"/api1/collections/{by_alias['id']}/").json() == by_alias
    for path in LISTS:
        by_id = house.get(path.replace("council", by_alias["id"]))
        assert by_id.content == house.get(path).content


def test_coll_06_an_alias_is_one_collections_alone_and_our_20_no_uuid(door: Door) -> None:
    reader = door.join(reads=SHELVES)
    aliases = [one["alias"] for one in reader.get("/api1/collections/").json()["collections"]]
    aliases += [one["alias"] for one in reader.get("/sandbox/collections/").json()["collections"]]
    assert len(set(aliases)) == len(aliases) == len(SHELVES) + 1
    assert all(re.fullmatch("[a-z0-9-]+", one) and not is_identifier(one) for one in aliases)


def test_coll_07_each_media_type_that_is_handed_out_was_announced(house: House) -> None:
    announced = house.get(COUNCIL).json()["media_types"]
    records = house.get(f"{COUNCIL}manifest/").json()["objects"]
    assert {one["media_type"] for one in records} <= set(announced)


MALFORMED = [
    "limit=0",
    "limit=-1",
    "limit=a",
    "limit=",
    "limit=1.5",
    "limit=2,3",
    "limit=1&limit=1",
    "added_after=",
    "added_after=yesterday",
    "added_after=2026-11-21",
    "added_after=2026-11-21T01:00:00",
    "added_after=2026-11-21T01:00:00%2B09:00",
    "added_after=2026-02-30T01:00:00Z",
    "added_after=2026-11-21T01:00:00Z,2026-11-21T02:00:00Z",
    "added_after=2026-11-21T01:00:00Z&added_after=2026-11-21T01:00:00Z",
    "next=x",
    "next=",
    "next=%00",
    "next=" + "A" * 32,
]
MALFORMED_VERSIONS = [
    "",
    "newest",
    "LAST",
    "all,last",
    "all,all",
    "last,last",
    "first,",
    "2026-11-01",
    "2026-11-01T00:00:00.000%2B00:00",
    f"{V1},2026-11-01T00:00:00Z",
    "first, last",
]


@pytest.mark.parametrize("path", LISTS)
def test_filt_01_and_page_01_what_is_malformed_is_400(house: House, path: str) -> None:
    answers = {query: house.get(f"{path}?{query}") for query in MALFORMED}
    assert {query: answer.status_code for query, answer in answers.items()} == dict.fromkeys(MALFORMED, 400)
    assert all(faults("error", body_of(answer)) == [] for answer in answers.values())


@pytest.mark.parametrize("path", [path for path in LISTS if "versions" not in path])
def test_filt_01_so_is_a_malformed_choice_of_versions(house: House, path: str) -> None:
    answers = {text: house.get(f"{path}?match[version]={text}").status_code for text in MALFORMED_VERSIONS}
    assert answers == dict.fromkeys(MALFORMED_VERSIONS, 400)


@pytest.mark.parametrize("name", ["match[id]", "match[type]", "match[version]", "match[spec_version]", "added_after"])
def test_our_07_a_parameter_that_comes_twice_is_400(house: House, name: str) -> None:
    right = {"match[id]": A, "match[version]": "last", "match[spec_version]": "2.1", "added_after": at(0)}
    one = f"{name}={right.get(name, 'indicator')}"
    assert house.get(f"{COUNCIL}objects/?{one}").status_code == 200
    assert house.get(f"{COUNCIL}objects/?{one}&{one}").status_code == 400


HOSTILE = [*MALFORMED, "%ff=%fe", "a=" + "a" * 5000, "match[id]=%00", "match[type]=%ED%A0%80", "=", "&&&", "match[]=x"]


@pytest.mark.parametrize("path", [path for path in PATHS if RESOURCES[path] not in {"discovery", "api-root", "status"}])
def test_coll_01_coll_04_mani_01_get_01_get_05_and_vers_01_nothing_else_goes_wrong(house: House, path: str) -> None:
    answers = [house.get(f"{path}?{query}") for query in HOSTILE]
    answers += [house.ask("GET", path, {"Accept": accept}) for accept in NOT_ACCEPTED]
    answers += [house.ask("GET", path, auth=(house.username, "x")), house.get(f"{path}x/")]
    assert {answer.status_code for answer in answers} <= {200, 400, 401, 403, 404, 406}


# --- order, headers, filters, pages ------------------------------------------------------------------------


def test_sort_01_and_02_the_oldest_comes_first_and_filt_15_only_the_latest_version(house: House) -> None:
    assert house.ids() == ["B 1", "A 2", "M 1"]


@pytest.mark.parametrize("kind", ["objects", "manifest"])
def test_sort_01_objects_and_manifest_keep_the_order_in_which_things_were_added(door: Door, kind: str) -> None:
    """The order of versions, of names and of the envelope is another."""
    reader, steps = door.join(reads=["isac-t-isac"]), [thing(modified=version) for version in (V3, V1, V2)]
    for one in steps:
        door.publish([one], "isac-t-isac")
    asked = {"match[id]": ",".join(one["id"] for one in steps)}
    found = reader.get(f"/api1/collections/isac-t-isac/{kind}/", **asked).json()["objects"]
    assert [one["id"] for one in found] == [one["id"] for one in steps]


def test_our_17_what_is_added_at_once_still_has_a_time_of_its_own(door: Door) -> None:
    reader, five = door.join(reads=["isac-t-isac"]), [thing() for _ in range(5)]
    door.publish(five, "isac-t-isac", at=START)  # Before all others: the clock was set back.
    records = reader.get("/api1/collections/isac-t-isac/manifest/").json()["objects"]
    times = [one["date_added"] for one in records]
    assert times == sorted(set(times))
    assert [one["id"] for one in records[-5:]] == [one["id"] for one in five]


@pytest.mark.parametrize(
    ("versions", "given"),
    [
        ("all", ["A 1", "B 1", "A 2", "M 1"]),
        ("first", ["A 1", "B 1", "M 1"]),
        ("last", ["B 1", "A 2", "M 1"]),
        ("first,last", ["A 1", "B 1", "A 2", "M 1"]),
        (V2, ["A 2"]),
        ("2026-11-02T00:00:00Z", ["A 2"]),
        ("2026-11-02T00:00:00.000000Z", ["A 2"]),
        (f"{V1},{V2}", ["A 1", "B 1", "A 2", "M 1"]),
        (f"first,{V2}", ["A 1", "B 1", "A 2", "M 1"]),
    ],
)
def test_filt_16_to_19_versions_are_chosen_per_object(house: House, versions: str, given: list[str]) -> None:
    assert house.ids(**{"match[version]": versions}) == given


@pytest.mark.parametrize("time", ["2026-11-02T00:00:00.0005Z", "2026-11-02T00:00:00.000001Z", "2026-11-02T00:00:01Z"])
def test_filt_16_a_time_close_to_a_version_is_not_that_version(house: House, time: str) -> None:
    assert house.ids(**{"match[version]": time}) == []


def test_filt_19_what_has_no_times_has_one_version_the_same_everywhere(door: Door) -> None:
    reader, address = door.join(reads=["council", "isac-t-isac"]), thing("ipv4-addr")
    door.publish([address], "isac-t-isac")
    path = "/api1/collections/isac-t-isac/{}"
    version = reader.get(path.format(f"objects/{address['id']}/versions/")).json()["versions"]
    record = reader.get(path.format("manifest/"), **{"match[id]": address["id"]}).json()["objects"][0]
    assert version == [record["version"]]
    found = reader.get(path.format("objects/"), **{"match[version]": version[0], "match[id]": address["id"]})
    assert found.json()["objects"] == [address]


@pytest.mark.parametrize(
    ("after", "given"),
    [
        (at(1), ["A 2", "M 1"]),
        (at(0), ["B 1", "A 2", "M 1"]),
        (at(3), []),
        ("2026-11-21T01:00:01Z", ["A 2", "M 1"]),
        ("2026-11-21T01:00:00.9Z", ["B 1", "A 2", "M 1"]),
        ("2026-11-21T01:00:01.000000Z", ["A 2", "M 1"]),
        ("2026-11-21T01:00:01.000000999Z", ["A 2", "M 1"]),
    ],
)
def test_filt_06_added_after_is_strict_and_about_the_collection(house: House, after: str, given: list[str]) -> None:
    assert house.ids(added_after=after) == given


def test_filt_06_and_our_03_with_first_the_version_is_chosen_before_the_time(house: House) -> None:
    assert house.ids(**{"added_after": at(1), "match[version]": "first"}) == ["M 1"]


@pytest.mark.parametrize(
    ("query", "given"),
    [
        ({"match[type]": "indicator"}, ["A 2"]),
        ({"match[type]": "indicator,malware"}, ["B 1", "A 2"]),
        ({"match[type]": "tool"}, []),
        ({"match[id]": f"{B},{MARKING}"}, ["B 1", "M 1"]),
        ({"match[id]": B, "match[type]": "indicator"}, []),
        ({"match[id]": f"{A},{B}", "match[type]": "indicator,tool", "match[version]": "first,last"}, ["A 1", "A 2"]),
        ({"match[spec_version]": "2.1"}, ["B 1", "A 2", "M 1"]),
        ({"match[spec_version]": "2.0,2.1"}, ["B 1", "A 2", "M 1"]),
        ({"match[spec_version]": "2.0"}, []),
        ({"unknown": "x", "match[unknown]": "y"}, ["B 1", "A 2", "M 1"]),
    ],
)
def test_filt_02_to_14_fields_are_anded_and_values_ored(house: House, query: dict[str, str], given: list[str]) -> None:
    assert house.ids(**query) == given


def test_our_08_what_the_server_does_not_know_is_ignored(house: House) -> None:
    assert house.ids(unknown="x") == house.ids(**{"match[unknown]": "y"}) == house.ids()


SUPPORTED: list[tuple[Json, list[str]]] = [
    ({"added_after": at(1)}, [A, MARKING]),
    ({"limit": "2"}, [B, A]),
    ({"match[id]": A}, [A]),
    ({"match[type]": "malware"}, [B]),
    ({"match[version]": "first"}, [A, B, MARKING]),
    ({"match[spec_version]": "2.0"}, []),
]


@pytest.mark.parametrize("kind", ["objects", "manifest"])
def test_filt_08_the_lists_know_every_parameter(house: House, kind: str) -> None:
    path = f"{COUNCIL}{kind}/"
    found = [house.get(path, **query).json().get("objects", []) for query, _ in SUPPORTED]
    assert [[one["id"] for one in some] for some in found] == [given for _, given in SUPPORTED]
    token = house.get(path, limit="1").json()["next"]
    assert [one["id"] for one in house.get(path, limit="1", next=token).json()["objects"]] == [A]


@pytest.mark.parametrize(
    ("query", "given"),
    [
        ({}, [V2]),
        ({"added_after": at(0)}, [V2]),
        ({"added_after": at(2)}, []),
        ({"added_after": at(0), "match[version]": "first"}, []),
        ({"match[version]": "all"}, [V1, V2]),
        ({"match[version]": "all", "limit": "1"}, [V1]),
        ({"match[version]": V1}, [V1]),
        ({"match[spec_version]": "2.0"}, []),
        ({"match[spec_version]": "2.1"}, [V2]),
    ],
)
def test_filt_09_an_object_by_its_id_knows_its_parameters(house: House, query: Json, given: list[str]) -> None:
    answer = house.get(f"{COUNCIL}objects/{A}/", **query)
    assert answer.status_code == 200
    assert [one["modified"] for one in answer.json().get("objects", [])] == given


@pytest.mark.parametrize(
    ("query", "given"),
    [
        ({}, [V1, V2]),
        ({"added_after": at(0)}, [V2]),
        ({"added_after": at(2)}, []),
        ({"limit": "1"}, [V1]),
        ({"match[spec_version]": "2.0"}, []),
        ({"match[spec_version]": "2.1"}, [V1, V2]),
    ],
)
def test_filt_11_versions_know_their_parameters(house: House, query: Json, given: list[str]) -> None:
    answer = house.get(f"{COUNCIL}objects/{A}/versions/", **query)
    assert answer.status_code == 200
    assert answer.json().get("versions", []) == given


STIX_TYPES = {*OBJ_MAP, *OBJ_MAP_OBSERVABLE} - {"bundle"}


@pytest.mark.parametrize("kind", ["objects", "manifest"])
def test_filt_12_each_type_of_the_standard_may_be_asked_for(house: House, kind: str) -> None:
    path, stored = f"{COUNCIL}{kind}/", {"indicator": [A], "malware": [B], "marking-definition": [MARKING]}
    for name in STIX_TYPES:
        answer = house.get(path, **{"match[type]": name})
        assert (answer.status_code, [one["id"] for one in answer.json().get("objects", [])]) == (
            200,
            stored.get(name, []),
        )
    assert len(house.get(path, **{"match[type]": ",".join(sorted(STIX_TYPES))}).json()["objects"]) == 3


@pytest.mark.parametrize("path", LISTS)
def test_filt_13_and_14_no_other_spec_version_is_given(house: House, path: str) -> None:
    assert house.get(path, **{"match[spec_version]": "2.0"}).content == b"{}"
    assert house.get(path).content == house.get(path, **{"match[spec_version]": "2.1"}).content


@pytest.mark.parametrize("kind", ["objects", "manifest"])
def test_hdr_01_to_04_the_headers_describe_the_page(house: House, kind: str) -> None:
    assert dates(house.get(f"{COUNCIL}{kind}/", limit="2")) == (at(1), at(2))


@pytest.mark.parametrize(
    ("path", "given"),
    [
        ("objects/", (at(1), at(3))),
        ("manifest/", (at(1), at(3))),
        (f"objects/{A}/", (at(2), at(2))),
        (f"objects/{A}/?match[version]=all", (at(0), at(2))),
        (f"objects/{A}/versions/", (at(0), at(2))),
        (f"objects/{A}/versions/?limit=1", (at(0), at(0))),
        (f"manifest/?match[id]={B}", (at(1), at(1))),
    ],
)
def test_hdr_01_to_04_on_every_list(house: House, path: str, given: tuple[str, str]) -> None:
    assert dates(house.get(f"{COUNCIL}{path}")) == given


def dates(answer: requests.Response) -> tuple[str | None, str | None]:
    """The dates added of the first and of the last thing in an answer."""
    first, last = (answer.headers.get(f"X-TAXII-Date-Added-{end}") for end in ("First", "Last"))
    return first, last


@pytest.mark.parametrize("path", LISTS)
def test_our_01_of_an_empty_page_the_headers_say_what_was_asked(house: House, path: str) -> None:
    empty = house.get(path, added_after="2030-01-01T00:00:00.5Z")
    assert (empty.content, dates(empty)) == (b"{}", ("2030-01-01T00:00:00.500000Z",) * 2)
    assert dates(house.get(path, **{"match[spec_version]": "2.0"})) == (None, None)


@pytest.mark.parametrize("path", ["objects/", "manifest/", f"objects/{A}/versions/", f"objects/{A}/"])
@pytest.mark.parametrize("limit", [1, 2, 3, 100])
def test_page_01_to_11_pages_give_everything_once(house: House, path: str, limit: int) -> None:
    query = {"limit": str(limit)} | ({} if path.endswith("versions/") else {"match[version]": "all"})
    path = f"{COUNCIL}{path}"
    name = "versions" if path.endswith("versions/") else "objects"
    whole = house.get(path, **(query | {"limit": "1000"})).json()[name]
    seen: list[Any] = []
    more: dict[str, str] = {}
    while len(seen) <= len(whole):
        page = house.get(path, **query, **more).json()
        assert len(page[name]) <= limit
        seen += page[name]
        if not page.get("more"):
            break
        more = {"next": page["next"]}
    assert seen == whole


@pytest.mark.parametrize("kind", ["objects", "manifest"])
def test_page_02_to_06_and_our_06_a_large_limit_is_cut_to_the_servers_own(many: Member, kind: str) -> None:
    path = f"/api1/collections/allied/{kind}/"
    for query in ({}, {"limit": "1000"}, {"limit": "5000"}, {"limit": "9" * 15}):
        page = many.get(path, **query).json()
        assert (len(page["objects"]), page["more"]) == (1000, True)
        rest = many.get(path, **query, next=page["next"]).json()
        assert (len(rest["objects"]), rest.get("more", False)) == (5, False)
    assert len(many.get(path, limit="999").json()["objects"]) == 999


def test_page_03_what_fits_comes_whole_and_page_06_is_then_all(house: House) -> None:
    for limit in ({}, {"limit": "3"}, {"limit": "4"}):
        page = house.get(f"{COUNCIL}objects/", **limit).json()
        assert len(page["objects"]) == 3 and not page.get("more") and "next" not in page


@pytest.mark.parametrize("limits", [("2", "1"), ("1", "2"), ("1", None)])
def test_page_05_the_limit_may_change_from_page_to_page(house: House, limits: tuple[str, str | None]) -> None:
    first, then = limits
    page = house.get(f"{COUNCIL}objects/", limit=first).json()
    assert page["more"] is True
    seen = [one["id"] for one in page["objects"]]
    while page.get("more") and len(seen) <= 3:
        page = house.get(f"{COUNCIL}objects/", next=page["next"], **({"limit": then} if then else {})).json()
        seen += [one["id"] for one in page["objects"]]
    assert seen == [B, A, MARKING]


def test_page_08_without_next_added_after_goes_on_where_the_page_stopped(house: House) -> None:
    seen: list[str] = []
    query: dict[str, str] = {"match[version]": "all"}
    while len(seen) <= 4:
        answer = house.get(f"{COUNCIL}objects/", limit="1", **query)
        seen += [one["id"] for one in answer.json()["objects"]]
        if not answer.json().get("more"):
            break
        query["added_after"] = answer.headers["X-TAXII-Date-Added-Last"]
    assert seen == [A, B, A, MARKING]


def test_page_09_a_token_opens_only_the_question_that_it_was_made_for(house: House) -> None:
    token = house.get(f"{COUNCIL}objects/", limit="1").json()["next"]
    again = [house.get(f"{COUNCIL}objects/", limit="1", next=token) for _ in range(2)]
    assert again[0].content == again[1].content
    for path, more in (
        ("public/objects/", {}),
        ("council/manifest/", {}),
        ("council/objects/", {"match[type]": "tool"}),
        (f"council/objects/{A}/", {}),
        (f"council/objects/{A}/versions/", {}),
    ):
        assert house.get(f"/api1/collections/{path}", next=token, **more).status_code == 400


def test_page_09_nor_does_it_open_anything_for_somebody_else(house: House, door: Door) -> None:
    token = house.get(f"{COUNCIL}objects/", limit="1").json()["next"]
    assert door.join().get(f"{COUNCIL}objects/", next=token).status_code == 400


def test_our_09_more_comes_with_next_and_another_process_knows_it(house: House) -> None:
    with house.door.twin() as other:
        for path in LISTS:
            every = {} if "versions" in path else {"match[version]": "all"}
            page = house.get(path, limit="1", **every).json()
            assert page["more"] is True
            asked = {"limit": "1", "next": page["next"], **every}
            here, there = house.get(path, **asked), other.ask("GET", path, auth=house.auth, params=asked)
            assert (here.status_code, here.content) == (200, there.content)


# --- manifest, objects, versions, errors ---------------------------------------------------------------------


def test_mani_03_one_record_for_each_version_and_filt_20_filters_ask_the_objects(house: House) -> None:
    records = house.get(f"{COUNCIL}manifest/", **{"match[version]": "all", "match[type]": "indicator"}).json()
    assert [(one["id"], one["version"], one["date_added"]) for one in records["objects"]] == [
        (A, V1, at(0)),
        (A, V2, at(2)),
    ]
    assert {one["media_type"] for one in records["objects"]} == {"application/stix+json;version=2.1"}


@pytest.mark.parametrize("path", LISTS)
def test_mani_02_get_02_get_06_and_vers_02_who_may_only_write_reads_nothing(door: Door, path: str) -> None:
    writer = door.join(reads=(), only_writes="council")
    assert writer.get(COUNCIL).json()["can_read"] is False
    hidden, never = writer.get(path), writer.get(path.replace(A, f"indicator--{uuid4()}"))
    assert hidden.status_code in {403, 404}
    assert (hidden.status_code, hidden.content) == (never.status_code, never.content)


@pytest.mark.parametrize("kind", ["objects", "manifest"])
def test_get_03_and_mani_04_nothing_is_an_empty_object(house: House, kind: str) -> None:
    answer = house.get(f"{COUNCIL}{kind}/", **{"match[type]": "tool"})
    assert (answer.status_code, answer.content) == (200, b"{}")
    empty = house.get(f"/api1/collections/public/{kind}/")
    assert (empty.status_code, empty.content) == (200, b"{}")


@pytest.mark.parametrize("path", [path for path in LISTS if RESOURCES[path] == "envelope"])
def test_get_01_get_04_and_get_05_an_envelope_holds_stix_objects_and_never_a_bundle(house: House, path: str) -> None:
    body = body_of(house.get(path))
    assert body.keys() <= {"objects", "more", "next"}
    assert {one["type"] for one in body["objects"]} <= STIX_TYPES


def test_get_05_and_07_an_object_by_its_id(house: House) -> None:
    path = f"{COUNCIL}objects/{{}}/"
    assert [one["id"] for one in house.get(path.format(A)).json()["objects"]] == [A]
    assert house.get(path.format(f"tool--{uuid4()}")).status_code == 404
    left = house.get(path.format(A), **{"match[version]": "2020-01-01T00:00:00.000Z"})
    assert (left.status_code, left.content) == (200, b"{}")


def test_vers_01_and_03_versions_are_modified_else_created(house: House) -> None:
    path = f"{COUNCIL}objects/{{}}/versions/"
    assert house.get(path.format(A)).json()["versions"] == [V1, V2]
    assert house.get(path.format(MARKING)).json()["versions"] == [V1]


def test_vers_04_no_version_is_an_empty_object(house: House) -> None:
    answer = house.get(f"{COUNCIL}objects/{A}/versions/", added_after=at(2))
    assert (answer.status_code, answer.content) == (200, b"{}")
    assert house.get(f"{COUNCIL}objects/indicator--{uuid4()}/versions/").status_code == 404


@pytest.mark.parametrize("path", ERRORS)
def test_err_01_and_03_an_error_says_its_status_as_a_string_and_nothing_of_what_was_asked(
    house: House, path: str
) -> None:
    answer = house.get(path)
    body = answer.json()
    assert body["http_status"] == str(answer.status_code) and body["title"]
    assert "none" not in answer.text and "council" not in answer.text


@pytest.mark.parametrize("path", LISTS)
def test_err_03_another_circles_collection_is_answered_as_one_that_never_was(door: Door, path: str) -> None:
    stranger = door.join(reads=["public"])
    hidden, never = stranger.get(path), stranger.get(path.replace("council", "nothing"))
    assert (hidden.status_code, hidden.content, _fixed(hidden)) == (404, never.content, _fixed(never))


def _fixed(answer: requests.Response) -> Json:
    return {name: text for name, text in answer.headers.items() if name.lower() != "date"}


def test_del_02_and_add_02_who_may_only_read_gets_403(house: House) -> None:
    sent, gone = house.post(COUNCIL, thing()), house.delete(COUNCIL, A)
    assert (sent.status_code, gone.status_code) == (403, 403)


# --- rulings -------------------------------------------------------------------------------------------------


@every_path
def test_our_12_a_path_without_its_last_slash_is_another_path(house: House, path: str) -> None:
    answer = house.get(path.removesuffix("/"))
    assert (answer.status_code, faults("error", body_of(answer))) == (404, [])
    assert house.ask("GET", path.removesuffix("/"), auth=None).status_code in {401, 404}


@pytest.mark.parametrize(
    "path", ["/", "/taxii2/x/", "/api1/x/", "/api1/collections/council/x/", "/api1/collections//", "/%zz/"]
)
def test_our_13_the_frameworks_own_refusals_are_taxii_errors(house: House, path: str) -> None:
    for method in (*METHODS, "FOO"):
        answer = house.ask(method, path, SENDING)
        assert (answer.status_code, answer.headers["Content-Type"]) == (404, MEDIA_TYPE), method
        assert method == "HEAD" or faults("error", body_of(answer)) == [], method


@pytest.mark.parametrize("versions", ["all", "first", "last", V1, f"first,{V1}"])
def test_our_19_an_object_whose_newest_version_is_too_strict_is_hidden_whole(door: Door, versions: str) -> None:
    cleared, reader = (door.join(reads=["isac-t-isac"], tlp=tlp) for tlp in (TLP.AMBER_STRICT, TLP.AMBER))
    shelf, stix_id = "/api1/collections/isac-t-isac/", f"indicator--{uuid4()}"
    door.publish([thing(id=stix_id)], "isac-t-isac")
    assert reader.keys(shelf, **{"match[id]": stix_id}) == [(stix_id, V1)]
    door.publish([thing(id=stix_id, modified=V2)], "isac-t-isac", tlp=TLP.AMBER_STRICT)
    asked = {"match[id]": stix_id, "match[version]": versions}
    assert reader.keys(shelf, **asked) == [] and cleared.keys(shelf, **asked) != []
    assert reader.get(f"{shelf}objects/", **asked).content == b"{}"
    assert reader.get(f"{shelf}objects/{stix_id}/", **{"match[version]": versions}).status_code == 404
    assert reader.get(f"{shelf}objects/{stix_id}/versions/").status_code == 404


@every_path
def test_our_22_head_is_get_without_its_body(house: House, path: str) -> None:
    head, get = house.ask("HEAD", path), house.get(path)
    assert (head.status_code, head.content) == (200, b"")
    assert _fixed(head) == _fixed(get)


@every_path
def test_our_22_options_names_the_methods_and_others_are_405(house: House, path: str) -> None:
    options, other = house.ask("OPTIONS", path), house.ask("PATCH", path)
    assert (options.status_code, other.status_code) == (200, 405)
    assert (
        {"GET", "HEAD", "OPTIONS"}
        <= set(options.headers["Allow"].split(", "))
        == set(other.headers["Allow"].split(", "))
    )


def test_our_23_an_object_is_the_same_to_all_who_may_have_it(door: Door) -> None:
    """What it refers to may be hidden from some; no id is taken out for them."""
    shelf, hidden = "/api1/collections/isac-t-isac/objects/", thing()
    note = thing("relationship", source_ref=hidden["id"], target_ref=f"malware--{uuid4()}")
    door.publish([hidden], "isac-t-isac", tlp=TLP.AMBER_STRICT)
    door.publish([note], "isac-t-isac", tlp=TLP.GREEN)
    readers = [door.join(reads=["isac-t-isac"], tlp=tlp) for tlp in (TLP.GREEN, TLP.AMBER, TLP.AMBER_STRICT)]
    assert [one.get(f"{shelf}{hidden['id']}/").status_code for one in readers] == [404, 404, 200]
    assert {one.get(f"{shelf}{note['id']}/").content for one in readers} == {
        readers[0].get(f"{shelf}{note['id']}/").content
    }
    assert readers[0].get(f"{shelf}{note['id']}/").json()["objects"] == [note]


# --- is every rule here? -----------------------------------------------------------------------------------

RULES = {
    "GEN": (1, 2, 4, 6, 7, 8, 9, 10, 11, 12, 13, 15),
    "NEG": (3, 4, 6, 9),
    "AUTH": (1, 2, 3, 5, 6, 7),
    "DISC": (1, 2, 3, 4),
    "ROOT": (1, 2, 3, 4, 5, 6),
    "STAT": (1, 2, 3, 4, 5, 6, 7),
    "COLL": (1, 2, 3, 4, 5, 6, 7),
    "SORT": (1, 2),
    "HDR": (1, 2, 3, 4),
    "FILT": (1, 2, 3, 6, 8, 9, 10, 11, 12, 13, 14, 15, 16, 19, 20),
    "PAGE": (1, 2, 3, 5, 6, 9),
    "MANI": (1, 2, 3, 4),
    "GET": (1, 2, 3, 4, 5, 6, 7),
    "ADD": (1, 2, 4, 5, 7),
    "DEL": (1, 2, 3, 4),
    "VERS": (1, 2, 3, 4),
    "ERR": (1, 3),
    "DNS": (1,),
    "OUR": tuple(range(1, 24)),
}
"""What a server MUST, SHOULD, MUST NOT and SHOULD NOT do, by the ids of the checklist, and the project's rulings."""

_PROXY = "TLS ends at the proxy in front, see docs/operations.md"
ELSEWHERE = {
    "AUTH-05": _PROXY,
    "AUTH-06": _PROXY,
    "AUTH-07": _PROXY,
    "DNS-01": "an SRV record is its operator's to publish, at deployment",
    "OUR-15": "decided otherwise, see UNVERSIONED in exchange/feed.py; what is promised stands under FILT-19",
    "OUR-21": "requests are counted by the proxy in front; the server itself says 503 with Retry-After when it is full",
}
_NAMED = re.compile(r"([a-z]+)((?:_(?:to_|and_)?\d\d)+)(?=_|$)")


def named_in(function: str) -> set[str]:
    """The rules in the name of a test: `a_01_and_03` are two, `a_01_to_03` three."""
    found: set[str] = set()
    for area, numbers in _NAMED.findall(function):
        steps = re.findall(r"(to_|and_)?(\d\d)", numbers)
        for n, (word, digits) in enumerate(steps):
            first = int(steps[n - 1][1]) if word == "to_" else int(digits)
            found |= {f"{area.upper()}-{number:02d}" for number in range(first, int(digits) + 1)}
    return found


def test_every_rule_for_servers_stands_in_the_name_of_a_test_or_is_kept_elsewhere() -> None:
    texts = [(Path(__file__).parent / f"test_taxii_{part}.py").read_text() for part in ("rules", "writing", "clients")]
    names = [name for text in texts for name in re.findall(r"^def test_(\w+)", text, re.MULTILINE)]
    tested = set().union(*map(named_in, names))
    rules = {f"{area}-{number:02d}" for area, numbers in RULES.items() for number in numbers}
    assert sorted(rules - tested - ELSEWHERE.keys()) == []
    assert ELSEWHERE.keys() <= rules and not tested & ELSEWHERE.keys()
