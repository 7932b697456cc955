"""Betway JSON <-> our messages. Pure: no I/O, no clock, no log. Source: providers.md section 10. Proposed protocol.

Money is cents on both sides. Every `from_…` returns only what the answer proves: a success that is not about what was
asked, or that lacks the PIN, is OutcomeUnknown with the alert `bad_answer`, never a decline.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Final, TypeVar

import msgspec
from msgspec import Struct

from voucherswitch.message.codes import ZAR, ErrorType, ReversalReason
from voucherswitch.message.orders import (
    AdviceOrder,
    LookupOrder,
    ProviderProduct,
    ProvisionOrder,
    StatusOrder,
)
from voucherswitch.message.outcomes import (
    Acknowledged,
    AdviceResult,
    Approved,
    Declined,
    NotSent,
    Outcome,
    OutcomeUnknown,
)
from voucherswitch.message.parties import Voucher
from voucherswitch.providers.betway.errors import (
    NOT_FOUND,
    confirm_meaning,
    rejection,
    request_meaning,
    reverse_meaning,
)
from voucherswitch.providers.betway.messages import (
    Acknowledgement,
    Amount,
    Cancellation,
    Cancelled,
    ErrorObject,
    ErrorPart,
    OrderObject,
    OrderRequest,
    SkuList,
    TenderPart,
    ValidatedVoucher,
    Validation,
)
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
from voucherswitch.providers.contract.provider_time import SAST, expiry_of
from voucherswitch.providers.contract.transport.http import HttpAnswer

WIRE_CURRENCY: Final = "ZAR"
QUANTITY: Final = 1
VALUE_CENTS_MAX: Final = 10**15  # far above every voucher; what is larger is no amount
ACCEPTED: Final = frozenset({200, 201, 202})  # known, done, and accepted; the order's state says which

# No tender covers the order, so the provider would refuse it; the switch asks the capability record first.
TENDER_REQUIRED: Final = Declined(ErrorType.TRANSACTION_DECLINED, provider_message="Tender required before request")
NO_TENDER_TO_RESEND: Final = OutcomeUnknown(provider_message="Tender required before request")
STILL_PENDING: Final = OutcomeUnknown(ErrorType.VOUCHER_STATUS_UNKNOWN, provider_message="PENDING")

T = TypeVar("T")

_encode: Final = msgspec.json.Encoder().encode


class Waiting(Struct, frozen=True):
    """Accepted and not decided. `poll_after_ms` is when the provider wishes to be asked, as it said it."""

    order_id: str
    poll_after_ms: int


class NoWord(Struct, frozen=True):
    """A poll that told nothing of its order; `outcome` is what remains if no later one does."""

    outcome: OutcomeUnknown


# Orders -> bodies


def tender_of(order: ProvisionOrder) -> TenderPart | None:
    """What was paid: reference and type of the first tender in rand, and the sum of all. None: it does not cover the
    order.

    A tender without a reference is named by the order's own id, which finds the payment at the originator as well.
    """
    paid = [tender for tender in order.tenders if tender.currency == ZAR]
    total = sum(tender.amount_cents for tender in paid)
    if not paid or total < order.amount_cents:
        return None
    return TenderPart(paid[0].reference or order.request_id, paid[0].type, total)


def order_body(order: ProvisionOrder, tender: TenderPart, outlet: str, now_s: float) -> bytes:
    """The order's message. `now_s` is seconds since the epoch; a resend tells the time of the first message."""
    age_ms = max(order.sent_ms_ago, 0)  # below 0 nobody knows it, and no order is from the future
    asked = datetime.fromtimestamp(now_s - age_ms / 1000, SAST)
    body = _encode(
        OrderRequest(
            external_id=order.request_id,
            sku_id=order.product,
            quantity=QUANTITY,
            unit_amount=Amount(WIRE_CURRENCY, order.amount_cents),
            outlet=outlet,
            tender=tender,
            requested_at=asked.isoformat(timespec="seconds"),
        )
    )
    # The specification's sample is exact to the byte, and breaks its line here.
    return body.replace(b',"tender":', b',\n "tender":', 1)


def acknowledge_body(order: AdviceOrder) -> bytes:
    return _encode(Acknowledgement(order.advice_id))


