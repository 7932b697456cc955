"""Single sign-on with OpenID Connect: authorization code with PKCE; the identity provider vouches, we decide.

`begin` sends the browser there, `finish` takes what it brings back. An answer counts once, in the browser that began,
with the nonce that we drew, signed by a key of the issuer with an algorithm that we pinned. Anything else is refused
alike; the audit trail says why.
"""

import base64
import hashlib
import json
import re
import secrets
import time
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final
from urllib.parse import urlencode

import msgspec
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import Key, KeySet, import_key
from msgspec import Struct
from pyreqwest.client import Client, ClientBuilder
from pyreqwest.exceptions import PyreqwestError

from voucherswitch.catalogue.store import Connection
from voucherswitch.config.limits import (
    OIDC_ANSWER_BYTES_MAX,
    OIDC_CLOCK_SKEW_S,
    OIDC_FLOW_S,
    OIDC_FLOWS_MAX,
    OIDC_KEPT_S,
    OIDC_WAIT_S,
)
from voucherswitch.config.settings import Settings, SettingsError
from voucherswitch.people import guards, sign_in, users
from voucherswitch.people.audit import Actor
from voucherswitch.people.people import People, PeopleError, Visitor
from voucherswitch.people.roles import NEW_USER_ROLE, ROLES
from voucherswitch.people.sign_in import Answer, Blocked, Refused
from voucherswitch.people.users import User, token_hash

ALGORITHMS: Final = ("RS256", "PS256", "ES256")
_MAKER: Final = Actor(kind="system", id="system:oidc")
_NOT_NAME: Final = re.compile(r"[^a-z0-9._@+-]+")


class Provider(Struct, frozen=True, kw_only=True):
    """The identity provider and what we are to it.

    Attributes:
        issuer: its address, exactly as its tokens name it; https, or loopback.
        redirect_url: where it sends the browser back: the console's `/signin/oidc/callback`.
        roles: the roles of its groups.
        groups_claim: the claim that holds a person's groups.
        strong_acr: values of `acr` that mean a second factor; `amr` with `mfa` always does.
    """

    issuer: str
    client_id: str
    client_secret: str
    redirect_url: str
    roles: Mapping[str, str] = {}
    groups_claim: str = "groups"
    strong_acr: frozenset[str] = frozenset()

    def __repr__(self) -> str:
        return f"Provider(issuer={self.issuer!r}, client_id={self.client_id!r})"

    @classmethod
    def of(cls, settings: Settings) -> "Provider | None":
        """Read from the settings; None: there is none.

        Raises:
            SettingsError: a group has a role that is none.
        """
        if settings.console_oidc_issuer is None or settings.console_oidc_client_secret is None:
            return None
        roles = {group: role for group, _, role in (pair.partition("=") for pair in settings.console_oidc_roles)}
        if unknown := sorted(set(roles.values()) - ROLES.keys()):
            raise SettingsError(
                "console_oidc_roles", "settings", f"there is no built-in role {unknown[0]}", f"set {', '.join(ROLES)}"
            )
        return cls(
            issuer=settings.console_oidc_issuer,
            client_id=settings.console_oidc_client_id,
            client_secret=settings.console_oidc_client_secret.get_secret_value(),
            redirect_url=settings.console_oidc_redirect_url,
            roles=roles,
            groups_claim=settings.console_oidc_groups_claim,
            strong_acr=frozenset(settings.console_oidc_strong_acr),
        )


class OidcError(PeopleError):
    """The identity provider cannot be used now, or does not say what it should. The text says what, for the trail."""


class Begun(Struct, frozen=True):
    """Where to send the browser, and what only it keeps until it is back."""

    url: str
    browser_token: str

    def __repr__(self) -> str:
        return "Begun()"


class _Metadata(Struct):
    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str


class _Tokens(Struct):
    id_token: str


class _Published(Struct):
    keys: list[Any]


def _readable(published: list[Any]) -> list[Key]:
    """The keys of a set that we can read; others are passed over (RFC 7517 §5): they may be of kinds yet to come."""
    keys = []
    for item in published:
        try:
            keys.append(import_key(item if isinstance(item, dict) else {}))
        except (JoseError, ValueError, KeyError, TypeError):
            continue
    return keys


