"""A journal that was restored to a moment in the past has forgotten what providers and originators have not.

One switch sells, its database is lost, and another worker goes on with what base backup and archived log give back as
of a moment between the sales. The simulated provider remembers everything, as a provider does.
"""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import asyncpg
import pytest

from support.client import Answer
from support.kinds import LONG_MS, PROVISION, running
from support.messages import Json, a_provision
from support.originators import TILL
from support.switch import Switch
from support.till import Sale, Till
from support.waiting import eventually
from voucherswitch.journal import restoration
from voucherswitch.journal.embedded import EmbeddedPostgres
from voucherswitch.journal.embedded.account import Account
from voucherswitch.message.states import State


@dataclass
class After:
    """What there was before the restore, and a worker on the restored journal."""

    switch: Switch
    till: Till
    pool: asyncpg.Pool
    kept: Sale  # before the moment
    in_flight: Json  # at the moment its provider had been asked and had not answered
    forgotten: list[Sale]  # after the moment
    redeemed: Sale
    reference: str  # the newest that was told

    async def state(self, request_id: str) -> str | None:
        """The state in the restored journal."""
        state = await self.pool.fetchval("SELECT state FROM transaction WHERE request_id = $1", request_id)
        return None if state is None else State(state).name

    async def listed(self) -> dict[str, str]:
        """What operators see of the gap: request id -> what was asked of it."""
        async with self.pool.acquire() as connection:
            return {str(item.request_id): item.operation for item in await restoration.forgotten(connection)}


@pytest.fixture(scope="module")
async def after() -> AsyncIterator[After]:
    """A sale before the moment, one in flight, some after it; then the database is restored to the moment."""
    async with Switch.start() as switch:
        archive = switch.folder / "archive"
        await _archive(switch, archive)
        till = Till(switch, TILL)
        kept = await till.a_provisioned()
        redeemed = await till.a_confirmed()
        backup = switch.folder / "backup"
        await asyncio.to_thread(switch.database.back_up, backup)
        in_flight, answering = await running(till, switch.simulator, PROVISION)
        moment = datetime.now(UTC)
        forgotten = [await till.a_provisioned() for _ in range(4)]
        redemption = await till.redeem(redeemed.code)
        assert redemption.status == 201
        redeemed.redemption = redemption.body
        await switch.simulator.advance(LONG_MS)
        assert (await answering).status == 201, "it was told so, and the restored journal will not know"
        await _archived(switch)
        for process in (*switch.workers, *switch.senders):
            await process.stop()
        switch.workers.clear()
        switch.senders.clear()

        database = EmbeddedPostgres(switch.folder / "restored")
        await asyncio.to_thread(database.restore, backup, archive, moment)
        await asyncio.to_thread(database.start)
        try:
            async with asyncpg.create_pool(database.url, min_size=1, max_size=2) as pool:
                await eventually(lambda: _promoted(pool), "the end of recovery", within_s=60)
                async with pool.acquire() as connection:
                    await restoration.mark(connection, moment)
                async with switch.extra_worker(database_url=database.url) as client:
                    yield After(
                        switch=switch, till=Till(switch, TILL, client), pool=pool, kept=kept, in_flight=in_flight,
                        forgotten=forgotten, redeemed=redeemed, reference=_reference(forgotten[-1].answer),
                    )  # fmt: skip
        finally:
            await asyncio.to_thread(database.stop)


async def _archive(switch: Switch, archive: Path) -> None:
    """Have the server archive its log, as production does."""
    await asyncio.to_thread(archive.mkdir, mode=0o700)
    Account.choose(switch.folder / "data" / "postgres").give(archive)
    await switch.pool.execute("ALTER SYSTEM SET archive_mode = on")
    await switch.pool.execute(f"ALTER SYSTEM SET archive_command = 'test ! -f {archive}/%f && cp %p {archive}/%f'")
    await asyncio.to_thread(switch.database.stop)
    await asyncio.to_thread(switch.database.start)
    await switch.pool.expire_connections()


async def _archived(switch: Switch) -> None:
    """Wait until all that was written so far is in the archive."""
    segment = await switch.pool.fetchval("SELECT pg_walfile_name(pg_switch_wal())")

    async def there() -> bool:
        last = await switch.pool.fetchval("SELECT last_archived_wal FROM pg_stat_archiver")
        return last is not None and last >= segment

    await eventually(there, "the last segment in the archive", within_s=30)


async def _promoted(pool: asyncpg.Pool) -> bool:
    return not await pool.fetchval("SELECT pg_is_in_recovery()")


