"""Which provider is asked next, and when nobody is (interface.md X10; design §6): only after one that heard nothing.

Also what a maintenance window keeps from being asked. Each test has brands of its own.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any
from urllib.parse import urlsplit

from support.client import Answer
from support.kinds import LONG_MS
from support.messages import Json, a_provision, a_tender_confirmation
from support.originators import TILL
from support.providers import Brand, at
from support.proxy import DatabaseDoor, ProviderDoor
from support.simulator import SimulatorControl
from support.switch import Switch
from support.till import Till
from support.waiting import eventually
from voucherswitch.catalogue import store

_numbers = count(70_200_001)


@dataclass
class Pair:
    """A provider behind a door, and a brand that goes to it first and to a second provider next."""

    switch: Switch
    door: ProviderDoor
    alone: Brand
    both: Brand
    till: Till

    async def sell(self, brand: Brand | None = None) -> tuple[Json, Answer]:
        request = a_provision(TILL, **at(brand or self.both))
        return request, await self.till.post("/vouchers", request)

    async def asked(self, request: Json) -> list[str]:
        """The providers that a request was sent to, or that it was tried to send it to, in order."""
        sql = "SELECT peer FROM leg WHERE request_id = $1 AND direction = 2 AND advice_id IS NULL ORDER BY leg_id"
        return [row["peer"] for row in await self.switch.rows(sql, request["id"])]

    async def provider_of(self, request: Json) -> str | None:
        record = await self.switch.record(request["id"])
        return None if record is None else record["provider_id"]


@asynccontextmanager
async def a_pair(
    switch: Switch,
    *,
    settings: dict[str, str] | None = None,
    first: dict[str, Any] | None = None,
    database_url: str | None = None,
) -> AsyncIterator[Pair]:
    port = urlsplit(switch.simulator.url).port
    assert port is not None
    number = str(next(_numbers))
    alone = Brand(number, f"First{number}", settings=first or {})
    second = Brand(str(next(_numbers)), f"Second{number}")
    both = Brand(str(next(_numbers)), f"Pair{number}", routes=(alone.name, second.name))
    async with AsyncExitStack() as stack:
        door = await stack.enter_async_context(ProviderDoor(port))
        await switch.add_brand(alone, door.url)
        await switch.add_brand(second, switch.simulator.url)
        await switch.add_brand(both, "")
        worker = switch.extra_worker(database_url=database_url, **(settings or {}))
        yield Pair(switch, door, alone, both, Till(switch, TILL, await stack.enter_async_context(worker)))


async def test_x10_a_provider_that_is_not_reached_is_followed_by_the_next(switch: Switch) -> None:
    async with a_pair(switch) as pair:
        await pair.door.shut()
        request, answer = await pair.sell()
        assert answer.status == 201
        assert await pair.provider_of(request) == f"second{pair.alone.id}"
        assert await pair.asked(request) == [pair.alone.name.lower(), f"second{pair.alone.id}"]


async def test_x10_a_failover_records_the_amount_that_the_next_provider_is_asked_for(switch: Switch) -> None:
    """A route may have a value of its own; a retry asks again for what the record says."""
    async with a_pair(switch) as pair:
        await switch.pool.execute(
            "UPDATE route SET default_cents = 12300 WHERE receiver_id = $1 AND priority = 2", pair.both.id
        )
        await pair.door.shut()

        async def sold() -> Json | None:
            request = a_provision(TILL, **at(pair.both) | {"amounts": None})
            del request["amounts"]
            answer = await pair.till.post("/vouchers", request)
            assert answer.status == 201
            return request if answer.body["amounts"]["approvedAmount"]["amount"] == 12_300 else None

        request = await eventually(sold, "a sale at the second route's value")
        assert request is not None
        record = await switch.record(request["id"])
        assert record is not None
        assert (record["amount_cents"], record["approved_cents"]) == (12_300, 12_300)


async def test_x10_a_full_bulkhead_and_missing_settings_send_it_to_the_next(
    switch: Switch, simulator: SimulatorControl
) -> None:
    async with a_pair(switch, settings={"PROVIDER_IN_FLIGHT_MAX": "1"}) as pair:
        held = a_provision(TILL, **at(pair.alone))
        await simulator.fault("late", "provision", held["id"], ms=LONG_MS)
        holding = asyncio.create_task(pair.till.post("/vouchers", held))
        await simulator.hears(held["id"], "provision")
        request, answer = await pair.sell()
        assert (answer.status, await pair.asked(request)) == (201, [f"second{pair.alone.id}"])
        await simulator.advance(LONG_MS)
        assert (await holding).status == 201
    async with a_pair(switch, first={"base_url": None}) as pair:
        request, answer = await pair.sell()
        assert (answer.status, await pair.asked(request)) == (201, [f"second{pair.alone.id}"])


async def test_m5_a_provider_that_may_have_heard_it_is_followed_by_nobody(switch: Switch) -> None:
    """Silence after sending is unknown: a second sale could make two vouchers."""
    async with a_pair(switch, first={"read_timeout_ms": 400, "total_timeout_ms": 500}) as pair:
        await pair.door.hold()
        request, answer = await pair.sell()
        assert (answer.status, await switch.state(request["id"])) == (504, "UNKNOWN")
        assert await pair.asked(request) == [pair.alone.name.lower()]


async def test_x10_the_next_provider_hears_nothing_before_it_is_named_durably(
    switch: Switch, simulator: SimulatorControl
) -> None:
    """The database goes away while the first provider is tried: nobody else is asked, and the outcome is open."""
    async with DatabaseDoor(switch.folder / "door", switch.database_socket) as database:
        gone = asyncio.Event()

        async def greet(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            """Accept, take the database away, and hang up in the middle of the TLS greeting: no request byte left."""
            await database.shut()
            gone.set()
            writer.close()

        refusing = await asyncio.start_server(greet, "127.0.0.1", 0)
        port = refusing.sockets[0].getsockname()[1]
        settings = {"base_url": f"https://127.0.0.1:{port}"}
        async with refusing, a_pair(switch, first=settings, database_url=database.url) as pair:
            request, answer = await pair.sell()
            assert gone.is_set()
            assert answer.status == 500
            assert await simulator.ops(request["id"]) == []
            assert await pair.provider_of(request) == pair.alone.name.lower()
            await database.open()


async def test_5_1_nobody_asks_a_provider_in_its_maintenance_window(
    switch: Switch, simulator: SimulatorControl
) -> None:
    """Sales take the next route, the rest is 503 without a record, advices wait; when it is over all goes on."""
    async with a_pair(switch) as pair:
        sale, answer = await pair.sell(pair.alone)
        assert answer.status == 201
        async with switch.pool.acquire() as connection:
            now, hour = datetime.now(UTC), timedelta(hours=1)
            window = await store.add_maintenance(connection, pair.alone.name.lower(), now, now + hour, "their release")

        async def refused() -> Answer | None:
            request, answer = await pair.sell(pair.alone)
            return answer if answer.status == 503 and await switch.record(request["id"]) is None else None

        refusal = await eventually(refused, "a sale that is refused")
        assert refusal is not None
        assert refusal.headers["retry-after"] == "60"
        entered = pair.door.entered
        request, answer = await pair.sell()
        assert (answer.status, await pair.asked(request)) == (201, [f"second{pair.alone.id}"])
        confirmation = a_tender_confirmation(sale["id"])
        assert (await pair.till.post("/vouchers/confirmations", confirmation)).status == 202
        marker = await Till(switch, TILL).a_confirmed()
        await simulator.takes(marker.id, "confirm")  # the sender went round since
        assert await simulator.taken(sale["id"], "confirm") == []
        assert pair.door.entered == entered

        async with switch.pool.acquire() as connection:
            assert await store.end_maintenance(connection, window) == (pair.alone.name.lower(), True)
        await simulator.takes(sale["id"], "confirm")

        async def sells() -> bool:
            return (await pair.sell(pair.alone))[1].status == 201

        await eventually(sells, "a sale")
