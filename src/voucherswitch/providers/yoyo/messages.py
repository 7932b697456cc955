"""Yoyo's wire models (providers.md 7.2, 7.3). Unknown properties are ignored; money is whole cents.

Spelling is the protocol's, also where it is uneven: a gift card has a `wicode`, a coupon a `wiCode`.
"""

from typing import Annotated, Any, Final

from msgspec import Meta, Struct, field

from voucherswitch.message.marks import MASKED, MASKED_LAST_FOUR, QUOTED, SEALED, plain, wire_fields

ID_MAX: Final = 2**63 - 1  # ids are Java longs
Id = Annotated[int, Meta(ge=1, le=ID_MAX)]
# With settings that say so it is a customer's telephone number.
UserRef = Annotated[str, MASKED_LAST_FOUR]

UNREAD: Final = wire_fields(smsMessage=SEALED)  # it quotes the code


# Requests


class Request(Struct, frozen=True, kw_only=True, rename="camel"):
    """Base of the requests: fields in the order of the protocol."""


class GiftCardRequest(Request, frozen=True, kw_only=True):
    campaign_id: int
    balance: int
    user_ref: UserRef
    send_sms: bool = field(default=False, name="sendSMS")  # the switch hands out the code, nobody else


class CouponRequest(Request, frozen=True, kw_only=True):
    campaign_id: int
    user_ref: UserRef
    send_sms: bool = field(default=False, name="sendSMS")


class Token(Request, frozen=True, kw_only=True):
    id: str
    type: str = "WICODE"


class StoreTrxDetails(Request, frozen=True, kw_only=True):
    store_id: str
    basket_id: str
    trx_id: str
    pos_id: str
    cashier_id: Annotated[str, MASKED]


class TokenInfoRequest(Request, frozen=True, kw_only=True):
    token: Annotated[Token, SEALED]
    store_trx_details: StoreTrxDetails


class TransactionRequest(Request, frozen=True, kw_only=True):
    type: str
    total_amount: int
    basket_amount: int
    token: Annotated[Token, SEALED]
    store_trx_details: StoreTrxDetails


class OriginalTrx(Request, frozen=True, kw_only=True):
    wi_trx_id: int
    type: str
    store_trx_details: StoreTrxDetails


class AdviseRequest(Request, frozen=True, kw_only=True):
    action: str
    original_trx: OriginalTrx


class HistoryRequest(Request, frozen=True, kw_only=True):
    transaction_id: str
    store_id: str


# Answers


class Answer(Struct, frozen=True, rename="camel"):
    """Every answer's result. The code is text, and whole numbers have been seen too."""

    response_code: Annotated[str | int, QUOTED] | None = None
    response_desc: Annotated[str, QUOTED] | None = None


class GiftCard(Struct, frozen=True, rename="camel"):
    id: Id
    campaign_id: int
    user_ref: UserRef
    issued_amount: int
    balance: int
    state_id: str
    wicode: Annotated[str, SEALED] | None = None  # not `wiCode`
    expiry_date: Any = None  # of any type: a card that was paid for is not given up for its date


class Coupon(Struct, frozen=True, rename="camel"):
    """`state_id` is Proposed and comes only with GET."""

    id: Id
    campaign_id: int
    user_ref: UserRef
    voucher_amount: int
    wi_code: Annotated[str, SEALED] | None = None  # not `wicode`
    redeem_to_date: Any = None
    state_id: str | None = None


class GiftCardAnswer(Struct, frozen=True):
    giftcard: GiftCard


class CouponAnswer(Struct, frozen=True):
    coupon: Coupon


class Paging(Struct, frozen=True, rename="camel"):
    total: Annotated[int, Meta(ge=0)]


class TransactionRow(Struct, frozen=True, rename="camel"):
    """One line of an item's history."""

    id: Id
    user_ref: UserRef
    campaign_id: int
    transaction_type: str
    giftcard_id: Id | None = None
    coupon_id: Id | None = None


class TransactionList(Struct, frozen=True):
    transactions: tuple[TransactionRow, ...]
    paging: Paging | None = None


class Campaign(Struct, frozen=True, rename="camel"):
    id: Id
    name: Annotated[str, plain("a campaign's name")]
    min_value: int | None = None
    max_value: int | None = None
    voucher_amount: int | None = None
    state_id: str | None = None


class CampaignList(Struct, frozen=True):
    campaigns: tuple[Campaign, ...]
    paging: Paging | None = None


class AskedToken(Struct, frozen=True):
    id: str


class ValueStore(Struct, frozen=True, rename="camel"):
    """What a token is worth in one value store."""

    balance: Annotated[int, Meta(ge=0, le=10**12)] | None = None


class TokenInfoAnswer(Struct, frozen=True, rename="camel"):
    token: Annotated[AskedToken, SEALED]
    vsp_info: tuple[ValueStore, ...]


class Redemption(Struct, frozen=True, rename="camel"):
    type: str | None = None
    item_id: Id | None = None


class TransactionAnswer(Struct, frozen=True, rename="camel"):
    """`vsp` is left out on purpose: the value store's own code is information, the outer one decides."""

    wi_trx_id: Id
    total_amount_processed: int
    redemptions: tuple[Redemption, ...] = ()


class RecordedTrx(Struct, frozen=True, rename="camel"):
    wi_trx_id: Id
    type: str
    state: str
    total_amount_processed: int
    store_trx_details: StoreTrxDetails  # whole: an advice must repeat what was booked, not what we would book today


class HistoryAnswer(Struct, frozen=True):
    transaction: RecordedTrx
