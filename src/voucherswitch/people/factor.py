"""The second factor: time-based codes (RFC 6238: SHA-1, six digits, 30 s) and recovery codes.

The secret is sealed and bound to its user's row. A code serves once: the newest time step that was used is remembered,
and it and every earlier one are refused.
"""

import base64
import hashlib
import hmac
import secrets
from datetime import datetime
from typing import Final
from urllib.parse import quote

from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor.totp import TOTP

STEP_S: Final = 30
_DIGITS: Final = 6
_SECRET_BYTES: Final = 20
_STEPS_OFF: Final = 1  # a clock, or a person, may be so many steps early or late

RECOVERY_CODES: Final = 10
_RECOVERY_BYTES: Final = 10  # 80 bits: a stolen hash is not worth trying
_RECOVERY_CHARS: Final = 16


def new_secret() -> bytes:
    """A fresh secret."""
    return secrets.token_bytes(_SECRET_BYTES)


def code_at(secret: bytes, step: int) -> str:
    """The code of a time step."""
    generated: bytes = TOTP(secret, _DIGITS, SHA1(), STEP_S).generate(step * STEP_S)  # noqa: S303 - what authenticators speak
    return generated.decode()


def step_of(moment: datetime) -> int:
    """The time step of a moment."""
    return int(moment.timestamp()) // STEP_S


def proved_step(secret: bytes, code: str, now: datetime, newest_used: int) -> int | None:
    """The time step whose code this is: the present one, the one before or the one after; None: it is none of them, or
    that step or a later one was used already."""
    typed = "".join(code.split())
    present = step_of(now)
    found = None
    for step in range(present - _STEPS_OFF, present + _STEPS_OFF + 1):
        # All three are compared, so that the time it takes does not tell which was right.
        if hmac.compare_digest(code_at(secret, step).encode(), typed.encode("utf-8", "replace")) and step > newest_used:
            found = step
    return found


def written(secret: bytes) -> str:
    """The secret as a person types it into an authenticator: base32 in groups of four."""
    text = base64.b32encode(secret).decode()
    return " ".join(text[start : start + 4] for start in range(0, len(text), 4))


def provisioning_uri(secret: bytes, name: str, issuer: str) -> str:
    """The secret as an authenticator reads it from a picture."""
    label = quote(f"{issuer}:{name}", safe="")
    text = base64.b32encode(secret).decode()
    return f"otpauth://totp/{label}?secret={text}&issuer={quote(issuer, safe='')}&algorithm=SHA1&digits=6&period=30"


def new_recovery_codes() -> list[str]:
    """Fresh recovery codes, as they are shown once: `abcd-efgh-ijkl-mnop`."""
    made = (base64.b32encode(secrets.token_bytes(_RECOVERY_BYTES)).decode().lower() for _ in range(RECOVERY_CODES))
    return ["-".join(code[start : start + 4] for start in range(0, _RECOVERY_CHARS, 4)) for code in made]


def recovery_hash(user_id: str, code: str) -> bytes | None:
    """What is stored of a recovery code; None: this cannot be one."""
    typed = "".join(character for character in code.lower() if character.isalnum())
    if len(typed) != _RECOVERY_CHARS:
        return None
    return hashlib.sha256(f"recovery {user_id} {typed}".encode()).digest()
