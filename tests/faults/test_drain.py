"""SIGTERM to a worker: what is in work is finished, what is on its way is answered, and nothing is cut."""

import asyncio
import json
import select
import signal
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

from support.certificates import ClientTls
from support.kinds import LONG_MS
from support.listener import Listener, Place
from support.messages import a_provision, a_reversal
from support.originators import TILL
from support.processes import Process
from support.simulator import SimulatorControl
from support.switch import RAW_S, Switch
from support.waiting import eventually
from support.wire import Wire
from voucherswitch.config.limits import DRAIN_IDLE_S


async def _stop_begun(root: str, process: Process) -> None:
    """Send SIGTERM, and wait until nobody can connect any more."""
    process.signal(signal.SIGTERM)
    url = urlsplit(root)

    async def refused() -> bool:
        try:
            _, writer = await asyncio.open_connection(url.hostname, url.port)
        except OSError:
            return True
        writer.close()
        return False

    await eventually(refused, "a worker that takes no connections")


async def test_what_is_in_work_at_the_stop_is_finished_and_answered(
    switch: Switch, simulator: SimulatorControl
) -> None:
    request = a_provision()
    async with switch.lone_worker() as (client, process):
        wire = Wire(switch, TILL, client.root)
        await simulator.fault("late", "provision", request["id"], ms=LONG_MS)
        selling = asyncio.create_task(wire.post("/vouchers", request))
        await simulator.hears(request["id"], "provision")
        await _stop_begun(client.root, process)
        await simulator.advance(LONG_MS)
        answer = await selling
        assert answer.status == 201
        assert answer.headers["connection"] == "close"
    assert await switch.state(request["id"]) == "APPROVED"


async def test_the_next_request_on_an_idle_connection_is_served_and_is_its_last(
    switch: Switch, listener: Listener
) -> None:
    """It may have been on its way when the stop came; the originator hears in its answer to send no more."""
    async with listener.worker(KEEP_ALIVE_S="60") as (address, process):
        root = listener.root(address)
        wires = [Wire(switch, TILL, root, listener.tls) for _ in range(10)]
        for wire in wires:
            assert (await wire.post("/vouchers", a_provision())).status == 201
        await _stop_begun(root, process)
        answers = await asyncio.gather(*(wire.post("/vouchers", a_provision()) for wire in wires))
        assert [answer.status for answer in answers] == [201] * len(wires)
        assert [wire.open for wire in wires] == [False] * len(wires)


