"""Many times more than a worker takes, with slow and silent peers among it: memory stays bounded, and it serves on."""

import asyncio
import re
import time
from pathlib import Path

import pytest

from support.messages import a_provision
from support.originators import TILL
from support.processes import Process
from support.switch import Switch
from support.waiting import eventually
from support.wire import Wire
from voucherswitch.config.limits import BODY_BYTES_MAX

BURST_S = 10
IN_FLIGHT_MAX = 8
TILLS = 10 * IN_FLIGHT_MAX
SLOW = 60
# Far above what this burst needs, which is some 20 MB, and far below what a leak makes of it.
GROWTH_MB_MAX = 96


async def test_one_connection_too_many_is_told_so_and_closed_unread(switch: Switch) -> None:
    async with switch.lone_worker(CONNECTIONS_MAX="4") as (client, _):
        served: list[Wire] = []
        while True:
            surplus, request = Wire(switch, TILL, client.root), a_provision()
            answer = await surplus.post("/vouchers", request)
            if answer.status != 201:
                break
            served.append(surplus)
            assert len(served) <= 4
        assert (answer.status, answer.error_type) == (500, "GENERAL_ERROR")
        assert not surplus.open
        assert await switch.record(request["id"]) is None
        # The client that asked whether the worker is ready may still hold one.
        assert len(served) >= 3
        assert (await served[0].post("/vouchers", a_provision())).status == 201, "the others are served on"
        served[0].close()

        async def room() -> bool:
            return (await surplus.post("/vouchers", a_provision())).status == 201

        await eventually(room, "a place for another connection")
        for wire in (surplus, *served):
            wire.close()


@pytest.mark.timeout(240)
async def test_a_burst_of_ten_times_what_a_worker_takes_leaves_its_memory_bounded(switch: Switch) -> None:
    bounds = {"IN_FLIGHT_MAX": str(IN_FLIGHT_MAX), "IN_FLIGHT_PER_ORIGINATOR_MAX": str(IN_FLIGHT_MAX)}
    async with switch.lone_worker(**bounds) as (client, process):
        assert (await client.post("/vouchers", a_provision())).status == 201
        before_mb = _resident_mb(process)
        until_s = time.monotonic() + BURST_S
        statuses: set[int] = set()

        async def sell(keep: bool) -> None:
            wire = Wire(switch, TILL, client.root)
            while time.monotonic() < until_s:
                statuses.add((await wire.post("/vouchers", a_provision(), keep=keep)).status)
            wire.close()

        async def send_slowly(wire: Wire) -> None:
            """All of the largest body but its end; the worker waits for that, and gives up by itself."""
            _, writer = await wire.connect()
            head = switch.request_head("POST", "/suv/v1/vouchers", by=TILL, length=BODY_BYTES_MAX)
            writer.write(head + bytes(BODY_BYTES_MAX - 1))
            await writer.drain()

        slow = [Wire(switch, TILL, client.root) for _ in range(SLOW)]
        await asyncio.gather(*(send_slowly(wire) for wire in slow[1::2]), *(wire.connect() for wire in slow[::2]))
        await asyncio.gather(*(sell(keep=number % 2 == 0) for number in range(TILLS)))

        assert statuses == {201, 503}
        assert _resident_mb(process) - before_mb < GROWTH_MB_MAX
        assert (await client.post("/vouchers", a_provision())).status == 201
        for wire in slow:
            wire.close()


def _resident_mb(process: Process) -> int:
    """The most memory that a process ever had."""
    status = Path(f"/proc/{process.pid}/status").read_text()
    found = re.search(r"VmHWM:\s+(\d+) kB", status)
    assert found is not None
    return int(found[1]) // 1024
