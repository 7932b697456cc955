"""The vault's keys, and the text in which people keep them: in a file, in the environment or behind a command.

    voucherswitch vault key
    finder:<base64 of 32 bytes>
    1:<base64 of 32 bytes>
    2:<base64 of 32 bytes>

`finder` makes the fingerprints by which vouchers are found, and never changes. The numbered keys seal: one of them
seals what is new, all of them open. Lines that begin with `#` are notes; where a line break is hard to write, as in
the environment, a semicolon ends a line. Nothing here says a byte of a key in an error, a log or a repr.
"""

import base64
import hashlib
import hmac
import os
import re
from collections.abc import Mapping
from itertools import pairwise
from typing import Final

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

KEY_BYTES: Final = 32
KEY_ID_MAX: Final = 255  # one byte of every sealed value
HEADER: Final = "voucherswitch vault key"
FINDER: Final = "finder"

_LINE: Final = re.compile(r"(finder|[1-9][0-9]{0,2}):([A-Za-z0-9+/]{43}=)")
# A random key has about 30 different bytes; fewer than this happens once in 10^17 keys.
_DIFFERENT_BYTES_MIN: Final = 16


class VaultError(Exception):
    """A key is missing or wrong, or a sealed value does not open. The text says which and what to do."""


class Keyring:
    """The keys of one source. Does not say them: a repr names the ids only."""

    __slots__ = ("finder", "sealing")

    def __init__(self, sealing: Mapping[int, bytes], finder: bytes) -> None:
        self.sealing: Final = dict(sealing)
        self.finder: Final = finder

    def __repr__(self) -> str:
        return f"Keyring({sorted(self.sealing)})"


def new_key() -> bytes:
    """A key from the operating system's random numbers."""
    return os.urandom(KEY_BYTES)


def new_text() -> str:
    """The text of a first finder key and a first sealing key."""
    return f"{HEADER}\n{line_of(FINDER, new_key())}\n{line_of(1, new_key())}\n"


def line_of(key_id: int | str, key: bytes) -> str:
    """One key as a line of the text."""
    return f"{key_id}:{base64.b64encode(key).decode()}"


def parse(text: str, where: str) -> Keyring:
    """Read the text of the keys.

    Args:
        text: as told above.
        where: names the source in errors: "vault key file /etc/…".

    Raises:
        VaultError: it is damaged, or a key is an example, not a secret. One line, without a byte of a key.
    """
    lines = text.replace(";", "\n").splitlines()
    if not lines or lines[0].strip() != HEADER:
        raise VaultError(f"{where} is not a vault key file: its first line must be '{HEADER}'")
    keys: dict[str, bytes] = {}
    for number, raw in enumerate(lines[1:], 2):
        line = raw.strip()
        if not line or line.startswith("#"):
            continue
        found = _LINE.fullmatch(line)
        if found is None or (found[1] != FINDER and int(found[1]) > KEY_ID_MAX):
            raise VaultError(
                f"{where} line {number} is not '<id 1-{KEY_ID_MAX} or {FINDER}>:<base64 of {KEY_BYTES} bytes>'"
            )
        key = base64.b64decode(found[2])
        if found[1] in keys:
            raise VaultError(f"{where} line {number}: key {found[1]} is there twice; take the wrong one out")
        if any(hmac.compare_digest(key, other) for other in keys.values()):
            raise VaultError(f"{where} line {number}: key {found[1]} is the same as another one; make a new one")
        if _is_example(key):
            raise VaultError(f"{where} line {number}: key {found[1]} is an example, not a secret; make a random one")
        keys[found[1]] = key
    finder = keys.pop(FINDER, None)
    if not keys:
        raise VaultError(f"{where} holds no key")
    if finder is None:
        raise VaultError(f"{where} holds no {FINDER} key, by which vouchers are found; restore its line")
    return Keyring({int(key_id): key for key_id, key in keys.items()}, finder)


def check_value(key: bytes) -> str:
    """Six hexadecimal digits by which people tell keys apart and compare copies. They tell nothing of the key."""
    return hmac.new(derive(key, b"check value"), b"", hashlib.sha256).hexdigest()[:6]


def derive(key: bytes, purpose: bytes) -> bytes:
    """A key for one purpose, so that none of them is used for two."""
    return HKDF(algorithm=hashes.SHA256(), length=KEY_BYTES, salt=None, info=b"voucherswitch " + purpose).derive(key)


def _is_example(key: bytes) -> bool:
    """Whether it is a key of a manual: bytes that repeat, bytes that count, or letters."""
    repeats = len(set(key)) < _DIFFERENT_BYTES_MIN
    counts = len({(after - before) % 256 for before, after in pairwise(key)}) == 1
    return repeats or counts or all(0x20 <= byte < 0x7F for byte in key)
