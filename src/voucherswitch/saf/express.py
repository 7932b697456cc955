"""Deliver a voucher's owed advices now, because a later request on the same voucher waits for them (A6).

Runs in the switch. It claims advices like the sender does, so that no advice is sent by both; one that the sender has
under way is waited for.
"""

import asyncio
import time

from voucherswitch.config.limits import EXPRESS_WAIT_S, WAIT_PAUSE_MAX_S, WAIT_PAUSE_MIN_S
from voucherswitch.journal.batcher import unbatched
from voucherswitch.journal.journal import Journal
from voucherswitch.journal.records import OwedAdvice
from voucherswitch.journal.statements import SQL
from voucherswitch.message.outcomes import Pending
from voucherswitch.providers.gate import Gate, Shut
from voucherswitch.providers.pool import ProviderPool
from voucherswitch.saf.delivery import attempt, claimed_from, record
from voucherswitch.saf.policy import Backoff


class Express:
    """The hurried side of store-and-forward."""

    def __init__(self, journal: Journal, providers: ProviderPool, gate: Gate, backoff: Backoff) -> None:
        self._journal = journal
        self._providers = providers
        self._gate = gate
        self._backoff = backoff

    async def deliver(self, fingerprint: bytes, until_s: float) -> bool:
        """Deliver all that is owed for a voucher, oldest first; False if that is not possible by `until_s`.

        Never waits longer than EXPRESS_WAIT_S: a till hears 503 and tries again, its customer stays.

        Raises:
            JournalError: the database fails. An advice that was sent and could not be written is sent again later.
        """
        until_s = min(until_s, time.monotonic() + EXPRESS_WAIT_S)
        pause_s = WAIT_PAUSE_MIN_S
        while True:
            owed = await self._journal.owed_of_voucher(fingerprint)
            if not owed:
                return True
            first = owed[0]
            if first.held_by_call or self._gate.shut(first.provider_id or "") is not None:
                return False
            if not first.being_sent and await self._send(first, until_s):
                continue
            # The sender has it, or the provider did not take it: look again while the customer can wait.
            left_s = until_s - time.monotonic()
            if left_s <= 0:
                return False
            await asyncio.sleep(min(pause_s, left_s))
            pause_s = min(pause_s * 1.5, WAIT_PAUSE_MAX_S)

    async def _send(self, owed: OwedAdvice, until_s: float) -> bool:
        """Claim and send one; False if the provider did not take it. A claim that was lost is somebody else's work."""
        ticket = await self._gate.enter(owed.provider_id or "", until_s)
        if isinstance(ticket, Shut):
            return False
        claim_ms = max(1, int((until_s - time.monotonic()) * 1000)) + 1000
        try:
            with unbatched():
                row = await self._journal.pool.fetchrow(
                    SQL["claim_advice_now"], owed.request_id, owed.generation, owed.advice_id, claim_ms
                )
        except BaseException:
            await ticket.give_back()
            raise
        if row is None:
            await ticket.give_back()
            return True
        done = await attempt(claimed_from(row, self._journal), self._providers, until_s, ticket)
        with unbatched():
            await record(self._journal, [done], self._backoff)
        return not isinstance(done.result, Pending)
