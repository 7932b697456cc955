"""A voucher is claimed as it was judged, or not at all (X4, F5)."""

import asyncpg
import pytest

from journal.journal_traffic import Traffic, put_provider
from support.vault import a_vault
from voucherswitch.journal.journal import Journal
from voucherswitch.journal.records import move_voucher
from voucherswitch.message.states import Kind, State, VoucherState

_V = VoucherState


@pytest.fixture
async def traffic(journal_pool: asyncpg.Pool) -> Traffic:
    """Writes requests."""
    async with journal_pool.acquire() as connection:
        await put_provider(connection)
    return Traffic(Journal(journal_pool, a_vault(), 1, batch_max=64, queue_max=1000))


async def test_a_claimed_voucher_is_not_claimed_again(traffic: Traffic) -> None:
    _, code = await traffic.redeemed(None)

    assert await traffic.claim(Kind.REDEMPTION, code) is None


async def test_a_refund_that_was_judged_before_another_went_through_is_not_opened(traffic: Traffic) -> None:
    """How much is left of the redemption was read before it, so two could give back more than was taken."""
    redemption, code = await traffic.redeemed(State.CONFIRMED)
    first = await traffic.movement(Kind.REFUND, code, of=redemption)
    await traffic.approve(first, code, move_voucher(_V.REFUNDED))
    await traffic.confirm(first, move_voucher(_V.CONFIRMED_REDEEMED))

    assert await traffic.claim(Kind.REFUND, code, of=redemption) is None
    assert await traffic.claim(Kind.REFUND, code, of=redemption, last_refund=first) is not None
