"""Who may talk to the simulated Netcare: UsernameToken with PasswordDigest, read strictly (providers.md 2.1).

The token itself is the public OASIS UsernameToken Profile 1.0. A digest is good for one message: its nonce counts once,
and its time must be near.
"""

import base64
import binascii
import hmac
import re
from collections import deque
from datetime import datetime
from typing import Final

from msgspec import Struct

from voucherswitch.providers.contract.transport.soap import (
    BASE64_BINARY,
    NONCE_BYTES,
    PASSWORD_DIGEST,
    SECEXT,
    SOAP,
    UTILITY,
    password_digest,
)
from voucherswitch.providers.contract.transport.xml import Element, attributes_of, own_text

USERNAME: Final = "sim-netcare"
PASSWORD: Final = "example-netcare-password"  # noqa: S105 (an invented sample)
SKEW_S: Final = 300
NONCE_LIFE_S: Final = 600
NONCES_MAX: Final = 500_000  # beyond it the oldest are forgotten

_CREATED: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z")
_CHILDREN: Final = [f"{{{SECEXT}}}Username", f"{{{SECEXT}}}Password", f"{{{SECEXT}}}Nonce", f"{{{UTILITY}}}Created"]


class Token(Struct, frozen=True):
    """A token whose digest is right: whether it may still be used is a question of time."""

    nonce: bytes
    created: float


def read_token(header: Element | None) -> Token | None:
    """The token of a message's header; None: none, not exactly one, or a wrong one."""
    security = None if header is None or len(header) != 1 else header[0]
    if security is None or security.tag != f"{{{SECEXT}}}Security":
        return None
    if attributes_of(security) != {f"{{{SOAP}}}mustUnderstand": "1"} or len(security) != 1:
        return None
    token = security[0]
    parts = list(token)
    if token.tag != f"{{{SECEXT}}}UsernameToken" or [part.tag for part in parts] != _CHILDREN:
        return None
    username, password, nonce, created = parts
    if attributes_of(password) != {"Type": PASSWORD_DIGEST} or attributes_of(nonce) != {"EncodingType": BASE64_BINARY}:
        return None
    if own_text(username) != USERNAME or not _CREATED.fullmatch(own_text(created)):
        return None
    try:
        decoded = base64.b64decode(own_text(nonce), validate=True)
        moment = datetime.fromisoformat(own_text(created)).timestamp()
    except (binascii.Error, ValueError):
        return None
    expected = password_digest(decoded, own_text(created), PASSWORD)
    if len(decoded) != NONCE_BYTES or not hmac.compare_digest(expected.encode(), own_text(password).encode()):
        return None
    return Token(decoded, moment)


class Gate:
    """Remembers nonces, and judges the time of a token."""

    def __init__(self) -> None:
        self._seen: dict[bytes, float] = {}
        self._order: deque[bytes] = deque()

    def refuse(self, token: Token | None, now: float) -> str | None:
        """The fault code that a token earns; None: it may pass, once."""
        if token is None or abs(now - token.created) > SKEW_S:
            return "NV-1401"
        while self._order and (len(self._order) > NONCES_MAX or self._seen[self._order[0]] <= now - NONCE_LIFE_S):
            del self._seen[self._order.popleft()]
        if token.nonce in self._seen:
            return "NV-1403"
        self._seen[token.nonce] = now
        self._order.append(token.nonce)
        return None
