"""The rules of TAXII 2.1 for those who read, each by its id in the checklist, against a real server over HTTP."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
import requests
from stix2 import Filter, TAXIICollectionSource
from taxii2client.v21 import Collection, Server, as_pages

from config import Settings
from exchange import accounts, feed
from exchange.feed import KeyOnFile, Publication
from exchange.models import ReleasedBase
from exchange.sharing import TLP, FeedRights
from exchange.stores import open_stores
from tests.live import free_port, is_open, until

MEDIA_TYPE = "application/taxii+json;version=2.1"
ACCEPT = {"Accept": MEDIA_TYPE}
TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")
START = datetime(2026, 11, 21, 1, 0, tzinfo=UTC)
CVE, MARKING = f"vulnerability--{UUID(int=1, version=4)}", f"marking-definition--{UUID(int=2, version=4)}"
A, B = f"indicator--{UUID(int=3, version=4)}", f"malware--{UUID(int=4, version=4)}"
V1, V2 = "2026-11-01T00:00:00.000Z", "2026-11-02T00:00:00.000Z"


def stix(stix_id: str, version: str, **more: Any) -> Publication:
    """An object as small as the rules of the feed need it."""
    kind = stix_id.partition("--")[0]
    times = {"created": V1} if kind == "marking-definition" else {"created": V1, "modified": version}
    body = {"type": kind, "spec_version": "2.1", "id": stix_id} | times | more
    return Publication(stix_id, kind, version, json.dumps(body).encode())


INDICATOR = {"pattern": "[ipv4-addr:value = '203.0.113.9']", "pattern_type": "stix", "valid_from": V1, "name": "a"}


class House:
    """A server of its own on one database, with the worked example in `council`, and who polls it."""

    def __init__(self, settings: Settings, url: str) -> None:
        self.url, self.settings = url, settings
        self.key = "noroshi_" + uuid4().hex
        self.session = requests.Session()
        self.session.auth = ("reader", self.key)

    def get(self, path: str, **params: str) -> requests.Response:
        """A request of the reader."""
        return self.session.get(self.url + path, params=params, headers=ACCEPT, timeout=30)

    def ids(self, **params: str) -> list[str]:
        """What a query on the objects of `council` gives, as `type version`."""
        objects = self.get("/api1/collections/council/objects/", **params).json().get("objects", [])
        return [
            f"{NAMES[one['id']]} {one.get('modified', one['created'])[9:10]}" for one in objects if one["id"] in NAMES
        ]


NAMES = {A: "A", B: "B", MARKING: "M"}


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def house(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """The TAXII server in a process of its own."""
    folder, port = tmp_path_factory.mktemp("rules"), free_port()
    environ = {"NOROSHI_VAR": str(folder / "var"), "NOROSHI_INSTALLATION": "exercise", "NOROSHI_TAXII_PORT": str(port)}
    if request.param == "postgresql":
        urls = request.getfixturevalue("_postgresql_urls")
        environ |= {"NOROSHI_DATABASE_URL": urls["case"], "NOROSHI_RELEASED_URL": urls["released"]}
    settings = Settings.read(environ)
    found = House(settings, f"http://127.0.0.1:{port}")
    _furnish(found, settings)
    granian = [Path(sys.executable).with_name("granian"), "--interface", "wsgi", "--port", str(port), "--log-level"]
    server = subprocess.Popen([*granian, "error", "taxii_server.wsgi:app"], env=settings.environment() | {"PATH": ""})
    try:
        until(lambda: is_open(port))
        yield found
    finally:
        found.session.close()
        server.terminate()
        server.wait(timeout=20)


def _furnish(house: House, settings: Settings) -> None:
    stores = open_stores(settings)
    stores.released.migrate()
    with stores.released.engine.begin() as connection:  # Other tests were here before.
        for table in reversed(ReleasedBase.metadata.sorted_tables):
            connection.execute(table.delete())
    key = KeyOnFile(uuid4(), accounts.hash_of(house.key), datetime.now(UTC) + timedelta(days=1), None)
    rights = FeedRights(frozenset({"council", "public"}), TLP.AMBER)
    steps = [[stix(A, V1, **INDICATOR)], [stix(B, V1, name="b", is_family=False)]]
    steps += [
        [stix(A, V2, **INDICATOR)],
        [stix(MARKING, V1, name="m", definition_type="statement", definition={"statement": "x"})],
    ]
    with stores.released.transaction() as db:
        for n, alias in enumerate(("public", "council", "allied")):
            feed.ensure_collection(db, alias=alias, title=alias, description=alias, position=n)
    for n, step in enumerate(steps):
        with stores.released.transaction() as db:
            feed.publish(db, step, aliases=["council"], tlp=TLP.GREEN, clock=lambda n=n: START + timedelta(seconds=n))  # type: ignore[misc]
    with stores.released.transaction() as db:
        feed.put_account(db, uuid4(), username="reader", rights=rights, keys=[key])
    stores.close()


def at(second: int) -> str:
    """The date_added of the step."""
    return (START + timedelta(seconds=second)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


PATHS = [
    "/taxii2/",
    "/api1/",
    "/api1/collections/",
    "/api1/collections/council/",
    "/api1/collections/council/objects/",
    "/api1/collections/council/manifest/",
    f"/api1/collections/council/objects/{A}/",
    f"/api1/collections/council/objects/{A}/versions/",
]
ERRORS = [
    "/nowhere/",
    "/taxii2",
    "/api1/collections/none/",
    "/api1/collections/council/objects/?limit=0",
    "/api1/status/x/",
]


# --- general, negotiation, authentication ----------------------------------------------------------------


@pytest.mark.parametrize("path", [*PATHS, *ERRORS])
def test_gen_06_every_answer_has_the_media_type(house: House, path: str) -> None:
    assert house.get(path).headers["Content-Type"] == MEDIA_TYPE


@pytest.mark.parametrize("path", PATHS)
def test_gen_09_no_list_is_empty_and_gen_13_all_is_utf_8(house: House, path: str) -> None:
    body = json.loads(house.get(path).content.decode("utf-8"))
    assert not [name for name, value in body.items() if value in ([], None)]


@pytest.mark.parametrize("path", PATHS)
def test_gen_15_a_client_without_a_name_is_served(house: House, path: str) -> None:
    answer = house.session.get(house.url + path, headers=ACCEPT | {"User-Agent": ""}, timeout=30)
    assert answer.status_code == 200


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("accept", ["application/taxii+json", f"{MEDIA_TYPE},application/stix+json;version=2.1", "*/*"])
def test_neg_03_and_04_what_is_defined_is_never_406(house: House, path: str, accept: str) -> None:
    answer = house.session.get(house.url + path, headers={"Accept": accept}, timeout=30)
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, MEDIA_TYPE)


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "DELETE"])
@pytest.mark.parametrize("path", PATHS[2:])
def test_auth_01_and_02_wrong_credentials_get_401_with_a_challenge(house: House, path: str, method: str) -> None:
    answer = requests.request(method, house.url + path, headers=ACCEPT, auth=("reader", "wrong"), timeout=30)
    assert answer.status_code in {401, 405}
    if answer.status_code == 401:
        assert answer.headers["WWW-Authenticate"].startswith("Basic ")


# --- discovery, roots, collections -----------------------------------------------------------------------


def test_disc_01_to_04_discovery_names_its_default_among_its_roots(house: House) -> None:
    found = house.get("/taxii2/").json()
    assert found["title"] and found["default"] in found["api_roots"]
    assert all(re.fullmatch(r"/[^/?][^?]*", root) for root in found["api_roots"])


def test_root_01_to_05_the_root_says_what_it_speaks_and_how_much_it_takes(house: House) -> None:
    root = house.get("/api1/").json()
    assert root["title"] and MEDIA_TYPE in root["versions"]
    assert isinstance(root["max_content_length"], int) and root["max_content_length"] > 0


def test_stat_03_a_status_that_never_was_is_404(house: House) -> None:
    assert house.get(f"/api1/status/{uuid4()}/").status_code == 404


def test_coll_03_collections_keep_their_order_and_coll_05_say_what_this_client_may(house: House) -> None:
    lists = [house.get("/api1/collections/").json()["collections"] for _ in range(3)]
    assert lists[0] == lists[1] == lists[2]
    assert [one["alias"] for one in lists[0]] == ["public", "council"]
    for one in lists[0]:
        assert UUID(one["id"]).version == 4 and one["title"]
        assert (one["can_read"], one["can_write"]) == (True, False)
        assert one["media_types"] == ["application/stix+json;version=2.1"]


def test_coll_06_an_alias_works_as_the_id_does(house: House) -> None:
    by_alias = house.get("/api1/collections/council/").json()
    assert house.get(f"/api1/collections/{by_alias['id']}/").json() == by_alias
    one, other = (house.get(f"/api1/collections/{name}/objects/") for name in ("council", by_alias["id"]))
    assert one.content == other.content


# --- order, headers, filters, pages ------------------------------------------------------------------------


def test_sort_01_and_02_the_oldest_comes_first_and_filt_15_only_the_latest_version(house: House) -> None:
    assert house.ids() == ["B 1", "A 2", "M 1"]


@pytest.mark.parametrize(
    ("versions", "given"),
    [
        ("all", ["A 1", "B 1", "A 2", "M 1"]),
        ("first", ["A 1", "B 1", "M 1"]),
        ("last", ["B 1", "A 2", "M 1"]),
        ("first,last", ["A 1", "B 1", "A 2", "M 1"]),
        (V2, ["A 2"]),
        ("2026-11-02T00:00:00Z", ["A 2"]),
        (f"first,{V2}", ["A 1", "B 1", "A 2", "M 1"]),
    ],
)
def test_filt_16_to_19_versions_are_chosen_per_object(house: House, versions: str, given: list[str]) -> None:
    assert house.ids(**{"match[version]": versions}) == given


@pytest.mark.parametrize(
    ("after", "given"),
    [(at(1), ["A 2", "M 1"]), (at(0), ["B 1", "A 2", "M 1"]), (at(3), []), ("2026-11-21T01:00:01Z", ["A 2", "M 1"])],
)
def test_filt_06_added_after_is_strict_and_about_the_collection(house: House, after: str, given: list[str]) -> None:
    assert house.ids(added_after=after) == given


def test_filt_06_with_first_the_version_is_chosen_before_the_time(house: House) -> None:
    assert house.ids(**{"added_after": at(1), "match[version]": "first"}) == ["M 1"]


@pytest.mark.parametrize(
    ("query", "given"),
    [
        ({"match[type]": "indicator"}, ["A 2"]),
        ({"match[type]": "indicator,malware"}, ["B 1", "A 2"]),
        ({"match[type]": "tool"}, []),
        ({"match[id]": f"{B},{MARKING}"}, ["B 1", "M 1"]),
        ({"match[id]": B, "match[type]": "indicator"}, []),
        ({"match[spec_version]": "2.1"}, ["B 1", "A 2", "M 1"]),
        ({"match[spec_version]": "2.0"}, []),
        ({"unknown": "x", "match[unknown]": "y"}, ["B 1", "A 2", "M 1"]),
    ],
)
def test_filt_02_to_14_fields_are_anded_and_values_ored(house: House, query: dict[str, str], given: list[str]) -> None:
    assert house.ids(**query) == given


@pytest.mark.parametrize("kind", ["objects", "manifest"])
def test_hdr_01_to_04_the_headers_describe_the_page(house: House, kind: str) -> None:
    answer = house.get(f"/api1/collections/council/{kind}/", limit="2")
    first, last = (answer.headers[f"X-TAXII-Date-Added-{end}"] for end in ("First", "Last"))
    assert (first, last) == (at(1), at(2)) and TIMESTAMP.fullmatch(first)


@pytest.mark.parametrize("path", ["objects/", "manifest/", f"objects/{A}/versions/", f"objects/{A}/"])
@pytest.mark.parametrize("limit", [1, 2, 3, 100])
def test_page_01_to_11_pages_give_everything_once(house: House, path: str, limit: int) -> None:
    query = {"limit": str(limit)} | ({} if path.endswith("versions/") else {"match[version]": "all"})
    path = f"/api1/collections/council/{path}"
    name = "versions" if path.endswith("versions/") else "objects"
    whole = house.get(path, **(query | {"limit": "1000"})).json()[name]
    seen, more = [], {}
    while True:
        page = house.get(path, **query, **more).json()
        assert len(page[name]) <= limit
        seen += page[name]
        if not page.get("more"):
            break
        more = {"next": page["next"]}
    assert seen == whole


def test_page_08_without_next_added_after_goes_on_where_the_page_stopped(house: House) -> None:
    seen: list[str] = []
    query: dict[str, str] = {"match[version]": "all"}
    while True:
        answer = house.get("/api1/collections/council/objects/", limit="1", **query)
        seen += [one["id"] for one in answer.json()["objects"]]
        if not answer.json().get("more"):
            break
        query["added_after"] = answer.headers["X-TAXII-Date-Added-Last"]
    assert seen == [A, B, A, MARKING]


def test_page_09_a_token_opens_only_the_question_that_it_was_made_for(house: House) -> None:
    token = house.get("/api1/collections/council/objects/", limit="1").json()["next"]
    again = [house.get("/api1/collections/council/objects/", limit="1", next=token) for _ in range(2)]
    assert again[0].content == again[1].content
    for path, more in (
        ("public/objects/", {}),
        ("council/manifest/", {}),
        ("council/objects/", {"match[type]": "tool"}),
    ):
        assert house.get(f"/api1/collections/{path}", next=token, **more).status_code == 400


# --- manifest, objects, versions, errors ---------------------------------------------------------------------


def test_mani_03_one_record_for_each_version_and_filt_20_filters_ask_the_objects(house: House) -> None:
    records = house.get(
        "/api1/collections/council/manifest/", **{"match[version]": "all", "match[type]": "indicator"}
    ).json()
    assert [(one["id"], one["version"], one["date_added"]) for one in records["objects"]] == [
        (A, V1, at(0)),
        (A, V2, at(2)),
    ]
    assert {one["media_type"] for one in records["objects"]} == {"application/stix+json;version=2.1"}


@pytest.mark.parametrize("kind", ["objects", "manifest"])
def test_get_03_and_mani_04_nothing_is_an_empty_object(house: House, kind: str) -> None:
    answer = house.get(f"/api1/collections/council/{kind}/", **{"match[type]": "tool"})
    assert (answer.status_code, answer.content) == (200, b"{}")


def test_get_05_and_07_an_object_by_its_id(house: House) -> None:
    path = "/api1/collections/council/objects/{}/"
    assert [one["id"] for one in house.get(path.format(A)).json()["objects"]] == [A]
    assert house.get(path.format(f"tool--{uuid4()}")).status_code == 404
    left = house.get(path.format(A), **{"match[version]": "2020-01-01T00:00:00.000Z"})
    assert (left.status_code, left.content) == (200, b"{}")


def test_vers_01_and_03_versions_are_modified_else_created(house: House) -> None:
    path = "/api1/collections/council/objects/{}/versions/"
    assert house.get(path.format(A)).json()["versions"] == [V1, V2]
    assert house.get(path.format(MARKING)).json()["versions"] == [V1]


@pytest.mark.parametrize("path", ERRORS)
def test_err_01_and_03_an_error_says_its_status_as_a_string_and_nothing_of_what_was_asked(
    house: House, path: str
) -> None:
    answer = house.get(path)
    body = answer.json()
    assert body["http_status"] == str(answer.status_code) and body["title"]
    assert "none" not in answer.text and "council" not in answer.text


def test_del_02_and_add_02_who_may_only_read_gets_403(house: House) -> None:
    path = f"{house.url}/api1/collections/council/objects/"
    sent = house.session.post(path, json={"objects": []}, headers=ACCEPT | {"Content-Type": MEDIA_TYPE}, timeout=30)
    gone = house.session.delete(f"{path}{A}/", headers=ACCEPT, timeout=30)
    assert (sent.status_code, gone.status_code) == (403, 403)


# --- clients that exist ----------------------------------------------------------------------------------------


def test_taxii2_client_walks_objects_and_manifest_alike(house: House) -> None:
    with Server(f"{house.url}/taxii2/", user="reader", password=house.key) as server, server.default:
        collection = next(one for one in server.default.collections if one.alias == "council")
        walks = [
            [one["id"] for page in as_pages(ask, per_request=2) for one in page.get("objects", [])]
            for ask in (collection.get_objects, collection.get_manifest)
        ]
        assert walks[0] == walks[1] == [B, A, MARKING]
        assert collection.get_object(A)["objects"][0]["modified"] == V2
        assert collection.object_versions(A)["versions"] == [V1, V2]


def test_the_stix2_library_finds_an_object_and_all_its_versions(house: House) -> None:
    known = house.get("/api1/collections/council/").json()["id"]
    with Collection(f"{house.url}/api1/collections/{known}/", user="reader", password=house.key) as collection:
        source = TAXIICollectionSource(collection)
        assert source.get(A).name == "a"
        assert len(source.all_versions(A)) == 2
        assert [one.id for one in source.query([Filter("type", "=", "malware")])] == [B]


def test_a_siem_that_polls_with_basic_and_whole_seconds_misses_nothing(house: House) -> None:
    """Basic only, Accept without a version, `added_after` to the second, from the time of the last page."""
    headers, seen, after = {"Accept": "application/taxii+json"}, [], "2026-11-21T00:00:00Z"
    for _ in range(6):
        params = {"added_after": after, "limit": "1"}
        answer = house.session.get(
            f"{house.url}/api1/collections/council/objects/", params=params, headers=headers, timeout=30
        )
        seen += [one["id"] for one in answer.json().get("objects", [])]
        after = answer.headers.get("X-TAXII-Date-Added-Last", after)[:19] + "Z"
    assert list(dict.fromkeys(seen)) == [B, A, MARKING]
