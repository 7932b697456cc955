"""Providers that fail are passed over by all workers (interface.md §5.1, decision 0017), and come back.

Each test has a provider of its own behind a door that it can shut, and workers of its own, which open a breaker after
three failures. The sender is the one that all tests share.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from typing import Any, Final
from urllib.parse import urlsplit

from support.client import Answer
from support.messages import Json, a_provision, a_reversal, a_tender_confirmation
from support.originators import HASTY, TILL
from support.providers import Brand, at
from support.proxy import ProviderDoor
from support.simulator import SimulatorControl
from support.switch import Switch
from support.till import Till
from support.waiting import eventually
from voucherswitch.message.states import State

FAILURES: Final = 3
WORKERS: Final = {
    "BREAKER_FAILURES": str(FAILURES), "BREAKER_COOL_DOWN_MS": "400", "BREAKER_COOL_DOWN_MAX_MS": "1600",
}  # fmt: skip
# For what has to be seen while the cool-down lasts.
PATIENT: Final = {"BREAKER_COOL_DOWN_MS": "60000", "BREAKER_COOL_DOWN_MAX_MS": "60000"}
# Silence ends after 0.4 s, by the provider's own budget.
IMPATIENT: Final = {"read_timeout_ms": 400, "total_timeout_ms": 500}

_numbers = count(70_100_001)


@dataclass
class Bench:
    """A provider behind a door, its brand, and a till at each worker."""

    switch: Switch
    door: ProviderDoor
    brand: Brand
    tills: list[Till] = field(default_factory=list)

    @property
    def provider_id(self) -> str:
        return self.brand.name.lower()

    async def sell(self, till: int = 0) -> tuple[Json, Answer]:
        """A provision through one worker."""
        request = a_provision(TILL, **at(self.brand))
        return request, await self.tills[till].post("/vouchers", request)

    async def breaker(self) -> Any:
        """The breaker's row, with what it means now; None: it never opened."""
        rows = await self.switch.rows(
            "SELECT *, opened_at IS NOT NULL AS is_open, retry_at <= clock_timestamp() AS cooled_down"
            " FROM provider_breaker WHERE provider_id = $1",
            self.provider_id,
        )
        return rows[0] if rows else None

    async def is_open(self) -> bool:
        row = await self.breaker()
        return row is not None and row["is_open"]

    async def is_closed(self) -> bool:
        return not await self.is_open()

    async def cooled_down(self) -> None:
        """Wait until a probe may be made."""

        async def over() -> bool:
            row = await self.breaker()
            return row is not None and row["is_open"] and row["cooled_down"]

        await eventually(over, "the end of the cool-down")

    async def passed_over_by(self, till: int) -> Answer:
        """Wait until a worker refuses a sale before it makes a record of it."""

        async def refused() -> Answer | None:
            request, answer = await self.sell(till)
            assert answer.status == 503
            return answer if await self.switch.record(request["id"]) is None else None

        answer = await eventually(refused, "a worker that passes the provider over")
        assert answer is not None
        return answer

    async def opened(self) -> None:
        """Shut the door and open the breaker through the first worker."""
        await self.door.shut()
        for _ in range(FAILURES):
            request, answer = await self.sell()
            assert (answer.status, await self.switch.state(request["id"])) == (503, "DECLINED")
        assert await self.is_open()


@asynccontextmanager
async def a_bench(
    switch: Switch, *, workers: int = 1, provider: dict[str, Any] | None = None, settings: dict[str, str] | None = None
) -> AsyncIterator[Bench]:
    """A provider of its own with an open door, and workers that know it."""
    port = urlsplit(switch.simulator.url).port
    assert port is not None
    number = str(next(_numbers))
    brand = Brand(number, f"Door{number}", settings=provider or {})
    async with AsyncExitStack() as stack:
        bench = Bench(switch, await stack.enter_async_context(ProviderDoor(port)), brand)
        await switch.add_brand(brand, bench.door.url)
        for _ in range(workers):
            client = await stack.enter_async_context(switch.extra_worker(**WORKERS | (settings or {})))
            bench.tills.append(Till(switch, TILL, client))
        yield bench


async def test_5_1_failures_seen_by_one_worker_have_the_provider_passed_over_by_all(switch: Switch) -> None:
    """503 with the time to wait, and no record: the id can be used again."""
    async with a_bench(switch, workers=2, settings=PATIENT) as bench:
        await bench.opened()
        for till in range(2):
            answer = await bench.passed_over_by(till)
            assert answer.error_type == "UPSTREAM_UNAVAILABLE"
            assert 30 <= int(answer.headers["retry-after"]) <= 60
        row = await bench.breaker()
        assert row["reason"]
        assert "password" not in row["reason"]


async def test_5_1_fewer_failures_or_a_success_between_them_change_nothing(switch: Switch) -> None:
    async with a_bench(switch) as bench:
        for _ in range(3):
            await bench.door.shut()
            for _ in range(FAILURES - 1):
                assert (await bench.sell())[1].status == 503
            await bench.door.open()
            assert (await bench.sell())[1].status == 201
        assert await bench.breaker() is None


