"""One STIX 2.1 object of each type, with nearly every property it can have, valid in every word."""

from __future__ import annotations

from typing import Any

from exchange.stix import ids

TIME = "2026-11-21T03:04:05.678Z"
LATER = "2026-11-21T03:04:06Z"
SHA256 = "6db12788c37247f2316052e142f42f4b259d6561751e5f401a1ae2a6df9c674b"
MD5 = "79054025255fb1a26e4bc422aef54eb4"
EXTENSION = "extension-definition--71736db5-10db-43d3-b0e3-65cf81601fe1"


def id_of(stix_type: str, number: int = 1, version: int = 4) -> str:
    """An id of that type, the same for the same number."""
    return f"{stix_type}--{number:08x}-3f0c-{version}f6e-8a41-4b0e9d515f0b"


def sdo(stix_type: str, **properties: Any) -> dict[str, Any]:
    """An SDO, SRO or SMO with its common properties."""
    common = {"type": stix_type, "spec_version": "2.1", "id": id_of(stix_type), "created": TIME, "modified": TIME}
    return {**common, **properties}


def sco(stix_type: str, **properties: Any) -> dict[str, Any]:
    """An SCO. Not everything contributes to its id here; nobody may rely on that."""
    return {"type": stix_type, "spec_version": "2.1", "id": id_of(stix_type), **properties}


PHASES = [{"kill_chain_name": "mitre-attack", "phase_name": "execution"}]
SEEN = {"first_seen": "2026-01-01T00:00:00Z", "last_seen": "2026-01-01T00:00:00Z"}
REFERENCES = [
    {"source_name": "a vendor", "description": "a report", "url": "https://a.example/b?c=%20d#e"},
    {"source_name": "cve", "external_id": "CVE-2024-3400", "url": "https://b.example", "hashes": {"SHA-256": SHA256}},
    {"source_name": "capec", "external_id": "CAPEC-98"},
]

