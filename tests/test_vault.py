"""A sealed value opens in its own place, with its own key, unchanged, and not otherwise."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchange.vault import SealBroken, Vault


@pytest.fixture(scope="module")
def vault(tmp_path_factory: pytest.TempPathFactory) -> Vault:
    """A vault with new keys."""
    return Vault.open(tmp_path_factory.mktemp("keys"))


@given(plain=st.binary(max_size=300))
def test_what_was_sealed_opens_in_its_place(vault: Vault, plain: bytes) -> None:
    assert vault.unseal(vault.seal(plain, at="t:1"), at="t:1") == plain


@given(at=st.integers(0, 10_000), bit=st.integers(0, 7))
def test_any_changed_bit_breaks_the_seal(vault: Vault, at: int, bit: int) -> None:
    sealed = bytearray(vault.seal(b"who was hit", at="t:1"))
    sealed[at % len(sealed)] ^= 1 << bit
    with pytest.raises(SealBroken):
        vault.unseal(bytes(sealed), at="t:1")


def test_a_value_moved_to_another_row_does_not_open(vault: Vault) -> None:
    with pytest.raises(SealBroken):
        vault.unseal(vault.seal(b"x", at="t:1"), at="t:2")


def test_keys_are_kept_for_their_owner_alone_and_opened_again(tmp_path: Path) -> None:
    sealed = Vault.open(tmp_path / "keys").seal(b"x", at="t:1")
    assert Vault.open(tmp_path / "keys").unseal(sealed, at="t:1") == b"x"
    assert {stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "keys").iterdir()} == {0o600}
    assert stat.S_IMODE((tmp_path / "keys").stat().st_mode) == 0o700
    with pytest.raises(SealBroken):
        Vault.open(tmp_path / "other").unseal(sealed, at="t:1")
