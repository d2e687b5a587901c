"""What follows at every stage of the ten, and of invented reports of every sector: an oracle written from the rules."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest

from exchange import form, incidents, rules, updates
from exchange.form import Profile
from exchange.times import JST
from tests.make import SAMPLES, sample

ORACLE = Path(__file__).parent / "oracle"
OF_SAMPLES: dict[str, Any] = json.loads((ORACLE / "samples.json").read_text())
INVENTED: dict[str, Any] = json.loads((ORACLE / "invented.json").read_text())
Json = dict[str, Any]


def sample_stages(name: str) -> tuple[Profile, list[Json]]:
    found = sample(name)
    profile = Profile(**{field: found["own"][field] for field in Profile.__dataclass_fields__})
    return profile, [found["answers"], *(one["answers"] for one in found["later"])]


def invented_stages(name: str) -> tuple[Profile, list[Json]]:
    case, known = INVENTED[name], INVENTED[name]["profile"]
    profile = Profile(
        known["sector"],
        act_special_operator=known["act_special_operator"],
        public_body=known["local_government"],
        ci_operator=True,
    )
    return profile, [case["answers"], *case["later"]]


def decisions(profile: Profile, stages: list[Json]) -> Iterator[tuple[Json, Json]]:
    """(all answers, the decision as it is kept) after each stage, filed when the stage says."""
    answers: Json = {}
    decision: Json | None = None
    for stage in stages:
        stage = dict(stage)
        now = datetime.fromisoformat(stage.pop("submitted_at", "2027-03-01T00:00:00+09:00")) + timedelta(minutes=1)
        if decision is None:
            answers = incidents.answers_of(form.parse(stage, profile=profile, now=now))
        else:
            answers = updates.merged(answers, stage, profile=profile, now=now)
        decision = orjson.loads(orjson.dumps(rules.decide(answers, profile, at=now, before=decision)))
        yield answers, decision


def said(decision: Json) -> Json:
    """A decision in the oracle's words."""
    return {
        "recipients": sorted(one["id"] for one in decision["recipients"]),
        "regimes": sorted(decision["regimes"]),
        "not_triggered": {one["regime"]: one["code"] for one in decision["not_triggered"]},
        "form": decision["form"].removeprefix("様式"),
        "deadlines": sorted(filter(None, map(deadline, decision["clocks"])), key=str),
        "tlp": {f"{part}": f"TLP:{decision[f'tlp_{part}'].upper()}" for part in ("victim", "technical")},
    }


def deadline(clock: Json) -> Json | None:
    due = clock["due_date"] or (in_japan(clock["due_at"]) if clock["due_at"] else None)
    told = {"due": due, "target": in_japan(clock["target_at"]), "warn": clock["warn_date"]}
    dated = {name: value for name, value in told.items() if value}
    return {"regime": clock["regime"], "stage": clock["stage"], **dated} if dated else None


def in_japan(moment: str | None) -> str | None:
    return datetime.fromisoformat(moment).astimezone(JST).isoformat() if moment else None


def wanted(expected: Json) -> Json:
    told = {name: expected[name] for name in ("not_triggered", "form", "tlp")}
    lists = {name: sorted(expected[name]) for name in ("recipients", "regimes")}
    return told | lists | {"deadlines": sorted(expected["deadlines"], key=str)}


def same(decision: Json, expected: Json) -> None:
    """The oracle names what a reporter of this kind would ask about; we may tell of more that does not apply."""
    found, right = said(decision), wanted(expected)
    assert right.pop("not_triggered").items() <= found.pop("not_triggered").items(), expected["why"]
    assert found == right, expected["why"]
    assert not {one["regime"] for one in decision["not_triggered"]} & set(decision["regimes"])


def compared(profile: Profile, stages: list[Json], expected: list[Json]) -> None:
    assert len(stages) == len(expected)
    for (_, decision), one in zip(decisions(profile, stages), expected, strict=True):
        same(decision, one)


@pytest.mark.parametrize("name", SAMPLES)
def test_each_stage_of_a_sample_brings_what_the_rules_say(name: str) -> None:
    compared(*sample_stages(name), OF_SAMPLES[name])


@pytest.mark.parametrize("name", INVENTED)
def test_each_stage_of_an_invented_report_brings_what_the_rules_say(name: str) -> None:
    compared(*invented_stages(name), INVENTED[name]["expected"])
