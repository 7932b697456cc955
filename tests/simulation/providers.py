"""Scripted providers: a book each, and connectors that speak to it over a network where everything goes wrong.

What a provider does with a message is decided by its book; what becomes of the message on its way is drawn. A message
that left may be processed after its sender gave up or died, at most `SETTLE_S` later: that bound is what the settle
rule (providers.md B.1) relies on.
"""

import random
from collections.abc import Callable, Sequence
from enum import Enum, auto
from typing import Final, Protocol, TypeVar

from msgspec import Struct

from voucherswitch.message.codes import ErrorType
from voucherswitch.message.orders import (
    AdviceOrder,
    LookupOrder,
    ProviderProduct,
    ProvisionOrder,
    RedeemOrder,
    RefundOrder,
    StatusOrder,
)
from voucherswitch.message.outcomes import (
    Acknowledged,
    AdviceResult,
    Approved,
    Declined,
    NotSent,
    Outcome,
    OutcomeUnknown,
    Pending,
    Refused,
)
from voucherswitch.message.parties import Voucher
from voucherswitch.providers.contract.capabilities import Capabilities, Support
from voucherswitch.providers.contract.connector import Call

T = TypeVar("T")

SETTLE_S: Final = 6.0
_NATIVE, _EMULATED, _CONSUME, _NONE = Support.NATIVE, Support.EMULATED, Support.CONSUME, Support.NONE


def capabilities_drawn(draw: random.Random) -> Capabilities:
    """One of the many kinds of provider."""
    return Capabilities(
        provision=_NATIVE,
        retry=draw.choice((_NATIVE, _NATIVE, _EMULATED, _NONE)),
        status=draw.choice((_NATIVE, _NONE)),
        confirm=draw.choice((_NATIVE, _NATIVE, _NATIVE, _CONSUME)),
        reverse=draw.choice((_NATIVE, _NATIVE, _NATIVE, _EMULATED, _CONSUME)),
        lookup=_NATIVE,
        redeem=_NATIVE,
        confirm_redeem=draw.choice((_NATIVE, _NATIVE, _CONSUME)),
        reverse_redeem=draw.choice((_NATIVE, _NATIVE, _NATIVE, _CONSUME)),
        refund=_NATIVE,
        confirm_refund=draw.choice((_NATIVE, _NATIVE, _CONSUME)),
        reverse_refund=draw.choice((_NATIVE, _NATIVE, _NATIVE, _CONSUME)),
        redeem_status=draw.choice((_NATIVE, _NONE)),
        refund_status=draw.choice((_NATIVE, _NONE)),
        products=_NONE,
    )


class Deed(Enum):
    """What the book says of a provision, redemption or refund."""

    DONE = auto()
    CONFIRMED = auto()
    REVERSED = auto()


class Entry(Struct):
    """One thing that the provider did. `code`: the voucher it issued, or the one that was redeemed or refunded."""

    request_id: str
    what: str
    code: str
    cents: int
    deed: Deed = Deed.DONE

    @property
    def stands(self) -> bool:
        """Whether money is owed for it."""
        return self.deed is not Deed.REVERSED


class Fate(Enum):
    """What becomes of one message."""

    ANSWERED = auto()
    NOT_SENT = auto()  # no connection: the provider never hears of it
    REQUEST_LOST = auto()  # it left, and the provider never hears of it
    ANSWER_LOST = auto()  # processed, and the sender never hears of it
    LATE = auto()  # processed and answered, when perhaps nobody listens any more
    PROCESSED_LATE = auto()  # the connection broke, and the provider processes it all the same, later
    NO = auto()  # the provider declines, or does not take the advice yet


class World(Protocol):
    """What providers need of the world they are in."""

    draw: random.Random

    @property
    def now(self) -> float: ...
    def note(self, who: str, text: str) -> None: ...
    def broken(self, text: str) -> None: ...
    def at(self, moment_s: float, happen: Callable[[], None]) -> None: ...
    async def answered(self, start: Callable[[Callable[[T], None]], None]) -> T: ...
    def elsewhere(self, provider: "Provider", request_id: str) -> Entry | None: ...


