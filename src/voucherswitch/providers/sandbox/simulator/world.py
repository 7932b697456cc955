"""The sandbox's books as tests and operators see and change them, past its protocol (providers.md B.12)."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec
from msgspec import Struct

from voucherswitch.providers.contract.simulator.provider import ControlError
from voucherswitch.providers.sandbox.simulator import movements
from voucherswitch.providers.sandbox.simulator.book import Book, VoucherRecord
from voucherswitch.providers.sandbox.simulator.lifecycle import CONFIRMED, STATES
from voucherswitch.providers.sandbox.simulator.products import product


class SeededVoucher(Struct, rename="camel", forbid_unknown_fields=True):
    """A voucher that was sold elsewhere."""

    value_cents: int
    code: str | None = None
    product_ref: str = "SBXANY"
    state: str = CONFIRMED
    expires_at: datetime | None = None


def totals(book: Book) -> dict[str, Any]:
    """How much is in the books."""
    states = dict.fromkeys(STATES, 0)
    for voucher in book.vouchers.values():
        states[voucher.state] += 1
    return {
        "vouchers": len(book.vouchers),
        "byState": states,
        "redemptions": len(book.redemptions),
        "refunds": len(book.refunds),
        "tombstones": len(book.tombstones),
        "evicted": book.evicted,
        "floatCents": book.float_cents,
    }


def state(book: Book, reference: str | None, code: str | None) -> dict[str, Any] | None:
    """A voucher by its code, or by the request id of its provision or of a movement."""
    if code is not None:
        voucher = book.by_code.get(code)
    else:
        assert reference is not None
        movement = book.redemptions.get(reference) or book.refunds.get(reference)
        voucher = book.vouchers.get(reference if movement is None else movement.voucher_id)
    return None if voucher is None else _shown(voucher)


def seed(book: Book, wanted: Mapping[str, Any], now: float) -> dict[str, Any]:
    """Put a voucher into the books that nobody bought through us."""
    seeded = msgspec.convert(wanted, SeededVoucher)
    sold = product(seeded.product_ref)
    if sold is None:
        raise ControlError(400, "productRef is not a product")
    if seeded.state not in STATES:
        raise ControlError(400, f"state must be one of {', '.join(STATES)}")
    if seeded.code is not None and seeded.code in book.by_code:
        raise ControlError(409, "the code is taken")
    book.counters.seeds += 1
    book.counters.vouchers += 1
    expires_at, expires_ts = book.expiry(now)
    if seeded.expires_at is not None:
        expires_at, expires_ts = seeded.expires_at.isoformat(), seeded.expires_at.timestamp()
    voucher = VoucherRecord(
        request_id=f"00000000-0000-4000-8000-{book.counters.seeds:012d}",
        number=book.counters.vouchers,
        product_id=seeded.product_ref,
        cents=seeded.value_cents,
        balance_cents=seeded.value_cents,
        code=book.next_code() if seeded.code is None else seeded.code,
        pin=book.next_pin() if sold.has_pin else None,
        store="",
        terminal="",
        issued_at=now,
        expires_at=expires_at,
        expires_ts=expires_ts,
        state=seeded.state,
        elsewhere=True,
        events=((now, seeded.state),),
    )
    book.add(voucher)
    return _shown(voucher)


def event(book: Book, code: str, name: str, now: float) -> dict[str, Any]:
    """The world acts on a voucher."""
    voucher = book.by_code.get(code)
    if voucher is None:
        raise ControlError(404, "no such voucher")
    match name:
        case "REDEEM" if voucher.state == CONFIRMED:
            movements.redeemed_elsewhere(book, voucher, now)
        case "REDEEM":
            raise ControlError(409, f"a voucher that is {voucher.state} cannot be redeemed")
        case "BLOCK" | "EXPIRE":
            voucher.world = "BLOCKED" if name == "BLOCK" else "EXPIRED"
            voucher.note(now, voucher.world)
        case _:
            raise ControlError(400, "event must be REDEEM, BLOCK or EXPIRE")
    return _shown(voucher)


def _shown(voucher: VoucherRecord) -> dict[str, Any]:
    return {
        "reference": voucher.request_id,
        "code": voucher.code,
        "serial": voucher.serial,
        "valueCents": voucher.cents,
        "balanceCents": voucher.balance_cents,
        "state": voucher.world or voucher.state,
        "events": [
            {"at": datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds"), "event": name}
            for at, name in voucher.events
        ],
    }
