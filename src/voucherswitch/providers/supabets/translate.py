"""Supabets JSON <-> our messages. Pure: no I/O, no clock, no log. Source: providers.md section 5. Proposed protocol.

Money is cents on both sides. Every `from_…` returns only what the answer proves: a success that is not about what was
asked, or that lacks the PIN, is OutcomeUnknown with the alert `bad_answer`, never a decline.
"""

import re
from collections.abc import Callable
from email.utils import parsedate_to_datetime
from typing import Final, TypeVar

import msgspec
from msgspec import Struct

from voucherswitch.message.codes import ErrorType
from voucherswitch.message.orders import (
    AdviceOrder,
    LookupOrder,
    Order,
    ProviderProduct,
    ProvisionOrder,
    StatusOrder,
)
from voucherswitch.message.outcomes import (
    NO_REFS,
    Acknowledged,
    AdviceResult,
    Approved,
    Declined,
    NotSent,
    Outcome,
    OutcomeUnknown,
)
from voucherswitch.message.parties import Voucher
from voucherswitch.providers.contract.answers import (
    BadAnswer,
    Rules,
    bad_advice,
    bad_answer,
    check,
    check_references,
    decoded,
    not_found,
    secrets_of,
)
from voucherswitch.providers.contract.families import UNLISTED, safe_code, safe_message, safe_reference
from voucherswitch.providers.contract.provider_time import expiry_of, utc_text
from voucherswitch.providers.contract.simulator.check_digits import ean_13
from voucherswitch.providers.contract.transport.http import HttpAnswer
from voucherswitch.providers.supabets.errors import (
    NOT_FOUND,
    TOKEN_EXPIRED,
    confirm_meaning,
    request_meaning,
    reverse_meaning,
)
from voucherswitch.providers.supabets.messages import (
    Amount,
    PinCheck,
    PinCheckRequest,
    Problem,
    ProductList,
    Release,
    Reservation,
    ReservationRequest,
    VoucherPart,
)

WIRE_CURRENCY: Final = "ZAR"
RESERVED: Final = "RESERVED"
COMMITTED: Final = "COMMITTED"
RELEASED: Final = "RELEASED"
VALUE_CENTS_MAX: Final = 10**15  # far above every voucher; what is larger is no amount
# In `refs`: the last moment for a commit, UTC; and that the sale has committed, so that its confirmation must not.
RESERVED_UNTIL: Final = "reservedUntil"
COMMITTED_BY_SALE: Final = "committed"

# What was let go or lapsed resolves a doubt to "declined": the customer holds nothing that works (providers.md B.7).
_GONE: Final = frozenset({RELEASED, "EXPIRED"})
_LIVE: Final = frozenset({RESERVED, COMMITTED, "SPENT"})

T = TypeVar("T")

_encode: Final = msgspec.json.Encoder().encode
_EAN_13 = re.compile(r"[0-9]{13}")


class Held(Struct, frozen=True):
    """Reserved as asked, and the PIN is not shown yet: the commit comes next."""


# Orders -> bodies


def reservation_body(order: ProvisionOrder, site: str) -> bytes:
    return _encode(
        ReservationRequest(
            product_id=order.product,
            amount=Amount(order.amount_cents, WIRE_CURRENCY),
            site=site,
            lane=order.store.terminal_id,
        )
    )


def pin_check_body(pin: str) -> bytes:
    return _encode(PinCheckRequest(pin))


# Answers -> outcomes


def is_token_expired(answer: HttpAnswer) -> bool:
    """Whether the request was refused, unread, because its token is too old."""
    return answer.status == TOKEN_EXPIRED[0] and _problem(answer)[0] == TOKEN_EXPIRED[1]


def provider_clock_s(answer: HttpAnswer) -> float | None:
    """The time that an answer's `Date` gives, in seconds since the epoch; None: it gives none."""
    try:
        return parsedate_to_datetime(answer.header("date") or "").timestamp()
    except (ValueError, TypeError, OverflowError):
        return None


