"""SIGTERM to a worker: what is in work is finished, what is on its way is answered, and nothing is cut."""

import asyncio
import signal
from urllib.parse import urlsplit

from support.client import Client
from support.kinds import LONG_MS
from support.messages import a_provision, a_reversal
from support.originators import TILL
from support.processes import Process
from support.simulator import SimulatorControl
from support.switch import Switch
from support.waiting import eventually
from support.wire import Wire


async def _stop_begun(client: Client, process: Process) -> None:
    """Send SIGTERM, and wait until nobody can connect any more."""
    process.signal(signal.SIGTERM)
    url = urlsplit(client.root)

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
        await _stop_begun(client, process)
        await simulator.advance(LONG_MS)
        answer = await selling
        assert answer.status == 201
        assert answer.headers["connection"] == "close"
    assert await switch.state(request["id"]) == "APPROVED"


async def test_the_next_request_on_an_idle_connection_is_served_and_is_its_last(switch: Switch) -> None:
    """It may have been on its way when the stop came; the originator hears in its answer to send no more."""
    async with switch.lone_worker(KEEP_ALIVE_S="60") as (client, process):
        wires = [Wire(switch, TILL, client.root) for _ in range(10)]
        for wire in wires:
            assert (await wire.post("/vouchers", a_provision())).status == 201
        await _stop_begun(client, process)
        answers = await asyncio.gather(*(wire.post("/vouchers", a_provision()) for wire in wires))
        assert [answer.status for answer in answers] == [201] * len(wires)
        assert [wire.open for wire in wires] == [False] * len(wires)


async def test_a_connection_that_stays_idle_is_told_before_it_ends(switch: Switch) -> None:
    """A request that comes too late finds an answer, unknown, and no reset; it was not read."""
    late = a_provision()
    async with switch.lone_worker(KEEP_ALIVE_S="60") as (client, process):
        used, silent = Wire(switch, TILL, client.root), Wire(switch, TILL, client.root)
        assert (await used.post("/vouchers", a_provision())).status == 201
        await silent.connect()
        await _stop_begun(client, process)
        assert (await silent.answer()).status == 500
        silent.close()
        answer = await used.post("/vouchers", late)  # it crosses the good-bye, which came first
        assert (answer.status, answer.error_type) == (500, "GENERAL_ERROR")
        assert not used.open
    assert await switch.record(late["id"]) is None


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
        await _stop_begun(client, process)
        answer = await selling
        assert (answer.status, answer.error_type) == (500, "GENERAL_ERROR")
    await simulator.advance(LONG_MS)
    assert await switch.state(request["id"]) == "PENDING"
    reversed_ = await switch.client.post("/vouchers/reversals", a_reversal(request["id"]))
    assert reversed_.status == 202
