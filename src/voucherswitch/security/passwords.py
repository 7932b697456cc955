"""Passwords: argon2id, with the library's own parameters (RFC 9106, low-memory profile)."""

from functools import cache
from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

_HASHER: Final = PasswordHasher()

PASSWORD_CHARS_MIN: Final = 8
PASSWORD_CHARS_MAX: Final = 256


class PasswordError(ValueError):
    """A new password is not acceptable. The text says why."""


def hash_password(password: str) -> str:
    """Hash a new password.

    Raises:
        PasswordError: too short, too long, or with a character that Basic authentication cannot carry.
    """
    if not PASSWORD_CHARS_MIN <= len(password) <= PASSWORD_CHARS_MAX:
        raise PasswordError(f"a password has {PASSWORD_CHARS_MIN} to {PASSWORD_CHARS_MAX} characters")
    if any(ord(character) < 32 or ord(character) == 127 for character in password):
        raise PasswordError("a password has no control characters")
    return _HASHER.hash(password)


def verify_password(password_hash: str, password: str) -> bool:
    """Check a password; takes tens of milliseconds on purpose, so call it off the event loop."""
    try:
        return _HASHER.verify(password_hash, password)
    except (VerificationError, InvalidHashError):
        return False


@cache
def decoy_hash() -> str:
    """What an unknown user is checked against, so that it costs what a known user's wrong password costs."""
    return _HASHER.hash("nobody has this password")
