"""Any walk through the stages of a case: nothing is lost or changed afterwards, and there is always a way on."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy.orm import Session

from exchange import carrying, clocks, drafts, incidents, typed
from exchange.errors import Invalid, WrongState
from exchange.form import FIELDS
from exchange.incidents import Filing
from exchange.models import Case, ReportVersion
from exchange.sharing import Purpose, Scope
from exchange.stores import Stores
from tests.conftest import NOW
from tests.make import make_organization, make_report, make_viewer

Json = dict[str, Any]


class _Undone(Exception):
    """Nothing of this transaction stays."""


def _one_of(name: str) -> st.SearchStrategy[Any]:
    return st.sampled_from([option["value"] for option in FIELDS[name]["options"]])


def _times(days: int) -> st.SearchStrategy[str]:
    return st.integers(1, 24 * days).map(lambda h: f"{NOW - timedelta(hours=h):%Y-%m-%dT%H:00:00Z}")


# What a reporter may say, and take back again; in the spelling in which it is kept.
_NEEDED = ("incident_kind", "personal_data", "current_status", "service_impact")
_KEPT: dict[str, st.SearchStrategy[Any]] = {
    **{name: _one_of(name) for name in _NEEDED},
    "designated_asset": _one_of("designated_asset"),
    "aware_at": _times(40),
}
_MAY_GO: dict[str, st.SearchStrategy[Any]] = {
    "police_consult": _one_of("police_consult"),
    "summary": st.sampled_from(["画面に脅迫文", "復旧を進めている"]),
    "pd_aware_at": _times(20),
    "pd_subject_count": st.sampled_from([12, "unknown", {"min": 900, "max": 1200}]),
    "pd_malicious": st.sampled_from([True, False, "unknown"]),
    "severity_self": st.integers(0, 4),
    "malware": st.lists(
        st.sampled_from([{"name": "甲"}, {"kind": "worm"}, {"hashes": ["ab"]}]), min_size=1, max_size=3
    ),
    "police": st.fixed_dictionaries({}, optional={"status": st.just("consulted"), "reference": st.just("12")}).filter(
        bool
    ),
    "permitted_purposes": st.lists(_one_of("permitted_purposes"), min_size=1, unique=True),
    "tlp_victim": _one_of("tlp_victim"),
    "root_cause_ja": st.just("更新の遅れ"),
}
_STAGES = st.sampled_from(["zokuhou", "kakuhou", "correction"])


@st.composite
def _changes(draw: st.DrawFn) -> Json:
    """A JSON Merge Patch."""
    names = draw(st.sets(st.sampled_from([*_KEPT, *_MAY_GO]), min_size=1, max_size=4))
    made = {name: draw(_KEPT[name] if name in _KEPT else st.none() | _MAY_GO[name]) for name in sorted(names)}
    if isinstance(made.get("police"), dict) and draw(st.booleans()):
        made["police"]["reference"] = None
    return made


def _patched(before: Json, changes: Json) -> Json:
    """RFC 7396 as the test understands it."""
    after = before | {name: value for name, value in changes.items() if name != "police"}
    if "police" in changes:
        told = changes["police"] and {**before.get("police", {}), **changes["police"]}
        after["police"] = told and {name: value for name, value in told.items() if value is not None}
    return {name: value for name, value in after.items() if value not in (None, {}, "", [])}


class Walk(RuleBasedStateMachine):
    """One reporter with one case."""

    def __init__(self, stores: Stores) -> None:
        super().__init__()
        self.stores, self.now = stores, NOW
        self.kept: list[Json] = []
        self.clocks: dict[tuple[str, str], bool] = {}
        self.told: set[str] = set()

    @initialize(
        special=st.booleans(), sector=st.sampled_from(["port", "finance", "medical", "information-communication"])
    )
    def report(self, special: bool, sector: str) -> None:
        with self.stores.case.transaction() as db:
            own = make_organization(db, sector=sector, act_special_operator=special)
            self.alice = make_viewer(db, own)
            filed = make_report(db, self.alice, designated_asset="no")
            self.ref, self.answers = filed.case.ref, _without_empty(incidents.whole_answers(db, filed.version))
        self.closed = False
        self.versions = 1

    # --- steps ---

    def _clock(self) -> Any:
        self.now += timedelta(hours=5)
        return self.now

    def _file(self, changes: Json, stage: str) -> None:
        try:
            carrying.file(self.stores, self.ref, changes, Filing(stage, "web", self.alice), clock=self._clock)
        except WrongState:
            assert self.closed
        except Invalid as error:
            same = _patched(self.answers, changes) == self.answers
            assert [one.code for one in error.problems] == ["nothing-new"] and same and stage != "kakuhou"
        else:
            assert not self.closed
            self.answers, self.versions = _patched(self.answers, changes), self.versions + 1

    @rule(changes=_changes(), stage=_STAGES)
    def tell(self, changes: Json, stage: str) -> None:
        self._file(changes, stage)

    @rule(scope=st.sampled_from([one.value for one in Scope]))
    def change_the_consent(self, scope: str) -> None:
        self._file({"share_scope": scope}, "correction")

    @rule(years=st.integers(1, 3))
    def wait_for_years(self, years: int) -> None:
        """What was said stays right, however long ago it was."""
        self.now += timedelta(days=366 * years)

    @rule(stage=_STAGES)
    def say_the_same_again(self, stage: str) -> None:
        self._file({}, stage)

    @rule(wrong=st.sampled_from([{"aware_at": None}, {"severity_self": 9}, {"pd_subject_count": -1}, {"x": 1}, []]))
    def say_something_wrong(self, wrong: Any) -> None:
        with pytest.raises((Invalid, WrongState)):
            carrying.file(self.stores, self.ref, wrong, Filing("zokuhou", "api", self.alice), clock=self._clock)

    @rule(changes=_changes(), stage=_STAGES, meanwhile=st.none() | _changes())
    @precondition(lambda self: not self.closed)
    def draft_and_file(self, changes: Json, stage: str, meanwhile: Json | None) -> None:
        """Typed into a form, while perhaps somebody else files something; what nobody touched here stays theirs."""
        with self.stores.case.transaction() as db:
            draft = drafts.start(db, by=self.alice, stage=stage, now=self.now, case=self._case(db))
        self._type(draft.id, changes)
        if meanwhile is not None:
            self._file({name: value for name, value in meanwhile.items() if name not in changes}, "zokuhou")
        self._file_draft(draft.id, changes, stage)

    def _type(self, draft_id: Any, changes: Json) -> None:
        with self.stores.case.transaction() as db:
            draft = drafts.find(db, draft_id, self.alice, held=True)
            pairs = typed.from_answers([FIELDS[name] for name in changes], _patched(self.answers, changes))
            fields = [FIELDS[name] for name in changes]
            seen = {"revision": draft.row.revision, "base": draft.base}
            drafts.save(db, draft, pairs, fields=fields, by=self.alice, now=self.now, **seen)

    def _file_draft(self, draft_id: Any, changes: Json, stage: str) -> None:
        with self.stores.case.transaction() as db:
            draft = drafts.find(db, draft_id, self.alice)
            new = drafts.work_on(db, draft).changes.keys()
            assert new <= changes.keys(), "what nobody touched here is not said"
            said = {name: changes[name] for name in new}
            seen = {"revision": draft.row.revision, "after": draft.base}
            try:
                drafts.file(db, self.stores, draft_id, by=self.alice, clock=self._clock, **seen)
            except Invalid as error:
                assert [one.code for one in error.problems] == ["nothing-new"] and stage != "kakuhou"
                drafts.discard(db, draft, by=self.alice, now=self.now)
                return
        self.answers, self.versions = _patched(self.answers, said), self.versions + 1

    @rule()
    def close(self) -> None:
        self._step(incidents.close, allowed=not self.closed)
        self.closed = True

    @rule()
    def open_again(self) -> None:
        self._step(incidents.reopen, allowed=self.closed)
        self.closed = False

    def _step(self, step: Callable[..., None], *, allowed: bool) -> None:
        with self.stores.case.transaction() as db:
            case = incidents.hold(db, self._case(db).id)
            if allowed:
                step(db, case, by=self.alice, now=self.now)
            else:
                with pytest.raises(WrongState):
                    step(db, case, by=self.alice, now=self.now)

    def _case(self, db: Session) -> Case:
        return incidents.find_own(db, self.ref, self.alice)

    # --- what always holds ---

    @invariant()
    def every_version_is_there_and_as_it_was(self) -> None:
        with self.stores.case.reading() as db:
            found = [_whole(db, version) for version in self._case(db).versions]
        assert [one["seq"] for one in found] == list(range(1, self.versions + 1))
        assert found[: len(self.kept)] == self.kept
        self.kept = found

    @invariant()
    def the_last_version_says_what_was_told(self) -> None:
        with self.stores.case.reading() as db:
            case = self._case(db)
            assert _without_empty(incidents.whole_answers(db, incidents.latest(case))) == self.answers
            assert case.share_scope == self.answers["share_scope"]
            assert case.incident_kind == self.answers["incident_kind"]

    @invariant()
    def no_clock_and_no_recipient_is_ever_lost(self) -> None:
        with self.stores.case.reading() as db:
            case = self._case(db)
            running = {(one.regime, one.stage): one.met_at is not None for one in clocks.of_case(db, case)}
            told = {one["id"] for one in incidents.latest(case).decision["recipients"]}
        assert self.clocks.keys() <= running.keys() and self.told <= told
        assert all(running[key] for key, was_met in self.clocks.items() if was_met)
        self.clocks, self.told = running, told

    @invariant()
    def there_is_always_a_way_on(self) -> None:
        """A closed case can be opened again, an open one reported on; its reporter can always read it."""
        with pytest.raises(_Undone), self.stores.case.transaction() as db:
            case = incidents.hold(db, self._case(db).id)
            if self.closed:
                incidents.reopen(db, case, by=self.alice, now=self.now)
            incidents.update(db, case, {}, Filing("kakuhou", "web", self.alice), now=self.now)
            version = incidents.latest(case)
            purpose = Purpose(version.purposes[0])
            assert incidents.open_answers(db, version, by=self.alice, purpose=purpose, now=self.now)
            raise _Undone


def _whole(db: Session, version: ReportVersion) -> Json:
    own = {name: getattr(version, name) for name in ("seq", "stage", "via", "received_at", "fingerprint", "changed")}
    return own | {"decision": version.decision, "answers": incidents.whole_answers(db, version)}


def _without_empty(answers: Json) -> Json:
    return {name: value for name, value in answers.items() if value not in ("", [], {})}


def test_no_walk_loses_anything_or_ends_in_a_place_without_a_way_on(stores: Stores) -> None:
    slow = [HealthCheck.too_slow, HealthCheck.filter_too_much]
    chosen = settings(max_examples=12, stateful_step_count=15, deadline=None, suppress_health_check=slow)
    run_state_machine_as_test(lambda: Walk(stores), settings=chosen)  # type: ignore[no-untyped-call]
