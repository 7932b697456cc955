"""OTT's messages <-> ours. Pure: no I/O, no clock, no log. Source: providers.md section 6 (Documented, gaps Proposed).

Every `from_…` returns only what the answer proves. A status and a text that contradict each other, a JSON boolean for a
text, a voucher that is no document inside a string: all are OutcomeUnknown with the alert `bad_answer`.
"""

from collections.abc import Callable
from typing import Final

from msgspec import UNSET, Raw

from voucherswitch.message.orders import AdviceOrder, LookupOrder, ProvisionOrder, RedeemOrder, StatusOrder
from voucherswitch.message.outcomes import Acknowledged, AdviceResult, Approved, Outcome, Refused
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
    hidden_of,
    in_doubt,
    not_found,
    rand,
    secrets_of,
)
from voucherswitch.providers.contract.families import UNLISTED, WAIT, AdviceMeaning, Effect, safe_reference
from voucherswitch.providers.contract.provider_time import expiry_of
from voucherswitch.providers.contract.transport.http import HttpAnswer
from voucherswitch.providers.ott.errors import (
    NOT_FOUND,
    REFUSED_CREDENTIALS,
    UNHEARD_CREDENTIALS,
    advice_meaning_for,
    meaning_for,
)
from voucherswitch.providers.ott.messages import FoundAnswer, IssuedAnswer, RemitAnswer, Said, VoucherDocument

PRODUCT: Final = "value"  # the open voucher: GetVoucher has no product in it and sells nothing else
DEFAULT_CASHIER: Final = "C00"
SUCCESS: Final = "true"
FAILURE: Final = "false"

_UNTOLD: Final = "redeemed, and OTT takes no reversal of it"
_NOTHING_TO_REVERSE: Final = AdviceMeaning(Effect.DONE_ONCE_SETTLED)


# Orders -> parameters; an empty one is not sent


def get_voucher(order: ProvisionOrder, store: str, vendor_code: str, *, send_sms: bool) -> dict[str, str]:
    return {
        "branch": store,
        "cashier": order.store.operator_id or DEFAULT_CASHIER,
        "till": order.store.terminal_id,
        "uniqueReference": order.request_id,
        "value": rand(order.amount_cents),
        "vendorCode": vendor_code,
        "mobileForSMS": (order.msisdn or "") if send_sms else "",
    }


def about(request_id: str) -> dict[str, str]:
    """Of the four operations that only name an earlier request."""
    return {"uniqueReference": request_id}


def check_voucher(voucher_code: str, vendor_id: str) -> dict[str, str]:
    """The redemption side's; the issuing one has the same name and takes a reference."""
    return {"vendorID": vendor_id, "voucherPIN": voucher_code}


def remit_voucher(order: RedeemOrder, vendor_id: str, mobile: str) -> dict[str, str]:
    """The exact amount; `0.00` takes all that the voucher is worth."""
    return {
        "amount": rand(order.amount_cents),
        "mobile": mobile,
        "pin": order.voucher_code,
        "uniqueReference": order.request_id,
        "vendorID": vendor_id,
    }


# Answers -> outcomes


def from_provision(answer: HttpAnswer, order: ProvisionOrder, rules: Rules) -> Outcome:
    """Read the answer to GetVoucher."""
    hidden = hidden_of(order)
    return _outcome(answer, "provision", hidden, rules, lambda body: _issued(body, order.amount_cents, rules))


def from_status(answer: HttpAnswer, order: StatusOrder, rules: Rules) -> Outcome:
    """Read what became of an earlier GetVoucher."""
    return _resolved(answer, "status", order, rules, lambda body: _issued(body, order.amount_cents, rules))


def from_lookup(answer: HttpAnswer, order: LookupOrder, rules: Rules) -> Outcome:
    """Read what a voucher is worth now."""
    return _outcome(answer, "lookup", secrets_of(order), rules, lambda body: _found(body, order.voucher_code or ""))


def from_redeem(answer: HttpAnswer, order: RedeemOrder, rules: Rules) -> Outcome:
    """Read the answer to RemitVoucher."""
    secrets = secrets_of(order)
    return _outcome(answer, "redeem", secrets, rules, lambda body: _remitted(body, order.amount_cents, secrets))


def from_redeem_status(answer: HttpAnswer, order: StatusOrder, rules: Rules) -> Outcome:
    """Read what became of an earlier RemitVoucher."""
    secrets = secrets_of(order)
    return _resolved(answer, "redeemStatus", order, rules, lambda body: _remitted(body, order.amount_cents, secrets))


def from_advice(answer: HttpAnswer, operation: str, order: AdviceOrder, rules: Rules) -> AdviceResult:
    """Read the answer to ConfirmVoucher or RejectVoucher."""
    try:
        said = _said(answer)
    except BadAnswer as finding:
        return bad_advice(finding)
    if said is None:
        return _unheard(answer, order, rules)
    if said.success == SUCCESS:
        return Acknowledged()
    meaning = advice_meaning_for(operation, said.error_code, rules.code_map)
    return meaning.result(order, rules.settle_ms, said.error_code, said.message)


def from_reversal_question(answer: HttpAnswer, order: AdviceOrder, rules: Rules) -> AdviceResult:
    """Read whether there is a remit to reverse: OTT has no reversal, so one that there is stays money at risk."""
    try:
        said = _said(answer)
    except BadAnswer as finding:
        return bad_advice(finding)
    if said is None:
        return _unheard(answer, order, rules)
    if said.success == SUCCESS:
        return Refused(provider_message=_UNTOLD)
    meaning = _NOTHING_TO_REVERSE if said.error_code == NOT_FOUND["redeemStatus"] else WAIT
    return meaning.result(order, rules.settle_ms, said.error_code, said.message)


