"""The interface as one ASGI application: thirteen operations, the OpenAPI document and the page to try it."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, aclosing, asynccontextmanager, nullcontext
from functools import partial

import structlog
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route
from starlette.types import Receive, Scope

from voucherswitch.catalogue.revocations import RefreshTokens, Revocations, watched_revocations
from voucherswitch.catalogue.snapshot import Catalogue
from voucherswitch.catalogue.token_keys import keep_token_keys
from voucherswitch.config.limits import LATE_ANSWERS_S
from voucherswitch.config.settings import Settings
from voucherswitch.interface import products, redemptions, refunds, vouchers
from voucherswitch.interface.admission import Admission
from voucherswitch.interface.connection import Drain
from voucherswitch.interface.docs_page import CONTENT_SECURITY_POLICY, docs_assets
from voucherswitch.interface.doors import Doors
from voucherswitch.interface.endpoint import NO_SUCH_METHOD, NOT_FOUND, UNEXPECTED, Services
from voucherswitch.interface.gatekeeper import Gatekeeper
from voucherswitch.interface.oauth import endpoints as oauth
from voucherswitch.interface.oauth.endpoints import KEYS_PATH, METADATA_PATH, REVOKE_PATH, TOKEN_PATH
from voucherswitch.interface.oauth.service import TokenService
from voucherswitch.interface.openapi import document_bytes
from voucherswitch.interface.turn import Answering
from voucherswitch.process import Parts, opened
from voucherswitch.saf.express import Express
from voucherswitch.saf.policy import Backoff
from voucherswitch.security.attempts import Attempts
from voucherswitch.security.basic import BasicAuthenticator
from voucherswitch.security.oauth.bearer import BearerAuthenticator
from voucherswitch.security.oauth.claims import LOOSE_TYPES, Expected
from voucherswitch.security.oauth.keys import ALGORITHM, OwnKeys
from voucherswitch.security.oauth.outside import OutsideIssuer
from voucherswitch.security.refusals import RefusalLog
from voucherswitch.switch.deps import Background, Deps
from voucherswitch.switch.exchange import Reply
from voucherswitch.switch.unwritten import Unwritten

log = structlog.get_logger(__name__)

BASE = "/suv/v1"
Endpoint = Callable[[Request], Awaitable[Response]]
ByMethod = Mapping[str, Endpoint]


class Interface(Starlette):
    """Starlette's application, whose operations with a constant path are found by one look (`turn.py`).

    Routes and middlewares, each a call and a closure, cost a sale an eighth of its CPU time.
    """

    operations: Mapping[str, ByMethod] = {}  # by their path

    def answering(self, scope: Scope) -> Answering | None:
        """What answers this request; None: the routes tell."""
        by_method = self.operations.get(scope["path"])
        endpoint = None if by_method is None else by_method.get(scope["method"])
        return None if endpoint is None else partial(self._answer, endpoint, scope)

    async def _answer(self, endpoint: Endpoint, scope: Scope, receive: Receive) -> Response:
        scope["app"] = self
        request = Request(scope, receive)
        try:
            return await endpoint(request)
        except Exception as error:
            return await _unexpected(request, error)


def build_app(settings: Settings, url: str, drain: Drain, doors: Doors) -> Interface:
    """Build the application of one switch worker; it opens its parts when it starts and drains them when it ends."""

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        outside = _outside_issuer(settings)
        basic, refusals = BasicAuthenticator(settings.credential_cache_s, Attempts()), RefusalLog()
        tokens: TokenService | None = None

        async def prepare(stack: AsyncExitStack, parts: Parts) -> None:
            nonlocal tokens
            revocations = await stack.enter_async_context(watched_revocations(parts.pool, settings.catalogue_poll_ms))
            tokens = await _token_service(settings, parts, basic, refusals, revocations, outside)

        async with (
            aclosing(outside) if outside is not None else nullcontext(),
            opened(settings, url, application="switch", prepare=prepare) as parts,
        ):
            parts.catalogue.on_change(doors.refresh)
            await doors.refresh(parts.catalogue.current)
            background, unwritten = Background(), Unwritten()
            deps = Deps(
                journal=parts.journal,
                catalogue=parts.catalogue,
                providers=parts.providers,
                gate=parts.gate,
                express=Express(parts.journal, parts.providers, parts.gate, Backoff.of(settings)),
                background=background,
                unwritten=unwritten,
                answer_margin_s=settings.answer_margin_s,
            )
            app.state.services = Services(
                deps=deps,
                gatekeeper=Gatekeeper(
                    basic if "basic" in settings.authentication else None,
                    None if tokens is None else tokens.bearer,
                    refusals,
                ),
                admission=Admission(
                    settings.in_flight_max,
                    settings.in_flight_per_originator_max,
                    settings.source_requests_per_s,
                    settings.product_lookups_per_s,
                ),
                tokens=tokens,
            )
            yield
            await background.drain(max(drain.left_s, LATE_ANSWERS_S))
            await unwritten.drain(max(drain.left_s, LATE_ANSWERS_S))

    app = Interface(
        routes=_routes(settings),
        lifespan=lifespan,
        exception_handlers={HTTPException: _http_exception, Exception: _unexpected},  # type: ignore[dict-item]  # Starlette types handlers by the base class
    )
    app.router.redirect_slashes = False  # both forms of a path are routed; anything else is unknown
    app.operations = {
        variant: by_method
        for path, by_method in _operations(settings).items()
        if "{" not in path
        for variant in (path, path + "/")
    }
    return app


async def _token_service(
    settings: Settings,
    parts: Parts,
    passwords: BasicAuthenticator,
    refusals: RefusalLog,
    revocations: Revocations,
    outside: OutsideIssuer | None,
) -> TokenService | None:
    """What issues and judges tokens, in step with the catalogue. None: OAuth2 is off."""
    if "oauth2" not in settings.authentication:
        return None
    async with parts.pool.acquire() as connection:
        await keep_token_keys(connection, parts.vault, settings.token_key_days)
    bearer = BearerAuthenticator(Expected(settings.issuer, settings.oauth_audience, (ALGORITHM,)), revocations, outside)

    async def learn(catalogue: Catalogue) -> None:
        bearer.keys = OwnKeys.of(catalogue.token_keys, parts.vault)

    parts.catalogue.on_change(learn)
    await learn(parts.catalogue.current)
    await parts.catalogue.refresh()
    return TokenService(
        issuer=settings.issuer,
        audience=settings.oauth_audience,
        lifetime_s=settings.token_lifetime_s,
        passwords=passwords,
        secrets=BasicAuthenticator(settings.credential_cache_s, Attempts()),  # a client may be named like an originator
        refusals=refusals,
        bearer=bearer,
        log_ins=RefreshTokens(
            parts.pool, settings.refresh_lifetime_s, settings.refresh_grace_s, settings.refresh_tokens_max
        ),
        revocations=revocations,
        certificates=settings.tls_client_certificates != "off" or bool(settings.trusted_edges),
    )


def _outside_issuer(settings: Settings) -> OutsideIssuer | None:
    if settings.oauth_issuer is None or settings.oauth_jwks_url is None:
        return None
    expected = Expected(
        settings.oauth_issuer,
        settings.oauth_audience,
        settings.oauth_algorithms,
        LOOSE_TYPES,
        settings.oauth_originator_claim,
    )
    return OutsideIssuer(expected, settings.oauth_jwks_url)


def _operations(settings: Settings) -> dict[str, ByMethod]:
    """The thirteen operations by their path; the retry has one for each suffix."""
    operations: dict[str, ByMethod] = {
        "/vouchers": {"POST": vouchers.provision_voucher, "GET": vouchers.lookup_voucher_endpoint},
        "/vouchers/confirmations": {"POST": vouchers.confirm_voucher},
        "/vouchers/reversals": {"POST": vouchers.reverse_voucher},
        **{
            f"/vouchers/{{provision_id}}/{suffix}": {"POST": vouchers.retry_provision_voucher}
            for suffix in settings.retry_path_suffixes
        },
        "/redemptions": {"POST": redemptions.redeem_voucher},
        "/redemptions/confirmations": {"POST": redemptions.confirm_redeem},
        "/redemptions/reversals": {"POST": redemptions.reverse_redeem},
        "/redemptions/{request_id}": {"GET": redemptions.lookup_redemption_endpoint},
        "/refunds": {"POST": refunds.refund_voucher},
        "/refunds/confirmations": {"POST": refunds.confirm_refund},
        "/refunds/reversals": {"POST": refunds.reverse_refund},
        "/products": {"GET": products.lookup_products},
    }
    return {BASE + path: by_method for path, by_method in operations.items()}


def _routes(settings: Settings) -> list[BaseRoute]:
    routes: list[BaseRoute] = [
        route for path, by_method in _operations(settings).items() for route in _both_slashes(by_method, path)
    ]
    if "oauth2" in settings.authentication:
        routes.append(Route(TOKEN_PATH, oauth.token, methods=["POST"]))
        routes.append(Route(REVOKE_PATH, oauth.revoke, methods=["POST"]))
        routes.append(Route(KEYS_PATH, oauth.keys, methods=["GET"]))
        routes.append(Route(METADATA_PATH, oauth.metadata, methods=["GET"]))
    routes.append(Route("/openapi.json", _openapi, methods=["GET"]))
    routes.extend(Route(path, _docs, methods=["GET"]) for path in docs_assets())
    return routes


def _both_slashes(by_method: ByMethod, path: str) -> list[BaseRoute]:
    """Every path is accepted with and without a trailing slash; HEAD, which Starlette adds to GET, is not ours.

    One route a path, whatever its methods, so that a 405 names all of them.
    """

    async def endpoint(request: Request) -> Response:
        return await by_method[request.method](request)

    routes = [Route(variant, endpoint, methods=list(by_method)) for variant in (path, path + "/")]
    for route in routes:
        if route.methods is not None:
            route.methods.discard("HEAD")
    return list(routes)


async def _openapi(_: Request) -> Response:
    return Response(document_bytes(), media_type="application/json")


async def _docs(request: Request) -> Response:
    asset = docs_assets()[request.url.path]
    headers = {"Content-Security-Policy": CONTENT_SECURITY_POLICY, "X-Content-Type-Options": "nosniff"}
    return Response(asset.body, media_type=asset.content_type, headers=headers)


async def _http_exception(_: Request, error: HTTPException) -> Response:
    """404 and 405 of the router, in the interface's words."""
    reply: Reply = NO_SUCH_METHOD if error.status_code == 405 else NOT_FOUND
    return Response(reply.body, status_code=reply.status, headers=error.headers, media_type="application/json")


async def _unexpected(request: Request, error: Exception) -> Response:
    log.error("unexpected error", path=request.url.path, exc_info=error)
    return Response(UNEXPECTED.body, status_code=500, media_type="application/json")
