"""Yoyo behind the common frame: reads a call, checks who sends it, hands it to items.py or till.py."""

from collections.abc import Mapping
from datetime import date
from typing import Any, ClassVar, Final

import msgspec
from msgspec import Struct

from voucherswitch.providers.contract.simulator.book import FLOAT_CENTS, BookVoucher
from voucherswitch.providers.contract.simulator.booked import BookedProvider, SeededVoucher, WorldEvent
from voucherswitch.providers.contract.simulator.faults import Fault
from voucherswitch.providers.contract.simulator.provider import ControlError, Exchange, Reply
from voucherswitch.providers.contract.simulator.recon import ReconDay
from voucherswitch.providers.contract.simulator.wires import Request
from voucherswitch.providers.yoyo.simulator import answers, calls, items
from voucherswitch.providers.yoyo.simulator.campaigns import CAMPAIGNS, campaign
from voucherswitch.providers.yoyo.simulator.items import ACTIVE, EXPIRED, INACTIVE, REDEEMED
from voucherswitch.providers.yoyo.simulator.recon import recon_day
from voucherswitch.providers.yoyo.simulator.till import Till

LATE_INDEX: Final = "late_index"  # the history does not have it for params.ms
VSP_TIMEOUT: Final = "vsp_timeout"  # a redemption is processed, and answered 2107
VSP_CODE: Final = "vsp_code"  # the value store's own code is params.code, the outer one -1


