"""The tills: originators at work, as impatient and forgetful as real ones (interface.md §6).

Each till draws what it does from its own seed: it sells, loses an answer on purpose, retries, reverses, confirms,
looks up, redeems, refunds. What it does about 5xx and silence is the interface's rule, never a guess.
"""

import asyncio
import random
import uuid
from collections.abc import Sequence
from typing import Any, Final

import msgspec

from voucherswitch.cli import till_messages as messages
from voucherswitch.cli.torture.shop import CENTS, Ware
from voucherswitch.cli.torture.till_book import TillBook, Told
from voucherswitch.cli.torture.till_line import Heard, Line, NotReached, Result
from voucherswitch.message.states import Kind

_PATHS: Final = {Kind.PROVISION: "/vouchers", Kind.REDEMPTION: "/redemptions", Kind.REFUND: "/refunds"}
_TENDER_CENTS: Final = CENTS
_QUESTIONS_MAX: Final = 4  # retries or lookups before a till reverses
_PAUSE_S: Final = (0.05, 0.6)  # between repeats
_LOST: Final = 0.08  # share of requests and advices whose answer the till itself loses
_ALREADY_CONFIRMED: Final = frozenset(
    {"VOUCHER_ALREADY_CONFIRMED", "REDEMPTION_ALREADY_CONFIRMED", "REFUND_ALREADY_CONFIRMED"}
)


