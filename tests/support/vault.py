"""Vaults for tests: with keys of their own, or those of a key file."""

import os
from pathlib import Path

from voucherswitch.security.key_source import FileKeys
from voucherswitch.security.keys import Keyring
from voucherswitch.security.vault import Vault


def a_vault(*key_ids: int) -> Vault:
    """A vault with keys that nobody else has; the highest seals."""
    return Vault(a_keyring(*key_ids or (1,)))


def a_keyring(*key_ids: int) -> Keyring:
    """Random keys."""
    return Keyring({key_id: os.urandom(32) for key_id in key_ids}, os.urandom(32))


def vault_of(path: Path) -> Vault:
    """The vault of a key file, which is made if it is not there."""
    file = FileKeys(path)
    if not path.exists():
        file.create()
    return Vault(file.read())
