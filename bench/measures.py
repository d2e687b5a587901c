"""How each figure is measured. Servers take turns, so that what slows the machine for a moment slows all."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import islice
from random import Random
from statistics import median

import orjson

from bench import client, corpus
from bench.client import Target, Walk
from bench.figures import Polls, Posted
from bench.pollers import Pollers, costed
from bench.processes import Running
from bench.servers import PAGE, Server
from bench.targets import BY_ID, EMPTY, MANIFEST, PLAIN

_REPEATED, _QUERIES, _PACKED, _ENVELOPES = 100, 20, 30, 10
_GIVEN_IDS = 100


# --- whole collections ---------------------------------------------------------------------------------


class WrongWalk(Exception):
    """A server did not give every object exactly once; its figures would mean nothing."""


def check(name: str, walk: Walk, wanted: set[str]) -> None:
    """Raises: WrongWalk."""
    twice, missing = len(walk.ids) - len(set(walk.ids)), len(wanted - set(walk.ids))
    if twice or missing or len(walk.ids) != len(wanted):
        raise WrongWalk(f"{name}: {len(walk.ids)} objects, {twice} twice, {missing} missing")


def poll(pollers: Pollers, server: Server, polls: Polls) -> None:
    """One more round of one poller."""
    walk, server_s, database_s = costed(server, lambda: pollers.walk(server.target))
    polls.rounds.append(walk.seconds)
    polls.objects = walk.objects
    _cost(polls, len(walk.seconds), server_s, database_s)


def poll_on(pollers: Pollers, server: Server, polls: Polls, walk: Walk, pages: int) -> None:
    """So many pages more of the one round that a slow server has time for."""
    more, server_s, database_s = costed(
        server, lambda: pollers.walk(server.target, start=walk.next, pages=pages, keep_ids=True)
    )
    walk.seconds += more.seconds
    walk.ids += more.ids
    walk.next = more.next
    polls.rounds, polls.objects = [walk.seconds], polls.objects + more.objects
    _cost(polls, len(more.seconds), server_s, database_s)


def _cost(polls: Polls, pages: int, server_s: float, database_s: float) -> None:
    polls.server_ms.append(server_s / pages * 1000)
    polls.database_ms.append(database_s / pages * 1000)


def page_ms(pollers: Pollers, server: Server, count: int) -> float:
    """Processor time of a page with so many pollers at once."""
    pages, server_s, _ = costed(server, lambda: pollers.together(server.target, count))
    return server_s / pages * 1000


# --- single requests -----------------------------------------------------------------------------------


def repeated(pollers: Pollers, server: Server, path: str, times: int = _REPEATED) -> tuple[float, float]:
    """(median seconds, processor ms) of one request, asked again and again."""
    asked, server_s, _ = costed(server, lambda: pollers.ask(server.target, [path] * times))
    return median(seconds for seconds, _ in asked), server_s / times * 1000


def page(target: Target, token: str = "", limit: int = PAGE) -> str:
    """The path of a page."""
    return f"{target.objects}?limit={limit}" + (f"&next={token}" if token else "")


Questions = dict[str, Callable[[], str]]


def in_turns(pollers: Pollers, target: Target, questions: Questions) -> dict[str, list[float]]:
    """Seconds of every kind of question, the kinds in turns."""
    paths = [question() for _ in range(_QUERIES) for question in questions.values()]
    asked = [seconds for seconds, _ in pollers.ask(target, paths)]
    return {kind: asked[number :: len(questions)] for number, kind in enumerate(questions)}


def filters(target: Target, ids: Sequence[str], when: Callable[[], str], rng: Random) -> Questions:
    """A page without a filter and with each.

    Args:
        when: gives a time to begin after, another one for each page.
    """

    def somewhere(query: str) -> Callable[[], str]:
        return lambda: f"{target.objects}?limit={PAGE}&added_after={when()}{query}"

    def some(query: str) -> Callable[[], str]:
        return lambda: f"{target.objects}?match[id]={','.join(rng.sample(ids, _GIVEN_IDS))}{query}"

    narrowed = ["match[type]=indicator", "match[type]=malware", "match[version]=all", "match[version]=first"]
    narrowed += ["match[version]=first,last", "match[type]=indicator&match[version]=all"]
    asked = {PLAIN: somewhere("")} | {words: somewhere(f"&{words}") for words in narrowed}
    asked["match[id]=100 of them"] = some("")
    asked["match[id]=100 of them&match[version]=all"] = some("&match[version]=all")
    return asked


def others(target: Target, ids: Sequence[str], when: Callable[[], str], rng: Random) -> Questions:
    """One object, nothing at all, and a page of the manifest."""
    return {
        BY_ID: lambda: f"{target.objects}{rng.choice(ids)}/",
        EMPTY: lambda: "/empty",
        MANIFEST: lambda: f"{target.manifest}?limit={PAGE}&added_after={when()}",
    }


def packed(pollers: Pollers, target: Target, tokens: Sequence[str], rng: Random) -> dict[str, tuple[float, float]]:
    """(median seconds, median bytes) of the same pages, plain and packed, in turns."""
    asked: dict[str, list[tuple[float, int]]] = {"identity": [], "gzip": [], "zstd": []}
    for _ in range(3):
        paths = [page(target, token) for token in rng.choices(tokens, k=_PACKED)]
        for encoding, answers in asked.items():
            answers += pollers.ask(target, paths, encoding)
    return {name: (median(s for s, _ in answers), median(b for _, b in answers)) for name, answers in asked.items()}


# --- posting -------------------------------------------------------------------------------------------


def sandbox(target: Target) -> Target:
    """The collection that this account may write to."""
    listed = orjson.loads(client.fetch(target, "/sandbox/collections/"))["collections"]
    return replace(target, objects=f"/sandbox/collections/{listed[0]['id']}/objects/")


def post(pollers: Pollers, server: Server, worker: Running) -> Posted:
    """Envelopes of 1,000 objects, each object new, after one that wakes everybody."""
    target = sandbox(server.target)
    status_path, envelopes = target.root + "status/", [envelope(f"post {n}") for n in range(_ENVELOPES + 1)]
    pollers.post(target, envelopes[:1], status_path)
    before = worker.processor_s()
    (taken, complete), server_s, _ = costed(server, lambda: pollers.post(target, envelopes[1:], status_path))
    return Posted(_ENVELOPES * PAGE, taken, complete, server_s, worker.processor_s() - before)


def envelope(seed: str) -> bytes:
    """1,000 objects, ready to send."""
    bodies = [published.body for published in islice(corpus.publications(PAGE, seed=seed), PAGE)]
    return b'{"objects":[' + b",".join(bodies) + b"]}"
