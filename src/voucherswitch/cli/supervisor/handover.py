"""What a supervisor and a child hand each other by inherited descriptors: a listening socket down, "ready" up.

The supervisor keeps each child's socket open, so that connections that wait in it survive the change from a process to
its successor. A probe of the port could not tell which of the processes that share it has answered, so each says itself
when it is ready.
"""

import asyncio
import os
import socket
from typing import Final

LISTENER_VARIABLE: Final = "VOUCHERSWITCH_LISTENER_DESCRIPTOR"
READY_VARIABLE: Final = "VOUCHERSWITCH_READY_DESCRIPTOR"


def handed_listener() -> socket.socket | None:
    """In a child: the socket to accept from, None when nobody gave one. Call it once, at start."""
    descriptor = os.environ.pop(LISTENER_VARIABLE, None)
    if descriptor is None:
        return None
    listener = socket.socket(fileno=int(descriptor))
    listener.set_inheritable(False)
    return listener


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
