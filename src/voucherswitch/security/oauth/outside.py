"""The keys of an issuer that is not us: fetched within bounds, kept through outages, asked for when one is new.

Nothing that a token says is ever fetched; the address is a setting. An issuer that cannot be reached leaves its keys as
they were, so that its outage is not ours.
"""

import asyncio
import time
from collections.abc import Callable, Mapping
from datetime import timedelta
from types import MappingProxyType
from typing import Any, Final

import msgspec
import structlog
from joserfc import jwk
from joserfc.errors import JoseError
from joserfc.jwk import Key
from pyreqwest.client import Client, ClientBuilder
from pyreqwest.exceptions import PyreqwestError

from voucherswitch import __version__
from voucherswitch.config.limits import (
    JWKS_AGE_S,
    JWKS_BYTES_MAX,
    JWKS_FETCH_S,
    JWKS_KEYS_MAX,
    JWKS_PAUSE_S,
    TOKEN_HEADER_CHARS_MAX,
)
from voucherswitch.security.oauth.claims import Expected

log = structlog.get_logger(__name__)

_RSA_BITS_MIN: Final = 2048
_KINDS: Final = frozenset({"EC", "RSA", "OKP"})  # never "oct": that would be a shared secret


class KeysUnusableError(Exception):
    """What the issuer publishes cannot be used. The text says why."""


class OutsideIssuer:
    """What the tokens of an outside issuer must be, and its keys.

    Args:
        url: where it publishes them.
        now_s: the monotonic clock.
    """

    def __init__(self, expected: Expected, url: str, now_s: Callable[[], float] = time.monotonic) -> None:
        self.expected: Final = expected
        self._url: Final = url
        self._now_s: Final = now_s
        self._client: Final = _client(https_only=url.startswith("https:"))
        self._keys: Mapping[str, Key] = MappingProxyType({})
        self._asked_s = float("-inf")
        self._fetching: asyncio.Task[None] | None = None

    def known(self, kid: str) -> Key | None:
        """A key, as it is known now; what is known becomes no older than JWKS_AGE_S while the issuer answers."""
        if self._now_s() - self._asked_s >= JWKS_AGE_S:
            self._fetch()
        return self._keys.get(kid)

    async def key(self, kid: str) -> Key | None:
        """A key; for one that is not known the issuer is asked, at most every JWKS_PAUSE_S."""
        found = self.known(kid)
        if found is not None or len(kid) > TOKEN_HEADER_CHARS_MAX:
            return found
        if self._now_s() - self._asked_s >= JWKS_PAUSE_S:
            self._fetch()
        if self._fetching is not None:
            await asyncio.shield(self._fetching)  # whoever waits and goes away must not take it from the others
        return self._keys.get(kid)

    async def aclose(self) -> None:
        """Ask no more."""
        if self._fetching is not None:
            self._fetching.cancel()
            await asyncio.gather(self._fetching, return_exceptions=True)
        await self._client.close()

    def _fetch(self) -> None:
        if self._fetching is None:
            self._asked_s = self._now_s()
            self._fetching = asyncio.create_task(self._learn(), name="keys of the outside issuer")
            self._fetching.add_done_callback(self._fetched)

    def _fetched(self, _: asyncio.Task[None]) -> None:
        self._fetching = None

    async def _learn(self) -> None:
        try:
            async with asyncio.timeout(JWKS_FETCH_S):
                keys = read_keys(await self._read(), self.expected.algorithms)
        except (PyreqwestError, KeysUnusableError, TimeoutError) as error:
            reason = str(error) if isinstance(error, KeysUnusableError) else type(error).__name__
            log.error("keys of the outside issuer not read", url=self._url, reason=reason, kept=len(self._keys))
            return
        if keys.keys() != self._keys.keys():
            log.info("keys of the outside issuer", kids=sorted(keys))
        self._keys = MappingProxyType(keys)

    async def _read(self) -> bytes:
        request = self._client.get(self._url).streamed_read_buffer_limit(JWKS_BYTES_MAX + 1).build_streamed()
        async with request as response:
            if response.status != 200:  # a redirect too: nobody else says where the keys are
                raise KeysUnusableError(f"HTTP {response.status}")
            body = bytearray()
            while (piece := await response.body_reader.read(JWKS_BYTES_MAX + 1 - len(body))) is not None:
                body += bytes(piece)
                if len(body) > JWKS_BYTES_MAX:
                    raise KeysUnusableError(f"more than {JWKS_BYTES_MAX} bytes")
            return bytes(body)


def read_keys(document: bytes, algorithms: tuple[str, ...]) -> dict[str, Key]:
    """Read a key set (RFC 7517); keys for other purposes, or of kinds that are not pinned, are passed over.

    Raises:
        KeysUnusableError: it is none, or has too many keys.
    """
    try:
        content = msgspec.json.decode(document, type=dict[str, Any])
    except (msgspec.DecodeError, RecursionError) as error:
        raise KeysUnusableError("not a key set") from error
    listed = content.get("keys")
    if not isinstance(listed, list) or len(listed) > JWKS_KEYS_MAX:
        raise KeysUnusableError(f"not a key set of at most {JWKS_KEYS_MAX} keys")
    keys: dict[str, Key] = {}
    for item in listed:
        if not isinstance(item, dict) or item.get("use", "sig") != "sig":
            continue
        kid, kind = item.get("kid"), item.get("kty")
        if not isinstance(kid, str) or kid in keys or item.get("alg", algorithms[0]) not in algorithms:
            continue
        if not isinstance(kind, str) or kind not in _KINDS:
            continue
        if kind == "RSA" and _bits(item.get("n")) < _RSA_BITS_MIN:
            continue
        try:
            key = jwk.import_key({name: value for name, value in item.items() if name in _PUBLIC})
        except (JoseError, ValueError, TypeError, KeyError):
            continue
        keys[kid] = key
    return keys


def _bits(modulus: object) -> int:
    """The length of a modulus as a key set writes it, 6 bits a letter; 0 for one that begins with zeros."""
    return len(modulus) * 6 if isinstance(modulus, str) and not modulus.startswith("A") else 0


_PUBLIC: Final = frozenset({"kty", "crv", "x", "y", "n", "e"})


def _client(*, https_only: bool) -> Client:
    return (
        ClientBuilder()
        .http1_only()
        .no_proxy()
        .follow_redirects(False)
        .default_cookie_store(False)
        .gzip(False)
        .brotli(False)
        .zstd(False)
        .deflate(False)
        .https_only(https_only)
        .min_tls_version("TLSv1.2")
        .timeout(timedelta(seconds=JWKS_FETCH_S))
        .user_agent(f"voucherswitch/{__version__}")
        .build()
    )
