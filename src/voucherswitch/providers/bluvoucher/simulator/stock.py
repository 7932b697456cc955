"""What the simulated Blu Voucher sells, and how a voucher comes into its books, whichever mode sold it."""

from datetime import datetime, time
from typing import Final

from voucherswitch.providers.contract.provider_time import SAST
from voucherswitch.providers.contract.simulator.book import Book, BookVoucher
from voucherswitch.providers.contract.simulator.clock import months_later, sast

PRODUCT: Final = "BLU"
PRODUCT_NAME: Final = "Blu Voucher"
LEAST_CENTS: Final = 1_000
MOST_CENTS: Final = 400_000
VALID_MONTHS: Final = 36

UNSOLD: Final = "UNSOLD"
ACTIVE: Final = "ACTIVE"
SPENT: Final = "SPENT"
EXPIRED: Final = "EXPIRED"
BLOCKED: Final = "BLOCKED"
CANCELLED: Final = "CANCELLED"
REMEMBERED_MAX: Final = 250_000  # references of redemptions and answers; the oldest go first

_FIRST_PIN: Final = 1000200030004000


def amount_sold(cents: int) -> bool:
    """Whether a voucher of this value can be bought."""
    return LEAST_CENTS <= cents <= MOST_CENTS


def new_voucher(
    book: Book, now: float, cents: int, reference: str, provider_ref: str, state: str, code: str | None = None
) -> BookVoucher:
    """Make the next voucher; the first after a reset has the values of the specification's samples."""
    number = book.next_number("vouchers")
    last_day = months_later(sast(now).date(), VALID_MONTHS)
    return BookVoucher(
        reference=reference,
        provider_ref=provider_ref,
        code=next_code(book) if code is None else code,
        serial=f"BS{number:08d}",
        product=PRODUCT,
        cents=cents,
        balance_cents=cents,
        state=state,
        issued_at=now,
        expires_at=datetime.combine(last_day, time(23, 59, 59), SAST).timestamp(),
    )


def next_code(book: Book) -> str:
    """The next PIN that no voucher has."""
    while True:
        code = f"{_FIRST_PIN - 1 + book.next_number('codes'):016d}"
        if book.by_code(code) is None:
            return code


def state_of(voucher: BookVoucher, now: float) -> str:
    """A voucher's state, its expiry included."""
    if voucher.state in (UNSOLD, ACTIVE) and now > voucher.expires_at:
        return EXPIRED
    return voucher.state
