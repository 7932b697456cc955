"""How each fault of the plan is done to the stack, and undone.

`Injector.inject` does one from beginning to end. A fault counts as met when somebody felt it: a connection through the
proxy, a request at the simulator, a process, the database.
"""

import asyncio
import os
import signal
import time
from contextlib import suppress
from typing import Final

import asyncpg
import msgspec

from voucherswitch.cli.torture.plan import Fault
from voucherswitch.cli.torture.stack import Stack
from voucherswitch.journal.database import DatabaseError
from voucherswitch.journal.embedded import postmaster
from voucherswitch.providers.kit.control import ControlError

_POLL_S: Final = 0.05


class Injector:
    """Does faults, one at a time, counts them by kind, and writes down in `faults.jsonl` when each began and ended."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._log = stack.folder / "faults.jsonl"
        self.injected: Final[dict[str, int]] = {}
        self.met: Final[dict[str, int]] = {}
        self.now = ""  # what is going on, for the display

    async def inject(self, fault: Fault) -> None:
        """Do one fault from beginning to end."""
        self.now = str(fault)
        began = time.time()
        try:
            hits = int(await getattr(self, f"_{fault.action}")(fault))
        finally:
            self.now = ""
        with self._log.open("ab") as log:
            log.write(msgspec.json.encode({"began": began, "ended": time.time(), "hits": hits, "fault": fault}) + b"\n")
        self.injected[fault.kind] = self.injected.get(fault.kind, 0) + 1
        if hits:
            self.met[fault.kind] = self.met.get(fault.kind, 0) + 1

    async def _network(self, fault: Fault) -> int:
        assert fault.network is not None
        proxy = self._stack.proxy
        await proxy.arm(fault.target, fault.network)
        try:
            await asyncio.sleep(fault.lasts_s)
        finally:
            hits = await proxy.disarm(fault.target)
        # Nobody can see a connection that was refused; that it was tried is as good as certain.
        return hits or fault.network.kind == "refuse"

    async def _script(self, fault: Fault) -> int:
        control = self._stack.controls[fault.target]
        times: int = fault.params["times"]
        await control.order({"op": "*", **fault.params})
        await asyncio.sleep(fault.lasts_s)
        left = sum(one["timesLeft"] for one in await control.faults())
        await control.clear_faults()
        return 1 if fault.params["kind"] == "refuse_connect" else times - left

    async def _clock(self, fault: Fault) -> int:
        """Step a provider's clock, and back: nothing that it held back may stay in the future."""
        control = self._stack.controls[fault.target]
        step_ms = 1_000 * fault.params["step_s"]
        await control.advance(step_ms)
        try:
            await asyncio.sleep(fault.lasts_s)
        finally:
            await control.advance(-step_ms)
        return 1

    async def _kill(self, fault: Fault) -> int:
        process = self._stack.processes[fault.target]
        await process.kill()
        await asyncio.sleep(fault.lasts_s)
        process.start()
        return 1

    async def _restart(self, fault: Fault) -> int:
        process = self._stack.processes[fault.target]
        await process.stop()
        process.start()
        return 1

    async def _freeze(self, fault: Fault) -> int:
        process = self._stack.processes[fault.target]
        process.signal(signal.SIGSTOP)
        try:
            await asyncio.sleep(fault.lasts_s)
        finally:
            process.signal(signal.SIGCONT)
        return 1

    async def _backend(self, fault: Fault) -> int:
        """End a statement, a connection or its server process; the last makes PostgreSQL recover as from a crash."""
        how = fault.params["how"]
        try:
            connection = await self._stack.connect()
        except DatabaseError:
            return 0
        try:
            active = "AND state = 'active'" if how == "cancel" else ""
            rows = await connection.fetch(
                "SELECT pid FROM pg_stat_activity WHERE backend_type = 'client backend'"  # noqa: S608 (our own words)
                f" AND pid <> pg_backend_pid() {active} ORDER BY backend_start"
            )
            if not rows:
                return 0
            pid = rows[int(fault.params["pick"] * len(rows))]["pid"]
            if how == "kill":
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            else:
                await connection.execute(f"SELECT pg_{how}_backend($1)", pid)
            return 1
        except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError):
            return 0  # it went down while we asked
        finally:
            await _close(connection)

    async def _database(self, fault: Fault) -> int:
        """Take the database down and start it again."""
        stack = self._stack
        async with stack.restoring:
            if fault.params["how"] == "fast":
                await asyncio.to_thread(stack.server.stop)
            else:
                found = postmaster.find(stack.server.data_dir / "postgres" / "data")
                if found is not None:
                    # SIGQUIT is PostgreSQL's immediate stop: no checkpoint, so recovery follows either way.
                    number = signal.SIGKILL if fault.params["how"] == "kill" else signal.SIGQUIT
                    os.kill(found.pid, number)
                    while await asyncio.to_thread(lambda: stack.server.running):  # noqa: ASYNC110 - no event tells
                        await asyncio.sleep(_POLL_S)
            await asyncio.sleep(fault.lasts_s)
            await asyncio.to_thread(stack.server.start)
        return 1

    async def _lock(self, fault: Fault) -> int:
        """Hold the journal's main table as a careless migration would."""
        try:
            connection = await self._stack.connect()
        except DatabaseError:
            return 0
        try:
            async with connection.transaction():
                await connection.execute("SET LOCAL lock_timeout = '2s'")
                await connection.execute("LOCK TABLE transaction IN ACCESS EXCLUSIVE MODE")
                await asyncio.sleep(fault.lasts_s)
            return 1
        except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError):
            return 0
        finally:
            await _close(connection)

    async def calm(self) -> None:
        """Undo whatever may be left of a fault."""
        for target in self._stack.proxy.ports:
            await self._stack.proxy.disarm(target)
        for process in self._stack.processes.values():
            process.signal(signal.SIGCONT)
            if not process.running:
                process.start()
        await self._stack.ensure_database()
        for control in self._stack.controls.values():
            with suppress(ControlError):
                await control.clear_faults()


async def _close(connection: asyncpg.Connection) -> None:
    with suppress(asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError):
        await connection.close(timeout=2)
