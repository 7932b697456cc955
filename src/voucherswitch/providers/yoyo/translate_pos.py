"""Yoyo's point-of-sale API (wiCode platform) <-> our messages. Pure: no I/O, no clock, no log. Source: section 7.

Its answers do not echo the request's id; only the history does. Amounts are cents on both sides.
"""

import re
from collections.abc import Mapping
from typing import Final

import msgspec
from msgspec import Struct

from voucherswitch.message.codes import ErrorType
from voucherswitch.message.orders import AdviceOrder, LookupOrder, RedeemOrder, StatusOrder
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
from voucherswitch.message.parties import Store, Voucher
from voucherswitch.providers.contract.answers import (
    BadAnswer,
    Rules,
    bad_advice,
    bad_answer,
    check,
    check_references,
    decoded,
    not_found,
)
from voucherswitch.providers.contract.transport.http import HttpAnswer
from voucherswitch.providers.yoyo.errors import TRANSACTION_NOT_FOUND, Told, advice_meaning_of
from voucherswitch.providers.yoyo.messages import (
    ID_MAX,
    AdviseRequest,
    HistoryAnswer,
    HistoryRequest,
    OriginalTrx,
    StoreTrxDetails,
    Token,
    TokenInfoAnswer,
    TokenInfoRequest,
    TransactionAnswer,
    TransactionRequest,
)
from voucherswitch.providers.yoyo.translate import Said, refused, said, unanswered

PAYMENT: Final = "PAYMENT"
NO_OPERATOR: Final = "C00"
DETAIL_CHARS_MAX: Final = 50  # the longest that the protocol has
GIFT_CARD_REDEMPTION: Final = "GIFTCARD"

_STANDS: Final = frozenset({"P", "S"})  # pending, settled
_FELL: Final = frozenset({"F", "R"})  # failed, reversed

_encode: Final = msgspec.json.Encoder().encode


# Orders -> messages


def details_of(request_id: str, store_id: str, store: Store) -> StoreTrxDetails:
    """Where and as what a redemption is booked; the request's id is its name at the provider."""
    return StoreTrxDetails(
        store_id=store_id,
        basket_id=request_id,
        trx_id=request_id,
        pos_id=store.terminal_id,
        cashier_id=store.operator_id or NO_OPERATOR,
    )


def token_info_body(order: LookupOrder, details: StoreTrxDetails) -> bytes:
    return _encode(TokenInfoRequest(token=Token(id=order.voucher_code or ""), store_trx_details=details))


def transaction_body(order: RedeemOrder, details: StoreTrxDetails) -> bytes:
    """The redemption, with the line break of the published sample: byte for byte what is known to be accepted."""
    body = _encode(
        TransactionRequest(
            type=PAYMENT,
            total_amount=order.amount_cents,
            basket_amount=order.amount_cents,
            token=Token(id=order.voucher_code),
            store_trx_details=details,
        )
    )
    return body.replace(b',"storeTrxDetails":', b',\n "storeTrxDetails":', 1)


def advise_body(told: Told, wi_trx_id: int, details: StoreTrxDetails) -> bytes:
    original = OriginalTrx(wi_trx_id=wi_trx_id, type=PAYMENT, store_trx_details=details)
    return _encode(AdviseRequest(action=told.name, original_trx=original))


def history_body(request_id: str, store_id: str) -> bytes:
    return _encode(HistoryRequest(transaction_id=request_id, store_id=store_id))


# What the switch keeps of an approved redemption


class Kept(Struct, frozen=True, rename="camel"):
    """Where a redemption was booked, without its cashier: refs are kept in clear, and its order names him again."""

    store_id: str
    basket_id: str
    trx_id: str
    pos_id: str


def refs_of(wi_trx_id: int, details: StoreTrxDetails) -> dict[str, str]:
    """What an advice must repeat. Nothing of it can be spent, and nobody is named."""
    return {"wiTrxId": str(wi_trx_id)} | sent_refs(details)


def sent_refs(details: StoreTrxDetails) -> dict[str, str]:
    """What must be known of a redemption in doubt to find it: maps of stores and tills change."""
    kept = Kept(details.store_id, details.basket_id, details.trx_id, details.pos_id)
    return {"storeTrxDetails": _encode(kept).decode()}


