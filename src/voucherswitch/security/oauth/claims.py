"""What a verified token says, and the verification itself (RFC 7519, 8725, 9068).

Nothing of a token is believed before its signature: the header only chooses among keys that we hold already, by their
id, and everything in it that would bring a key along (`jku`, `jwk`, `x5u`, `x5c`) has the token refused.
"""

import base64
import binascii
from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID

import msgspec
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import Key
from joserfc.jws import JWSRegistry
from msgspec import Struct

from voucherswitch.config.limits import TOKEN_CHARS_MAX, TOKEN_CLOCK_SKEW_S, TOKEN_HEADER_CHARS_MAX
from voucherswitch.security.oauth import scopes
from voucherswitch.security.oauth.scopes import Scope

# RFC 9068 names the first; the second is the same with its prefix written out.
ACCESS_TOKEN_TYPES: Final = frozenset({"at+jwt", "application/at+jwt"})
# What most issuers in use write instead, or nothing. What keeps an ID token out there is the audience.
LOOSE_TYPES: Final = ACCESS_TOKEN_TYPES | {"jwt", ""}

_FORBIDDEN: Final = frozenset({"jku", "jwk", "x5u", "x5c", "crit", "b64"})
_CLAIM_CHARS_MAX: Final = 256
_MOMENT_MAX: Final = 1e12


class TokenRefusedError(Exception):
    """A token does not count. The text says why, for our log; its bearer only hears that it does not."""


class Header(Struct, frozen=True):
    """What a token's header says about how to verify it. Not yet believed."""

    kid: str
    alg: str
    type: str


class Expected(Struct, frozen=True):
    """What the tokens of an issuer must be."""

    issuer: str
    audience: str
    algorithms: tuple[str, ...]
    types: frozenset[str] = ACCESS_TOKEN_TYPES
    originator_claim: str = "sub"


class Claims(Struct, frozen=True, kw_only=True):
    """What a token with a right signature says. Times are seconds since 1970.

    `family`, `generation`, `client_id` and `registration` (which of the clients that had this id) are in tokens of our
    own: by them they are revoked. `certificate` is the SHA-256 of the client certificate that it is bound to, hex in
    lower case.
    """

    kid: str
    originator_id: str
    scopes: frozenset[Scope]
    expires_at: float
    issued_at: float
    certificate: str | None = None
    client_id: str | None = None
    registration: int | None = None
    id: UUID | None = None
    family: UUID | None = None
    generation: int | None = None


def header_of(token: str) -> Header:
    """Read a token's header.

    Raises:
        TokenRefusedError: it is not a signed token, or its header holds what none of ours has.
    """
    if len(token) > TOKEN_CHARS_MAX or token.count(".") != 2:
        raise TokenRefusedError("not a signed token")
    encoded = token.partition(".")[0]
    if len(encoded) > TOKEN_HEADER_CHARS_MAX:
        raise TokenRefusedError("its header is too long")
    try:
        header = msgspec.json.decode(base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)), type=dict[str, Any])
    except (msgspec.DecodeError, binascii.Error, UnicodeError, ValueError, RecursionError) as error:
        raise TokenRefusedError("its header cannot be read") from error
    if forbidden := _FORBIDDEN & header.keys():
        raise TokenRefusedError(f"its header has {min(forbidden)}")
    kid, alg, kind = header.get("kid"), header.get("alg"), header.get("typ", "")
    if not isinstance(kid, str) or not isinstance(alg, str) or not isinstance(kind, str):
        raise TokenRefusedError("its header names no key")
    return Header(kid, alg, kind.lower())


def verify(token: str, header: Header, key: Key, expected: Expected, now: float) -> Claims:
    """Verify a token with the key that its header named; about 120 us.

    Args:
        now: seconds since 1970.

    Raises:
        TokenRefusedError: signature, issuer, audience or time is wrong, or a claim is missing.
    """
    if header.alg not in expected.algorithms:
        raise TokenRefusedError("its algorithm is not one of the pinned ones")
    if header.type not in expected.types:
        raise TokenRefusedError("it is not an access token")
    # The names of algorithms are pinned, and the library refuses a key of another type than its algorithm's.
    registry = JWSRegistry(algorithms=expected.algorithms, strict_check_header=False)
    registry.max_header_length = TOKEN_HEADER_CHARS_MAX
    try:
        claims = jwt.decode(token, key, registry=registry).claims
    except (JoseError, ValueError, TypeError, RecursionError) as error:
        raise TokenRefusedError(f"its signature is not the key's ({type(error).__name__})") from error
    if claims.get("iss") != expected.issuer:
        raise TokenRefusedError("another issuer's")
    audience = claims.get("aud")
    if expected.audience not in (audience if isinstance(audience, list) else [audience]):
        raise TokenRefusedError("for another audience")
    expires_at, issued_at = _moment(claims, "exp"), _moment(claims, "iat")
    not_before = _moment(claims, "nbf") if "nbf" in claims else issued_at
    if now >= expires_at:
        raise TokenRefusedError("expired")
    if max(not_before, issued_at) > now + TOKEN_CLOCK_SKEW_S:
        raise TokenRefusedError("not valid yet")
    return Claims(
        kid=header.kid,
        originator_id=_text(claims, expected.originator_claim),
        scopes=scopes.read(_text(claims, "scope") if "scope" in claims else ""),
        expires_at=expires_at,
        issued_at=issued_at,
        certificate=_certificate(claims),
        client_id=_text(claims, "client_id") if "client_id" in claims else None,
        registration=claims["reg"] if isinstance(claims.get("reg"), int) else None,
        id=_uuid(claims, "jti"),
        family=_uuid(claims, "sid"),
        generation=claims["gen"] if isinstance(claims.get("gen"), int) else None,
    )


def thumbprint(fingerprint: str) -> str:
    """A certificate's SHA-256 as `x5t#S256` writes it (RFC 8705 §3.1)."""
    return base64.urlsafe_b64encode(bytes.fromhex(fingerprint)).rstrip(b"=").decode()


def _certificate(claims: Mapping[str, Any]) -> str | None:
    """The certificate that a token is bound to; a binding that we cannot check has the token refused."""
    bound = claims.get("cnf")
    if bound is None:
        return None
    if not isinstance(bound, dict) or set(bound) != {"x5t#S256"} or not isinstance(bound["x5t#S256"], str):
        raise TokenRefusedError("bound to what we cannot check")
    try:
        digest = base64.b64decode(bound["x5t#S256"] + "=", altchars=b"-_", validate=True)
    except (binascii.Error, ValueError) as error:
        raise TokenRefusedError("bound to what we cannot check") from error
    if len(digest) != 32:
        raise TokenRefusedError("bound to what we cannot check")
    return digest.hex()


def _moment(claims: Mapping[str, Any], name: str) -> float:
    value = claims.get(name)
    # NaN, which Python's JSON knows, is not between anything.
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < _MOMENT_MAX:
        raise TokenRefusedError(f"it has no {name}")
    return float(value)


def _text(claims: Mapping[str, Any], name: str) -> str:
    value = claims.get(name)
    if not isinstance(value, str) or not 1 <= len(value) <= (_CLAIM_CHARS_MAX if name != "scope" else TOKEN_CHARS_MAX):
        raise TokenRefusedError(f"it has no {name}")
    return value


def _uuid(claims: Mapping[str, Any], name: str) -> UUID | None:
    value = claims.get(name)
    try:
        return UUID(value) if isinstance(value, str) else None
    except ValueError:  # an outside issuer's ids have shapes of their own, and are not used
        return None
