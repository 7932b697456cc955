"""What a till does over and over, by the name of its scenario.

A cycle is a generator: it yields what is asked, gets the whole answer, and ends where the next cycle may begin. There
is no I/O in it, and it costs the load next to nothing; the connection (load_connection.py) sends, waits, judges the
answer by its operation and counts. What the answers must have left in the books stands in effects.py.
"""

from collections.abc import Callable, Generator, Mapping
from random import Random
from typing import ClassVar, Final, TypeAlias

from bench.errors import BenchError
from bench.histogram import Histogram
from bench.provision import PATH, REQUEST
from bench.till_messages import (
    CANCELLATION,
    CONFIRMATION,
    DECLINED_CENTS,
    IN_DOUBT_CENTS,
    REDEMPTION,
    TENDER_CONFIRMATION,
    TIMEOUT,
    sale,
)
from bench.wire import Address, Form, Question, fresh_id

STOCK: Final = 16  # vouchers that a till sells before it redeems, looks up or repeats
REDEMPTIONS: Final = 24  # of one voucher, R10 of R250 each
DEALT: Final = 20  # sales in which one is declined and one has no known outcome

_BASE: Final = PATH.removesuffix("/vouchers")


class UnreadableAnswerError(Exception):
    """An answer of the right status in which something is missing."""


class Operation:
    """One kind of exchange: the answer it must get, and what was counted of it in this run.

    Attributes:
        fill: makes the bytes of a request of what is new in it.
        says: what must stand in the answer besides.
        answers: all of them, those before and after the measured window too.
    """

    __slots__ = ("answers", "fill", "latencies", "name", "says", "status")

    def __init__(self, name: str, form: Form | Question, status: bytes, says: bytes = b"") -> None:
        self.name = name
        self.fill: Callable[..., bytes] = form.fill
        self.status = status
        self.says = says
        self.answers = 0
        self.latencies = Histogram()


Ask: TypeAlias = tuple[Operation, bytes]
Cycle: TypeAlias = Generator[Ask, bytes, None]


class Desk:
    """What the tills of one run share: the operations, and the order in which sales go wrong."""

    def __init__(self, at: Address, request: Mapping[str, object] = REQUEST) -> None:
        wanted = dict(request)
        refused, advised = b'"DO_NOT_HONOUR"', b'"requestId":'
        sell = at.post(PATH, sale(wanted))
        self.provision = Operation("provision", sell, b"201")
        self.confirm = Operation(
            "confirm provision", at.post(f"{PATH}/confirmations", TENDER_CONFIRMATION), b"202", advised
        )
        self.duplicate = Operation("duplicate", sell, b"400", b'"DUPLICATE_RECORD"')
        self.declined = Operation("declined provision", at.post(PATH, sale(wanted, DECLINED_CENTS)), b"400", refused)
        self.in_doubt = Operation("provision in doubt", at.post(PATH, sale(wanted, IN_DOUBT_CENTS)), b"504")
        self.retry = Operation("retry", at.post(f"{PATH}/%b/retry", sale(wanted, IN_DOUBT_CENTS)), b"201")
        self.reverse = Operation("reverse provision", at.post(f"{PATH}/reversals", TIMEOUT), b"202", advised)
        self.lookup = Operation("lookup voucher", at.get(f"{PATH}?voucherCode=%b"), b"200", b'"approvedAmount"')
        self.products = Operation("lookup products", at.get(f"{_BASE}/products"), b"200", b'"productId"')
        self.redeem = Operation("redeem", at.post(f"{_BASE}/redemptions", REDEMPTION), b"201")
        self.confirm_redemption = Operation(
            "confirm redemption", at.post(f"{_BASE}/redemptions/confirmations", CONFIRMATION), b"202", advised
        )
        self.reverse_redemption = Operation(
            "reverse redemption", at.post(f"{_BASE}/redemptions/reversals", CANCELLATION), b"202", advised
        )
        self._random = Random(0)  # an order that is the same in every run
        self._dealt: list[int] = []

    @property
    def operations(self) -> tuple[Operation, ...]:
        """Those that were used."""
        return tuple(one for one in vars(self).values() if isinstance(one, Operation) and one.answers)

    def deal(self) -> int:
        """Deal a number below DEALT: each comes once in so many sales, in changing order, over all tills together.

        Not by chance alone: five failures in a row open the provider's breaker, and would end a long run one day.
        """
        if not self._dealt:
            self._dealt = self._random.sample(range(DEALT), DEALT)
        return self._dealt.pop()


class Till:
    """One connection's script. This one only sells."""

    title: ClassVar[str] = "provision"

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def prepare(self) -> Cycle:
        """Do what has to be there before the first cycle."""
        yield from ()

    def cycle(self) -> Cycle:
        """Sell one voucher."""
        yield self._desk.provision, self._desk.provision.fill(fresh_id())


