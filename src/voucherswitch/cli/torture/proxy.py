"""A TCP proxy that misbehaves on order: delay, throttle, cut, reset, black hole, half-close, refuse.

It knows nothing of what passes through it. Every target listens on a port of its own and leads to one address; a fault
is armed on one target and holds until it is taken back. Bytes that the proxy has taken are delivered even when their
sender has given up meanwhile, as on a real network.
"""

import asyncio
import os
import socket
import struct
from collections.abc import Mapping
from contextlib import suppress
from typing import Final, Literal, TypeAlias, cast, get_args

from msgspec import Struct

Kind: TypeAlias = Literal["delay", "throttle", "cut", "reset", "black_hole", "half_close", "refuse"]
Side: TypeAlias = Literal["up", "down", "both"]  # up: towards the target
KINDS: Final[tuple[str, ...]] = get_args(Kind)

HOST: Final = "127.0.0.1"
_READ_BYTES: Final = 64 * 1024
_CONNECT_S: Final = 5.0
_THROTTLE_TURN_S: Final = 0.02
_RESET_AT_CLOSE: Final = struct.pack("ii", 1, 0)  # SO_LINGER on, for no time: close sends RST


class ProxyFault(Struct, frozen=True, forbid_unknown_fields=True):
    """One misbehaviour. `ms` of a delay, `bytes_per_s` of a throttle; `after_bytes` of a cut, counted per connection
    from the moment at which the fault is armed."""

    kind: Kind
    side: Side = "both"
    ms: int = 0
    bytes_per_s: int = 0
    after_bytes: int = 0

    def concerns(self, side: Side) -> bool:
        """Whether it befalls bytes in this direction."""
        return self.side in (side, "both")


class Target:
    """One address behind the proxy.

    Args:
        to: host and port, or the path of a Unix socket.
    """

    def __init__(self, to: tuple[str, int] | str) -> None:
        self.to: Final = to
        self.port = 0
        self.fault: ProxyFault | None = None
        self.hits = 0  # connections that the present fault has befallen
        self.connections: Final[set[Connection]] = set()
        self._server: asyncio.Server | None = None

    async def open(self) -> None:
        """Listen, at the first time on any free port, afterwards on the same one again."""
        self._server = await asyncio.start_server(self._accepted, HOST, self.port, backlog=1_024)
        self.port = self._server.sockets[0].getsockname()[1]

    def close(self) -> None:
        """Stop listening; connections go on."""
        if self._server is not None:
            self._server.close()
            self._server = None

    async def arm(self, fault: ProxyFault) -> None:
        """Let a fault begin; what is connected feels it too."""
        self.fault, self.hits = fault, 0
        for connection in list(self.connections):
            connection.armed(fault)
        if fault.kind == "refuse":
            self.close()

    async def disarm(self) -> int:
        """End the fault; return how many connections felt it."""
        fault, self.fault = self.fault, None
        for connection in list(self.connections):
            connection.disarmed(fault)
        if self._server is None:
            await self.open()
        return self.hits

    async def _accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = Connection(self, reader, writer)
        self.connections.add(connection)
        try:
            await connection.live()
        finally:
            self.connections.discard(connection)


