"""Clients that exist, against a real server over HTTP: taxii2-client, the stix2 library, and as SIEMs poll."""

from __future__ import annotations

import http.client
import json
from base64 import b64encode
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

import pytest
import requests
import stix2
from stix2 import Filter, TAXIICollectionSink, TAXIICollectionSource, TAXIICollectionStore
from taxii2client.exceptions import AccessError
from taxii2client.v21 import ApiRoot, Collection, Server, Status, as_pages

from exchange import contributions
from tests.live import until
from tests.taxii_house import (
    ACCEPT,
    DATABASES,
    GREEN,
    MEDIA_TYPE,
    SENDING,
    START,
    V1,
    V2,
    V3,
    Door,
    Json,
    Member,
    open_door,
    thing,
)
from tests.taxii_shapes import body_of, faults, status_faults

MARKING = f"marking-definition--{UUID(int=2, version=4)}"
A, B = f"indicator--{UUID(int=3, version=4)}", f"malware--{UUID(int=4, version=4)}"
COUNCIL = "/api1/collections/council/"
OBJECTS = f"{COUNCIL}objects/"


@pytest.fixture(scope="module", params=DATABASES)
def door(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    """The TAXII server in a process of its own; A, B, A again and a marking are in `council`, 0.6 s between them."""
    with open_door(request, tmp_path_factory.mktemp("clients")) as opened:
        steps = [
            thing(id=A, name="a"),
            thing("malware", id=B, name="b"),
            thing(id=A, name="a", modified=V2),
            thing("marking-definition", id=MARKING, name="m"),
        ]
        for n, one in enumerate(steps):
            opened.publish([one], "council", at=START + timedelta(seconds=0.6 * n))
        yield opened


@pytest.fixture
def reader(door: Door) -> Member:
    """Reads `public` and `council`, and has a new sandbox."""
    return door.join()


@contextmanager
def at_server(member: Member) -> Iterator[Server]:
    """taxii2-client's view of the server."""
    with Server(f"{member.door.url}/taxii2/", user=member.username, password=member.key) as server:
        yield server


@contextmanager
def at_council(member: Member) -> Iterator[Collection]:
    """taxii2-client's view of `council`."""
    with at_server(member) as server, server.default:
        yield next(one for one in server.default.collections if one.alias == "council")


@contextmanager
def at_sandbox(member: Member) -> Iterator[Collection]:
    """taxii2-client's view of the member's own collection."""
    with ApiRoot(f"{member.door.url}/sandbox/", user=member.username, password=member.key) as root:
        yield root.collections[0]


def walk(ask: Any, **more: Any) -> list[str]:
    """The ids of all pages; of twenty, should they never end."""
    return [one["id"] for page in islice(as_pages(ask, **more), 20) for one in page.get("objects", [])]


# --- taxii2-client -------------------------------------------------------------------------------------------


def test_taxii2_client_finds_its_way_from_discovery(reader: Member) -> None:
    with at_server(reader) as server:
        assert server.title and server.description
        assert [root.url for root in server.api_roots] == [f"{reader.door.url}/{name}/" for name in ("api1", "sandbox")]
        assert server.default.url == f"{reader.door.url}/api1/"
        root = server.default
        assert MEDIA_TYPE in root.versions and root.max_content_length > 0 and root.title
        assert [(one.alias, one.can_read, one.can_write) for one in root.collections] == [
            ("public", True, False),
            ("council", True, False),
        ]
        assert root.collections[1].media_types == ["application/stix+json;version=2.1"]
        for one in server.api_roots:
            one.close()


def test_taxii2_client_opens_a_collection_by_its_address(reader: Member) -> None:
    known = reader.get(COUNCIL).json()
    address = f"{reader.door.url}/api1/collections/{known['id']}/"
    with Collection(address, user=reader.username, password=reader.key) as collection:
        assert (collection.title, collection.alias) == (known["title"], "council")
        assert len(collection.get_objects()["objects"]) == 3


@pytest.mark.parametrize("per_request", [1, 2, 3, 5, 5000])
def test_taxii2_client_walks_objects_and_manifest_alike(reader: Member, per_request: int) -> None:
    with at_council(reader) as collection:
        walks = [walk(ask, per_request=per_request) for ask in (collection.get_objects, collection.get_manifest)]
    assert walks[0] == walks[1] == [B, A, MARKING]


def test_taxii2_client_walks_with_filters_and_without_a_page_size(reader: Member) -> None:
    with at_council(reader) as collection:
        for ask in (collection.get_objects, collection.get_manifest):
            assert walk(ask) == [B, A, MARKING]
            assert walk(ask, per_request=1, version="all") == [A, B, A, MARKING]
            assert walk(ask, per_request=1, type=["indicator", "malware"], version=["first", "last"]) == [A, B, A]
            assert walk(ask, per_request=1, added_after=START, version="all") == [B, A, MARKING]
            assert walk(ask, per_request=1, added_after=START + timedelta(seconds=1.2)) == [MARKING]
            assert walk(ask, id=[A, B], spec_version="2.1") == [B, A]


def test_taxii2_client_asks_for_versions_by_their_time(reader: Member) -> None:
    with at_council(reader) as collection:
        for when in (V1, datetime(2026, 11, 1, tzinfo=UTC)):
            assert collection.get_object(A, version=when)["objects"][0]["modified"] == V1
        assert collection.get_object(A)["objects"][0]["modified"] == V2
        assert collection.object_versions(A)["versions"] == [V1, V2]
        assert collection.object_versions(A, added_after=START)["versions"] == [V2]
        assert [one["modified"] for one in collection.get_object(A, version="all")["objects"]] == [V1, V2]


def test_taxii2_client_walks_a_collection_larger_than_a_page(door: Door) -> None:
    door.publish([thing() for _ in range(1005)], "allied")
    member = door.join(reads=["allied"])
    with at_server(member) as server, server.default:
        [collection] = server.default.collections
        for ask in (collection.get_objects, collection.get_manifest):
            ids = walk(ask)
            assert len(ids) == len(set(ids)) == 1005


def test_taxii2_client_adds_reads_and_deletes(reader: Member) -> None:
    one, other = thing(), thing(modified=V2)
    with at_sandbox(reader) as mine:
        assert mine.can_read and mine.can_write
        for envelope in ({"objects": [one]}, json.dumps({"objects": [other]}), json.dumps({"objects": [one]}).encode()):
            status = mine.add_objects(envelope)
            assert (status.status, status.success_count, status.failure_count) == ("complete", 1, 0)
        assert walk(mine.get_objects) == [one["id"], other["id"]]
        mine.add_objects({"objects": [other | {"modified": V3}]})
        mine.delete_object(other["id"], version=V3)
        assert mine.object_versions(other["id"])["versions"] == [V2]
        mine.delete_object(other["id"])
        assert walk(mine.get_manifest) == [one["id"]]
        with pytest.raises(requests.HTTPError) as gone:
            mine.get_object(other["id"])
        assert _code(gone.value) == 404


def test_taxii2_client_reads_the_result_of_each_object(reader: Member) -> None:
    right, wrong = thing(), thing(pattern=None)
    with ApiRoot(f"{reader.door.url}/sandbox/", user=reader.username, password=reader.key) as root:
        posted = root.collections[0].add_objects({"objects": [right, wrong]}, wait_for_completion=False)
        status = root.get_status(posted.id)
        assert bool(status) and status._raw == posted._raw
        assert [one["id"] for one in status.successes] == [right["id"]]
        assert [one["id"] for one in status.failures] == [wrong["id"]]
        assert (status.total_count, status.pendings) == (2, [])


def test_taxii2_client_waits_until_a_worker_has_settled_its_envelope(reader: Member) -> None:
    many = [thing() for _ in range(contributions.AT_ONCE + 1)]
    with at_sandbox(reader) as mine, ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(mine.add_objects, {"objects": many}, poll_interval=0.05, timeout=60)
        until(lambda: reader.door.work() or None)
        status: Status = waiting.result()
        assert (status.status, status.success_count, status.pending_count) == ("complete", len(many), 0)
        assert walk(mine.get_manifest) == [one["id"] for one in many]


def test_taxii2_client_does_not_wait_if_it_is_told_so(reader: Member) -> None:
    many = [thing() for _ in range(contributions.AT_ONCE + 1)]
    with at_sandbox(reader) as mine:
        status = mine.add_objects({"objects": many}, wait_for_completion=False)
        assert (status.status, status.pending_count, len(status.pendings)) == ("pending", len(many), len(many))
        assert reader.door.work() is True
        status.wait_until_final(poll_interval=0.01)
        assert (bool(status), status.success_count) == (True, len(many))


def test_taxii2_client_learns_what_it_may_not(reader: Member) -> None:
    with at_council(reader) as collection:
        with pytest.raises(AccessError):
            collection.add_objects({"objects": [thing()]})
        with pytest.raises(requests.HTTPError) as never:
            collection.get_object(thing()["id"])
        assert _code(never.value) == 404
    wrong = Server(f"{reader.door.url}/taxii2/", user=reader.username, password="x")
    with wrong, pytest.raises(requests.HTTPError) as refused:
        wrong.refresh()
    assert _code(refused.value) == 401


def _code(error: requests.HTTPError) -> int:
    assert error.response is not None
    return error.response.status_code


# --- the stix2 library -----------------------------------------------------------------------------------------


def test_the_stix2_library_finds_an_object_and_all_its_versions(reader: Member) -> None:
    with at_council(reader) as collection:
        source = TAXIICollectionSource(collection)
        assert source.get(A).name == "a"
        assert source.get(thing()["id"]) is None
        assert len(source.all_versions(A)) == 2
        assert [one.id for one in source.query([Filter("type", "=", "malware")])] == [B]
        assert [one.id for one in source.query([Filter("type", "=", "indicator,malware")])] == [B, A]
        assert [one.id for one in source.query([Filter("added_after", "=", "2026-11-21T01:00:01.2Z")])] == [MARKING]
        assert [one.id for one in source.query([Filter("name", "=", "b")])] == [B]
        assert len(source.query()) == 3


def test_the_stix2_library_walks_in_small_pages(reader: Member) -> None:
    with at_council(reader) as collection:
        assert len(TAXIICollectionSource(collection, items_per_page=1).query()) == 3


def test_the_stix2_library_puts_in_whatever_it_can_make(reader: Member) -> None:
    marked = {"object_marking_refs": [GREEN]}
    who = stix2.Identity(name="一", identity_class="organization", **marked)
    what = stix2.Malware(name="m", is_family=False, created_by_ref=who, **marked)
    sign = stix2.Indicator(
        pattern="[ipv4-addr:value = '203.0.113.9']", pattern_type="stix", valid_from="2026-11-01T00:00:00Z", **marked
    )
    link = stix2.Relationship(sign, "indicates", what, **marked)
    address = stix2.IPv4Address(value="203.0.113.9")
    with at_sandbox(reader) as mine:
        sink = TAXIICollectionSink(mine)
        sink.add(who)
        sink.add([what, sign])
        sink.add(stix2.Bundle(link, address))
        sink.add(json.loads(sign.serialize()))
        sink.add(link.serialize())
        assert walk(mine.get_objects) == [one.id for one in (who, what, sign, link, address)]
        source = TAXIICollectionSource(mine)
        assert [source.get(one.id) for one in (who, what, sign, link, address)] == [who, what, sign, link, address]


def test_the_stix2_library_adds_a_new_version(reader: Member) -> None:
    first = stix2.Malware(name="m", is_family=False, object_marking_refs=[GREEN])
    second = first.new_version(name="n")
    with at_sandbox(reader) as mine:
        store = TAXIICollectionStore(mine)
        store.add([first, second, second.revoke()])
        assert store.get(first.id).revoked is True
        assert len(store.all_versions(first.id)) == 3


def test_the_stix2_library_is_told_where_it_may_not_write(reader: Member) -> None:
    with at_council(reader) as collection, pytest.raises(stix2.datastore.DataSourceError):
        TAXIICollectionSink(collection)


# --- how connectors poll -----------------------------------------------------------------------------------------


def wire(member: Member, target: str, *, method: str = "GET", **headers: str) -> tuple[int, Json, bytes]:
    """A request with these headers and not one more, to this target as it is spelled: status, headers, body."""
    connection = http.client.HTTPConnection("127.0.0.1", member.door.settings.taxii_port, timeout=30)
    connection.putrequest(method, target, skip_accept_encoding=True)
    pair = b64encode(":".join(member.auth).encode()).decode()
    for name, text in ({"Authorization": f"Basic {pair}"} | headers).items():
        connection.putheader(name.replace("_", "-"), text)
    connection.endheaders()
    try:
        answer = connection.getresponse()
        return answer.status, dict(answer.getheaders()), answer.read()
    finally:
        connection.close()


def ids(body: bytes) -> list[str]:
    """The ids in an envelope or a manifest."""
    return [one["id"] for one in json.loads(body).get("objects", [])]


ACCEPTS = {
    "without a version": "application/taxii+json",
    "a version with a blank": "application/taxii+json; version=2.1",
    "as axios asks": "application/json, text/plain, */*",
    "as curl asks": "*/*",
    "as a browser asks": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
    "old and new": "application/vnd.oasis.taxii+json; version=2.0, application/taxii+json; version=2.1",
    "stix too": "application/taxii+json;version=2.1,application/stix+json;version=2.1",
}


@pytest.mark.parametrize("accept", ACCEPTS.values(), ids=ACCEPTS)
def test_neg_04_each_usual_accept_is_served_and_gen_15_without_a_name(reader: Member, accept: str) -> None:
    for path in ("/taxii2/", "/api1/", "/api1/collections/", COUNCIL, OBJECTS, f"{COUNCIL}manifest/"):
        status, headers, _ = wire(reader, path, Accept=accept)
        assert (status, headers["content-type"]) == (200, MEDIA_TYPE)


def test_gen_15_not_one_header_more_than_needed_is_asked_for(reader: Member) -> None:
    status, _, body = wire(reader, OBJECTS, Accept="application/taxii+json")
    assert (status, ids(body)) == (200, [B, A, MARKING])


TARGETS = {
    "brackets": "match[type]=indicator,malware",
    "encoded brackets": "match%5Btype%5D=indicator,malware",
    "lower case": "match%5btype%5d=indicator,malware",
    "encoded comma": "match[type]=indicator%2Cmalware",
    "all encoded": "%6d%61%74%63%68%5B%74%79%70%65%5D=%69ndicator%2C%6Dalware",
    "as urllib encodes": urlencode({"match[type]": "indicator,malware"}),
    "two filters": "match%5Btype%5D=indicator%2Cmalware&match%5Bversion%5D=last",
    "with a time": "added_after=2026-11-20T00%3A00%3A00.000Z&match[type]=indicator,malware",
    "empty parts": "&match[type]=indicator,malware&",
}


@pytest.mark.parametrize("query", TARGETS.values(), ids=TARGETS)
def test_filt_03_a_filter_is_the_same_however_it_is_encoded(reader: Member, query: str) -> None:
    status, _, body = wire(reader, f"{OBJECTS}?{query}", **ACCEPT)
    assert (status, ids(body)) == (200, [B, A])


def test_a_siem_that_polls_with_basic_and_whole_seconds_misses_nothing(reader: Member) -> None:
    """Basic only, Accept without a version, `added_after` to the second, from the time of the last page."""
    seen, after = [], "2026-11-21T00:00:00Z"
    for _ in range(6):
        _, headers, body = wire(
            reader, f"{OBJECTS}?{urlencode({'added_after': after})}", Accept="application/taxii+json"
        )
        seen += ids(body)
        after = headers["x-taxii-date-added-last"][:19] + "Z"
    assert list(dict.fromkeys(seen)) == [B, A, MARKING]


def test_a_siem_that_keeps_its_own_clock_gets_what_was_added_since(door: Door) -> None:
    """Two rounds with pages; the second begins at the whole second before what came last."""
    member, path = door.join(reads=["isac-t-isac"]), "/api1/collections/isac-t-isac/objects/"
    rounds = [[thing() for _ in range(5)] for _ in range(2)]
    seen: list[str] = []
    for n, things in enumerate(rounds):
        door.publish(things, "isac-t-isac", at=START + timedelta(days=1, milliseconds=100 + 700 * n))
        seen += _round(member, path, added_after="2026-11-22T01:00:00Z", limit="2")
    wanted = [one["id"] for things in rounds for one in things]
    assert list(dict.fromkeys(seen)) == wanted and seen == wanted[:5] + wanted


def _round(member: Member, path: str, **query: str) -> list[str]:
    """All pages of one round, twenty at most: `next` goes together with `added_after`."""
    seen: list[str] = []
    more: dict[str, str] = {}
    for _ in range(20):
        status, _, body = wire(member, f"{path}?{urlencode(query | more)}", Accept="application/taxii+json")
        assert status == 200
        seen += ids(body)
        page = json.loads(body)
        if not page.get("more"):
            break
        more = {"next": page["next"]}
    return seen


@pytest.mark.parametrize("limit", ["1", "2", "1000"])
def test_page_07_added_after_together_with_next_holds_for_both(reader: Member, limit: str) -> None:
    asked = {"added_after": "2026-11-21T01:00:00.000000Z", "limit": limit}
    assert _round(reader, OBJECTS, **asked) == [B, A, MARKING]
    assert _round(reader, OBJECTS, **asked, **{"match[version]": "all"}) == [B, A, MARKING]
    assert _round(reader, f"{COUNCIL}manifest/", **asked) == [B, A, MARKING]


def test_page_08_a_client_that_knows_headers_alone_gets_each_object_once_and_then_nothing(reader: Member) -> None:
    seen, after = [], "2026-11-21T00:00:00Z"
    for _ in range(6):
        query = urlencode({"added_after": after, "limit": "1", "match[version]": "all"})
        _, headers, body = wire(reader, f"{OBJECTS}?{query}", **ACCEPT)
        seen += ids(body)
        after = headers["x-taxii-date-added-last"]
    assert seen == [A, B, A, MARKING]


def test_a_connector_that_reads_the_manifest_first_and_then_each_object(reader: Member) -> None:
    _, _, body = wire(reader, f"{COUNCIL}manifest/?match[version]=all", **ACCEPT)
    for record in json.loads(body)["objects"]:
        query = urlencode({"match[version]": record["version"]})
        status, _, found = wire(reader, f"{OBJECTS}{record['id']}/?{query}", **ACCEPT)
        [one] = json.loads(found)["objects"]
        assert (status, one["id"], one.get("modified", one["created"])) == (200, record["id"], record["version"])


def test_a_connector_that_asks_for_the_ids_of_a_manifest_page_at_once(reader: Member) -> None:
    _, _, body = wire(reader, f"{COUNCIL}manifest/", **ACCEPT)
    _, _, found = wire(reader, f"{OBJECTS}?{urlencode({'match[id]': ','.join(ids(body))})}", **ACCEPT)
    assert ids(found) == ids(body)


@pytest.mark.parametrize("path", ["/taxii2/", "/api1/", "/api1/collections/", COUNCIL, OBJECTS, f"{COUNCIL}manifest/"])
def test_our_22_a_connector_that_looks_first_with_head_or_options(reader: Member, path: str) -> None:
    status, head, body = wire(reader, path, method="HEAD", **ACCEPT)
    assert (status, body, head["content-type"]) == (200, b"", MEDIA_TYPE)
    status, options, body = wire(reader, path, method="OPTIONS")
    assert (status, body, options["content-type"]) == (200, b"", MEDIA_TYPE)
    assert "GET" in options["allow"]


def test_neg_04_a_connector_that_posts_without_versions_is_served(reader: Member) -> None:
    plain = {"Accept": "application/taxii+json", "Content-Type": "application/taxii+json"}
    answer = reader.send(reader.sandbox, json.dumps({"objects": [thing()]}), plain)
    assert (answer.status_code, status_faults(body_of(answer))) == (202, [])


def test_a_connector_that_follows_the_status_until_it_is_complete(reader: Member) -> None:
    envelope = json.dumps({"objects": [thing() for _ in range(contributions.AT_ONCE + 1)]})
    posted = reader.ask("POST", f"{reader.sandbox}objects/", SENDING, data=envelope).json()
    path, states = f"/sandbox/status/{posted['id']}/", [posted["status"]]
    for _ in range(3):
        states.append(reader.get(path).json()["status"])
        reader.door.work()
    assert states == ["pending", "pending", "complete", "complete"]


@pytest.mark.parametrize("scheme", ["Bearer", "bearer"])
def test_auth_04_a_connector_that_has_a_token_alone(reader: Member, scheme: str) -> None:
    status, _, body = wire(reader, OBJECTS, **ACCEPT, Authorization=f"{scheme} {reader.key}")
    assert (status, len(ids(body))) == (200, 3)


def test_auth_01_a_connector_that_waits_for_the_challenge_before_it_signs_in(reader: Member) -> None:
    first = reader.door.ask("GET", OBJECTS)
    assert (first.status_code, faults("error", body_of(first))) == (401, [])
    assert first.headers["WWW-Authenticate"].startswith('Basic realm="')
    assert reader.get(OBJECTS).status_code == 200


def test_a_connector_that_keeps_its_connection_and_asks_in_turn(reader: Member) -> None:
    with requests.Session() as session:
        session.auth = reader.auth
        answers = [session.get(f"{reader.door.url}{OBJECTS}", headers=ACCEPT, timeout=30) for _ in range(20)]
    assert {(one.status_code, one.content) for one in answers} == {(200, answers[0].content)}
