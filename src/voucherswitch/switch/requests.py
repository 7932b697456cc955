"""What the interface hands to the creating flows: a valid request in the switch's own words.

Ids are UUIDs, amounts are cents, codes and PINs are in clear. `body` is the request as JSON without PINs: it is sealed
with the record, so that the same response can be made again.
"""

from uuid import UUID

from msgspec import Struct

from voucherswitch.message.parties import Institution, Store, Tender


class Creating(Struct, frozen=True, kw_only=True):
    """What the three creating requests share."""

    request_id: UUID
    receiver: Institution | None
    settlement: Institution | None
    amount_cents: int | None
    currency: str | None
    store: Store
    body: bytes


class Provision(Creating, frozen=True, kw_only=True):
    """A voucher is wanted."""

    product_id: str | None
    voucher_code: str | None = None
    tenders: tuple[Tender, ...] = ()
    msisdn: str | None = None


class Redemption(Creating, frozen=True, kw_only=True):
    """A voucher is used as tender. Without an amount: for all it is worth."""

    voucher_code: str
    voucher_pin: str | None = None
    msisdn: str | None = None


class Refund(Creating, frozen=True, kw_only=True):
    """A redemption is given back. Without an amount: all of it."""

    voucher_code: str
    redemption_id: str | None = None
    receiver_ref: str | None = None
