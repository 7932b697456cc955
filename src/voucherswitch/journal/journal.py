"""The journal as the path uses it: typed calls over batched statements; seals what must not be read.

Called by the switch and the store-and-forward sender. Every call returns when its effect is durable. A change that
lost its race returns None or False: the caller reads the record and judges again, nothing is forced.
"""

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from uuid import UUID

import asyncpg
import msgspec
import structlog
from asyncpg.pool import PoolConnectionProxy

from voucherswitch.config.limits import RESOLVE_FIRST_MS
from voucherswitch.journal import rows
from voucherswitch.journal import statements as sql
from voucherswitch.journal.batcher import Batcher, JournalError, JournalUnavailableError, arguments_of, unbatched
from voucherswitch.journal.presence import Calls
from voucherswitch.journal.records import (
    AcceptedAdvice,
    Advising,
    Closing,
    Due,
    Entry,
    Opening,
    OwedAdvice,
    Record,
    RedemptionRecord,
    Resolution,
    VoucherRecord,
)
from voucherswitch.journal.statements import Statement
from voucherswitch.message.refusals import RecordedRefusal
from voucherswitch.message.states import AdviceKind, Kind, State
from voucherswitch.message.trace import Leg
from voucherswitch.security.sealed import ANSWER, REQUEST, transaction_context
from voucherswitch.security.vault import Vault

log = structlog.get_logger(__name__)

_encode_json = msgspec.json.Encoder().encode


