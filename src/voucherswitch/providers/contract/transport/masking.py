"""Make a message body safe to keep: what could be spent, or could open a door, becomes `***` (providers.md B.9).

What may be seen of a field is declared where the field is (message/marks.py); a connector hands over what its messages
declare as a `Wire`. What nobody declared is judged by its name, and else shown without what can be a code. Masking is
by structure, never by searching text: a body that cannot be parsed may hold pieces of a PIN anywhere, so only its size
and type are kept.
"""

import re
from base64 import b64encode
from collections.abc import Iterable, Mapping
from decimal import Decimal
from json.encoder import encode_basestring
from types import MappingProxyType
from typing import Any, Final, Protocol
from urllib.parse import parse_qsl, quote

import msgspec

from voucherswitch.message.marks import HIDDEN, Shown, Wire, card, last_four, without_codes
from voucherswitch.message.smells import is_secret, is_telephone, may_be_personal

MASK: Final = HIDDEN
RECORDED_CHARS_MAX: Final = 16_384  # of one masked body: enough for every message we know, too little to fill a journal
SECRET_CHARS_MIN: Final = 6
PROPERTY_NAMES_MAX: Final = 1_000  # remembered per provider; a protocol has dozens
PROPERTY_NAME_CHARS_MAX: Final = 256  # with its namespace; a longer name is no protocol's
SEARCHED_CHARS_MAX: Final = 20_000_000  # secrets found in a document times its length: some 25 ms
PARAMETERS_MAX: Final = 100  # of a form or a query
UNDECLARED_MAX: Final = 10**9  # a larger number that nobody declared may be a code; no amount of ours is

# Looking up a member of an enumeration costs more than masking a field.
_PLAIN, _QUOTED, _CARD, _LAST_FOUR, _HIDDEN, _WORD = Shown

NOTHING_DECLARED: Final[Wire] = MappingProxyType({})
# The voucher itself when it is text, an ordinary object otherwise.
MASKED_WHEN_TEXT: Final = frozenset({"voucher", "Voucher"})

# What looks like a number and is none of a person's: an id, a day, a moment.
_HARMLESS: Final = re.compile(
    r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}"
    r"|\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?(?:Z|[+-]\d\d:?\d\d)?)?"
)


class Mask(Protocol):
    """Turns a body into text without secrets."""

    def __call__(self, body: bytes, content_type: str | None) -> str: ...

    def path(self, path: str) -> str:
        """A request's path with the query after it, without secrets."""
        ...


class WireMask:
    """What masks of all forms share: how one value is shown, by the name it is found under.

    Args:
        wire: what the provider's messages declare (`wire_of`).
        own_words: words of the provider's published protocol, such as its error codes. A field that may hold one shows
            exactly these: `{"error": {"code": "INVALID_AMOUNT"}}` tells an operator why, and no voucher.
    """

    def __init__(self, wire: Wire = NOTHING_DECLARED, own_words: Iterable[str] = ()) -> None:
        self._wire = wire
        self._own_words = frozenset(own_words)
        self._known: dict[str, Shown] = {}  # name, as it was written -> how its value is shown
        self._hidden: list[str] = []  # in the document that is being masked

    def path(self, path: str) -> str:
        """A request's path with the query after it, without secrets; the values of the query are shown decoded."""
        start, question, query = path.partition("?")
        if not question:
            return path
        try:
            pairs = parse_qsl(query, keep_blank_values=True, strict_parsing=True, max_num_fields=PARAMETERS_MAX)
        except ValueError:
            return f"{start}?{MASK}"
        return f"{start}?{'&'.join(f'{name}={self.value(value, self.shown(name))}' for name, value in pairs)}"

    def shown(self, name: str) -> Shown:
        """How the values under a name are shown."""
        if len(name) > PROPERTY_NAME_CHARS_MAX:
            return Shown.HIDDEN  # not remembered, nor read for its words, which are remembered too
        found = self._known.get(name)
        if found is None:
            found = self._treatment(name)
            if len(self._known) < PROPERTY_NAMES_MAX:
                self._known[name] = found
        return found

    def value(self, value: Any, shown: Shown) -> Any:
        """A scalar as it is shown. Whether a PIN was there at all must stay visible, so null and "" do."""
        if shown is _PLAIN or value is None or value == "":
            return value
        if shown is _QUOTED:
            if isinstance(value, str):
                return value if _HARMLESS.fullmatch(value) else without_codes(value)
            return MASK if abs(value) > UNDECLARED_MAX else value
        if shown is _WORD and value in self._own_words:
            return value
        text = str(value)
        if " " not in text:  # a sentence is in no other field; what is secret in it stands in a field of its own
            self._hidden.append(text)
        if shown is _LAST_FOUR:
            return last_four(text)
        return card(text) if shown is _CARD else MASK

    def _recorded(self, text: str, body: bytes, content_type: str | None) -> str:
        """A masked document as it is kept: without what was hidden in it, within its bound.

        What is secret under one name is secret under every other: a provider may put a PIN into a reference.
        """
        hidden = dict.fromkeys(self._hidden)
        # Each is looked for in all of the text. Thousands of them are an attack on our time, and no message of anybody.
        if len(hidden) * len(text) > SEARCHED_CHARS_MAX:
            return unreadable(len(body), content_type)
        return shortened(without_secrets(text, hidden))

    def _treatment(self, name: str) -> Shown:
        declared = self._wire.get(name.lower())
        if declared is not None:
            return declared
        # The second line of defence: a provider may add a field, or write one in another way.
        if is_secret(name):
            return Shown.WORD
        if is_telephone(name):
            return Shown.LAST_FOUR
        return Shown.HIDDEN if may_be_personal(name) else Shown.QUOTED