class ConfirmingTill(Till):
    """Sells and confirms, as every till of a dual-message originator does."""

    title = "provision+confirm"

    def cycle(self) -> Cycle:
        """Sell a voucher; the customer has it, so confirm the sale."""
        yield from self._sold()

    def _sold(self) -> Generator[Ask, bytes, bytes]:
        """Return the code of a voucher sold and confirmed."""
        desk, request_id = self._desk, fresh_id()
        answer = yield desk.provision, desk.provision.fill(request_id)
        yield desk.confirm, desk.confirm.fill(fresh_id(), request_id, identifiers_in(answer))
        return code_in(answer)


class StockedTill(ConfirmingTill):
    """Sells some vouchers before its first cycle and takes them in turn."""

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk)
        self._codes: list[bytes] = []
        self._next = 0

    def prepare(self) -> Cycle:
        """Sell and confirm the stock."""
        for _ in range(STOCK):
            self._codes.append((yield from self._sold()))

    def _turn(self) -> int:
        place, self._next = self._next, (self._next + 1) % STOCK
        return place


class LookingTill(StockedTill):
    """Looks vouchers up that it sold before; the provider is asked every time."""

    title = "voucher lookup"

    def cycle(self) -> Cycle:
        """Look one up by its code."""
        code = self._codes[self._turn()]
        yield self._desk.lookup, self._desk.lookup.fill(code)


class RedeemingTill(StockedTill):
    """Takes vouchers as tender that it sold before, R10 at a time. Every tenth customer changes his mind."""

    title = "redemption"

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk)
        self._left = [REDEMPTIONS] * STOCK
        self._redeemed = 0

    def cycle(self) -> Cycle:
        """Look the voucher up, redeem a part of it, and confirm that, or reverse it every tenth time."""
        desk, place, request_id = self._desk, self._turn(), fresh_id()
        if not self._left[place]:  # used up: another in its place
            self._codes[place] = yield from self._sold()
            self._left[place] = REDEMPTIONS
        self._left[place] -= 1
        self._redeemed += 1
        code = self._codes[place]
        yield desk.lookup, desk.lookup.fill(code)
        answer = yield desk.redeem, desk.redeem.fill(request_id, code)
        advise = desk.reverse_redemption if self._redeemed % 10 == 0 else desk.confirm_redemption
        yield advise, advise.fill(fresh_id(), request_id, identifiers_in(answer))


class RepeatingTill(Till):
    """Sends sales again that were answered long ago: an originator that has lost its memory."""

    title = "duplicate"

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk)
        self._sales: list[bytes] = []
        self._next = 0

    def prepare(self) -> Cycle:
        """Sell some."""
        for _ in range(STOCK):
            request_id = fresh_id()
            yield self._desk.provision, self._desk.provision.fill(request_id)
            self._sales.append(request_id)

    def cycle(self) -> Cycle:
        """Send one of them again; it is refused, with the voucher that it was answered with."""
        request_id, self._next = self._sales[self._next], (self._next + 1) % STOCK
        yield self._desk.duplicate, self._desk.duplicate.fill(request_id)


class ListingTill(Till):
    """Fetches the list of products."""

    title = "product lookup"

    def cycle(self) -> Cycle:
        """Fetch it."""
        yield self._desk.products, self._desk.products.fill()


class UnluckyTill(Till):
    """Of 20 sales 18 are approved, one is declined, and one ends without a known outcome."""

    title = "faults 90/5/5"

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk)
        self._doubts = 0

    def cycle(self) -> Cycle:
        """Sell; when nobody knows what came of it, send it again, or take it back every other time."""
        desk, request_id = self._desk, fresh_id()
        match desk.deal():
            case 0:
                yield desk.declined, desk.declined.fill(request_id)
            case 1:
                yield desk.in_doubt, desk.in_doubt.fill(request_id)
                self._doubts += 1
                if self._doubts % 2:
                    yield desk.retry, desk.retry.fill(request_id, path=request_id)
                else:
                    yield desk.reverse, desk.reverse.fill(fresh_id(), request_id)
            case _:
                yield desk.provision, desk.provision.fill(request_id)


PROVISION: Final = "provision"
SCENARIOS: Final[dict[str, type[Till]]] = {
    PROVISION: Till,
    "confirm": ConfirmingTill,
    "redemption": RedeemingTill,
    "duplicate": RepeatingTill,
    "lookup": LookingTill,
    "products": ListingTill,
    "faults": UnluckyTill,
}


def till_of(name: str) -> type[Till]:
    """Return the till of a scenario."""
    if name not in SCENARIOS:
        raise BenchError(f"there is no scenario {name!r}; there are {', '.join(SCENARIOS)}")
    return SCENARIOS[name]


def code_in(answer: bytes) -> bytes:
    """Return the voucher's code."""
    return _between(answer, b'"code":"', b'"')


def identifiers_in(answer: bytes) -> bytes:
    """Return the list of third parties' identifiers as it stands there; strings in it hold no bracket."""
    return b"[%b]" % _between(answer, b'"thirdPartyIdentifiers":[', b"]")


def _between(answer: bytes, before: bytes, after: bytes) -> bytes:
    begin = answer.find(before) + len(before)
    end = answer.find(after, begin)
    if begin < len(before) or end < 0:
        raise UnreadableAnswerError(f"no {before.decode()} in the answer")
    return answer[begin:end]
