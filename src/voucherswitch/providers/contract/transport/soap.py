"""SOAP 1.1 over the HTTP transport: envelopes, the UsernameToken of WS-Security, and what an answer's envelope holds.

The envelope and the token are public standards (SOAP 1.1; OASIS Web Services Security UsernameToken Profile 1.0). What
is inside a body is the provider's own. Names are compared with their namespaces, never with prefixes.

A fault is one whatever the HTTP status says, and none is judged here: its `detail` goes to the provider's table.
"""

import base64
import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

from msgspec import Struct

from voucherswitch.providers.contract.answers import BadAnswer
from voucherswitch.providers.contract.connector import Call
from voucherswitch.providers.contract.transport.http import HttpAnswer, HttpResult, HttpTransport
from voucherswitch.providers.contract.transport.xml import (
    Element,
    Markup,
    child,
    document,
    element,
    escaped,
    parse,
    text_of,
)

SOAP: Final = "http://schemas.xmlsoap.org/soap/envelope/"
CONTENT_TYPE: Final = "text/xml; charset=utf-8"
NONCE_BYTES: Final = 16

_WSS: Final = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-"
SECEXT: Final = f"{_WSS}wssecurity-secext-1.0.xsd"
UTILITY: Final = f"{_WSS}wssecurity-utility-1.0.xsd"
PASSWORD_DIGEST: Final = f"{_WSS}username-token-profile-1.0#PasswordDigest"
BASE64_BINARY: Final = f"{_WSS}soap-message-security-1.0#Base64Binary"

_ENVELOPE: Final = f"{{{SOAP}}}Envelope"
_BODY: Final = f"{{{SOAP}}}Body"
_FAULT: Final = f"{{{SOAP}}}Fault"


class Service(Struct, frozen=True):
    """A web service: where it is, the namespace of its messages, and the prefix that we write for it."""

    path: str
    namespace: str
    prefix: str


class Fault(Struct, frozen=True):
    """A refusal. `detail` is the provider's own part, None where there is none; `text` the standard's words."""

    detail: Element | None
    text: str | None


# Writing


def password_digest(nonce: bytes, created: str, password: str) -> str:
    """The digest that proves the password: Base64(SHA-1(nonce + created + password)).

    Args:
        nonce: the bytes themselves, not their Base64.
        created: exactly as it is sent.
    """
    digest = hashlib.sha1(nonce + created.encode() + password.encode(), usedforsecurity=False)  # the standard's choice
    return base64.b64encode(digest.digest()).decode()


def created_text(now: float) -> str:
    """A moment (seconds since the epoch) as tokens write it: `2026-03-02T12:15:16.000Z`."""
    return datetime.fromtimestamp(now, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def username_token(username: str, password: str, nonce: bytes, created: str) -> Markup:
    """The security header with a digest of the password; the nonce may be used once."""
    digest = password_digest(nonce, created, password)
    return Markup(
        f'<wsse:Security soap:mustUnderstand="1" xmlns:wsse="{SECEXT}"\n xmlns:wsu="{UTILITY}">'
        f"<wsse:UsernameToken><wsse:Username>{escaped(username)}</wsse:Username>\n"
        f'<wsse:Password Type="{PASSWORD_DIGEST}">{digest}</wsse:Password>\n'
        f'<wsse:Nonce EncodingType="{BASE64_BINARY}">{base64.b64encode(nonce).decode()}</wsse:Nonce>\n'
        f"<wsu:Created>{created}</wsu:Created></wsse:UsernameToken></wsse:Security>"
    )


def envelope(service: Service, body: Markup, security: Markup) -> bytes:
    """A whole message.

    Raises:
        Unwritable: it has a character that XML 1.0 cannot hold.
    """
    prefix = service.prefix
    start = Markup(f'<soap:Envelope xmlns:soap="{SOAP}" xmlns:{prefix}="{service.namespace}">\n')
    header = element("soap:Header", security)
    return document(Markup(f"{start}{header}\n{element('soap:Body', body)}</soap:Envelope>"))


# Sending


class SoapTransport:
    """The calls of one service, each with a fresh token.

    Args:
        http: the connections; its mask must hide `Password`, `Nonce` and `Username`.
    """

    def __init__(self, http: HttpTransport, service: Service, username: str, password: str) -> None:
        self._http = http
        self._service = service
        self._username = username
        self._password = password

    async def send(
        self,
        call: Call,
        operation: str,
        action: str,
        body: Markup,
        *,
        nonce: bytes,
        now: float,
        secrets: Sequence[str] = (),
    ) -> HttpResult:
        """Make one exchange.

        Args:
            operation: the capability that the exchange serves, for the leg.
            action: the name of the body's element without its namespace; `SOAPAction` is made of it.
            nonce: 16 random bytes, used for nothing else.
            now: the time, in seconds since the epoch, that the token says.
            secrets: codes of the request.

        Raises:
            Unwritable: the message has a character that XML 1.0 cannot hold. Nothing was sent.
        """
        token = username_token(self._username, self._password, nonce, created_text(now))
        return await self._http.send(
            call,
            operation,
            "POST",
            self._service.path,
            headers={"Content-Type": CONTENT_TYPE, "SOAPAction": f'"{self._service.namespace}/{action}"'},
            body=envelope(self._service, body, token),
            secrets=secrets,
        )


# Reading


def read(answer: HttpAnswer, response: str) -> Element | Fault:
    """The element that an answer's body holds, or its fault.

    Args:
        response: the full name, `{urn:x}NameResponse`, of the only element that counts as success.

    Raises:
        BadAnswer: no SOAP envelope, not exactly one element in its body, another one than asked for, or a success under
            an HTTP status other than 200.
    """
    root = parse(answer.body)
    if root.tag != _ENVELOPE:
        raise BadAnswer("the answer is no SOAP envelope")
    body = child(root, _BODY)
    if body is None or len(body) != 1:
        raise BadAnswer("the answer's body has not exactly one element")
    content = body[0]
    if content.tag == _FAULT:
        return Fault(child(content, "detail"), text_of(content, "faultstring"))
    if content.tag != response:
        raise BadAnswer("the answer is another message than the one asked for")
    if answer.status != 200:
        raise BadAnswer("a success under an HTTP status that is none")
    return content
