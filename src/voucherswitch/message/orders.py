"""What the switch asks of a provider: one order per message, in the switch's own words (providers.md B.2).

Money is integer cents. Ids are the originator's, lower case. Codes and PINs are in clear here and nowhere else.
"""

from typing import Annotated, TypeAlias

from msgspec import Struct

from voucherswitch.message.codes import ReversalReason
from voucherswitch.message.marks import MASKED_LAST_FOUR, SEALED, Discreet
from voucherswitch.message.parties import Store, Tender

NO_REFS: dict[str, str] = {}


class ProvisionOrder(Discreet, frozen=True):
    """Issue one voucher. `product` is the provider's own product reference, taken from the route.

    `sent_ms_ago` counts from the first message of this request; 0 in the first. A retry asks by it whether the provider
    still knows that message (replay window). `settled_ms_ago` counts from the end of the last call, when the last byte
    can have left: "not found" is proof only after that (settle rule, B.1). Below 0: the clock was set back, and nobody
    knows.
    """

    request_id: str
    amount_cents: int
    currency: str
    product: str
    store: Store
    tenders: tuple[Tender, ...] = ()
    msisdn: Annotated[str, MASKED_LAST_FOUR] | None = None
    voucher_code: Annotated[str, SEALED] | None = None
    sent_ms_ago: int = 0
    settled_ms_ago: int = 0


class LookupOrder(Discreet, frozen=True):
    """Tell about a voucher, found by one of its three names. No financial effect.

    Of a voucher that was sold here the code is always there, because many providers know no other name of it.
    """

    voucher_code: Annotated[str, SEALED] | None = None
    serial_number: str | None = None
    provision_id: str | None = None
    refs: dict[str, str] = NO_REFS


class RedeemOrder(Discreet, frozen=True):
    """Use a voucher as tender. `amount_cents` 0 asks for the whole balance. `refs` are those of its provision."""

    request_id: str
    amount_cents: int
    currency: str
    voucher_code: Annotated[str, SEALED]
    store: Store
    voucher_pin: Annotated[str, SEALED] | None = None
    msisdn: Annotated[str, MASKED_LAST_FOUR] | None = None
    refs: dict[str, str] = NO_REFS


class RefundOrder(Discreet, frozen=True):
    """Give back `amount_cents` of a redemption, never more than it took. `refs` are those of the redemption."""

    request_id: str
    amount_cents: int
    currency: str
    voucher_code: Annotated[str, SEALED]
    store: Store
    redemption_id: str | None = None
    refs: dict[str, str] = NO_REFS


class StatusOrder(Discreet, frozen=True):
    """Ask what became of an earlier request. `sent_ms_ago` counts from the end of its last call, when the last byte can
    have left (settle rule, B.1).

    `product`, `store`, `msisdn` and `voucher_code` are those of the request, where the switch has them: some providers
    find it by nothing else.
    """

    request_id: str
    amount_cents: int
    refs: dict[str, str] = NO_REFS
    sent_ms_ago: int = 0
    product: str | None = None
    store: Store | None = None
    msisdn: Annotated[str, MASKED_LAST_FOUR] | None = None
    voucher_code: Annotated[str, SEALED] | None = None


class AdviceOrder(Discreet, frozen=True):
    """Tell the provider that a request stands (confirmation) or is undone (reversal).

    `request_id` is the advised request's; every repeat carries the same `advice_id`. `amount_cents` is None for a full
    advice. `sent_ms_ago` counts from the end of the original request's last call. `refs` are those of its approval or
    of its unknown outcome, empty when the worker died over it. `product` is always there; `store` too, unless the
    request that tells it does not open because its key is lost or late.
    """

    advice_id: str
    request_id: str
    reason: ReversalReason | None = None
    amount_cents: int | None = None
    voucher_code: Annotated[str, SEALED] | None = None
    serial_number: str | None = None
    refs: dict[str, str] = NO_REFS
    sent_ms_ago: int = 0
    product: str | None = None
    store: Store | None = None


Order: TypeAlias = ProvisionOrder | LookupOrder | RedeemOrder | RefundOrder | StatusOrder | AdviceOrder


class ProviderProduct(Struct, frozen=True, omit_defaults=True):
    """One entry of a provider's own product list. Fixed: `amount_cents`; variable: `min_cents` and `max_cents`."""

    product: str
    name: str
    fixed: bool
    amount_cents: int | None = None
    min_cents: int | None = None
    max_cents: int | None = None