_SDOS = [
    sdo(
        "attack-pattern",
        name="Spear phishing",
        description="一通のメール",
        aliases=["a", "b"],
        kill_chain_phases=PHASES,
        external_references=REFERENCES,
        created_by_ref=id_of("identity"),
        revoked=False,
        labels=["one", "two"],
        confidence=50,
        lang="en-US",
        object_marking_refs=[ids.TLP_MARKING["amber"]],
        granular_markings=[
            {
                "marking_ref": ids.TLP_MARKING["red"],
                "selectors": ["description", "aliases.[1]", "external_references.[1].hashes", "id"],
            }
        ],
        extensions={EXTENSION: {"extension_type": "property-extension", "rank": 5, "toxic": ["a"]}},
        x_example_com_score=1.5,
        x_example_com_more={"any": [None, [], {}]},
    ),
    sdo("campaign", name="Green group", objective="money", aliases=["g"], **SEEN),
    sdo("course-of-action", name="Patch", description="soon"),
    sdo("grouping", name="Case 1", context="suspicious-activity", object_refs=[id_of("indicator"), id_of("url")]),
    sdo("identity", name="An operator", identity_class="class", sectors=["energy"], roles=["r"], lang="ja"),
    sdo("incident", name="An incident", extensions={ids.INCIDENT_CORE: {"extension_type": "property-extension"}}),
    sdo(
        "indicator",
        name="A bad file",
        indicator_types=["malicious-activity"],
        pattern=f"[file:hashes.'SHA-256' = '{SHA256}' AND file:size > 5]",
        pattern_type="stix",
        pattern_version="2.1",
        valid_from=TIME,
        valid_until=LATER,
        kill_chain_phases=PHASES,
    ),
    sdo("indicator", pattern="rule a { condition: true }", pattern_type="yara", valid_from=TIME),
    sdo("infrastructure", name="C2", infrastructure_types=["command-and-control"], kill_chain_phases=PHASES, **SEEN),
    sdo(
        "intrusion-set",
        name="Bobcat",
        goals=["theft"],
        resource_level="organization",
        primary_motivation="ideology",
        secondary_motivations=["dominance"],
        **SEEN,
    ),
    sdo("location", region="eastern-asia", country="JP", latitude=35.68, longitude=139, precision=10.5, city="Tokyo"),
    sdo(
        "malware",
        name="Cryptolocker",
        is_family=True,
        malware_types=["ransomware"],
        operating_system_refs=[id_of("software", version=5)],
        architecture_execution_envs=["x86"],
        implementation_languages=["c"],
        capabilities=["exfiltrates-data"],
        sample_refs=[id_of("file"), id_of("artifact")],
        kill_chain_phases=PHASES,
        **SEEN,
    ),
    sdo(
        "malware-analysis",
        product="a-product",
        version="1",
        host_vm_ref=id_of("software"),
        operating_system_ref=id_of("software"),
        installed_software_refs=[id_of("software")],
        modules=["m"],
        submitted=TIME,
        analysis_started=TIME,
        analysis_ended=LATER,
        result="malicious",
        analysis_sco_refs=[id_of("url")],
        sample_ref=id_of("network-traffic"),
    ),
    sdo("note", abstract="a", content="b", authors=["An Author"], object_refs=[id_of("relationship")]),
    sdo(
        "observed-data",
        first_observed="2026-01-01T00:00:00Z",
        last_observed="2026-01-01T00:00:00Z",
        number_observed=1,
        object_refs=[id_of("url"), id_of("relationship")],
    ),
    sdo("opinion", opinion="agree", explanation="e", authors=["An Author"], object_refs=[id_of("campaign")]),
    sdo("report", name="R", report_types=["incident"], published=LATER, object_refs=[id_of("incident")]),
    sdo(
        "threat-actor",
        name="Somebody",
        threat_actor_types=["criminal"],
        roles=["agent"],
        goals=["money"],
        sophistication="expert",
        personal_motivations=["revenge"],
        **SEEN,
    ),
    sdo("tool", name="VNC", tool_types=["remote-access"], tool_version="6", kill_chain_phases=PHASES),
    sdo("vulnerability", name="CVE-2024-3400", external_references=REFERENCES[1:2]),
    sdo(
        "relationship",
        relationship_type="based-on",
        description="d",
        source_ref=id_of("indicator"),
        target_ref=id_of("observed-data"),
        start_time="2026-01-01T00:00:00.121Z",
        stop_time="2026-01-01T00:00:00.123Z",
    ),
    sdo(
        "sighting",
        sighting_of_ref=id_of("malware"),
        count=0,
        observed_data_refs=[id_of("observed-data")],
        where_sighted_refs=[id_of("identity"), id_of("location")],
        summary=False,
        **SEEN,
    ),
]

_SMOS = [
    sdo(
        "language-content",
        object_ref=id_of("report"),
        object_modified=TIME,
        contents={"ja": {"name": "題", "goals": ["", "金"]}, "de-AT": {"name": "Titel"}},
    ),
    {
        "type": "marking-definition",
        "spec_version": "2.1",
        "id": id_of("marking-definition"),
        "created": TIME,
        "definition_type": "statement",
        "definition": {"statement": "Copyright"},
    },
    {
        "type": "marking-definition",
        "spec_version": "2.1",
        "id": id_of("marking-definition", 2),
        "created": TIME,
        "name": "TLP",
        "extensions": {EXTENSION: {"extension_type": "property-extension", "tlp_2_0": "amber+strict"}},
    },
    {
        "type": "marking-definition",
        "spec_version": "2.1",
        "id": "marking-definition--f88d31f6-486f-44da-b317-01333bde0b82",
        "created": "2017-01-20T00:00:00.000Z",
        "definition_type": "tlp",
        "name": "TLP:AMBER",
        "definition": {"tlp": "amber"},
    },
    sdo(
        "extension-definition",
        name="E",
        description="d",
        created_by_ref=id_of("identity"),
        schema="https://a.example/schema.json",
        version="1.0.0",
        extension_types=["property-extension", "toplevel-property-extension"],
        extension_properties=["rank"],
    ),
]

