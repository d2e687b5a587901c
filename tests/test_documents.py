"""The documents that authorities get: complete, no more than is due, readable, and safe whatever was typed."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from itertools import pairwise
from typing import Any

import openpyxl
import orjson
import pypdf
import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchange import conditions, rules
from exchange.documents import Filing, View, documents_for, fields_of, marks, view
from exchange.documents.catalogue import sections_of, sources_of, word
from exchange.documents.characters import MISSING, drawable, plain
from exchange.documents.layout import LEADING, Cells, Group, Heading, Line, Placed
from exchange.documents.layout import pages as laid_out
from exchange.documents.pdf import pdf
from exchange.documents.sources import OWN, event_type
from exchange.documents.values import Blank, moment
from exchange.documents.wrapping import wrap
from exchange.documents.xlsx import xlsx
from exchange.errors import NotFound
from exchange.form import FIELDS, Profile
from exchange.tables import table
from tests.conftest import NOW
from tests.make import SAMPLES, sample

Row = Mapping[str, Any]
DOCUMENTS: list[str] = [row["id"] for row in table("documents")["documents"]]
ALL = frozenset(DOCUMENTS)
FORMS = frozenset({"common-1", "common-2", "common-3"})
ACCIDENT = frozenset({"electricity", "gas"})
SECTOR = ACCIDENT | {"telecom"}


def but(*names: str) -> frozenset[str]:
    return ALL - set(names)


# Which document may say what. A field that the mapping of the unified form does not name stands with the one it belongs
# to: how exact a time is with the time, the sentence with the kind of incident, how things ended with the status.
SHOWN_IN: list[tuple[frozenset[str], str]] = [
    (ALL, "callback incident_kind summary aware_at aware_fidelity"),
    (ALL, "occurred_at occurred_fidelity detected_at detection_method"),
    (ALL, "current_status contained_at recovered_at closed_at actions"),
    (but("police"), "service_impact affected_services"),
    (but("police", "ppc"), "users_affected_total sector_extra physical_impact"),
    (FORMS | {"act", "ci-info"}, "service_level_breach"),
    (but(*ACCIDENT), "system_class affected_assets"),
    (FORMS | {"act"}, "designated_asset"),
    (but(*SECTOR), "personal_data"),
    (
        FORMS | {"act", "ppc", "police"},
        "pd_aware_at pd_item_kinds pd_items_ja pd_subject_count pd_sensitive pd_financial_risk pd_malicious pd_number"
        " entrusted secondary_damage_ja",
    ),
    (frozenset({"telecom"}), "telecom_secrecy"),
    (ACCIDENT, "accident_known_at"),
    (but("common-1"), "attack_vector_kind attack_vector"),
    (frozenset({"common-2", "common-3", "act", "ci-info", "police"}), "iocs ioc_paste hunting log_availability"),
    (FORMS | {"act", "ppc"}, "ttps malware"),
    (FORMS | {"act", "ppc", "ci-info"}, "vulnerabilities"),
    (frozenset({"act", "ppc", "ci-info", "police"}), "actor_claim"),
    (
        frozenset({"common-2", "act", "ci-info", "ppc", "police"}),
        "ransomware.name ransomware.type ransomware.encrypted_extension ransomware.ransom_note_ja ransomware.leak_site"
        " ransomware.encrypted_hosts ransomware.backup_status ransomware.ransom_demand",
    ),
    (
        frozenset({"common-1", "act", "ci-info", "police", "telecom"}),
        "ddos.vectors ddos.peak_gbps ddos.peak_mpps ddos.peak_rps ddos.started_at ddos.ended_at ddos.waves ddos.targets"
        " ddos.threat_message_ja ddos.mitigation",
    ),
    (FORMS | {"act", "ci-info", "ppc"}, "police_consult police notified_bodies external_support next_update_at"),
    (FORMS | {"act", "ci-info", "ppc"}, "publication subject_notice_status subject_notice_ja"),
    (FORMS | {"act", "ci-info", "ppc"}, "other_operators_affected other_operators supply_chain"),
    (frozenset({"act"}), "cross_border countries"),
    (but("police"), "cause_category root_cause_ja cause_strength cause_origin prevention_ja prevention_due lessons"),
    (frozenset({"act", "ci-info"}), "severity_self"),
    (frozenset({"act", "police"}), "financial_loss_jpy ransomware.ransom_paid"),
    (
        FORMS | {"ci-info"},
        "share_scope tlp_victim tlp_tech embargo_until permitted_purposes objection support_wanted",
    ),
]


def due(document: str) -> set[str]:
    return {field for documents, fields in SHOWN_IN if document in documents for field in fields.split()}


# --- invented filings ----------------------------------------------------------------------------------

_ANSWERS: Mapping[str, Any] = {
    "text": "短い文",
    "textarea": "一つ目の文です。\n二つ目の文です。",
    "lines": ["はじめの一件", "次の一件"],
    "recognised": ["203.0.113.45", "bad.example"],
    "codes": ["KR", "TW"],
    "datetime": "2026-11-03T20:12:00Z",
    "date": "2026-12-01",
    "integer": 1234567,
    "number": 12.5,
    "count": {"min": 100, "max": 2000},
    "yesno": True,
    "url": "https://www.operator.example/news",
    "tel": "+81312345678",
}


def answer_to(field: Row) -> Any:
    if field["input"] == "group":
        return {item["id"]: answer_to(item) for item in field["items"]}
    if field["input"] == "table":
        return [{item["id"]: answer_to(item) for item in field["items"]}] * 2
    if "options" in field:
        first = field["options"][0]["value"]
        return first if field["input"] in {"radio", "select"} else [first]
    return _ANSWERS[field["input"]]


ORGANISATION = {
    "name_ja": "試験送配電株式会社",
    "name_en": "Trial Transmission K.K.",
    "corporate_number": "1234567890123",
    "sector": "electricity",
    "prefecture": "架空県",
    "contacts": [{"role": "当直", "name": "担当者A", "phone": "+81-50-0000-0001", "email": "duty@operator.example"}],
}
QUICK = {
    "incident_kind": "ransomware",
    "aware_at": "2026-11-03T20:12:00Z",
    "service_impact": "stopped",
    "system_class": ["it", "ot"],
    "personal_data": "unknown",
    "current_status": "ongoing",
    "callback": "+81312345678",
    "share_scope": "nco",
    "designated_asset": "unknown",
    "police_consult": "requested-here",
}
PROFILE = Profile(sector="electricity", act_special_operator=True, public_body=False, ci_operator=True)


def decided(answers: Row, profile: Profile = PROFILE) -> dict[str, Any]:
    decision: dict[str, Any] = orjson.loads(orjson.dumps(rules.decide(answers, profile, at=NOW)))
    return decision


def make_filing(answers: Row | None = None, *, stage: str = "sokuhou", exercise: bool = False, **more: Any) -> Filing:
    said = {**(QUICK if answers is None else answers), **more}
    return Filing(ORGANISATION, said, "N-7K2M-9QXW", stage, 1, NOW, decided(said), exercise)


def full_filing(**more: Any) -> Filing:
    chosen = {"personal_data": "yes", "share_scope": "nco", "designated_asset": "yes", "service_impact": "stopped"}
    answers = {name: answer_to(field) for name, field in FIELDS.items()}
    return replace(make_filing({**answers, **QUICK, **chosen, **more}, stage="kakuhou"), seq=3)


def said(document: View, label: str, lang: str = "ja") -> list[str]:
    found = [row.lines for section in document.sections for row in section.rows if getattr(row.label, lang) == label]
    assert found, label
    return [getattr(line, lang) for line in found[0]]


def whole(document: View, lang: str = "ja") -> str:
    rows = (row for section in document.sections for row in section.rows)
    return "\n".join(getattr(line, lang) for row in rows for line in row.lines)


def printed(document: str, filing: Filing, lang: str = "ja") -> bytes:
    return pdf(view(document, filing), lang=lang, marks=marks(document, filing))


def pages_of(made: bytes) -> list[str]:
    return [page.extract_text() for page in pypdf.PdfReader(io.BytesIO(made)).pages]


def one_line(text: str) -> str:
    """Without the breaks that the width of a page makes."""
    return "".join(text.split())


def cells_of(document: str, filing: Filing, lang: str = "ja") -> list[list[Any]]:
    made = xlsx(view(document, filing), lang=lang, marks=marks(document, filing))
    sheet = openpyxl.load_workbook(io.BytesIO(made)).active
    assert sheet is not None
    return [list(row) for row in sheet.iter_rows(values_only=True)]


# --- what each document says ---------------------------------------------------------------------------


@pytest.mark.parametrize("document", DOCUMENTS)
def test_a_document_shows_what_its_legal_basis_covers_and_nothing_else(document: str) -> None:
    assert fields_of(document) == due(document)


@pytest.mark.parametrize("document", DOCUMENTS)
def test_a_document_is_filled_from_the_dictionary_and_what_the_house_knows_alone(document: str) -> None:
    for source in sources_of(document):
        first, _, member = source.partition(".")
        items = [item["id"] for item in FIELDS.get(first, {}).get("items", [])]
        assert source in OWN or (first in FIELDS and (not member or member in items)), source


def test_every_question_of_the_dictionary_reaches_an_authority() -> None:
    reached = {field.partition(".")[0] for document in DOCUMENTS for field in fields_of(document)}
    assert {name for name, field in FIELDS.items() if field["input"] != "recognised"} == reached


def asked_by(value: object, kind: str) -> Iterator[str]:
    """What conditions somewhere in a table look at: answers, or what is known of the organization."""
    if isinstance(value, dict):
        yield from [value[kind]] if isinstance(value.get(kind), str) else []
        yield from (name for part in value.values() for name in asked_by(part, kind))
    if isinstance(value, list):
        yield from (name for part in value for name in asked_by(part, kind))


@pytest.mark.parametrize("document", DOCUMENTS)
def test_no_other_answer_changes_a_document(document: str) -> None:
    """The proof that a copy is limited to its purpose: what it does not show cannot be read out of it."""
    filing = full_filing()
    used = {*fields_of(document), *asked_by([table("documents"), table("form")], "answer")}
    allowed = {field.partition(".")[0] for field in used}
    assert allowed < set(FIELDS)
    kept = {name: value for name, value in filing.answers.items() if name in allowed}
    assert view(document, replace(filing, answers=kept)) == view(document, filing)


@pytest.mark.parametrize("document", DOCUMENTS)
def test_what_was_lost_and_paid_stands_only_where_the_law_asks_or_the_police_are_asked(document: str) -> None:
    filing = full_filing(financial_loss_jpy=7654321)
    shown = "7,654,321" in whole(view(document, filing))
    labels = {row.label.ja for section in view(document, filing).sections for row in section.rows}
    paid = "支払っていない" in whole(view(document, filing))
    assert shown == paid == ("金銭的損害（円）" in labels) == (document in {"act", "police"})


def test_each_document_is_known_and_no_other_is() -> None:
    with pytest.raises(NotFound):
        view("common-4", make_filing())
    with pytest.raises(NotFound):
        fields_of("")


def test_what_is_not_answered_says_so_and_why() -> None:
    document = view("common-2", make_filing())
    assert said(document, "発生した日時") == ["未回答（確報で答える項目）"]
    assert said(document, "影響を受けたサービス") == ["未回答（続報で答える項目）"]
    assert said(document, "概要") == ["未回答"]
    assert said(document, "本人の数") == ["該当なし"]
    assert said(document, "個人データの漏えい等") == ["不明"]
    assert said(view("act", make_filing()), "原因", "ja") == ["未回答（詳報で答える項目）"]


@pytest.mark.parametrize("empty", [None, {}, {"at": None}, {"reference": ""}, {"of an older form": "text"}])
def test_an_answer_with_nothing_in_it_is_none(empty: object) -> None:
    assert said(view("common-2", make_filing(police=empty)), "警察への相談・届出の内容") == [
        "未回答（続報で答える項目）"
    ]


@pytest.mark.parametrize("empty", [[], [{}], {"flights": {}}, {"flights": {"delayed": None}}])
def test_an_empty_entry_or_part_is_none(empty: object) -> None:
    name = "sector_extra" if isinstance(empty, dict) else "affected_services"
    label = "分野ごとの項目" if isinstance(empty, dict) else "影響を受けたサービス"
    assert said(view("common-2", make_filing(**{name: empty})), label) == ["未回答（続報で答える項目）"]


def test_a_report_without_any_answer_but_unknown_fills_every_item() -> None:
    unknown = dict.fromkeys(("incident_kind", "service_impact", "personal_data", "current_status"), "unknown")
    filing = make_filing(system_class=["unknown"], **unknown)
    for document in DOCUMENTS:
        rows = [row for section in view(document, filing).sections for row in section.rows]
        assert all(line.ja and line.en for row in rows for line in row.lines), document
    assert said(view("common-3", filing), "影響が出ているシステム") == ["不明"]


def test_a_correction_is_called_one_and_asks_for_nothing_later() -> None:
    filing = make_filing(stage="correction")
    assert said(view("act", filing), "報告の区分") == ["訂正（第1報）"]
    assert said(view("act", filing), "影響を受けたサービス") == ["未回答"]


def test_options_are_printed_in_their_words_in_both_languages() -> None:
    document = view("common-2", make_filing())
    assert said(document, "影響が出ているシステム") == ["業務システム、制御システム"]
    assert said(document, "Systems affected", "en") == ["Business systems (IT), Control systems (OT)"]


def test_times_are_those_of_japan_with_the_year_of_the_era() -> None:
    document = view("common-2", make_filing())
    assert said(document, "認知した日時") == ["2026-11-04 05:12（令和8年11月4日 5時12分）"]
    assert said(document, "Became aware", "en") == ["4 November 2026, 05:12 JST"]


@pytest.mark.parametrize(
    ("fidelity", "words"),
    [
        ("minute", "2026-11-04 05:12（令和8年11月4日 5時12分）"),
        ("hour", "2026-11-04 5時頃（令和8年11月4日 5時頃）"),
        ("day", "2026-11-04（令和8年11月4日）"),
    ],
)
def test_a_time_is_printed_no_more_exactly_than_it_is_known(fidelity: str, words: str) -> None:
    assert said(view("common-2", make_filing(aware_fidelity=fidelity)), "認知した日時") == [words]
    filing = make_filing(occurred_at="2026-11-03T20:12:00Z", occurred_fidelity=fidelity)
    assert said(view("common-2", filing), "発生した日時") == [words]


def test_the_first_year_of_an_era_has_its_own_word() -> None:
    assert "令和元年5月1日" in moment(datetime.fromisoformat("2019-05-01T00:00:00+09:00")).ja
    assert "平成31年4月30日" in moment(datetime.fromisoformat("2019-04-30T23:59:00+09:00")).ja


def test_counts_may_be_ranges_or_unknown() -> None:
    for count, words in ((1200000, "1,200,000"), ({"min": 0, "max": 2000}, "0〜2,000"), ("unknown", "不明")):
        filing = make_filing(users_affected_total=count)
        assert said(view("common-2", filing), "影響を受けた利用者の総数") == [words]


def test_no_and_nought_are_answers() -> None:
    filing = make_filing(personal_data="yes", pd_sensitive=False, pd_subject_count=0)
    assert said(view("ppc", filing), "要配慮個人情報") == ["いいえ"]
    assert said(view("ppc", filing), "本人の数") == ["0"]
    assert said(view("act", make_filing(severity_self=0)), "深刻度（自己評価）") == ["レベル0 影響なし"]


def test_a_table_is_printed_as_numbered_entries() -> None:
    loading = {"name_ja": "荷役", "impact": "stopped", "area": ["13", "14"]}
    filing = make_filing(affected_services=[loading, {"name_ja": "予約", "impact": "unknown"}])
    assert said(view("common-2", filing), "影響を受けたサービス") == [
        "1. サービスの名称：荷役／影響の程度：停止／影響のある都道府県：東京都、神奈川県",
        "2. サービスの名称：予約／影響の程度：不明",
    ]


def test_a_part_of_several_lines_follows_its_entry() -> None:
    filing = make_filing(hunting=[{"kind": "yara", "body": "rule a {\n}", "log_source": "端末"}])
    assert said(view("common-2", filing), "調査・検知方法") == [
        "1. 形式：YARA／調べるログ：端末",
        "　内容：",
        "　rule a {",
        "　}",
    ]


def test_a_list_in_a_table_is_told_in_a_row() -> None:
    filing = make_filing(malware=[{"name": "甲", "hashes": ["aa", "bb"]}, {"name": "乙"}])
    assert said(view("common-2", filing), "マルウェア") == ["1. 名称：甲／ハッシュ値：aa、bb", "2. 名称：乙"]


def test_several_questions_in_one_item_stand_under_their_own_names() -> None:
    filing = make_filing(other_operators_affected="yes", other_operators=["甲社", "乙社"])
    assert said(view("common-2", filing), "ほかの事業者への波及") == [
        "ほかの事業者への波及：ある",
        "波及した事業者：",
        "1. 甲社",
        "2. 乙社",
    ]
    silent = make_filing(other_operators_affected="no")
    assert said(view("common-2", silent), "ほかの事業者への波及")[1] == "波及した事業者：該当なし"


def test_indicators_and_whatever_was_typed_are_defanged_at_every_place() -> None:
    iocs = [
        {"type": "ipv4-addr", "value": "198.51.100.7", "role": "c2"},
        {"type": "url", "value": "http://bad.example/a"},
        {"type": "file:name", "value": "a.txt"},
    ]
    pasted = "http://worse.example/x と worse.example、もう一度 http://worse.example/x\nhttp://worse.example/x"
    filing = make_filing(
        iocs=iocs, ioc_paste=pasted, summary="evil.example へ通信", actor_claim={"url": "http://c.example/"}
    )
    live = ("198.51.", "bad.example", "worse.example", "evil.example", "http://")
    for document in ("common-2", "act", "ci-info", "police"):
        text = whole(view(document, filing))
        assert "198[.]51[.]100[.]7" in text
        assert "hxxp://bad[.]example/a" in text
        assert "hxxp://worse[.]example/x" in text
        assert "a.txt" in text
        assert not [one for one in live if one in text]
    assert "掲載場所（URL）：hxxp://c[.]example/" in whole(view("act", filing))


def test_the_own_announcement_stays_an_address_that_can_be_opened() -> None:
    filing = make_filing(publication={"status": "published", "url": "https://www.operator.example/news"})
    assert "公表資料のURL：https://www.operator.example/news" in said(view("common-2", filing), "公表")


def test_a_telephone_number_is_given_as_it_is_dialled_here_and_from_abroad() -> None:
    assert said(view("police", make_filing()), "いま確実につながる電話") == ["+81312345678（国内からは 0312345678）"]


def test_what_the_organization_did_not_register_is_said() -> None:
    filing = replace(make_filing(), organisation={"name_ja": "甲社", "sector": "port"})
    assert said(view("police", filing), "法人番号") == ["登録なし"]
    assert said(view("police", filing), "連絡先") == ["登録なし"]
    assert said(view("police", filing), "分野") == ["港湾"]


def test_a_document_names_its_own_recipients_law_and_deadlines_and_no_others() -> None:
    filing = full_filing()
    act, commission = view("act", filing), view("ppc", filing)
    told = [line.split("　") for line in said(act, "提出先と根拠")]
    assert [who for who, _ in told] == ["経済産業省", "内閣府（サイバー安全保障担当）"]
    assert all(law.endswith("第5条") for _, law in told)
    assert said(commission, "提出先と根拠") == ["個人情報保護委員会　根拠：個人情報保護法第26条"]
    assert [line[:2] for line in said(act, "報告の期限")] == ["速報", "詳報"]
    assert "期限：2026-12-04（令和8年12月4日）" in said(act, "報告の期限")[1]
    assert "警察" not in "".join(said(view("common-2", filing), "提出先と根拠"))


def test_a_law_that_calls_the_last_report_detailed_is_followed() -> None:
    stages = {document: marks(document, full_filing()).stage.ja for document in DOCUMENTS}
    assert {document for document, stage in stages.items() if stage == "詳報（第3報）"} == {"act", *SECTOR}
    assert {stages[document] for document in ALL - {"act", *SECTOR}} == {"確報（第3報）"}


# --- the type of event, and of cause --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answers", "type_"),
    [
        ({"service_impact": "stopped", "personal_data": "yes"}, "可用性を脅かす事象：システム等の利用困難"),
        ({"personal_data": "possible"}, "機密性を脅かす事象：情報の漏えい"),
        ({"ransomware": {"leak_site": "published"}}, "機密性を脅かす事象：情報の漏えい"),
        ({"incident_kind": "ransomware"}, "完全性を脅かす事象：情報の破壊"),
        ({"malware": [{"name": "甲"}]}, "上記につながる事象：マルウェア等の感染"),
        ({"attack_vector_kind": "supply-chain"}, "上記につながる事象：不正コード等の実行"),
        ({"attack_vector_kind": "stolen-credentials"}, "上記につながる事象：システム等への侵入"),
        ({"incident_kind": "ddos"}, "未発生の事象：予兆・ヒヤリハット"),
        ({}, "上記につながる事象：その他"),
    ],
)
def test_the_one_type_of_event_follows_from_the_answers(answers: dict[str, Any], type_: str) -> None:
    quiet = {"incident_kind": "other", "service_impact": "none", "personal_data": "no"}
    filing = make_filing({**QUICK, **quiet, **answers})
    assert event_type(filing).ja == type_
    assert said(view("ci-info", filing), "事象の類型") == [f"{type_}（回答から導いた区分）"]


def test_there_are_eight_types_of_event_and_the_last_always_holds() -> None:
    types = table("documents")["event_types"]
    assert len(types) == len({row["id"] for row in types}) == 8
    assert conditions.holds(types[-1]["when"], {}, {})


def test_causes_are_printed_in_their_groups() -> None:
    filing = make_filing(cause_category=["システムの脆弱性", "内部不正", "外部委託先の管理ミス"])
    assert said(view("ci-info", filing), "原因の類型") == [
        "意図的な原因：内部不正",
        "偶発的な原因：システムの脆弱性、外部委託先の管理ミス",
    ]
    assert said(view("ci-info", make_filing()), "原因の類型") == ["未回答（確報で答える項目）"]


def test_every_cause_of_the_form_is_in_one_group() -> None:
    grouped = [cause for group in table("documents")["cause_groups"] for cause in group["causes"]]
    assert sorted(grouped) == sorted(option["value"] for option in FIELDS["cause_category"]["options"])


def test_a_cyber_attack_is_suspected_unless_nothing_points_to_one() -> None:
    assert said(view("electricity", make_filing()), "サイバー攻撃によるおそれ") == ["あり"]
    assert said(view("electricity", make_filing(incident_kind="unknown")), "サイバー攻撃によるおそれ") == ["不明"]


# --- who gets which ------------------------------------------------------------------------------------


def documents_to(recipient: str, answers: Row, profile: Profile = PROFILE) -> list[str]:
    return documents_for(decided(answers, profile), answers, profile, recipient=recipient)


def test_each_recipient_gets_the_documents_of_its_own_legal_basis() -> None:
    answers = {**QUICK, "personal_data": "yes"}
    assert documents_to("meti", answers) == ["common-2", "ci-info", "act", "electricity"]
    assert documents_to("cao-cyber", answers) == ["act"]
    assert documents_to("nco", answers) == ["common-2", "ci-info"]
    assert documents_to("npa", answers) == ["police"]
    assert documents_to("ppc", answers) == ["ppc"]
    every = documents_for(decided(answers), answers, PROFILE)
    assert every == ["common-2", "ci-info", "act", "ppc", "police", "electricity"]


RANSOM = {**QUICK, "ransomware": {"ransom_paid": "yes"}, "financial_loss_jpy": 7654321, "personal_data": "yes"}
TELECOM = Profile(sector="information-communication", act_special_operator=True, public_body=False, ci_operator=True)


def also_to(who: str, *, regimes: list[str], first: bool = False) -> list[str]:
    """The documents of somebody whom a rule names beside the others."""
    decision = decided(RANSOM, TELECOM)
    row = {**decision["recipients"][0], "id": who, "regimes": regimes}
    others = decision["recipients"]
    decision["recipients"] = [row, *others[1:]] if first else [*others, row]
    return documents_for(decision, RANSOM, TELECOM, recipient=who)


def test_who_is_not_in_charge_of_the_sector_gets_no_document_of_a_regime_that_is_not_its_own() -> None:
    assert documents_to("mic", RANSOM, TELECOM) == ["common-2", "ci-info", "act", "telecom"]
    assert also_to("fdma", regimes=["new-regime"]) == also_to("fdma", regimes=[]) == ["common-2"]
    assert also_to("fdma", regimes=["act-report"]) == ["act"]
    assert also_to("meti", regimes=["telecom", "new-regime"]) == ["telecom"]


def test_a_ministry_in_charge_gets_the_documents_of_its_own_regimes_alone() -> None:
    assert also_to("mic", regimes=["telecom"], first=True) == ["common-2", "telecom"]
    assert also_to("mic", regimes=[], first=True) == ["common-2"]


def test_nobody_who_is_told_is_left_without_a_document() -> None:
    quiet = {**RANSOM, "personal_data": "no"}
    decision = decided(quiet, TELECOM)
    decision["recipients"].append({**decision["recipients"][0], "id": "ppc", "regimes": ["new-regime"]})
    assert documents_for(decision, quiet, TELECOM, recipient="ppc") == ["common-2"]


def test_a_gas_accident_has_its_document_with_the_clocks_of_its_own_law() -> None:
    profile = replace(PROFILE, sector="gas", act_special_operator=False)
    assert documents_to("meti", QUICK, profile) == ["common-2", "ci-info", "gas"]
    decision = decided(QUICK, profile)
    filing = replace(make_filing(), decision=decision, organisation={**ORGANISATION, "sector": "gas"})
    assert said(view("gas", filing), "提出先と根拠") == ["経済産業省　根拠：ガス事業法、ガス関係報告規則"]
    assert [line[:2] for line in said(view("gas", filing), "報告の期限")] == ["速報", "詳報"]


@pytest.mark.parametrize(
    ("prefecture", "police"),
    [
        ("東京都", "警視庁"),
        ("北海道", "北海道警察"),
        ("京都府", "京都府警察"),
        ("沖縄県", "沖縄県警察"),
        ("架空県", "不明"),
        ("", "登録なし"),
    ],
)
def test_the_document_for_the_police_names_those_of_the_prefecture(prefecture: str, police: str) -> None:
    filing = replace(make_filing(), organisation={**ORGANISATION, "prefecture": prefecture})
    assert said(view("police", filing), "都道府県警察") == [police]


def test_every_prefecture_of_the_form_has_its_police() -> None:
    area = next(item for item in FIELDS["affected_services"]["items"] if item["id"] == "area")
    assert list(table("documents")["prefectural_police"]) == [option["label"]["ja"] for option in area["options"]]


@pytest.mark.parametrize(("kind", "form"), [("ddos", "common-1"), ("ransomware", "common-2"), ("other", "common-3")])
def test_the_kind_of_incident_chooses_the_common_form(kind: str, form: str) -> None:
    assert FORMS & set(documents_to("meti", {**QUICK, "incident_kind": kind})) == {form}


def test_who_was_not_told_gets_no_document() -> None:
    answers = {**QUICK, "share_scope": "legal-only", "police_consult": "no"}
    assert documents_to("nco", answers) == documents_to("npa", answers) == documents_to("ppc", answers) == []


def test_who_rests_on_a_consent_that_was_taken_back_gets_no_further_document() -> None:
    before = decided(QUICK)
    answers = {**QUICK, "share_scope": "legal-only"}
    held = orjson.loads(orjson.dumps(rules.decide(answers, PROFILE, at=NOW, before=before)))
    assert "nco" in [one["id"] for one in held["recipients"]]
    assert documents_for(held, answers, PROFILE, recipient="nco") == []


@pytest.mark.parametrize("name", SAMPLES)
def test_every_recipient_of_the_ten_gets_a_document_that_can_be_made(name: str) -> None:
    found = sample(name)
    own, answers = found["own"], found["answers"]
    flags = {flag: own[flag] for flag in ("act_special_operator", "public_body", "ci_operator")}
    profile = Profile(sector=own["sector"], **flags)
    decision = decided(answers, profile)
    filing = Filing(own, answers, "N-7K2M-9QXW", "sokuhou", 1, NOW, decision)
    for recipient in decision["recipients"]:
        made = documents_for(decision, answers, profile, recipient=recipient["id"])
        assert made, recipient["id"]
        assert all(own["name_ja"] in whole(view(document, filing)) for document in made)


def test_conditions_ask_only_for_what_a_filing_knows() -> None:
    items = [item for document in DOCUMENTS for section in sections_of(document) for item in section["items"]]
    tables = [table("form"), items, table("documents")["event_types"], table("documents")["malicious"]]
    assert set(asked_by(tables, "profile")) <= set(make_filing().known)


def test_every_word_of_the_documents_is_in_both_languages() -> None:
    def halves(value: object) -> list[object]:
        if isinstance(value, dict):
            return ([value] if ("ja" in value) != ("en" in value) else []) + halves(list(value.values()))
        return [found for part in value for found in halves(part)] if isinstance(value, list) else []

    assert halves(table("documents")) == []


# --- on paper ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("lang", ["ja", "en"])
@pytest.mark.parametrize("document", DOCUMENTS)
def test_a_printed_document_says_all_that_its_view_says(document: str, lang: str) -> None:
    filing = full_filing(incident_kind="ddos" if document == "common-1" else "ransomware")
    content = view(document, filing)
    text = one_line("".join(pages_of(printed(document, filing, lang))))
    assert one_line(getattr(content.title, lang)) in text
    assert one_line(getattr(content.note, lang)) in text
    for section in content.sections:
        assert one_line(getattr(section.title, lang)) in text
        for row in section.rows:
            assert one_line(getattr(row.label, lang)) in text, row.label
            assert all(one_line(drawable(getattr(line, lang)))[:12] in text for line in row.lines)


def test_every_page_carries_the_marks_and_its_number() -> None:
    pages = pages_of(printed("act", full_filing()))
    assert len(pages) > 2
    for number, page in enumerate(pages, 1):
        assert f"{number} / {len(pages)} ページ" in page
        assert "TLP:RED" in page
        assert "N-7K2M-9QXW" in page
        assert "詳報（第3報）" in page
        assert "訓練" not in page


def test_every_page_of_an_exercise_says_that_it_is_one() -> None:
    for page in pages_of(printed("act", make_filing(exercise=True))):
        assert "【訓練】" in page
    assert all("EXERCISE" in page for page in pages_of(printed("act", make_filing(exercise=True), "en")))


@pytest.mark.parametrize("document", DOCUMENTS)
def test_the_same_filing_gives_the_same_bytes(document: str) -> None:
    filing, again = full_filing(), full_filing()
    assert printed(document, filing) == printed(document, again)
    shown = [xlsx(view(document, one), lang="ja", marks=marks(document, one)) for one in (filing, again)]
    assert shown[0] == shown[1]
    created = openpyxl.load_workbook(io.BytesIO(shown[0])).properties.created
    assert created == filing.received_at.replace(tzinfo=None, microsecond=0)


def test_a_long_answer_goes_on_over_pages_and_loses_nothing() -> None:
    numbered = [f"第{number}行の記録。" for number in range(400)]
    pages = pages_of(printed("common-2", make_filing(ioc_paste="\n".join(numbered))))
    text = one_line("".join(pages))
    assert all(line in text for line in numbered)
    again = [page for page in map(one_line, pages) if "貼り付けられた記録（続き）" in page]
    assert len(again) >= 5
    assert all("侵入方法と特徴（続き）" in page for page in again)


def made_of(*heights: int) -> list[list[Placed]]:
    """Pages of 20 lines, from sections of rows with so many lines each."""
    groups = [Group("題", [Cells([Line(0, "項目")], [Line(0, "行")] * lines)] * 2) for lines in heights]
    return laid_out(groups, first_top=100, top=0, bottom=20 * LEADING, continued="（続き）")


@given(st.lists(st.integers(1, 70), min_size=1, max_size=6))
def test_nothing_is_lost_between_pages_and_nothing_leaves_them(heights: list[int]) -> None:
    placed = made_of(*heights)
    cells = [one.what for page in placed for one in page if isinstance(one.what, Cells)]
    assert sum(len(cell.lines) for cell in cells) == 2 * sum(heights)
    assert all(one.top + one.what.height <= 20 * LEADING for page in placed for one in page)


@given(st.lists(st.integers(1, 70), min_size=1, max_size=6))
def test_a_page_begins_with_a_title_and_never_ends_with_one(heights: list[int]) -> None:
    for page in made_of(*heights):
        assert isinstance(page[0].what, Heading)
        assert isinstance(page[-1].what, Cells)


def test_a_character_that_the_font_lacks_is_marked_and_explained() -> None:
    rare, known = (
        one_line("".join(pages_of(printed("police", make_filing(summary=name))))) for name in ("髙橋と𠮷野😀", "髙橋")
    )
    assert "髙橋と〓野〓" in rare
    assert one_line(word("replaced").ja) in rare
    assert one_line(word("replaced").ja) not in known


def test_typed_markup_is_printed_and_not_obeyed() -> None:
    typed = '<img src="file:///etc/passwd"/><para><a href="javascript:x">&amp;</a>'
    made = printed("police", make_filing(summary=typed))
    assert typed.split(">")[0] in "".join(pages_of(made))
    reader = pypdf.PdfReader(io.BytesIO(made))
    assert not [page for page in reader.pages if "/Annots" in page or page.images]
    assert not {"/OpenAction", "/AA", "/Names", "/AcroForm"} & set(reader.trailer["/Root"])


def test_the_japanese_font_is_named_and_not_embedded() -> None:
    page = pypdf.PdfReader(io.BytesIO(printed("police", make_filing()))).pages[0]
    fonts = {font.get_object()["/BaseFont"] for font in page["/Resources"]["/Font"].values()}
    assert any("HeiseiKakuGo-W5" in name for name in fonts)
    assert not any("FontFile" in repr(font.get_object()) for font in page["/Resources"]["/Font"].values())


HOSTILE = [
    "".join(map(chr, range(1, 32))),
    "\ud800\udfff\ufffe\uffff",
    "\u202eevil\u2066x\u200f",
    "Z\u0321\u0344" * 300,
    "が" * 3 + "か\u3099",
    "=cmd|'/c calc'!A1",
    "A" * 65536,
    "。" * 65536,
    "「" * 65536,
    " " * 65536,
    "1.2.3.4 " * 8000,
    "👩‍👩‍👧‍👦" * 500,
    "_x0041_ &P &amp; ]]> <x>",
]


@pytest.mark.parametrize("typed", HOSTILE, ids=range(len(HOSTILE)))
def test_whatever_was_typed_makes_a_document(typed: str) -> None:
    filing = replace(make_filing(ioc_paste=typed), organisation={**ORGANISATION, "name_ja": typed[:1000]})
    assert len(pypdf.PdfReader(io.BytesIO(printed("act", filing))).pages) > 1
    assert cells_of("act", filing)


# --- as a table ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("document", DOCUMENTS)
def test_a_workbook_has_a_row_for_each_item(document: str) -> None:
    filing = full_filing()
    rows = cells_of(document, filing)
    content = view(document, filing)
    found = {(row[0], row[1]): row[2] for row in rows if row[2] is not None}
    assert rows[0][0] == content.title.ja
    for section in content.sections:
        for item in section.rows:
            assert found[section.title.ja, item.label.ja] == "\n".join(line.ja for line in item.lines)


def test_a_workbook_carries_the_marks() -> None:
    rows = cells_of("act", make_filing(exercise=True))
    assert [row[0] for row in rows[1:2]] == [word("exercise").ja]
    assert ["受付番号", "N-7K2M-9QXW", None] in rows
    assert ["取扱い", "TLP:AMBER+STRICT", None] in rows
    assert any(word("exercise").ja == cell for row in rows for cell in row)
    assert not any(word("exercise").ja == cell for row in cells_of("act", make_filing()) for cell in row)


@pytest.mark.parametrize("typed", ["=1+1", "+1", "-1", "@SUM(A1)", '=HYPERLINK("http://a.example")', "{=A1}", "1234"])
def test_no_cell_is_anything_but_text(typed: str) -> None:
    filing = make_filing(summary=typed, root_cause_ja=typed)
    made = xlsx(view("act", filing), lang="ja", marks=marks("act", filing))
    sheet = openpyxl.load_workbook(io.BytesIO(made)).active
    assert sheet is not None
    assert {cell.data_type for row in sheet.iter_rows() for cell in row if cell.value is not None} == {"s"}
    with zipfile.ZipFile(io.BytesIO(made)) as files:
        assert not [name for name in files.namelist() if "external" in name or "sheet1.xml.rels" in name]


def test_an_answer_longer_than_a_cell_goes_on_in_the_next() -> None:
    typed = "😀" * 20000 + "終"
    cells = cells_of("common-2", make_filing(ioc_paste=typed))
    rows = [row for row in cells if str(row[1]).startswith("貼り付けられた記録")]
    assert [row[1] for row in rows] == ["貼り付けられた記録", "貼り付けられた記録（続き）"]
    assert "".join(str(row[2]) for row in rows) == typed
    assert all(len(str(row[2]).encode("utf-16-le")) <= 2 * 32767 for row in rows)


def test_a_workbook_keeps_the_characters_that_paper_cannot_show() -> None:
    assert "𠮷野😀" in [row[2] for row in cells_of("police", make_filing(summary="𠮷野😀"))]


# --- lines and characters ------------------------------------------------------------------------------


def width(text: str) -> float:
    return sum(1.0 if char > "\xff" else 0.5 for char in text)


def test_a_line_neither_begins_with_a_stop_nor_ends_with_an_opening_bracket() -> None:
    text = "港湾の荷役を止めました。「復旧の見込み」は、まだ立っていません。ー（確認中）です。"
    for size in range(4, 20):
        lines = [line for _, line in wrap(text, size, width)]
        assert "".join(lines) == text
        assert not [line for line in lines[1:] if line[0] in "、。」）ー"], size
        assert not [line for line in lines[:-1] if line[-1] in "「（"], size


def test_a_word_is_broken_only_if_no_line_can_hold_it() -> None:
    assert wrap("通信先 bad[.]example へ", 8, width) == [(0.0, "通信先"), (0.0, "bad[.]example へ")]
    assert [line for _, line in wrap("a" * 40, 8, width)] == ["a" * 16, "a" * 16, "a" * 8]


def test_what_follows_a_number_stands_under_its_beginning() -> None:
    assert wrap("1. あいうえおかきくけこ", 6.5, width) == [(0.0, "1. あいうえお"), (1.5, "かきくけこ")]


@given(st.text(max_size=300).map(lambda text: drawable(text).replace("\n", "")), st.integers(4, 30))
def test_wrapping_loses_nothing_but_blanks_and_stays_inside(text: str, size: int) -> None:
    lines = wrap(text, size, width)
    assert "".join(line for _, line in lines).replace(" ", "") == text.replace(" ", "")
    assert all(indent + width(line) <= size + 1 for indent, line in lines)


@pytest.mark.parametrize("text", ["。" * 4000, "「" * 4000, "a" * 4000, "a。" * 2000, "「a" * 2000, " " * 4000])
def test_the_work_of_wrapping_grows_with_the_text_and_no_faster(text: str) -> None:
    calls = 0

    def counted(piece: str) -> float:
        nonlocal calls
        calls += len(piece)
        return width(piece)

    assert wrap(text, 40, counted)
    assert calls <= 8 * len(text)


@given(st.text(max_size=100))
def test_what_is_drawn_is_in_the_font(text: str) -> None:
    for char in drawable(text):
        encodable = any(_encodes(char, code) for code in ("cp932", "shift_jis", "latin-1"))
        assert char == "\n" or (char.isprintable() and encodable) or char in "\u3000‐‑‒–—•ゔ"


def _encodes(char: str, code: str) -> bool:
    try:
        return bool(char.encode(code))
    except UnicodeEncodeError:
        return False


def test_a_mark_that_is_typed_apart_is_joined_to_its_letter() -> None:
    assert drawable("か\u3099は\u309a") == "がぱ"
    assert drawable("葛\U000e0100城") == "葛城"
    assert drawable("e\u0301") == "é"


def test_what_cannot_be_seen_is_left_out_everywhere() -> None:
    assert plain("a\x00b\u202ec\r\nd\te") == "abc\nd e"
    assert plain("\ud800") == MISSING
    assert drawable("\ue000") == MISSING


def test_a_blank_is_told_from_an_answer_of_the_same_words() -> None:
    rows = [row for section in view("common-2", make_filing(summary="未回答")).sections for row in section.rows]
    lines = {row.label.ja: row.lines[0] for row in rows}
    assert not isinstance(lines["概要"], Blank)
    assert isinstance(lines["発生した日時"], Blank)


def test_the_types_of_event_are_tried_in_the_order_of_the_table() -> None:
    ids = [row["id"] for row in table("documents")["event_types"]]
    for earlier, later in pairwise(["unavailable", "leak", "destruction", "malware", "intrusion", "other"]):
        assert ids.index(earlier) < ids.index(later)
