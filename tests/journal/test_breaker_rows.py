"""Circuit breakers of several processes on one database: each `Breakers` here is what one process holds."""

import asyncio
import time
from collections.abc import AsyncIterator
from uuid import uuid4

import asyncpg
import pytest

from support.waiting import eventually
from voucherswitch.journal.migrate import migrate
from voucherswitch.providers.breaker import BreakerLimits, Breakers, close
from voucherswitch.providers.gate import shut_by
from voucherswitch.providers.verdict import Health

LIMITS = BreakerLimits(failures=3, cool_down_ms=150, cool_down_max_ms=600, poll_ms=20)
HOUR_MS = 3_600_000


@pytest.fixture(scope="module")
async def migrated_url(database_url: str) -> str:
    await migrate(database_url)
    return database_url


@pytest.fixture
async def pool(migrated_url: str) -> AsyncIterator[asyncpg.Pool]:
    async with asyncpg.create_pool(migrated_url, min_size=1, max_size=8) as opened:
        yield opened


class Process:
    """One process's breakers, and the provider of this test."""

    def __init__(self, pool: asyncpg.Pool, provider: str, limits: BreakerLimits = LIMITS) -> None:
        self.breakers = Breakers(pool, limits)
        self.provider = provider

    def is_open(self) -> bool:
        return self.breakers.of(self.provider).opened_at is not None

    def is_shut(self) -> bool:
        """Open, and no call may try."""
        return shut_by(self.breakers.of(self.provider), time.monotonic()) is not None

    async def fail(self, times: int = 3, version: int | None = None) -> None:
        at = self.breakers.of(self.provider).version if version is None else version
        for _ in range(times):
            await self.breakers.failing(self.provider, at, "connection refused")

    async def claim(self, for_ms: int = HOUR_MS) -> int | None:
        return await self.breakers.claim(self.provider, for_ms)

    async def settle(self, token: int, health: Health) -> None:
        await self.breakers.settle(self.provider, token, health, "still refused")

    async def cooled_down(self) -> None:
        async def over() -> bool:
            await self.breakers.refresh()
            return not self.is_shut()

        await eventually(over, "the end of the cool-down")

    async def row(self) -> asyncpg.Record:
        row = await self.breakers._pool.fetchrow(
            "SELECT *, extract(epoch FROM retry_at - clock_timestamp()) * 1000 AS left_ms FROM provider_breaker"
            " WHERE provider_id = $1",
            self.provider,
        )
        assert row is not None
        return row


@pytest.fixture
def provider() -> str:
    """A provider that no other test has."""
    return f"provider-{uuid4().hex[:8]}"


@pytest.fixture
def one(pool: asyncpg.Pool, provider: str) -> Process:
    return Process(pool, provider)


@pytest.fixture
def two(pool: asyncpg.Pool, provider: str) -> Process:
    return Process(pool, provider)


async def test_failures_in_a_row_open_it_and_the_others_learn_it_by_their_poll(one: Process, two: Process) -> None:
    await two.breakers.start()
    try:
        await one.fail(2)
        assert not one.is_open()
        await one.fail(1)
        assert one.is_open()

        async def told() -> bool:
            return two.is_open()

        await eventually(told, "the other process to know")
        assert two.breakers.of(two.provider).reason == "connection refused"
    finally:
        await two.breakers.stop()


async def test_one_success_between_failures_keeps_it_closed(one: Process) -> None:
    for _ in range(3):
        await one.fail(2)
        one.breakers.well(one.provider, 0)
    assert not one.is_open()


async def test_each_process_counts_alone(one: Process, two: Process) -> None:
    await one.fail(2)
    await two.fail(2)
    await one.breakers.refresh()
    assert not one.is_open()


async def test_evidence_from_before_the_last_change_counts_for_nothing(one: Process, two: Process) -> None:
    """Calls that began in the outage end after it, one by one; they must not open the breaker again."""
    before = one.breakers.of(one.provider).version
    await one.fail()
    await two.breakers.refresh()
    await one.cooled_down()
    token = await one.claim()
    assert token is not None
    await one.settle(token, Health.WELL)
    await one.fail(10, version=before)
    await two.fail(10)  # it has not read of the closing yet: what it saw open is none of its business
    assert not one.is_open()
    await two.breakers.refresh()
    assert not two.is_open()
    await two.fail(3)
    assert two.is_open()


async def test_two_that_open_it_at_once_open_it_once(one: Process, two: Process) -> None:
    await asyncio.gather(one.fail(), two.fail())
    assert one.is_open()
    assert two.is_open()
    assert (await one.row())["version"] == 1


async def test_of_many_claims_at_once_one_is_given(pool: asyncpg.Pool, one: Process) -> None:
    await one.fail()
    assert await one.claim() is None  # the cool-down is not over
    await one.cooled_down()
    processes = [Process(pool, one.provider) for _ in range(10)]
    for process in processes:
        await process.breakers.refresh()
    tokens = await asyncio.gather(*(process.claim() for process in processes for _ in range(5)))
    assert sum(token is not None for token in tokens) == 1
    assert all(process.is_shut() for process in processes)


async def test_a_failed_probe_doubles_the_cool_down_up_to_its_bound(one: Process) -> None:
    await one.fail()
    waits = []
    for _ in range(4):
        await one.cooled_down()
        token = await one.claim()
        assert token is not None
        await one.settle(token, Health.FAILING)
        waits.append((await one.row())["left_ms"])
        assert one.is_shut()
    for waited, wanted in zip(waits, (300, 600, 600, 600), strict=True):
        assert wanted / 2 < waited <= wanted
    assert (await one.row())["reason"] == "still refused"


async def test_a_breaker_that_opens_soon_again_goes_on_where_it_was(one: Process) -> None:
    """A provider that answers a probe and fails the rest must not be tried every few seconds for ever."""
    await one.fail()
    await one.cooled_down()
    token = await one.claim()
    assert token is not None
    await one.settle(token, Health.WELL)
    await one.fail()
    row = await one.row()
    assert row["openings"] == 2
    assert 150 < row["left_ms"] <= 300


async def test_a_probe_that_proves_nothing_leaves_the_next_to_try_at_once(one: Process, two: Process) -> None:
    await one.fail()
    await one.cooled_down()
    token = await one.claim()
    assert token is not None
    await one.settle(token, Health.UNTOLD)
    await two.breakers.refresh()
    assert not two.is_shut()
    assert await two.claim() is not None


async def test_the_claim_of_a_process_that_died_runs_out_and_its_late_word_is_not_heard(
    one: Process, two: Process
) -> None:
    await one.fail()
    await one.cooled_down()
    lost = await one.claim(for_ms=100)
    assert lost is not None
    await two.breakers.refresh()
    assert two.is_shut()
    await two.cooled_down()
    token = await two.claim()
    assert token is not None
    await one.settle(lost, Health.WELL)
    assert one.is_open()
    await two.settle(token, Health.FAILING)
    assert (await two.row())["openings"] == 2


async def test_an_operator_closes_it_for_all_and_the_probe_under_way_no_longer_counts(
    pool: asyncpg.Pool, one: Process, two: Process
) -> None:
    await one.fail()
    await one.cooled_down()
    token = await one.claim()
    assert token is not None
    async with pool.acquire() as connection:
        assert await close(connection, one.provider)
        assert not await close(connection, one.provider)
    await one.settle(token, Health.FAILING)
    await two.breakers.refresh()
    assert not one.is_open()
    assert not two.is_open()
