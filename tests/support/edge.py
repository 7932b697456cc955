"""A TLS edge: ends TLS, and says to a worker's plain listener in headers who is behind it (RFC 7239, RFC 9440)."""

import asyncio
import base64
import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Final

from support.certificates import Issued

# Of OpenSSL; Python has no name for it.
_NO_CHECK_TIME: Final = 0x200000
# What clients say of themselves is taken away.
_OURS: Final = (b"forwarded:", b"client-cert:")


class Edge:
    """Asks for certificates, may be content with none, and does not look at their time, nor whether they are revoked.

    Careless, so that it is not the edge that refuses. A connection behind it for each one in front.
    """

    def __init__(self, own: Issued, authorities: Sequence[Issued], worker: tuple[str, int], source: str) -> None:
        """
        Args:
            own: what it shows to clients.
            authorities: whose certificates it takes.
            worker: where it passes requests on to.
            source: from which address of this machine.
        """
        self._worker: Final = worker
        self._source: Final = source
        self._context: Final = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(own.certificate_path, own.key_path)
        self._context.verify_mode = ssl.CERT_OPTIONAL
        self._context.verify_flags |= ssl.VerifyFlags(_NO_CHECK_TIME)
        for authority in authorities:
            self._context.load_verify_locations(authority.certificate_path)

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[str]:
        """Yields its URL."""
        async with await asyncio.start_server(self._serve, "127.0.0.1", ssl=self._context) as server:
            host, port = server.sockets[0].getsockname()
            yield f"https://{host}:{port}"

    async def _serve(self, near: asyncio.StreamReader, near_writer: asyncio.StreamWriter) -> None:
        tls: ssl.SSLObject = near_writer.get_extra_info("ssl_object")
        said = [b"Forwarded: for=" + near_writer.get_extra_info("peername")[0].encode()]
        if (der := tls.getpeercert(binary_form=True)) is not None:
            said.append(client_cert(der))
        far, far_writer = await asyncio.open_connection(*self._worker, local_addr=(self._source, 0))
        try:
            more = True
            while more:
                await self._pass(near, far_writer, said)
                more = await self._pass(far, near_writer, [])
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # one of them has ended, and so do both
        finally:
            near_writer.close()
            far_writer.close()

    @staticmethod
    async def _pass(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, said: Sequence[bytes]) -> bool:
        """Pass on one message, with these headers; whether another may follow."""
        first, *headers = (await reader.readuntil(b"\r\n\r\n"))[:-4].split(b"\r\n")
        kept = [line for line in headers if not said or not line.lower().startswith(_OURS)]
        length = next((int(line[15:]) for line in headers if line.lower().startswith(b"content-length:")), 0)
        body = await reader.readexactly(length)
        writer.write(b"\r\n".join([first, *kept, *said, b"", b""]) + body)
        await writer.drain()
        return b"connection: close" not in [line.lower() for line in headers]


def client_cert(der: bytes) -> bytes:
    """The header that says which certificate a client has shown."""
    return b"Client-Cert: :" + base64.b64encode(der) + b":"
