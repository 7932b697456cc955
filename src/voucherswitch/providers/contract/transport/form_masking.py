"""Make an `application/x-www-form-urlencoded` body safe to keep, by parameter name (providers.md B.9).

As in masking.py a body that does not parse is never shown: pieces of a PIN may be anywhere in it.
"""

from collections.abc import Iterable
from typing import Final
from urllib.parse import parse_qsl

from voucherswitch.providers.contract.transport.masking import (
    MASK,
    MASKED_NAMES,
    RECORDED_CHARS_MAX,
    JsonMask,
    Mask,
    last_four,
    unreadable,
)

FORM_TYPE: Final = "application/x-www-form-urlencoded"
PARAMETERS_MAX: Final = 100


class FormMask:
    """Masks forms; every other body is shown as `answers` shows it.

    Args:
        secret_names: parameters whose value is hidden, besides those that are secret everywhere. Case does not matter.
        last_four_names: parameters of which the last four characters stay, such as a telephone number.
        answers: the mask of what is no form; None masks JSON by the same secret names. A name in `secret_names` hides
            the whole of what it holds, so a JSON document inside a string is hidden as one.
    """

    def __init__(
        self, secret_names: Iterable[str], last_four_names: Iterable[str] = (), answers: Mask | None = None
    ) -> None:
        names = tuple(secret_names)
        self._secret = MASKED_NAMES | {name.lower() for name in names}
        self._last_four = frozenset(name.lower() for name in last_four_names)
        self._answers = JsonMask(extra_names=names) if answers is None else answers

    def __call__(self, body: bytes, content_type: str | None) -> str:
        if (content_type or "").partition(";")[0].strip().lower() != FORM_TYPE:
            return self._answers(body, content_type)
        if not body:
            return ""
        try:
            pairs = parse_qsl(
                body.decode("ascii"),
                keep_blank_values=True,
                strict_parsing=True,
                errors="strict",
                max_num_fields=PARAMETERS_MAX,
            )
        except ValueError:
            return unreadable(len(body), content_type)
        # Shown decoded: a person reads it, and a secret that an exchange names is found in it as it is.
        text = "&".join(f"{name}={self._shown(name.lower(), value)}" for name, value in pairs)
        if len(text) > RECORDED_CHARS_MAX:
            return f"{text[:RECORDED_CHARS_MAX]}… ({len(text)} characters)"
        return text

    def _shown(self, name: str, value: str) -> str:
        # Whether there was a value at all must stay visible.
        if not value:
            return value
        if name in self._secret:
            return MASK
        if name in self._last_four:
            return last_four(value)
        return value
