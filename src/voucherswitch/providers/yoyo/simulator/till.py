"""Yoyo's point of sale: what a code is worth, redemption, advice, history (providers.md 7.2, 7.5, 7.7).

A redemption holds the value until it is finalised or reversed, without end: nobody else clears it.
"""

from typing import Any, Final

from msgspec import Struct

from voucherswitch.providers.contract.simulator.book import Book, BookVoucher
from voucherswitch.providers.contract.simulator.booked import VALID_OUTLETS
from voucherswitch.providers.contract.simulator.provider import Reply
from voucherswitch.providers.contract.statements import RowType
from voucherswitch.providers.yoyo.simulator.answers import success
from voucherswitch.providers.yoyo.simulator.calls import Advise, History, StoreTrxDetails, TokenInfo, Transaction
from voucherswitch.providers.yoyo.simulator.campaigns import CAMPAIGNS
from voucherswitch.providers.yoyo.simulator.items import ACTIVE, FIRST_ROW, REDEEMED, Refuse

FIRST_TRX: Final = 70_001_234
FIRST_VSP_TRX: Final = 88_001
TRANSACTIONS_KEPT_MAX: Final = 250_000  # the oldest go first

PENDING: Final = "P"
SETTLED: Final = "S"
FAILED: Final = "F"
REVERSED: Final = "R"


class Booking(Struct):
    """One redemption. `held` is what it took off the item; `cents` what it pays, the same but for a coupon."""

    wi_trx_id: int
    details: StoreTrxDetails
    item: BookVoucher
    cents: int
    held: int
    state: str
    at: float
    listed_at: float


