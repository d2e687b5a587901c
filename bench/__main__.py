"""`python -m bench`: measure, print the table, and keep it where a reader finds it."""

from __future__ import annotations

from collections.abc import Sequence

import click

from bench import chart, large, report
from bench.extraction import extraction_command
from bench.run import Wish, run
from bench.servers import ROOT

DOCS = ROOT / "docs" / "bench"
_NAMES = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}
_OBJECTS, _LARGE = 100_000, 5_000_000
_POSTGRESQL = "postgresql+psycopg://postgres@127.0.0.1:5432"

_objects = click.option("--objects", default=_OBJECTS, show_default=True, help="How many objects each server holds.")
_databases = click.option(
    "--database",
    "databases",
    type=click.Choice(list(_NAMES)),
    multiple=True,
    default=list(_NAMES),
    show_default=True,
    help="Measure us on this one; may be given twice.",
)
_server = click.option(
    "--postgresql",
    default=_POSTGRESQL,
    envvar="NOROSHI_TEST_POSTGRESQL",
    show_default=True,
    help="The server on which databases are made and dropped.",
)


@click.group(
    epilog="""\b
Examples:
  make bench                                            all of it, into docs/bench
  python -m bench run --objects 5000 --skip-peers       a minute, printed only
  python -m bench run --database sqlite                 without PostgreSQL, and so without OpenTAXII
  python -m bench large --database sqlite               5,000,000 objects; says what disk it needs
"""
)
def main() -> None:
    """Measure the TAXII server beside its peers, its yardsticks and its limits.

    Figures are ratios of one run on one machine: they say nothing about another.
    """


main.add_command(extraction_command, "extraction")


@main.command("run")
@_objects
@_databases
@_server
@click.option("--skip-peers", is_flag=True, help="Leave out OpenTAXII and medallion.")
def run_command(objects: int, databases: Sequence[str], postgresql: str, skip_peers: bool) -> None:
    """Print the table of targets; with the defaults, also write docs/bench."""
    wish = Wish(objects, _named(databases), postgresql, peers=not skip_peers)
    measured = run(wish)
    click.echo(report.markdown(measured))
    if objects == _OBJECTS and len(wish.databases) == len(_NAMES) and not skip_peers:
        _keep("results.md", report.markdown(measured))
        _keep("results.svg", chart.svg(measured))


@main.command("large")
@click.option("--objects", default=_LARGE, show_default=True, help="How many objects the large collection holds.")
@_databases
@_server
def large_command(objects: int, databases: Sequence[str], postgresql: str) -> None:
    """Compare a large collection with one of 100,000; at the default size, also write docs/bench/large.md.

    Loads and seals for many minutes before it measures, and refuses if the disk is too small.
    """
    wish = large.LargeWish(objects, _named(databases), postgresql)
    click.echo(large.needed(wish), err=True)
    large.refuse_if_full(wish)
    found: list[large.Growth] = []
    for growth in large.run(wish):  # An hour's work is kept before the next hour begins.
        found.append(growth)
        text = report.large(large.rows(found, objects), objects)
        click.echo(text)
        if objects == _LARGE:
            _keep("large.md", text)


def _named(databases: Sequence[str]) -> list[str]:
    return [_NAMES[name] for name in dict.fromkeys(databases)]


def _keep(name: str, text: str) -> None:
    DOCS.mkdir(parents=True, exist_ok=True)
    (DOCS / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