class Provider:
    """A provider's book and its manners."""

    def __init__(self, name: str, world: World, can: Capabilities, trouble: float) -> None:
        self.name = name
        self.can = can
        self.trouble = trouble  # how much of what is sent goes wrong, 0 to 1
        self.entries: dict[str, Entry] = {}
        self.gone: set[str] = set()  # requests of which we proved that they never happened
        self._world = world
        self._declined: set[str] = set()
        self._sent: set[str] = set()
        self._numbers = 0

    def sending(self, request_id: str) -> None:
        """A creating request leaves for us: once, whatever becomes of it."""
        if request_id in self._sent:
            self._world.broken(f"{request_id} is sent to {self.name} a second time")
        self._sent.add(request_id)

    def fate(self, *, no: bool) -> Fate:
        """Draw what becomes of a message."""
        draw = self._world.draw
        if draw.random() >= self.trouble:
            return Fate.ANSWERED
        fates = [Fate.NOT_SENT, Fate.REQUEST_LOST, Fate.ANSWER_LOST, Fate.ANSWER_LOST, Fate.LATE, Fate.LATE]
        fates += [Fate.PROCESSED_LATE, Fate.PROCESSED_LATE, Fate.NO if no else Fate.LATE]
        return draw.choice(fates)

    # --- what the book says ---------------------------------------------------------------------------------------

    def issue(self, request_id: str, cents: int) -> Outcome:
        """A provision; one that is known is answered by what is there."""
        entry = self.entries.get(request_id)
        if entry is not None:
            if entry.stands:
                return self._issued(entry)
            return Declined(ErrorType.TRANSACTION_DECLINED, provider_message="reversed")
        if request_id in self._declined:
            return Declined(ErrorType.TRANSACTION_DECLINED)
        self._check_new(request_id)
        self._numbers += 1
        entry = Entry(request_id, "provision", f"{self.name.upper()}{self._numbers:09d}", cents)
        self.entries[request_id] = entry
        return self._issued(entry)

    def _check_new(self, request_id: str) -> None:
        if request_id in self.gone:
            self._world.broken(f"{self.name} does {request_id} after it was told, or told us, that it never happened")
        if (other := self._world.elsewhere(self, request_id)) is not None:
            self._world.broken(f"{self.name} does {request_id}, and elsewhere it is {other.deed.name}")

    def decline(self, request_id: str) -> Outcome:
        """A final no."""
        if (entry := self.entries.get(request_id)) is not None:
            return self._issued(entry) if entry.stands else Declined(ErrorType.TRANSACTION_DECLINED)
        self._declined.add(request_id)
        return Declined(ErrorType.TRANSACTION_DECLINED, provider_message="scripted")

    def status(self, request_id: str, settled_ms: int) -> Outcome:
        """What became of it; that it is not there proves something only after the settle time."""
        entry = self.entries.get(request_id)
        if entry is not None:
            return self._issued(entry) if entry.stands else Declined(ErrorType.TRANSACTION_DECLINED)
        if request_id in self._declined:
            return Declined(ErrorType.TRANSACTION_DECLINED)
        if settled_ms < SETTLE_S * 1000:
            return OutcomeUnknown(ErrorType.VOUCHER_STATUS_UNKNOWN, provider_message="not found yet")
        self.gone.add(request_id)
        return NotSent(ErrorType.UPSTREAM_UNAVAILABLE, provider_message="not found")

    def move(self, request_id: str, what: str, code: str, cents: int) -> Outcome:
        """A redemption or a refund."""
        if (entry := self.entries.get(request_id)) is not None:
            return self._issued(entry) if entry.stands else Declined(ErrorType.TRANSACTION_DECLINED)
        if request_id in self._declined:
            return Declined(ErrorType.TRANSACTION_DECLINED)
        sale = next(
            (entry for entry in self.entries.values() if entry.what == "provision" and entry.code == code), None
        )
        if sale is None or not sale.stands:
            return Declined(ErrorType.INVALID_VOUCHER)
        if sale.deed is Deed.DONE and self.can.confirm.sends:
            self._world.broken(f"{self.name} is asked for a {what} of {code} before it heard its confirmation")
        if what == ("redemption" if self._used(code) else "refund"):
            return Declined(ErrorType.VOUCHER_ALREADY_REDEEMED)
        self._check_new(request_id)
        entry = Entry(request_id, what, code, cents or sale.cents)
        self.entries[request_id] = entry
        return self._issued(entry)

    def _used(self, code: str) -> bool:
        moves = [entry for entry in self.entries.values() if entry.code == code and entry.stands]
        return sum({"redemption": 1, "refund": -1}.get(entry.what, 0) for entry in moves) > 0

    def _issued(self, entry: Entry) -> Outcome:
        voucher = Voucher(code=entry.code, serial_number=f"S{entry.code}") if entry.what == "provision" else None
        return Approved(approved_cents=entry.cents, voucher=voucher, provider_ref=f"R{entry.request_id[:8]}")

    def confirm(self, order: AdviceOrder) -> AdviceResult:
        """The request stands."""
        entry = self.entries.get(order.request_id)
        if entry is None:
            self._world.broken(f"{self.name} is told to confirm {order.request_id}, which it never did")
            return Refused("NOT_FOUND")
        if entry.deed is Deed.REVERSED:
            self._world.broken(f"{self.name} is told to confirm {order.request_id}, which it was told to reverse")
            return Refused("REVERSED")
        entry.deed = Deed.CONFIRMED
        return Acknowledged()

    def reverse(self, order: AdviceOrder) -> AdviceResult:
        """The request is undone. One that is not there may still come, until the settle time is over."""
        entry = self.entries.get(order.request_id)
        if entry is None:
            if order.sent_ms_ago < SETTLE_S * 1000:
                return Pending("not found yet")
            self.gone.add(order.request_id)
            return Acknowledged()
        if entry.deed is Deed.CONFIRMED:
            self._world.broken(f"{self.name} is told to reverse {order.request_id}, which it was told to confirm")
            return Refused("CONFIRMED")
        entry.deed = Deed.REVERSED
        return Acknowledged()