def _reference(answer: Answer) -> str:
    return next(text for text in answer.raw.decode().split('"') if text.startswith("VSW-"))


async def test_the_journal_is_as_it_was_at_the_moment(after: After) -> None:
    assert await after.state(after.kept.id) == "APPROVED"
    assert await after.state(after.redeemed.id) == "CONFIRMED"
    assert await after.state(after.in_flight["id"]) == "PENDING"
    assert [await after.state(sale.id) for sale in after.forgotten] == [None] * 4
    assert (await after.till.retry(after.kept.request)).code == after.kept.code, "the vault key opens what was sealed"


async def test_a_retry_of_a_forgotten_sale_gives_its_voucher_and_sells_no_second(after: After) -> None:
    """Two at once, even."""
    sale = after.forgotten[0]
    for answer in await asyncio.gather(after.till.retry(sale.request), after.till.retry(sale.request)):
        assert (answer.status, answer.code) == (201, sale.code), answer
    assert await after.switch.simulator.ops(sale.id) == ["provision", "retry"]
    assert await after.state(sale.id) == "APPROVED"


async def test_a_retry_of_what_nobody_ever_heard_of_is_sold_once(after: After) -> None:
    request = a_provision(TILL)
    first, second = await after.till.retry(request), await after.till.retry(request)
    assert (first.status, second.status, first.code) == (201, 201, second.code)


async def test_a_confirmation_of_a_forgotten_sale_is_not_refused_for_good_and_is_listed(after: After) -> None:
    """404 would be final, and the customer holds the voucher. The till repeats; after a retry it is taken."""
    sale = after.forgotten[1]
    answer = await after.till.confirm_voucher(sale.id)
    assert (answer.status, answer.error_type) == (503, "VOUCHER_STATUS_UNKNOWN")
    assert (await after.listed())[sale.id] == "confirmVoucher"
    assert (await after.till.retry(sale.request)).code == sale.code
    assert (await after.till.confirm_voucher(sale.id)).status == 202
    assert sale.id not in await after.listed(), "settled by itself"


async def test_a_reversal_of_a_forgotten_sale_is_kept_and_listed(after: After) -> None:
    """Its voucher is still the provider's: an operator has it reversed there."""
    sale = after.forgotten[2]
    assert (await after.till.reverse_voucher(sale.id)).status == 404
    assert (await after.listed())[sale.id] == "reverseVoucher"
    late = await after.till.provision(sale.request)
    assert (late.status, late.error_type) == (400, "VOUCHER_ALREADY_REVERSED")


async def test_a_lookup_of_a_forgotten_redemption_never_says_that_it_was_not_done(after: After) -> None:
    redemption = after.redeemed.redemption_id
    answer = await after.till.lookup_redemption(redemption)
    assert (answer.status, answer.error_type) == (504, "VOUCHER_STATUS_UNKNOWN")
    assert (await after.listed())[redemption] == "lookupRedemption"


async def test_a_voucher_whose_redemption_is_forgotten_is_not_redeemed_again(after: After) -> None:
    """The provider's book decides, not ours."""
    assert (await after.till.redeem(after.redeemed.code)).status == 400


async def test_what_was_in_flight_is_asked_about_and_not_sold_again(after: After) -> None:
    """Its worker is gone with the old database. Past the call's own deadline, which is moved here, it is open."""
    await after.pool.execute("UPDATE transaction SET call_until = now() WHERE state = 1")
    answer = await after.till.retry(after.in_flight)
    voucher = await after.switch.simulator.voucher(reference=after.in_flight["id"])
    assert voucher is not None
    assert (answer.status, answer.code) == (201, voucher["code"]), answer
    assert await after.switch.simulator.ops(after.in_flight["id"]) == ["provision", "retry"]


async def test_no_reference_is_told_twice(after: After) -> None:
    fresh = await after.till.a_provisioned()
    assert _reference(fresh.answer) > after.reference


async def test_when_all_is_settled_unknown_ids_are_unknown_again(after: After) -> None:
    """For as long as this test lasts."""
    async with after.pool.acquire() as connection:
        gap = await restoration.open_gap(connection)
        assert gap is not None
        assert await restoration.close(connection)
        assert not await restoration.close(connection)
        assert await restoration.open_gap(connection) is None

    async def refused_with(status: int) -> bool:
        return (await after.till.confirm_voucher(after.forgotten[3].id)).status == status

    await eventually(lambda: refused_with(404), "the worker's catalogue")
    assert await after.listed() == {}
    async with after.pool.acquire() as connection:
        await restoration.mark(connection, gap.restored_to)
    await eventually(lambda: refused_with(503), "the worker's catalogue")
