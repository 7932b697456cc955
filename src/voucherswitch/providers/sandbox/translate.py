"""Sandbox JSON <-> our messages. Pure: no I/O, no clock, no log. Source: providers.md section 11.

Money is cents on both sides. Every `from_…` returns only what the answer proves: a success that is not about what was
asked, or that lacks the voucher, is OutcomeUnknown with the alert `bad_answer`, never a decline.
"""

from collections.abc import Callable
from typing import Final

import msgspec

from voucherswitch.message.codes import ErrorType, ReversalReason
from voucherswitch.message.orders import (
    AdviceOrder,
    LookupOrder,
    Order,
    ProviderProduct,
    ProvisionOrder,
    RedeemOrder,
    RefundOrder,
    StatusOrder,
)
from voucherswitch.message.outcomes import (
    Acknowledged,
    AdviceResult,
    Approved,
    Declined,
    Outcome,
    OutcomeUnknown,
    Pending,
    Refused,
)
from voucherswitch.message.parties import Voucher
from voucherswitch.providers.contract.answers import (
    BadAnswer,
    Rules,
    bad_advice,
    bad_answer,
    check,
    decoded,
    in_doubt,
    not_found,
    secrets_of,
)
from voucherswitch.providers.contract.families import UNLISTED, safe_code, safe_message, safe_reference
from voucherswitch.providers.contract.provider_time import utc_text
from voucherswitch.providers.contract.transport.http import HttpAnswer
from voucherswitch.providers.sandbox.errors import NOT_FOUND, ToAdvice, line_for
from voucherswitch.providers.sandbox.messages import (
    AdviceAnswer,
    ConfirmAdvice,
    ErrorObject,
    ErrorPart,
    LookupRequest,
    MovementObject,
    ProductList,
    ProvisionRequest,
    RedeemRequest,
    RefundRequest,
    ReverseAdvice,
    VoucherObject,
    VoucherPart,
)

WIRE_CURRENCY: Final = "ZAR"
REDEMPTION: Final = "REDEMPTION"
REFUND: Final = "REFUND"

# A voucher that can no longer be used resolves a doubt to "declined": the customer holds nothing (providers.md B.7).
_GONE: Final = frozenset({"REVERSED", "BLOCKED"})
_LIVE: Final = frozenset({"PROVISIONED", "CONFIRMED", "REDEEMED", "REDEEM_CONFIRMED", "REFUNDED", "EXPIRED"})
_MOVED: Final = frozenset({"AUTHORISED", "CONFIRMED"})

_encode: Final = msgspec.json.Encoder().encode


# Orders -> bodies


def provision_body(order: ProvisionOrder, store: str) -> bytes:
    return _encode(
        ProvisionRequest(
            request_id=order.request_id,
            product_id=order.product,
            amount_cents=order.amount_cents,
            currency=WIRE_CURRENCY,
            voucher_code=order.voucher_code,
            store=store,
            terminal=order.store.terminal_id,
        )
    )


def lookup_body(order: LookupOrder) -> bytes:
    """One name is asked for: the most exact one, and of code and serial the code, because then the answer shows it."""
    if order.provision_id is not None:
        return _encode(LookupRequest(request_id=order.provision_id))
    if order.voucher_code is not None:
        return _encode(LookupRequest(code=order.voucher_code))
    return _encode(LookupRequest(serial=order.serial_number))


def redeem_body(order: RedeemOrder, store: str) -> bytes:
    return _encode(
        RedeemRequest(
            request_id=order.request_id,
            code=order.voucher_code,
            pin=order.voucher_pin,
            amount_cents=order.amount_cents,
            store=store,
            terminal=order.store.terminal_id,
        )
    )


def refund_body(order: RefundOrder) -> bytes:
    return _encode(
        RefundRequest(
            request_id=order.request_id,
            code=order.voucher_code,
            redemption_request_id=order.redemption_id,
            amount_cents=order.amount_cents,
        )
    )


def confirm_body(order: AdviceOrder) -> bytes:
    return _encode(ConfirmAdvice(advice_id=order.advice_id))


def reverse_body(order: AdviceOrder) -> bytes:
    return _encode(ReverseAdvice(advice_id=order.advice_id, reason=order.reason or ReversalReason.CANCELLED))


# Answers -> outcomes


