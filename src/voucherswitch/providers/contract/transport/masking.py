"""Make a message body safe to keep: what could be spent, or could open a door, becomes `***` (providers.md B.9).

Masking is by structure, never by searching text: a body that cannot be parsed may hold pieces of a PIN anywhere, so
only its size and type are kept.
"""

import re
from collections.abc import Iterable
from decimal import Decimal
from typing import Any, Final, Protocol

import msgspec

MASK: Final = "***"
RECORDED_CHARS_MAX: Final = 16_384  # of one masked body: enough for every message we know, too little to fill a journal
SECRET_CHARS_MIN: Final = 6
PROPERTY_NAMES_MAX: Final = 1_000  # remembered per provider; a protocol has dozens

# Compared without case, so that a provider that changes its spelling does not change what is hidden.
MASKED_NAMES: Final = frozenset(
    name.lower()
    for name in (
        *("Pin", "code", "voucherCode", "voucherPIN", "UserPin", "token", "VoucherNumber", "wiCode", "wiQr"),
        *("RedeemUrl", "Authorization", "password", "secret", "apiKey", "access_token", "refresh_token"),
    )
)
# The voucher itself when it is text, an ordinary object otherwise.
MASKED_WHEN_TEXT: Final = frozenset({"voucher", "Voucher"})
# What people write for people: a provider may quote the voucher that it refuses, also one we were never given.
FREE_TEXT_NAMES: Final = frozenset(
    name.lower()
    for name in (
        *("message", "errorMessage", "responseMessage", "description", "detail", "details", "reason", "title", "text"),
        *("ResultText", "resultText", "responseDesc", "faultstring", "ErrorText", "AEONErrorText", "AeonErrorText"),
    )
)
# Whose telephone it is shows by the last four digits, and calls nobody.
LAST_FOUR_NAMES: Final = frozenset({"msisdn", "mobile", "mobilenumber", "mobileforsms", "phonenumber"})
_LAST_SHOWN: Final = 4

_NUMBER: Final = r"\d(?:[^0-9A-Za-z]{0,3}\d){5,}"  # six digits or more, however they are grouped
# Capitals and digits in one word or in groups, both of them there: the shape of a code, and of no word.
_CODE: Final = (
    r"(?<![0-9A-Za-z])(?=[A-Z-]*[0-9])(?=[0-9-]*[A-Z])(?:[0-9A-Z]{10,}|[0-9A-Z]{4}(?:-[0-9A-Z]{4}){2,})(?![0-9A-Za-z])"
)
_CODE_LIKE: Final = re.compile(f"{_NUMBER}|{_CODE}")


def without_codes(text: str) -> str:
    """Free text without anything that can be a code, a PIN or a piece of one."""
    return _CODE_LIKE.sub(MASK, text)


def last_four(text: str) -> str:
    """A telephone number by which its owner is recognised and not called."""
    return MASK + text[-_LAST_SHOWN:] if len(text) > 2 * _LAST_SHOWN else MASK


class Mask(Protocol):
    """Turns a body into text without secrets."""

    def __call__(self, body: bytes, content_type: str | None) -> str: ...


SHOWN: Final = "shown"
HIDDEN: Final = "hidden"
FREE_TEXT: Final = "shown without what can be a code"
LAST_FOUR: Final = "shown by its last four characters"


def treatment_of(name: str, secret_names: frozenset[str]) -> str:
    """What is done with a value, by the name in lower case that it is found under."""
    if name in secret_names:
        return HIDDEN
    if name in LAST_FOUR_NAMES:
        return LAST_FOUR
    return FREE_TEXT if name in FREE_TEXT_NAMES else SHOWN


class JsonMask:
    """Masks the values of secret names in JSON, at any depth.

    Args:
        extra_names: further secret names of one provider.
        own_words: words of the provider's published protocol, such as its error codes. A secret name that holds exactly
            one of them shows it: `{"error": {"code": "INVALID_AMOUNT"}}` tells an operator why, and no voucher.
    """

    def __init__(self, extra_names: Iterable[str] = (), own_words: Iterable[str] = ()) -> None:
        self._names = MASKED_NAMES | {name.lower() for name in extra_names}
        self._own_words = frozenset(own_words)
        self._treatments: dict[str, str] = {}  # property name, as it was written -> what is done with its value
        # Decimals keep their digits: a trace that shows 10.1 for 10.10 sends people after the wrong error.
        self._decoder = msgspec.json.Decoder(float_hook=Decimal)
        self._encoder = msgspec.json.Encoder(decimal_format="number")
        self._hidden: list[str] = []  # in the document that is being masked

    def __call__(self, body: bytes, content_type: str | None) -> str:
        if not body:
            return ""
        self._hidden = []
        try:
            value = self._decoder.decode(body)
            if isinstance(value, dict):
                self._mask_object(value, hidden=False)
            elif isinstance(value, list):
                self._mask_list(value, hidden=False)
            text = self._encoder.encode(value).decode()
        except (ValueError, RecursionError, ArithmeticError):
            return unreadable(len(body), content_type)
        # What is secret under one name is secret under every other: a provider may put a PIN into a reference.
        text = without_secrets(text, self._hidden)
        if len(text) > RECORDED_CHARS_MAX:
            return f"{text[:RECORDED_CHARS_MAX]}… ({len(text)} characters)"
        return text

    def _mask_object(self, members: dict[str, Any], *, hidden: bool) -> None:
        """Mask in place. `hidden`: everything in it is, because of the name it was found under."""
        known = self._treatments
        for name, value in members.items():
            treatment = known.get(name)
            if treatment is None:
                treatment = self._learn(name)
            if isinstance(value, dict):
                self._mask_object(value, hidden=hidden or treatment is HIDDEN)
            elif isinstance(value, list):
                self._mask_list(value, hidden=hidden or treatment is HIDDEN)
            elif hidden or treatment is HIDDEN or name in MASKED_WHEN_TEXT:
                members[name] = self._masked(value)
            elif treatment is not SHOWN and isinstance(value, str):
                members[name] = without_codes(value) if treatment is FREE_TEXT else last_four(value)

    def _mask_list(self, items: list[Any], *, hidden: bool) -> None:
        for place, value in enumerate(items):
            if isinstance(value, dict):
                self._mask_object(value, hidden=hidden)
            elif isinstance(value, list):
                self._mask_list(value, hidden=hidden)
            elif hidden:
                items[place] = self._masked(value)

    def _masked(self, value: Any) -> Any:
        # Whether a PIN was there at all must stay visible, so null and "" do.
        if value is None or value == "" or (isinstance(value, str) and value in self._own_words):
            return value
        if isinstance(value, str):
            self._hidden.append(value)
        return MASK

    def _learn(self, name: str) -> str:
        treatment = treatment_of(name.lower(), self._names)
        if len(self._treatments) < PROPERTY_NAMES_MAX:
            self._treatments[name] = treatment
        return treatment


def without_secrets(text: str, secrets: Iterable[str]) -> str:
    """Masked text without the request's own codes and PINs, which an answer may quote under any name.

    Short ones stay: a four-digit PIN is in every other reference, and alone it buys nothing.
    """
    for secret in secrets:
        if len(secret) >= SECRET_CHARS_MIN:
            text = text.replace(secret, MASK)
    return text


def unreadable(size: int, content_type: str | None) -> str:
    """What is kept of a body that must not be shown."""
    kind = content_type.split(";")[0].strip()[:60] if content_type else "no content type"
    return f"<{size} bytes, {kind}, not shown>"
