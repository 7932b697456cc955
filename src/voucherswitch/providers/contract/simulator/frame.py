"""A running simulator: a provider's books behind a socket, with faults between the two (providers.md B.12).

A request is read, noted, and then either answered or given to the one fault that takes it: an ordered one first, else
the provider's own script. Faults never touch the books; they only choose whether the provider processes the request and
what the client gets to see of it.
"""

import asyncio
from collections.abc import Iterator, Sequence
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Final

import msgspec

from voucherswitch.providers.contract.provider_time import SAST
from voucherswitch.providers.contract.simulator.clock import SimulatorClock, business_day
from voucherswitch.providers.contract.simulator.faults import Fault, FaultBook, Params
from voucherswitch.providers.contract.simulator.journal import Entry, SimulatorJournal
from voucherswitch.providers.contract.simulator.provider import Exchange, ProviderSimulator, Reply
from voucherswitch.providers.contract.simulator.recon import render_day, write_side_file, write_to_outbox
from voucherswitch.providers.contract.simulator.wire import Listener
from voucherswitch.providers.contract.simulator.wires import JSON_TYPE, Request, Wire, WireConnection, WireListener

OVERSIZE_BYTES: Final = 70_000  # beyond the 65536 that connectors read by default
SLOW_PIECES_MAX: Final = 50
RECON_AT: Final = time(1, 0)  # SAST, for the day before
RECON_CATCH_UP_DAYS_MAX: Final = 366


