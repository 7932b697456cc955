"""Hollywoodbets JSON <-> our messages, by the proposed protocol (providers.md 4). Pure: no I/O, no clock, no log.

Every business answer is HTTP 200; `resultCode` says what it is. A success that is not about what was asked, or that
lacks the PIN, is OutcomeUnknown with the alert `bad_answer`, never a decline; so is an answer without a result.
"""

import re
from collections.abc import Callable
from datetime import datetime
from typing import Final

import msgspec

from voucherswitch.message.codes import ErrorType, ReversalReason
from voucherswitch.message.orders import AdviceOrder, LookupOrder, Order, ProviderProduct, ProvisionOrder, StatusOrder
from voucherswitch.message.outcomes import (
    Acknowledged,
    AdviceResult,
    Approved,
    Declined,
    NotSent,
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
    cents_of,
    check,
    check_references,
    decoded,
    in_doubt,
    not_found,
    rand,
    secrets_of,
)
from voucherswitch.providers.contract.families import UNLISTED, safe_reference
from voucherswitch.providers.contract.provider_time import SAST, end_of_day, expiry_of
from voucherswitch.providers.contract.simulator.check_digits import luhn
from voucherswitch.providers.contract.transport.http import HttpAnswer
from voucherswitch.providers.hollywoodbets.errors import (
    CREDENTIALS,
    CREDENTIALS_OF_A_BLOCK,
    DONE,
    NOT_KNOWN,
    block_meaning,
    request_meaning,
)
from voucherswitch.providers.hollywoodbets.messages import (
    BlockAnswer,
    BlockRequest,
    DenominationList,
    IssueObject,
    IssueRequest,
    PinAnswer,
    PinQuery,
    Result,
)

UNUSED: Final = "UNUSED"
BLOCKED: Final = "BLOCKED"
KEPT_MS: Final = (
    90 * 24 * 3_600_000
)  # how long the provider can be asked about a reference; after it "not known" is none

# A voucher that can no longer be used resolves a doubt to "declined": the customer holds nothing (4.5, B.7).
_GONE: Final = frozenset({BLOCKED, "LAPSED"})
_LIVE: Final = frozenset({UNUSED, "USED"})

_DAY = re.compile(r"([0-9]{2})/([0-9]{2})/([0-9]{4})")
_LUHN_11 = re.compile(r"[0-9]{11}")
_encode: Final = msgspec.json.Encoder().encode


# Orders -> bodies


def issue_body(order: ProvisionOrder, outlet: str, now_s: float) -> bytes:
    """The body of a provision, sent at this moment (seconds since the epoch)."""
    return _encode(
        IssueRequest(
            partner_ref=order.request_id,
            outlet_code=outlet,
            face_value=rand(order.amount_cents),
            requested_at=datetime.fromtimestamp(now_s, SAST).isoformat(timespec="milliseconds"),
        )
    )


def block_body(order: AdviceOrder) -> bytes:
    return _encode(BlockRequest(advice_id=order.advice_id, reason=order.reason or ReversalReason.CANCELLED))


def pin_query_body(pin: str) -> bytes:
    return _encode(PinQuery(pin=pin))


# Answers -> outcomes


def from_issue(answer: HttpAnswer, order: ProvisionOrder, rules: Rules) -> Outcome:
    """Read the answer to a provision: issued now, or within the last 24 h under this reference."""
    return _outcome(answer, order, rules, lambda body: _issued(body, order, rules), order.request_id)


def from_resend(answer: HttpAnswer, order: ProvisionOrder, rules: Rules) -> Outcome:
    """Read the answer to a repeated provision.

    A repeat that was not processed proves nothing about the first message, so it leaves the doubt (B.7).
    """
    return in_doubt(from_issue(answer, order, rules))


def from_status(answer: HttpAnswer, order: StatusOrder, rules: Rules, first_sent_ms_ago: int | None = None) -> Outcome:
    """Read what became of an earlier provision.

    A refused question says nothing about it; "not known" does, but only while the provider still remembers.

    Args:
        first_sent_ms_ago: age of the provision's first message, where it is known beside that of the last one.
    """
    remembered_ms = order.sent_ms_ago if first_sent_ms_ago is None else first_sent_ms_ago
    if answer.status == 200:
        try:
            result = _result(answer.body, order.request_id)
            if result.result_code == DONE:
                return _issued(answer.body, order, rules)
        except BadAnswer as finding:
            return bad_answer(finding)
        if result.result_code == NOT_KNOWN and 0 <= remembered_ms < KEPT_MS:
            return not_found(order, rules.settle_ms, result.result_code, result.result_text)
    return _unproved(_refused(answer, rules, ()))


def from_pin_query(answer: HttpAnswer, order: LookupOrder, pin: str, rules: Rules) -> Outcome:
    """Read a voucher's state and what it is worth now: all of its face value or nothing."""
    return _outcome(answer, order, rules, lambda body: _found(body, pin))


def from_block(answer: HttpAnswer, order: AdviceOrder, rules: Rules) -> AdviceResult:
    """Read the answer to a block: done now or before, or why not."""
    if answer.status == 401:
        return CREDENTIALS_OF_A_BLOCK.result(order, rules.settle_ms, "401", "credentials refused")
    if answer.status != 200:
        return Pending(cause=f"HTTP {answer.status}")
    try:
        result = _result(answer.body, order.request_id)
        if result.result_code == DONE:
            echo = decoded(answer.body, BlockAnswer)
            check(echo.partner_ref == order.request_id, "the answer is about another request")
            check(echo.state == BLOCKED, "the answer does not say that it was blocked")
            return Acknowledged()
    except BadAnswer as finding:
        return bad_advice(finding)
    if result.result_code == NOT_KNOWN and order.sent_ms_ago >= KEPT_MS:
        # Forgotten is not the same as never issued; only a person can find out now.
        return Refused(NOT_KNOWN, "the provider no longer remembers a request of that age")
    meaning = block_meaning(result.result_code, rules.code_map)
    return meaning.result(order, rules.settle_ms, result.result_code, result.result_text)