class Connection:
    """A client's connection and ours to the target."""

    def __init__(self, target: Target, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._target = target
        self._client = (reader, writer)
        self._behind: asyncio.StreamWriter | None = None
        self._passed: dict[str, int] = {"up": 0, "down": 0}  # bytes since the present fault was armed
        self._swallowed = False
        self._hit = False

    async def live(self) -> None:
        """Pass bytes on until both directions have ended."""
        reader, writer = self._client
        try:
            async with asyncio.timeout(_CONNECT_S):
                if isinstance(self._target.to, str):
                    back_reader, self._behind = await asyncio.open_unix_connection(self._target.to)
                else:
                    back_reader, self._behind = await asyncio.open_connection(*self._target.to)
        except OSError:  # TimeoutError too: nobody is there, which the client learns by a reset
            self._drop(writer, reset=True)
            return
        await asyncio.gather(self._pump(reader, self._behind, "up"), self._pump(back_reader, writer, "down"))
        for one in (writer, self._behind):
            one.close()

    def armed(self, fault: ProxyFault) -> None:
        """A fault begins while we are connected."""
        self._passed = {"up": 0, "down": 0}
        self._hit = False
        if fault.kind == "reset":
            self._felt()
            self.abort(reset=True)
        elif fault.kind == "half_close":
            self._felt()
            for side, writer in (("up", self._behind), ("down", self._client[1])):
                if writer is not None and fault.concerns(cast(Side, side)):
                    with suppress(OSError, RuntimeError):
                        writer.write_eof()

    def disarmed(self, fault: ProxyFault | None) -> None:
        """A fault is over. Bytes that it swallowed are missing, so the connection is of no more use."""
        if fault is not None and fault.kind == "black_hole" and self._swallowed:
            self.abort(reset=True)

    def abort(self, *, reset: bool) -> None:
        """End both sides at once."""
        for writer in (self._client[1], self._behind):
            if writer is not None:
                self._drop(writer, reset=reset)

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, side: Side) -> None:
        with suppress(OSError, RuntimeError):  # RuntimeError: written to after a half-close
            while data := await reader.read(_READ_BYTES):
                if not await self._pass(data, writer, side):
                    return
            if writer.can_write_eof():
                writer.write_eof()
            return
        self.abort(reset=False)

    async def _pass(self, data: bytes, writer: asyncio.StreamWriter, side: Side) -> bool:
        """Pass bytes on as the present fault lets it; return False when the connection is gone."""
        fault = self._target.fault
        if fault is None or not fault.concerns(side):
            writer.write(data)
            await writer.drain()
            return True
        match fault.kind:
            case "delay":
                self._felt()
                await asyncio.sleep(fault.ms / 1000)
            case "throttle":
                self._felt()
                await self._throttled(data, writer, fault)
                return True
            case "cut":
                left = fault.after_bytes - self._passed[side]
                if len(data) >= left:
                    self._felt()
                    writer.write(data[: max(0, left)])
                    await writer.drain()
                    self.abort(reset=False)
                    return False
                self._passed[side] += len(data)
            case "black_hole":
                self._felt()
                self._swallowed = True
                return True
            case _:
                pass
        writer.write(data)
        await writer.drain()
        return True

    async def _throttled(self, data: bytes, writer: asyncio.StreamWriter, fault: ProxyFault) -> None:
        """Write in pieces for as long as the fault lasts, the rest at once."""
        size = max(1, int(fault.bytes_per_s * _THROTTLE_TURN_S))
        while data and self._target.fault is fault:
            writer.write(data[:size])
            await writer.drain()
            data = data[size:]
            await asyncio.sleep(_THROTTLE_TURN_S)
        writer.write(data)
        await writer.drain()

    def _felt(self) -> None:
        if not self._hit:
            self._hit = True
            self._target.hits += 1

    @staticmethod
    def _drop(writer: asyncio.StreamWriter, *, reset: bool) -> None:
        raw = writer.get_extra_info("socket")
        if reset and raw is not None:
            # The loop's own view of a socket takes no options; a second descriptor of the same one does.
            with suppress(OSError), socket.socket(fileno=os.dup(raw.fileno())) as same:
                if same.family != socket.AF_UNIX:
                    same.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_AT_CLOSE)
            writer.transport.abort()
        else:
            writer.close()


class Proxy:
    """All targets of one proxy process, by their names."""

    def __init__(self, targets: Mapping[str, tuple[str, int] | str]) -> None:
        self.targets: Final = {name: Target(to) for name, to in targets.items()}

    async def open(self) -> dict[str, int]:
        """Listen for every target; return their ports."""
        for target in self.targets.values():
            await target.open()
        return {name: target.port for name, target in self.targets.items()}

    def close(self) -> None:
        """Stop listening and end every connection."""
        for target in self.targets.values():
            target.close()
            for connection in list(target.connections):
                connection.abort(reset=False)
