"""How the simulated Supabets makes a voucher (providers.md 5.2, 5.5). Proposed."""

import re
from datetime import datetime, time
from typing import Final

from voucherswitch.providers.contract.provider_time import SAST
from voucherswitch.providers.contract.simulator.book import Book, BookVoucher
from voucherswitch.providers.contract.simulator.check_digits import ean_13
from voucherswitch.providers.contract.simulator.clock import business_day, months_later
from voucherswitch.providers.supabets.simulator.answers import TTL_S

EXPIRY_MONTHS: Final = 36
FIRST_PIN_BODY: Final = 210_098_765_432
FIRST_SERIAL: Final = 6_100_000_001

_PIN = re.compile(r"[0-9]{13}")


def issue(
    book: Book, reference: str, product_id: str, cents: int, state: str, now: float, pin: str | None = None
) -> BookVoucher:
    """Make a voucher; the first one after a reset has the values of the specification's sample."""
    number = book.next_number("vouchers")
    last_day = months_later(business_day(now), EXPIRY_MONTHS)
    voucher = BookVoucher(
        reference=reference,
        provider_ref=f"SB{number:010d}",
        code=pin or _next_pin(book),
        serial=str(FIRST_SERIAL + number - 1),
        product=product_id,
        cents=cents,
        balance_cents=cents,
        state=state,
        issued_at=now,
        expires_at=datetime.combine(last_day, time(23, 59, 59), SAST).timestamp(),
    )
    voucher.details["reserved_until"] = now + TTL_S
    return voucher


def is_pin(text: str) -> bool:
    """Whether a text can be a PIN of this provider."""
    return _PIN.fullmatch(text) is not None and ean_13(text[:12]) == text[12]


def _next_pin(book: Book) -> str:
    while True:
        body = str(FIRST_PIN_BODY + book.next_number("pins") - 1)
        pin = body + ean_13(body)
        if book.by_code(pin) is None:
            return pin
