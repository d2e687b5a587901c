"""The peers, each installed from PyPI into an environment of its own under `var/bench`, and given the same objects."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from importlib.metadata import version
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import orjson
import psycopg

from bench.client import Target
from bench.databases import Database
from bench.servers import PAGE, Server, basic, granian, settings_in
from exchange.feed import Publication
from exchange.times import rfc3339

_OPENTAXII = ("opentaxii==0.9.3", f"psycopg[binary]=={version('psycopg')}", f"sqlalchemy=={version('sqlalchemy')}")
_MEDALLION = ("medallion==3.0.0",)
_TAXII, _STIX = "application/taxii+json;version=2.1", "application/stix+json;version=2.1"
_START = datetime(2026, 11, 1, tzinfo=UTC)
LATER = "2027-01-01T00:00:00.000000Z"
"""After everything that OpenTAXII holds; it takes no time without a fraction."""


def _environment(cache: Path, name: str, wanted: Sequence[str]) -> Path:
    """The `bin` of an environment with these distributions and our granian; made once, reused later."""
    pip: list[str | Path]
    folder, listed = cache / f"venv-{name}", "\n".join([*wanted, f"granian=={version('granian')}"])
    stamp = folder / "installed.txt"
    if not stamp.exists() or stamp.read_text() != listed:
        subprocess.run([sys.executable, "-m", "venv", "--clear", folder], check=True)
        pip = [folder / "bin" / "python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, *listed.splitlines()], check=True, stderr=subprocess.DEVNULL)
        stamp.write_text(listed)
    return folder / "bin"


# --- OpenTAXII -----------------------------------------------------------------------------------------


@contextmanager
def opentaxii(cache: Path, folder: Path, database: Database, objects: Iterable[Publication]) -> Iterator[Server]:
    """OpenTAXII on PostgreSQL, without its costly password check: the collection is public."""
    binaries = _environment(cache, "opentaxii", _OPENTAXII)
    config = folder / "opentaxii.json"  # YAML reads JSON.
    config.write_text(json.dumps(_opentaxii_config(database)))
    environ = {"OPENTAXII_CONFIG": str(config)}
    subprocess.run([binaries / "opentaxii-add-api-root", "-t", "bench", "--default"], check=True, env=environ)
    root, collection = _fill_opentaxii(database, objects)
    database.analyze()
    settings = settings_in(folder / "opentaxii", None, None)
    with granian(settings, "opentaxii.http:app", environ, binaries / "granian") as started:
        objects_path = f"/taxii2/{root}/collections/{collection}/objects/"
        yield Server(Target("OpenTAXII", settings.taxii_port, objects_path), started, database)


def _opentaxii_config(database: Database) -> dict[str, Any]:
    store = {"db_connection": database.text, "create_tables": True}
    return {
        "auth_api": {"class": "opentaxii.auth.sqldb.SQLDatabaseAPI", "parameters": store | {"secret": uuid4().hex}},
        "taxii1": None,
        "taxii2": {
            "title": "bench",
            "max_content_length": 100_000_000,
            "public_discovery": True,
            "persistence_api": {
                "class": "opentaxii.persistence.sqldb.Taxii2SQLDatabaseAPI",
                "parameters": store,
            },
        },
        "logging": {"opentaxii": "error", "root": "error"},
    }


_COLLECTION = """
    INSERT INTO opentaxii_collection (id, api_root_id, title, is_public, is_public_write)
    SELECT gen_random_uuid(), id, 'bench', true, true FROM opentaxii_api_root RETURNING api_root_id, id"""
_COPY = """
    COPY opentaxii_stixobject (pk, id, collection_id, type, spec_version, date_added, version, serialized_data)
    FROM STDIN"""


def _fill_opentaxii(database: Database, objects: Iterable[Publication]) -> tuple[UUID, UUID]:
    """Its tables as its own code would fill them, without the hour that this would take."""
    with psycopg.connect(database.plain) as db:
        found = db.execute(_COLLECTION).fetchone()
        assert found is not None
        with db.cursor().copy(_COPY) as copy:
            for number, published in enumerate(objects):
                copy.write_row(_opentaxii_row(found[1], number, published))
        return found[0], found[1]


def _opentaxii_row(collection: UUID, number: int, published: Publication) -> tuple[Any, ...]:
    body = orjson.loads(published.body)
    kept = {name: value for name, value in body.items() if name not in {"id", "type", "spec_version"}}
    head = (uuid4(), published.stix_id, collection, published.type, "2.1")
    return (*head, _added(number), published.version, orjson.dumps(kept).decode())


def _added(number: int) -> str:
    """Its page tokens break on a time without a fraction."""
    return rfc3339(_START + timedelta(milliseconds=number, microseconds=1))


# --- medallion -----------------------------------------------------------------------------------------


@contextmanager
def medallion(cache: Path, folder: Path, objects: Sequence[Publication]) -> Iterator[Server]:
    """medallion's memory backend, under its own application."""
    binaries = _environment(cache, "medallion", _MEDALLION)
    config = _medallion_config(folder, objects)
    settings = settings_in(folder / f"medallion-{len(objects)}", None, None)
    app, environ = "bench.apps.medallion_peer:app", {"BENCH_MEDALLION": str(config)}
    with granian(settings, app, environ, binaries / "granian") as started:
        target = Target("medallion", settings.taxii_port, "/bench/collections/council/objects/", basic("user", "pass"))
        yield Server(target, started)


def _medallion_config(folder: Path, objects: Sequence[Publication]) -> Path:
    data, config = folder / "medallion-data.json", folder / "medallion.json"
    information = {"title": "bench", "versions": [_TAXII], "max_content_length": 100_000_000}
    data.write_bytes(
        orjson.dumps({"bench": {"information": information, "collections": [_medallion_collection(objects)]}})
    )
    backend = {"module": "medallion.backends.memory_backend", "module_class": "MemoryBackend", "filename": str(data)}
    config.write_text(json.dumps({"users": {"user": "pass"}, "taxii": {"max_page_size": PAGE}, "backend": backend}))
    return config


def _medallion_collection(objects: Sequence[Publication]) -> dict[str, Any]:
    manifest = [
        {"id": one.stix_id, "date_added": _added(number), "version": one.version, "media_type": _STIX}
        for number, one in enumerate(objects)
    ]
    rights = {"can_read": True, "can_write": True, "media_types": [_STIX]}
    bodies = [orjson.loads(one.body) for one in objects]
    return {"id": "council", "title": "bench"} | rights | {"objects": bodies, "manifest": manifest}