_SCOS = [
    sco(
        "artifact",
        mime_type="image/jpeg",
        payload_bin="VBORw0KGgoAAAA==",
        object_marking_refs=[ids.TLP_MARKING["red"]],
    ),
    sco(
        "artifact",
        url="https://a.example/b.zip",
        hashes={"MD5": MD5, "x_other": "1"},
        encryption_algorithm="mime-type-indicated",
        decryption_key="infected",
    ),
    sco("autonomous-system", number=15139, name="Slime", rir="ARIN"),
    sco(
        "directory",
        path="C:\\Windows",
        path_enc="Shift_JIS",
        ctime=TIME,
        mtime=LATER,
        atime=TIME,
        contains_refs=[id_of("file")],
    ),
    sco("domain-name", value="例え.example", resolves_to_refs=[id_of("ipv4-addr"), id_of("domain-name")]),
    sco("email-addr", value="jane.smith@mail.example", display_name="Jane", belongs_to_ref=id_of("user-account")),
    sco(
        "email-message",
        is_multipart=True,
        date=LATER,
        content_type="multipart/mixed",
        from_ref=id_of("email-addr"),
        sender_ref=id_of("email-addr"),
        to_refs=[id_of("email-addr")],
        cc_refs=[id_of("email-addr", 2)],
        bcc_refs=[id_of("email-addr", 3)],
        message_id="<1@a.example>",
        subject="S",
        received_lines=["from a"],
        additional_header_fields={"Reply-To": ["a@b.example", "c@d.example"], "X-Mailer": "Mutt"},
        body_multipart=[
            {"content_type": "text/plain", "content_disposition": "inline", "body": "Cats"},
            {"content_type": "image/png", "body_raw_ref": id_of("artifact")},
        ],
        raw_email_ref=id_of("artifact"),
    ),
    sco("email-message", is_multipart=False, body="Hello", from_ref=id_of("email-addr")),
    sco(
        "file",
        hashes={"SHA-256": SHA256, "MD5": MD5, "SSDEEP": "3:abc+/:de"},
        size=25536,
        name="foo.dll",
        name_enc="windows-1252",
        magic_number_hex="504B0304",
        mime_type="application/zip",
        ctime=TIME,
        parent_directory_ref=id_of("directory"),
        contains_refs=[id_of("file", 2)],
        content_ref=id_of("artifact"),
        defanged=False,
        extensions={
            "archive-ext": {"contains_refs": [id_of("file"), id_of("directory")], "comment": "c"},
            "ntfs-ext": {"sid": "1", "alternate_data_streams": [{"name": "s", "size": 1, "hashes": {"MD5": MD5}}]},
            "pdf-ext": {"version": "1.7", "is_optimized": True, "document_info_dict": {"Title": "T"}, "pdfid0": "A"},
            "raster-image-ext": {"image_height": 1, "bits_per_pixel": 8, "exif_tags": {"Make": "N", "XResolution": 4}},
            "windows-pebinary-ext": {
                "pe_type": "exe",
                "imphash": MD5,
                "machine_hex": "014c",
                "number_of_sections": 4,
                "time_date_stamp": LATER,
                "file_header_hashes": {"SHA-1": "5374e08903744ceeaedd8f5e1bfc06b2c4688e76"},
                "optional_header": {"magic_hex": "010b", "size_of_code": 512, "hashes": {"MD5": MD5}},
                "sections": [{"name": "CODE", "entropy": 0.06, "size": 1, "hashes": {"MD5": MD5}}],
            },
            "x-example-com-ext": {"foo_val": "foo"},
        },
    ),
    sco(
        "ipv4-addr",
        value="198.51.100.0/24",
        resolves_to_refs=[id_of("mac-addr")],
        belongs_to_refs=[id_of("autonomous-system")],
    ),
    sco("ipv6-addr", value="2001:0db8::1/96", resolves_to_refs=[id_of("mac-addr")]),
    sco("mac-addr", value="d2:fb:49:24:37:18"),
    sco("mutex", name="__CLEANSWEEP__"),
    sco(
        "network-traffic",
        start=TIME,
        end=TIME,
        is_active=False,
        src_ref=id_of("ipv4-addr"),
        dst_ref=id_of("domain-name"),
        src_port=2487,
        dst_port=0,
        protocols=["ipv4", "tcp", "http"],
        src_byte_count=35779,
        dst_packets=1,
        ipfix={"minimumIpTotalLength": 32, "a": "b"},
        src_payload_ref=id_of("artifact"),
        encapsulates_refs=[id_of("network-traffic", 2)],
        encapsulated_by_ref=id_of("network-traffic", 3),
        extensions={
            "http-request-ext": {
                "request_method": "get",
                "request_value": "/download.html",
                "request_version": "http/1.1",
                "request_header": {"Accept-Encoding": ["gzip,deflate"], "Host": ["a.example"]},
                "message_body_length": 5,
                "message_body_data_ref": id_of("artifact"),
            },
            "icmp-ext": {"icmp_type_hex": "08", "icmp_code_hex": "00"},
            "socket-ext": {
                "address_family": "AF_INET",
                "is_listening": True,
                "options": {"SO_ACCEPTCONN": 1},
                "socket_type": "SOCK_STREAM",
                "socket_descriptor": 0,
                "socket_handle": 3,
            },
            "tcp-ext": {"src_flags_hex": "00000002"},
        },
    ),
    sco(
        "process",
        pid=314,
        is_hidden=True,
        created_time=LATER,
        cwd="/",
        command_line="./a -b",
        environment_variables={"PATH": "/bin"},
        opened_connection_refs=[id_of("network-traffic")],
        creator_user_ref=id_of("user-account"),
        image_ref=id_of("file"),
        parent_ref=id_of("process", 2),
        child_refs=[id_of("process", 3)],
        extensions={
            "windows-process-ext": {
                "aslr_enabled": True,
                "priority": "HIGH_PRIORITY_CLASS",
                "integrity_level": "low",
                "startup_info": {"lpDesktop": "d", "cb": 5},
            },
            "windows-service-ext": {
                "service_name": "s",
                "descriptions": ["d"],
                "start_type": "SERVICE_AUTO_START",
                "service_dll_refs": [id_of("file")],
                "service_type": "SERVICE_KERNEL_DRIVER",
                "service_status": "SERVICE_RUNNING",
            },
        },
    ),
    sco(
        "software",
        name="Word",
        cpe="cpe:2.3:a:microsoft:word:2000:*:*:*:*:*:*:*",
        swid="s",
        languages=["en", "ja"],
        vendor="Microsoft",
        version="2002",
    ),
    sco(
        "url",
        value="https://a.example:8080/b?c=d#e",
        granular_markings=[{"marking_ref": ids.TLP_MARKING["red"], "selectors": ["value"]}],
    ),
    sco(
        "user-account",
        user_id="1001",
        account_login="jdoe",
        account_type="unix",
        display_name="J",
        is_service_account=False,
        is_privileged=True,
        can_escalate_privs=True,
        is_disabled=False,
        account_created=LATER,
        account_expires=TIME,
        extensions={"unix-account-ext": {"gid": 1001, "groups": ["wheel"], "home_dir": "/srv/j", "shell": "/bin/sh"}},
    ),
    sco(
        "windows-registry-key",
        key="hkey_local_machine\\system\\bar",
        values=[{"name": "Foo", "data": "qwerty", "data_type": "REG_SZ"}, {"name": ""}],
        modified_time=LATER,
        creator_user_ref=id_of("user-account"),
        number_of_subkeys=2,
    ),
    sco(
        "x509-certificate",
        is_self_signed=True,
        hashes={"SHA-256": SHA256},
        version="3",
        serial_number="36:f7",
        issuer="C=JP",
        validity_not_before=TIME,
        validity_not_after=LATER,
        subject_public_key_exponent=65537,
        x509_v3_extensions={"basic_constraints": "critical", "private_key_usage_period_not_before": LATER},
    ),
]

_CUSTOM = [
    sdo("x-example-com-thing", some_name="a", created_by_ref=id_of("identity")),
    sdo("my-sdo", some_name="a", extensions={EXTENSION: {"extension_type": "new-sdo"}}),
    sco("my-sco", some_name="a", extensions={EXTENSION: {"extension_type": "new-sco"}}),
]

EXAMPLES: list[dict[str, Any]] = [*_SDOS, *_SMOS, *_SCOS, *_CUSTOM]
