"""The token endpoint, the revocation endpoint, our keys, and the document that tells where they are."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final, TypeAlias

import structlog
from msgspec import Struct
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from voucherswitch.catalogue.revocations import Ended, LogIn
from voucherswitch.catalogue.snapshot import OAuthClient, Originator
from voucherswitch.config.limits import RETRY_AFTER_S, TOKEN_KEYS_MAX_AGE_S
from voucherswitch.interface.admission import OverloadedError
from voucherswitch.interface.oauth.form import (
    OAuthError,
    answered,
    client_secret,
    invalid_client,
    invalid_grant,
    invalid_request,
    read_form,
    refused,
)
from voucherswitch.interface.oauth.service import TokenService
from voucherswitch.journal.batcher import DATABASE_TROUBLE
from voucherswitch.security.basic import ChecksBusyError
from voucherswitch.security.oauth import scopes
from voucherswitch.security.oauth.claims import TokenRefusedError
from voucherswitch.security.oauth.issue import Grant
from voucherswitch.security.oauth.keys import NoSigningKeyError
from voucherswitch.security.oauth.scopes import Scope
from voucherswitch.security.peer import PEER, Address, Network, Peer
from voucherswitch.security.refusals import Reason, Unproven

log = structlog.get_logger(__name__)

TOKEN_PATH: Final = "/oauth2/token"  # noqa: S105 - a path
REVOKE_PATH: Final = "/oauth2/revoke"
KEYS_PATH: Final = "/oauth2/jwks"
METADATA_PATH: Final = "/.well-known/oauth-authorization-server"

UNAVAILABLE: Final = OAuthError(
    503, "temporarily_unavailable", "Not available; try again.", {"Retry-After": str(RETRY_AFTER_S)}
)


class Speaker(Struct, frozen=True):
    """A client, as far as authentication cares: it speaks from where its originator may, while both are enabled."""

    client: OAuthClient
    originator: Originator

    @property
    def enabled(self) -> bool:
        return self.client.enabled and self.originator.enabled

    @property
    def password_hash(self) -> str:
        return self.client.secret_hash

    @property
    def sources(self) -> Sequence[Network] | None:
        return self.originator.sources

    def may_come_from(self, source: Address) -> bool:
        return self.originator.may_come_from(source)


class Asking(Struct, frozen=True):
    """A client that has proved who it is, what it asks for, and in whose name."""

    service: TokenService
    form: dict[str, str]
    client: OAuthClient
    originator: Originator
    originators: Mapping[str, Originator]
    peer: Peer


Work: TypeAlias = Callable[[Asking], Awaitable[dict[str, Any]]]


async def token(request: Request) -> Response:
    """POST /oauth2/token."""
    return await _serve(request, _token)


async def revoke(request: Request) -> Response:
    """POST /oauth2/revoke."""
    return await _serve(request, _revoke)


async def _serve(request: Request, work: Work) -> Response:
    services = request.app.state.services
    try:
        services.admission.source(request.scope[PEER].source)
        form = await read_form(request)
        with services.admission.request():
            asking = await _asking(request, form)
            with services.admission.originator(asking.originator.id, asking.originator.requests_per_s):
                return answered(await work(asking))
    except OAuthError as error:
        return refused(error)
    except ClientDisconnect:
        return refused(invalid_request("The body did not come."))
    except (OverloadedError, ChecksBusyError) as error:
        services.admission.note_refusal(str(error))
        return refused(UNAVAILABLE)
    except (NoSigningKeyError, *DATABASE_TROUBLE) as error:
        log.error("no token issued", path=request.url.path, reason=str(error) or type(error).__name__)
        return refused(UNAVAILABLE)
    except Exception:
        log.exception("unexpected error", path=request.url.path)
        return refused(OAuthError(500, "server_error", "Unexpected error."))


async def _asking(request: Request, form: dict[str, str]) -> Asking:
    """Who asks. A source or a certificate that is not the originator's hears what a wrong secret hears."""
    services = request.app.state.services
    service: TokenService = services.tokens
    catalogue = services.deps.snapshot
    proof = client_secret(request, form)
    client = catalogue.oauth_clients.get(proof.client_id)
    registered = {} if client is None else {client.id: Speaker(client, catalogue.originators[client.originator_id])}
    peer: Peer = request.scope[PEER]
    found = await service.secrets.prove(proof.client_id, proof.secret, registered, peer.source)
    if isinstance(found, Unproven):
        service.refusals.note(peer.source, found)
        raise invalid_client()
    if not found.originator.may_present(peer.certificate):
        service.refusals.note(peer.source, Unproven(Reason.CERTIFICATE, found.client.id))
        raise invalid_client()
    return Asking(service, form, found.client, found.originator, catalogue.originators, peer)


async def _token(asking: Asking) -> dict[str, Any]:
    kind = _needed(asking, "grant_type")
    grant = GRANTS.get(kind)
    if grant is None:
        raise OAuthError(400, "unsupported_grant_type", "grant_type is " + ", ".join(GRANTS) + ".")
    if kind not in asking.client.grants:
        raise OAuthError(400, "unauthorized_client", "This client may not use this grant.")
    return await grant(asking)


