"""An originator at work: sends the messages, and takes a voucher as far as a test needs it."""

import asyncio
from dataclasses import dataclass
from typing import Any

from support.client import Answer, Client
from support.messages import (
    Json,
    a_confirmation,
    a_provision,
    a_redemption,
    a_refund,
    a_reversal,
    a_tender_confirmation,
)
from support.originators import Originator
from support.switch import Switch


@dataclass
class Sale:
    """A voucher and what was done with it: each request with its answer."""

    request: Json
    answer: Answer
    confirmation: Json | None = None
    redemption: Json | None = None
    redemption_answer: Answer | None = None
    redemption_confirmation: Json | None = None
    refund: Json | None = None
    refund_answer: Answer | None = None
    refund_confirmation: Json | None = None

    @property
    def id(self) -> str:
        """The id of the provision."""
        return str(self.request["id"])

    @property
    def code(self) -> str:
        """The voucher's code."""
        return self.answer.code

    @property
    def redemption_id(self) -> str:
        """The id of the redemption."""
        assert self.redemption is not None
        return str(self.redemption["id"])

    @property
    def refund_id(self) -> str:
        """The id of the refund."""
        assert self.refund is not None
        return str(self.refund["id"])


class Till:
    """One originator's side of the interface. `client` leads to another worker than the switch's own."""

    def __init__(self, switch: Switch, by: Originator, client: Client | None = None) -> None:
        self.switch = switch
        self.by = by
        self.client = client or switch.client

    async def post(self, path: str, body: Json | bytes) -> Answer:
        """POST as this originator."""
        return await self.client.post(path, body, by=self.by)

    async def get(self, path: str, **query: str) -> Answer:
        """GET as this originator."""
        return await self.client.get(path, by=self.by, **query)

    async def at_once(self, times: int, path: str, *bodies: Json) -> list[Answer]:
        """POST each of the bodies so many times, all at the same moment."""
        return await asyncio.gather(*(self.post(path, body) for _ in range(times) for body in bodies))

    async def both(self, *messages: tuple[str, Json]) -> list[Answer]:
        """POST different messages to different paths at the same moment."""
        return await asyncio.gather(*(self.post(path, body) for path, body in messages))

    # Messages

    async def provision(self, body: Json | None = None, **changes: Any) -> Answer:
        """POST /vouchers."""
        return await self.post("/vouchers", a_provision(self.by, **changes) if body is None else body)

    async def retry(self, body: Json, *, suffix: str = "retry") -> Answer:
        """POST /vouchers/{id}/retry with the original request."""
        return await self.post(f"/vouchers/{body['id']}/{suffix}", body)

    async def confirm_voucher(self, request_id: str, **changes: Any) -> Answer:
        """POST /vouchers/confirmations."""
        return await self.post("/vouchers/confirmations", a_tender_confirmation(request_id, **changes))

    async def reverse_voucher(self, request_id: str, **changes: Any) -> Answer:
        """POST /vouchers/reversals."""
        return await self.post("/vouchers/reversals", a_reversal(request_id, **changes))

    async def redeem(self, code: str, **changes: Any) -> Answer:
        """POST /redemptions."""
        return await self.post("/redemptions", a_redemption(self.by, code=code, **changes))

    async def confirm_redemption(self, request_id: str, **changes: Any) -> Answer:
        """POST /redemptions/confirmations."""
        return await self.post("/redemptions/confirmations", a_confirmation(request_id, **changes))

    async def reverse_redemption(self, request_id: str, **changes: Any) -> Answer:
        """POST /redemptions/reversals."""
        return await self.post("/redemptions/reversals", a_reversal(request_id, **changes))

    async def lookup_redemption(self, request_id: str) -> Answer:
        """GET /redemptions/{requestId}."""
        return await self.get(f"/redemptions/{request_id}")

    async def refund(self, code: str, **changes: Any) -> Answer:
        """POST /refunds."""
        return await self.post("/refunds", a_refund(self.by, code=code, **changes))

    async def confirm_refund(self, request_id: str, **changes: Any) -> Answer:
        """POST /refunds/confirmations."""
        return await self.post("/refunds/confirmations", a_confirmation(request_id, **changes))

    async def reverse_refund(self, request_id: str, **changes: Any) -> Answer:
        """POST /refunds/reversals."""
        return await self.post("/refunds/reversals", a_reversal(request_id, **changes))

    async def lookup(self, **query: str) -> Answer:
        """GET /vouchers."""
        return await self.get("/vouchers", **query)

    # How far a voucher has come; each step asserts its own success.

    async def a_provisioned(self, **changes: Any) -> Sale:
        """A voucher that was issued and is not confirmed."""
        request = a_provision(self.by, **changes)
        answer = await self.post("/vouchers", request)
        assert answer.status == 201, answer
        return Sale(request, answer)

    async def a_confirmed(self, **changes: Any) -> Sale:
        """A voucher that can be redeemed."""
        sale = await self.a_provisioned(**changes)
        sale.confirmation = a_tender_confirmation(sale.id)
        answer = await self.post("/vouchers/confirmations", sale.confirmation)
        assert answer.status == 202, answer
        return sale

    async def a_redeemed(self, sale: Sale | None = None, *, part: int | None = None, **changes: Any) -> Sale:
        """A voucher whose redemption is not confirmed; without `part` cents it is used whole."""
        sale = sale or await self.a_confirmed(**changes)
        cents = sale.answer.body["amounts"]["approvedAmount"]["amount"] if part is None else part
        sale.redemption = a_redemption(self.by, code=sale.code, cents=cents, **_receiver(sale))
        sale.redemption_answer = await self.post("/redemptions", sale.redemption)
        assert sale.redemption_answer.status == 201, sale.redemption_answer
        return sale

    async def a_used(self, sale: Sale | None = None, **changes: Any) -> Sale:
        """A voucher whose redemption is confirmed."""
        sale = await self.a_redeemed(sale, **changes)
        sale.redemption_confirmation = a_confirmation(sale.redemption_id)
        answer = await self.post("/redemptions/confirmations", sale.redemption_confirmation)
        assert answer.status == 202, answer
        return sale

    async def a_refunded(self, sale: Sale | None = None, **changes: Any) -> Sale:
        """A voucher whose refund is not confirmed."""
        sale = sale or await self.a_used(**changes)
        sale.refund = a_refund(self.by, code=sale.code, **_receiver(sale))
        sale.refund_answer = await self.post("/refunds", sale.refund)
        assert sale.refund_answer.status == 201, sale.refund_answer
        return sale

    async def a_returned(self, sale: Sale | None = None, **changes: Any) -> Sale:
        """A voucher whose refund is confirmed: it can be redeemed again."""
        sale = await self.a_refunded(sale, **changes)
        sale.refund_confirmation = a_confirmation(sale.refund_id)
        answer = await self.post("/refunds/confirmations", sale.refund_confirmation)
        assert answer.status == 202, answer
        return sale


def _receiver(sale: Sale) -> dict[str, Any]:
    """The receiver for a later request about the voucher."""
    return {"receiver": sale.answer.body["receiver"]}
