"""A changed bit in the audit chain is found and named."""

from __future__ import annotations

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from exchange import audit
from exchange.audit import Verdict
from exchange.db import vault_of
from exchange.stores import Stores
from tests.conftest import NOW

ENTRIES = 6


@pytest.fixture
def chained(stores: Stores) -> Stores:
    """A chain of six, written in three transactions."""
    for start in range(0, ENTRIES, 2):
        with stores.case.transaction() as db:
            for n in (start, start + 1):
                audit.record(db, "test.act", by="worker", subject=n, now=NOW)
    return stores


def verdict(stores: Stores) -> Verdict:
    """What the walk over the chain says."""
    with stores.case.reading() as db:
        return audit.verify(db, vault_of(db))


def change(stores: Stores, statement: str, **values: object) -> None:
    """What an insider does."""
    with stores.case.engine.begin() as connection:
        connection.execute(sa.text(statement), values)


def test_an_untouched_chain_holds(chained: Stores) -> None:
    assert verdict(chained) == Verdict(ENTRIES, None)


@hypothesis_settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    seq=st.integers(1, ENTRIES),
    column=st.sampled_from(["entry", "mac"]),
    where=st.floats(0, 0.999),
    bit=st.integers(0, 6),
)
def test_any_flipped_bit_names_its_entry(chained: Stores, seq: int, column: str, where: float, bit: int) -> None:
    with chained.case.engine.connect() as connection:
        read = sa.text(f"SELECT {column} FROM audit_entry WHERE seq = :seq")
        old = str(connection.execute(read, {"seq": seq}).scalar())
    at = int(where * len(old))
    flipped = chr(ord(old[at]) ^ (1 << bit))
    if flipped == "\0":  # No text column takes it, so no insider can write it.
        return
    change(
        chained,
        f"UPDATE audit_entry SET {column} = :new WHERE seq = :seq",
        new=old[:at] + flipped + old[at + 1 :],
        seq=seq,
    )
    assert verdict(chained).first_bad == seq
    change(chained, f"UPDATE audit_entry SET {column} = :old WHERE seq = :seq", old=old, seq=seq)
    assert verdict(chained).first_bad is None


@pytest.mark.parametrize("seq", range(1, ENTRIES + 1))
def test_a_missing_entry_is_named_also_the_last(chained: Stores, seq: int) -> None:
    change(chained, "DELETE FROM audit_entry WHERE seq = :seq", seq=seq)
    assert verdict(chained).first_bad == seq


def test_two_swapped_entries_are_named(chained: Stores) -> None:
    for old, new in ((2, 99), (3, 2), (99, 3)):
        change(chained, "UPDATE audit_entry SET seq = :new WHERE seq = :old", old=old, new=new)
    assert verdict(chained).first_bad == 2


def test_an_act_whose_transaction_fails_is_not_in_the_chain(chained: Stores) -> None:
    with pytest.raises(RuntimeError), chained.case.transaction() as db:
        audit.record(db, "test.act", by="worker", subject="x", now=NOW)
        raise RuntimeError
    assert verdict(chained) == Verdict(ENTRIES, None)


def test_an_act_in_a_session_that_only_reads_is_a_mistake_and_not_lost_silently(stores: Stores) -> None:
    with pytest.raises(AssertionError, match="needs a transaction"), stores.case.reading() as db:
        audit.record(db, "test.act", by="worker", subject="x", now=NOW)