def cancel_body(order: AdviceOrder) -> bytes:
    return _encode(Cancellation(order.advice_id, order.reason or ReversalReason.CANCELLED))


def validate_body(pin: str) -> bytes:
    return _encode(Validation(pin))


# Answers -> outcomes


def from_accepted(answer: HttpAnswer, order: ProvisionOrder, rules: Rules) -> Outcome | Waiting:
    """Read the order that a POST made, or found: it is known at the provider, and its state is the truth."""
    try:
        return _progress(decoded(answer.body, OrderObject), order, rules)
    except BadAnswer as finding:
        return bad_answer(finding)


def from_refused(answer: HttpAnswer, order: ProvisionOrder, rules: Rules) -> Declined | NotSent | OutcomeUnknown:
    """Read why a POST made no order."""
    error = _error(answer)
    meaning = request_meaning(answer.status, error.code, rules.code_map)
    return meaning.outcome(error.code, error.message, secrets_of(order))


def from_poll(answer: HttpAnswer, order: ProvisionOrder, rules: Rules) -> Outcome | Waiting | NoWord:
    """Read a poll. No refusal of a question says anything of the order, nor does an answer that cannot be read; an
    order that can be read and is not what was asked for ends the polling."""
    if answer.status != 200:
        error = _error(answer)
        alert = request_meaning(answer.status, error.code, {}).alert
        return NoWord(OutcomeUnknown(UNLISTED.error_type, safe_code(error.code), safe_message(error.message), alert))
    try:
        found = decoded(answer.body, OrderObject)
    except BadAnswer as finding:
        return NoWord(bad_answer(finding))
    try:
        return _progress(found, order, rules)
    except BadAnswer as finding:
        return bad_answer(finding)


def from_status(answer: HttpAnswer, order: StatusOrder, rules: Rules) -> Outcome:
    """Read what became of an earlier order. A refused question says nothing about what it asks about; a rejected order
    is the provider's own word that nothing was issued."""
    if answer.status == 200:
        try:
            found = _progress(decoded(answer.body, OrderObject), order, rules)
        except BadAnswer as finding:
            return bad_answer(finding)
        return STILL_PENDING if isinstance(found, Waiting) else found
    error = _error(answer)
    if (answer.status, error.code) == NOT_FOUND:
        return not_found(order, rules.settle_ms, error.code, error.message)
    alert = request_meaning(answer.status, error.code, {}).alert
    return OutcomeUnknown(UNLISTED.error_type, safe_code(error.code), safe_message(error.message), alert)


def from_lookup(answer: HttpAnswer, order: LookupOrder, rules: Rules) -> Outcome:
    """Read what a PIN is worth: its amount while it is active, nothing afterwards."""

    def read(body: bytes) -> Outcome:
        found = decoded(body, ValidatedVoucher)
        check(found.amount.currency == WIRE_CURRENCY, "the currency is not ours")
        check(0 < found.amount.minor <= VALUE_CENTS_MAX, "the amount is none")
        worth = found.amount.minor if found.state == "ACTIVE" else 0
        return Approved(
            approved_cents=worth,
            balance_cents=worth,
            voucher=_voucher(order.voucher_code or "", found.serial, found.expires_on),
            voucher_state=safe_code(found.state),
        )

    if answer.status == 200:
        try:
            return read(answer.body)
        except BadAnswer as finding:
            return bad_answer(finding)
    error = _error(answer)
    meaning = request_meaning(answer.status, error.code, rules.code_map, lookup=True)
    return meaning.outcome(error.code, error.message, secrets_of(order))


def from_products(answer: HttpAnswer) -> tuple[ProviderProduct, ...] | OutcomeUnknown:
    """Read the list of what is sold."""
    if answer.status != 200:
        error = _error(answer)
        return OutcomeUnknown(provider_code=safe_code(error.code), provider_message=safe_message(error.message))
    try:
        listed = decoded(answer.body, SkuList).skus
    except BadAnswer as finding:
        return bad_answer(finding)
    return tuple(
        ProviderProduct(
            product=sku.sku_id,
            name=sku.name,
            fixed=sku.fixed,
            amount_cents=sku.min_minor if sku.fixed else None,
            min_cents=None if sku.fixed else sku.min_minor,
            max_cents=None if sku.fixed else sku.max_minor,
        )
        for sku in listed
    )


