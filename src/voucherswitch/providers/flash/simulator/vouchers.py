"""Vouchers at Flash: bought, redeemed, refunded, reversed (providers.md 9.2, 9.5). Each call checks, then changes."""

from datetime import datetime, time
from typing import Final

from msgspec import Struct

from voucherswitch.providers.contract.provider_time import SAST
from voucherswitch.providers.contract.simulator.book import Book, BookVoucher
from voucherswitch.providers.contract.simulator.booked import VALID_OUTLETS
from voucherswitch.providers.contract.simulator.clock import business_day, months_later
from voucherswitch.providers.flash.simulator.answers import ACCOUNT
from voucherswitch.providers.flash.simulator.calls import GiftPurchase, Priced, Purchase, Redeem

ACTIVE: Final = "Active"
USED: Final = "Used"
CANCELLED: Final = "Cancelled"
EXPIRED: Final = "Expired"
STATES: Final = frozenset({ACTIVE, USED, CANCELLED, EXPIRED})

FIRST_PIN: Final = 1_111_222_233_334_444
FIRST_TRANSACTION: Final = 9_000_000_001
EXPIRY_MONTHS: Final = 36


class Product(Struct, frozen=True):
    """What Flash sells. `ref` is how the books name it."""

    code: int
    ref: str
    name: str
    vendor: str
    min_cents: int
    max_cents: int
    status: str = ACTIVE


ONE_VOUCHER: Final = Product(1, "1voucher", "1Voucher", "Flash", 100, 400_000)
GIFTS: Final = {
    301: Product(301, "gift:301", "Gift R50", "Example Gifts", 5_000, 5_000),
    302: Product(302, "gift:302", "Gift any", "Example Gifts", 1_000, 100_000),
    303: Product(303, "gift:303", "Gift suspended", "Example Gifts", 1_000, 100_000, "Suspended"),
}
PRODUCTS: Final = (ONE_VOUCHER, *GIFTS.values())
BY_REF: Final = {product.ref: product for product in PRODUCTS}


def product_of(form: Priced) -> Product | None:
    """What a message is about; None: no such product."""
    return GIFTS.get(form.product_code) if isinstance(form, GiftPurchase) else ONE_VOUCHER


def refuse(book: Book, form: Priced, now: float) -> int | None:
    """Why a message cannot be done, in the order in which every provider checks; None: it can."""
    stores = (getattr(form, "store_id", None), form.metadata.get("store"))
    if form.account_number != ACCOUNT or any(store is not None and store not in VALID_OUTLETS for store in stores):
        return 7004
    product = product_of(form)
    if product is None:
        return 7003
    if isinstance(form, Redeem):
        return _refuse_redemption(book, form, now)
    if not product.min_cents <= form.amount <= product.max_cents:
        return 7002
    if product.status != ACTIVE:
        return 7006
    if isinstance(form, Purchase | GiftPurchase) and form.amount > book.float_cents:
        return 7005
    return None


def _refuse_redemption(book: Book, form: Redeem, now: float) -> int | None:
    voucher = book.by_code(form.pin)
    if voucher is None or voucher.product != ONE_VOUCHER.ref:
        return 7101
    if voucher.state == USED:
        return 7103
    if voucher.state == CANCELLED:
        return 7104
    if voucher.state == EXPIRED or now > voucher.expires_at:
        return 7105
    return 7106 if form.amount > voucher.balance_cents else None


def make(
    book: Book, product: Product, cents: int, reference: str, transaction_id: str, now: float, pin: str | None = None
) -> BookVoucher:
    """A new voucher with the next serial and, unless one is given, the next PIN; not in the books yet."""
    last_day = months_later(business_day(now), EXPIRY_MONTHS)
    return BookVoucher(
        reference=reference,
        provider_ref=transaction_id,
        code=next_pin(book) if pin is None else pin,
        serial=f"FS{book.next_number('serials'):08d}",
        product=product.ref,
        cents=cents,
        balance_cents=cents,
        state=ACTIVE,
        issued_at=now,
        expires_at=datetime.combine(last_day, time(23, 59, 59), SAST).timestamp(),
    )


def next_pin(book: Book) -> str:
    """16 digits that no voucher has: the sample's first, then counting up."""
    while True:
        pin = str(FIRST_PIN + book.next_number("pins") - 1)
        if book.by_code(pin) is None:
            return pin


def next_transaction(book: Book) -> str:
    return str(FIRST_TRANSACTION + book.next_number("transactions") - 1)


def bought(book: Book, reference: str) -> BookVoucher | None:
    """The 1Voucher that was bought from us with this reference: what a reversal can undo."""
    found = [
        voucher
        for voucher in book.by_reference(reference)
        if voucher.details.get("bought") and voucher.product == ONE_VOUCHER.ref
    ]
    return found[-1] if found else None