def sent(refs: Mapping[str, str], store: Store | None) -> StoreTrxDetails | None:
    """Where and as what a redemption was sent; None: nobody knows, its worker died over it or its store is not told.

    Args:
        store: the redemption's own, which tells the cashier. Another one would name another redemption.
    """
    if store is None:
        return None
    try:
        kept = msgspec.json.decode(refs.get("storeTrxDetails", ""), type=Kept)
    except (msgspec.MsgspecError, ValueError):
        return None
    return StoreTrxDetails(
        store_id=kept.store_id,
        basket_id=kept.basket_id,
        trx_id=kept.trx_id,
        pos_id=kept.pos_id,
        cashier_id=store.operator_id or NO_OPERATOR,
    )


class Booked(Struct, frozen=True):
    """A redemption as its advices must name it."""

    wi_trx_id: int
    details: StoreTrxDetails


def booked(refs: Mapping[str, str], store: Store | None) -> Booked | None:
    """The redemption that an approval named; None: its outcome was unknown, so nothing was named."""
    wi_trx_id = refs.get("wiTrxId", "")
    details = sent(refs, store)
    if details is None or not re.fullmatch(r"[1-9][0-9]{0,18}", wi_trx_id) or int(wi_trx_id) > ID_MAX:
        return None
    return Booked(int(wi_trx_id), details)


# Answers -> outcomes


def from_token_info(answer: HttpAnswer, order: LookupOrder, rules: Rules) -> Outcome:
    """Read what a code is worth now. One that several value stores know, or none tells the worth of, has no answer."""
    try:
        result = said(answer)
        if not result.done:
            return refused(result, rules, order)
        found = decoded(answer.body, TokenInfoAnswer)
        check(found.token.id == order.voucher_code, "the answer is about another voucher")
        check(bool(found.vsp_info), "the answer names no value store")
    except BadAnswer as finding:
        return bad_answer(finding)
    balance = found.vsp_info[0].balance if len(found.vsp_info) == 1 else None
    if balance is None:
        return OutcomeUnknown(provider_message="the voucher has no one balance")  # "0.00" would be a lie
    return Approved(approved_cents=balance, balance_cents=balance, voucher=Voucher(code=order.voucher_code or ""))


class Partial(Struct, frozen=True):
    """Less was redeemed than was asked for, and we do not take that: it must be undone."""

    wi_trx_id: int


class Redeemed(Struct, frozen=True):
    """All is well; `item_id` is the one gift card that paid."""

    outcome: Approved
    item_id: int | None


def from_transaction(
    answer: HttpAnswer, order: RedeemOrder, details: StoreTrxDetails, rules: Rules, *, allow_partial: bool
) -> Redeemed | Partial | Outcome:
    """Read the answer to a redemption: the outer code decides, whatever the value store's own says."""
    try:
        result = said(answer)
        if not result.done:
            return refused(result, rules, order)
        done = decoded(answer.body, TransactionAnswer)
        check(0 <= done.total_amount_processed <= order.amount_cents, "the value is not within the amount asked for")
        check_references(order.voucher_code, order.voucher_pin, str(done.wi_trx_id))
    except BadAnswer as finding:
        return bad_answer(finding)
    cents = done.total_amount_processed
    if cents < order.amount_cents and not (allow_partial and cents > 0):
        return Partial(done.wi_trx_id)
    cards = [part.item_id for part in done.redemptions if part.type == GIFT_CARD_REDEMPTION]
    approved = Approved(approved_cents=cents, provider_ref=str(done.wi_trx_id), refs=refs_of(done.wi_trx_id, details))
    return Redeemed(approved, cards[0] if len(cards) == len(done.redemptions) == 1 else None)


class Recorded(Struct, frozen=True):
    """A redemption as the provider's history has it."""

    wi_trx_id: int
    state: str
    cents: int
    details: StoreTrxDetails

    @property
    def fell(self) -> bool:
        """Whether it holds nothing any more."""
        return self.state in _FELL

    @property
    def is_settled(self) -> bool:
        """Whether it was finalised."""
        return self.state == "S"


class Unrecorded(Struct, frozen=True):
    """The history does not know the redemption."""

    said: Said


def from_history(
    answer: HttpAnswer, request_id: str, hidden: tuple[str, ...] = ()
) -> Recorded | Unrecorded | OutcomeUnknown:
    """Read what the history has of a redemption.

    Args:
        hidden: of its order, what a refusal of the question may not quote.
    """
    try:
        result = said(answer)
        if result.code == TRANSACTION_NOT_FOUND:
            return Unrecorded(result)
        if not result.done:
            return unanswered(result, hidden)
        found = decoded(answer.body, HistoryAnswer).transaction
        details = found.store_trx_details
        check(details.trx_id == request_id, "the answer is about another request")
        lengths = [len(part) for part in msgspec.structs.astuple(details)]
        check(min(lengths) > 0 and max(lengths) <= DETAIL_CHARS_MAX, "the details are not as they can be booked")
        check(found.type == PAYMENT, "the answer is about another kind of request")
        check(found.state in _STANDS | _FELL, "the state is unknown to us")
    except BadAnswer as finding:
        return bad_answer(finding)
    return Recorded(found.wi_trx_id, found.state, found.total_amount_processed, details)