class ScriptedConnector:
    """A provider as the switch sees it: the real contract, over the world's network."""

    def __init__(self, provider: Provider, world: World) -> None:
        self.capabilities = provider.can
        self._provider = provider
        self._world = world

    async def _send(self, what: str, request_id: str, call: Call, process: Callable[[], T], no: Callable[[], T],
                    not_sent: T, unknown: T) -> T:  # fmt: skip
        """Carry one message there and its answer back, as far as its fate lets it."""
        world, provider = self._world, self._provider
        fate = provider.fate(no=True)
        sent_s = world.now
        quick = world.draw.choice((0.0, 0.01, 0.05, 0.2))
        name = f"{what} {request_id[:8]} {fate.name}"
        world.note(provider.name, name)

        def arrive(answer: Callable[[T], None] | None, back_s: float, how: Callable[[], T]) -> Callable[[], None]:
            def happen() -> None:
                result = how()
                world.note(provider.name, f"{what} {request_id[:8]} -> {type(result).__name__}")
                if answer is not None:
                    world.at(world.now + back_s, lambda: answer(result))

            return happen

        def start(answer: Callable[[T], None]) -> None:
            end_s = max(call.deadline, sent_s)
            world.at(end_s, lambda: answer(unknown))
            soon_s = sent_s + quick
            match fate:
                case Fate.ANSWERED | Fate.NO:
                    world.at(soon_s, arrive(answer, quick, process if fate is Fate.ANSWERED else no))
                case Fate.NOT_SENT:
                    world.at(soon_s, lambda: answer(not_sent))
                case Fate.REQUEST_LOST:
                    if world.draw.random() < 0.5:
                        world.at(soon_s, lambda: answer(unknown))
                case Fate.ANSWER_LOST:
                    world.at(soon_s, arrive(None, 0, process))
                    if world.draw.random() < 0.5:
                        world.at(soon_s + quick, lambda: answer(unknown))
                case Fate.LATE:
                    there_s = world.draw.uniform(sent_s, end_s)
                    world.at(there_s, arrive(answer, world.draw.uniform(0, end_s - there_s + 0.5), process))
                case Fate.PROCESSED_LATE:
                    gave_up_s = min(world.draw.choice((soon_s, world.draw.uniform(sent_s, end_s), end_s)), end_s)
                    world.at(gave_up_s, lambda: answer(unknown))
                    # Often as late as can be: a rule that measures the settle time wrongly fails there.
                    later_s = world.draw.uniform(0, SETTLE_S) if world.draw.random() < 0.5 else SETTLE_S
                    world.at(gave_up_s + later_s * 0.98, arrive(None, 0, process))

        return await world.answered(start)

    async def _ask(self, what: str, request_id: str, call: Call, process: Callable[[], Outcome]) -> Outcome:
        not_sent: Outcome = NotSent(ErrorType.UPSTREAM_UNAVAILABLE, provider_message="no connection")
        unknown: Outcome = OutcomeUnknown(provider_message="no answer")
        return await self._send(
            what, request_id, call, process, lambda: self._provider.decline(request_id), not_sent, unknown
        )

    async def _tell(
        self, what: str, order: AdviceOrder, call: Call, process: Callable[[], AdviceResult]
    ) -> AdviceResult:
        lost: AdviceResult = Pending("no answer")
        return await self._send(what, order.request_id, call, process, lambda: Pending("not now"), lost, lost)

    async def provision(self, order: ProvisionOrder, call: Call) -> Outcome:
        """Issue one voucher."""
        self._provider.sending(order.request_id)
        issue = self._provider.issue
        return await self._ask("provision", order.request_id, call, lambda: issue(order.request_id, order.amount_cents))

    async def retry(self, order: ProvisionOrder, call: Call) -> Outcome:
        """The first request again (native) or a question about it (emulated)."""
        book = self._provider
        if self.capabilities.retry is _EMULATED:
            return await self._question("retry", order.request_id, order.settled_ms_ago, call)
        outcome = await self._ask(
            "retry", order.request_id, call, lambda: book.issue(order.request_id, order.amount_cents)
        )
        # A resend that did not leave proves nothing about the first message (B.7).
        return OutcomeUnknown(provider_message="no connection") if isinstance(outcome, NotSent) else outcome

    async def _question(self, what: str, request_id: str, settled_ms: int, call: Call) -> Outcome:
        """A question has no effect, so nothing is lost with its answer; only the provider's own word is proof."""
        lost: Outcome = OutcomeUnknown(provider_message="no answer")
        return await self._send(
            what, request_id, call, lambda: self._provider.status(request_id, settled_ms), lambda: lost, lost, lost
        )

    async def status(self, order: StatusOrder, call: Call) -> Outcome:
        """What became of a provision."""
        return await self._question("status", order.request_id, order.sent_ms_ago, call)

    redeem_status = refund_status = status

    async def lookup(self, order: LookupOrder, call: Call) -> Outcome:
        """Nobody looks vouchers up here."""
        raise NotImplementedError

    async def redeem(self, order: RedeemOrder, call: Call) -> Outcome:
        """Use a voucher."""
        self._provider.sending(order.request_id)
        move = self._provider.move
        return await self._ask(
            "redeem",
            order.request_id,
            call,
            lambda: move(order.request_id, "redemption", order.voucher_code, order.amount_cents),
        )

    async def refund(self, order: RefundOrder, call: Call) -> Outcome:
        """Give a redemption back."""
        self._provider.sending(order.request_id)
        move = self._provider.move
        return await self._ask(
            "refund",
            order.request_id,
            call,
            lambda: move(order.request_id, "refund", order.voucher_code, order.amount_cents),
        )

    async def confirm(self, order: AdviceOrder, call: Call) -> AdviceResult:
        """It stands."""
        return await self._tell("confirm", order, call, lambda: self._provider.confirm(order))

    confirm_redeem = confirm_refund = confirm

    async def reverse(self, order: AdviceOrder, call: Call) -> AdviceResult:
        """It is undone."""
        return await self._tell("reverse", order, call, lambda: self._provider.reverse(order))

    reverse_redeem = reverse_refund = reverse

    async def products(self, call: Call) -> Sequence[ProviderProduct] | OutcomeUnknown:
        """Nobody asks here."""
        raise NotImplementedError

    async def close(self) -> None:
        """Nothing to close."""
