"""Basic authentication (RFC 7617) of originators, with a memory of verified credentials (design §9).

A password is verified once and then remembered as a keyed hash for minutes, so that authentication costs microseconds a
request. The key is made at start and never leaves the process. A changed password, a disabled originator or another
list of sources counts from the moment this process has read it.

What is remembered belongs to the source that proved it: a stranger cannot try passwords against our memory. While its
originator or its source is locked out for others' failures (attempts.py), the source that proved a password is served.
"""

import asyncio
import base64
import hashlib
import os
import time
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Final, Protocol, TypeVar

from msgspec import Struct

from voucherswitch.config.limits import CREDENTIAL_CACHE_MAX, PASSWORD_CHECKS_MAX, PASSWORD_CHECKS_WAITING_MAX
from voucherswitch.security.attempts import Attempts, Key, pair_key, source_key, user_key
from voucherswitch.security.passwords import decoy_hash, verify_password
from voucherswitch.security.peer import Address, Network
from voucherswitch.security.refusals import Reason, Unproven


class Registered(Protocol):
    """Somebody who may speak to us, as far as authentication cares."""

    @property
    def enabled(self) -> bool: ...
    @property
    def password_hash(self) -> str: ...
    @property
    def sources(self) -> Sequence[Network] | None: ...
    def may_come_from(self, source: Address) -> bool: ...


R = TypeVar("R", bound=Registered)


class ChecksBusyError(Exception):
    """More passwords than we keep waiting are to be checked. Nothing was said about this one."""


class _Verified(Struct, frozen=True):
    """Credentials that were right: until when they need no check, and what they were checked against."""

    until_s: float
    user: str
    password_hash: str
    pair: Key


class BasicAuthenticator:
    """Says who sent a request."""

    def __init__(self, cache_s: int, attempts: Attempts) -> None:
        self._cache_s: Final = cache_s
        self._attempts: Final = attempts
        decoy_hash()  # made now: the first unknown user must not take longer than the next
        self._key: Final = os.urandom(32)
        self._verified: Final[OrderedDict[bytes, _Verified]] = OrderedDict()
        self._checks: Final = asyncio.Semaphore(PASSWORD_CHECKS_MAX)
        self._under_way: Final[dict[tuple[bytes, str], asyncio.Future[bool | None]]] = {}

    async def identify(self, authorization: str | None, registered: Mapping[str, R], source: Address) -> R | Unproven:
        """Return whom of `registered` an Authorization header proves, or why it proves nobody.

        An unknown user, one who may not come from this source and one with a wrong password take equally long (N7).

        Raises:
            ChecksBusyError: too many passwords wait to be checked.
        """
        scheme, _, encoded = (authorization or "").partition(" ")
        if scheme.lower() != "basic" or not encoded:
            return Unproven(Reason.NO_CREDENTIALS)
        # The version tells the 4 bytes of one kind of address from the 16 of the other.
        content = b"%d%b%b" % (source.version, source.packed, encoded.encode())
        mark = hashlib.blake2b(content, key=self._key, digest_size=32).digest()
        known = self._verified.get(mark)
        recognised = False
        if known is not None:
            sender = registered.get(known.user)
            if sender is None or not _counts(known, sender, source):
                del self._verified[mark]
            elif not self._attempts.exhausted(known.pair):
                if time.monotonic() < known.until_s:
                    return sender
                recognised = True
        try:
            user, colon, password = base64.b64decode(encoded, validate=True).decode("utf-8").partition(":")
        except ValueError:  # no base64, not even ASCII, or no UTF-8
            return Unproven(Reason.MALFORMED)
        if not colon:
            return Unproven(Reason.MALFORMED)
        return await self._verify(user, password, registered, source, mark, recognised=recognised)

    async def prove(self, user: str, password: str, registered: Mapping[str, R], source: Address) -> R | Unproven:
        """Return whom a user name and a password prove that came in another way than a header; as `identify`."""
        encoded = base64.b64encode(f"{user}:{password}".encode("utf-8", "surrogatepass")).decode()
        return await self.identify(f"Basic {encoded}", registered, source)

    async def _verify(
        self, user: str, password: str, registered: Mapping[str, R], source: Address, mark: bytes, *, recognised: bool
    ) -> R | Unproven:
        """Check a password that is not remembered, unless nobody listens to who brings it."""
        sender = registered.get(user)
        pair = pair_key(user, source)
        keys: tuple[Key, ...] = (pair, user_key(user))
        if not source.is_loopback:  # where a proxy on this machine hides them, one stranger would lock out all
            keys = (*keys, source_key(source))
        if recognised:
            keys = ()  # what it was checked against has not changed, so it is right
        elif sender is not None and sender.sources is not None and sender.may_come_from(source):
            keys = (pair,)  # strangers elsewhere, and others at its own source, cannot lock it out
        may_speak = sender is not None and sender.enabled and sender.may_come_from(source)
        password_hash = decoy_hash() if sender is None else sender.password_hash
        right = await self._checked(mark, password_hash, password, keys, may_speak=may_speak)
        if right is None:
            self._attempts.guessed(pair)
            return Unproven(Reason.LOCKED_OUT, user)
        if right and sender is not None and may_speak:
            self._attempts.succeeded(pair)
            self._verified.pop(mark, None)
            self._verified[mark] = _Verified(time.monotonic() + self._cache_s, user, sender.password_hash, pair)
            if len(self._verified) > CREDENTIAL_CACHE_MAX:
                self._verified.popitem(last=False)
            return sender
        if sender is None:
            reason = Reason.UNKNOWN
        elif not right:
            reason = Reason.WRONG_PASSWORD
        else:
            reason = Reason.FOREIGN_SOURCE if sender.enabled else Reason.DISABLED
        return Unproven(reason, user, locked_s=self._attempts.locked_s(keys))

    async def _checked(
        self, mark: bytes, password_hash: str, password: str, keys: Sequence[Key], *, may_speak: bool
    ) -> bool | None:
        """Check a password; requests that bring the same one together wait for one check. None: locked out."""
        if self._attempts.locked_s(keys) > 0:
            return None
        check = self._under_way.get((mark, password_hash))
        if check is None:
            if len(self._under_way) >= PASSWORD_CHECKS_WAITING_MAX:
                raise ChecksBusyError(f"{PASSWORD_CHECKS_WAITING_MAX} passwords wait to be checked")
            check = asyncio.ensure_future(self._check(password_hash, password, keys, may_speak=may_speak))
            self._under_way[mark, password_hash] = check
            check.add_done_callback(lambda _: self._under_way.pop((mark, password_hash), None))
        # Shielded: whoever waits and goes away must not take the check from the others.
        return await asyncio.shield(check)

    async def _check(self, password_hash: str, password: str, keys: Sequence[Key], *, may_speak: bool) -> bool | None:
        async with self._checks:
            if self._attempts.locked_s(keys) > 0:  # for the failures of those that were checked before it
                return None
            right = await asyncio.to_thread(verify_password, password_hash, password)
            if not right or not may_speak:  # a right password of no use counts too, or the lock-out would tell it
                self._attempts.failed(keys)
            return right


def _counts(known: _Verified, sender: Registered, source: Address) -> bool:
    """Whether what was verified would be right now, unchecked. Both hashes are ours: comparing them tells nobody."""
    return sender.enabled and sender.password_hash == known.password_hash and sender.may_come_from(source)
