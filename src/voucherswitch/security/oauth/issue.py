"""Sign an access token (RFC 9068)."""

from typing import Any
from uuid import UUID, uuid4

from joserfc import jwt
from joserfc.jwk import Key
from msgspec import Struct

from voucherswitch.security.oauth import scopes
from voucherswitch.security.oauth.claims import thumbprint
from voucherswitch.security.oauth.keys import ALGORITHM
from voucherswitch.security.oauth.scopes import Scope


class Grant(Struct, frozen=True, kw_only=True):
    """What a token is to say. `certificate` is the fingerprint of the one that it was asked for with."""

    originator_id: str
    client_id: str
    scopes: frozenset[Scope]
    registration: int
    generation: int
    family: UUID | None = None
    certificate: str | None = None


def issue(grant: Grant, signer: tuple[str, Key], issuer: str, audience: str, lifetime_s: int, now: float) -> str:
    """Sign a token that counts from `now` (seconds since 1970) for `lifetime_s`."""
    kid, key = signer
    issued_at = int(now)
    claims: dict[str, Any] = {
        "iss": issuer,
        "sub": grant.originator_id,
        "aud": audience,
        "exp": issued_at + lifetime_s,
        "iat": issued_at,
        "jti": str(uuid4()),
        "client_id": grant.client_id,
        "scope": scopes.written(grant.scopes),
        "reg": grant.registration,
        "gen": grant.generation,
    }
    if grant.family is not None:
        claims["sid"] = str(grant.family)
    if grant.certificate is not None:
        claims["cnf"] = {"x5t#S256": thumbprint(grant.certificate)}
    return jwt.encode({"typ": "at+jwt", "alg": ALGORITHM, "kid": kid}, claims, key, [ALGORITHM])
