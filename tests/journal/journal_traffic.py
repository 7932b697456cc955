"""Requests as the switch writes them, straight into a journal: every kind, in every state that it can rest in."""

from typing import Final
from uuid import UUID, uuid4

from msgspec import Struct

from voucherswitch.journal.invariants import Connection
from voucherswitch.journal.journal import Journal
from voucherswitch.journal.records import (
    BIND,
    NO_CHANGE,
    RELEASE,
    RESTORE,
    Advising,
    Closing,
    Entry,
    Opening,
    VoucherChange,
    move_voucher,
)
from voucherswitch.message.answers import Answer, pack
from voucherswitch.message.codes import ErrorType
from voucherswitch.message.parties import Institution, Store, Voucher
from voucherswitch.message.refusals import Detail, RecordedRefusal, Refusal
from voucherswitch.message.states import AdviceKind, AdviceState, Kind, State, VoucherState, mask

ORIGINATOR: Final = "TILL"
RECEIVER: Final = "BRAND"
PROVIDER: Final = "protea"
NEXT_PROVIDER: Final = "karoo"
OPEN: Final = mask((State.PENDING, State.UNKNOWN))
SPENDABLE: Final = mask((VoucherState.CONFIRMED_PROVISIONED,))
USED: Final = mask((VoucherState.CONFIRMED_REDEEMED,))
CENTS: Final = 10_000
_NO: Final = RecordedRefusal(Refusal("V1", 400, ErrorType.ROUTING_ERROR, "No."), Detail())
_V = VoucherState


def _answer(code: str) -> bytes:
    brand = Institution(RECEIVER, RECEIVER)
    answer = Answer(
        receiver=brand, settlement=brand, switch_ref="VSW-1", provider_ref="P-1", approved_cents=CENTS, currency="710",
        voucher=Voucher(code),
    )  # fmt: skip
    return pack(answer)


class Requests(Struct):
    """The id of one request in each state, and the code of the voucher that it is about."""

    ids: dict[str, UUID]
    codes: dict[str, str]


