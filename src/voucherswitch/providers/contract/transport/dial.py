"""The one place that opens connections to providers, whatever is spoken on them.

Looks the name up, judges every address that it stands for, connects to one of those that were judged, greets (TLS) and
compares the provider's key with its pins. All of that is before the first byte of a request: whatever fails here proves
that nothing was sent. The environment has no say: proxies are those of the settings.
"""

import asyncio
import base64
import socket
import ssl
import time
from collections.abc import Callable, Sequence
from typing import Final, TypeVar

from voucherswitch.providers.contract.addresses import (
    LOOPBACK,
    Address,
    Network,
    address_of,
    is_in,
    refusal_of_address,
    refusal_of_host,
)
from voucherswitch.providers.contract.settings import CommonSettings, split_url
from voucherswitch.providers.contract.transport.causes import cause_of
from voucherswitch.providers.contract.transport.results import NoConnection
from voucherswitch.providers.contract.transport.tls import pin_refusal, tls_context

NAME_KEPT_S: Final = 5.0  # how long a name is not looked up again
ADDRESSES_MAX: Final = 8  # of one name that are tried
PROXY_HEAD_BYTES_MAX: Final = 8_192
_TLS_GOODBYE_S: Final = 1.0  # how long closing a TLS connection waits for the other side

P = TypeVar("P", bound=asyncio.BaseProtocol)


class _RefusedError(Exception):
    """No connection may be, or was, made; the text says why."""


class Dialer:
    """Opens connections to one address of one provider.

    Args:
        provider_id: named in refusals.
        settings: bounds, certificates, allowed networks and proxy.
        host: a name or an address, without brackets.
        tls: greet by TLS, with the certificates of the settings.

    Raises:
        ProviderSettingsError: a certificate file cannot be read or used.
    """

    def __init__(self, provider_id: str, settings: CommonSettings, host: str, port: int, *, tls: bool) -> None:
        self._host = host
        self._port = port
        self._tls = tls_context(provider_id, settings.tls) if tls else None
        self._pins = settings.tls.pins
        self._connect_s = settings.connect_timeout_ms / 1000
        self._allowed = settings.networks()
        self._only = _only_in(settings, self._allowed, tls=tls)
        self._proxy: _Proxy | None = None
        if settings.proxy_url is not None:
            self._proxy = _Proxy(settings.proxy_url, settings.proxy_credentials, host, port)
            self._names = _Names(self._proxy.host, self._proxy.port)
        else:
            self._names = _Names(host, port)

    async def dial(self, made: Callable[[], P], ends_at: float) -> P | NoConnection:
        """Open a connection, greeting included, for a protocol that says nothing of itself.

        Args:
            ends_at: in seconds of `time.monotonic()`; `connect_timeout_ms` may end it earlier.
        """
        try:
            async with asyncio.timeout(min(self._connect_s, ends_at - time.monotonic())) as limit:
                return await self._dial(made, limit.when() or 0.0)
        except TimeoutError:
            return NoConnection("no connection in time")
        except _RefusedError as refusal:
            return NoConnection(str(refusal), private=True)
        except (OSError, UnicodeError) as error:
            return NoConnection(cause_of(error), private=isinstance(error, ssl.SSLError))

    async def _dial(self, made: Callable[[], P], ends_at: float) -> P:
        if self._proxy is not None and (refusal := refusal_of_host(self._host, self._allowed)):
            raise _RefusedError(f"the provider's address {refusal}")  # what its name stands for, only the proxy knows
        addresses = await self._names.addresses()
        for address in addresses:
            self._judge(address)
        sock = await _connected(addresses, self._names.port, ends_at)
        try:
            if self._proxy is not None:
                await self._proxy.tunnel(sock)
            transport, protocol = await asyncio.get_running_loop().create_connection(
                made,
                sock=sock,
                ssl=self._tls,
                server_hostname=None if self._tls is None else self._host,
                ssl_shutdown_timeout=None if self._tls is None else _TLS_GOODBYE_S,
            )
        except BaseException:
            sock.close()
            raise
        if self._pins and (refusal := pin_refusal(transport.get_extra_info("ssl_object"), self._pins)):
            transport.abort()
            raise _RefusedError(refusal)
        return protocol

    def _judge(self, address: Address) -> None:
        """Refuse an address that the provider, or its proxy, must not have: one is enough to distrust the name."""
        whose = "the proxy's" if self._proxy is not None else "the provider's"
        if refusal := refusal_of_address(address, self._allowed):
            raise _RefusedError(f"{whose} address {address} {refusal}")
        if self._only is not None and self._proxy is None and not is_in(address, self._only):
            raise _RefusedError(f"{whose} address {address} may not be spoken to without checked TLS")