class Till:
    """One till of one originator.

    Args:
        choose: its own source of choices, so that a seed repeats what every till decides.
        think_s: longest pause between two customers.
    """

    def __init__(
        self, line: Line, user: str, *, single: bool, wares: Sequence[Ware], book: TillBook, choose: random.Random,
        think_s: float,
    ) -> None:  # fmt: skip
        self._line = line
        self._user = user
        self._single = single
        self._wares = wares
        self._book = book
        self._choose = choose
        self._think_s = think_s

    async def work(self, closing: asyncio.Event) -> None:
        """Serve one customer after the other until the shop closes; the last one is served to the end."""
        await asyncio.sleep(self._choose.uniform(0, self._think_s))
        while not closing.is_set():
            await self._customer(self._choose.choice(self._wares))
            await asyncio.sleep(self._choose.uniform(0, self._think_s))
        self._line.close()

    # One customer

    async def _customer(self, ware: Ware) -> None:
        draw = self._choose.random()
        told = self._opened(Kind.PROVISION, ware)
        if draw < 0.02:  # M10: the reversal overtakes its request
            await self._reverse(told, "TIMEOUT")
            await self._create(told, self._provision(told, ware))
            told.over = True
            return
        await self._create(told, self._provision(told, ware))
        if told.approved and not told.reversed:
            if draw < 0.14:  # M11: the customer walks away
                await self._reverse(told, "CANCELLED")
            elif not self._single or self._choose.random() < 0.1:
                await self._confirm(told)
        told.over = True
        if told.approved and not told.reversed and (told.confirmed or self._single) and ware.redeemable:
            while self._choose.random() < 0.45:
                if not await self._spend(told, ware):
                    break

    async def _spend(self, sold: Told, ware: Ware) -> bool:
        """Redeem a voucher, in part or whole; return whether anything may be left to redeem."""
        parts = ware.parts and self._choose.random() < 0.5
        told = self._opened(Kind.REDEMPTION, ware, sold=sold, cents=2_500 if parts else CENTS)
        body = messages.redemption(self._user, code=sold.code or "", pin=None, receiver=None, amount_cents=told.cents)
        await self._create(told, body | _receiver(ware))
        if told.approved and not told.reversed:
            if self._choose.random() < 0.25:
                await self._reverse(told, "CANCELLED")
            elif not self._single:
                await self._confirm(told)
        told.over = True
        if told.approved and not told.reversed and ware.can.refund.sends and self._choose.random() < 0.4:
            await self._refund(sold, told, ware)
        return not told.refused

    async def _refund(self, sold: Told, redeemed: Told, ware: Ware) -> None:
        told = self._opened(Kind.REFUND, ware, sold=sold, cents=redeemed.cents)
        body = messages.refund(
            self._user, code=sold.code or "", receiver=None, amount_cents=None, redemption_id=redeemed.request_id
        )
        await self._create(told, body | _receiver(ware))
        if told.approved and not told.reversed:
            if self._choose.random() < 0.25:
                await self._reverse(told, "CANCELLED")
            elif not self._single:
                await self._confirm(told)
        told.over = True

    # One request

    async def _create(self, told: Told, message: messages.Message) -> None:
        """Send a creating request and find out what became of it."""
        message = message | {"id": told.request_id}
        result = await self._post(told, _PATHS[told.kind], message, may_lose=True)
        match result:
            case NotReached() | Heard(status=503):
                told.not_processed = True
            case Heard(status=201):
                self._approved(told, result)
            case Heard(status=status) if status < 500:
                told.refused = f"{status} {result.error_type}"
            case _:
                await self._find_out(told, message)

    async def _find_out(self, told: Told, message: messages.Message) -> None:
        """Nobody knows: retry a provision, look a redemption up, reverse a refund, or reverse at once."""
        if told.kind is Kind.PROVISION and self._choose.random() < 0.05:  # two messages of one till cross each other
            other = self._line.twin()
            try:
                await asyncio.gather(self._reverse(told, "TIMEOUT", other), self._ask(told, message))
            finally:
                other.close()
        else:
            for _ in range(self._choose.randrange(_QUESTIONS_MAX + 1) if told.kind is not Kind.REFUND else 0):
                if await self._ask(told, message):
                    return
                if told.retries_refused:
                    break
                await self._pause()
            await self._reverse(told, "TIMEOUT")
        if told.reversed is None and not told.nothing_to_reverse:  # the switch's own confirmation was faster (A10)
            await self._insist(told, message)

    async def _insist(self, told: Told, message: messages.Message) -> None:
        """The request stands although its answer was lost: ask for it until it comes."""
        while told.kind is not Kind.REFUND and not await self._ask(told, message):
            await self._pause()

    async def _ask(self, told: Told, message: messages.Message) -> bool:
        """Ask what became of a request; return whether the answer settles it."""
        if told.kind is Kind.PROVISION:
            result = await self._post(told, f"/vouchers/{told.request_id}/retry", message)
        else:
            path = f"/redemptions/{told.request_id}"
            self._book.intend(told.request_id, "lookup")
            result = await self._line.get(path)
            self._book.hear(told.request_id, "lookup", result)
        match result:
            case Heard(status=200 | 201):
                self._approved(told, result)
            case Heard(status=404) if told.kind is Kind.REDEMPTION:
                return (
                    False  # or not received yet: the line broke, and it may still come (K5), so only a reversal settles
                )
            case Heard(status=400 | 404 | 403, error_type="FUNCTION_NOT_SUPPORTED"):
                told.retries_refused = True  # nobody can tell, so only a reversal settles it
                return False
            case Heard(status=status) if 400 <= status < 500:
                told.refused = f"{status} {result.error_type}"
            case _:
                return False
        return True

    def _approved(self, told: Told, heard: Heard) -> None:
        told.approved = True
        if told.kind is Kind.PROVISION:
            code = msgspec.json.decode(heard.body).get("voucher", {}).get("code")
            if told.code is not None and told.code != code:
                told.contradictions.append("was told two different codes")
            told.code = code

    # Advices

    async def _confirm(self, told: Told) -> None:
        body = messages.confirmation(told.request_id, cash_cents=_TENDER_CENTS if told.kind is Kind.PROVISION else None)
        advice_id, result = await self._advise(told, "confirmations", body, self._line)
        if isinstance(result, Heard) and result.status == 202:
            told.confirmed = advice_id
        elif isinstance(result, Heard):
            told.contradictions.append(f"was told 201, then {result.status} {result.error_type} to the confirmation")

    async def _reverse(self, told: Told, reason: str, line: Line | None = None) -> None:
        advice_id, result = await self._advise(
            told, "reversals", messages.reversal(told.request_id, reason), line or self._line
        )
        if not isinstance(result, Heard):
            return
        if result.status == 202:
            told.reversed = advice_id
        elif result.status == 404:
            told.nothing_to_reverse = True
            if told.approved and told.refused is None:
                told.contradictions.append("was told 201, then 404 to the reversal")
        elif self._single and result.error_type in _ALREADY_CONFIRMED:
            told.approved = True  # it stands; what it brought is asked for
        else:
            told.contradictions.append(f"was told {result.status} {result.error_type} to a reversal")

    async def _advise(self, told: Told, path: str, message: messages.Message, line: Line) -> tuple[str, Result]:
        """Send the same advice until the answer is no 5xx, as often as it takes."""
        advice_id = self._new_id()
        body = msgspec.json.encode(message | {"id": advice_id})
        target = f"{_PATHS[told.kind]}/{path}"
        while True:
            self._book.intend(told.request_id, path, advice_id)
            result = await line.post(target, body, hang_up_after_s=self._hang_up())
            self._book.hear(told.request_id, path, result)
            if isinstance(result, Heard) and result.status < 500:
                if result.status == 202 and self._choose.random() < 0.03:
                    continue  # M12: to this till the 202 was lost
                return advice_id, result
            await self._pause()

    # Small things

    def _opened(self, kind: Kind, ware: Ware, *, sold: Told | None = None, cents: int = CENTS) -> Told:
        return self._book.open(
            Told(
                request_id=self._new_id(),
                kind=kind,
                originator_id=self._user,
                single=self._single,
                provider_id=ware.provider_id,
                product_id=ware.product_id,
                cents=cents,
                sold_id=None if sold is None else sold.request_id,
                code=None if sold is None else sold.code,
            )
        )

    def _provision(self, told: Told, ware: Ware) -> messages.Message:
        message = messages.provision(
            self._user,
            product=ware.product_id,
            receiver=None,
            amount_cents=told.cents,
            code=None,
            paid_cents=_TENDER_CENTS if ware.tender else None,
        )
        return message | _receiver(ware)

    async def _post(self, told: Told, path: str, message: messages.Message, *, may_lose: bool = False) -> Result:
        what = path.rpartition("/")[2]
        self._book.intend(told.request_id, what)
        body = msgspec.json.encode(message)
        result = await self._line.post(path, body, hang_up_after_s=self._hang_up() if may_lose else None)
        self._book.hear(told.request_id, what, result)
        return result

    def _hang_up(self) -> float | None:
        """Now and then the till's own line breaks, at once or just before the answer."""
        return self._choose.choice((0.0005, 0.005, 0.02, 0.1)) if self._choose.random() < _LOST else None

    async def _pause(self) -> None:
        await asyncio.sleep(self._choose.uniform(*_PAUSE_S))

    def _new_id(self) -> str:
        return str(uuid.UUID(int=self._choose.getrandbits(128), version=4))


def _receiver(ware: Ware) -> dict[str, Any]:
    return {"receiver": {"id": ware.receiver.id, "name": ware.receiver.name}}
