"""One HTTP call of a till to the switch: what was answered, or whether the request may have got there.

Never repeats anything: what to do about silence is for `till_flows.py`.
"""

import base64
import http.client
import json
import ssl
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias
from urllib.parse import urlencode, urlsplit

from voucherswitch.cli.errors import CommandError
from voucherswitch.cli.till_access import TillAccess, TillTls

TIMEOUT_S: Final = 60  # the interface's: an originator gives up after this
_BASE: Final = "/suv/v1"
_ANSWER_BYTES_MAX: Final = 64 * 1024 * 1024  # a whole catalogue fits


@dataclass(frozen=True)
class Answer:
    """A complete answer. `body` is as received."""

    status: int
    body: bytes
    retry_after_s: float | None = None

    @property
    def message(self) -> dict[str, Any]:
        """The body as JSON; empty where it has none."""
        try:
            value = json.loads(self.body) if self.body else {}
        except ValueError:
            return {}
        return value if isinstance(value, dict) else {}

    @property
    def error(self) -> str:
        """An ErrorDetail in one line: its type, its texts, every violation."""
        message = self.message
        detail = message.get("detailMessage") or {}
        violations = [str(item.get("msg")) for item in detail.get("formatErrors") or ()]
        provider = [message.get("providerErrorCode"), message.get("providerErrorMessage")]
        provided = " ".join(str(part) for part in provider if part)
        parts = [message.get("errorType"), message.get("errorMessage"), detail.get("freeString"), *violations, provided]
        return ": ".join(str(part).rstrip(".:") for part in parts if part) or f"HTTP {self.status}"


@dataclass(frozen=True)
class NotReached:
    """No connection: the switch certainly never saw the request."""

    cause: str


@dataclass(frozen=True)
class NoAnswer:
    """The request went out and no usable answer came: the switch may have processed it."""

    cause: str


Result: TypeAlias = Answer | NotReached | NoAnswer


@dataclass
class Switch:
    """The switch as a till sees it."""

    access: TillAccess
    timeout_s: float = TIMEOUT_S
    _headers: dict[str, str] = field(init=False)
    _context: ssl.SSLContext | None = field(init=False)

    def __post_init__(self) -> None:
        url = urlsplit(self.access.url)
        if url.scheme not in ("http", "https") or not url.hostname:
            raise CommandError(
                f"--url {self.access.url!r} is not an http or https address, such as http://127.0.0.1:8080"
            )
        token = base64.b64encode(f"{self.access.user}:{self.access.password}".encode()).decode()
        self._context = _context(self.access.tls) if url.scheme == "https" else None
        self._headers = {"Authorization": f"Basic {token}", "Accept": "application/json"}

    def post(self, path: str, message: dict[str, Any]) -> Result:
        """Send a message."""
        body = json.dumps(message, separators=(",", ":")).encode()
        return self._call("POST", path, body, {"Content-Type": "application/json"})

    def get(self, path: str, query: dict[str, str] | None = None) -> Result:
        """Ask a question."""
        return self._call("GET", f"{path}?{urlencode(query)}" if query else path, None, {})

    def _call(self, method: str, path: str, body: bytes | None, headers: dict[str, str]) -> Result:
        connection = self._connection()
        try:
            try:
                connection.connect()
            except ssl.SSLCertVerificationError as error:  # trying again mends nothing
                raise CommandError(
                    f"the certificate of {self.access.url} is not trusted ({error.verify_message}): name its "
                    "CA with --ca"
                ) from None
            except OSError as error:
                return NotReached(error.strerror or str(error) or type(error).__name__)
            try:
                connection.request(method, _BASE + path, body, self._headers | headers)
                response = connection.getresponse()
                content = response.read(_ANSWER_BYTES_MAX)
            except TimeoutError:
                return NoAnswer(f"no answer within {self.timeout_s:g} s")
            except (OSError, http.client.HTTPException) as error:
                return NoAnswer(f"the connection broke ({type(error).__name__})")
            return Answer(response.status, content, _seconds(response.getheader("Retry-After")))
        finally:
            connection.close()

    def _connection(self) -> http.client.HTTPConnection:
        url = urlsplit(self.access.url)
        host, port = url.hostname or "", url.port
        if self._context is not None:
            return http.client.HTTPSConnection(host, port, timeout=self.timeout_s, context=self._context)
        return http.client.HTTPConnection(host, port, timeout=self.timeout_s)


def _context(tls: TillTls) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=tls.ca)
    except (OSError, ssl.SSLError):
        raise CommandError(f"--ca {tls.ca} cannot be used: name a PEM file of the CA's certificate") from None
    if tls.cert is not None:
        try:
            context.load_cert_chain(tls.cert, tls.key, password=lambda: b"")
        except (OSError, ssl.SSLError):
            raise CommandError(
                f"--cert {tls.cert} and --key {tls.key} cannot be used: name PEM files that belong together, the key "
                "not encrypted"
            ) from None
    return context


def _seconds(text: str | None) -> float | None:
    return float(text) if text is not None and text.isdigit() else None
