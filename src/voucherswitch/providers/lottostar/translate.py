"""Lottostar JSON <-> our messages, by the proposed protocol (providers.md section 3). Pure: no I/O, no clock, no log.

Money is cents on both sides. Every `from_…` returns only what the answer proves: a success that is not about what was
asked, or that lacks the voucher, is OutcomeUnknown with the alert `bad_answer`, never a decline.
"""

import re
from collections.abc import Callable, Mapping
from email.utils import parsedate_to_datetime
from typing import Final

import msgspec

from voucherswitch.message.codes import ErrorType, ReversalReason
from voucherswitch.message.orders import AdviceOrder, LookupOrder, Order, ProviderProduct, ProvisionOrder, StatusOrder
from voucherswitch.message.outcomes import Acknowledged, AdviceResult, Approved, Declined, Outcome, OutcomeUnknown
from voucherswitch.message.parties import Voucher
from voucherswitch.providers.contract.answers import (
    BadAnswer,
    Rules,
    bad_advice,
    bad_answer,
    check,
    check_references,
    decoded,
    in_doubt,
    not_found,
    rand,
    secrets_of,
)
from voucherswitch.providers.contract.families import UNLISTED, safe_code, safe_message, safe_reference
from voucherswitch.providers.contract.provider_time import expiry_of
from voucherswitch.providers.contract.simulator.check_digits import luhn
from voucherswitch.providers.contract.transport.http import HttpAnswer
from voucherswitch.providers.lottostar.errors import (
    LOOKUP_TABLE,
    NOT_FOUND,
    STALE,
    TABLE,
    Line,
    request_meaning,
    void_meaning,
)
from voucherswitch.providers.lottostar.messages import (
    DenominationList,
    ErrorObject,
    ErrorPart,
    IssueRequest,
    LookupAnswer,
    LookupRequest,
    VoidAnswer,
    VoidRequest,
    VoucherObject,
)

ACTIVE: Final = "ACTIVE"

# A voucher that can no longer be used resolves a doubt to "declined": the customer holds nothing (B.7, 3.5).
_GONE: Final = frozenset({"VOIDED", "EXPIRED"})
_LIVE: Final = frozenset({ACTIVE, "REDEEMED"})
# The status word of a void that had its effect, by HTTP status: on a voucher, or on an id that will be refused.
_VOIDED: Final = {200: "VOIDED", 202: "TOMBSTONED"}

_LUHN_14 = re.compile(r"[0-9]{14}")
_encode: Final = msgspec.json.Encoder().encode


# Orders -> bodies


def issue_body(order: ProvisionOrder, store: str) -> bytes:
    return _encode(
        IssueRequest(
            client_txn_id=order.request_id,
            denomination_cents=order.amount_cents,
            store_ref=store,
            terminal_ref=order.store.terminal_id,
        )
    )


def void_body(order: AdviceOrder) -> bytes:
    return _encode(VoidRequest(advice_id=order.advice_id, reason=order.reason or ReversalReason.CANCELLED))


def lookup_body(code: str) -> bytes:
    return _encode(LookupRequest(code=code))


# Answers -> outcomes


def from_issue(answer: HttpAnswer, order: ProvisionOrder, rules: Rules) -> Outcome:
    """Read the answer to a provision: 201 issued, 200 issued before under this id."""
    return _outcome(answer, order, rules, {200, 201}, lambda body: _issued(body, order, rules))


def from_resend(answer: HttpAnswer, order: ProvisionOrder, rules: Rules) -> Outcome:
    """Read the answer to a repeated provision.

    A repeat that was not processed proves nothing about the first message, so it leaves the doubt (B.7).
    """
    return in_doubt(from_issue(answer, order, rules))


def from_status(answer: HttpAnswer, order: StatusOrder, rules: Rules) -> Outcome:
    """Read what became of an earlier provision. A refused question says nothing about it; only "not found" does."""
    if answer.status == 200:
        return _outcome(answer, order, rules, {200}, lambda body: _issued(body, order, rules))
    error = _error(answer)
    if (answer.status, error.code) == NOT_FOUND:
        return not_found(order, rules.settle_ms, error.code, error.message)
    alert = request_meaning(answer.status, error.code, {}).alert
    return OutcomeUnknown(UNLISTED.error_type, safe_code(error.code), safe_message(error.message), alert)


def from_lookup(answer: HttpAnswer, order: LookupOrder, code: str, rules: Rules) -> Outcome:
    """Read a voucher's state and what it is worth now: all of its value or nothing."""
    return _outcome(answer, order, rules, {200}, lambda body: _found(body, code), LOOKUP_TABLE)


