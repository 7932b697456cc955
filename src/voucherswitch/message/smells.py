"""Names that smell of a secret or of a person, whatever their spelling: `voucher_pin`, `apiKey`, `X-Api-Key`, `Msisdn`.

Fields say by a mark what may be seen of them (marks.py). Names are the second line, for what nobody declared: a key in
a log, a field that a provider has added. And they are how a test finds a field whose mark was forgotten.
"""

import re
from functools import lru_cache
from itertools import pairwise
from typing import Final

_WORD: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")

# A name with one of these words in it: `client_secret`, `basicPassword`, `voucher-pin`.
_SECRET_WORDS: Final = frozenset(
    {"authorization", "cookie", "cookies", "credential", "credentials", "cvv", "nonce", "otp", "pan", "passphrase"}
    | {"passwd", "password", "passwords", "pin", "pins", "secret", "secrets", "signature", "token", "tokens"}
)
# Words that together name a secret, wherever they stand in a name. `code` alone is one, `result_code` is not.
_SECRET_PAIRS: Final = frozenset(
    {
        ("api", "key"),
        ("card", "number"),
        ("private", "key"),
        ("redeem", "url"),
        ("vault", "key"),
        ("voucher", "code"),
        ("voucher", "number"),
        ("wi", "code"),
        ("wi", "qr"),
    }
)
_SECRET_NAMES: Final = frozenset({"code", "codes", "apikey", "redeemurl", "track2", "vouchernumber", "wiqr"})
# Of names that are written without a sign of where a word ends, like `VOUCHERPIN`.
_SECRET_ENDS: Final = ("password", "pin", "secret", "token", "vouchercode", "wicode")

# Whose telephone it is: shown by its last four digits.
_TELEPHONE_WORDS: Final = frozenset({"cell", "cellphone", "mobile", "msisdn", "phone", "phonenumber", "telephone"})
_PERSON_WORDS: Final = frozenset({"birth", "email", "firstname", "lastname", "passport", "street", "surname"})
_PERSON_PAIRS: Final = frozenset(
    {
        ("address", "line"),
        ("customer", "name"),
        ("first", "name"),
        ("full", "name"),
        ("id", "number"),
        ("last", "name"),
        ("mail", "address"),
        ("postal", "address"),
        ("postal", "code"),
    }
)
# What may be a person's or a secret, or nobody's: whoever declares such a field says which.
_DOUBTFUL_WORDS: Final = frozenset(
    {"account", "address", "barcode", "card", "cashier", "customer", "hash", "holder", "iban", "mail", "meter"}
    | {"name", "operator", "recipient", "sms", "user", "username", "wicode"}
)
# What people write for people: a provider may quote the voucher that it refuses, also one we were never given.
_TEXT_WORDS: Final = frozenset(
    {"desc", "description", "detail", "details", "error", "errors", "faultstring", "instruction", "instructions"}
    | {"message", "messages", "reason", "text", "title"}
)


@lru_cache(maxsize=1024)
def words_of(name: str) -> tuple[str, ...]:
    """The words of a name in lower case: `basicPassword` is `basic`, `password`."""
    return tuple(word.lower() for word in _WORD.findall(name))


@lru_cache(maxsize=1024)
def is_secret(name: str) -> bool:
    """Whether what stands under a name could be spent or opens a door."""
    words = words_of(name)
    whole = "".join(words)
    if not _SECRET_WORDS.isdisjoint(words) or whole in _SECRET_NAMES or whole.endswith(_SECRET_ENDS):
        return True
    return any(pair in _SECRET_PAIRS for pair in pairwise(words))


@lru_cache(maxsize=1024)
def is_telephone(name: str) -> bool:
    """Whether a telephone number stands under a name."""
    return not _TELEPHONE_WORDS.isdisjoint(words_of(name))


@lru_cache(maxsize=1024)
def is_personal(name: str) -> bool:
    """Whether a person can be recognised by what stands under a name; telephones are told apart."""
    words = words_of(name)
    return not _PERSON_WORDS.isdisjoint(words) or any(pair in _PERSON_PAIRS for pair in pairwise(words))


def smells(name: str) -> bool:
    """Whether somebody has to say what may be seen of a field of this name, because it might be the wrong thing."""
    doubtful = not (_DOUBTFUL_WORDS | _TEXT_WORDS).isdisjoint(words_of(name)) or "code" in words_of(name)
    return doubtful or is_secret(name) or is_telephone(name) or is_personal(name)


def may_be_personal(name: str) -> bool:
    """Whether a person, or somebody's account, may be behind a name that nobody declared."""
    return is_personal(name) or not _DOUBTFUL_WORDS.isdisjoint(words_of(name))
