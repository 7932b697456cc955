"""Where the vault's keys come from: a file, the environment, a command. Errors are one line and tell no key."""

import base64
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from voucherswitch.cli import sandbox
from voucherswitch.config.settings import Settings, SettingsError
from voucherswitch.security import key_source
from voucherswitch.security.key_source import CommandKeys, EnvironmentKeys, FileKeys, KeySource, source_of
from voucherswitch.security.keys import HEADER, Keyring, VaultError, check_value, new_text, parse

TEXT = new_text()
A_KEY = base64.b64encode(os.urandom(32)).decode()


def made(path: Path, text: str = TEXT) -> FileKeys:
    path.touch(mode=0o600)
    path.write_text(text)
    return FileKeys(path)


def printing(text: str, *, then: str = "") -> CommandKeys:
    return CommandKeys((sys.executable, "-c", f"print({text!r}, flush=True); {then}"))


def same(one: Keyring, other: Keyring) -> bool:
    return (one.sealing, one.finder) == (other.sealing, other.finder)


def test_file_environment_and_command_give_the_same_keys(tmp_path: Path) -> None:
    keys = made(tmp_path / "vault.key").read()
    assert list(keys.sealing) == [1]
    for source in (EnvironmentKeys(TEXT), EnvironmentKeys(TEXT.replace("\n", ";")), printing(TEXT)):
        assert same(source.read(), keys)


def test_a_missing_file_is_made_for_its_owner_only_and_never_replaced(tmp_path: Path) -> None:
    file = FileKeys(tmp_path / "new" / "vault.key")
    assert file.create()
    keys = file.read()
    assert file.path.stat().st_mode & 0o777 == 0o600
    assert not file.create()
    assert same(file.read(), keys)
    assert list(file.path.parent.iterdir()) == [file.path]


def test_keys_are_added_and_removed_and_the_others_stay(tmp_path: Path) -> None:
    file = made(tmp_path / "vault.key", f"{TEXT}# made by hand")
    before = file.read()
    file.add(2)
    both = file.read()
    assert (both.finder, both.sealing[1]) == (before.finder, before.sealing[1])
    assert file.path.stat().st_mode & 0o777 == 0o600
    with pytest.raises(VaultError, match="has a key 2 already"):
        file.add(2)
    file.remove(1)
    assert file.read().sealing == {2: both.sealing[2]}
    assert "# made by hand" in file.path.read_text()
    with pytest.raises(VaultError, match="holds no key"):
        file.remove(2)
    assert file.read().sealing == {2: both.sealing[2]}


def test_the_file_behind_a_link_is_changed_and_the_link_stays(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(made(tmp_path / "vault.key").path)
    FileKeys(tmp_path / "link").add(2)
    assert (tmp_path / "link").is_symlink()
    assert list(FileKeys(tmp_path / "vault.key").read().sealing) == [1, 2]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root writes the files of others")
def test_a_file_that_root_changes_stays_its_owners(tmp_path: Path) -> None:
    """`sudo voucherswitch vault add-key` must not lock the service out."""
    file = made(tmp_path / "vault.key")
    os.chown(file.path, 12_345, 12_345)
    file.add(2)
    info = file.path.stat()
    assert (info.st_uid, info.st_gid, info.st_mode & 0o777) == (12_345, 12_345, 0o600)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "is not a vault key file"),
        ("\u00e9", "more than plain letters"),
        (f"{HEADER}\n", "holds no key"),
        (f"{HEADER}\n1:{A_KEY}\n", "holds no finder key"),
        (f"{HEADER}\nfinder:{A_KEY}\n", "holds no key"),
        (f"{HEADER}\n1:short\n", "line 2 is not"),
        (f"{HEADER}\n{A_KEY}\n", "line 2 is not"),
        (f"{HEADER}\n300:{A_KEY}\n", "line 2 is not"),
        (f"{HEADER}\n1:{A_KEY}\n1:{A_KEY}\n", "line 3: key 1 is there twice"),
        (f"{HEADER}\n1:{A_KEY}\n2:{A_KEY}\n", "line 3: key 2 is the same as another one"),
        (f"{HEADER}\n1:{base64.b64encode(bytes(32)).decode()}\n", "line 2: key 1 is an example"),
        (f"{HEADER}\n1:{base64.b64encode(bytes(range(32))).decode()}\n", "line 2: key 1 is an example"),
        (f"{HEADER}\n1:{base64.b64encode(b'this is not a random key at all!').decode()}\n", "key 1 is an example"),
        (f"{HEADER}\n" + "#" * 70_000, "more than 65536 bytes"),
    ],
    ids=range(14),  # the texts hold keys made at random, and names must be the same in every process
)
def test_a_damaged_text_is_named_in_one_line_without_a_key(tmp_path: Path, text: str, complaint: str) -> None:
    sources: list[KeySource] = [made(tmp_path / "vault.key", text), printing(text)]
    for source in sources:
        with pytest.raises(VaultError, match=complaint) as raised:
            source.read()
        error: BaseException | None = raised.value
        assert source.where in str(error)
        while error is not None:
            assert A_KEY not in repr(error)
            assert "\n" not in str(error)
            error = error.__cause__ or error.__context__


