"""A provider's refusal -> one of our outcomes, for the code tables of all providers (providers.md B.3).

A table says what a code means; this module makes the outcome from it. A code that no table has is `UNLISTED`: it may
have been processed.
"""

import re
from collections.abc import Iterable
from enum import StrEnum
from typing import Final

from msgspec import Struct

from voucherswitch.message.codes import ErrorType
from voucherswitch.message.outcomes import Declined, NotSent, OutcomeUnknown
from voucherswitch.providers.contract.transport.masking import MASK

PROVIDER_CODE_CHARS_MAX: Final = 40
PROVIDER_MESSAGE_CHARS_MAX: Final = 80

_PLAIN = re.compile(r"[0-9A-Za-z_.:/-]{1,40}")
_DIGITS = re.compile(r"\d(?:[ -]?\d){5,}")  # six digits or more, grouped or not: long enough to be a piece of a PIN
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
            secrets: the codes and PINs of the request, which a provider may quote.
        """
        code, message = safe_code(code, secrets), safe_message(message, secrets)
        if self.family is Family.DECLINED:
            return Declined(self.error_type, code, message)
        kind = NotSent if self.family is Family.NOT_SENT else OutcomeUnknown
        return kind(self.error_type, code, message, self.alert)


UNLISTED: Final = Meaning(Family.UNKNOWN, ErrorType.UPSTREAM_UNAVAILABLE)


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
    shown = _UNPRINTABLE.sub(" ", _without_secrets(text, secrets)).strip()
    return shown[:PROVIDER_MESSAGE_CHARS_MAX] or None


def _without_secrets(text: str, secrets: Iterable[str]) -> str:
    for secret in secrets:
        text = text.replace(secret, MASK)
    return _DIGITS.sub(MASK, text)