# What an answer proves


def _said(answer: HttpAnswer) -> Said | None:
    """What OTT itself says: 200 with "true" or 201 with "false"; None for every other status.

    Raises:
        BadAnswer: neither of the two, or status and text contradict each other.
    """
    if answer.status not in (200, 201):
        return None
    said = decoded(answer.body, Said)
    expected = SUCCESS if answer.status == 200 else FAILURE
    check(said.success == expected, "the HTTP status and `success` do not agree")
    return said


def _unsaid(answer: HttpAnswer) -> Outcome:
    """An answer that is not OTT's own: only 401 proves something, whatever its body is."""
    meaning = REFUSED_CREDENTIALS if answer.status == 401 else UNLISTED
    return meaning.outcome(message=f"HTTP {answer.status}")


def _unheard(answer: HttpAnswer, order: AdviceOrder, rules: Rules) -> AdviceResult:
    meaning = UNHEARD_CREDENTIALS if answer.status == 401 else WAIT
    return meaning.result(order, rules.settle_ms, message=f"HTTP {answer.status}")


def _outcome(
    answer: HttpAnswer, operation: str, hidden: tuple[str, ...], rules: Rules, read: Callable[[bytes], Outcome]
) -> Outcome:
    try:
        said = _said(answer)
        if said is None:
            return _unsaid(answer)
        if said.success == SUCCESS:
            return read(answer.body)
    except BadAnswer as finding:
        return bad_answer(finding)
    return meaning_for(operation, said.error_code, rules.code_map).outcome(said.error_code, said.message, hidden)


def _resolved(
    answer: HttpAnswer, operation: str, order: StatusOrder, rules: Rules, read: Callable[[bytes], Outcome]
) -> Outcome:
    """A refused question says nothing about the request it asks about: only success and "not found" do."""
    try:
        said = _said(answer)
        if said is None:
            return in_doubt(_unsaid(answer))
        if said.success == SUCCESS:
            return read(answer.body)
    except BadAnswer as finding:
        return bad_answer(finding)
    if said.error_code == NOT_FOUND[operation]:
        return not_found(order, rules.settle_ms, said.error_code, said.message)
    return UNLISTED.outcome(said.error_code, said.message, hidden_of(order))


def _issued(body: bytes, amount_cents: int, rules: Rules) -> Outcome:
    text = decoded(body, IssuedAnswer).voucher
    if text is None:
        raise BadAnswer("the answer holds no voucher")
    found = decoded(text.encode(errors="replace"), VoucherDocument)
    check(written_cents(found.amount) == amount_cents, "the value is not the amount that was asked for")
    check(rules.pin_pattern.fullmatch(found.pin) is not None, "the answer holds no PIN, or one of the wrong shape")
    refs = {"voucherID": str(found.voucher_id), "saleID": str(found.sale_id), "serialNumber": found.serial_number}
    check_references(found.pin, None, *refs.values())
    kept = {name: text for name, text in refs.items() if safe_reference(text)}
    return Approved(
        approved_cents=amount_cents,
        voucher=Voucher(
            code=found.pin,
            serial_number=kept.get("serialNumber"),
            # OTT seldom says when a voucher expires; three years are known of it, and not ours to print.
            expires_at=expiry_of(found.expiry_date) if isinstance(found.expiry_date, str) else None,
            instructions=(found.instructions,) if found.instructions else (),
        ),
        provider_ref=kept.get("voucherID"),
        refs=kept,
    )


def _found(body: bytes, code: str) -> Outcome:
    found = decoded(body, FoundAnswer)
    cents = written_cents(found.value)
    check(cents >= 0, "the value is negative")
    check_references(code, None, str(found.voucher_id), found.serial)
    return Approved(
        approved_cents=cents,
        balance_cents=cents,
        voucher=Voucher(code=code, serial_number=safe_reference(found.serial)),
        provider_ref=safe_reference(str(found.voucher_id)),
    )


def _remitted(body: bytes, amount_cents: int, secrets: tuple[str, ...]) -> Outcome:
    found = decoded(body, RemitAnswer)
    taken = written_cents(found.voucher_amount)
    # 0 asks for all there is: how much that was is only in the answer.
    check(taken == amount_cents if amount_cents else taken > 0, "the value is not the amount that was asked for")
    left = 0 if found.voucher_balance is UNSET else written_cents(found.voucher_balance)
    check(left >= 0, "the balance is negative")
    voucher_id = str(found.voucher_id)
    for secret in secrets:
        check_references(secret, None, voucher_id)
    kept = safe_reference(voucher_id)
    return Approved(
        approved_cents=taken,
        balance_cents=0,  # the PIN is used up by any remit: what is left goes to the customer's wallet
        provider_ref=kept,
        refs={} if kept is None else {"voucherID": kept},
    )


def written_cents(written: Raw) -> int:
    """A rand amount as OTT writes it, in cents: `100.0000`, `"100.00"` and `"1,000.00"` are all known.

    Raises:
        BadAnswer: it is neither a number nor text, or no amount.
    """
    raw = bytes(written)
    return cents_of(decoded(raw, str) if raw.startswith(b'"') else raw.decode("ascii", "replace"))