class Oidc:
    """Speaks with one identity provider; keeps its metadata and keys for a while."""

    def __init__(self, provider: Provider) -> None:
        self.provider = provider
        builder = ClientBuilder().timeout(timedelta(seconds=OIDC_WAIT_S)).follow_redirects(False).no_proxy()
        # Also where its metadata send us: the client secret goes to the token endpoint.
        self._client: Client = builder.https_only(provider.issuer.startswith("https:")).build()
        self._kept: dict[str, tuple[float, Any]] = {}

    async def close(self) -> None:
        """Close its connections."""
        await self._client.close()

    async def metadata(self) -> _Metadata:
        """What the issuer publishes about itself.

        Raises:
            OidcError: it cannot be had, or names another issuer.
        """
        address = f"{self.provider.issuer.rstrip('/')}/.well-known/openid-configuration"
        found: _Metadata = await self._get(address, _Metadata)
        if found.issuer != self.provider.issuer:
            raise OidcError(f"the metadata are of another issuer: {found.issuer}")
        return found

    async def redeem(self, code: str, verifier: str) -> Mapping[str, Any]:
        """Exchange a code for the claims of its ID token, its signature and its claims but for the nonce checked.

        Raises:
            OidcError: the code, the token or its signature is not right.
        """
        metadata, provider = await self.metadata(), self.provider
        form = {
            "grant_type": "authorization_code", "code": code, "redirect_uri": provider.redirect_url,
            "code_verifier": verifier, "client_id": provider.client_id,
        }  # fmt: skip
        request = self._client.post(metadata.token_endpoint).basic_auth(provider.client_id, provider.client_secret)
        answer = await self._answer(request.form(form))
        try:
            token = msgspec.json.decode(answer, type=_Tokens).id_token
        except msgspec.MsgspecError as error:
            raise OidcError(f"the token endpoint answered something else: {error}") from None
        return self._claims(token, await self._keys(metadata.jwks_uri, token))

    def _claims(self, token: str, keys: KeySet) -> Mapping[str, Any]:
        try:
            decoded = jwt.decode(token, keys, algorithms=list(ALGORITHMS))
            rules = jwt.JWTClaimsRegistry(
                leeway=OIDC_CLOCK_SKEW_S,
                iss={"essential": True, "value": self.provider.issuer},
                aud={"essential": True, "value": self.provider.client_id},
                exp={"essential": True},
                iat={"essential": True},
                sub={"essential": True},
            )
            rules.validate(decoded.claims)
        except (JoseError, ValueError) as error:
            raise OidcError(f"the ID token does not count: {error}") from None
        party = decoded.claims.get("azp")
        if (isinstance(decoded.claims["aud"], list) and len(decoded.claims["aud"]) > 1 and party is None) or (
            party is not None and party != self.provider.client_id
        ):
            raise OidcError("the ID token is for another party")
        return decoded.claims

    async def _keys(self, address: str, token: str) -> KeySet:
        """The issuer's keys, read anew when the token names one that is not among them."""
        try:
            header = json.loads(base64.urlsafe_b64decode(token.partition(".")[0] + "=="))
            wanted = header.get("kid")
        except (ValueError, AttributeError):
            raise OidcError("the ID token is no token") from None
        published = await self._get(address, _Published)
        if wanted is not None and wanted not in [key.get("kid") for key in published.keys if isinstance(key, dict)]:
            self._kept.pop(address, None)
            published = await self._get(address, _Published)
        return KeySet(_readable(published.keys))

    async def _get(self, address: str, kind: type[Any]) -> Any:
        until, kept = self._kept.get(address, (0.0, None))
        if time.monotonic() < until:
            return kept
        try:
            found = msgspec.json.decode(await self._answer(self._client.get(address)), type=kind)
        except msgspec.MsgspecError as error:
            raise OidcError(f"{address} answered something else: {error}") from None
        self._kept[address] = (time.monotonic() + OIDC_KEPT_S, found)
        return found

    async def _answer(self, request: Any) -> bytes:
        try:
            async with request.build_streamed() as response:
                if response.status != 200:
                    raise OidcError(f"the identity provider answered {response.status}")
                body = b""
                while chunk := await response.body_reader.read(65_536):
                    body += bytes(chunk)
                    if len(body) > OIDC_ANSWER_BYTES_MAX:
                        raise OidcError("the identity provider's answer is too large")
                return body
        except PyreqwestError as error:
            raise OidcError(f"the identity provider cannot be reached: {type(error).__name__}") from None


