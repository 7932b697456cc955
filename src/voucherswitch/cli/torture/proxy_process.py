"""The proxy as a process of its own, so that it does not disturb the load: `python -m …torture.proxy_process`.

It is told what to do by JSON lines on its standard input and answers each with one on its standard output. The first
line names the targets and is answered by their ports. It ends when its input does, so it never outlives the harness.
"""

import asyncio
import os
import sys
from subprocess import PIPE
from typing import Final

import msgspec
from msgspec import Struct

from voucherswitch.cli.torture.proxy import Proxy, ProxyFault

_LINE_BYTES_MAX: Final = 1024 * 1024
_ANSWER_S: Final = 15


class Order(Struct, omit_defaults=True):
    """Begin a fault on a target, or end the one that it has."""

    target: str
    fault: ProxyFault | None = None


class Done(Struct):
    """An order was done; `hits`: how many connections felt the fault that ended."""

    hits: int = 0


class ProxyProcess:
    """The harness's end of a proxy process."""

    def __init__(self, process: asyncio.subprocess.Process, ports: dict[str, int]) -> None:
        self._process = process
        self._one_at_a_time = asyncio.Lock()
        self.ports: Final = ports

    @classmethod
    async def start(cls, targets: dict[str, tuple[str, int] | str]) -> "ProxyProcess":
        """Start it and wait until it listens."""
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", __name__, stdin=PIPE, stdout=PIPE, limit=_LINE_BYTES_MAX, start_new_session=True
        )
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(msgspec.json.encode(targets) + b"\n")
        async with asyncio.timeout(_ANSWER_S):
            ports = msgspec.json.decode(await process.stdout.readline(), type=dict[str, int])
        return cls(process, ports)

    async def arm(self, target: str, fault: ProxyFault) -> None:
        """Let a fault begin; a target has one at a time."""
        await self._do(Order(target, fault))

    async def disarm(self, target: str) -> int:
        """End a target's fault; return how many connections felt it."""
        return (await self._do(Order(target))).hits

    async def stop(self) -> None:
        """End it."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        await self._process.wait()

    async def _do(self, order: Order) -> Done:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        async with self._one_at_a_time, asyncio.timeout(_ANSWER_S):
            self._process.stdin.write(msgspec.json.encode(order) + b"\n")
            return msgspec.json.decode(await self._process.stdout.readline(), type=Done)


async def _serve() -> None:
    """The process itself: until its input ends."""
    loop = asyncio.get_running_loop()
    lines = asyncio.StreamReader(limit=_LINE_BYTES_MAX)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    proxy = Proxy(msgspec.json.decode(await lines.readline(), type=dict[str, tuple[str, int] | str]))
    _say(await proxy.open())
    while line := await lines.readline():
        order = msgspec.json.decode(line, type=Order)
        target = proxy.targets[order.target]
        if order.fault is None:
            _say(Done(await target.disarm()))
        else:
            await target.arm(order.fault)
            _say(Done())
    proxy.close()


def _say(value: object) -> None:
    os.write(sys.stdout.fileno(), msgspec.json.encode(value) + b"\n")


if __name__ == "__main__":
    import uvloop

    uvloop.run(_serve())
