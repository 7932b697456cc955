"""Passwords of people: argon2id with 64 MiB, three passes and four lanes (backoffice §1.3), and what may not be one.

Originators' passwords are another matter (security/passwords.py): machines keep those, and the path checks them.
"""

import re
import unicodedata
from functools import cache
from importlib.resources import files
from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

CHARS_MIN: Final = 12
CHARS_MAX: Final = 128
_NAME_CHARS_MIN: Final = 3  # a shorter name is in many good passwords by chance

_HASHER: Final = PasswordHasher(time_cost=3, memory_cost=64 * 1024, parallelism=4, hash_len=32, salt_len=16)

# What people write for a letter.
_LETTERS: Final = str.maketrans("013457@$!|", "oieastasil")
_AROUND: Final = re.compile(r"^[\W\d_]+|[\W\d_]+$")
_REPEATED: Final = re.compile(r"(.+?)\1+")


class WeakPasswordError(ValueError):
    """A password cannot be taken. The text says why, in one line."""


def check_new(password: str, *names: str) -> None:
    """See that a password may be set by somebody with these names.

    Raises:
        WeakPasswordError: too short or long, with the user's name in it, or one that everybody tries first.
    """
    if not CHARS_MIN <= len(password) <= CHARS_MAX:
        raise WeakPasswordError(f"a password has {CHARS_MIN} to {CHARS_MAX} characters; several words are easy to keep")
    if any(unicodedata.category(character) in ("Cc", "Cs") for character in password):
        raise WeakPasswordError("a password has no control characters")
    lowered = password.casefold()
    for name in names:
        if len(name) >= _NAME_CHARS_MIN and name.casefold() in lowered:
            raise WeakPasswordError("a password does not hold the user's name")
    if _is_common(lowered):
        raise WeakPasswordError("this password is among those that are tried first; take several words of your own")


def hash_new(password: str, *names: str) -> str:
    """Hash a new password; takes a tenth of a second on purpose, so call it off the event loop.

    Raises:
        WeakPasswordError: it cannot be taken.
    """
    check_new(password, *names)
    return _HASHER.hash(_hashed_form(password))


def verify(password_hash: str | None, password: str) -> bool:
    """Check a password, off the event loop. Nobody's hash takes as long as somebody's."""
    fits = len(password) <= CHARS_MAX
    try:
        right = _HASHER.verify(password_hash or _nobodys_hash(), _hashed_form(password if fits else ""))
    except (VerificationError, InvalidHashError):
        return False
    return right and fits and password_hash is not None


def _hashed_form(password: str) -> bytes:
    # The same characters however a keyboard composes them (RFC 8265); what no text can hold is nobody's password.
    return unicodedata.normalize("NFC", password).encode("utf-8", "surrogatepass")


@cache
def _nobodys_hash() -> str:
    return _HASHER.hash("nobody has this password")


def warm_up() -> None:
    """Make what the first unknown user is checked against, so that he waits no longer than the next one."""
    _nobodys_hash()


@cache
def common() -> frozenset[str]:
    """The shipped list: what is tried first, without the digits and signs that people put around it."""
    text = (files(__package__) / "common_passwords.txt").read_text(encoding="utf-8")
    return frozenset(line for line in text.splitlines() if line and not line.startswith("#"))


def _is_common(lowered: str) -> bool:
    """Whether it is in the list: as it is, without what stands around its letters, with letters for look-alikes, once
    where it is written several times. Digits alone are a date, a number or a walk over the keys."""
    if lowered.isdigit():
        return True
    forms = {lowered, _AROUND.sub("", lowered)}
    forms |= {form.translate(_LETTERS) for form in forms}
    forms |= {re.sub(r"[\W_]+", "", form) for form in forms}
    forms |= {repeated[1] for form in forms if (repeated := _REPEATED.fullmatch(form))}
    return not forms.isdisjoint(common()) or any(len(set(form)) <= 2 for form in forms if form)