async def test_5_1_declines_and_our_own_bulkhead_say_nothing_about_the_provider(switch: Switch) -> None:
    async with a_bench(switch, settings={"PROVIDER_IN_FLIGHT_MAX": "1"}) as bench:
        for _ in range(FAILURES * 2):
            request = a_provision(TILL, **at(bench.brand))
            await switch.simulator.fault("decline", "provision", request["id"], code="LIMIT_EXCEEDED")
            assert (await bench.tills[0].post("/vouchers", request)).status == 400
        await bench.door.hold()
        before = bench.door.entered
        held = asyncio.create_task(bench.sell())

        async def entered() -> bool:
            return bench.door.entered > before

        await eventually(entered, "a call that is held")
        for _ in range(FAILURES * 2):
            assert (await bench.sell())[1].status == 503
        await bench.door.open()
        assert (await held)[1].status == 201
        assert await bench.breaker() is None


async def test_5_1_a_silent_provider_is_passed_over_too(switch: Switch) -> None:
    """Each silence is an outcome that nobody knows; the breaker bounds how many there are."""
    async with a_bench(switch, provider=IMPATIENT, settings=PATIENT) as bench:
        await bench.door.hold()
        for _ in range(FAILURES):
            request, answer = await bench.sell()
            assert (answer.status, await switch.state(request["id"])) == (504, "UNKNOWN")
        request, answer = await bench.sell()
        assert (answer.status, await switch.record(request["id"])) == (503, None)


async def test_5_1_an_originator_in_a_hurry_does_not_open_it_for_all(switch: Switch) -> None:
    """Silence of a second, because the originator waits no longer, proves nothing."""
    async with a_bench(switch) as bench:
        hasty = Till(switch, HASTY, bench.tills[0].client)
        await bench.door.hold()
        sales = [hasty.post("/vouchers", a_provision(HASTY, **at(bench.brand))) for _ in range(FAILURES * 2)]
        assert {answer.status for answer in await asyncio.gather(*sales)} == {504}

        async def calls_ended() -> bool:
            sql = "SELECT count(*) FROM transaction WHERE provider_id = $1 AND call_ended_at IS NOT NULL"
            return bool(await switch.value(sql, bench.provider_id) == FAILURES * 2)

        await eventually(calls_ended, "the end of the calls")
        await bench.door.open()
        assert await bench.breaker() is None


async def test_5_1_of_fifty_requests_at_once_one_probes(switch: Switch) -> None:
    """The others are refused without a record, by both workers; its success lets all through again."""
    async with a_bench(switch, workers=2) as bench:
        await bench.opened()
        for till in range(2):
            await bench.passed_over_by(till)
        await bench.door.hold()
        before = bench.door.entered
        await bench.cooled_down()
        selling = [asyncio.create_task(bench.sell(number % 2)) for number in range(50)]

        async def refused() -> bool:
            return sum(one.done() for one in selling) == 49

        await eventually(refused, "49 that were refused")
        assert bench.door.entered - before == 1
        for one in selling:
            if one.done():
                request, answer = one.result()
                assert (answer.status, await switch.record(request["id"])) == (503, None)
        await bench.door.open()
        answers = [answer.status for _, answer in await asyncio.gather(*selling)]
        assert sorted(answers) == [201] + [503] * 49
        assert await bench.is_closed()
        for till in range(2):

            async def sells(till: int = till) -> bool:
                return (await bench.sell(till))[1].status == 201

            # Either may have probed; the other one sees at its next poll that it succeeded.
            await eventually(sells, f"a sale through worker {till}")


async def test_5_1_a_probe_that_fails_makes_the_next_wait_longer(switch: Switch) -> None:
    async with a_bench(switch) as bench:
        await bench.opened()
        await bench.cooled_down()
        request, answer = await bench.sell()
        assert (answer.status, await switch.state(request["id"])) == (503, "DECLINED")
        row = await bench.breaker()
        assert (row["is_open"], row["openings"]) == (True, 2)


async def test_5_1_a_provider_without_traffic_comes_back_with_the_first_request(switch: Switch) -> None:
    """Nothing has to happen for that: an open breaker never turns into a dead provider."""
    async with a_bench(switch) as bench:
        await bench.opened()
        await bench.door.open()
        await bench.cooled_down()
        assert (await bench.sell())[1].status == 201
        assert await bench.is_closed()


async def test_5_1_a_refused_duplicate_is_no_probe(switch: Switch) -> None:
    """It takes the one probe and makes no call: the probe must be free again at once."""
    async with a_bench(switch) as bench:
        sold, _ = await bench.sell()
        await bench.opened()
        await bench.door.open()
        await bench.cooled_down()
        again = await bench.tills[0].post("/vouchers", sold)
        assert (again.status, again.error_type) == (400, "DUPLICATE_RECORD")
        assert (await bench.sell())[1].status == 201