class SimulatorFrame:
    """One provider's simulator. `wires`: what is spoken on its protocol ports; `listener` is the first one's."""

    def __init__(
        self,
        provider: ProviderSimulator,
        host: str,
        outbox_dir: Path | None = None,
        wires: Sequence[Wire] = (Listener,),
    ) -> None:
        self.provider = provider
        self.outbox_dir = outbox_dir
        self.clock = SimulatorClock()
        self.faults = FaultBook()
        self.journal = SimulatorJournal()
        self.listeners: list[WireListener] = [
            wire(host, self._handle, lambda: self.clock.http_date(self.clock.now())) for wire in wires
        ]
        self.listener = self.listeners[0]
        self._reopening: asyncio.Task[None] | None = None
        self._filed_until = business_day(self.clock.now())
        self._filing = 0  # the one timer that counts; moving the clock starts another

    async def open(self, *ports: int) -> None:
        """Listen, one port per wire; port 0 takes a free one.

        Raises:
            OSError: a port is taken; the text names the address. None is left open.
        """
        try:
            for listener, port in zip(self.listeners, ports, strict=True):
                await listener.open(port)
        except OSError:
            self._stop_listening(busy=True)
            raise
        self.clock_moved()

    def _stop_listening(self, *, busy: bool) -> None:
        for listener in self.listeners:
            listener.close(busy=busy)

    async def close(self) -> None:
        """Stop listening, close every connection, forget what was due."""
        if self._reopening is not None:
            self._reopening.cancel()
            await asyncio.gather(self._reopening, return_exceptions=True)
        self.clock.reset()
        self._stop_listening(busy=True)
        await asyncio.sleep(0)  # the event loop reports the closed connections

    def reset(self) -> None:
        """Forget everything; a connection whose answer was still due is closed."""
        self.faults.reset()
        self.journal.clear()
        self.clock.reset()
        self.provider.reset()
        for connection in [one for listener in self.listeners for one in listener.connections if one.busy]:
            connection.drop()
        self.clock_moved()

    def order(self, fault: Fault) -> str:
        """Arm a fault; `refuse_connect` happens now, because a refused connection carries no request to match."""
        if fault.kind != "refuse_connect":
            return self.faults.add(fault)
        if self._reopening is not None:
            self._reopening.cancel()
        self._stop_listening(busy=False)
        self._reopening = asyncio.create_task(self._reopen(fault.params.ms / 1000))
        return "refuse_connect"

    async def _reopen(self, after_s: float) -> None:
        await asyncio.sleep(after_s)
        for listener in self.listeners:
            while not listener.listening:
                try:
                    await listener.open(listener.port)
                except OSError:  # somebody else has the port just now
                    await asyncio.sleep(0.05)

    # One request

    def _handle(self, request: Request, connection: WireConnection) -> None:
        now = self.clock.now()
        exchange = self.provider.read(request)
        entry = self.journal.add(now, exchange.op, exchange.wire_op, exchange.reference)
        fault: Fault | None = None
        if self.faults:
            armed = self.faults.take((exchange.op, exchange.wire_op, "auth"), exchange.reference)
            if armed is not None:
                fault, entry.fault_id = armed.fault, armed.fault_id
        if fault is None:
            fault = self.provider.script(exchange, now)
            if fault is not None:
                entry.fault_id = "script"
        if fault is None:
            self._send(self._process(exchange, entry), connection)
        else:
            self._perform(fault, exchange, entry, connection)

    def _process(self, exchange: Exchange, entry: Entry) -> Reply:
        """Let the provider do it."""
        reply = self.provider.answer(exchange, self.clock.now())
        entry.processed = reply.took_effect
        entry.status = reply.status
        return reply

    def _perform(self, fault: Fault, exchange: Exchange, entry: Entry, connection: WireConnection) -> None:
        params = fault.params
        match fault.kind:
            case "delay":
                self.clock.call_later(params.ms, lambda: self._send(self._process(exchange, entry), connection))
            case "late":
                reply = self._process(exchange, entry)
                self.clock.call_later(params.ms, lambda: self._send(reply, connection))
            case "late_processing":
                connection.drop()
                self.clock.call_later(params.ms, lambda: self._unheard(exchange, entry))
            case "hang_before":
                pass
            case "hang_after":
                self._unheard(exchange, entry)
            case "drop_before":
                connection.drop()
            case "drop_after":
                self._unheard(exchange, entry)
                connection.drop()
            case "rst_before":
                connection.reset()
            case "rst_after":
                self._unheard(exchange, entry)
                connection.reset()
            case "split":
                reply = self._process(exchange, entry)
                self._trickle(_rendered(reply, connection), params.sizes, params.gap_ms, connection)
            case "slow_bytes":
                self._slowly(self._process(exchange, entry), params.ms, connection)
            case "truncate":
                reply = self._shown(fault, exchange, entry, connection)
                whole = _rendered(reply, connection)
                kept = len(reply.body) // 2 if params.bytes is None else min(params.bytes, len(reply.body))
                connection.write(whole[: len(whole) - len(reply.body) + kept])
                connection.drop()
            case _:
                self._send(self._shown(fault, exchange, entry, connection), connection)

    def _unheard(self, exchange: Exchange, entry: Entry) -> None:
        """Process what nobody will hear of."""
        self._process(exchange, entry)
        entry.status = None

    def _shown(self, fault: Fault, exchange: Exchange, entry: Entry, connection: WireConnection) -> Reply:
        """What a fault shows instead of the provider's answer, after the provider did or did not process."""
        params = fault.params
        if fault.kind == "auth_fail":
            reply = self.provider.refuse_credentials(exchange)
        elif fault.kind == "decline":
            reply = self.provider.decline(exchange, params.code)
        elif fault.kind == "http":
            if params.processed:
                self._process(exchange, entry)
            reply = _free_answer(params)
        elif fault.kind in ("malformed", "truncate", "oversize"):
            # Unprocessed, there is no right body to cut; any plausible one will do.
            unprocessed = params.processed is False
            reply = _plausible(exchange) if unprocessed else self._process(exchange, entry)
            if fault.kind == "malformed":
                reply = msgspec.structs.replace(reply, body=reply.body[: len(reply.body) // 2] + b"\x00<<")
            elif fault.kind == "oversize":
                padded = connection.padded(reply.body, params.bytes or OVERSIZE_BYTES)
                reply = msgspec.structs.replace(reply, body=padded)
        elif fault.kind in self.provider.own_faults:
            reply = self.provider.own_fault(exchange, fault, self.clock.now())
            entry.processed = reply.took_effect
        else:
            reply = self.provider.spoil(self._process(exchange, entry), fault)
        entry.status = reply.status
        return reply

    # Getting it onto the wire

    def _send(self, reply: Reply, connection: WireConnection) -> None:
        if reply.pieces:
            self._trickle(_rendered(reply, connection), reply.pieces, 0, connection)
        else:
            connection.reply(reply.status, reply.body, reply.content_type, reply.headers)

    def _slowly(self, reply: Reply, milliseconds: float, connection: WireConnection) -> None:
        whole = _rendered(reply, connection)
        size = -(-len(whole) // SLOW_PIECES_MAX)
        self._trickle(whole, (size,), milliseconds / -(-len(whole) // size), connection)

    def _trickle(self, whole: bytes, sizes: Sequence[int], gap_ms: float, connection: WireConnection) -> None:
        """Write an answer in pieces, one per turn of the event loop or, with a gap, on the clock."""
        pieces = _cut(whole, sizes)

        def write_next() -> None:
            piece = next(pieces, b"")
            connection.write(piece)
            if not piece:
                connection.done()
            elif not gap_ms and not connection.gone:
                loop.call_soon(write_next)

        loop = asyncio.get_running_loop()
        if not gap_ms:
            write_next()
            return
        # All turns are planned at once, so that moving the clock brings the rest of the answer in one go.
        for turn, _ in enumerate([*_cut(whole, sizes), b""]):
            self.clock.call_later(turn * gap_ms, write_next)

    # The daily file

    def clock_moved(self) -> None:
        """Write what the new time makes due, and wait for the next."""
        if self.outbox_dir is None:
            return
        self._filed_until = min(self._filed_until, business_day(self.clock.now()))
        self._file_days()
        self._filing += 1
        filing, now = self._filing, datetime.fromtimestamp(self.clock.now(), SAST)
        due = datetime.combine(now.date(), RECON_AT, SAST)
        due += timedelta(days=0 if now < due else 1)
        self.clock.call_later(
            (due - now).total_seconds() * 1000, lambda: self.clock_moved() if filing == self._filing else None
        )

    def _file_days(self) -> None:
        """Write the files of the days that have ended since the last one."""
        now = datetime.fromtimestamp(self.clock.now(), SAST)
        last = now.date() - timedelta(days=1 if now.time() >= RECON_AT else 2)
        self._filed_until = max(self._filed_until, last - timedelta(days=RECON_CATCH_UP_DAYS_MAX))
        while self._filed_until <= last:
            if self.provider.recon_day(self._filed_until).due:
                self.recon_file(self._filed_until)
            self._filed_until += timedelta(days=1)

    def recon_file(self, day: date, fault: str | None = None, reference: str | None = None) -> tuple[str, str]:
        """The day's file and its name; also written to the outbox, where there is one."""
        of_day = self.provider.recon_day(day)
        text = render_day(of_day, fault, reference)
        name = of_day.file_name
        if self.outbox_dir is not None:
            name = write_to_outbox(self.outbox_dir, name, text)
            write_side_file(self.outbox_dir, of_day, name, fault, reference)
        return name, text


def _rendered(reply: Reply, connection: WireConnection) -> bytes:
    return connection.rendered(reply.status, reply.body, reply.content_type, reply.headers)


def _cut(whole: bytes, sizes: Sequence[int]) -> Iterator[bytes]:
    """Pieces of the given sizes; after the last size they start again."""
    turn, start = 0, 0
    while start < len(whole):
        size = sizes[turn % len(sizes)]
        yield whole[start : start + size]
        start, turn = start + size, turn + 1


def _free_answer(params: Params) -> Reply:
    if isinstance(params.body, str):
        return Reply(params.status, params.body.encode(), b"text/plain")
    return Reply(params.status, msgspec.json.encode(params.body), JSON_TYPE)


def _plausible(exchange: Exchange) -> Reply:
    return Reply(exchange.success, msgspec.json.encode({"requestId": exchange.reference, "state": "PROVISIONED"}))
