"""Bearer tokens (RFC 6750) of originators, with a memory of verified ones.

A token is verified once and then remembered under a keyed hash until it runs out, so that it costs microseconds a
request. What may have changed since is asked every time: the originator, its client, revocations, keys, certificate.
"""

import hashlib
import os
import time
from collections import OrderedDict
from collections.abc import Container, Mapping
from datetime import datetime
from typing import Final, Generic, Protocol, TypeVar
from uuid import UUID

from joserfc.jwk import Key
from msgspec import Struct

from voucherswitch.config.limits import TOKEN_CACHE_MAX, TOKEN_CHARS_MAX
from voucherswitch.security.oauth.claims import Claims, Expected, Header, TokenRefusedError, header_of, verify
from voucherswitch.security.oauth.keys import OwnKeys
from voucherswitch.security.oauth.scopes import Scope
from voucherswitch.security.peer import Address, ClientCertificate, Peer
from voucherswitch.security.refusals import Reason, Unproven


class Subject(Protocol):
    """Somebody in whose name a token may speak."""

    @property
    def enabled(self) -> bool: ...
    @property
    def token_generation(self) -> int: ...
    @property
    def tokens_revoked_at(self) -> datetime | None: ...
    def may_come_from(self, source: Address) -> bool: ...


class Client(Protocol):
    """A program that fetches tokens in somebody's name."""

    @property
    def enabled(self) -> bool: ...
    @property
    def originator_id(self) -> str: ...
    @property
    def registration(self) -> int: ...


S_co = TypeVar("S_co", bound=Subject, covariant=True)


class Known(Protocol[S_co]):
    """What the newest catalogue says about whoever may speak."""

    @property
    def originators(self) -> Mapping[str, S_co]: ...
    @property
    def oauth_clients(self) -> Mapping[str, Client]: ...


class OutsideKeys(Protocol):
    """The keys of an issuer that is not us."""

    @property
    def expected(self) -> Expected: ...

    def known(self, kid: str) -> Key | None:
        """The key, as it is known now."""
        ...

    async def key(self, kid: str) -> Key | None:
        """The key; an unknown one is asked for, if it is not too soon."""
        ...


class Proved(Struct, Generic[S_co], frozen=True):
    """Whom a token proves, and what it may be used for."""

    sender: S_co
    scopes: frozenset[Scope]


class BearerAuthenticator:
    """Says who sent a request.

    Args:
        own: what our own tokens must be.
        revoked: ids of tokens and families of tokens that do not count any more.
        outside: an issuer besides us.
    """

    def __init__(self, own: Expected, revoked: Container[UUID], outside: OutsideKeys | None = None) -> None:
        self._own: Final = own
        self._revoked: Final = revoked
        self._outside: Final = outside
        self.keys = OwnKeys()
        self._secret: Final = os.urandom(32)
        self._verified: OrderedDict[bytes, tuple[Claims, bool]] = OrderedDict()  # hash -> what it says, ours or not

    async def identify(self, token: str, peer: Peer, known: Known[S_co]) -> Proved[S_co] | Unproven:
        """Return whom a token proves, or why it does not count."""
        if len(token) > TOKEN_CHARS_MAX:
            return Unproven(Reason.TOKEN, detail="too long")
        mark = hashlib.blake2b(token.encode(), key=self._secret, digest_size=32).digest()
        found = self._verified.get(mark)
        now = time.time()
        try:
            if found is None:
                header = header_of(token)
                key, expected = await self._key(header)
                # From here to the memory of it nothing waits: requests that bring a token together cost one check.
                found = self._verified.get(mark)
                if found is None:
                    found = verify(token, header, key, expected, now), expected is self._own
                    self._remember(mark, found)
            proved = self._judge(*found, peer.certificate, known, now)
        except TokenRefusedError as refused:
            self._verified.pop(mark, None)
            return Unproven(Reason.TOKEN, None if found is None else found[0].originator_id, detail=str(refused))
        if not proved.sender.may_come_from(peer.source):
            return Unproven(Reason.TOKEN, found[0].originator_id, detail="not from this source")
        return proved

    def own_claims(self, token: str) -> Claims:
        """What a token of ours says, revoked or not.

        Raises:
            TokenRefusedError: it is not one, or it has run out.
        """
        header = header_of(token)
        key = self.keys.verifying.get(header.kid)
        if key is None:
            raise TokenRefusedError("its key is unknown")
        return verify(token, header, key, self._own, time.time())

    async def _key(self, header: Header) -> tuple[Key, Expected]:
        """The key that a header names, and what its owner's tokens must be."""
        own = self.keys.verifying.get(header.kid)
        if own is not None:
            return own, self._own
        theirs = None if self._outside is None else await self._outside.key(header.kid)
        if self._outside is None or theirs is None:
            raise TokenRefusedError("its key is unknown")
        return theirs, self._outside.expected

    def _remember(self, mark: bytes, found: tuple[Claims, bool]) -> None:
        self._verified[mark] = found
        if len(self._verified) > TOKEN_CACHE_MAX:
            self._verified.popitem(last=False)

    def _judge(
        self, claims: Claims, ours: bool, certificate: ClientCertificate | None, known: Known[S_co], now: float
    ) -> Proved[S_co]:
        """Ask everything that may have changed since the token was signed."""
        if now >= claims.expires_at:
            raise TokenRefusedError("expired")
        sender = known.originators.get(claims.originator_id)
        if sender is None or not sender.enabled:
            raise TokenRefusedError("its originator is unknown or disabled")
        if ours:
            self._judge_ours(claims, sender, known)
        else:
            self._judge_theirs(claims, sender)
        if claims.certificate is not None and (certificate is None or certificate.fingerprint != claims.certificate):
            raise TokenRefusedError("bound to another certificate")
        return Proved(sender, claims.scopes)

    def _judge_ours(self, claims: Claims, sender: Subject, known: Known[Subject]) -> None:
        if claims.kid not in self.keys.verifying:
            raise TokenRefusedError("its key was taken back")
        if claims.generation != sender.token_generation:
            raise TokenRefusedError("all tokens of its originator were revoked")
        client = known.oauth_clients.get(claims.client_id or "")
        if client is None or not client.enabled or client.originator_id != claims.originator_id:
            raise TokenRefusedError("its client is unknown or disabled")
        if claims.registration != client.registration:
            raise TokenRefusedError("its client was removed, another one has its id")
        if claims.id is None or claims.id in self._revoked or (claims.family or claims.id) in self._revoked:
            raise TokenRefusedError("revoked")

    def _judge_theirs(self, claims: Claims, sender: Subject) -> None:
        assert self._outside is not None
        if self._outside.known(claims.kid) is None:
            raise TokenRefusedError("its issuer took the key back")
        if sender.tokens_revoked_at is not None and claims.issued_at <= sender.tokens_revoked_at.timestamp():
            raise TokenRefusedError("all tokens of its originator were revoked")