def test_a_file_that_others_can_read_or_that_is_none_is_refused(tmp_path: Path) -> None:
    file = made(tmp_path / "vault.key")
    file.path.chmod(0o640)
    with pytest.raises(VaultError, match="chmod 600"):
        file.read()
    with pytest.raises(VaultError, match="cannot be read"):
        FileKeys(tmp_path / "nothing").read()
    os.mkfifo(tmp_path / "pipe", 0o600)
    with pytest.raises(VaultError, match="is not a file"):
        FileKeys(tmp_path / "pipe").read()


def test_a_command_that_fails_hangs_or_never_stops_is_named_and_its_output_is_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(key_source, "VAULT_KEY_COMMAND_S", 1.0)
    for source, complaint in (
        (printing(TEXT, then="raise SystemExit(3)"), "ended with 3"),
        (printing(TEXT, then="import time; time.sleep(60)"), "did not end within 1 s"),
        (CommandKeys(("/bin/sh", "-c", "sleep 60 & echo started")), "did not end within 1 s"),
        (CommandKeys(("yes", A_KEY)), "more than 65536 bytes"),
        (CommandKeys(("/no/such/program", A_KEY)), "cannot be started"),
    ):
        with pytest.raises(VaultError, match=complaint) as raised:
            source.read()
        assert A_KEY not in str(raised.value)
        assert TEXT.splitlines()[2] not in str(raised.value)


def test_a_command_is_run_without_a_shell(tmp_path: Path) -> None:
    source = CommandKeys(("echo", f"$(touch {tmp_path}/made)", ";", "touch", f"{tmp_path}/made"))
    with pytest.raises(VaultError, match="is not a vault key file"):
        source.read()
    assert not (tmp_path / "made").exists()


def test_a_check_value_tells_keys_apart_and_is_the_same_for_a_copy() -> None:
    keys = parse(TEXT, "a copy")
    assert check_value(keys.finder) != check_value(keys.sealing[1])
    assert check_value(keys.finder) == check_value(bytes(keys.finder))


@pytest.fixture
def nothing_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    for variable in list(os.environ):
        if variable.startswith("VOUCHERSWITCH_") or variable == "DATABASE_URL":
            monkeypatch.delenv(variable)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_settings_name_the_source(nothing_set: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert source_of(Settings()).where == f"vault key file {nothing_set}/.voucherswitch/vault.key"
    monkeypatch.setenv("VOUCHERSWITCH_VAULT_KEY_COMMAND", "kms get 'the key'")
    assert Settings().vault_key_command == ("kms", "get", "the key")
    assert source_of(Settings(environment="production")).where == "vault key command kms"
    monkeypatch.delenv("VOUCHERSWITCH_VAULT_KEY_COMMAND")
    monkeypatch.setenv("VOUCHERSWITCH_VAULT_KEYS", TEXT)
    settings = Settings(environment="production")
    assert source_of(settings).where == "environment variable VOUCHERSWITCH_VAULT_KEYS"
    assert TEXT.splitlines()[2] not in repr(settings)


@pytest.mark.parametrize(
    ("values", "complaint"),
    [
        ({"vault_key_file": "a", "vault_key_command": "b"}, "vault_key_file is set as well"),
        ({"vault_keys": TEXT, "vault_key_command": "b"}, "vault_keys is set as well"),
        ({"environment": "production", "vault_key_file": "/no/such"}, "production makes no key of its own"),
        ({"vault_key_command": "'a secret word"}, "vault_key_command (argument): the value No closing quotation"),
    ],
)
def test_a_wrong_source_is_refused(nothing_set: Path, values: dict[str, Any], complaint: str) -> None:
    with pytest.raises(SettingsError) as raised:
        Settings(**values)
    assert complaint in str(raised.value)
    assert "a secret word" not in str(raised.value)


def test_keys_in_a_settings_file_are_refused(nothing_set: Path) -> None:
    Path("voucherswitch.toml").write_text(f"vault_keys = '''{TEXT}'''\n")
    with pytest.raises(SettingsError, match="does not belong into a settings file") as raised:
        Settings()
    assert TEXT.splitlines()[2] not in str(raised.value)


def test_the_sandbox_gives_keys_in_the_environment_to_nobody_who_seals_nothing(nothing_set: Path) -> None:
    settings = Settings()
    children = (
        *sandbox._simulators(settings, "postgresql://h/db"),
        *sandbox._background(settings, "postgresql://h/db"),
    )
    kept = {child.name for child in children if child.env.get("VOUCHERSWITCH_VAULT_KEYS", TEXT) == TEXT}
    assert kept == {"worker"}
