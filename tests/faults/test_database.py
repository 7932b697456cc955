"""The database goes away at the worst moment: what was sold is never called "certainly not processed"."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from support.messages import a_provision
from support.proxy import DatabaseDoor
from support.switch import Switch
from support.waiting import eventually
from voucherswitch.message.states import State


@pytest.fixture
async def switch() -> AsyncIterator[Switch]:
    """A switch whose database a test may stop."""
    async with Switch.start(senders=0) as switch:
        yield switch


async def test_a_sale_whose_outcome_cannot_be_recorded_is_unknown_never_not_processed(switch: Switch) -> None:
    """The provider sells while the database is down: 503 would make the till sell a second voucher with a new id."""
    await switch.client.post("/vouchers", a_provision())  # the password is verified once
    request = a_provision(product="SBXLATE2000")
    selling = asyncio.create_task(switch.client.post("/vouchers", request))
    await switch.simulator.hears(request["id"], "provision")
    await asyncio.to_thread(switch.database.stop)
    answer = await selling
    assert answer.status == 500, answer
    assert await switch.simulator.voucher_state(request["id"]) == "PROVISIONED"

    retried = await switch.client.post(f"/vouchers/{request['id']}/retry", request)
    assert retried.status == 500, "nothing is known of the first request, so nothing final is said of it"
    fresh = await switch.client.post("/vouchers", a_provision())
    assert fresh.status == 503, "this one was certainly not processed"

    await asyncio.to_thread(switch.database.start)
    await switch.pool.expire_connections()

    async def recovered() -> bool:
        return (await switch.client.post("/vouchers", a_provision())).status == 201

    await eventually(recovered, "a sale after the database came back", within_s=30)
    await switch.reaches(request["id"], State.APPROVED)
    retried = await switch.client.post(f"/vouchers/{request['id']}/retry", request)
    assert retried.status == 201
    voucher = await switch.simulator.voucher(reference=request["id"])
    assert voucher is not None
    assert retried.code == voucher["code"], "the very voucher that was sold"


async def test_a_worker_that_starts_while_the_database_breaks_waits_for_it(switch: Switch) -> None:
    """Ending instead would use up the restarts that its supervisor allows, during every failover."""
    async with DatabaseDoor(switch.folder / "door", switch.database_socket) as door:
        cut = door.cut_at(b"FROM vault_key", answered=False)
        async with switch.lone_worker(database_url=door.url) as (client, process):
            assert cut()
            assert (await client.post("/vouchers", a_provision())).status == 201
            assert "waiting for the database" in process.text()
