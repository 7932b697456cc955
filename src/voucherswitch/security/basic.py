"""Basic authentication (RFC 7617) of originators, with a cache of verified credentials (design §9).

A password is verified once and then remembered as a keyed hash for minutes, so that authentication costs microseconds a
request. The key is made at start and never leaves the process. A changed password, or a disabled originator, counts
from the moment this process has read it.
"""

import asyncio
import base64
import binascii
import hashlib
import os
import time
from collections import OrderedDict
from collections.abc import Mapping
from typing import Protocol, TypeVar

from voucherswitch.config.limits import CREDENTIAL_CACHE_MAX, PASSWORD_CHECKS_MAX
from voucherswitch.security.passwords import decoy_hash, verify_password


class Registered(Protocol):
    """Somebody who may speak to us, as far as authentication cares."""

    @property
    def enabled(self) -> bool: ...
    @property
    def password_hash(self) -> str: ...


R = TypeVar("R", bound=Registered)


class BasicAuthenticator:
    """Says who sent a request."""

    def __init__(self, cache_s: int) -> None:
        self._cache_s = cache_s
        decoy_hash()  # made now: the first unknown user must not take longer than the next
        self._key = os.urandom(32)
        self._verified: OrderedDict[bytes, tuple[float, str, str]] = OrderedDict()  # hash -> until, user, password hash
        self._checks = asyncio.Semaphore(PASSWORD_CHECKS_MAX)
        self._under_way: dict[bytes, asyncio.Future[bool]] = {}

    async def identify(self, authorization: str | None, registered: Mapping[str, R]) -> R | None:
        """Return whom of `registered` an Authorization header proves; None for missing or wrong credentials.

        An unknown user takes as long as a wrong password, and neither is told from the other (N7).
        """
        scheme, _, encoded = (authorization or "").partition(" ")
        if scheme.lower() != "basic" or not encoded:
            return None
        mark = hashlib.blake2b(encoded.encode(), key=self._key, digest_size=32).digest()
        known = self._verified.get(mark)
        if known is not None:
            until, user, password_hash = known
            sender = registered.get(user)
            if (
                time.monotonic() < until
                and sender is not None
                and sender.enabled
                and sender.password_hash == password_hash
            ):
                return sender
            self._verified.pop(mark, None)
        return await self._verify(encoded, mark, registered)

    async def _verify(self, encoded: str, mark: bytes, registered: Mapping[str, R]) -> R | None:
        """Check a password that is not remembered; requests that bring the same one together wait for one check."""
        try:
            user, colon, password = base64.b64decode(encoded, validate=True).decode("utf-8").partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return None
        if not colon:
            return None
        sender = registered.get(user)
        password_hash = decoy_hash() if sender is None else sender.password_hash
        check = self._under_way.get(mark)
        if check is None:
            check = asyncio.ensure_future(self._check(password_hash, password))
            self._under_way[mark] = check
            check.add_done_callback(lambda _: self._under_way.pop(mark, None))
        # Shielded: whoever waits and goes away must not take the check from the others.
        right = await asyncio.shield(check)
        if not right or sender is None or not sender.enabled:
            return None
        self._verified[mark] = (time.monotonic() + self._cache_s, user, password_hash)
        if len(self._verified) > CREDENTIAL_CACHE_MAX:
            self._verified.popitem(last=False)
        return sender

    async def _check(self, password_hash: str, password: str) -> bool:
        async with self._checks:
            return await asyncio.to_thread(verify_password, password_hash, password)
