"""The PROXY protocol, versions 1 and 2 (haproxy, doc/proxy-protocol.txt): what a balancer says before the first byte.

Only edges that the settings name are listened to. The header is read with exact reads, so that what follows, a TLS
handshake, stays in the socket for its own reader.
"""

import asyncio
import socket
import struct
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Final

from voucherswitch.config.limits import PROXY_HEADER_BYTES_MAX, PROXY_HEADER_S
from voucherswitch.security.peer import Address, source_of

_SIGNATURE: Final = b"\r\n\r\n\0\r\nQUIT\n"  # version 2; no version 1 header is shorter
_LINE_BYTES_MAX: Final = 107
_LOCAL, _PROXY = 0x20, 0x21
_TCP4, _TCP6 = 0x11, 0x21
_BYTES: Final = {_TCP4: 4, _TCP6: 16}


class ProxyHeaderError(Exception):
    """A connection of an edge does not begin as it must. The text says how."""


async def read_source(sock: socket.socket) -> Address | None:
    """Read the header of a non-blocking socket; return the source it names, None for the edge's own connection.

    Raises:
        ProxyHeaderError: there is none in time, or it is malformed, too long, or names no TCP source.
        OSError: the connection broke.
    """
    try:
        async with asyncio.timeout(PROXY_HEADER_S):
            start = await _exactly(sock, len(_SIGNATURE))
            if start == _SIGNATURE:
                return await _version_2(sock)
            if start.startswith(b"PROXY "):
                return await _version_1(sock, start)
    except TimeoutError:
        raise ProxyHeaderError(f"no PROXY header within {PROXY_HEADER_S:g} s") from None
    raise ProxyHeaderError("no PROXY header")


async def _version_1(sock: socket.socket, line: bytes) -> Address:
    while not line.endswith(b"\r\n"):
        if len(line) >= _LINE_BYTES_MAX:
            raise ProxyHeaderError("PROXY line too long")
        line += await _exactly(sock, 1)
    try:
        _, family, source, destination, *ports = line[:-2].decode("ascii").split(" ")
        versions = {"TCP4": IPv4Address, "TCP6": IPv6Address}
        found = versions[family](source)
        versions[family](destination)
        if len(ports) != 2 or not all(_is_port(port) for port in ports):
            raise ValueError("ports")
    except (ValueError, KeyError):
        raise ProxyHeaderError("PROXY line malformed, or without a TCP source") from None
    return source_of(str(found))


def _is_port(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 5 and int(text) <= 65_535


async def _version_2(sock: socket.socket) -> Address | None:
    command, family, length = struct.unpack("!BBH", await _exactly(sock, 4))
    if length > PROXY_HEADER_BYTES_MAX:
        raise ProxyHeaderError("PROXY header too long")
    body = await _exactly(sock, length)
    if command == _LOCAL:
        return None
    size = _BYTES.get(family)
    if command != _PROXY or size is None or length < 2 * size + 4:
        raise ProxyHeaderError("PROXY header malformed, or without a TCP source")
    return source_of(str(ip_address(body[:size])))


async def _exactly(sock: socket.socket, size: int) -> bytes:
    """Read so many bytes and not one more."""
    loop = asyncio.get_running_loop()
    read = b""
    while len(read) < size:
        piece = await loop.sock_recv(sock, size - len(read))
        if not piece:
            raise ProxyHeaderError("connection ended within the PROXY header")
        read += piece
    return read