def from_acknowledge(answer: HttpAnswer, order: AdviceOrder, rules: Rules) -> AdviceResult:
    """Read the answer to a confirmation; a repeat is answered like the first."""

    def read(body: bytes) -> None:
        found = decoded(body, OrderObject)
        check(found.external_id == order.request_id, "the answer is about another order")
        check(found.acknowledged, "the order is not acknowledged")

    return _advised(answer, order, rules, read, reversal=False)


def from_cancel(answer: HttpAnswer, order: AdviceOrder, rules: Rules) -> AdviceResult:
    """Read the answer to a reversal. An unknown id is answered alike: it is remembered and refused when it comes."""

    def read(body: bytes) -> None:
        found = decoded(body, Cancelled)
        check(found.external_id == order.request_id, "the answer is about another order")
        check(found.state == "CANCELLED", "the order is not cancelled")

    return _advised(answer, order, rules, read, reversal=True)


# What an answer proves


def _progress(found: OrderObject, order: ProvisionOrder | StatusOrder, rules: Rules) -> Outcome | Waiting:
    """Where an order is.

    Raises:
        BadAnswer: it is not the order that was asked about, or not as it should be.
    """
    check(found.external_id == order.request_id, "the answer is about another order")
    match found.state:
        case "PENDING":
            order_id = safe_reference(found.order_id)
            if order_id is None:
                raise BadAnswer("the answer holds no order id")
            return Waiting(order_id, found.poll_after_ms or 0)
        case "FULFILLED":
            return _fulfilled(found, order, rules)
        case "REJECTED":
            reason = found.reason or ""
            return rejection(reason, rules.code_map).outcome(reason, "REJECTED")
        case "CANCELLED":
            return Declined(ErrorType.TRANSACTION_DECLINED, provider_message="CANCELLED")
        case _:
            raise BadAnswer("the order's state is unknown to us")


def _fulfilled(found: OrderObject, order: ProvisionOrder | StatusOrder, rules: Rules) -> Approved:
    part = found.voucher
    if part is None:
        raise BadAnswer("the answer holds no voucher")
    check(part.amount.currency == WIRE_CURRENCY, "the currency is not the one that was asked for")
    check(part.amount.minor == order.amount_cents, "the amount is not the one that was asked for")
    if part.pin is None or not rules.pin_pattern.fullmatch(part.pin):
        raise BadAnswer("the answer holds no PIN, or one of the wrong shape")
    refs = {"orderId": safe_reference(found.order_id), "serial": safe_reference(part.serial)}
    check_references(part.pin, None, *refs.values())
    return Approved(
        approved_cents=part.amount.minor,
        balance_cents=part.amount.minor,
        voucher=_voucher(part.pin, part.serial, part.expires_on),
        provider_ref=refs["orderId"],
        refs={name: value for name, value in refs.items() if value is not None},
        voucher_state=found.state if isinstance(order, StatusOrder) else None,
    )


def _voucher(pin: str, serial: str, expires_on: object) -> Voucher:
    serial_number = safe_reference(serial)
    check_references(pin, None, serial_number)
    expiry = expiry_of(expires_on) if isinstance(expires_on, str) else None
    return Voucher(code=pin, serial_number=serial_number, expires_at=expiry)


def _advised(
    answer: HttpAnswer, order: AdviceOrder, rules: Rules, read: Callable[[bytes], None], *, reversal: bool
) -> AdviceResult:
    if answer.status == 200:
        try:
            read(answer.body)
        except BadAnswer as finding:
            return bad_advice(finding)
        return Acknowledged()
    error = _error(answer)
    meaning_of = reverse_meaning if reversal else confirm_meaning
    meaning = meaning_of(answer.status, error.code, rules.code_map)
    return meaning.result(order, rules.settle_ms, error.code, error.message or f"HTTP {answer.status}")


def _error(answer: HttpAnswer) -> ErrorPart:
    """The error of a refusal; an empty code, which no table lists, when the body holds none."""
    try:
        return decoded(answer.body, ErrorObject).error
    except BadAnswer:
        return ErrorPart(code="")
