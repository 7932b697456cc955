"""What people see: the children's lines, read from their pipes, and the supervisor's own."""

import asyncio
import os
import sys
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import BinaryIO, Final

from voucherswitch.config import limits

# Output still in a child's pipes when it ends; a grandchild that keeps a pipe open must not hold us up.
_LAST_OUTPUT_S_MAX: Final = 1


class Printer:
    """Writes whole lines: a child's, with its name before them unless `prefix` is False, and the supervisor's."""

    def __init__(self, names: Iterable[str], *, prefix: bool, out: BinaryIO | None, err: BinaryIO | None) -> None:
        self._name_chars: Final = max((len(name) for name in names), default=0)
        self._prefix: Final = prefix
        self._out: Final = out or sys.stdout.buffer
        self._err: Final = err or sys.stderr.buffer

    def say(self, text: str) -> None:
        """Write a line of our own."""
        _write(self._err, f"voucherswitch: {text}\n".encode(errors="replace"))

    def pass_on(self, name: str, line: bytes, *, is_error: bool) -> None:
        """Write a child's line."""
        prefix = f"{name.ljust(self._name_chars)} | ".encode() if self._prefix else b""
        _write(self._err if is_error else self._out, prefix + line + b"\n")


class Output:
    """One pipe of a child, read line by line."""

    def __init__(self, transport: asyncio.ReadTransport, reading: "asyncio.Task[None]") -> None:
        self._transport: Final = transport
        self._reading: Final = reading

    @classmethod
    async def open(cls, read_end: int, take: Callable[[bytes], None]) -> "Output":
        reader = asyncio.StreamReader(limit=limits.CHILD_LINE_BYTES_MAX)
        transport, _ = await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(read_end, "rb", buffering=0)
        )
        return cls(transport, asyncio.create_task(_read(reader, take)))

    async def ended(self) -> None:
        """Wait until every process that holds the pipe has closed it."""
        await self._reading

    def close(self) -> None:
        self._transport.close()
        self._reading.cancel()


async def end_output(outputs: Sequence[Output]) -> None:
    """Pass on the last lines of a child that ended."""
    with suppress(TimeoutError):
        async with asyncio.timeout(_LAST_OUTPUT_S_MAX):
            for output in outputs:
                await output.ended()
    for output in outputs:
        output.close()


async def _read(reader: asyncio.StreamReader, take: Callable[[bytes], None]) -> None:
    while True:
        try:
            take((await reader.readuntil(b"\n")).rstrip(b"\r\n"))
        except asyncio.LimitOverrunError as error:
            take(await reader.readexactly(error.consumed))
        except asyncio.IncompleteReadError as error:
            if error.partial:
                take(error.partial)
            return


def _write(target: BinaryIO, line: bytes) -> None:
    # Whoever read our output may be gone (`voucherswitch up | head`); that is no reason to stop selling.
    with suppress(OSError, ValueError):
        target.write(line)
        target.flush()
