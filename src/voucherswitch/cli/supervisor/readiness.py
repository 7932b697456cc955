"""Probes: when a child is ready."""

import asyncio
from contextlib import suppress
from typing import Final
from urllib.parse import urlsplit

from voucherswitch.cli.supervisor.child import Child

_EVERY_S: Final = 0.05
_PROBE_S_MAX: Final = 2


async def wait_until_ready(child: Child) -> None:
    """Probe until the child is ready; raises what its probe function raises, save OSError."""
    while not await _is_ready(child):  # noqa: ASYNC110 - another process cannot set an event
        await asyncio.sleep(_EVERY_S)


async def accepts(host: str, port: int) -> bool:
    """Whether a port accepts connections."""
    try:
        async with asyncio.timeout(_PROBE_S_MAX):
            _, writer = await asyncio.open_connection(host, port)
    except OSError:  # TimeoutError too
        return False
    writer.close()
    return True


async def _is_ready(child: Child) -> bool:
    if child.ready is None:
        return True
    if isinstance(child.ready, str):
        return await _answers(child.ready)
    if isinstance(child.ready, tuple):
        return await accepts(*child.ready)
    with suppress(OSError):  # nobody listens yet
        return await child.ready()
    return False


async def _answers(address: str) -> bool:
    """Whether an http URL answers 2xx."""
    url = urlsplit(address)
    target = (url.path or "/") + (f"?{url.query}" if url.query else "")
    request = f"GET {target} HTTP/1.1\r\nHost: {url.netloc}\r\nConnection: close\r\n\r\n"
    try:
        async with asyncio.timeout(_PROBE_S_MAX):
            reader, writer = await asyncio.open_connection(url.hostname, url.port or 80)
            try:
                writer.write(request.encode())
                words = (await reader.readline()).split()
            finally:
                writer.close()
    except (OSError, ValueError):  # ValueError: a line without end
        return False
    return len(words) > 1 and words[1].startswith(b"2")