class Till:
    """All redemptions, and what is done to them."""

    def __init__(self, book: Book) -> None:
        self._book = book
        self.reset()

    def reset(self) -> None:
        self._bookings: dict[int, Booking] = {}
        self._last_of: dict[str, Booking] = {}

    def of(self, trx_id: str) -> Booking | None:
        """The last redemption with this reference: the platform does not keep a second one out."""
        return self._last_of.get(trx_id)

    def token_info(self, form: TokenInfo, now: float, refuse: Refuse) -> Reply:
        """POST token-info."""
        if form.store_trx_details.store_id not in VALID_OUTLETS:
            return refuse(2112)
        item = self._book.by_code(form.token.id)
        code = 2120 if item is None else self._unusable(item, now)
        if item is None or code is not None:
            return refuse(code or 2120)
        is_card = CAMPAIGNS[item.details["campaign"]].kind == "giftcard"
        info = {
            "vspId": 1,
            "name": "CVS",
            "balance": item.balance_cents,
            "discount": 0,
            "hasVoucher": False,
            "hasCoupon": not is_card,
            "hasWallet": False,
            "hasGiftCard": is_card,
        }
        return success(token={"id": form.token.id, "type": form.token.type}, vspInfo=[info])

    def _unusable(self, item: BookVoucher, now: float) -> int | None:
        if item.state == REDEEMED:
            return 8801
        return 8802 if item.state != ACTIVE or now > item.expires_at else None

    def redeem(
        self, form: Transaction, now: float, refuse: Refuse, *, partial: bool, vsp_code: str = "-1", late_ms: float = 0
    ) -> Reply:
        """POST transaction. A coupon pays what it is worth of a larger amount, and is used up by a smaller one.

        Args:
            partial: a gift card with too little pays what it has, instead of nothing.
            vsp_code: what the value store is said to have answered.
            late_ms: how long the history does not have it.
        """
        details = form.store_trx_details
        if details.store_id not in VALID_OUTLETS:
            return refuse(2112)
        item = self._book.by_code(form.token.id)
        if item is None:
            return refuse(2120)
        sold = CAMPAIGNS[item.details["campaign"]]
        unusable = self._unusable(item, now)
        covers = item.balance_cents >= form.total_amount
        if unusable is None and (not item.balance_cents or not (covers or partial or sold.kind == "coupon")):
            unusable = 8803
        cents = 0 if unusable is not None else min(form.total_amount, item.balance_cents)
        held = item.balance_cents if cents and sold.kind == "coupon" else cents
        booking = Booking(
            wi_trx_id=FIRST_TRX - 1 + self._book.next_number("transactions"),
            details=details,
            item=item,
            cents=cents,
            held=held,
            state=PENDING if unusable is None else FAILED,
            at=now,
            listed_at=now + late_ms / 1000,
        )
        self._keep(booking)
        if unusable is not None:
            return refuse(unusable)
        item.balance_cents -= held
        item.events.append((now, f"HELD {held}"))
        part = {
            "type": sold.type,
            "itemId": int(item.serial),
            "campaignId": sold.campaign_id,
            "processedAmount": cents,
        }
        return success(
            wiTrxId=booking.wi_trx_id,
            totalAmountProcessed=cents,
            amountToSettle=cents,
            discount=[],
            redemptions=[part],
            vsp={
                "trxId": str(FIRST_VSP_TRX - 1 + self._book.next_number("vsp transactions")),
                "responseCode": vsp_code,
            },
        )

    def _keep(self, booking: Booking) -> None:
        self._bookings[booking.wi_trx_id] = booking
        self._last_of[booking.details.trx_id] = booking
        if len(self._bookings) > TRANSACTIONS_KEPT_MAX:
            oldest = self._bookings.pop(next(iter(self._bookings)))
            if self._last_of.get(oldest.details.trx_id) is oldest:
                del self._last_of[oldest.details.trx_id]

    def advise(self, form: Advise, now: float, refuse: Refuse) -> Reply:
        """POST advise. The redemption must be named exactly; the same advice again changes nothing."""
        original = form.original_trx
        booking = self._bookings.get(original.wi_trx_id)
        if booking is None or booking.details != original.store_trx_details:
            return refuse(8804)
        finalise = form.action == "FINALISE"
        match booking.state:
            case "P" if finalise:
                self._finalise(booking, now)
            case "P":
                booking.state = REVERSED
                booking.item.balance_cents += booking.held
                booking.item.events.append((now, f"RELEASED {booking.held}"))
            case "S" if not finalise:
                return refuse(8805)
            case "R" | "F" if finalise:
                return refuse(8806)
        return success()

    def _finalise(self, booking: Booking, now: float) -> None:
        item = booking.item
        booking.state = SETTLED
        item.details["redeemed"] += booking.held
        row = (FIRST_ROW - 1 + self._book.next_number("rows"), now, booking.cents)
        item.details["redemptions"] = (*item.details.get("redemptions", ()), row)
        if item.details["redeemed"] == item.cents:
            item.become(REDEEMED, now)
        else:
            item.events.append((now, f"REDEEMED {booking.cents}"))
        self._book.enter(
            RowType.REDEEM,
            item,
            booking.cents,
            now,
            reference=booking.details.trx_id,
            provider_ref=str(booking.wi_trx_id),
            store=booking.details.store_id,
            terminal=booking.details.pos_id,
        )

    def history(self, form: History, now: float, refuse: Refuse, *, hide_ms: float = 0) -> Reply:
        """POST transaction-history/v2. `hide_ms`: what is younger than this is not known yet."""
        booking = self._last_of.get(form.transaction_id)
        if (
            booking is None
            or booking.details.store_id != form.store_id
            or now < booking.listed_at
            or now < booking.at + hide_ms / 1000
        ):
            return refuse(8804)
        told: dict[str, Any] = {
            "wiTrxId": booking.wi_trx_id,
            "type": "PAYMENT",
            "state": booking.state,
            "totalAmountProcessed": booking.cents,
            "storeTrxDetails": {
                "storeId": booking.details.store_id,
                "basketId": booking.details.basket_id,
                "trxId": booking.details.trx_id,
                "posId": booking.details.pos_id,
                "cashierId": booking.details.cashier_id,
            },
        }
        return success(transaction=told)
