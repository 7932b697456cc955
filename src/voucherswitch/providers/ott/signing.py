"""The hash that every OTT message carries, and the form it travels in (providers.md 6.1, Documented). Pure."""

from base64 import b64encode
from collections.abc import Mapping
from hashlib import sha256
from typing import Final
from urllib.parse import urlencode

HASH: Final = "hash"


def hash_of(parameters: Mapping[str, str], api_key: str) -> str:
    """SHA-256, in lower-case hex, over the key and then the raw values, in the ASCII order of the parameters' names."""
    values = "".join(value for _, value in sorted(parameters.items()))
    return sha256(f"{api_key}{values}".encode()).hexdigest()


def signed_form(parameters: Mapping[str, str], api_key: str, hash_name: str = HASH) -> bytes:
    """The body of a message: its parameters in the order of their names, then the hash.

    A parameter without a value is left out of both, because whether OTT hashes an empty one is not documented.
    """
    sent = {name: value for name, value in sorted(parameters.items()) if value}
    sent[hash_name] = hash_of(sent, api_key)
    return urlencode(sent).encode()


def basic(user: str, password: str) -> str:
    """The `Authorization` header."""
    return "Basic " + b64encode(f"{user}:{password}".encode()).decode()
