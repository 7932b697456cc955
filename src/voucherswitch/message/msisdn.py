"""Telephone numbers as providers take them. Pure."""

import re
from typing import Final

_ZA_NUMBER: Final = re.compile(r"\+?(27[0-9]{9})")


def msisdn(text: str | None) -> str | None:
    """A South African number as providers take it, `27821234567`; another country's is not passed on."""
    found = _ZA_NUMBER.fullmatch(text or "")
    return None if found is None else found[1]