def from_provision(answer: HttpAnswer, order: ProvisionOrder, rules: Rules) -> Outcome:
    """Read the answer to a provision: 201 issued, 202 not yet."""
    return _outcome(answer, order, rules, {201, 202}, lambda body: _issued(body, order, rules))


def from_retry(answer: HttpAnswer, order: ProvisionOrder, rules: Rules) -> Outcome:
    """Read the answer to a resent provision: 200 issued before, 201 just now, 202 not yet.

    A resend that was not processed proves nothing about the first message, so it leaves the doubt (providers.md B.7).
    """
    return in_doubt(_outcome(answer, order, rules, {200, 201, 202}, lambda body: _issued(body, order, rules)))


def from_status(answer: HttpAnswer, order: StatusOrder, rules: Rules) -> Outcome:
    """Read what became of an earlier provision."""
    return _resolved(answer, order, rules, lambda body: _issued(body, order, rules))


def from_movement_status(answer: HttpAnswer, order: StatusOrder, kind: str, rules: Rules) -> Outcome:
    """Read what became of an earlier redemption or refund."""
    return _resolved(answer, order, rules, lambda body: _moved(body, order.request_id, order.amount_cents, kind))


def from_movement(answer: HttpAnswer, order: RedeemOrder | RefundOrder, kind: str, rules: Rules) -> Outcome:
    """Read the answer to a redemption or refund: 201 done, 200 done before with the same body."""
    return _outcome(
        answer, order, rules, {200, 201}, lambda body: _moved(body, order.request_id, order.amount_cents, kind)
    )


def from_lookup(answer: HttpAnswer, order: LookupOrder, rules: Rules) -> Outcome:
    """Read a voucher's state and what it is worth now."""
    return _outcome(answer, order, rules, {200}, lambda body: _found(body, order, rules))


def from_products(answer: HttpAnswer) -> tuple[ProviderProduct, ...] | OutcomeUnknown:
    """Read the product list."""
    if answer.status != 200:
        error = _error(answer)
        return OutcomeUnknown(provider_code=safe_code(error.code), provider_message=safe_message(error.message))
    try:
        listed = decoded(answer.body, ProductList).products
    except BadAnswer as finding:
        return bad_answer(finding)
    return tuple(
        ProviderProduct(
            product=product.product_id,
            name=product.name,
            fixed=product.fixed,
            amount_cents=product.amount_cents,
            min_cents=product.min_cents,
            max_cents=product.max_cents,
        )
        for product in listed
    )


def from_advice(answer: HttpAnswer, order: AdviceOrder, rules: Rules, *, reversal: bool) -> AdviceResult:
    """Read the answer to a confirmation or reversal: 202 takes it, also when it had its effect before."""
    if answer.status == 202:
        try:
            echo = decoded(answer.body, AdviceAnswer)
            check(echo.request_id == order.request_id, "the answer is about another request")
            check(echo.advice_id == order.advice_id, "the answer is about another advice")
        except BadAnswer as finding:
            return bad_advice(finding)
        return Acknowledged()
    error = _error(answer)
    line = line_for(answer.status, error.code, rules.code_map)
    if line.advice is ToAdvice.REFUSED_UNLESS_REVERSAL and reversal:
        return Acknowledged()
    secrets = secrets_of(order)
    code, message = safe_code(error.code, secrets), safe_message(error.message, secrets)
    if line.advice is ToAdvice.WAIT:
        return Pending(cause=f"HTTP {answer.status} {code or ''}".rstrip(), alert=line.request.alert)
    return Refused(provider_code=code, provider_message=message)


# What an answer proves


def _outcome(
    answer: HttpAnswer, order: Order, rules: Rules, success: set[int], read: Callable[[bytes], Outcome]
) -> Outcome:
    if answer.status in success:
        try:
            return read(answer.body)
        except BadAnswer as finding:
            return bad_answer(finding)
    error = _error(answer)
    meaning = line_for(answer.status, error.code, rules.code_map).request
    return meaning.outcome(error.code, error.message, secrets_of(order))