def from_reservation(answer: HttpAnswer, order: ProvisionOrder, rules: Rules, *, late_reveal: bool) -> Outcome | Held:
    """Read the answer to a PUT: 201 a new reservation, 200 the known one of the same id and body.

    Args:
        late_reveal: the PIN of a reservation comes only with its commit.
    """

    def read(body: bytes) -> Outcome | Held:
        found = decoded(body, Reservation)
        if late_reveal and found.state == RESERVED:
            _part_of(found, order.request_id, order.amount_cents)
            return Held()
        return _sold(found, order, rules, late_reveal=late_reveal)

    return _outcome(answer, order, rules, {200, 201}, read)


def from_commit(answer: HttpAnswer, order: ProvisionOrder, rules: Rules) -> Outcome:
    """Read the answer to the commit that ends a sale with late reveal."""

    def read(body: bytes) -> Outcome:
        found = decoded(body, Reservation)
        check(found.state != RESERVED, "the answer to a commit says that nothing is committed")
        return _sold(found, order, rules, late_reveal=True)

    return _outcome(answer, order, rules, {200}, read)


def from_status(answer: HttpAnswer, order: StatusOrder, rules: Rules, *, late_reveal: bool) -> Outcome:
    """Read what became of an earlier provision. A refused question says nothing about what it asks about."""

    def read(body: bytes) -> Outcome:
        found = decoded(body, Reservation)
        if late_reveal and found.state == RESERVED:
            # Its commit is still missing. It lapses, or a retry or a reversal ends it; until then it is undecided.
            _part_of(found, order.request_id, order.amount_cents)
            return OutcomeUnknown(ErrorType.VOUCHER_STATUS_UNKNOWN, provider_message=RESERVED)
        return _sold(found, order, rules, late_reveal=late_reveal)

    if answer.status == 200:
        return _outcome(answer, order, rules, {200}, read)
    code, text = _problem(answer)
    if (answer.status, code) == NOT_FOUND:
        return not_found(order, rules.settle_ms, code, text)
    alert = request_meaning(answer.status, code, {}).alert
    return OutcomeUnknown(UNLISTED.error_type, safe_code(code), safe_message(text), alert)


def from_lookup(answer: HttpAnswer, order: LookupOrder, rules: Rules) -> Outcome:
    """Read what a PIN is worth: its value once it is committed, nothing in every other state."""

    def read(body: bytes) -> Outcome:
        found = decoded(body, PinCheck)
        check(0 < found.value <= VALUE_CENTS_MAX, "the value is not an amount")
        worth = found.value if found.state == COMMITTED else 0
        return Approved(
            approved_cents=worth,
            balance_cents=worth,
            voucher=_voucher(order.voucher_code or "", found.serial, found.expiry),
            voucher_state=safe_code(found.state),
        )

    return _outcome(answer, order, rules, {200}, read)


def from_products(answer: HttpAnswer) -> tuple[ProviderProduct, ...] | OutcomeUnknown:
    """Read the product list."""
    if answer.status != 200:
        code, text = _problem(answer)
        return OutcomeUnknown(provider_code=safe_code(code), provider_message=safe_message(text))
    try:
        listed = decoded(answer.body, ProductList).products
    except BadAnswer as finding:
        return bad_answer(finding)
    return tuple(
        ProviderProduct(
            product=product.product_id,
            name=product.name,
            fixed=product.fixed,
            amount_cents=product.min_cents if product.fixed else None,
            min_cents=None if product.fixed else product.min_cents,
            max_cents=None if product.fixed else product.max_cents,
        )
        for product in listed
    )


def from_confirm(answer: HttpAnswer, order: AdviceOrder, rules: Rules) -> AdviceResult:
    """Read the answer to a commit that delivers a confirmation; a repeat is answered like the first."""

    def read(body: bytes) -> None:
        found = decoded(body, Reservation)
        check(found.reservation_id == order.request_id, "the answer is about another reservation")
        check(found.state == COMMITTED, "the reservation is not committed")

    return _advised(answer, order, rules, read, reversal=False)


def from_release(answer: HttpAnswer, order: AdviceOrder, rules: Rules) -> AdviceResult:
    """Read the answer to a DELETE. An unknown id is answered alike: it is remembered and refused when it comes."""

    def read(body: bytes) -> None:
        found = decoded(body, Release)
        check(found.reservation_id == order.request_id, "the answer is about another reservation")
        check(found.state == RELEASED, "the reservation is not released")

    return _advised(answer, order, rules, read, reversal=True)