def unless_elsewhere(found: Recorded | Unrecorded | OutcomeUnknown) -> Recorded | Unrecorded | OutcomeUnknown:
    """A history that was asked for a store that may not be the one that was sent: "not found" proves nothing then."""
    if not isinstance(found, Unrecorded):
        return found
    code = None if found.said.code is None else str(found.said.code)
    return OutcomeUnknown(provider_code=code, provider_message="it may have been sent for another store")


def from_redeem_status(
    found: Recorded | Unrecorded | OutcomeUnknown,
    order: StatusOrder,
    rules: Rules,
    *,
    allow_partial: bool,
) -> Outcome:
    """What became of a redemption.

    One that took less than was asked for, where that is not allowed, is neither approved nor gone: it stays in doubt,
    and the reversal that follows a doubt undoes it.
    """
    if isinstance(found, OutcomeUnknown):
        return found
    if isinstance(found, Unrecorded):
        return not_found(order, rules.settle_ms, str(found.said.code), found.said.text)
    if found.fell:
        return Declined(ErrorType.TRANSACTION_DECLINED, provider_message=f"the redemption's state is {found.state}")
    if not 0 <= found.cents <= order.amount_cents:
        return bad_answer(BadAnswer("the value is not within the amount asked for"))
    if found.cents < order.amount_cents and not (allow_partial and found.cents > 0):
        return OutcomeUnknown(ErrorType.VOUCHER_STATUS_UNKNOWN, provider_message=ONLY_A_PART)
    refs = refs_of(found.wi_trx_id, found.details)
    try:
        check_references(order.voucher_code or "", None, *refs.values())
    except BadAnswer as finding:
        return bad_answer(finding)
    return Approved(
        approved_cents=found.cents,
        provider_ref=str(found.wi_trx_id),
        refs=refs,
        voucher_state=found.state,
    )


ONLY_A_PART: Final = "the voucher covers only a part of the amount"


def from_advise(
    answer: HttpAnswer, order: AdviceOrder, told: Told, rules: Rules, *, just_named: bool = False
) -> AdviceResult:
    """Read the answer to an advice. A repeat of the same one is success by rule.

    Args:
        just_named: the provider itself named the redemption a moment ago, and has not told of any end of it. That it
            knows none now is a contradiction, and the value may still be held.
    """
    try:
        result = said(answer)
        check(not just_named or result.code != TRANSACTION_NOT_FOUND, "a redemption that it just named is not known")
    except BadAnswer as finding:
        return bad_advice(finding)
    return Acknowledged() if result.done else advised(result, order, told, rules)


def advised(result: Said, order: AdviceOrder, told: Told, rules: Rules) -> AdviceResult:
    """What a refusal means for an advice."""
    code = None if result.code is None else str(result.code)
    return advice_meaning_of(told, result.code, rules.code_map).result(order, rules.settle_ms, code, result.text)


def from_history_to_advice(
    found: Recorded | Unrecorded | OutcomeUnknown, order: AdviceOrder, told: Told, rules: Rules
) -> AdviceResult | None:
    """What the history alone settles for an advice whose redemption it was asked for; None: it must still be sent.

    A confirmation waits as long as the row may only be late; a row that is missing after that was never booked.
    """
    if isinstance(found, OutcomeUnknown):
        return Pending(cause=found.provider_message or "the history was not heard", alert=found.alert)
    if isinstance(found, Unrecorded):
        if told is Told.FINALISE and order.sent_ms_ago < rules.settle_ms:
            return Pending(cause="the history does not know the redemption yet")
        return advised(found.said, order, told, rules)
    if told is Told.FINALISE and found.fell:
        return Refused(provider_message=f"the redemption's state is {found.state}")
    if found.fell or (found.is_settled and told is Told.FINALISE):
        return Acknowledged()
    return None


def with_balance(approved: Approved, balance_cents: int | None) -> Approved:
    """The approval of a redemption with what is left on the card."""
    return msgspec.structs.replace(approved, balance_cents=balance_cents)
