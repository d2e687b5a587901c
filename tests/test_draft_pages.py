"""The pages of updates, full reports and corrections, in a browser without scripts, over HTTP, on each database."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import func, select, update

from config import Settings
from exchange import drafts, incidents, installation, typed, updates
from exchange.form import QUICK
from exchange.incidents import Filing
from exchange.models import AuditEntry, Draft, Login, ReportVersion
from exchange.sharing import Kind, Viewer
from exchange.stores import Stores, open_stores
from exchange.times import utcnow
from portal.app import create_app
from tests.make import SAMPLES, make_answers, make_organization, make_report, make_viewer, sample
from tests.typist import FIELD_LIST, LIST, NEXT, Json, Typist, begin, serving, type_section


class Site:
    """A portal that answers over HTTP, and what lies in its store."""

    def __init__(self, url: str, stores: Stores) -> None:
        self.url, self.stores = url, stores
        with stores.case.transaction() as db:
            own = make_organization(db, act_special_operator=True)
            self.alice, self.aki = make_viewer(db, own), make_viewer(db, own)
            self.carol = make_viewer(db, make_organization(db))

    def case_of(self, by: Viewer, **answers: Any) -> str:
        now = utcnow()
        more = {"aware_at": (now - timedelta(hours=1)).isoformat(), "designated_asset": "no"} | answers
        with self.stores.case.transaction() as db:
            return make_report(db, by, now=now, **more).case.ref

    @contextmanager
    def reader(self, who: Viewer, lang: str = "ja") -> Iterator[Typist]:
        with Typist(self.url) as reader:
            reader.open(f"/language/{lang}")
            reader.sign_in(who.username, "right horse")
            yield reader

    def answers(self, ref: str, by: Viewer) -> Json:
        with self.stores.case.reading() as db:
            return incidents.whole_answers(db, incidents.latest(incidents.find(db, ref, by)))

    def end_every_session(self) -> None:
        with self.stores.case.transaction() as db:
            db.execute(update(Login).values(revoked_at=utcnow()))

    def count(self, row: type) -> int:
        with self.stores.case.reading() as db:
            return db.scalar(select(func.count()).select_from(row)) or 0


@contextmanager
def _running(settings: Settings) -> Iterator[Site]:
    stores = open_stores(settings)
    with serving(create_app(settings)) as url:
        yield Site(url, stores)
    stores.close()


@pytest.fixture
def site(settings: Settings) -> Iterator[Site]:
    """The portal of a furnished installation, on each database."""
    with _running(settings) as found:
        yield found


@pytest.fixture
def sqlite_site(sqlite_settings: Settings) -> Iterator[Site]:
    """The same on SQLite alone, for what does not depend on the database."""
    with _running(sqlite_settings) as found:
        yield found


# --- from the quick report to the full report -----------------------------------------------------------


def _moved(value: Any, by: timedelta) -> Any:
    """The same answers, told at another time."""
    if isinstance(value, dict):
        return {name: _moved(one, by) for name, one in value.items()}
    if isinstance(value, list):
        return [_moved(one, by) for one in value]
    if isinstance(value, str) and re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:00\+09:00", value):
        return (datetime.fromisoformat(value) + by).isoformat()
    return value


def test_a_sample_is_typed_stage_by_stage_until_its_full_report(site: Site) -> None:
    later = sample("S01")["later"]
    ended = datetime.fromisoformat(later[-1]["answers"]["submitted_at"])
    shift = timedelta(minutes=int((utcnow() - ended).total_seconds() // 60) - 60)
    told = [_moved(one, shift) for one in (sample("S01")["answers"], *(one["answers"] for one in later))]
    told = [{n: v for n, v in one.items() if n != "submitted_at" and v is not None} for one in told]
    with site.stores.case.transaction() as db:
        own = {**sample("S01")["own"], "kind": Kind.OPERATOR, "isacs": sample("S01")["own"]["isac"]}
        alice = make_viewer(db, installation.add_organization(db, own, now=utcnow()))
    ref = site.case_of(alice, **told[0])
    expected = site.answers(ref, alice)
    with site.reader(alice) as reader:
        for number, stage in enumerate(("zokuhou", "zokuhou", "kakuhou"), 1):
            path = begin(reader, ref, stage)
            reader.open(f"{path}/first")
            while not reader.at.endswith("/check"):
                type_section(reader, reader.at.rpartition("/")[2], typed.from_answers(FIELD_LIST, told[number]))
                assert "data-wrong" not in reader.page
            if number == 2:
                assert reader.says("個人情報保護委員会 新しい提出先", "新しい期限", "この提出で対応済みになります")
            reader.press(f"{path}/file")
            assert reader.at == f"/cases/{ref}" and reader.says(f"（第{number + 1}報）")
            expected |= told[number]
    with site.stores.case.reading() as db:
        profile = incidents.profile_of(incidents.find(db, ref, alice).organization)
    kept = site.answers(ref, alice)
    assert updates.changed(kept, updates.merged(kept, expected, profile=profile, now=utcnow())) == []
    assert site.count(Draft) == 0


@pytest.mark.parametrize("name", SAMPLES)
def test_a_page_that_is_saved_untouched_changes_nothing(sqlite_site: Site, name: str) -> None:
    """Every section of every sample, with all its answers, goes into the form and comes back as it was."""
    site = sqlite_site
    told: Json = {}
    for one in (sample(name)["answers"], *(later["answers"] for later in sample(name)["later"])):
        told |= {n: v for n, v in one.items() if n != "submitted_at"}
    told |= {
        "prevention_ja": [" 前の空白", "二つ\n三つ"],
        "summary": "\n一行目\r\n二行目 ",
        "users_affected_total": "unknown",
    }
    with site.stores.case.transaction() as db:
        own = {**sample(name)["own"], "kind": Kind.OPERATOR, "isacs": sample(name)["own"]["isac"]}
        alice = make_viewer(db, installation.add_organization(db, own, now=utcnow()))
    quick = {n: v for n, v in told.items() if n in QUICK}
    ref = site.case_of(alice, **quick)
    with site.stores.case.transaction() as db:
        case = incidents.hold(db, incidents.find_own(db, ref, alice).id)
        rest = {n: v for n, v in told.items() if n not in QUICK}
        incidents.update(db, case, rest, Filing("zokuhou", "api", alice), now=utcnow() + timedelta(days=400))
    for lang in ("ja", "en"):
        with site.reader(alice, lang) as reader:
            path = begin(reader, ref, "kakuhou")
            for there in re.findall(rf'task__name" href="({path}/[^"]+)"', reader.page):
                reader.open(there)
                reader.press("draft", LIST)
                assert reader.at == path
            with site.stores.case.reading() as db:
                draft = drafts.find(db, UUID(path.rpartition("/")[2]), alice)
                assert drafts.work_on(db, draft).changes == {}


# --- one page -------------------------------------------------------------------------------------------


def test_what_cannot_be_read_stays_as_typed_and_is_named(site: Site) -> None:
    ref = site.case_of(site.alice)
    with site.reader(site.alice) as reader:
        path = begin(reader, ref)
        reader.open(f"{path}/impact?add=affected_services")
        said = {"affected_services__0__name_ja": "出荷", "affected_services__0__users_affected": "たくさん"}
        answer = reader.press("draft", NEXT, **said, cross_border="maybe")
        assert answer.status_code == 422 and "<title>エラー" in reader.page
        form = reader.form("draft")
        assert form.typed["affected_services.0.users_affected"] == ["たくさん"]
        targets = re.findall(r'<li><a href="#([^"]+)">', reader.page)
        assert targets == ["affected_services.0.users_affected", "cross_border"]
        assert all(f'id="{target}"' in reader.page for target in targets)
        assert reader.says("影響を受けたサービス・1行目・影響を受けた利用者などの数：数（120）")
        reader.open(path)
        assert reader.says("影響 要確認：2件")
        reader.open(f"{path}/check")
        assert reader.says("読み取れない回答があります") and reader.form(f"{path}/file").names >= {"revision"}
        assert "続報を出す" not in reader.page
        assert reader.press(f"{path}/file").status_code == 422
        assert site.count(ReportVersion) == 1


def test_rows_are_added_and_removed_with_buttons(site: Site) -> None:
    ref = site.case_of(site.alice)
    with site.reader(site.alice) as reader:
        path = begin(reader, ref)
        reader.open(f"{path}/technique")
        for name in ("甲", "乙", "丙"):
            reader.press("draft", ("action", "add:malware"))
            row = max(n for n in reader.form("draft").names if n.endswith(".name") and n.startswith("malware."))
            reader.press("draft", ("lang", "ja"), **{row: name})
        reader.press("draft", ("action", "remove:malware:1"), malware__2__name="丁")
        typed_now = reader.form("draft").typed
        assert [typed_now[f"malware.{n}.name"] for n in range(2)] == [["甲"], ["丁"]]
        assert "malware.2.name" not in typed_now
        assert reader.says("1行削除しました")
        reader.press("draft", ("action", "restore"))
        assert reader.form("draft").typed["malware.2.name"] == ["乙"] and not reader.says("1行削除しました")
        reader.press("draft", ("action", "remove:malware:2"))
        for odd in ("remove:malware:9", "remove:malware", "add:nothing", "remove:", "x", "add:attack_vector"):
            assert reader.press("draft", ("action", odd)).status_code == 200
        assert [reader.form("draft").typed[f"malware.{n}.name"] for n in range(2)] == [["甲"], ["丁"]]


def test_an_answer_may_bring_further_questions_and_they_are_not_passed_over(site: Site) -> None:
    ref = site.case_of(site.alice)
    with site.reader(site.alice) as reader:
        path = begin(reader, ref)
        reader.open(f"{path}/impact")
        assert "countries" not in reader.form("draft").names
        reader.press("draft", NEXT, cross_border="yes")
        assert reader.at == f"{path}/impact" and "countries" in reader.form("draft").names
        assert reader.says("質問が増えました")
        reader.press("draft", NEXT, countries="us")
        assert reader.at == f"{path}/systems"
        reader.open(f"{path}/first")
        reader.press("draft", LIST, personal_data="yes")
        assert reader.at == path and f"{path}/personal-data" in reader.page


def test_changing_the_language_saves_what_was_typed(site: Site) -> None:
    ref = site.case_of(site.alice)
    with site.reader(site.alice) as reader:
        path = begin(reader, ref)
        reader.open(f"{path}/technique")
        reader.press("draft", ("lang", "en"), attack_vector="保守用のVPN")
        assert '<html lang="en"' in reader.page and reader.form("draft").typed["attack_vector"] == ["保守用のVPN"]


def test_two_who_save_the_same_section_see_both(site: Site) -> None:
    ref = site.case_of(site.alice)
    with site.reader(site.alice) as alice, site.reader(site.aki) as aki:
        path = begin(alice, ref)
        for reader in (alice, aki):
            reader.open(f"{path}/technique")
        aki.press("draft", LIST, attack_vector="標的型メール", log_availability="lost")
        answer = alice.press("draft", NEXT, attack_vector="保守用のVPN")
        assert answer.status_code == 409
        assert alice.says(site.aki.username, "あなたの入力 保守用のVPN", "同僚が保存した内容 標的型メール")
        assert alice.form("draft").typed["attack_vector"] == ["保守用のVPN"]
        assert alice.press("draft", LIST).status_code == 200
        aki.open(f"{path}/technique")
        assert aki.form("draft").typed["attack_vector"] == ["保守用のVPN"]


def test_an_open_page_takes_nothing_back_that_was_filed_meanwhile(site: Site) -> None:
    ref = site.case_of(site.alice, share_scope="council-anon")
    with site.reader(site.alice) as reader, site.reader(site.aki) as aki:
        path = begin(reader, ref)
        page = reader.open(f"{path}/first").text
        aki.open(f"/cases/{ref}/consent")
        aki.press(f"/cases/{ref}/consent", share_scope="legal-only")
        aki.press(f"/cases/{ref}/consent")
        assert reader.press("draft", to=f"{path}/autosave", current_status="contained").status_code == 409
        reader.page = page
        assert reader.press("draft", NEXT, current_status="contained").status_code == 409
        assert reader.says(
            "別の回答が提出されています", site.aki.username, "あなたの入力 さらに", "提出された内容 法令等で定められた"
        )
        assert reader.form("draft").typed["base"] == ["2"]
        assert reader.form("draft").typed["current_status"] == ["contained"]
        reader.open(f"{path}/first")
        assert reader.form("draft").typed["share_scope"] == ["legal-only"]
        saved = reader.press("draft", to=f"{path}/autosave", current_status="contained")
        assert (saved.status_code, saved.headers["Noroshi-Base"]) == (204, "2")
    with site.stores.case.reading() as db:
        draft = drafts.find(db, UUID(path.rpartition("/")[2]), site.alice)
        assert drafts.work_on(db, draft).changes == {"current_status": "contained"}


def test_a_question_that_a_colleague_brought_is_not_emptied_by_the_page_that_shows_both(site: Site) -> None:
    ref = site.case_of(site.alice)
    with site.reader(site.alice) as alice, site.reader(site.aki) as aki:
        path = begin(alice, ref)
        for reader in (alice, aki):
            reader.open(f"{path}/impact")
        aki.press("draft", NEXT, cross_border="yes")
        aki.press("draft", LIST, countries="us")
        assert alice.press("draft", NEXT, cross_border="unknown").status_code == 409
        alice.press("draft", LIST, cross_border="yes")
        alice.open(f"{path}/impact")
        assert alice.form("draft").typed["countries"] == ["us"]


# --- what could not be kept -------------------------------------------------------------------------------


def test_what_was_typed_into_a_draft_that_is_gone_comes_back_to_read(site: Site) -> None:
    ref = site.case_of(site.alice)
    with site.reader(site.alice) as alice, site.reader(site.aki) as aki:
        path = begin(alice, ref)
        alice.open(f"{path}/technique?add=malware")
        aki.open(f"{path}/discard")
        aki.press(f"{path}/discard")
        answer = alice.press("draft", NEXT, attack_vector="保守用のVPN装置", malware__0__name="甲")
        assert answer.status_code == 404
        assert alice.says("保守用のVPN装置", "提出したか、破棄しました") and re.search(
            r"マルウェア 1 名称: 甲<", alice.page
        )
        assert "revision" not in alice.page and f'action="{path}' not in alice.page


def test_what_is_too_large_to_be_kept_comes_back_to_read(sqlite_site: Site) -> None:
    site = sqlite_site
    ref = site.case_of(site.alice)
    with site.reader(site.alice) as reader:
        path = begin(reader, ref)
        page = reader.open(f"{path}/technique").text
        answer = reader.press("draft", NEXT, attack_vector=f"はじめ{'あ' * 60_000}おわり")
        assert answer.status_code == 413 and "はじめあ" in reader.page and "あおわり" in reader.page
        reader.page = page
        assert reader.press("draft", NEXT, attack_vector="x" * 2_100_000).status_code == 413
        assert site.count(ReportVersion) == 1
        reader.open("/reports/new")
        answer = reader.press("report", summary="い" * 60_000)
        assert answer.status_code == 413 and "いいい" in reader.page


@pytest.mark.parametrize("lost", ["session", "token"])
def test_what_was_typed_before_the_sign_in_ended_comes_back_to_read(site: Site, lost: str) -> None:
    ref = site.case_of(site.alice)
    with site.reader(site.alice) as reader:
        path = begin(reader, ref)
        reader.open(f"{path}/technique")
        if lost == "session":
            site.end_every_session()
        more = {"csrf_token": "forged"} if lost == "token" else {}
        answer = reader.press("draft", NEXT, attack_vector="保守用のVPN装置", **more)
        assert answer.status_code == (401 if lost == "session" else 400)
        assert reader.says("入力した内容", "保守用のVPN装置") and ('href="/login"' in reader.page) == (
            lost == "session"
        )
        assert "<form" not in reader.page.partition("<main")[2]
        assert site.count(ReportVersion) == 1


# --- one page, again --------------------------------------------------------------------------------------


def test_autosave_tells_the_revision_and_when_somebody_else_was_there(site: Site) -> None:
    ref = site.case_of(site.alice)
    with site.reader(site.alice) as alice, site.reader(site.aki) as aki:
        path = begin(alice, ref)
        for reader in (alice, aki):
            reader.open(f"{path}/technique")
        page = alice.page
        first = alice.press("draft", to=f"{path}/autosave", attack_vector="一")
        assert (first.status_code, first.headers["ETag"], first.text) == (204, '"2"', "")
        assert aki.press("draft", to=f"{path}/autosave", attack_vector="二").status_code == 409
        alice.page = page
        again = alice.press("draft", to=f"{path}/autosave", attack_vector="一", revision="2")
        assert (again.status_code, again.headers["ETag"]) == (204, '"2"')
        alice.page = page
        assert alice.press("draft", to=f"{path}/autosave", section="nothing").status_code == 404


def test_a_question_that_the_page_did_not_show_is_not_taken_back(site: Site) -> None:
    ref = site.case_of(site.alice, summary="画面に脅迫文")
    with site.reader(site.alice) as reader:
        path = begin(reader, ref)
        reader.open(f"{path}/first")
        reader.press("draft", LIST, shown="current_status", summary="", current_status="contained")
        reader.open(f"{path}/first")
        assert reader.form("draft").typed["summary"] == ["画面に脅迫文"]
        assert reader.form("draft").typed["current_status"] == ["contained"]


def test_a_thousand_indicators_are_one_form(sqlite_site: Site) -> None:
    site = sqlite_site
    ref = site.case_of(site.alice)
    rows = [{"type": "ipv4-addr", "value": f"198.51.{n // 250}.{n % 250}", "confidence": "high"} for n in range(1000)]
    with site.stores.case.transaction() as db:
        case = incidents.hold(db, incidents.find_own(db, ref, site.alice).id)
        incidents.update(db, case, {"iocs": rows}, Filing("zokuhou", "api", site.alice), now=utcnow())
    with site.reader(site.alice) as reader:
        path = begin(reader, ref)
        reader.open(f"{path}/technique")
        assert len(reader.page) < 2_000_000
        reader.press("draft", ("action", "open:iocs:999"))
        assert reader.press("draft", LIST, iocs__999__note_ja="最後").status_code == 200
        reader.open(f"{path}/check")
        assert reader.says("変わらない行：999件")


# --- checking and filing --------------------------------------------------------------------------------


def test_filing_twice_with_one_page_files_once(site: Site) -> None:
    ref = site.case_of(site.alice)
    with site.reader(site.alice) as reader:
        path = begin(reader, ref)
        reader.open(f"{path}/first")
        reader.press("draft", LIST, current_status="contained")
        reader.open(f"{path}/check")
        page = reader.page
        for _ in range(2):
            reader.page = page
            assert reader.press(f"{path}/file").status_code == 200
            assert reader.at == f"/cases/{ref}"
    assert site.count(ReportVersion) == 2


def test_what_changed_after_the_check_is_shown_before_it_is_filed(site: Site) -> None:
    ref = site.case_of(site.alice)
    with site.reader(site.alice) as alice, site.reader(site.aki) as aki:
        path = begin(alice, ref)
        aki.open(f"{path}/first")
        alice.open(f"{path}/technique")
        alice.press("draft", LIST, attack_vector="保守用のVPN")
        alice.open(f"{path}/check")
        aki.press("draft", LIST, service_impact="none")
        assert alice.press(f"{path}/file").status_code == 409
        assert alice.says("確認したあとに内容が変わりました", "影響はない") and site.count(ReportVersion) == 1
        assert alice.press(f"{path}/file").status_code == 200
    assert site.answers(ref, site.alice)["service_impact"] == "none"


def test_a_narrower_consent_is_said_plainly_before_it_is_given(site: Site) -> None:
    ref = site.case_of(site.alice, share_scope="allied-anon")
    with site.reader(site.alice) as reader:
        reader.open(f"/cases/{ref}/consent")
        assert reader.press(f"/cases/{ref}/consent").status_code == 422
        reader.press(f"/cases/{ref}/consent", share_scope="legal-only")
        assert reader.says(
            "海外CERT", "直ちに取り消し", "手元から消せません", "国家サイバー統括室", "今回から届きません"
        )
        assert site.answers(ref, site.alice)["share_scope"] == "allied-anon" and site.count(ReportVersion) == 1
        reader.press(f"/cases/{ref}/consent")
        assert reader.at == f"/cases/{ref}" and reader.says("同意を変更しました", "法令等で定められた報告先のみ")
    assert site.answers(ref, site.alice)["share_scope"] == "legal-only"


def test_a_case_is_closed_and_opened_again_and_says_so(site: Site) -> None:
    ref = site.case_of(site.alice)
    with site.reader(site.alice) as reader:
        path = begin(reader, ref)
        reader.open(f"{path}/first")
        reader.press("draft", LIST, current_status="recovered")
        reader.open(f"/cases/{ref}")
        reader.press(f"/cases/{ref}/close")
        assert reader.says("この事案は終えています") and f"/cases/{ref}/drafts" not in reader.page
        reader.open("/")
        assert reader.says(ref, "終了")
        reader.open(f"{path}/check")
        assert reader.says("この事案は終えています") and "続報を出す" not in reader.page
        assert reader.press(f"{path}/file").status_code == 409
        assert "confirmed" not in reader.open(f"/cases/{ref}/consent").text
        reader.open(f"/cases/{ref}")
        reader.press(f"/cases/{ref}/reopen")
        reader.open(f"{path}/check")
        assert reader.press(f"{path}/file").status_code == 200 and site.count(ReportVersion) == 2


def test_the_history_tells_who_filed_what_and_what_changed(site: Site) -> None:
    ref = site.case_of(site.alice, summary="画面に脅迫文")
    with site.reader(site.aki) as reader:
        path = begin(reader, ref, "correction")
        reader.open(f"{path}/first")
        reader.press("draft", LIST, summary="誤って報告した", current_status="contained")
        reader.open(f"{path}/check")
        reader.press(f"{path}/file")
        assert reader.says("第2報 訂正", f"提出者：{site.aki.username}", "変わったところを見る（2件）")
        reads = site.count(AuditEntry)
        reader.open(f"/cases/{ref}/versions/2")
        assert reader.says("これまで 画面に脅迫文", "今回 誤って報告した", "これまで 続いている", "今回 封じ込めた")
        assert site.count(AuditEntry) == reads + 2
        reader.open(f"/cases/{ref}/versions/1")
        assert reader.says("最初に報告した内容", "画面に脅迫文")
        for seq in ("0", "3", "99999999999999999999"):
            assert reader.open(f"/cases/{ref}/versions/{seq}").status_code == 404


def test_whoever_allowed_fewer_purposes_still_reads_their_own_case(site: Site) -> None:
    ref = site.case_of(site.alice)
    with site.stores.case.transaction() as db:
        case = incidents.hold(db, incidents.find_own(db, ref, site.alice).id)
        changes = {"permitted_purposes": ["statistics"]}
        incidents.update(db, case, changes, Filing("zokuhou", "api", site.alice), now=utcnow())
    with site.reader(site.alice) as reader:
        assert reader.open(f"/cases/{ref}").status_code == 200
        path = begin(reader, ref)
        assert reader.open(f"{path}/check").status_code == 200
        assert reader.open(f"/cases/{ref}/versions/2").status_code == 200


def test_another_organization_finds_nothing(site: Site) -> None:
    ref = site.case_of(site.alice)
    with site.reader(site.alice) as alice:
        path = begin(alice, ref)
    with site.reader(site.carol) as carol:
        for there in ("", "/first", "/check", "/discard", "/nothing"):
            assert carol.open(f"{path}{there}").status_code == 404
        for there in (f"/cases/{ref}/consent", f"/cases/{ref}/versions/1", f"/reports/new?draft={path[-36:]}"):
            assert carol.open(there).status_code == 404
        own = site.case_of(site.carol)
        page = carol.open(f"/cases/{own}").text
        for to in ("/first", "/autosave", "/file", "/discard"):
            carol.page = page
            assert carol.press(f"/cases/{own}/close", to=f"{path}{to}").status_code == 404
        for to in ("drafts", "close", "reopen", "consent"):
            carol.page = page
            assert carol.press(f"/cases/{own}/close", to=f"/cases/{ref}/{to}").status_code == 404
    assert site.count(Draft) == 1


def test_a_draft_is_thrown_away_only_after_asking(site: Site) -> None:
    ref = site.case_of(site.alice)
    with site.reader(site.alice) as reader:
        path = begin(reader, ref)
        reader.open(f"{path}/discard")
        assert reader.says("元に戻せません") and site.count(Draft) == 1
        reader.press(f"{path}/discard")
        assert reader.at == f"/cases/{ref}" and reader.says("破棄しました") and site.count(Draft) == 0
        assert reader.open(path).status_code == 404


# --- the quick report -----------------------------------------------------------------------------------


def test_a_quick_report_is_kept_for_later_and_gone_when_it_is_filed(site: Site) -> None:
    answers = {n: v for n, v in make_answers(designated_asset="no").items() if n not in {"aware_at", "ioc_paste"}}
    with site.reader(site.alice) as reader:
        reader.open("/reports/new")
        reader.press("report", to="/reports/later", summary="端末の表示が止まった", callback="でんわ")
        assert reader.at == "/" and reader.says("作成中の報告（未送信）", "速報 端末の表示が止まった")
        reader.open("/reports/new")
        reader.press("report", to="/reports/later", incident_kind="ransomware", summary=f"二件目 {'あ' * 50}")
        assert reader.says("速報 端末の表示が止まった", f"速報 ランサムウェア · 二件目 {'あ' * 36}…")
        reader.press(*_discarding(reader, "二件目"))
    with site.reader(site.aki) as reader:
        reader.open("/reports/new")
        assert reader.says("保存した下書き（未送信）", site.alice.username)
        where = re.findall(r'href="(/reports/new\?draft=[^"]+)"', reader.page)
        reader.open(where[0])
        assert reader.form("report").typed["summary"] == ["端末の表示が止まった"]
        assert reader.form("report").typed["callback"] == ["でんわ"]
        reader.press("report", **answers)
        assert reader.at == "/reports/check" and site.count(Draft) == 1
        reader.press("check")
        assert reader.at.endswith("/receipt") and site.count(Draft) == 0


def _discarding(reader: Typist, words: str) -> tuple[str]:
    """The form that throws away the draft with these words on the first page."""
    path = re.findall(rf'href="(/drafts/[^"]+)">[^<]*{words}', reader.page)[0]
    reader.open(f"{path}/discard")
    return (f"{path}/discard",)


def test_what_is_recognised_is_put_right_with_one_button_before_it_is_sent(site: Site) -> None:
    paste = "203[.]0[.]113[.]45 hxxps://bad[.]example/x 10.0.0.8"
    answers = {n: v for n, v in make_answers(designated_asset="no").items() if n != "aware_at"} | {"ioc_paste": paste}
    with site.reader(site.alice) as reader:
        reader.open("/reports/new")
        reader.press("report", **answers)
        assert reader.page.count('name="ioc_left_out"') == 2 and not reader.says("自組織の判断")
        for value in ("https://bad.example/x", "203.0.113.45"):
            reader.press("check", ("ioc_left_out", value), to="/reports/check")
        assert reader.page.count("自組織の判断") == 2 and reader.page.count("share_again") == 2
        reader.press("check", to="/reports/edit")
        reader.press("report", ("action", "check"))
        reader.press("check", ("share_again", "https://bad.example/x"), to="/reports/check")
        assert reader.page.count("自組織の判断") == 1
        reader.press("check")
        ref = reader.at.split("/")[2]
        assert site.answers(ref, site.alice)["ioc_left_out"] == ["203.0.113.45"]
        path = begin(reader, ref)
        reader.open(f"{path}/technique")
        assert reader.says("203[.]0[.]113[.]45 共有しません： 自組織の判断", "bad[.]example")
        reader.open(f"{path}/first")
        assert reader.form("draft").typed["ioc_left_out"] == ["203.0.113.45"]
        reader.press("draft", LIST, ioc_left_out=["https://bad.example/x"])
        reader.open(f"{path}/check")
        reader.press(f"{path}/file")
    assert site.answers(ref, site.alice)["ioc_left_out"] == ["https://bad.example/x"]


def test_the_check_page_says_what_each_recipient_will_see_and_which_rules_do_not_apply(site: Site) -> None:
    answers = {n: v for n, v in make_answers(designated_asset="yes").items() if n != "aware_at"}
    no_leak = "個人データへの影響はないと回答された"
    with site.reader(site.alice) as reader:
        reader.open("/reports/new")
        reader.press("report", **answers)
        assert reader.says("この書類に載る回答：", "サービスへの影響", "対象にならない制度", no_leak)
        reader.press("check")
        ref = reader.at.split("/")[2]
        reader.open(f"/cases/{ref}")
        assert reader.says("対象にならない制度", no_leak)
        path = begin(reader, ref)
        reader.open(f"{path}/check")
        assert reader.says("対象にならない制度", no_leak)


def test_the_receipt_shows_what_was_reported_with_it_as_done(site: Site) -> None:
    ref = site.case_of(site.alice, designated_asset="yes")
    with site.reader(site.alice) as reader:
        reader.open(f"/cases/{ref}/receipt")
        assert "due--met" in reader.page and reader.page.count(".ics") == 2


def test_a_telephone_number_stands_on_the_pages_as_it_is_dialled(site: Site) -> None:
    answers = {n: v for n, v in make_answers(designated_asset="no").items() if n != "aware_at"}
    with site.reader(site.alice) as reader:
        reader.open("/reports/new")
        reader.press("report", **(answers | {"callback": "050-0000-0001"}))
        assert "<p>05000000001</p>" in reader.page and "+8150" not in reader.page
        reader.press("check")
        reader.open(reader.at.removesuffix("/receipt"))
        assert "<p>05000000001</p>" in reader.page and "+8150" not in reader.page


def test_the_draft_of_a_quick_report_is_begun_once(site: Site) -> None:
    with site.reader(site.alice) as alice, site.reader(site.aki) as aki:
        page = alice.open("/reports/new").text
        first = alice.press("report", to="/reports/autosave", summary="一")
        assert (first.status_code, first.headers["ETag"]) == (204, '"2"')
        draft = first.headers["Location"].rpartition("=")[2]
        alice.page = page
        second = alice.press("report", to="/reports/autosave", summary="二", draft=draft, revision="2")
        assert (second.status_code, second.headers["ETag"], "Location" in second.headers) == (204, '"3"', False)
        assert site.count(Draft) == 1
        aki.open(f"/reports/new?draft={draft}")
        assert aki.form("report").typed["summary"] == ["二"]
        aki.press("report", to="/reports/later", summary="三")
        alice.page = page
        clash = alice.press("report", to="/reports/later", summary="四", draft=draft, revision="3")
        assert clash.status_code == 409 and alice.form("report").typed["summary"] == ["四"]
        assert alice.press("report", to="/reports/later").status_code == 200
        for odd in ("", "x", "00000000-0000-4000-8000-000000000000"):
            assert alice.open(f"/reports/new?draft={odd}").status_code == (404 if odd else 200)


def test_the_address_of_a_quick_draft_leads_to_its_form(site: Site) -> None:
    with site.reader(site.alice) as reader:
        reader.open("/reports/new")
        reader.press("report", to="/reports/later", summary="一")
        path = re.findall(r'href="(/drafts/[^"]+)"', reader.page)[0]
        assert reader.open(path).status_code == 200 and reader.at == "/reports/new"
        for there in ("/first", "/check"):
            assert reader.open(f"{path}{there}").status_code == 404
        reader.open(f"{path}/discard")
        reader.press(f"{path}/discard")
        assert reader.at == "/" and site.count(Draft) == 0
