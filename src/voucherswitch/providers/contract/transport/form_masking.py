"""Make an `application/x-www-form-urlencoded` body safe to keep, by parameter name (providers.md B.9).

As in masking.py a body that does not parse is never shown: pieces of a PIN may be anywhere in it.
"""

from collections.abc import Callable, Iterable
from typing import Final
from urllib.parse import parse_qsl

from voucherswitch.message.marks import Wire
from voucherswitch.providers.contract.transport.masking import (
    NOTHING_DECLARED,
    PARAMETERS_MAX,
    JsonMask,
    WireMask,
    unreadable,
)

FORM_TYPE: Final = "application/x-www-form-urlencoded"


class FormMask(WireMask):
    """Masks forms; every other body is shown as `answers` shows it.

    Args:
        wire: what the provider's messages declare, of forms and of answers. A mark hides the whole of
            its value, so a JSON document inside a string is hidden as one.
        answers: the mask of what is no form; None masks JSON by the same declarations.
    """

    def __init__(
        self,
        wire: Wire = NOTHING_DECLARED,
        own_words: Iterable[str] = (),
        answers: Callable[[bytes, str | None], str] | None = None,
    ) -> None:
        super().__init__(wire, own_words)
        self._answers = JsonMask(wire, self._own_words) if answers is None else answers

    def __call__(self, body: bytes, content_type: str | None) -> str:
        if (content_type or "").partition(";")[0].strip().lower() != FORM_TYPE:
            return self._answers(body, content_type)
        if not body:
            return ""
        self._hidden = []
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
        text = "&".join(f"{name}={self.value(value, self.shown(name))}" for name, value in pairs)
        return self._recorded(text, body, content_type)