def from_denominations(answer: HttpAnswer, rules: Rules) -> tuple[ProviderProduct, ...] | OutcomeUnknown:
    """Read the list of face values that are sold. They have no references of their own, so the value is one."""
    if answer.status == 200:
        try:
            if _result(answer.body, None).result_code == DONE:
                return tuple(_product(value) for value in decoded(answer.body, DenominationList).denominations)
        except BadAnswer as finding:
            return bad_answer(finding)
    return _unproved(_refused(answer, rules, ()))


# What an answer proves


def _outcome(
    answer: HttpAnswer, order: Order, rules: Rules, read: Callable[[bytes], Outcome], reference: str | None = None
) -> Outcome:
    if answer.status == 200:
        try:
            if _result(answer.body, reference).result_code == DONE:
                return read(answer.body)
        except BadAnswer as finding:
            return bad_answer(finding)
    return _refused(answer, rules, secrets_of(order))


def _result(body: bytes, reference: str | None) -> Result:
    """The result of a business answer, which must not be about another request.

    Raises:
        BadAnswer: there is none, or it is about another.
    """
    result = decoded(body, Result)
    check(reference is None or result.partner_ref in (None, reference), "the answer is about another request")
    return result


def _refused(answer: HttpAnswer, rules: Rules, secrets: tuple[str, ...]) -> Declined | NotSent | OutcomeUnknown:
    """What a refusal, or the answer of somebody on the way, means for a request."""
    if answer.status == 401:
        return CREDENTIALS.outcome("401", "credentials refused")
    if answer.status != 200:
        return OutcomeUnknown(provider_message=f"HTTP {answer.status}")
    try:
        result = decoded(answer.body, Result)
    except BadAnswer as finding:
        return bad_answer(finding)
    meaning = request_meaning(result.result_code, rules.code_map)
    return meaning.outcome(result.result_code, result.result_text, secrets)


def _unproved(refused: Declined | NotSent | OutcomeUnknown) -> OutcomeUnknown:
    """What the refusal of a question says about what was asked: nothing."""
    if isinstance(refused, OutcomeUnknown):
        return refused
    alert = refused.alert if isinstance(refused, NotSent) else None
    return OutcomeUnknown(UNLISTED.error_type, refused.provider_code, refused.provider_message, alert)


def _issued(body: bytes, order: ProvisionOrder | StatusOrder, rules: Rules) -> Outcome:
    found = decoded(body, IssueObject)
    check(found.partner_ref == order.request_id, "the answer is about another request")
    if found.state in _GONE:
        return Declined(ErrorType.TRANSACTION_DECLINED, provider_message=found.state)
    check(found.state in _LIVE, "the voucher's state is unknown to us")
    check(cents_of(found.face_value) == order.amount_cents, "the value is not the amount that was asked for")
    if found.pin is None or not _is_pin(found.pin, rules.pin_pattern):
        raise BadAnswer("the answer holds no PIN, or one of the wrong shape")
    reference = None if found.voucher_id is None else str(found.voucher_id)
    if reference is not None:
        check_references(found.pin, None, reference.zfill(len(found.pin)))  # a number has no leading zeros, a PIN has
    return Approved(
        approved_cents=order.amount_cents,
        balance_cents=order.amount_cents if found.state == UNUSED else 0,
        voucher=_voucher(found.pin, found.serial_number, found.expiry_date),
        provider_ref=reference,
        voucher_state=found.state if isinstance(order, StatusOrder) else None,
    )


def _found(body: bytes, pin: str) -> Outcome:
    found = decoded(body, PinAnswer)
    check(found.state in _LIVE | _GONE, "the voucher's state is unknown to us")
    value_cents = cents_of(found.face_value)
    check(value_cents >= 0, "the value is not an amount")
    worth_cents = value_cents if found.state == UNUSED else 0
    return Approved(
        approved_cents=worth_cents,
        balance_cents=worth_cents,
        voucher=_voucher(pin, found.serial_number, found.expiry_date),
        voucher_state=found.state,
    )


def _product(value: str) -> ProviderProduct:
    cents = cents_of(value)
    check(cents > 0, "a face value is not an amount")
    return ProviderProduct(product=rand(cents), name=f"HollyTopUp R{rand(cents)}", fixed=True, amount_cents=cents)


def _voucher(pin: str, serial: str | None, expiry_date: object) -> Voucher:
    serial_number = safe_reference(serial)
    check_references(pin, None, serial_number)
    return Voucher(code=pin, serial_number=serial_number, expires_at=_expiry(expiry_date))


def _expiry(found: object) -> str | None:
    """A last day, `02/03/2029`, as the moment at which the voucher expires; None: it cannot be read."""
    if not isinstance(found, str):
        return None
    written = _DAY.fullmatch(found)
    if written is None:
        return expiry_of(found)
    try:
        return end_of_day(f"{written[3]}-{written[2]}-{written[1]}")
    except ValueError:
        return None


def _is_pin(pin: str, pin_pattern: re.Pattern[str]) -> bool:
    """A PIN of 11 digits ends in its Luhn digit; `pin_pattern` may say that this provider's are different."""
    if not pin_pattern.fullmatch(pin):
        return False
    return not _LUHN_11.fullmatch(pin) or luhn(pin[:-1]) == pin[-1]
