"""The vault: what is sealed opens only for its own row and key, and a code is found whatever key seals."""

import re
from pathlib import Path
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

import voucherswitch
from support.vault import a_keyring
from voucherswitch.security.keys import Keyring
from voucherswitch.security.sealed import ANSWER, REQUEST, SEALED, TRANSACTION, transaction_context
from voucherswitch.security.vault import UnknownKeyError, Vault, VaultError

BOTH = a_keyring(1, 2)
OLD = Keyring({1: BOTH.sealing[1]}, BOTH.finder)
NEW = Keyring({2: BOTH.sealing[2]}, BOTH.finder)
CODE = "9000000000001231"


@given(st.binary(max_size=2000), st.binary(max_size=40))
def test_what_is_sealed_opens_again_for_the_same_row(plaintext: bytes, context: bytes) -> None:
    vault = Vault(BOTH)
    assert vault.open(vault.seal(plaintext, context), context) == plaintext


def test_another_rows_value_does_not_open() -> None:
    vault = Vault(OLD)
    sealed = vault.seal(b"9000000000001231", b"row 1")
    with pytest.raises(VaultError, match="another row"):
        vault.open(sealed, b"row 2")


@given(st.integers(min_value=0), st.integers(min_value=1, max_value=255))
def test_a_changed_value_does_not_open(position: int, change: int) -> None:
    vault = Vault(BOTH)
    sealed = bytearray(vault.seal(b"9000000000001231", b"row"))
    sealed[position % len(sealed)] ^= change
    with pytest.raises(VaultError):
        vault.open(bytes(sealed), b"row")


@given(st.binary(max_size=60))
def test_garbage_is_refused_with_a_vault_error(garbage: bytes) -> None:
    with pytest.raises(VaultError):
        Vault(OLD).open(garbage, b"row")


def test_sealing_twice_gives_different_bytes_and_never_the_code() -> None:
    vault = Vault(OLD)
    first, second = vault.seal(CODE.encode(), b"row"), vault.seal(CODE.encode(), b"row")
    assert first != second
    assert CODE.encode() not in first


def test_an_older_key_opens_after_a_rotation_and_the_newest_seals() -> None:
    sealed = Vault(OLD).seal(b"code", b"row")
    assert Vault(BOTH).open(sealed, b"row") == b"code"
    assert Vault(BOTH).seal(b"code", b"row")[1] == 2
    with pytest.raises(UnknownKeyError, match="needs vault key 1"):
        Vault(NEW).open(sealed, b"row")


def test_a_key_that_came_later_is_taken_and_seals_when_it_is_told_to() -> None:
    vault = Vault(OLD)
    vault.take(BOTH)
    assert vault.seal(b"code", b"row")[1] == 1
    vault.seal_with(2)
    assert vault.seal(b"code", b"row")[1] == 2
    with pytest.raises(UnknownKeyError):
        vault.seal_with(3)


def test_a_value_of_an_unknown_key_has_the_keys_asked_for_again() -> None:
    sealed = Vault(BOTH).seal(b"code", b"row")
    vault = Vault(OLD)
    vault.when_unknown(lambda: None)
    with pytest.raises(UnknownKeyError):
        vault.open(sealed, b"row")
    vault.when_unknown(lambda: BOTH)
    assert vault.open(sealed, b"row") == b"code"


def test_a_key_that_changed_under_its_id_is_not_taken() -> None:
    vault, other = Vault(OLD), a_keyring(1, 2)
    for changed in (other, Keyring(other.sealing, BOTH.finder), Keyring(BOTH.sealing, other.finder), NEW):
        with pytest.raises(VaultError, match="restore it"):
            vault.take(changed)
    assert vault.key_ids == {1}


def test_a_fingerprint_finds_the_code_whatever_key_seals() -> None:
    """Key 1 can be retired: vouchers are found by a key of their own."""
    assert Vault(OLD).fingerprint(CODE) == Vault(BOTH).fingerprint(CODE) == Vault(NEW).fingerprint(CODE)
    assert Vault(OLD).fingerprint(CODE) != Vault(OLD).fingerprint("9000000000001249")
    assert Vault(OLD).fingerprint(CODE) != Vault(a_keyring(1)).fingerprint(CODE)


def test_a_fingerprint_is_of_the_text_however_its_accents_are_written_and_of_nothing_looser() -> None:
    vault = Vault(OLD)
    assert vault.fingerprint("caf\u00e9-1") == vault.fingerprint("cafe\u0301-1")
    told_apart = {vault.fingerprint(code) for code in ("AB-12", "ab-12", "AB12", "AB 12", " AB-12", "\uff21B-12")}
    assert len(told_apart) == 6


def test_whoever_seals_takes_the_context_from_the_list_that_a_rotation_works_through() -> None:
    """A column that is not listed would stay under its old key, and be lost with it."""
    root = Path(voucherswitch.__file__).parent
    strays = [
        file.name
        for file in root.rglob("*.py")
        if re.search(r"\.seal\(", text := file.read_text()) and "voucherswitch.security.sealed" not in text
    ]
    assert strays == ["vault.py"]
    schema = (root / "journal/migrations/versions/0001_pre_initial.sql").read_text()
    said = set()
    for table, body in re.findall(r"^CREATE TABLE (\w+) \((.*?)^\)", schema, re.MULTILINE | re.DOTALL):
        said |= {(table, column) for column in re.findall(r"^ +(\w+) +bytea\b.*-- sealed", body, re.MULTILINE)}
    assert said == {(table.name, column) for table in SEALED for column in table.columns}


def test_no_key_is_in_a_repr() -> None:
    assert repr(BOTH) == "Keyring([1, 2])"


def test_the_context_of_a_value_names_table_column_and_row() -> None:
    key = uuid4()
    assert transaction_context(key, 3, REQUEST) == TRANSACTION.context("request", key, 3)
    assert transaction_context(key, 3, ANSWER) == TRANSACTION.context("answer", key, 3)
    samples = {"uuid": (key, uuid4()), "smallint": (0, 1), "bigint": (0, 1), "text": ("a", "b")}
    contexts = [
        table.context(column, *(samples[kind][number] for kind in table.key.values()))
        for table in SEALED
        for column in table.columns
        for number in (0, 1)
    ]
    assert len(set(contexts)) == len(contexts)
