"""How the token endpoints are spoken to: forms in, JSON out, and every "no" as RFC 6749 §5.2 writes it."""

import asyncio
import base64
import binascii
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final
from urllib.parse import parse_qsl, unquote_plus

import msgspec
from msgspec import Struct
from starlette.requests import Request
from starlette.responses import Response

from voucherswitch.config.limits import BODY_READ_S, TOKEN_REQUEST_BYTES_MAX, TOKEN_REQUEST_FIELDS_MAX

FORM: Final = "application/x-www-form-urlencoded"
CLIENT_CHALLENGE: Final = 'Basic realm="oauth2", charset="UTF-8"'
# Answers hold secrets (RFC 6749 §5.1).
_NOT_STORED: Final[Mapping[str, str]] = MappingProxyType({"Cache-Control": "no-store", "Pragma": "no-cache"})


class OAuthError(Exception):
    """A request for a token that is refused. `description` is told, so it says nothing about what we know."""

    def __init__(self, status: int, error: str, description: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(error)
        self.status = status
        self.error = error
        self.description = description
        self.headers: Final = dict(headers or {})


def invalid_request(description: str) -> OAuthError:
    """The request itself is wrong."""
    return OAuthError(400, "invalid_request", description)


def invalid_client() -> OAuthError:
    """Who asks is not known, or has not proved it; which of both, nobody is told."""
    return OAuthError(401, "invalid_client", "Client not identified.", {"WWW-Authenticate": CLIENT_CHALLENGE})


def invalid_grant(description: str) -> OAuthError:
    """What was brought instead of a token does not count."""
    return OAuthError(400, "invalid_grant", description)


class ClientSecret(Struct, frozen=True):
    """How a client proves who it is. Its repr keeps the secret to itself."""

    client_id: str
    secret: str

    def __repr__(self) -> str:
        return f"ClientSecret({self.client_id!r})"


def answered(content: Mapping[str, Any], status: int = 200, headers: Mapping[str, str] = _NOT_STORED) -> Response:
    """An answer."""
    body = msgspec.json.encode(content)
    return Response(body, status_code=status, headers=dict(headers), media_type="application/json")


def refused(error: OAuthError) -> Response:
    """A refusal."""
    content = {"error": error.error, "error_description": error.description}
    return answered(content, error.status, {**_NOT_STORED, **error.headers})


async def read_form(request: Request) -> dict[str, str]:
    """Read the parameters of a request; empty ones count as left out (RFC 6749 §3.2).

    Raises:
        OAuthError: not a form, too large, too slow, or a parameter twice.
    """
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != FORM:
        raise invalid_request(f"Content-Type must be {FORM}.")
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_READ_S):
            async for chunk in request.stream():
                body += chunk
                if len(body) > TOKEN_REQUEST_BYTES_MAX:
                    raise OAuthError(413, "invalid_request", f"The body is over {TOKEN_REQUEST_BYTES_MAX} bytes.")
    except TimeoutError:
        slow = {"Connection": "close"}
        raise OAuthError(408, "invalid_request", "The body came too slowly.", slow) from None
    try:
        pairs = parse_qsl(
            body.decode("ascii"), strict_parsing=bool(body), errors="strict", max_num_fields=TOKEN_REQUEST_FIELDS_MAX
        )
    except ValueError as error:
        raise invalid_request("The body is not a form.") from error
    form = dict(pairs)
    if len(form) < len(pairs):
        raise invalid_request("A parameter is there twice.")
    return form


def client_secret(request: Request, form: Mapping[str, str]) -> ClientSecret:
    """Read how a client proves who it is: HTTP Basic, or two parameters of the form (RFC 6749 §2.3.1).

    Raises:
        OAuthError: neither, or both.
    """
    headers = request.headers.getlist("authorization")
    client_id, secret = form.get("client_id"), form.get("client_secret")
    if not headers:
        return _sound(client_id or "", secret or "")
    if len(headers) > 1 or secret is not None:
        raise invalid_request("A client proves itself in one way.")
    scheme, _, encoded = headers[0].partition(" ")
    if scheme.lower() != "basic":
        raise invalid_client()
    try:
        user, colon, password = base64.b64decode(encoded.strip(" "), validate=True).decode("utf-8").partition(":")
    except (binascii.Error, UnicodeDecodeError, ValueError) as error:
        raise invalid_client() from error
    found = _sound(unquote_plus(user), unquote_plus(password)) if colon else None
    if found is None or client_id not in (None, found.client_id):
        raise invalid_client()
    return found


def _sound(client_id: str, secret: str) -> ClientSecret:
    if not client_id or not secret or ":" in client_id:
        raise invalid_client()
    return ClientSecret(client_id, secret)