class Journal:
    """The durable memory of one process."""

    def __init__(self, pool: asyncpg.Pool, vault: Vault, worker_id: int, *, batch_max: int, queue_max: int) -> None:
        self.pool = pool
        self.vault = vault
        self._calls = Calls(worker_id)

        def batcher(statement: Statement, flushes_max: int = 1) -> Batcher:
            return Batcher(pool, statement, batch_max=batch_max, queue_max=queue_max, flushes_max=flushes_max)

        self._open_transactions = batcher(sql.OPEN_TRANSACTIONS)
        self._open_movements = batcher(sql.OPEN_MOVEMENTS)
        self._reroute = batcher(sql.REROUTE_TRANSACTIONS)
        self._approve = batcher(sql.APPROVE_PROVISIONS)
        self._close = batcher(sql.CLOSE_TRANSACTIONS)
        self._claim_calls = batcher(sql.CLAIM_CALLS)
        self._end_calls = batcher(sql.END_CALLS)
        self._record_legs = batcher(sql.RECORD_LEGS)
        self._record_refusals = batcher(sql.RECORD_REFUSALS)
        self._read_records = batcher(sql.READ_RECORDS)
        self._read_redemptions = batcher(sql.READ_REDEMPTIONS)
        self._advise = batcher(sql.ADVISE)
        self._keep_reversals = batcher(sql.KEEP_REVERSALS)
        self._note_advices = batcher(sql.NOTE_ADVICES)
        self._read_advices = batcher(sql.READ_ADVICES)
        self._owed_of_vouchers = batcher(sql.OWED_OF_VOUCHERS)
        self._read_vouchers = batcher(sql.READ_VOUCHERS)
        self._batchers = [value for value in vars(self).values() if isinstance(value, Batcher)]

    async def drain(self) -> None:
        """Wait until everything that was given to the journal is durable or has failed."""
        await asyncio.gather(*(batcher.drain() for batcher in self._batchers))

    # --- creating requests ---------------------------------------------------------------------------------------

    async def open(self, opening: Opening) -> Entry | None:
        """Make a request durable. None: its id is taken, or its voucher is; nothing was written.

        Raises:
            JournalFullError, JournalUnavailableError: certainly not processed, as far as the provider goes.
        """
        token = secrets.randbits(63)
        request_id = opening.request_id
        try:
            entry = await self._open(opening, token)
        except JournalUnavailableError:
            # It may be durable all the same, and then it bears our name: its end is ours to write.
            self._calls.began(request_id, opening.generation, opening.call_ms)
            raise
        if entry is not None:
            self._calls.began(request_id, opening.generation, opening.call_ms)
        return entry

    async def _open(self, opening: Opening, token: int) -> Entry | None:
        request_id = opening.request_id
        sealed = self._seal(request_id, opening.generation, REQUEST, opening.request)
        if opening.kind is Kind.PROVISION:
            records = await self._open_transactions.send(
                request_id,
                (request_id, opening.originator_id, opening.single, opening.receiver_id, opening.product_id,
                 opening.provider_id, opening.provider_product, opening.store.merchant_id, opening.store.terminal_id,
                 opening.amount_cents, opening.currency, sealed, token, opening.call_ms, self._calls.worker_id),
            )  # fmt: skip
        else:
            records = await self._open_movement(opening, sealed, token)
        if records:
            return _entry(opening, records[0]["reference"])
        # A lost connection may have hidden our own success: our token on the row tells.
        record = await self.read(request_id)
        if record is not None and record.opening == token:
            return _entry(opening, record.reference)
        return None

    async def _open_movement(self, opening: Opening, sealed: bytes, token: int) -> Sequence[asyncpg.Record]:
        try:
            return await self._open_movements.send(
                opening.request_id,
                (opening.request_id, opening.generation, int(opening.kind), opening.originator_id, opening.single,
                 opening.receiver_id, opening.provider_id, opening.provider_product, opening.store.merchant_id,
                 opening.store.terminal_id, opening.amount_cents, opening.currency, opening.fingerprint, sealed, token,
                 opening.call_ms, opening.redemption_id, opening.redemption_generation, opening.voucher_states,
                 self._calls.worker_id, *opening.last_refund),
            )  # fmt: skip
        except asyncpg.UniqueViolationError:
            return ()

    async def reroute(self, entry: Entry, provider_id: str, provider_product: str, amount_cents: int) -> bool:
        """Name the next provider and its amount before it is asked. False: closed meanwhile, send nothing."""
        row = (entry.request_id, entry.generation, provider_id, provider_product, amount_cents)
        return bool(await self._reroute.send(entry.request_id, row))

    async def close(self, closing: Closing, legs: list[Leg]) -> bool:
        """Record an outcome with its trace and the advice it owes. False: the record was decided by somebody else."""
        entry = closing.entry
        key = entry.request_id
        kept = self._kept_of(closing)
        traced = rows.leg_rows(key, entry.generation, legs)
        with self._calls.ending(key, entry.generation, over=closing.call_ended):
            if rows.plainly_approves(closing):
                row = rows.approval_row(closing, kept, self._calls.worker_id)
                if await self._approve.send(key, row, (traced,)):
                    return True
            values, owed_rows = rows.closing_row(closing, kept, self._calls.worker_id)
            if await self._close.send(key, values, (owed_rows, traced)):
                return True
            # A reversal that was committed while the statement ran is hidden from its second part. Once more, so that
            # the late answer is kept and the reversal that waits for this call may go.
            return bool(await self._close.send(key, values, (owed_rows, [])))

    async def settle(
        self,
        closing: Closing,
        resolution: Resolution,
        also: Callable[[asyncpg.Connection | PoolConnectionProxy], Awaitable[object]],
    ) -> bool:
        """Record what an operator found out, and who did, both or neither. False: decided by somebody else.

        The caller holds the record's claim (`claim_call`).

        Args:
            also: written with it, in the same transaction.
        """
        entry = closing.entry
        key = entry.request_id
        values, owed_rows = rows.closing_row(closing, self._kept_of(closing), self._calls.worker_id)
        arguments = arguments_of(sql.CLOSE_TRANSACTIONS, [(values, (owed_rows, []))])
        with self._calls.ending(key, entry.generation):
            async with self.pool.acquire() as connection, connection.transaction():
                if not await connection.fetch(sql.CLOSE_TRANSACTIONS.sql, *arguments):
                    return False
                await connection.execute(
                    sql.SQL["record_resolution"],
                    key, entry.generation, resolution.resolved_by, int(resolution.from_state), int(closing.to),
                    resolution.reason, resolution.evidence,
                )  # fmt: skip
                await also(connection)
                return True

    async def settled_as(self, record: Record) -> State | None:
        """Read as what an operator settled a record last; None: none did."""
        found = await self.pool.fetch(sql.SQL["report_resolutions"], [record.request_id])
        return State(found[-1]["to_state"]) if found and found[-1]["generation"] == record.generation else None

    def _kept_of(self, closing: Closing) -> rows.Kept:
        """What of an outcome is sealed, hashed or packed before it is kept."""
        entry, code, answer = closing.entry, closing.voucher_code, closing.answer
        return rows.Kept(
            None if code is None else self.vault.fingerprint(code),
            None if closing.refs is None else _json(closing.refs),
            None if answer is None else self._seal(entry.request_id, entry.generation, ANSWER, answer),
            None if closing.error is None else _kept(closing.error),
        )

    async def claim_call(self, record: Record, call_ms: int, *, asks_only: bool = False) -> bool:
        """Take the right to ask the provider again about an UNKNOWN record. False: somebody else is asking.

        Args:
            asks_only: the question can create nothing at the provider.
        """
        key, generation = record.request_id, record.generation
        if self._calls.under_way(key, generation):
            return False
        self._calls.began(key, generation, call_ms)
        if await self._claim_calls.send(key, (key, generation, call_ms, self._calls.worker_id, asks_only)):
            return True
        # A lost connection may have hidden our own success: nobody else claims in our name.
        now = await self.read(key)
        ours = now is not None and (now.generation, now.worker_id) == (generation, self._calls.worker_id)
        if ours and now is not None and now.call_running:
            return True
        self._calls.ended(key, generation)
        return False

    async def end_call(
        self,
        entry: Entry,
        alert: str | None,
        legs: list[Leg],
        refs: dict[str, str] | None = None,
        *,
        resolve_in_ms: int = RESOLVE_FIRST_MS,
        asked: bool = False,
    ) -> None:
        """Give that right back when the answer decided nothing; keep the trace, and what it takes to ask again.

        Args:
            resolve_in_ms: when the resolver looks at the record next.
            asked: it was the resolver that asked.
        """
        key = entry.request_id
        values = (
            key,
            entry.generation,
            alert,
            _json(refs) if refs else None,
            self._calls.worker_id,
            resolve_in_ms,
            int(asked),
        )
        with self._calls.ending(key, entry.generation):
            await self._end_calls.send(key, values, (rows.leg_rows(key, entry.generation, legs),))

    async def end_forgotten_calls(self) -> None:
        """End the calls that are over and whose end could not be written: nobody else may."""

        async def end(key: UUID, generation: int) -> None:
            values = (key, generation, None, None, self._calls.worker_id, RESOLVE_FIRST_MS, 0)
            if await self._end_calls.send(key, values, ([],)):
                log.error("call ended without an outcome", request_id=str(key))
            self._calls.ended(key, generation)

        await asyncio.gather(*(end(key, generation) for key, generation in self._calls.forgotten()))

    async def record_legs(self, request_id: UUID, generation: int, legs: list[Leg]) -> None:
        """Keep the trace of a message that changes no record; one that cannot be written changes no answer."""
        if not legs:
            return
        with _trace_only(request_id):
            await self._record_legs.send(
                secrets.randbits(63), (request_id,), (rows.leg_rows(request_id, generation, legs),)
            )

    async def record_refusal(
        self, request_id: UUID, originator_id: str, kind: Kind, operation: str, error: RecordedRefusal, legs: list[Leg]
    ) -> None:
        """Keep a refusal that made no record; one that cannot be written is a refusal all the same."""
        with _trace_only(request_id):
            await self._record_refusals.send(
                request_id,
                (request_id, originator_id, int(kind), operation, _kept(error)),
                (rows.leg_rows(request_id, 0, legs),),
            )

    # --- resolving -----------------------------------------------------------------------------------------------

    async def due_resolutions(self, places: Mapping[str, int]) -> list[Due]:
        """Read which open requests the resolver should look at now: so many at most of each provider."""
        found = await self.pool.fetch(sql.SQL["due_resolutions"], list(places), list(places.values()))
        return [rows.due(row) for row in found]

    async def postpone_resolution(self, due: Due, delay_ms: int) -> None:
        """Let the resolver look at an open request again after so long."""
        await self.pool.execute(
            sql.SQL["postpone_resolution"], due.request_id, due.generation, delay_ms, due.resolve_at
        )

    async def lapsed_approvals(self, most: int) -> list[UUID]:
        """Read which approvals their provider holds no longer, because no confirmation came."""
        return [row["request_id"] for row in await self.pool.fetch(sql.SQL["lapsed_approvals"], most)]

    # --- reading -------------------------------------------------------------------------------------------------

    async def read(self, request_id: UUID) -> Record | None:
        """Read the newest record of an id, whoever owns it."""
        records = await self._read_records.send(request_id, (request_id,))
        return rows.record(records[0]) if records else None

    async def read_advice(self, advice_id: UUID) -> AcceptedAdvice | None:
        """Read what an advice id was accepted for."""
        found = await self._read_advices.send(advice_id, (advice_id,))
        return rows.accepted_advice(found[0]) if found else None

    async def read_vouchers(self, code: str) -> list[VoucherRecord]:
        """Read the vouchers that bear this code, one per receiver."""
        fingerprint = self.vault.fingerprint(code)
        return [rows.voucher(row) for row in await self._read_vouchers.send(fingerprint, (fingerprint,))]

    async def adopt_voucher(self, code: str, receiver_id: str, provider_id: str, provider_product: str) -> None:
        """Take in a voucher that was sold elsewhere; nothing happens to one that is known."""
        fingerprint = self.vault.fingerprint(code)
        with unbatched():
            await self.pool.execute(sql.SQL["adopt_voucher"], fingerprint, receiver_id, provider_id, provider_product)

    async def read_redemption(self, request_id: UUID, fingerprint: bytes) -> RedemptionRecord | None:
        """Read the newest redemption with this id on this voucher."""
        found = await self._read_redemptions.send(request_id, (request_id, fingerprint))
        return rows.redemption(found[0]) if found else None

    async def owed_of_voucher(self, fingerprint: bytes) -> list[OwedAdvice]:
        """Read the advices of a voucher that its provider has not answered yet, oldest first."""
        found = await self._owed_of_vouchers.send(fingerprint, (fingerprint,))
        return [rows.owed_advice(row) for row in found]

    async def provisions_of_code(self, code: str) -> list[Record]:
        """Read every provision whose voucher bears this code, oldest first."""
        with unbatched():
            found = await self.pool.fetch(sql.SQL["provisions_of_code"], self.vault.fingerprint(code))
        return [rows.record(row) for row in found]

    async def provisions_of_serial(self, serial_number: str) -> list[Record]:
        """Read every provision whose voucher bears this serial number, oldest first."""
        with unbatched():
            found = await self.pool.fetch(sql.SQL["provisions_of_serial"], serial_number)
        return [rows.record(row) for row in found]

    async def note_lookup(self, fingerprint: bytes, receiver_id: str, originator_id: str) -> None:
        """Remember that an originator has looked a voucher up."""
        with unbatched():
            await self.pool.execute(sql.SQL["note_lookup"], fingerprint, receiver_id, originator_id)

    async def looked_up(self, fingerprint: bytes, receiver_id: str, originator_id: str) -> bool:
        """Tell whether it has, since its last redemption of it."""
        with unbatched():
            return bool(await self.pool.fetchval(sql.SQL["looked_up"], fingerprint, receiver_id, originator_id))

    async def last_refusal(self, request_id: UUID, originator_id: str, kind: Kind) -> RecordedRefusal | None:
        """Read the newest refusal of an id that never became a record."""
        with unbatched():
            error = await self.pool.fetchval(sql.SQL["last_refusal"], request_id, originator_id, int(kind))
        return None if error is None else rows.refusal(error)

    # --- advices -------------------------------------------------------------------------------------------------

    async def advise(self, advising: Advising, legs: list[Leg]) -> bool:
        """Accept an advice with everything it changes. False: the record moved meanwhile, or the advice id is taken."""
        key = advising.request_id
        values = (
            key, advising.generation, advising.originator_id, advising.from_states, int(advising.to),
            advising.advice_id, int(advising.kind), int(advising.state), advising.provider_id, rows.lane_of(key),
            advising.reason, advising.amount_cents, advising.replaces_own, advising.voucher.action, advising.voucher.to,
        )  # fmt: skip
        try:
            return bool(await self._advise.send(key, values, (rows.leg_rows(key, advising.generation, legs),)))
        except asyncpg.UniqueViolationError:
            return False

    async def keep_reversal(
        self, request_id: UUID, generation: int, kind: Kind, originator_id: str, reversal_id: UUID, legs: list[Leg]
    ) -> bool:
        """Keep a reversal whose request is unknown or declined. False: a record of another state is there now."""
        return bool(
            await self._keep_reversals.send(
                request_id,
                (request_id, generation, int(kind), originator_id, reversal_id),
                (rows.leg_rows(request_id, generation, legs),),
            )
        )

    async def note_advice(self, record: Record, advice_id: UUID, kind: AdviceKind, legs: list[Leg]) -> None:
        """Keep an advice that was acknowledged and changed nothing."""
        key = record.request_id
        await self._note_advices.send(
            key,
            (key, record.generation, advice_id, int(kind), int(record.kind), record.originator_id, record.provider_id,
             rows.lane_of(key), None),
            (rows.leg_rows(key, record.generation, legs),),
        )  # fmt: skip

    # --- sealed columns ------------------------------------------------------------------------------------------

    def open_request(self, record: Record) -> bytes:
        """Open the request as it came, without PINs."""
        if record.sealed_request is None:
            raise ValueError(f"transaction {record.request_id} has no request")
        return self.open_sealed_request(record.request_id, record.generation, record.sealed_request)

    def open_sealed_request(self, request_id: UUID, generation: int, sealed: bytes) -> bytes:
        """Open what `Opening.request` sealed."""
        return self.vault.open(sealed, transaction_context(request_id, generation, REQUEST))

    def open_answer(self, request_id: UUID, generation: int, sealed: bytes) -> bytes:
        """Open what `Closing.answer` sealed."""
        return self.vault.open(sealed, transaction_context(request_id, generation, ANSWER))

    def _seal(self, request_id: UUID, generation: int, column: bytes, plaintext: bytes) -> bytes:
        return self.vault.seal(plaintext, transaction_context(request_id, generation, column))


@contextmanager
def _trace_only(request_id: UUID) -> Iterator[None]:
    """What is written here decides nothing: without it an operator sees less, and the originator's answer stands."""
    try:
        yield
    except JournalError as error:
        log.error("trace not written", request_id=str(request_id), reason=str(error))


def _json(value: object) -> str:
    return _encode_json(value).decode()


def _kept(error: RecordedRefusal) -> str:
    """A refusal as it may be kept: a duplicate's voucher is told to its owner, and stays sealed here."""
    return _json(RecordedRefusal(error.refusal, msgspec.structs.replace(error.detail, voucher=None)))


def _entry(opening: Opening, reference: int) -> Entry:
    return Entry(
        request_id=opening.request_id,
        generation=opening.generation,
        reference=reference,
        kind=opening.kind,
        receiver_id=opening.receiver_id,
    )