def _resolved(answer: HttpAnswer, order: StatusOrder, rules: Rules, read: Callable[[bytes], Outcome]) -> Outcome:
    """A refused question says nothing about the request it asks about: only 200 and "not found" do."""
    if answer.status == 200:
        return _outcome(answer, order, rules, {200}, read)
    error = _error(answer)
    if (answer.status, error.code) == NOT_FOUND:
        return not_found(order, rules.settle_ms, error.code, error.message)
    alert = line_for(answer.status, error.code, {}).request.alert
    return OutcomeUnknown(UNLISTED.error_type, safe_code(error.code), safe_message(error.message), alert)


def _issued(body: bytes, order: ProvisionOrder | StatusOrder, rules: Rules) -> Outcome:
    found = decoded(body, VoucherObject)
    check(found.request_id == order.request_id, "the answer is about another request")
    if found.state == "PENDING":
        return OutcomeUnknown(ErrorType.VOUCHER_STATUS_UNKNOWN, provider_message="PENDING")
    if found.state in _GONE:
        return Declined(ErrorType.TRANSACTION_DECLINED, provider_message=found.state)
    check(found.state in _LIVE, "the voucher's state is unknown to us")
    part = found.voucher
    if part is None:
        raise BadAnswer("the answer holds no voucher")
    check(part.value_cents == order.amount_cents, "the value is not the amount that was asked for")
    voucher = _voucher(part, rules)
    if voucher is None:
        raise BadAnswer("the answer holds no code, or one of the wrong shape")
    if isinstance(order, ProvisionOrder):
        check(order.voucher_code in (None, voucher.code), "the code is not the one that was asked for")
    return Approved(
        approved_cents=part.value_cents,
        balance_cents=part.balance_cents,
        voucher=voucher,
        provider_ref=safe_reference(found.provider_ref),
        voucher_state=found.state if isinstance(order, StatusOrder) else None,
    )


def _moved(body: bytes, request_id: str, amount_cents: int, kind: str) -> Outcome:
    found = decoded(body, MovementObject)
    check(found.request_id == request_id, "the answer is about another request")
    check(found.kind == kind, "the answer is about another kind of request")
    if found.state == "REVERSED":
        return Declined(ErrorType.TRANSACTION_DECLINED, provider_message=found.state)
    check(found.state in _MOVED, "the state is unknown to us")
    # 0 asks for all there is: how much that was is only in the answer.
    asked_for = found.approved_cents == amount_cents if amount_cents else found.approved_cents > 0
    check(asked_for, "the value is not the amount that was asked for")
    check(found.voucher.balance_cents >= 0, "the balance is negative")
    return Approved(
        approved_cents=found.approved_cents,
        balance_cents=found.voucher.balance_cents,
        provider_ref=safe_reference(found.provider_ref),
    )


def _found(body: bytes, order: LookupOrder, rules: Rules) -> Outcome:
    found = decoded(body, VoucherObject)
    part = found.voucher
    if part is None:
        raise BadAnswer("the answer holds no voucher")
    if order.provision_id is not None:
        check(found.request_id == order.provision_id, "the answer is about another request")
    elif order.voucher_code is not None:
        check(part.code == order.voucher_code, "the answer is about another voucher")
    if order.serial_number is not None:
        check(part.serial == order.serial_number, "the answer is about another voucher")
    return Approved(
        approved_cents=part.balance_cents if found.state == "CONFIRMED" else 0,
        balance_cents=part.balance_cents,
        # Not asked by code, the code comes masked, and half a code is no voucher.
        voucher=_voucher(part, rules),
        provider_ref=safe_reference(found.provider_ref),
        voucher_state=found.state,
    )


def _voucher(part: VoucherPart, rules: Rules) -> Voucher | None:
    """The voucher, if its code can be one."""
    if part.code is None or not rules.pin_pattern.fullmatch(part.code):
        return None
    check(part.value_cents >= part.balance_cents >= 0, "the balance is not between nothing and the value")
    try:
        expires_at = None if part.expires_at is None else utc_text(part.expires_at)
    except ValueError:
        raise BadAnswer("the expiry is not a time") from None
    return Voucher(
        code=part.code,
        pin=part.pin,
        serial_number=part.serial,
        expires_at=expires_at,
        instructions=part.instructions,
    )


def _error(answer: HttpAnswer) -> ErrorPart:
    """The error of a refusal; an empty one when the body holds none, which no table lists."""
    try:
        return decoded(answer.body, ErrorObject).error
    except BadAnswer:
        return ErrorPart(code="")
