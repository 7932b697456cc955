"""The console as one ASGI application and one process: read-only pages, without a login.

It is served on loopback, or over TLS to whoever has an operator's certificate.

It holds no vault key, so nothing sealed can be opened here whatever a page asks.
"""

import signal
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import structlog
import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from voucherswitch.config.settings import Settings
from voucherswitch.console import pages
from voucherswitch.console.guard import Guard
from voucherswitch.console.health import Migrations, health
from voucherswitch.console.listing import BadFilterError
from voucherswitch.console.reader import Reader, UnreadableError
from voucherswitch.console.rendering import ASSETS, Pages
from voucherswitch.console.server import REQUESTS_MAX, Server

log = structlog.get_logger(__name__)

BACKLOG: Final = 64

# A page has had its time by then (reader.PAGE_S_MAX).
DRAIN_S: Final = 10


class PortInUseError(OSError):
    """Somebody else listens on the port. The text is one line: which, and which setting names another."""


def build_console(settings: Settings, url: str) -> Starlette:
    """Build the application. It starts without the database too, and says so on every page."""

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        await app.state.reader.open()
        yield
        await app.state.reader.close()

    rendering = Pages(settings.environment)
    app = Starlette(
        routes=[
            Route("/", pages.overview),
            Route("/transactions", pages.transactions),
            Route("/transactions/{request_id:uuid}", pages.transaction),
            Route("/saf", pages.saf),
            Route("/health", health),
            Route("/static/{digest}/{name}", _static),
        ],
        middleware=[Middleware(Guard, pages=rendering, hostnames=settings.console_hostnames)],
        exception_handlers={
            HTTPException: _http_error,
            BadFilterError: _bad_filter,
            UnreadableError: _unreadable,
        },
        lifespan=lifespan,
    )
    app.state.pages = rendering
    app.state.reader = Reader(url)
    app.state.migrations = Migrations(url)
    return app


def serve_console(settings: Settings, url: str) -> None:
    """Serve until SIGTERM or SIGINT, then finish what is in work and return. From the main thread.

    Raises:
        PortInUseError: one line that says which setting names another port.
        SettingsError: a certificate or a key cannot be used.
    """
    server = Server(settings, server_config(settings, url))

    def stop(_number: int, _frame: object) -> None:
        server.should_exit = True

    # Before it listens: whoever sees it listen may ask it to stop. uvicorn raises the signal again when it has stopped;
    # here it ends, so that this function returns.
    before = {number: signal.signal(number, stop) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        with _listen(settings.console_host, settings.console_port) as sock:
            log.info("console ready", host=settings.console_host, port=settings.console_port, tls=server.over_tls)
            server.run(sockets=[sock])
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def server_config(settings: Settings, url: str) -> uvicorn.Config:
    """How the console is served."""
    return uvicorn.Config(
        build_console(settings, url),
        loop="uvloop",
        http="httptools",
        ws="none",
        lifespan="on",
        access_log=False,
        log_config=None,
        server_header=False,
        backlog=BACKLOG,
        limit_concurrency=REQUESTS_MAX,
        timeout_graceful_shutdown=DRAIN_S,
    )


def _listen(host: str, port: int) -> socket.socket:
    sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((host, port))
        sock.listen(BACKLOG)
    except OSError as error:
        sock.close()
        raise PortInUseError(
            f"cannot listen on {host}:{port}: {error.strerror}; set console_port to another"
        ) from error
    return sock


async def _static(request: Request) -> Response:
    asset = ASSETS.get(request.path_params["name"])
    if asset is None or asset.url != request.url.path:
        raise HTTPException(404, "There is no such file.")
    return asset.response()


async def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    found = error.status_code != 404
    title = "This cannot be done" if found else "Not found"
    text = error.detail if error.detail != "Not Found" else "There is no such page."
    return _pages(request).render("error.html", status=error.status_code, title=title, text=text)


async def _bad_filter(request: Request, error: Exception) -> Response:
    return _pages(request).render("error.html", status=400, title="This filter cannot be used", text=str(error))


async def _unreadable(request: Request, error: Exception) -> Response:
    assert isinstance(error, UnreadableError)
    log.warning("page not shown", path=request.url.path, trouble=type(error).__name__, reason=error.reason)
    page = _pages(request).render("error.html", status=503, title=error.title, text=error.text, again=True)
    page.headers["Retry-After"] = "5"
    return page


def _pages(request: Request) -> Pages:
    rendering: Pages = request.app.state.pages
    return rendering
