"""Sectors and authorities, as they are and as they were: names and ministries change by date."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from exchange.tables import table
from exchange.times import JST


@dataclass(frozen=True)
class Text:
    """The same words in Japanese and in English."""

    ja: str
    en: str


@dataclass(frozen=True)
class Sector:
    """A critical infrastructure sector on one day; `k` and `population` are its anonymity settings."""

    id: str
    no: int
    name: Text
    ministry: str
    isacs: tuple[str, ...]
    ceptoars: tuple[str, ...]
    stix: tuple[str, ...]
    weight: str
    k: int
    population: int


@dataclass(frozen=True)
class Authority:
    """Somebody who may receive reports, by the name of one day."""

    id: str
    name: Text
    kind: str


def text(entry: Mapping[str, str]) -> Text:
    """The words of a table's row."""
    return Text(entry["ja"], entry["en"])


def day_of(at: datetime) -> date:
    """The day in Japan."""
    return at.astimezone(JST).date()


def is_valid(entry: Mapping[str, Any], on: date) -> bool:
    """Whether `valid_from` <= on <= `valid_to`; an absent end is open."""
    return (entry.get("valid_from") or "") <= on.isoformat() <= (entry.get("valid_to") or "9999-12-31")


def _row(kind: str, wanted: str) -> Mapping[str, Any] | None:
    return next((row for row in table("sectors")[kind] if row["id"] == wanted), None)


def _then(before: list[dict[str, str]], on: date) -> Mapping[str, str]:
    """What an earlier period said, or nothing if `on` is later than all of them."""
    periods = sorted(before, key=lambda period: period["until"])
    return next((period for period in periods if on.isoformat() <= period["until"]), {})


def sector_of(sector: str, at: datetime) -> Sector:
    """The sector as it was on the day of `at`, in Japan; one that has ended still answers for its organizations.

    Raises: ValueError if there is none of this id, or was none yet.
    """
    row, on = _row("sectors", sector), day_of(at)
    if row is None:
        raise ValueError(f"there is no {sector!r} among the sectors in data/sectors.json")
    if on.isoformat() < (row.get("valid_from") or ""):
        raise ValueError(f"{sector!r} was not a sector yet on {on.isoformat()}")
    ministry = _then(row.get("ministry_before", []), on).get("ministry", row["ministry"])
    return Sector(
        row["id"],
        row["no"],
        text(row),
        ministry,
        tuple(row["isac"]),
        tuple(ceptoar["id"] for ceptoar in row["ceptoar"]),
        tuple(row["stix"]),
        row["weight"],
        row["anonymity"]["k"],
        row["anonymity"]["population"],
    )


def authority(wanted: str, at: datetime) -> Authority:
    """The authority by the name that it had on the day of `at`, in Japan; by its id, where its row was taken away."""
    row = _row("authorities", wanted)
    if row is None:
        return Authority(wanted, Text(wanted, wanted), "other")
    return Authority(row["id"], text({**row, **_then(row.get("before", []), day_of(at))}), row["kind"])


def sector_ids(at: datetime) -> list[str]:
    """The sectors of the day of `at`."""
    return [row["id"] for row in table("sectors")["sectors"] if is_valid(row, day_of(at))]


def authority_ids(at: datetime) -> list[str]:
    """The authorities of the day of `at`."""
    return [row["id"] for row in table("sectors")["authorities"] if is_valid(row, day_of(at))]


def isacs(at: datetime) -> dict[str, Text]:
    """The ISACs of the day of `at`, by id, in the table's order."""
    return {row["id"]: text(row) for row in table("sectors")["isacs"] if is_valid(row, day_of(at))}


def ceptoars(at: datetime) -> dict[str, Text]:
    """The CEPTOARs of the day of `at`, by id, in the order of their sectors."""
    rows = [row for row in table("sectors")["sectors"] if is_valid(row, day_of(at))]
    return {one["id"]: text(one) for row in rows for one in row["ceptoar"]}