async def _client_credentials(asking: Asking) -> dict[str, Any]:
    return _issued(asking, _narrowed(asking, asking.client.scopes & asking.originator.scopes), None)


async def _password(asking: Asking) -> dict[str, Any]:
    """The originator's own name and password, besides the client's (N5)."""
    user, password = _needed(asking, "username"), _needed(asking, "password")
    allowed = _narrowed(asking, asking.client.scopes & asking.originator.scopes)
    found = await asking.service.passwords.prove(user, password, asking.originators, asking.peer.source)
    if isinstance(found, Unproven):
        asking.service.refusals.note(asking.peer.source, found)
        raise invalid_grant("User name and password are not right.")
    # Compared after the check: how long it takes must not tell whether the name was right.
    if found.id != asking.originator.id:
        raise invalid_grant("User name and password are not right.")
    if "refresh_token" not in asking.client.grants:
        return _issued(asking, allowed, None)
    log_in = await asking.service.log_ins.begin(found.id, asking.client.id, allowed, found.token_generation)
    if log_in is None:
        raise invalid_grant("User name and password are not right.")
    return _issued(asking, allowed, log_in)


async def _refresh_token(asking: Asking) -> dict[str, Any]:
    log_in = await asking.service.log_ins.exchange(_needed(asking, "refresh_token"), asking.client.id)
    if isinstance(log_in, Ended) and log_in.replayed:
        await asking.service.revocations.add(log_in.family, log_in.originator_id)
        log.warning(
            "refresh token replayed: its log-in is over",
            originator=log_in.originator_id,
            client=asking.client.id,
            source=str(asking.peer.source),
        )
    if not isinstance(log_in, LogIn) or log_in.originator_id != asking.originator.id:
        raise invalid_grant("The refresh token does not count.")
    allowed = log_in.scopes & asking.client.scopes & asking.originator.scopes
    return _issued(asking, _narrowed(asking, allowed), log_in)


def _issued(asking: Asking, allowed: frozenset[Scope], log_in: LogIn | None) -> dict[str, Any]:
    certificate = asking.peer.certificate
    text = asking.service.signed(
        Grant(
            originator_id=asking.originator.id,
            client_id=asking.client.id,
            scopes=allowed,
            registration=asking.client.registration,
            generation=asking.originator.token_generation if log_in is None else log_in.generation,
            family=None if log_in is None else log_in.family,
            certificate=None if certificate is None else certificate.fingerprint,
        )
    )
    answer = {
        "access_token": text,
        "token_type": "Bearer",
        "expires_in": asking.service.lifetime_s,
        "scope": scopes.written(allowed),
    }
    return answer if log_in is None else answer | {"refresh_token": log_in.refresh_token}


def _narrowed(asking: Asking, allowed: frozenset[Scope]) -> frozenset[Scope]:
    """What was asked for, as far as it is allowed; all of that when nothing was said."""
    asked = asking.form.get("scope")
    found = allowed if asked is None else scopes.read(asked) & allowed
    if not found:
        raise OAuthError(400, "invalid_scope", "Nothing of this is allowed to this client.")
    return found


async def _revoke(asking: Asking) -> dict[str, Any]:
    """Take a token back. What is not a token of this client is no error, and nothing happens (RFC 7009 §2.2)."""
    text = _needed(asking, "token")
    service = asking.service
    ended = await service.log_ins.end(text, asking.client.id)
    if ended is not None:
        await service.revocations.add(ended.family, ended.originator_id)
        return {}
    try:
        claims = service.bearer.own_claims(text)
    except TokenRefusedError:
        return {}
    if claims.client_id == asking.client.id and claims.id is not None:
        await service.revocations.add(claims.id, claims.originator_id)
    return {}


def _needed(asking: Asking, name: str) -> str:
    value = asking.form.get(name)
    if value is None:
        raise invalid_request(f"{name} is missing.")
    return value


GRANTS: Final = {
    "client_credentials": _client_credentials,
    "password": _password,
    "refresh_token": _refresh_token,
}

_PUBLIC: Final = {"Cache-Control": f"public, max-age={TOKEN_KEYS_MAX_AGE_S}"}


async def keys(request: Request) -> Response:
    """GET /oauth2/jwks."""
    service: TokenService = request.app.state.services.tokens
    return Response(service.bearer.keys.published, headers=_PUBLIC, media_type="application/jwk-set+json")


async def metadata(request: Request) -> Response:
    """GET /.well-known/oauth-authorization-server (RFC 8414)."""
    service: TokenService = request.app.state.services.tokens
    methods = ["client_secret_basic", "client_secret_post"]
    content = {
        "issuer": service.issuer,
        "token_endpoint": service.issuer + TOKEN_PATH,
        "token_endpoint_auth_methods_supported": methods,
        "revocation_endpoint": service.issuer + REVOKE_PATH,
        "revocation_endpoint_auth_methods_supported": methods,
        "jwks_uri": service.issuer + KEYS_PATH,
        "grant_types_supported": list(GRANTS),
        "response_types_supported": [],
        "scopes_supported": [str(scope) for scope in Scope],
        "tls_client_certificate_bound_access_tokens": service.certificates,
    }
    return answered(content, headers=_PUBLIC)