def _only_in(settings: CommonSettings, allowed: Sequence[Network], *, tls: bool) -> Sequence[Network] | None:
    """The networks in which a provider must be; None: anywhere. Unprotected bytes go no further than the settings say.

    The settings were checked for that where the host is an address; a name may stand for another one by now.
    """
    if tls:
        return None if settings.tls.verify else LOOPBACK
    return (*LOOPBACK, *allowed) if settings.cleartext else LOOPBACK


class _Names:
    """Looks a name up: one question at a time, and again after `NAME_KEPT_S`.

    One question at a time, because it holds a thread for as long as the DNS is silent, and others need threads too.
    """

    def __init__(self, host: str, port: int) -> None:
        self.port = port
        self._host = host
        self._kept: Sequence[Address] = ()
        self._kept_until = 0.0
        self._asking: asyncio.Task[Sequence[Address]] | None = None
        literal = address_of(host)
        if literal is not None:
            self._kept, self._kept_until = (literal,), float("inf")

    async def addresses(self) -> Sequence[Address]:
        """Every address of the name, in the system's order of preference."""
        if time.monotonic() < self._kept_until:
            return self._kept
        if self._asking is None:
            self._asking = asyncio.create_task(self._ask())
            self._asking.add_done_callback(self._asked)
        return await asyncio.shield(self._asking)

    async def _ask(self) -> Sequence[Address]:
        try:
            found = await asyncio.get_running_loop().getaddrinfo(
                self._host, self.port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP
            )
        except (OSError, UnicodeError) as error:
            raise _RefusedError(f"the name cannot be looked up: {cause_of(error)}") from None
        known = dict.fromkeys(address for entry in found if (address := address_of(str(entry[4][0]))) is not None)
        if not known:
            raise _RefusedError("the name stands for no address")
        self._kept, self._kept_until = tuple(known)[:ADDRESSES_MAX], time.monotonic() + NAME_KEPT_S
        return self._kept

    def _asked(self, task: "asyncio.Task[Sequence[Address]]") -> None:
        self._asking = None
        if not task.cancelled():
            task.exception()  # seen, also where nobody waits for it any more


async def _connected(addresses: Sequence[Address], port: int, ends_at: float) -> socket.socket:
    """Connect to the first address that answers. Each has its share of the time that is left.

    Raises:
        OSError: none of them; what the last one said. TimeoutError: none in time.
    """
    loop = asyncio.get_running_loop()
    failure: OSError = TimeoutError()
    for number, address in enumerate(addresses):
        sock = socket.socket(socket.AF_INET if address.version == 4 else socket.AF_INET6, socket.SOCK_STREAM)
        sock.setblocking(False)
        try:
            async with asyncio.timeout((ends_at - loop.time()) / (len(addresses) - number)):
                await loop.sock_connect(sock, (str(address), port))
        except OSError as error:  # TimeoutError is one
            sock.close()
            failure = error
        except BaseException:
            sock.close()
            raise
        else:
            return sock
    raise failure


class _Proxy:
    """A way out that the settings name: an HTTP proxy, asked for a tunnel (CONNECT), through which TLS goes unread."""

    def __init__(self, url: str, credentials: str | None, host: str, port: int) -> None:
        _, self.host, self.port = split_url(url)
        target = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        lines = [f"CONNECT {target} HTTP/1.1", f"Host: {target}"]
        if credentials is not None:
            lines.append(f"Proxy-Authorization: Basic {base64.b64encode(credentials.encode()).decode()}")
        self._head = "\r\n".join((*lines, "", "")).encode()

    async def tunnel(self, sock: socket.socket) -> None:
        """Ask for the tunnel; when this returns, the provider is at the other end of the socket."""
        loop = asyncio.get_running_loop()
        await loop.sock_sendall(sock, self._head)
        head = b""
        while b"\r\n\r\n" not in head:
            piece = await loop.sock_recv(sock, PROXY_HEAD_BYTES_MAX - len(head))
            head += piece
            if not piece or len(head) >= PROXY_HEAD_BYTES_MAX:
                raise _RefusedError("the proxy gave no answer that can be read")
        version, _, rest = head.partition(b" ")
        if not version.startswith(b"HTTP/1.") or not head.endswith(b"\r\n\r\n"):
            raise _RefusedError("the proxy gave no answer that can be read")
        if (status := rest[:3]) != b"200":
            shown = status.decode("ascii") if status.isdigit() else "nonsense"
            raise _RefusedError(f"the proxy refused the tunnel: HTTP {shown}")
