"""Who is asking, and the vault for what nobody may read."""

import asyncio
import hashlib
import hmac
import os
from typing import Annotated

from argon2 import PasswordHasher
from argon2.exceptions import VerificationError
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from fastapi import Depends, HTTPException, status
from fastapi.concurrency import run_in_threadpool
from fastapi.security import HTTPBasic, HTTPBasicCredentials

from bench.conventional.settings import Settings, get_settings

basic = HTTPBasic(realm="suv")
_hasher = PasswordHasher()
_remembered: dict[str, bytes] = {}  # user -> keyed hash of the password that was verified
_one_at_a_time = asyncio.Lock()
_remembering_key = os.urandom(32)


async def current_user(
    credentials: Annotated[HTTPBasicCredentials, Depends(basic)], settings: Annotated[Settings, Depends(get_settings)]
) -> str:
    """Return the user name, verified; argon2 runs once per user and process, off the event loop."""
    digest = hmac.digest(_remembering_key, credentials.password.encode(), hashlib.sha256)
    if _is_remembered(credentials.username, digest):
        return credentials.username
    async with _one_at_a_time:  # else the first requests of a fresh process would all hash at once
        if _is_remembered(credentials.username, digest):
            return credentials.username
        right = await run_in_threadpool(_verified, settings.password_hash.get_secret_value(), credentials.password)
        if not right or credentials.username != settings.user:
            raise HTTPException(
                status.HTTP_401_UNAUTHORIZED, headers={"WWW-Authenticate": 'Basic realm="suv", charset="UTF-8"'}
            )
        _remembered[credentials.username] = digest
    return credentials.username


def _is_remembered(user: str, digest: bytes) -> bool:
    return hmac.compare_digest(_remembered.get(user, b""), digest)


def _verified(password_hash: str, password: str) -> bool:
    try:
        return _hasher.verify(password_hash, password)
    except VerificationError:
        return False


class Vault:
    """AES-256-GCM for what must be read again, HMAC for what must only be found again."""

    def __init__(self, key: bytes) -> None:
        self._cipher = AESGCM(key)
        self._fingerprint_key = hmac.digest(key, b"fingerprint", hashlib.sha256)

    def seal(self, plain: bytes, context: bytes) -> bytes:
        """Encrypt; the result can be opened only with the same context."""
        nonce = os.urandom(12)
        return b"\x01" + nonce + self._cipher.encrypt(nonce, plain, context)

    def fingerprint(self, code: str) -> bytes:
        """Return the same 32 bytes for the same code."""
        return hmac.digest(self._fingerprint_key, code.encode(), hashlib.sha256)