async def test_x10_an_open_breaker_sends_sales_to_the_next_route_at_once(switch: Switch) -> None:
    async with a_bench(switch, settings=PATIENT) as bench:
        number = str(next(_numbers))
        both = Brand(number, f"Both{number}", routes=(bench.brand.name, "Sandbox"))
        await switch.add_brand(both, "")
        await bench.opened()
        entered = bench.door.entered

        async def sold_elsewhere() -> Json | None:
            request = a_provision(TILL, **at(both))
            answer = await bench.tills[0].post("/vouchers", request)
            return request if answer.status == 201 else None

        request = await eventually(sold_elsewhere, "a sale by the second route")
        assert request is not None
        record = await switch.record(request["id"])
        assert record is not None
        assert record["provider_id"] == "sandbox"
        peers = await switch.rows("SELECT peer FROM leg WHERE request_id = $1 AND direction = 2", request["id"])
        assert [row["peer"] for row in peers] == ["sandbox"]
        assert bench.door.entered == entered


async def test_a3_the_senders_advice_probes_and_closes_the_breaker_for_requests_too(
    switch: Switch, simulator: SimulatorControl
) -> None:
    """While it is open no advice is tried; nobody has to sell for it to close."""
    async with a_bench(switch) as bench:
        sold, answer = await bench.sell()
        assert answer.status == 201
        await bench.opened()
        confirmation = a_tender_confirmation(sold["id"])
        assert (await bench.tills[0].post("/vouchers/confirmations", confirmation)).status == 202
        await bench.door.open()
        await simulator.takes(sold["id"], "confirm")
        await eventually(bench.is_closed, "a closed breaker", within_s=30)

        async def sells() -> bool:
            return (await bench.sell())[1].status == 201

        await eventually(sells, "a sale")


async def test_a3_no_advice_is_tried_while_it_is_open(switch: Switch) -> None:
    async with a_bench(switch, settings=PATIENT) as bench:
        sales = [(await bench.sell())[0] for _ in range(3)]
        await bench.opened()
        for sale in sales:
            answer = await bench.tills[0].post("/vouchers/confirmations", a_tender_confirmation(sale["id"]))
            assert answer.status == 202
        marker = await Till(switch, TILL).a_confirmed()
        await switch.simulator.takes(marker.id, "confirm")  # the sender went round since
        sql = "SELECT coalesce(sum(attempts), 0) FROM advice WHERE provider_id = $1"
        attempts = await switch.value(sql, bench.provider_id)
        assert attempts <= 1  # one may have begun before the sender had read of it
        await switch.pool.execute(
            "UPDATE provider_breaker SET retry_at = clock_timestamp(), version = version + 1 WHERE provider_id = $1",
            bench.provider_id,
        )
        await bench.door.open()
        for sale in sales:
            await switch.simulator.takes(sale["id"], "confirm")


async def test_5_1_redemptions_refunds_and_lookups_are_503_without_a_record(switch: Switch) -> None:
    async with a_bench(switch, settings=PATIENT) as bench:
        till = bench.tills[0]
        fresh = await till.a_confirmed(**at(bench.brand))
        used = await till.a_used(await till.a_confirmed(**at(bench.brand)))
        for sale in (fresh, used):
            await switch.simulator.takes(sale.id, "confirm")
        await bench.opened()
        redemption = await till.redeem(fresh.code, receiver=bench.brand.receiver)
        refund = await till.refund(used.code, receiver=bench.brand.receiver)
        lookup = await till.lookup(voucherCode=fresh.code)
        for answer in (redemption, refund, lookup):
            assert (answer.status, answer.error_type) == (503, "UPSTREAM_UNAVAILABLE")
            assert int(answer.headers["retry-after"]) >= 30
        for answer in (redemption, refund):
            assert await switch.record(answer.body["id"]) is None


async def test_m5_a_retry_of_an_unknown_outcome_is_504_while_it_is_open(switch: Switch) -> None:
    """503 would say that the first message was certainly not processed."""
    async with a_bench(switch, provider=IMPATIENT, settings=PATIENT) as bench:
        await bench.door.hold()
        requests = [(await bench.sell())[0] for _ in range(FAILURES)]
        assert await bench.is_open()
        entered = bench.door.entered
        answer = await bench.tills[0].retry(requests[0])
        assert (answer.status, answer.error_type) == (504, "UPSTREAM_UNAVAILABLE")
        assert await switch.state(requests[0]["id"]) == "UNKNOWN"
        assert bench.door.entered == entered
        assert (await bench.tills[0].post("/vouchers/reversals", a_reversal(requests[1]["id"]))).status == 202


async def test_t3_a_retry_may_be_the_probe(switch: Switch) -> None:
    async with a_bench(switch, provider=IMPATIENT) as bench:
        await bench.door.hold()
        requests = [(await bench.sell())[0] for _ in range(FAILURES)]
        assert await bench.is_open()
        await bench.door.shut()
        await bench.door.open()
        await bench.cooled_down()
        answer = await bench.tills[0].retry(requests[0])
        assert answer.status == 201
        await switch.reaches(requests[0]["id"], State.APPROVED)
        assert await bench.is_closed()
