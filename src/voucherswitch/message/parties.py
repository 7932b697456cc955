"""Who takes part in a transaction, and the voucher it is about."""

from typing import Annotated

from msgspec import Struct

from voucherswitch.message.marks import MASKED, SEALED, Discreet


class Institution(Struct, frozen=True, omit_defaults=True):
    """A company in the roles of the interface: client, receiver, settlement entity."""

    id: str
    name: str


class Store(Discreet, frozen=True, omit_defaults=True):
    """Where the transaction starts: the merchant's shop and its till."""

    merchant_id: str
    terminal_id: str
    operator_id: Annotated[str, MASKED] | None = None


class Tender(Struct, frozen=True, omit_defaults=True):
    """How the customer paid. `amount_cents` is in minor units of the tender's currency."""

    type: str
    amount_cents: int
    currency: str
    reference: str | None = None


class Voucher(Discreet, frozen=True, omit_defaults=True):
    """A voucher as its provider issued it. `code` and `pin` are bearer money: sealed at rest, masked in every trace.

    `expires_at` is UTC with exactly three fraction digits, as the interface writes it: `2029-03-02T21:59:59.000Z`.
    `value_cents` is told of a voucher that no amount of its message is the value of: the change of a redemption.
    """

    code: Annotated[str, SEALED]
    pin: Annotated[str, SEALED] | None = None
    serial_number: str | None = None
    expires_at: str | None = None
    instructions: Annotated[tuple[str, ...], SEALED] = ()
    value_cents: int | None = None
