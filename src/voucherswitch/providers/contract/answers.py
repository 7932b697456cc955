"""Reading a provider's answer: what proves something, and what a failed exchange leaves open. Pure; for all connectors.

The one rule behind all of it (providers.md B.4): a success must be about what was asked and hold what was promised. One
that does not is OutcomeUnknown with the alert `bad_answer`, never a decline, because it may have been processed.
"""

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Final, TypeVar

import msgspec
from msgspec import Struct

from voucherswitch.message.codes import ZAR, ErrorType
from voucherswitch.message.orders import Order, ProvisionOrder, RedeemOrder, RefundOrder, StatusOrder
from voucherswitch.message.outcomes import Declined, NotSent, Outcome, OutcomeUnknown, Pending
from voucherswitch.providers.contract.alerts import BAD_ANSWER
from voucherswitch.providers.contract.families import UNLISTED, Meaning, cashier_of, safe_code, safe_message
from voucherswitch.providers.contract.settings import CommonSettings
from voucherswitch.providers.contract.transport.masking import SECRET_CHARS_MIN
from voucherswitch.providers.contract.transport.results import NoAnswer, NoConnection

T = TypeVar("T")

UNROUTABLE: Final = NotSent(ErrorType.ROUTING_ERROR)  # our maps have no store or product for it: nothing was sent


class Rules(Struct, frozen=True):
    """What of the settings decides how an answer is read."""

    pin_pattern: re.Pattern[str]
    code_map: Mapping[str, Meaning]
    settle_ms: int


def rules_of(settings: CommonSettings) -> Rules:
    """The settings' rules, ready for use."""
    return Rules(re.compile(settings.pin_pattern), settings.code_meanings(), settings.settle_ms)


class BadAnswer(Exception):  # noqa: N818 (a finding about the peer's answer, not a fault of ours)
    """A success that proves nothing. The text says which check failed and quotes nothing of the answer."""


def check(holds: bool, finding: str) -> None:
    """Raise `BadAnswer` unless a check of an answer holds."""
    if not holds:
        raise BadAnswer(finding)


def bad_answer(finding: BadAnswer) -> OutcomeUnknown:
    """What a request has become whose answer is unusable."""
    return OutcomeUnknown(provider_message=str(finding), alert=BAD_ANSWER)


def bad_advice(finding: BadAnswer) -> Pending:
    """What an advice has become whose answer is unusable."""
    return Pending(cause=str(finding), alert=BAD_ANSWER)


def decoded(body: bytes, kind: type[T]) -> T:
    """Decode JSON strictly into `kind`.

    Raises:
        BadAnswer: it is no JSON, or not of that shape. Its text never quotes the body, which may hold a PIN.
    """
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):  # nesting without end is an attack or an accident
        raise BadAnswer("the answer cannot be read") from None


def failed(failure: NoConnection | NoAnswer) -> NotSent | OutcomeUnknown:
    """What a request has become whose exchange brought no answer (B.4)."""
    if isinstance(failure, NoConnection):
        return NotSent(ErrorType.UPSTREAM_UNAVAILABLE, provider_message=failure.told)
    return OutcomeUnknown(provider_message=failure.told, alert=failure.alert)


def failed_advice(failure: NoConnection | NoAnswer) -> Pending:
    """What an advice has become whose exchange brought no answer: it stays queued."""
    return Pending(cause=failure.cause, alert=failure.alert if isinstance(failure, NoAnswer) else None)


def in_doubt(outcome: Outcome) -> Outcome:
    """The outcome of a resend or a question: "not sent" can be said of it, never of the request before it (B.7)."""
    if isinstance(outcome, NotSent):
        return OutcomeUnknown(outcome.error_type, outcome.provider_code, outcome.provider_message, outcome.alert)
    return outcome


def not_found(order: StatusOrder, settle_ms: int, code: str | None, message: str | None) -> NotSent | OutcomeUnknown:
    """The provider does not know the request we ask about: proof only once it cannot still be on its way in (B.1)."""
    code, message = safe_code(code), safe_message(message, hidden_of(order))
    if order.sent_ms_ago >= settle_ms:
        return NotSent(ErrorType.UPSTREAM_UNAVAILABLE, code, message)
    return OutcomeUnknown(UNLISTED.error_type, code, message)


def refusal_of(order: ProvisionOrder | RedeemOrder | RefundOrder, *, cents_min: int = 1) -> Declined | None:
    """What no provider can do: another currency, or an amount that is none. Nothing is sent."""
    if order.currency != ZAR or order.amount_cents < cents_min:
        return Declined(ErrorType.INVALID_AMOUNT)
    return None


def impossible_code(code: str | None, pin_pattern: re.Pattern[str]) -> Declined | None:
    """A code that no voucher of this provider can have; asking would only earn a refusal of the message."""
    if code is None or pin_pattern.fullmatch(code):
        return None
    return Declined(ErrorType.INVALID_VOUCHER)


def check_references(code: str, pin: str | None, *references: str | None) -> None:
    """Raise `BadAnswer` if a reference, which is kept in clear, is or holds the voucher's code or PIN."""
    secrets = [secret for secret in (code, pin) if secret and len(secret) >= SECRET_CHARS_MIN]
    held = any(secret in reference for reference in references if reference for secret in secrets)
    check(not held, "a reference holds the voucher's code")


def secrets_of(order: Order) -> tuple[str, ...]:
    """The code and the PIN that an order carries, so that they can be kept out of all that is shown."""
    found = (getattr(order, "voucher_code", None), getattr(order, "voucher_pin", None))
    return tuple(secret for secret in found if secret)


def hidden_of(order: Order) -> tuple[str, ...]:
    """The same with the cashier, for a provider who is told of him and may quote him."""
    return (*secrets_of(order), *cashier_of(order))


_RAND = re.compile(r"-?(?:\d{1,3}(?:,\d{3})+|\d{1,15})(?:\.(\d{1,4}))?", re.ASCII)


def rand(cents: int) -> str:
    """Cents as a rand decimal, as providers write it: 10000 is `100.00` (B.8)."""
    sign, cents = ("-", -cents) if cents < 0 else ("", cents)
    return f"{sign}{cents // 100}.{cents % 100:02d}"


def cents_of(text: str | Decimal | int) -> int:
    """A rand decimal as cents: `1,000.00` is 100000, `100.0000` is 10000 (B.8).

    Raises:
        BadAnswer: not an amount, or one with a fraction of a cent.
    """
    if isinstance(text, str) and not _RAND.fullmatch(text):
        raise BadAnswer("an amount cannot be read")
    try:
        cents = Decimal(text.replace(",", "") if isinstance(text, str) else text) * 100
    except ArithmeticError:  # no number, or one with an exponent beyond all bounds
        raise BadAnswer("an amount cannot be read") from None
    if not cents.is_finite() or cents != cents.to_integral_value() or abs(cents) > 10**15:
        raise BadAnswer("an amount has a fraction of a cent, or no bounds")
    return int(cents)
