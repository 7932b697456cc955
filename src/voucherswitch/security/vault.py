"""The vault: voucher codes, PINs and personal data are sealed before they reach the database (design §9).

AES-256-GCM with a fresh nonce; the associated data names the row, so that a sealed value copied to another row does not
open. A voucher is found by an HMAC-SHA-256 fingerprint of its code under a key derived from the same secret. Keys come
from outside the database: a file that only its owner may read.
"""

import base64
import hashlib
import hmac
import os
import secrets
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

_VERSION: Final = b"\x01"
_NONCE_BYTES: Final = 12
_KEY_BYTES: Final = 32
_FINGERPRINT_BYTES: Final = 16  # 128 bits of a keyed hash: no two vouchers share one, and rows stay short
_HEADER: Final = "voucherswitch vault key"


class VaultError(Exception):
    """A key is missing or wrong, or a sealed value does not open. The text says which and what to do."""


class Vault:
    """Seals, opens and fingerprints with the keys it is given. `current` seals; every key opens."""

    def __init__(self, keys: Mapping[int, bytes], current: int) -> None:
        if current not in keys:
            raise VaultError(f"vault key {current} is not among the keys {sorted(keys)}")
        self._ciphers = {key_id: AESGCM(_derive(key, b"seal")) for key_id, key in keys.items()}
        self._current = current
        self._prefix = _VERSION + bytes([current])
        # The oldest key finds vouchers, so that a rotation of the sealing key leaves every fingerprint valid.
        self._finder = hmac.new(_derive(keys[min(keys)], b"fingerprint"), digestmod=hashlib.sha256)

    def seal(self, plaintext: bytes, context: bytes) -> bytes:
        """Encrypt `plaintext` for the row that `context` names. Layout: version, key id, nonce, ciphertext and tag."""
        nonce = os.urandom(_NONCE_BYTES)
        return self._prefix + nonce + self._ciphers[self._current].encrypt(nonce, plaintext, self._prefix + context)

    def open(self, sealed: bytes, context: bytes) -> bytes:
        """Decrypt a value sealed for the same `context`.

        Raises:
            VaultError: the key is not here, the value was changed, or it belongs to another row.
        """
        head, nonce, body = sealed[:2], sealed[2 : 2 + _NONCE_BYTES], sealed[2 + _NONCE_BYTES :]
        cipher = self._ciphers.get(head[1]) if len(head) == 2 and head[:1] == _VERSION else None
        if cipher is None:
            raise VaultError(f"sealed value needs vault key {head[1] if len(head) == 2 else '?'}, which is not here")
        try:
            return cipher.decrypt(nonce, body, head + context)
        except InvalidTag as error:
            raise VaultError("sealed value does not open: wrong key, changed value or another row's value") from error

    def fingerprint(self, code: str) -> bytes:
        """Return the keyed hash by which a voucher code is found: 16 bytes, the same for the same code for ever."""
        finder = self._finder.copy()
        finder.update(code.encode())
        return finder.digest()[:_FINGERPRINT_BYTES]


def _derive(key: bytes, purpose: bytes) -> bytes:
    return HKDF(algorithm=hashes.SHA256(), length=_KEY_BYTES, salt=None, info=b"voucherswitch " + purpose).derive(key)


def load_vault(path: Path, *, create: bool) -> Vault:
    """Read the key file: a header line, then one `<id>:<base64 of 32 bytes>` a line; the highest id seals.

    With `create`, a missing file is made, readable by its owner only.

    Raises:
        VaultError: the file is missing, unreadable, open to others, or not a key file.
    """
    if create and not path.exists():
        _create(path)
    try:
        mode = path.stat().st_mode
        lines = path.read_text(encoding="ascii").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise VaultError(f"vault key file {path} cannot be read ({error}); restore it or name another one") from error
    if stat.S_IMODE(mode) & 0o077:
        raise VaultError(f"vault key file {path} is open to others; run: chmod 600 {path}")
    if not lines or lines[0] != _HEADER:
        raise VaultError(f"{path} is not a vault key file: its first line must be '{_HEADER}'")
    keys: dict[int, bytes] = {}
    for number, line in enumerate(lines[1:], 2):
        key_id, _, encoded = line.partition(":")
        try:
            key = base64.b64decode(encoded, validate=True)
            if len(key) != _KEY_BYTES or not 1 <= int(key_id) <= 255:
                raise ValueError
        except ValueError as error:
            raise VaultError(f"{path} line {number} is not '<id 1-255>:<base64 of {_KEY_BYTES} bytes>'") from error
        keys[int(key_id)] = key
    if not keys:
        raise VaultError(f"vault key file {path} holds no key")
    return Vault(keys, max(keys))


def _create(path: Path) -> None:
    text = f"{_HEADER}\n1:{base64.b64encode(secrets.token_bytes(_KEY_BYTES)).decode()}\n"
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(draft, path)  # fails if another process was first: then its key stands
    except FileExistsError:
        pass
    finally:
        draft.unlink()
