"""`python -m bench extraction`: what is found in labelled texts, and how fast, beside three libraries."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path

import click

from bench.extraction_hostile import FEW, hostile
from bench.extraction_peers import OURS, Answer, Extractor, extractors
from bench.extraction_score import Score, score
from bench.extraction_sets import TextSet, labelled_sets
from bench.extraction_texts import log, prose
from bench.report import table
from bench.servers import ROOT

DOCS = ROOT / "docs" / "bench"
_TARGET = 0.98
_WITHIN_S, _HOSTILE_WITHIN_S = 120.0, 5.0
_LONG, _HOSTILE, _LARGE = 100_000, 20_000, 5_000_000
_ROUNDS = 3


@dataclass
class Figures:
    """What one extractor reached: a score for each set, characters per second for each kind of text."""

    name: str
    scores: dict[str, Score] = field(default_factory=dict)
    rates: dict[str, float | None] = field(default_factory=dict)
    hostile: dict[str, float | None] = field(default_factory=dict)


@click.command()
@click.option("--skip-peers", is_flag=True, help="Leave out the three libraries.")
@click.option("--details", is_flag=True, help="Also print what we missed and what we found wrongly.")
@click.option(
    "--corpora",
    type=click.Path(file_okay=False, path_type=Path),
    default=lambda: str(Path(os.environ.get("NOROSHI_TESTDATA") or ROOT.parent / "shared" / "testdata").parent),
    help="The folder with testdata/text and domain/sample-reports.json.  [default: around NOROSHI_TESTDATA]",
)
def extraction_command(skip_peers: bool, details: bool, corpora: Path) -> None:
    """Print precision, recall and speed of indicator extraction; with the libraries, also write docs/bench.

    Ends with status 1 if a target is missed. Without the labelled texts only speed is measured, and nothing written.
    """
    there = (corpora / "testdata" / "text").is_dir()
    sets = labelled_sets(corpora) if there else []
    if not there:
        click.echo(f"no labelled texts in {corpora}: see --corpora", err=True)
    with ExitStack() as stack:
        measured = extractors(ROOT / "var" / "bench", with_peers=not skip_peers)
        figures = [_measured(stack.enter_context(closing(one)), sets) for one in measured]
    ours = figures[0]
    text = _markdown(figures, sets)
    click.echo(text)
    for name, reached in ours.scores.items() if details else ():
        _tell(name, reached)
    if there and not skip_peers:
        (DOCS / "extraction.md").write_text(text, encoding="utf-8")
    sys.exit(1 if _missed(figures) else 0)


def _tell(name: str, reached: Score) -> None:
    for word, values in (("missed", reached.missed), ("wrong", reached.wrong)):
        for text, (kind, value) in values:
            click.echo(f"{name}: {word} {kind} {value} in {text[:60]!r}", err=True)


# --- measuring -----------------------------------------------------------------------------------------


def _measured(extractor: Extractor, sets: Sequence[TextSet]) -> Figures:
    click.echo(f"measuring {extractor.name}", err=True)
    figures = Figures(extractor.name)
    labelled: list[tuple[int, Answer]] = []
    for one in sets:
        answers = extractor.answers((labelled.text for labelled in one.texts), within_s=_WITHIN_S)
        figures.scores[one.name] = score(one, [answer.found for answer in answers])
        labelled += [(len(text.text), answer) for text, answer in zip(one.texts, answers, strict=True)]
    if labelled:
        figures.rates["the labelled texts"] = _rate(labelled)
    for name, text in (("a log", log(_LONG)), ("mails and reports", prose(_LONG))):
        answers = extractor.answers([text] * _ROUNDS, within_s=_WITHIN_S)
        figures.rates[name] = _rate([(len(text), answer) for answer in answers])
    for unit in FEW:
        (answer,) = extractor.answers([hostile(unit, _HOSTILE)], within_s=_HOSTILE_WITHIN_S)
        figures.hostile[unit] = answer.seconds
    if extractor.name == OURS:
        figures.rates["5 MB"] = max(
            one.seconds or _WITHIN_S for one in extractor.answers((hostile(u, _LARGE) for u in FEW), within_s=_WITHIN_S)
        )
    return figures


def _rate(answers: Sequence[tuple[int, Answer]]) -> float | None:
    """Characters per second; None if one of them did not end."""
    seconds = [answer.seconds for _, answer in answers]
    if None in seconds:
        return None
    return sum(size for size, _ in answers) / sum(one for one in seconds if one)


def _missed(figures: Sequence[Figures]) -> list[str]:
    ours, *peers = figures
    low = [name for name, one in ours.scores.items() if min(one.precision, one.recall) < _TARGET]
    slow = [name for peer in peers for name, rate in peer.rates.items() if (rate or 0) >= (ours.rates[name] or 0)]
    return [*low, *slow]


# --- the page ------------------------------------------------------------------------------------------


def _markdown(figures: Sequence[Figures], sets: Sequence[TextSet]) -> str:
    missed = _missed(figures)
    parts = [
        "# Indicator extraction, measured",
        "`python -m bench extraction` reads texts that others labelled, with ours and with three libraries, each in a "
        "process of its own and with the settings that suit the labels best. Precision and recall count values of the "
        "types that the labels of a set know; the host of a labelled URL or address is neither asked for nor wrong.",
        f"## Targets: {'missed: ' + ', '.join(missed) if missed else 'all met'}",
        f"Precision and recall of at least {_TARGET} on each set, and more characters per second than any other.",
        "## Precision and recall",
        _score_table(figures, sets) if sets else "Not measured: no labelled texts.",
        "iocextract knows no names and no vulnerabilities; none of the libraries reads full-width text.",
        "## Characters per second of processor time",
        table(["text", *(one.name for one in figures)], _rate_rows(figures)),
        "## Hostile text",
        f"{len(FEW)} texts of {_HOSTILE:,} characters, each something that starts a value, repeated. A library that "
        f"has not answered after {_HOSTILE_WITHIN_S:.0f} s is ended.",
        table(["", *(one.name for one in figures)], _hostile_rows(figures)),
        f"Of {_LARGE // 1_000_000} MB of each of these texts, the slowest takes ours {figures[0].rates['5 MB']:.1f} s; "
        "that steps grow no faster than texts is tested by counting them (`tests/test_extraction_steps.py`).",
    ]
    return "\n\n".join(parts) + "\n"


def _score_table(figures: Sequence[Figures], sets: Sequence[TextSet]) -> str:
    return table(["set", "values", *(one.name for one in figures)], _score_rows(figures, sets))


def _score_rows(figures: Sequence[Figures], sets: Sequence[TextSet]) -> Iterator[Sequence[str]]:
    for one in sets:
        reached = [figure.scores[one.name] for figure in figures]
        values = sum(len(text.wanted) for text in one.texts)
        yield one.name, str(values), *(f"{two.precision:.3f} / {two.recall:.3f}" for two in reached)
    totals = [_total(figure) for figure in figures]
    yield "F1 of all", str(totals[0].found + len(totals[0].missed)), *(f"{total.f1:.3f}" for total in totals)


def _total(figures: Figures) -> Score:
    total = Score()
    for one in figures.scores.values():
        total.found += one.found
        total.missed += one.missed
        total.wrong += one.wrong
    return total


def _rate_rows(figures: Sequence[Figures]) -> Iterator[Sequence[str]]:
    for name in figures[0].rates:
        if name != "5 MB":
            yield name, *(_shown(one.rates[name]) for one in figures)


def _shown(rate: float | None) -> str:
    return f"{rate:,.0f}" if rate else f"not after {_WITHIN_S:.0f} s"


def _hostile_rows(figures: Sequence[Figures]) -> Iterator[Sequence[str]]:
    ended = [[seconds for seconds in one.hostile.values() if seconds is not None] for one in figures]
    yield "not answered", *(str(len(FEW) - len(seconds)) for seconds in ended)
    yield "slowest answer, s", *(f"{max(seconds):.2f}" for seconds in ended)