class Traffic:
    """Writes requests through the journal's own statements."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    async def all(self) -> Requests:
        """One of each."""
        found = Requests({}, {})

        def note(name: str, entry: Entry, code: str) -> None:
            found.ids[name], found.codes[name] = entry.request_id, code

        for name, state in (("pending", None), ("unknown", State.UNKNOWN), ("declined", State.DECLINED)):
            entry, code = await self.provision()
            if state is not None:
                await self._end(entry, state)
            note(name, entry, code)
        entry, code = await self.provision()
        await self.reverse(entry, State.PENDING)
        note("reversed", entry, code)
        note("sold", *await self.sold())
        entry, code = await self.provision()
        await self.approve(entry, code)
        note("approved", entry, code)
        note("redeeming", *await self.redeemed(None))
        note("redeemed", *await self.redeemed(State.APPROVED))
        note("used", *await self.redeemed(State.CONFIRMED))
        entry, code = await self.redeemed(State.APPROVED)
        await self.reverse(entry, State.APPROVED, move_voucher(_V.CONFIRMED_PROVISIONED))
        note("unused", entry, code)
        used, code = await self.redeemed(State.CONFIRMED)
        refund = await self.movement(Kind.REFUND, code, of=used)
        await self.approve(refund, code, move_voucher(_V.REFUNDED))
        note("refunded", refund, code)
        note("given_back", used, code)
        used, code = await self.redeemed(State.CONFIRMED)
        refund = await self.movement(Kind.REFUND, code, of=used)
        await self.approve(refund, code, move_voucher(_V.REFUNDED))
        await self.reverse(refund, State.APPROVED, RESTORE)
        note("kept", refund, code)
        tombstone = uuid4()
        assert await self._journal.keep_reversal(tombstone, 0, Kind.PROVISION, ORIGINATOR, uuid4(), [])
        found.ids["tombstone"] = tombstone
        return found

    async def provision(self) -> tuple[Entry, str]:
        """An open provision, and the code that its voucher will have."""
        entry = await self._journal.open(self._opening(Kind.PROVISION))
        assert entry is not None
        return entry, f"CODE-{entry.request_id.hex}"

    async def sold(self) -> tuple[Entry, str]:
        """A provision that is confirmed."""
        entry, code = await self.provision()
        await self.approve(entry, code)
        await self.confirm(entry, BIND)
        return entry, code

    async def redeemed(self, state: State | None) -> tuple[Entry, str]:
        """A redemption of a new voucher: open, approved or confirmed."""
        _, code = await self.sold()
        entry = await self.movement(Kind.REDEMPTION, code)
        if state is not None:
            await self.approve(entry, code, move_voucher(_V.REDEEMED))
        if state is State.CONFIRMED:
            await self.confirm(entry, move_voucher(_V.CONFIRMED_REDEEMED))
        return entry, code

    async def movement(self, kind: Kind, code: str, of: Entry | None = None) -> Entry:
        """An open redemption or refund of a voucher."""
        entry = await self.claim(kind, code, of)
        assert entry is not None
        return entry

    async def claim(
        self, kind: Kind, code: str, of: Entry | None = None, *, last_refund: Entry | None = None
    ) -> Entry | None:
        """A redemption or refund of a voucher, as it was judged when `last_refund` was its newest; None: not opened."""
        opening = self._opening(kind)
        opening.fingerprint = self._journal.vault.fingerprint(code)
        opening.voucher_states = SPENDABLE if kind is Kind.REDEMPTION else USED
        if of is not None:
            opening.redemption_id, opening.redemption_generation = of.request_id, of.generation
        if last_refund is not None:
            opening.last_refund = (last_refund.request_id, last_refund.generation)
        return await self._journal.open(opening)

    async def approve(self, entry: Entry, code: str, voucher: VoucherChange = NO_CHANGE) -> None:
        """The provider said yes."""
        closing = Closing(
            entry=entry, from_states=OPEN, to=State.APPROVED, approved_cents=CENTS, voucher_code=code,
            answer=_answer(code), answered_status=200, voucher=voucher,
        )  # fmt: skip
        assert await self._journal.close(closing, [])

    async def confirm(self, entry: Entry, voucher: VoucherChange) -> None:
        """The originator confirmed."""
        assert await self.advise(entry, AdviceKind.CONFIRMATION, State.APPROVED, State.CONFIRMED, voucher)

    async def reverse(self, entry: Entry, was: State, voucher: VoucherChange = NO_CHANGE) -> None:
        """The originator reversed."""
        assert await self.advise(entry, AdviceKind.REVERSAL, was, State.REVERSED, voucher)

    async def advise(
        self,
        entry: Entry,
        kind: AdviceKind,
        was: State,
        to: State,
        voucher: VoucherChange = NO_CHANGE,
        provider_id: str = PROVIDER,
    ) -> bool:
        """Accept an advice. False: the record is not as it was judged."""
        advising = Advising(
            request_id=entry.request_id, generation=entry.generation, request_kind=entry.kind,
            originator_id=ORIGINATOR, advice_id=uuid4(), kind=kind, from_states=mask((was,)), to=to,
            state=AdviceState.QUEUED, provider_id=provider_id, voucher=voucher,
        )  # fmt: skip
        return await self._journal.advise(advising, [])

    async def reroute(self, entry: Entry, provider_id: str) -> bool:
        """The next route's provider is about to be asked."""
        return await self._journal.reroute(entry, provider_id, "R100", 10_000)

    async def _end(self, entry: Entry, to: State) -> None:
        alert = "outcome_unknown" if to is State.UNKNOWN else None
        assert await self._journal.close(
            Closing(entry=entry, from_states=OPEN, to=to, error=_NO, alert=alert, voucher=RELEASE), []
        )

    def _opening(self, kind: Kind) -> Opening:
        return Opening(
            request_id=uuid4(), kind=kind, originator_id=ORIGINATOR, single=False, receiver_id=RECEIVER,
            provider_id=PROVIDER, provider_product="R100", store=Store("S001", "T1"), amount_cents=CENTS,
            currency="710", request=b"{}", call_ms=60_000,
        )  # fmt: skip


async def put_provider(connection: Connection) -> None:
    """The provider that all of it is asked of, and the one of the next route."""
    await connection.executemany(
        "INSERT INTO provider (provider_id, connector) VALUES ($1, 'sandbox') ON CONFLICT DO NOTHING",
        [(PROVIDER,), (NEXT_PROVIDER,)],
    )