class Profile(Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """How the platform behaves where the protocol leaves it open.

    `partial`: a gift card with too little pays what it has. `zero_padded`: codes have five digits.
    """

    partial: bool = False
    zero_padded: bool = False


class YoyoProvider(BookedProvider):
    """Yoyo's two APIs and books."""

    operations = calls.NAMES
    own_faults = frozenset({LATE_INDEX, VSP_TIMEOUT, VSP_CODE})
    world: ClassVar[Mapping[str, WorldEvent]] = {
        "REDEEM": WorldEvent(frozenset({ACTIVE}), REDEEMED),
        "BLOCK": WorldEvent(frozenset({ACTIVE}), INACTIVE),
        "EXPIRE": WorldEvent(frozenset({ACTIVE, INACTIVE}), EXPIRED),
    }
    states: ClassVar[frozenset[str]] = frozenset({ACTIVE, INACTIVE, EXPIRED, REDEEMED})
    seeded_state: ClassVar[str] = ACTIVE

    def __init__(self, float_cents: int = FLOAT_CENTS) -> None:
        super().__init__(float_cents)
        self.profile = Profile()
        self.till = Till(self.book)
        self.items = items.ById()

    def reset(self) -> None:
        super().reset()
        self.till.reset()
        self.items.clear()

    # The protocol

    def read(self, request: Request) -> Exchange:
        asked = calls.find(request)
        if asked is None:
            path = request.target.partition("?")[0]
            return Exchange(request, "", f"{request.method} {path[:60]}", refusal=answers.UNKNOWN_CALL)
        exchange = Exchange(request, asked.op, asked.call.wire_op, self._reference(asked), message=asked)
        if not calls.authentic(request, is_pos=asked.is_pos):
            exchange.refusal = answers.refusal(answers.REFUSED_CREDENTIALS)
        elif asked.message is None:
            exchange.refusal = self._refuse(answers.MALFORMED)
        return exchange

    def _reference(self, asked: calls.Asked) -> str:
        match asked.message:
            case calls.GiftCardIssue() | calls.CouponIssue() as issue:
                return items.reference_of(issue.user_ref)
            case calls.ListQuery(user_ref=str(user_ref)):
                return items.reference_of(user_ref)
            case calls.ItemCall(item_id):
                item = self.items.find(asked.call.kind, item_id)
                return "" if item is None else item.reference
            case calls.TokenInfo() | calls.Transaction() as form:
                return form.store_trx_details.trx_id
            case calls.Advise() as advise:
                return advise.original_trx.store_trx_details.trx_id
            case calls.History() as history:
                return history.transaction_id
            case _:
                return ""

    def answer(self, exchange: Exchange, now: float) -> Reply:
        return self._answer(exchange, now)

    def _answer(
        self, exchange: Exchange, now: float, *, late_ms: float = 0, hide_ms: float = 0, vsp_code: str = "-1"
    ) -> Reply:
        if exchange.refusal is not None:
            return exchange.refusal
        asked: calls.Asked = exchange.message
        kind, refuse = asked.call.kind, self._refuse
        match asked.message:
            case calls.GiftCardIssue() | calls.CouponIssue() as form:
                return self._issue(asked, form, now, late_ms)
            case calls.ItemCall(item_id) if exchange.op == "reverse":
                return self._expire(kind, item_id, now)
            case calls.ItemCall(item_id):
                return self._tell(kind, item_id)
            case calls.ListQuery() as query if exchange.op == "products":
                return items.campaigns(kind, query)
            case calls.ListQuery() as query:
                return items.history(self.book, kind, query, now, hide_ms)
            case calls.TokenInfo() as form:
                return self.till.token_info(form, now, refuse)
            case calls.Transaction() as form:
                return self.till.redeem(
                    form, now, refuse, partial=self.profile.partial, vsp_code=vsp_code, late_ms=late_ms
                )
            case calls.Advise() as form:
                return self.till.advise(form, now, refuse)
            case calls.History() as form:
                return self.till.history(form, now, refuse, hide_ms=hide_ms)
            case _:
                return answers.UNKNOWN_CALL

    def _issue(
        self, asked: calls.Asked, form: calls.GiftCardIssue | calls.CouponIssue, now: float, late_ms: float
    ) -> Reply:
        sold = campaign(asked.call.kind, form.campaign_id)
        cents = form.balance if isinstance(form, calls.GiftCardIssue) else (sold.cents if sold else 0) or 0
        code = items.why_not(self.book, form, sold, cents, now)
        if sold is None or code is not None:
            return self._refuse(code or 9001)
        item = items.make(self.book, sold, form.user_ref, cents, now)
        item.details["listed_at"] = now + late_ms / 1000
        if isinstance(form, calls.GiftCardIssue) and form.state_id is not None:
            item.state = INACTIVE
        self.sell(item)
        self.items.add(item)
        items.enter_sale(self.book, item, now)
        name, told = items.shown(item, with_code="issueWiCode" in asked.query)
        return answers.success(**{name: told})

    def _tell(self, kind: str, item_id: int) -> Reply:
        item = self.items.find(kind, item_id)
        if item is None:
            return self._refuse(9006)
        name, told = items.shown(item)
        # Proposed: a coupon that is asked for tells its state, as a gift card always does.
        return answers.success(**{name: told | {"stateId": item.state}})

    def _expire(self, kind: str, item_id: int, now: float) -> Reply:
        item = self.items.find(kind, item_id)
        if item is None:
            return self._refuse(9006)
        if item.state == EXPIRED:
            return answers.success()
        if item.state == REDEEMED or not items.untouched(item):
            return self._refuse(9007)
        self.take_back(item, EXPIRED, now, entered=not item.elsewhere)
        return answers.success()

    def _refuse(self, code: int) -> Reply:
        return answers.refusal(code, zero_padded=self.profile.zero_padded)

    # Faults that need to know the protocol

    def refuse_credentials(self, _exchange: Exchange) -> Reply:
        return answers.refusal(answers.REFUSED_CREDENTIALS)

    def decline(self, _exchange: Exchange, code: str) -> Reply:
        return answers.refusal(code, zero_padded=self.profile.zero_padded)

    def spoil(self, reply: Reply, fault: Fault) -> Reply:
        body = answers.altered(reply.body, fault.kind, fault.params.delta_cents)
        return Reply(reply.status, body, reply.content_type, processed=reply.processed)

    def own_fault(self, exchange: Exchange, fault: Fault, now: float) -> Reply:
        params = fault.params
        if fault.kind == LATE_INDEX:
            # On a search it is the index that is late; on what creates the row, the row.
            return self._answer(exchange, now, late_ms=params.ms, hide_ms=params.ms)
        if fault.kind == VSP_CODE:
            return self._answer(exchange, now, vsp_code=params.code or "2107")
        reply = self._answer(exchange, now)
        return msgspec.structs.replace(self._refuse(2107), processed=reply.took_effect)

    # The control API

    def state(self, reference: str | None, code: str | None) -> dict[str, Any] | None:
        found = super().state(reference, code)
        if found is None and reference is not None and (booking := self.till.of(reference)) is not None:
            return super().state(None, booking.item.code)
        return found

    def mint(self, seeded: SeededVoucher, state: str, now: float) -> BookVoucher:
        kind, _, number = (seeded.product_ref or "giftcard:3001").partition(":")
        sold = campaign(kind, int(number)) if number.isdecimal() and len(number) < 9 else None
        if sold is None:
            raise ControlError(400, f"productRef must be one of {', '.join(one.product for one in CAMPAIGNS.values())}")
        code = seeded.code
        if code is not None and not (code.isascii() and code.isdecimal() and 7 <= len(code) <= 16):
            raise ControlError(400, "code must have 7 to 16 digits")
        user_ref = items.USER_REF_PREFIX + self.seed_reference()
        item = items.make(self.book, sold, user_ref, seeded.value_cents, now, code=code)
        item.state = state
        if state == REDEEMED:
            item.balance_cents = 0
        self.items.add(item)
        return item

    def set_profile(self, wanted: Mapping[str, Any]) -> dict[str, Any]:
        current: dict[str, Any] = msgspec.to_builtins(self.profile)
        self.profile = msgspec.convert(current | dict(wanted), Profile)
        return current | dict(wanted)

    def recon_day(self, day: date) -> ReconDay:
        return recon_day(self.book, day)