class Held:
    """A stretch of wire to a port that keeps the server's first bytes back until it is let go."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._greeted = asyncio.Event()
        self._let_go = asyncio.Event()

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[str]:
        """Yields the address to connect to instead."""
        async with await asyncio.start_server(self._serve, "127.0.0.1") as server:
            host, port = server.sockets[0].getsockname()
            yield f"https://{host}:{port}"

    async def greeted(self) -> None:
        """Wait until the server has accepted, and answered the first bytes."""
        await self._greeted.wait()

    def let_go(self) -> None:
        """From now on everything passes."""
        self._let_go.set()

    async def _serve(self, near: asyncio.StreamReader, near_writer: asyncio.StreamWriter) -> None:
        far, far_writer = await asyncio.open_connection("127.0.0.1", self._port)
        far_writer.write(await near.read(65_536))
        first = await far.read(65_536)
        self._greeted.set()
        await self._let_go.wait()
        near_writer.write(first)
        await asyncio.gather(_pass(near, far_writer), _pass(far, near_writer))


async def _pass(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65_536):
        writer.write(data)
    writer.close()


async def test_a_handshake_that_is_under_way_at_the_stop_is_finished_and_its_request_served(switch: Switch) -> None:
    """Nobody else is connected: who waits for connections only does not see that one more is coming."""
    held = Held(port := switch.free_port())
    tls = ClientTls(switch.authority.path)
    async with switch.started_worker(TLS_PORT=str(port)) as (_, process), held.listening() as root:
        await eventually(lambda: _serves(switch, f"https://127.0.0.1:{port}", tls), "a worker that serves")
        wire = Wire(switch, TILL, root, tls)
        connecting = asyncio.create_task(wire.connect())
        await held.greeted()
        await _stop_begun(f"https://127.0.0.1:{port}", process)
        await _time_passes(switch)
        held.let_go()
        await connecting
        await _time_passes(switch)
        answer = await wire.post("/vouchers", a_provision())
    assert answer.status == 201
    assert not wire.open


async def _serves(switch: Switch, root: str, tls: ClientTls) -> bool:
    """Whether a sale is answered, on a connection that does not stay."""
    try:
        return (await Wire(switch, TILL, root, tls).post("/vouchers", a_provision(), keep=False)).status == 201
    except OSError:
        return False


async def _time_passes(switch: Switch) -> None:
    """So long that a worker which does not wait is gone, and shorter than an idle connection may live."""
    for _ in range(20):
        await switch.client.post("/vouchers", a_provision())


async def test_a_connection_that_stays_idle_is_told_before_it_ends(switch: Switch, listener: Listener) -> None:
    """A request that comes too late finds an answer, unknown, and no reset; it was not read."""
    late = a_provision()
    async with listener.worker(KEEP_ALIVE_S="60") as (address, process):
        root = listener.root(address)
        used, silent = Wire(switch, TILL, root, listener.tls), Wire(switch, TILL, root, listener.tls)
        assert (await used.post("/vouchers", a_provision())).status == 201
        await silent.connect()
        await _stop_begun(root, process)
        assert (await silent.answer()).status == 500
        silent.close()
        answer = await used.post("/vouchers", late)  # it crosses the good-bye, which came first
        assert (answer.status, answer.error_type) == (500, "GENERAL_ERROR")
        assert not used.open
    assert await switch.record(late["id"]) is None


async def test_a_request_that_crosses_the_good_bye_does_not_take_it_away(switch: Switch, listener: Listener) -> None:
    """It reaches a worker that reads no more: a reset would undo what the originator has not taken yet."""
    late = a_provision()
    async with listener.worker(KEEP_ALIVE_S="60") as (address, process):
        till = await asyncio.to_thread(_connection, listener, address)
        with till:
            process.signal(signal.SIGTERM)
            await asyncio.to_thread(select.select, [till], [], [], DRAIN_IDLE_S + RAW_S)
            body = json.dumps(late).encode()
            head = switch.request_head("POST", "/suv/v1/vouchers", by=TILL, length=len(body))
            await asyncio.to_thread(till.sendall, head + body)
            await eventually(lambda: _ended(process), "the end of the worker", within_s=30)
            assert (await asyncio.to_thread(till.recv, 65_536)).startswith(b"HTTP/1.1 500 ")
    assert await switch.record(late["id"]) is None


def _connection(listener: Listener, address: Place) -> socket.socket:
    """A connection that takes nothing before it is asked to."""
    till = socket.create_connection(address, RAW_S)
    return till if listener.tls is None else listener.tls.context().wrap_socket(till, server_hostname=address[0])


async def _ended(process: Process) -> bool:
    return not process.running


async def test_a_stop_longer_than_the_drain_time_answers_unknown_and_leaves_the_record_open(
    switch: Switch, simulator: SimulatorControl
) -> None:
    """The provider may have issued: the originator reverses or retries, and the record is there for it."""
    request = a_provision()
    async with switch.lone_worker(DRAIN_S="1") as (client, process):
        wire = Wire(switch, TILL, client.root)
        await simulator.fault("late", "provision", request["id"], ms=LONG_MS)
        selling = asyncio.create_task(wire.post("/vouchers", request))
        await simulator.hears(request["id"], "provision")
        await _stop_begun(client.root, process)
        answer = await selling
        assert (answer.status, answer.error_type) == (500, "GENERAL_ERROR")
    await simulator.advance(LONG_MS)
    assert await switch.state(request["id"]) == "PENDING"
    reversed_ = await switch.client.post("/vouchers/reversals", a_reversal(request["id"]))
    assert reversed_.status == 202
