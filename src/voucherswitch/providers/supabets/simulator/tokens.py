"""How the simulated Supabets judges tokens (providers.md 5.1, 5.7). Proposed protocol; JWT itself is RFC 7519.

It shares no code with the connector's signing: the library verifies, and what the claims must say is checked here anew.
"""

import hashlib
from base64 import urlsafe_b64encode
from collections import deque
from collections.abc import Mapping
from typing import Annotated, Any, Final
from uuid import UUID

import msgspec
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import GuestProtocol, OctKey
from msgspec import Meta, Struct

PARTNER_ID: Final = "vsw-example"
KID: Final = "k1"
SECRET: Final = "example-supabets-secret-0123456789abcdef"  # noqa: S105 (the sample's)

AUDIENCE: Final = "supabets-voucher"
LIFETIME_S_MAX: Final = 60
AHEAD_S_MAX: Final = 30
JTI_KEPT_S: Final = 120
JTIS_KEPT_MAX: Final = 1_000_000
OLD_KEY_S: Final = 600  # how long the key before the last still opens
KEYS_MAX: Final = 16

_BEARER: Final = b"Bearer "
_CLAIMS: Final = frozenset({"iss", "aud", "iat", "exp", "jti", "bh"})


class NewKey(Struct, forbid_unknown_fields=True):
    """`POST /__sim/keys`."""

    kid: Annotated[str, Meta(min_length=1, max_length=40)]
    secret: Annotated[str, Meta(min_length=32)]


class Key(Struct):
    """A key; `until` is the end of its time, None while it is the newest."""

    key: OctKey
    until: float | None = None


class Judged(Struct, frozen=True):
    """A token's verdict: why it is refused, None if it is not; and its id."""

    refusal: str | None
    jti: str = ""


class Tokens:
    """The keys that are valid, and the token ids that were used."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """The first key again, and no token used."""
        self.keys = {KID: Key(OctKey.import_key(SECRET))}
        self.expire_next = False
        self._used: set[str] = set()
        self._order: deque[tuple[float, str]] = deque()

    def rotate(self, wanted: Mapping[str, Any], now: float) -> dict[str, Any]:
        """Take a new key; those before it stay valid for ten minutes."""
        new = msgspec.convert(dict(wanted), NewKey)
        for kid, key in list(self.keys.items()):
            if key.until is None:
                key.until = now + OLD_KEY_S
            elif key.until < now:
                del self.keys[kid]
        if len(self.keys) >= KEYS_MAX and new.kid not in self.keys:
            raise ValueError(f"at most {KEYS_MAX} keys can be valid")
        self.keys[new.kid] = Key(OctKey.import_key(new.secret))
        return {"kids": list(self.keys)}

    def judge(self, authorization: bytes | None, body: bytes, now: float) -> "Judged":
        """Whether a request is authentic. Changes nothing: its token is used up by `use`, when it is processed."""
        claims = self._claims(authorization, now)
        if claims is None:
            return Judged("invalid-token")
        return Judged(self._refusal(claims, body, now), str(claims["jti"]))

    def _refusal(self, claims: dict[str, Any], body: bytes, now: float) -> str | None:
        iat, exp = claims["iat"], claims["exp"]
        if not (type(iat) is int and type(exp) is int and iat < exp <= iat + LIFETIME_S_MAX):
            return "invalid-token"
        if (claims["iss"], claims["aud"]) != (PARTNER_ID, AUDIENCE) or iat > now + AHEAD_S_MAX:
            return "invalid-token"
        if not _is_uuid(claims["jti"]):
            return "invalid-token"
        if exp <= now:
            return "token-expired"
        if claims["bh"] != urlsafe_b64encode(hashlib.sha256(body).digest()).rstrip(b"=").decode():
            return "body-hash"
        return None

    def _claims(self, authorization: bytes | None, now: float) -> dict[str, Any] | None:
        if authorization is None or not authorization.startswith(_BEARER):
            return None

        def key_of(token: GuestProtocol) -> OctKey:
            key = self.keys[token.headers()["kid"]]
            if key.until is not None and now > key.until:
                raise KeyError("the key is out of time")
            return key.key

        try:
            token = jwt.decode(authorization[len(_BEARER) :], key_of, algorithms=["HS256"])
        except (JoseError, ValueError, TypeError, KeyError, RecursionError):
            return None
        if token.header.get("typ") != "JWT" or token.claims.keys() != _CLAIMS:
            return None
        return token.claims

    def use(self, jti: str, now: float) -> str | None:
        """Take a token for good; the refusal if it was taken in the last two minutes, or is ordered to be too old."""
        if self.expire_next:
            self.expire_next = False
            return "token-expired"
        while self._order and (self._order[0][0] < now - JTI_KEPT_S or len(self._order) >= JTIS_KEPT_MAX):
            self._used.discard(self._order.popleft()[1])
        if jti in self._used:
            return "jti-reused"
        self._used.add(jti)
        self._order.append((now, jti))
        return None


def _is_uuid(text: object) -> bool:
    try:
        return isinstance(text, str) and str(UUID(text)) == text
    except ValueError:
        return False
