"""Every stage of the ten, and of an invented report of every sector, by form, API and command line: what follows is the
same through each door, and what the oracle says."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

import pytest
import requests
from click.testing import CliRunner

from config import Settings
from exchange import accounts, incidents, installation, times, typed
from exchange.models import Organization
from exchange.sharing import Kind, Viewer
from exchange.stores import Stores, open_stores
from portal.app import create_app
from portal.cli.main import main
from tests.conftest import NOW
from tests.make import Clock, make_viewer, sample
from tests.test_stages import INVENTED, OF_SAMPLES, invented_stages, same, sample_stages
from tests.test_ten import typed as quickly_typed
from tests.typist import FIELD_LIST, Json, Typist, begin, serving, type_section

STAGES_OF_SAMPLES = {name: [later["stage"] for later in sample(name)["later"]] for name in OF_SAMPLES}


@dataclass(frozen=True)
class Desk:
    """Where a reporter sits: a browser, a key, a terminal."""

    url: str
    stores: Stores
    reporter: Viewer
    key: str

    def by_form(self, ref: str, stage: str, answers: Json) -> str:
        said = {name: value for name, value in answers.items() if name != "submitted_at"}
        with Typist(self.url) as reader:
            reader.sign_in(self.reporter.username, "right horse")
            return self._later(reader, ref, stage, said) if ref else self._first(reader, said)

    def _first(self, reader: Typist, said: Json) -> str:
        reader.open("/reports/new")
        checked = reader.send("/reports/check", quickly_typed(said))
        assert checked.status_code == 200, re.findall(r'href="#[^"]*">([^<]*)<', checked.text)
        return reader.send("/reports", []).url.split("/")[-2]

    def _later(self, reader: Typist, ref: str, stage: str, said: Json) -> str:
        path = begin(reader, ref, stage)
        reader.open(f"{path}/first")
        pairs = typed.from_answers(FIELD_LIST, {name: value for name, value in said.items() if value is not None})
        while not reader.at.endswith("/check"):
            type_section(reader, reader.at.rpartition("/")[2], pairs)
            assert "data-wrong" not in reader.page, reader.page
        assert reader.press(f"{path}/file").status_code == 200 and reader.at == f"/cases/{ref}"
        return ref

    def by_api(self, ref: str, stage: str, answers: Json) -> str:
        path = f"/api/v1/cases/{ref}?stage={stage}" if ref else "/api/v1/reports"
        key = {"Authorization": f"Bearer {self.key}"}
        told = requests.request("PATCH" if ref else "POST", self.url + path, json=answers, headers=key, timeout=30)
        assert told.status_code == 201, told.text
        return str(told.json()["case_id"])

    def by_cli(self, ref: str, stage: str, answers: Json) -> str:
        command = ["update", ref, "-", "--stage", stage] if ref else ["submit", "-"]
        environ = {"NOROSHI_API_KEY": self.key}
        ran = CliRunner().invoke(main, ["report", *command, "--url", self.url, "--json"], json.dumps(answers), environ)
        assert ran.exit_code == 0, ran.output
        return str(json.loads(ran.stdout)["case_id"])


DOORS: dict[str, Callable[[Desk, str, str, Json], str]] = {
    "form": Desk.by_form,
    "api": Desk.by_api,
    "cli": Desk.by_cli,
}


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("name", [*OF_SAMPLES, *INVENTED])
def test_what_follows_is_the_same_through_each_door(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, name: str, door: str
) -> None:
    own, stages, expected = _story(name)
    clock, stores = _stopped(monkeypatch), open_stores(settings)
    with serving(create_app(settings)) as url:
        desk, ref = _desk(stores, url, own), ""
        for (stage, answers), right in zip(stages, expected, strict=True):
            clock.now = _later(clock.now, answers.get("submitted_at"))
            ref = DOORS[door](desk, ref, stage, answers)
            with stores.case.reading() as db:
                same(incidents.latest(incidents.find(db, ref, desk.reporter)).decision, right)
        with stores.case.reading() as db:
            kept = incidents.find(db, ref, desk.reporter).versions
            assert [(one.stage, one.via) for one in kept] == [(stage, _VIA[door]) for stage, _ in stages]
    stores.close()


_VIA = {"form": "web", "api": "api", "cli": "api"}


def _story(name: str) -> tuple[Json, list[tuple[str, Json]], list[Json]]:
    """The organization, its stages in order, and what must follow at each."""
    profile, stages = sample_stages(name) if name in OF_SAMPLES else invented_stages(name)
    more = {"isacs": sample(name)["own"]["isac"]} if name in OF_SAMPLES else {}
    own = {"ref": "ORG-INVENTED", "name_ja": "例", "name_en": "Example", "kind": Kind.OPERATOR, **vars(profile), **more}
    names = ["sokuhou", *STAGES_OF_SAMPLES.get(name, ["zokuhou"] * (len(stages) - 1))]
    return own, list(zip(names, stages, strict=True)), OF_SAMPLES.get(name) or INVENTED[name]["expected"]


def _desk(stores: Stores, url: str, own: Json) -> Desk:
    with stores.case.transaction() as db:
        organization: Organization = installation.add_organization(db, own, now=NOW)
        reporter = make_viewer(db, organization)
        person = accounts.lock_person(db, reporter.person_id)
        return Desk(url, stores, reporter, accounts.issue_key(db, person, scopes=["report"], now=NOW, days=1000))


def _stopped(patch: pytest.MonkeyPatch) -> Clock:
    """Time stands still in every module, until a test moves it."""
    clock = Clock()
    for module in list(sys.modules.values()):
        if getattr(module, "utcnow", None) is times.utcnow and module is not times:
            patch.setattr(module, "utcnow", clock)
    return clock


def _later(now: datetime, told: str | None) -> datetime:
    """A minute after the sender says; without a word, long after."""
    return datetime.fromisoformat(told) + timedelta(minutes=1) if told else now + timedelta(days=60)
