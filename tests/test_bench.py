"""The benchmark's own arithmetic: ratios, percentiles, and what counts as met. No server runs here;
and that what it loads is what the service would have published."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest
from sqlalchemy import delete, func, select

from bench import bulk, chart, corpus, report
from bench.figures import Door, Measured, Polls, Posted, median_ratio, percentile
from bench.targets import BARE, BY_ID, EMPTY, MANIFEST, MINIMAL, OPENTAXII, PLAIN, Row, Target, rows, shown
from exchange import feed
from exchange.models import Collection, Entry, ObjectVersion
from exchange.sharing import TLP
from exchange.stores import Stores
from tests.conftest import NOW


def polls(name: str, page_s: float, server_ms: float = 2.0, rounds: int = 3) -> Polls:
    """Two pages of 1,000 objects that took `page_s` each, in every round."""
    return Polls(name, [[page_s, page_s]] * rounds, 2000, [server_ms] * rounds, [0.0] * rounds, 90.0)


def door(database: str, page_s: float) -> Door:
    """Our server as good as it must be, but for the pages."""
    made = Door(database, polls(f"Noroshi on {database}", page_s))
    made.one_ms, made.four_ms, made.first_ms, made.last_ms = [2.0] * 3, [2.2] * 3, [2.0] * 3, [2.0] * 3
    made.queries = {PLAIN: [0.010], "match[type]=indicator": [0.020], MANIFEST: [0.009], BY_ID: [0.003], EMPTY: [0.002]}
    made.packed = {"identity": (0.010, 900_000), "gzip": (0.005, 90_000), "zstd": (0.005, 90_000)}
    made.nothing_new, made.nothing_new_ms = [0.003] * 3, [2.0] * 3
    made.empty, made.empty_ms = [0.002] * 3, [1.0] * 3
    made.posted = Posted(2000, [0.1, 0.1], 2.0, 0.2, 0.3)
    return made


def measured(**page_s: float) -> Measured:
    """A run in which everything but our own pages takes a fixed time."""
    run = Measured(2000, [door(name, seconds) for name, seconds in page_s.items()], four_minimal_ms=[2.0] * 3)
    run.polls = {OPENTAXII: polls(OPENTAXII, 1.0), BARE: polls(BARE, 0.004), MINIMAL: polls(MINIMAL, 0.010)}
    run.polls |= {one.polls.name: one.polls for one in run.doors}
    return run


def verdicts(found: list[Row], figure: str) -> list[tuple[str, str, str]]:
    """(what it is compared with, result, verdict) of the rows of a figure."""
    return [(row.against, row.result, row.verdict) for row in found if row.figure == figure]


def test_a_bound_is_met_by_itself_and_missed_beyond_it() -> None:
    assert Target(3).met_by(3.0) and not Target(3).met_by(3.01)
    assert Target(0.5, at_least=True).met_by(0.5) and not Target(0.5, at_least=True).met_by(0.49)


def test_the_p95_is_a_value_that_was_measured() -> None:
    assert percentile(list(range(1, 101)), 0.95) == 95
    assert percentile([7.0], 0.95) == 7.0


def test_a_round_that_was_slow_for_everybody_does_not_move_a_ratio() -> None:
    ours, theirs = [1.0, 10.0, 1.0], [2.0, 20.0, 2.0]
    assert median_ratio(ours, theirs) == 0.5
    assert median_ratio([3.0, 1.0, 1.0], theirs) == 0.5


def test_rounds_of_different_number_are_a_mistake() -> None:
    with pytest.raises(ValueError, match="shorter"):
        median_ratio([1.0, 1.0], [1.0])


def test_polling_is_judged_against_the_peer_and_against_the_wire() -> None:
    found = rows(measured(SQLite=0.008, PostgreSQL=0.016))
    assert verdicts(found, "whole collection, one poller") == [
        ("OpenTAXII 1,000 objects/s", "125 ×", "met"),
        ("OpenTAXII 1,000 objects/s", "62.5 ×", "**missed**"),
        ("bare WSGI 250,000 objects/s", "0.5 ×", "met"),
        ("bare WSGI 250,000 objects/s", "0.25 ×", "**missed**"),
    ]


def test_what_does_not_depend_on_the_pages_is_judged_too() -> None:
    found = {row.figure: (row.result, row.verdict) for row in rows(measured(SQLite=0.008))}
    assert found["match[type]=indicator, p95"] == ("2 ×", "met")
    assert found["one object by id, p50"] == ("1.5 ×", "met")
    assert found["“nothing new” poll, rate"] == ("0.667 ×", "met")
    # 2 ms for each of 2,000 members in 60 s.
    assert found["2,000 members who poll once a minute, share of one core"] == ("6.67 %", "met")
    assert found["POST of 1,000 objects, until 202"] == ("10,000 objects a second of processor", "met")
    assert found["POST of 1,000 objects, until complete"] == ("4,000 objects a second of processor", "met")
    assert found["memory of the worker after all polls"] == ("90 MiB", "met")


def test_without_peers_the_rest_is_still_judged() -> None:
    run = measured(SQLite=0.008)
    del run.polls[OPENTAXII]
    assert len(verdicts(rows(run), "whole collection, one poller")) == 1


def test_a_missed_target_is_counted_above_the_table() -> None:
    assert "## Targets: all met" in report.markdown(measured(SQLite=0.008))
    assert "## Targets: 2 missed" in report.markdown(measured(SQLite=0.016))


def test_the_chart_is_well_formed_and_names_every_server() -> None:
    run = measured(SQLite=0.008)
    words = "".join(ElementTree.fromstring(chart.svg(run)).itertext())
    assert all(name in words for name in run.polls)


@pytest.mark.parametrize(("value", "unit", "words"), [(1234.5, "ms", "1,234 ms"), (0.5, "times", "0.5 ×")])
def test_three_digits_are_shown(value: float, unit: str, words: str) -> None:
    assert shown(value, unit) == words


def test_the_corpus_is_the_same_for_the_same_seed_and_holds_older_versions_too() -> None:
    once, again = (list(corpus.publications(300, seed="a")) for _ in range(2))
    assert once == again != list(corpus.publications(300, seed="b"))
    assert (len(once), len({one.stix_id for one in once})) == (303, 300)
    assert len({(one.stix_id, one.version) for one in once}) == 303


def test_what_is_written_in_bulk_is_what_publishing_writes(stores: Stores) -> None:
    """Marked and put into lanes alike, so that what is measured is what a member gets."""
    objects = list(corpus.publications(300, seed="a"))
    for tlp in (TLP.CLEAR, TLP.GREEN):
        with stores.released.transaction() as db:
            some = [one for one in objects if bulk.tlp_of(one.stix_id) is tlp]
            feed.publish(db, some, aliases=["council"], tlp=tlp, clock=lambda: NOW)
    published = take_out(stores)
    bulk.Bulk(300, seed="a", say=lambda _: None)(stores)
    assert len(published) == 303
    assert take_out(stores) == published


def take_out(stores: Stores) -> list[tuple[object, ...]]:
    """All that was put into `council`, but not when and where; then there is nothing anywhere."""
    left_out = {"id", "collection_id", "date_added", "object_version_id"}
    columns = [*ObjectVersion.__table__.columns, *Entry.__table__.columns]
    kept = select(*(column for column in columns if column.name not in left_out)).join_from(Entry, ObjectVersion)
    with stores.released.transaction() as db:
        council = db.scalars(select(Collection).where(Collection.alias == "council")).one()
        own = (Entry.collection_id == council.id, Entry.type.in_(["indicator", "malware"]))
        found = sorted(map(tuple, db.execute(kept.where(*own))), key=repr)
        dates = db.execute(select(Entry.tlp, func.max(Entry.date_added)).where(*own).group_by(Entry.tlp)).all()
        assert dates and all(council.news[rank] == added for rank, added in dates)
        assert (council.last_added, council.unsealed) == (max(added for _, added in dates), True)
        council.unsealed = False
        db.execute(delete(Entry))
        db.execute(delete(ObjectVersion))
    return found
