"""A till's line to the switch: one keep-alive connection, one call at a time, and ways to lose the answer on purpose.

Never repeats anything. It shares two cores with all that it tries, so it does as little as an honest client can.
"""

import asyncio
import base64
import re
from typing import Final, TypeAlias
from urllib.parse import urlencode

import msgspec
from msgspec import Struct

_BASE: Final = "/suv/v1"
_TIMEOUT_S: Final = 8.0  # a little more than the originators' deadline, as a real till's is
_CONTENT_LENGTH: Final = re.compile(rb"\r\ncontent-length:[ \t]*(\d+)", re.IGNORECASE)
_CLOSES: Final = re.compile(rb"\r\nconnection:[ \t]*close", re.IGNORECASE)
_HEAD_BYTES_MAX: Final = 64 * 1024


class Heard(Struct, frozen=True):
    """A whole answer."""

    status: int
    body: bytes

    @property
    def error_type(self) -> str:
        """The ErrorDetail's type; empty where there is none."""
        try:
            return msgspec.json.decode(self.body, type=_ErrorType).error_type
        except msgspec.MsgspecError:
            return ""


class _ErrorType(Struct, rename={"error_type": "errorType"}):
    error_type: str = ""


class Silence(Struct, frozen=True):
    """The request may have got there; nothing usable came back."""

    cause: str


class NotReached(Struct, frozen=True):
    """No connection: the switch certainly never saw the request."""


Result: TypeAlias = Heard | Silence | NotReached


class Line:
    """One till's line."""

    def __init__(self, host: str, port: int, user: str, password: str) -> None:
        self._address = (host, port)
        token = base64.b64encode(f"{user}:{password}".encode()).decode()
        self._headers = f"Host: {host}:{port}\r\nAuthorization: Basic {token}\r\n"
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    def twin(self) -> "Line":
        """A second line of the same till."""
        other = Line(*self._address, "", "")
        other._headers = self._headers
        return other

    async def post(self, path: str, body: bytes, *, hang_up_after_s: float | None = None) -> Result:
        """Send a message.

        Args:
            hang_up_after_s: lose the answer: close the connection so long after the request has gone out.
        """
        head = f"POST {_BASE}{path} HTTP/1.1\r\n{self._headers}Content-Type: application/json\r\n"
        return await self._call(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body, hang_up_after_s)

    async def get(self, path: str, query: dict[str, str] | None = None) -> Result:
        """Ask a question."""
        target = f"{path}?{urlencode(query)}" if query else path
        return await self._call(f"GET {_BASE}{target} HTTP/1.1\r\n{self._headers}\r\n".encode(), None)

    def close(self) -> None:
        """Hang up."""
        if self._streams is not None:
            self._streams[1].transport.abort()
            self._streams = None

    async def _call(self, request: bytes, hang_up_after_s: float | None) -> Result:
        fresh = self._streams is None
        try:
            if self._streams is None:
                async with asyncio.timeout(_TIMEOUT_S):
                    self._streams = await asyncio.open_connection(*self._address, limit=_HEAD_BYTES_MAX)
        except OSError:
            return NotReached()
        reader, writer = self._streams
        if (writer.is_closing() or reader.at_eof()) and not fresh:  # closed between two calls: nothing was sent on it
            self.close()
            return await self._call(request, hang_up_after_s)
        try:
            async with asyncio.timeout(_TIMEOUT_S if hang_up_after_s is None else hang_up_after_s):
                writer.write(request)
                head = await reader.readuntil(b"\r\n\r\n")
                length = _CONTENT_LENGTH.search(head)
                body = await reader.readexactly(int(length[1])) if length else b""
        # RuntimeError: uvloop's word for a connection that broke as soon as it was there.
        except (OSError, RuntimeError, asyncio.IncompleteReadError, asyncio.LimitOverrunError) as error:
            self.close()
            return Silence(type(error).__name__)
        except asyncio.CancelledError:
            self.close()
            raise
        if _CLOSES.search(head):
            self.close()
        return Heard(int(head[9:12]), body)
