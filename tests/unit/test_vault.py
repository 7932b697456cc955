"""The vault: what is sealed opens only for its own row and key, and its key file is nobody else's."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voucherswitch.security.vault import Vault, VaultError, load_vault

KEYS = {1: b"k" * 32, 2: b"l" * 32}


@given(st.binary(max_size=2000), st.binary(max_size=40))
def test_what_is_sealed_opens_again_for_the_same_row(plaintext: bytes, context: bytes) -> None:
    vault = Vault(KEYS, 2)
    assert vault.open(vault.seal(plaintext, context), context) == plaintext


def test_another_rows_value_does_not_open() -> None:
    vault = Vault(KEYS, 1)
    sealed = vault.seal(b"9000000000001231", b"row 1")
    with pytest.raises(VaultError, match="another row"):
        vault.open(sealed, b"row 2")


@given(st.integers(min_value=0), st.integers(min_value=1, max_value=255))
def test_a_changed_value_does_not_open(position: int, change: int) -> None:
    vault = Vault(KEYS, 1)
    sealed = bytearray(vault.seal(b"9000000000001231", b"row"))
    sealed[position % len(sealed)] ^= change
    with pytest.raises(VaultError):
        vault.open(bytes(sealed), b"row")


@given(st.binary(max_size=60))
def test_garbage_is_refused_with_a_vault_error(garbage: bytes) -> None:
    with pytest.raises(VaultError):
        Vault(KEYS, 1).open(garbage, b"row")


def test_sealing_twice_gives_different_bytes_and_never_the_code() -> None:
    vault = Vault(KEYS, 1)
    first, second = vault.seal(b"9000000000001231", b"row"), vault.seal(b"9000000000001231", b"row")
    assert first != second
    assert b"9000000000001231" not in first


def test_an_older_key_still_opens_after_a_rotation() -> None:
    sealed = Vault({1: KEYS[1]}, 1).seal(b"code", b"row")
    assert Vault(KEYS, 2).open(sealed, b"row") == b"code"
    with pytest.raises(VaultError, match="needs vault key 1"):
        Vault({2: KEYS[2]}, 2).open(sealed, b"row")


def test_a_fingerprint_finds_the_code_after_a_rotation_and_depends_on_the_key() -> None:
    before, after = Vault({1: KEYS[1]}, 1), Vault(KEYS, 2)
    assert before.fingerprint("9000000000001231") == after.fingerprint("9000000000001231")
    assert before.fingerprint("9000000000001231") != before.fingerprint("9000000000001249")
    assert before.fingerprint("x") != Vault({2: KEYS[2]}, 2).fingerprint("x")


def test_a_missing_key_file_is_made_for_its_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "vault.key"
    sealed = load_vault(path, create=True).seal(b"code", b"row")
    assert path.stat().st_mode & 0o777 == 0o600
    assert load_vault(path, create=False).open(sealed, b"row") == b"code"


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (None, "cannot be read"),
        (b"", "is not a vault key file"),
        (b"\xff\xfe", "cannot be read"),
        (b"voucherswitch vault key\n", "holds no key"),
        (b"voucherswitch vault key\n1:short\n", "line 2"),
        (b"voucherswitch vault key\n300:" + b"A" * 43 + b"=\n", "line 2"),
    ],
)
def test_a_damaged_key_file_is_named_in_one_line(tmp_path: Path, content: bytes | None, complaint: str) -> None:
    path = tmp_path / "vault.key"
    if content is not None:
        path.write_bytes(content)
        path.chmod(0o600)
    with pytest.raises(VaultError, match=complaint) as raised:
        load_vault(path, create=False)
    assert str(path) in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_key_file_that_others_can_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "vault.key"
    load_vault(path, create=True)
    path.chmod(0o644)
    with pytest.raises(VaultError, match="chmod 600"):
        load_vault(path, create=False)
