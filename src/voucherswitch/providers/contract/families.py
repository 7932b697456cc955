"""A provider's refusal -> one of our outcomes, for the code tables of all providers (providers.md B.3).

A table says what a code means; this module makes the outcome from it. A code that no table has is `UNLISTED`: it may
have been processed.
"""

import re
from collections.abc import Iterable
from enum import Enum, StrEnum
from typing import Final

from msgspec import Struct

from voucherswitch.message.codes import ErrorType
from voucherswitch.message.marks import HIDDEN, without_codes
from voucherswitch.message.orders import AdviceOrder, Order
from voucherswitch.message.outcomes import (
    Acknowledged,
    AdviceResult,
    Declined,
    NotSent,
    OutcomeUnknown,
    Pending,
    Refused,
)
from voucherswitch.providers.contract.transport.masking import SECRET_CHARS_MIN

PROVIDER_CODE_CHARS_MAX: Final = 40
PROVIDER_MESSAGE_CHARS_MAX: Final = 80

_PLAIN = re.compile(r"[0-9A-Za-z_.:/-]{1,40}")
_UNPRINTABLE = re.compile(r"[^\x20-\x7e\u00a0-\ud7ff\ue000-\ufffd]+")


class Family(StrEnum):
    """What a refusal can mean. Approved is missing on purpose: no code alone proves a sale."""

    DECLINED = "Declined"
    NOT_SENT = "NotSent"
    UNKNOWN = "OutcomeUnknown"


class Meaning(Struct, frozen=True):
    """One line of a code table."""

    family: Family
    error_type: ErrorType
    alert: str | None = None

    def outcome(
        self, code: str | None = None, message: str | None = None, secrets: Iterable[str] = ()
    ) -> Declined | NotSent | OutcomeUnknown:
        """The outcome of a request that was refused like this.

        Args:
            code: the provider's code, made safe here.
            message: the provider's text, made safe here.
            secrets: the codes and PINs of the request, and its cashier where he was told: a provider may quote them.
        """
        code, message = safe_code(code, secrets), safe_message(message, secrets)
        if self.family is Family.DECLINED:
            return Declined(self.error_type, code, message)
        kind = NotSent if self.family is Family.NOT_SENT else OutcomeUnknown
        return kind(self.error_type, code, message, self.alert)


class Effect(Enum):
    """What an answer means for an advice (providers.md B.6)."""

    DONE = "acknowledged: it has its effect, now or since earlier"
    DONE_ONCE_SETTLED = "acknowledged once the original request cannot still be on its way in; queued until then"
    REFUSED = "final: parked for an operator"
    WAIT = "stays queued"


class AdviceMeaning(Struct, frozen=True):
    """One line of a code table, for advices."""

    effect: Effect
    alert: str | None = None

    def result(
        self, order: AdviceOrder, settle_ms: int, code: str | None = None, message: str | None = None
    ) -> AdviceResult:
        """The result of an advice that was answered like this; code and text are made safe here."""
        secrets = (*((order.voucher_code,) if order.voucher_code else ()), *cashier_of(order))
        code, message = safe_code(code, secrets), safe_message(message, secrets)
        done = self.effect is Effect.DONE
        if done or (self.effect is Effect.DONE_ONCE_SETTLED and order.sent_ms_ago >= settle_ms):
            return Acknowledged()
        if self.effect is Effect.REFUSED:
            return Refused(code, message, self.alert)
        return Pending(" ".join(part for part in (code, message) if part) or "no final answer", self.alert)


WAIT: Final = AdviceMeaning(Effect.WAIT)  # of every answer that no table has


def advice_meaning(listed: AdviceMeaning | None, mapped: Meaning | None) -> AdviceMeaning:
    """What a code means for an advice: the protocol's own line, else what `code_map` says, else that it waits.

    `code_map` is written with requests in mind: what a protocol says of an advice it must not turn round, or a
    reversal's "not found" becomes a refusal while the sale may still arrive.
    """
    if listed is not None:
        return listed
    return WAIT if mapped is None else mapped_advice(mapped)


def mapped_advice(meaning: Meaning) -> AdviceMeaning:
    """What a code of the settings' `code_map` means for an advice: only a decline is final."""
    return AdviceMeaning(Effect.REFUSED if meaning.family is Family.DECLINED else Effect.WAIT, meaning.alert)


UNLISTED: Final = Meaning(Family.UNKNOWN, ErrorType.UPSTREAM_UNAVAILABLE)


def cashier_of(order: Order) -> tuple[str, ...]:
    """The cashier whom an order names, if anybody is named: a short one is a number, and stands in every other text."""
    store = getattr(order, "store", None)
    name = None if store is None else store.operator_id
    return (name,) if name and len(name) >= SECRET_CHARS_MIN else ()


def safe_code(text: str | None, secrets: Iterable[str] = ()) -> str | None:
    """A provider's code as it may be shown and kept: at most 40 plain characters, nothing that can be a PIN."""
    if text is None or not _PLAIN.fullmatch(text):
        return None
    return _without_secrets(text, secrets)


def safe_reference(text: str | None) -> str | None:
    """A provider's reference as it may be shown and kept; digits are what references are made of."""
    return text if text is not None and _PLAIN.fullmatch(text) else None


def safe_message(text: str | None, secrets: Iterable[str] = ()) -> str | None:
    """A provider's text as it may be shown and kept: one line, at most 80 characters, nothing that can be a PIN.

    A provider may quote the voucher it refuses; a PIN must not travel on in an error (providers.md B.9).
    """
    if not text:
        return None
    shown = printable(_without_secrets(text, secrets))
    return shown[:PROVIDER_MESSAGE_CHARS_MAX] or None


def printable(text: str) -> str:
    """A provider's text on one line, without what no slip can print."""
    return _UNPRINTABLE.sub(" ", text).strip()


def _without_secrets(text: str, secrets: Iterable[str]) -> str:
    for secret in secrets:
        text = text.replace(secret, HIDDEN)
    return without_codes(text)
