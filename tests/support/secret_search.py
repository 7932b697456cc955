"""Searching large texts for secrets, in every form in which a text may hold one."""

import json
from base64 import b64encode
from collections.abc import Iterable, Mapping
from urllib.parse import quote
from xml.sax.saxutils import escape

LONG = 6  # a shorter secret turns up by chance


def forms_of(secret: str) -> set[str]:
    """A secret as it is, grouped, in base64 wherever it starts, in hexadecimal digits, and escaped."""
    raw = secret.encode()
    groups = [secret[start : start + 4] for start in range(0, len(secret), 4)]
    forms = {secret, raw.hex(), raw.hex().upper(), quote(secret, safe=""), quote(quote(secret, safe=""), safe="")}
    forms |= {
        json.dumps(secret)[1:-1],
        json.dumps(json.dumps(secret))[3:-3],
        escape(secret),
        escape(secret, {'"': "&quot;"}),
    }
    forms |= {" ".join(groups), "-".join(groups), secret[::-1]}
    for shift in range(3):
        # The digits of base64 that depend on the secret alone, whatever stands before and after it.
        encoded = b64encode(b"\0" * shift + raw + b"\0" * 3).decode()
        first, last = -(-shift * 4 // 3), (shift + len(raw)) * 4 // 3
        forms.add(encoded[first + (1 if shift else 0) : last])
    return {form for form in forms if len(form) >= LONG}


def found_in(text: str, secrets: Mapping[str, Iterable[str]]) -> list[str]:
    """Which secrets a text holds, each by what it is and what stands around it.

    Args:
        secrets: what they are -> the secrets.
    """
    found = []
    for what, values in secrets.items():
        for secret in values:
            for form in forms_of(secret):
                place = text.find(form)
                if place >= 0:
                    found.append(f"{what} {secret} as {form}: …{text[max(0, place - 150) : place + 60]}")
                    break
    return found