class JsonMask(WireMask):
    """Masks the values in JSON, at any depth."""

    def __init__(self, wire: Wire = NOTHING_DECLARED, own_words: Iterable[str] = ()) -> None:
        super().__init__(wire, own_words)
        # Decimals keep their digits: a trace that shows 10.1 for 10.10 sends people after the wrong error.
        self._decoder = msgspec.json.Decoder(float_hook=Decimal)
        self._encoder = msgspec.json.Encoder(decimal_format="number")

    def __call__(self, body: bytes, content_type: str | None) -> str:
        if not body:
            return ""
        self._hidden = []
        try:
            value = self._decoder.decode(body)
            if isinstance(value, dict):
                self._mask_object(value, hidden=False)
            elif isinstance(value, list):
                self._mask_list(value, Shown.QUOTED)
            else:
                value = self.value(value, Shown.QUOTED)
            text = self._encoder.encode(value).decode()
        except (ValueError, RecursionError, ArithmeticError):
            return unreadable(len(body), content_type)
        return self._recorded(text, body, content_type)

    def _mask_object(self, members: dict[str, Any], *, hidden: bool) -> None:
        """Mask in place. `hidden`: everything in it is, because of the name it was found under."""
        known = self._known
        for name, value in members.items():
            shown = known.get(name)
            if shown is None:
                shown = self.shown(name)
            if hidden and shown is not _WORD:
                shown = _HIDDEN
            if isinstance(value, dict):
                self._mask_object(value, hidden=shown > _QUOTED)
            elif isinstance(value, list):
                self._mask_list(value, shown)
            elif shown is not _PLAIN:
                members[name] = self.value(value, _HIDDEN if name in MASKED_WHEN_TEXT else shown)

    def _mask_list(self, items: list[Any], shown: Shown) -> None:
        """Mask in place. `shown`: how values of the name are shown that the list was found under."""
        for place, value in enumerate(items):
            if isinstance(value, dict):
                self._mask_object(value, hidden=shown > _QUOTED)
            elif isinstance(value, list):
                self._mask_list(value, shown)
            elif shown is not _PLAIN:
                items[place] = self.value(value, shown)


def without_secrets(text: str, secrets: Iterable[str]) -> str:
    """Masked text without the request's own codes and PINs, which an answer may quote under any name.

    Short ones stay: a four-digit PIN is in every other reference, and alone it buys nothing.
    """
    for secret in secrets:
        if len(secret) >= SECRET_CHARS_MIN:
            for form in forms_of(secret):
                text = text.replace(form, MASK)
    return text


def secret_headers(headers: Mapping[str, str]) -> tuple[str, ...]:
    """What opens a door in the headers of a request, without the word before it: an answer may echo them."""
    return tuple(value.rpartition(" ")[2] for name, value in headers.items() if is_secret(name))


def forms_of_all(secrets: Iterable[str]) -> tuple[str, ...]:
    """Every form of secrets that stay the same, for `without`."""
    return tuple(
        dict.fromkeys(form for secret in secrets if len(secret) >= SECRET_CHARS_MIN for form in forms_of(secret))
    )


def without(text: str, forms: Iterable[str]) -> str:
    """Text without any of these."""
    for form in forms:
        if form in text:
            text = text.replace(form, MASK)
    return text


def forms_of(secret: str) -> tuple[str, ...]:
    """A secret as texts may hold it: as it is, escaped for JSON, XML or a URL, in base64 or hexadecimal digits."""
    raw = secret.encode(errors="replace")
    encoded = (b64encode(raw).decode().rstrip("="), raw.hex())
    if secret.isalnum() and secret.isascii():
        return (secret, *encoded)
    xml = secret.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return tuple(
        dict.fromkeys(
            (secret, encode_basestring(secret)[1:-1], xml, quote(secret, safe="", errors="replace"), *encoded)
        )
    )


def shortened(text: str) -> str:
    """Masked text within its bound."""
    if len(text) <= RECORDED_CHARS_MAX:
        return text
    return f"{text[:RECORDED_CHARS_MAX]}… ({len(text)} characters)"


def unreadable(size: int, content_type: str | None) -> str:
    """What is kept of a body that must not be shown."""
    kind = content_type.split(";")[0].strip()[:60] if content_type else "no content type"
    return f"<{size} bytes, {kind}, not shown>"
