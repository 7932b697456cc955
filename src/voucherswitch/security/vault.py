"""The vault: voucher codes, PINs, personal data and credentials are sealed before they reach the database (design §9).

AES-256-GCM with a fresh nonce; the associated data names the row (sealed.py), so that a sealed value copied to another
row does not open. A voucher is found by an HMAC-SHA-256 fingerprint of its code under a key of its own, the finder
(decision 0027). Keys come from outside the database (key_source.py).
"""

import hashlib
import hmac
import os
import unicodedata
from collections.abc import Callable
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from voucherswitch.security.keys import Keyring, VaultError, derive

__all__ = ["UnknownKeyError", "Vault", "VaultError"]

_VERSION: Final = b"\x01"
_NONCE_BYTES: Final = 12
_FINGERPRINT_BYTES: Final = 16  # 128 bits of a keyed hash: no two vouchers share one, and rows stay short


class UnknownKeyError(VaultError):
    """A value was sealed with a key that is not here."""


class Vault:
    """Seals, opens and fingerprints. One key seals; every key opens.

    Keys may be added while it is in use (`take`), and which of them seals may change (`seal_with`).
    """

    def __init__(self, keys: Keyring, current: int | None = None) -> None:
        self._keys = keys
        self._ciphers = _ciphers(keys)
        self._finder = hmac.new(derive(keys.finder, b"fingerprint"), digestmod=hashlib.sha256)
        self._ask_again: Callable[[], Keyring | None] | None = None
        self.seal_with(max(keys.sealing) if current is None else current)

    @property
    def key_ids(self) -> frozenset[int]:
        """The keys that are here."""
        return frozenset(self._ciphers)

    @property
    def current(self) -> int:
        """The key that seals."""
        return self._current

    def seal_with(self, key_id: int) -> None:
        """Seal with this key from now on.

        Raises:
            UnknownKeyError: it is not here.
        """
        if key_id not in self._ciphers:
            raise UnknownKeyError(f"vault key {key_id} is not among the keys {sorted(self._ciphers)}")
        self._current = key_id
        self._prefix, self._cipher = _VERSION + bytes([key_id]), self._ciphers[key_id]

    def take(self, keys: Keyring) -> None:
        """Go on with these keys: those of before without those that were retired, and new ones.

        Raises:
            VaultError: a key has changed, or the one that seals is missing; the keys of before stay.
        """
        same = hmac.compare_digest(keys.finder, self._keys.finder) and all(
            hmac.compare_digest(key, keys.sealing.get(key_id, key)) for key_id, key in self._keys.sealing.items()
        )
        if not same:
            raise VaultError("a vault key has changed under its id; restore it: keys are added and never changed")
        if self._current not in keys.sealing:
            raise VaultError(f"vault key {self._current}, which seals, is gone from its source; restore it")
        self._keys, self._ciphers = keys, _ciphers(keys)

    def when_unknown(self, ask_again: Callable[[], Keyring | None]) -> None:
        """Call this when a value needs a key that is not here; the keys that it returns are taken, None: none."""
        self._ask_again = ask_again

    def seal(self, plaintext: bytes, context: bytes) -> bytes:
        """Encrypt `plaintext` for the row that `context` names. Layout: version, key id, nonce, ciphertext and tag."""
        nonce, prefix = os.urandom(_NONCE_BYTES), self._prefix
        return prefix + nonce + self._cipher.encrypt(nonce, plaintext, prefix + context)

    def seal_under(self, key_id: int, plaintext: bytes, context: bytes) -> bytes:
        """As `seal`, with a key of one's choice."""
        return Vault(self._keys, key_id).seal(plaintext, context)

    def open(self, sealed: bytes, context: bytes) -> bytes:
        """Decrypt a value sealed for the same `context`.

        Raises:
            UnknownKeyError: the key is not here.
            VaultError: the value was changed, or it belongs to another row.
        """
        head, nonce, body = sealed[:2], sealed[2 : 2 + _NONCE_BYTES], sealed[2 + _NONCE_BYTES :]
        if len(body) == 0 or head[:1] != _VERSION:
            raise VaultError("sealed value does not open: it is none of ours")
        cipher = self._ciphers.get(head[1]) or self._asked(head[1])
        try:
            return cipher.decrypt(nonce, body, head + context)
        except InvalidTag as error:
            raise VaultError("sealed value does not open: wrong key, changed value or another row's value") from error

    def fingerprint(self, code: str) -> bytes:
        """Return the keyed hash by which a voucher code is found: 16 bytes, the same for the same code for ever.

        The same code is the same text in Unicode's normal form C. Letter case, spaces and dashes count: a code may have
        any characters, and what one provider prints for reading means another voucher to the next.
        """
        finder = self._finder.copy()
        finder.update(unicodedata.normalize("NFC", code).encode())
        return finder.digest()[:_FINGERPRINT_BYTES]

    def _asked(self, key_id: int) -> AESGCM:
        if self._ask_again is not None and (keys := self._ask_again()) is not None:
            self.take(keys)
        if (cipher := self._ciphers.get(key_id)) is None:
            raise UnknownKeyError(f"sealed value needs vault key {key_id}, which is not here")
        return cipher


def _ciphers(keys: Keyring) -> dict[int, AESGCM]:
    return {key_id: AESGCM(derive(key, b"seal")) for key_id, key in keys.sealing.items()}
