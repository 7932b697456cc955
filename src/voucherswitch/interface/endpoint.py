"""What every operation does around its flow: admit, identify, read, render, and turn every trouble into an answer.

The order of the checks is the interface's (§3.1). Nothing is written before a message has passed the first five steps.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import datetime
from functools import lru_cache
from typing import TypeAlias

import structlog
from msgspec import Struct
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from voucherswitch.catalogue.snapshot import Originator
from voucherswitch.config.limits import BODY_BYTES_MAX, BODY_READ_S, CONTENT_TYPES_KEPT_MAX, RETRY_AFTER_S
from voucherswitch.interface import errors
from voucherswitch.interface.admission import Admission, OverloadedError
from voucherswitch.interface.decode import FormatErrors
from voucherswitch.interface.gatekeeper import Denied, Gatekeeper
from voucherswitch.interface.ids import id_of
from voucherswitch.interface.oauth.service import TokenService
from voucherswitch.interface.turn import BODY, header_values
from voucherswitch.journal.batcher import JournalError
from voucherswitch.message.codes import ErrorType
from voucherswitch.message.refusals import RecordedRefusal, Refused
from voucherswitch.message.states import Kind
from voucherswitch.message.trace import Trace
from voucherswitch.providers.pool import ProviderBusyError
from voucherswitch.security.oauth.scopes import Scope
from voucherswitch.security.peer import PEER
from voucherswitch.switch.clock import utc_now
from voucherswitch.switch.deps import Deps
from voucherswitch.switch.exchange import Exchange, Renderer, Reply
from voucherswitch.switch.telling import NOT_DURABLE

log = structlog.get_logger(__name__)


class Services(Struct, frozen=True):
    """What the endpoints of one worker share."""

    deps: Deps
    gatekeeper: Gatekeeper
    admission: Admission
    tokens: TokenService | None = None  # None: no tokens are issued


class Incoming(Struct, frozen=True):
    """A request that passed the first three checks, with its body."""

    request: Request
    originator: Originator
    body: bytes
    received_at: datetime
    received_s: float


class Message(Struct, frozen=True, kw_only=True):
    """A valid message on its way to its flow. `kind` is set for creating requests: their refusals are kept (K2)."""

    operation: str
    id: str
    masked: str
    renderer: Renderer
    kind: Kind | None = None
    advice: bool = False


Work: TypeAlias = Callable[[Incoming], Awaitable[Reply]]
Flow: TypeAlias = Callable[[Exchange], Awaitable[Reply]]


async def serve(request: Request, work: Work, needed: Scope, overloaded: Reply | None = None) -> Response:
    """Answer one HTTP request; whatever happens, with the interface's own words.

    `needed` is what a token must allow.
    `overloaded` replaces the 503 of operations about an earlier request, of which 503 would say too much.
    """
    received_at, received_s = utc_now(), time.monotonic()
    services: Services = request.app.state.services
    try:
        services.admission.source(request.scope[PEER].source)
        body = b""
        if request.method == "POST":
            wrong = _wrong_content(request)
            read = wrong or await _read_body(request)
            if isinstance(read, Reply):
                return _response(request, read)
            body = read
        # A place is taken only now: one who sends slowly, or nothing, keeps nobody out.
        with services.admission.request():
            originator = await services.gatekeeper.identify(request, services.deps.snapshot, needed)
            if isinstance(originator, Denied):
                return _denied(originator)
            with services.admission.originator(originator.id, originator.requests_per_s):
                reply = await _answer(Incoming(request, originator, body, received_at, received_s), work)
    except (OverloadedError, ProviderBusyError) as error:
        services.admission.note_refusal(str(error))
        reply = overloaded or OVERLOADED
    except ClientDisconnect:
        reply = TOO_LARGE  # nobody is there to read it, and nothing was begun
    except asyncio.CancelledError:
        # Only the end of a drain cancels requests. Whatever this one had begun is in the journal.
        reply = UNFINISHED
    return _response(request, reply)


async def _answer(incoming: Incoming, work: Work) -> Reply:
    try:
        return await work(incoming)
    except FormatErrors as error:
        return errors.format_error(error)
    except (OverloadedError, ProviderBusyError):
        raise
    except Exception:
        log.exception("unexpected error", path=incoming.request.url.path, originator=incoming.originator.id)
        return UNEXPECTED


async def run(incoming: Incoming, message: Message, flow: Flow) -> Reply:
    """Run a flow for a valid message; render and keep its refusal."""
    deps: Deps = incoming.request.app.state.services.deps
    message_id = id_of(message.id)
    exchange = Exchange(
        operation=message.operation,
        originator=incoming.originator,
        message_id=message_id,
        received_at=incoming.received_at,
        received_s=incoming.received_s,
        masked_request=message.masked,
        renderer=message.renderer,
        trace=Trace(),
        advice_id=message_id if message.advice else None,
    )
    try:
        return await flow(exchange)
    except Refused as refused:
        return await _refuse(refused, message, exchange, deps)
    except (FormatErrors, ProviderBusyError):
        raise
    except JournalError as error:
        # Only what comes before a provider is asked ends here (`OUTCOME_OPEN`): certainly not processed.
        log.error("journal not available", operation=message.operation, id=message.id, reason=str(error))
        return errors.plain(
            503, ErrorType.UPSTREAM_UNAVAILABLE, "Not available; nothing was processed.", RETRY_AFTER_S, message.id
        )
    except Exception:
        # An originator takes 500 for "unknown": it reverses, retries or looks it up, which is right whatever it was.
        log.exception("unexpected error", operation=message.operation, id=message.id)
        return errors.plain(500, ErrorType.GENERAL_ERROR, "Unexpected error.", message_id=message.id)


async def _refuse(refused: Refused, message: Message, exchange: Exchange, deps: Deps) -> Reply:
    """Write the refusal to the audit trail, then answer it."""
    error = RecordedRefusal(refused.refusal, refused.detail)
    reply = errors.render(error, message.id)
    if reply.status == 503 and reply.retry_after_s is None:
        reply = Reply(status=503, body=reply.body, masked=reply.masked, retry_after_s=RETRY_AFTER_S)
    original = refused.detail.original_id if message.advice else None
    about = id_of(original) if original is not None else exchange.message_id
    legs = exchange.legs(reply)
    if refused.refusal is NOT_DURABLE:
        log.error("outcome not recorded", operation=message.operation, id=message.id, reason=str(refused.__cause__))
        # The journal has just failed: one more try to write there must not hold up the answer.
        deps.background.start(deps.journal.record_legs(about, 0, legs), f"trace of {message.id}")
    elif message.kind is not None and refused.refusal.status in (400, 404):
        await deps.journal.record_refusal(about, exchange.originator.id, message.kind, message.operation, error, legs)
    else:
        await deps.journal.record_legs(about, 0, legs)
    return reply


def _wrong_content(request: Request) -> Reply | None:
    if not any(map(_is_json, header_values(request.scope, b"content-type"))):
        return NOT_JSON
    lengths = header_values(request.scope, b"content-length")
    return TOO_LARGE if any(text.isdecimal() and int(text) > BODY_BYTES_MAX for text in lengths) else None


@lru_cache(CONTENT_TYPES_KEPT_MAX)
def _is_json(content_type: str) -> bool:
    media, _, parameters = content_type.partition(";")
    charset = parameters.partition("charset=")[2].strip().strip('"').lower()
    return media.strip().lower() == "application/json" and charset in ("", "utf-8", "utf8")


async def _read_body(request: Request) -> bytes | Reply:
    """Read the body, or refuse it as soon as it is over the bound or takes too long."""
    whole: bytes | None = request.scope.get(BODY)
    if whole is not None:
        return whole if len(whole) <= BODY_BYTES_MAX else TOO_LARGE
    chunks: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(BODY_READ_S):
            async for chunk in request.stream():
                size += len(chunk)
                if size > BODY_BYTES_MAX:
                    return TOO_LARGE
                chunks.append(chunk)
    except TimeoutError:
        return TOO_SLOW
    return b"".join(chunks)


def _denied(denied: Denied) -> Response:
    response = Response(denied.reply.body, status_code=denied.reply.status, media_type="application/json")
    for challenge in denied.challenges:
        response.headers.append("WWW-Authenticate", challenge)
    return response


class Rendered(Response):
    """An answer whose headers are written as they are sent; Starlette makes them from text, for every answer anew."""

    def __init__(self, status: int, body: bytes, headers: list[tuple[bytes, bytes]]) -> None:
        self.status_code, self.body, self.raw_headers, self.background = status, body, headers, None


def _response(request: Request, reply: Reply) -> Response:
    headers: list[tuple[bytes, bytes]] = [(b"content-length", b"%d" % len(reply.body))]
    if reply.body:
        headers.append((b"content-type", b"application/json"))
    if reply.status == 201:
        headers.append((b"location", request.scope["path"].encode()))
    if reply.retry_after_s is not None:
        headers.append((b"retry-after", b"%d" % reply.retry_after_s))
    elif reply.status == 503:
        headers.append((b"retry-after", b"%d" % RETRY_AFTER_S))
    # O6: to HTTP an interim answer has no body and no end; closing is how its sender says that nothing follows.
    if reply.status < 200 or reply.status == 408:
        headers.append((b"connection", b"close"))
    return Rendered(reply.status, reply.body, headers)


NOT_JSON = errors.plain(415, ErrorType.FORMAT_ERROR, "Content-Type must be application/json (UTF-8).")
TOO_LARGE = errors.plain(413, ErrorType.FORMAT_ERROR, f"The body is over {BODY_BYTES_MAX} bytes.")
OVERLOADED = errors.plain(503, ErrorType.UPSTREAM_UNAVAILABLE, "Overloaded; nothing was processed.", RETRY_AFTER_S)
NOT_READ = errors.plain(500, ErrorType.GENERAL_ERROR, "The connection ended before the request was read.")
UNFINISHED = errors.plain(500, ErrorType.GENERAL_ERROR, "Stopped before the outcome was known.")
RETRY_AGAIN = errors.plain(500, ErrorType.GENERAL_ERROR, "Overloaded; the outcome is not known. Retry again.")
TOO_SLOW = errors.plain(408, ErrorType.FORMAT_ERROR, "The body came too slowly.")
UNEXPECTED = errors.plain(500, ErrorType.GENERAL_ERROR, "Unexpected error.")
NOT_FOUND = errors.plain(404, ErrorType.FUNCTION_NOT_SUPPORTED, "No such path.")
NO_SUCH_METHOD = errors.plain(405, ErrorType.FUNCTION_NOT_SUPPORTED, "No such method on this path.")