# What an answer proves


def _outcome(
    answer: HttpAnswer,
    order: Order,
    rules: Rules,
    success: set[int],
    read: Callable[[bytes], T],
) -> T | Declined | NotSent | OutcomeUnknown:
    if answer.status in success:
        try:
            return read(answer.body)
        except BadAnswer as finding:
            return bad_answer(finding)
    code, text = _problem(answer)
    meaning = request_meaning(answer.status, code, rules.code_map, lookup=isinstance(order, LookupOrder))
    return meaning.outcome(code, text, secrets_of(order))


def _advised(
    answer: HttpAnswer, order: AdviceOrder, rules: Rules, read: Callable[[bytes], None], *, reversal: bool
) -> AdviceResult:
    if answer.status == 200:
        try:
            read(answer.body)
        except BadAnswer as finding:
            return bad_advice(finding)
        return Acknowledged()
    code, text = _problem(answer)
    meaning_of = reverse_meaning if reversal else confirm_meaning
    meaning = meaning_of(answer.status, code, rules.code_map)
    return meaning.result(order, rules.settle_ms, code, text or f"HTTP {answer.status}")


def _part_of(found: Reservation, request_id: str, amount_cents: int) -> VoucherPart:
    """The voucher of a reservation that is about what was asked."""
    check(found.reservation_id == request_id, "the answer is about another reservation")
    if found.voucher is None:
        raise BadAnswer("the answer holds no voucher")
    check(found.voucher.value == amount_cents, "the value is not the amount that was asked for")
    return found.voucher


def _sold(found: Reservation, order: ProvisionOrder | StatusOrder, rules: Rules, *, late_reveal: bool) -> Outcome:
    check(found.reservation_id == order.request_id, "the answer is about another reservation")
    if found.state in _GONE:
        return Declined(ErrorType.TRANSACTION_DECLINED, provider_message=found.state)
    check(found.state in _LIVE, "the reservation's state is unknown to us")
    part = _part_of(found, order.request_id, order.amount_cents)
    if part.pin is None or not _is_pin(part.pin, rules.pin_pattern):
        raise BadAnswer("the answer holds no PIN, or one of the wrong shape")
    reference, refs = safe_reference(found.provider_ref), _refs(found, late_reveal=late_reveal)
    check_references(part.pin, None, reference, *refs.values())
    return Approved(
        approved_cents=part.value,
        balance_cents=part.value if found.state != "SPENT" else 0,
        voucher=_voucher(part.pin, part.serial, part.expiry),
        provider_ref=reference,
        refs=refs,
        voucher_state=found.state if isinstance(order, StatusOrder) else None,
    )


def _is_pin(pin: str, pin_pattern: re.Pattern[str]) -> bool:
    """A PIN of 13 digits ends in its EAN-13 check digit; `pin_pattern` may say that this provider's are different."""
    if not pin_pattern.fullmatch(pin):
        return False
    return not _EAN_13.fullmatch(pin) or ean_13(pin[:12]) == pin[12]


def _voucher(pin: str, serial: str, expiry: object) -> Voucher:
    serial_number = safe_reference(serial)
    check_references(pin, None, serial_number)
    expires_at = expiry_of(expiry) if isinstance(expiry, str) else None
    return Voucher(code=pin, serial_number=serial_number, expires_at=expires_at)


def _refs(found: Reservation, *, late_reveal: bool) -> dict[str, str]:
    """What a later confirmation, and the switch that has to send it in time, must know."""
    if found.state != RESERVED:
        return {COMMITTED_BY_SALE: "yes"} if late_reveal else NO_REFS
    if not isinstance(found.reserved_until, str):
        return NO_REFS
    try:
        # Not `expiry_of`: the commit must come before this moment, so a guess would be worse than none.
        return {RESERVED_UNTIL: utc_text(found.reserved_until)}
    except ValueError:
        return NO_REFS


def _problem(answer: HttpAnswer) -> tuple[str, str | None]:
    """The code and the text of a refusal; an empty code, which no table lists, when the body holds none."""
    try:
        problem = decoded(answer.body, Problem)
    except BadAnswer:
        return "", None
    text = ": ".join(part for part in (problem.title, problem.detail) if part)
    return re.split(r"[:/]", problem.type)[-1], text or None