def from_void(answer: HttpAnswer, order: AdviceOrder, rules: Rules) -> AdviceResult:
    """Read the answer to a void: 200 voided now or before, 202 the id was unknown and will be refused for ever."""
    if answer.status in _VOIDED:
        try:
            echo = decoded(answer.body, VoidAnswer)
            check(echo.client_txn_id == order.request_id, "the answer is about another request")
            check(echo.status == _VOIDED[answer.status], "the answer does not say that it was voided")
        except BadAnswer as finding:
            return bad_advice(finding)
        return Acknowledged()
    error = _error(answer)
    meaning = void_meaning(answer.status, error.code, rules.code_map)
    return meaning.result(order, rules.settle_ms, error.code, error.message or f"HTTP {answer.status}")


def from_denominations(answer: HttpAnswer) -> tuple[ProviderProduct, ...] | OutcomeUnknown:
    """Read the list of values that are sold."""
    if answer.status != 200:
        error = _error(answer)
        alert = request_meaning(answer.status, error.code, {}).alert
        return OutcomeUnknown(UNLISTED.error_type, safe_code(error.code), safe_message(error.message), alert)
    try:
        listed = decoded(answer.body, DenominationList).denominations
    except BadAnswer as finding:
        return bad_answer(finding)
    return tuple(
        ProviderProduct(
            product=one.product_ref, name=f"Lottostar voucher R{rand(one.cents)}", fixed=True, amount_cents=one.cents
        )
        for one in listed
    )


# The clock


def is_stale(answer: HttpAnswer) -> bool:
    """Whether a message was refused only because our clock and theirs differ: proof that it was not processed."""
    return (answer.status, _error(answer).code) == STALE


def clock_offset_ms(answer: HttpAnswer, now_ms: int) -> int | None:
    """How far their clock is ahead of ours, by the answer's `Date`; None: it does not tell."""
    try:
        theirs = parsedate_to_datetime(answer.header("date") or "")
        return int(theirs.timestamp() * 1000) - now_ms
    except (ValueError, TypeError, OverflowError, IndexError):
        return None


# What an answer proves


def _outcome(
    answer: HttpAnswer,
    order: Order,
    rules: Rules,
    success: set[int],
    read: Callable[[bytes], Outcome],
    table: Mapping[tuple[int, str], Line] = TABLE,
) -> Outcome:
    if answer.status in success:
        try:
            return read(answer.body)
        except BadAnswer as finding:
            return bad_answer(finding)
    error = _error(answer)
    meaning = request_meaning(answer.status, error.code, rules.code_map, table)
    return meaning.outcome(error.code, error.message, secrets_of(order))


def _issued(body: bytes, order: ProvisionOrder | StatusOrder, rules: Rules) -> Outcome:
    found = decoded(body, VoucherObject)
    check(found.client_txn_id == order.request_id, "the answer is about another request")
    if found.status in _GONE:
        return Declined(ErrorType.TRANSACTION_DECLINED, provider_message=found.status)
    check(found.status in _LIVE, "the voucher's state is unknown to us")
    check(found.value_cents == order.amount_cents, "the value is not the amount that was asked for")
    if found.code is None or not _is_code(found.code, rules.pin_pattern):
        raise BadAnswer("the answer holds no code, or one of the wrong shape")
    reference = safe_reference(found.voucher_id)
    check_references(found.code, None, reference)
    return Approved(
        approved_cents=found.value_cents,
        balance_cents=found.value_cents if found.status == ACTIVE else 0,
        voucher=_voucher(found.code, found.serial, found.expires_at),
        provider_ref=reference,
        voucher_state=found.status if isinstance(order, StatusOrder) else None,
    )


def _found(body: bytes, code: str) -> Outcome:
    found = decoded(body, LookupAnswer)
    check(found.status in _LIVE | _GONE, "the voucher's state is unknown to us")
    worth_cents = found.value_cents if found.status == ACTIVE else 0
    return Approved(
        approved_cents=worth_cents,
        balance_cents=worth_cents,
        voucher=_voucher(code, found.serial, found.expires_at),
        voucher_state=found.status,
    )


def _voucher(code: str, serial: str | None, expires_at: object) -> Voucher:
    serial_number = safe_reference(serial)
    check_references(code, None, serial_number)
    expiry = expiry_of(expires_at) if isinstance(expires_at, str) else None
    return Voucher(code=code, serial_number=serial_number, expires_at=expiry)


def _is_code(code: str, pin_pattern: re.Pattern[str]) -> bool:
    """A code of 14 digits ends in its Luhn digit; `pin_pattern` may say that this provider's are different."""
    if not pin_pattern.fullmatch(code):
        return False
    return not _LUHN_14.fullmatch(code) or luhn(code[:-1]) == code[-1]


def _error(answer: HttpAnswer) -> ErrorPart:
    """The error of a refusal; an empty one when the body holds none, which no table lists."""
    try:
        return decoded(answer.body, ErrorObject).error
    except BadAnswer:
        return ErrorPart(code="")