async def begin(people: People, oidc: Oidc) -> Begun:
    """Begin a sign-on: where to send the browser.

    Raises:
        OidcError: the identity provider cannot be reached, or too many have begun.
    """
    metadata = await oidc.metadata()
    state, browser, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(4))
    async with people.pool.acquire() as connection, connection.transaction():
        await connection.execute("DELETE FROM oidc_flow WHERE expires_at < clock_timestamp()")
        if await connection.fetchval("SELECT count(*) FROM oidc_flow") >= OIDC_FLOWS_MAX:
            raise OidcError("too many sign-ons have begun; try again in a few minutes")
        await connection.execute(
            "INSERT INTO oidc_flow (state_hash, browser_hash, nonce, verifier, expires_at)"
            " VALUES ($1, $2, $3, $4, clock_timestamp() + $5::integer * interval '1 second')",
            token_hash(state), token_hash(browser), nonce, verifier, OIDC_FLOW_S,
        )  # fmt: skip
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    query = {
        "response_type": "code", "client_id": oidc.provider.client_id, "redirect_uri": oidc.provider.redirect_url,
        "scope": "openid profile email", "state": state, "nonce": nonce, "code_challenge": challenge,
        "code_challenge_method": "S256",
    }  # fmt: skip
    join = "&" if "?" in metadata.authorization_endpoint else "?"
    return Begun(f"{metadata.authorization_endpoint}{join}{urlencode(query)}", browser)


async def finish(people: People, oidc: Oidc, state: str, code: str, browser_token: str, visitor: Visitor) -> Answer:
    """Take what the browser brought back; where it counts, a session begins."""
    # Taken out before anything else is asked: an answer counts once, also when what follows fails.
    flow = await people.pool.fetchrow(
        "DELETE FROM oidc_flow WHERE state_hash = $1 AND browser_hash = $2 AND expires_at > clock_timestamp()"
        " RETURNING nonce, verifier",
        token_hash(state), token_hash(browser_token),
    )  # fmt: skip
    try:
        if flow is None:
            raise OidcError("the answer is used up, too late, or of another browser")
        claims = await oidc.redeem(code, flow["verifier"])
        if not isinstance(nonce := claims.get("nonce"), str) or not secrets.compare_digest(
            nonce.encode(), flow["nonce"].encode()
        ):
            raise OidcError("the ID token answers another question")
    except OidcError as error:
        return await _refused(people, visitor, str(error))
    return await _signed_in(people, oidc.provider, claims, visitor)


async def _refused(people: People, visitor: Visitor, why: str) -> Refused | Blocked:
    async with people.pool.acquire() as connection, connection.transaction():
        gates = await guards.hold(connection, people, visitor, f"oidc {visitor.ip}")
        if (shut := gates.address_shut_for) is not None:
            return Blocked(int(shut.total_seconds()) + 1)
        await guards.note_failure(connection, gates, visitor, None)
        await sign_in.note_refused(connection, None, visitor, why)
    return Refused()


async def _signed_in(people: People, provider: Provider, claims: Mapping[str, Any], visitor: Visitor) -> Answer:
    subject = str(claims["sub"])
    async with people.pool.acquire() as connection, connection.transaction():
        user_id = await connection.fetchval(
            "SELECT user_id FROM operator_user WHERE issuer = $1 AND subject = $2 FOR UPDATE", provider.issuer, subject
        )
        user = None if user_id is None else await users.find(connection, user_id)
        why = None
        if user is None:
            try:
                user = await _created(connection, provider, claims, subject)
            except PeopleError as error:
                why = str(error)
        elif not user.enabled:
            why = "user is disabled"
        if user is None or why is not None:
            await sign_in.note_refused(connection, user, visitor, why or "no user")
            return Refused()
        proved = "mfa" in _texts(claims.get("amr")) or claims.get("acr") in provider.strong_acr
        return await sign_in.begun_elsewhere(connection, people, user, visitor, proved=proved)


async def _created(connection: Connection, provider: Provider, claims: Mapping[str, Any], subject: str) -> User:
    """A user for somebody who comes for the first time; never one that is there already, whatever the names."""
    email = claims.get("email") if claims.get("email_verified") is True else None
    wanted = _NOT_NAME.sub("-", str(claims.get("preferred_username") or email or subject).lower()).strip(".-_@+")[:48]
    name = wanted if users.is_name(wanted) else f"sso-{token_hash(subject).hex()[:12]}"
    if await users.find(connection, name) is not None:
        name = f"{name}-{token_hash(f'{provider.issuer} {subject}').hex()[:12]}"
    roles = {provider.roles[group] for group in _texts(claims.get(provider.groups_claim)) if group in provider.roles}
    full_name = "".join(c for c in str(claims.get("name") or name) if c.isprintable())[:200] or name
    return await users.create(
        connection, _MAKER, name=name, full_name=full_name, email=email if isinstance(email, str) else None,
        roles=roles or {NEW_USER_ROLE}, sso=(provider.issuer, subject),
    )  # fmt: skip


def _texts(value: object) -> list[str]:
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []
