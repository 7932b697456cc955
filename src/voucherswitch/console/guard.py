"""What holds for every request: who may ask, how, and what the browser is told about the answer.

The console has no login: it listens on loopback, or over TLS to operators' certificates. A web page from elsewhere
could still make the operator's own browser ask for it under a name that resolves to it (DNS rebinding), so only names
of loopback and those of `console_hostnames` are answered.
"""

from collections.abc import Iterable
from typing import Final
from uuid import uuid4

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from voucherswitch.config.rules import is_loopback
from voucherswitch.console.rendering import Pages

log = structlog.get_logger(__name__)

HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}

# A year, the least that browsers' lists take. Only over TLS: browsers ignore it elsewhere, and so do we.
STRICT_TRANSPORT: Final = "max-age=31536000"


class Guard:
    """Wraps the application: refuses strange hosts and methods, adds headers, and turns a crash into a page."""

    def __init__(self, app: ASGIApp, pages: Pages, hostnames: Iterable[str]) -> None:
        self._app = app
        self._hostnames = frozenset(name.lower() for name in hostnames)
        self._pages = pages

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = False

        async def send_guarded(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                headers = MutableHeaders(scope=message)
                headers.update(HEADERS)
                if scope["scheme"] == "https":
                    headers["Strict-Transport-Security"] = STRICT_TRANSPORT
                headers.setdefault("Cache-Control", "no-store")  # pages hold what only this person may see
            await send(message)

        refusal = self._refusal(scope)
        if refusal is not None:
            await refusal(scope, receive, send_guarded)
            return
        try:
            await self._app(scope, receive, send_guarded)
        except Exception as error:
            incident = uuid4().hex[:12]
            log.exception("console page failed", incident=incident, path=scope["path"], exc_info=error)
            if not started:
                await self._crashed(incident)(scope, receive, send_guarded)

    def _refusal(self, scope: Scope) -> Response | None:
        hosts = Headers(scope=scope).getlist("host")
        if len(hosts) != 1 or not self._is_ours(_name(hosts[0])):
            return PlainTextResponse(
                "This console answers only to loopback addresses and the names in console_hostnames.\n", 403
            )
        if scope["method"] not in ("GET", "HEAD"):
            return PlainTextResponse("This console is read-only: GET.\n", 405, {"Allow": "GET, HEAD"})
        return None

    def _is_ours(self, name: str) -> bool:
        return is_loopback(name) or name.lower() in self._hostnames

    def _crashed(self, incident: str) -> Response:
        text = f"This is a fault of the console. Its log has the details under incident {incident}."
        return self._pages.render("error.html", status=500, title="This page failed", text=text)


def _name(host: str) -> str:
    """The name in a Host header, without the port: `[::1]:8081` is `::1`."""
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.rpartition(":")[0] if host.count(":") == 1 else host
