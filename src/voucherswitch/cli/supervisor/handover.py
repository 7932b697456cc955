"""What a supervisor and a child hand each other by inherited descriptors: listening sockets down, "ready" up.

The supervisor keeps each child's sockets open, so that connections that wait in them survive the change from a process
to its successor. A probe of the port could not tell which of the processes that share it has answered, so each says
itself when it is ready.
"""

import asyncio
import os
import socket
from collections.abc import Mapping
from typing import Final

LISTENERS_VARIABLE: Final = "VOUCHERSWITCH_LISTENER_DESCRIPTORS"
READY_VARIABLE: Final = "VOUCHERSWITCH_READY_DESCRIPTOR"


def handed_listeners() -> dict[str, socket.socket]:
    """In a child: the sockets to accept from, by name; empty when nobody gave any. Call it once, at start."""
    listeners = {}
    for pair in os.environ.pop(LISTENERS_VARIABLE, "").split():
        name, _, descriptor = pair.partition("=")
        listeners[name] = socket.socket(fileno=int(descriptor))
        listeners[name].set_inheritable(False)
    return listeners


def descriptors_text(listeners: Mapping[str, socket.socket]) -> str:
    """In the supervisor: what `handed_listeners` reads."""
    return " ".join(f"{name}={sock.fileno()}" for name, sock in listeners.items())


def tell_ready() -> None:
    """In a child: say that it is ready, to whoever wants to know. Call it once."""
    descriptor = os.environ.pop(READY_VARIABLE, None)
    if descriptor is not None:
        with os.fdopen(int(descriptor), "wb", buffering=0) as pipe:
            pipe.write(b"1")


async def until_told(read_end: int) -> None:
    """In the supervisor, which holds the pipe's other end too: wait for the child's word; for ever if it has none."""
    loop = asyncio.get_running_loop()
    readable = asyncio.Event()
    loop.add_reader(read_end, readable.set)
    try:
        await readable.wait()
    finally:
        loop.remove_reader(read_end)
