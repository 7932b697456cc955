"""What settings are made of: the types of their values, and the ways to define one."""

import os
import shlex
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Annotated, Any, Final
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field
from pydantic_settings import NoDecode

# Networks that one setting may list; more is a case for the originators' own lists.
NETWORKS_MAX = 1_000


def _refuse_bool(value: object) -> object:
    if isinstance(value, bool):
        raise ValueError("is not a whole number")  # noqa: TRY004 - pydantic reports ValueError as a wrong value
    return value


def split_words(value: object) -> object:
    """Take a text as a list: words with commas between."""
    if isinstance(value, str):
        return [word.strip() for word in value.split(",")]
    return value


def split_command(value: object) -> object:
    """Take a text as a program with its arguments, quoted as for a shell."""
    return shlex.split(value) if isinstance(value, str) else value


def lower(value: object) -> object:
    """Take a word however it is capitalised."""
    return value.lower() if isinstance(value, str) else value


def _absolute(path: Path) -> Path:
    # Fixed at start, so that a later change of the working directory moves nothing.
    return path.expanduser().absolute()


def postgresql_url(url: str) -> str:
    """Refuse what is not the URL of a PostgreSQL database."""
    if not url.startswith(("postgresql://", "postgres://")):
        raise ValueError("is not the URL of a PostgreSQL database")
    return url


def _read_networks(value: object) -> object:
    words = split_words(value)
    if not isinstance(words, list | tuple) or words == [""]:
        raise ValueError("is not a list of networks")
    return tuple(_network(word) for word in words)


def _network(word: object) -> IPv4Network | IPv6Network:
    try:
        return ip_network(str(word))
    except ValueError as error:
        raise ValueError(f"holds no network: {error}") from None


def issuer_url(url: str) -> str:
    """Refuse what cannot name an issuer of tokens (RFC 8414 §2)."""
    parts = urlsplit(url)
    if parts.scheme not in ("https", "http") or not parts.hostname or parts.query or parts.fragment or parts.username:
        raise ValueError("is not a web address without query")
    return url


# What a token may be signed with: nothing with a shared secret, and never nothing.
SIGNATURES: Final = (
    "ES256", "ES384", "ES512", "PS256", "PS384", "PS512", "RS256", "RS384", "RS512", "EdDSA", "Ed25519",
)  # fmt: skip


def signature(name: str) -> str:
    """Refuse what is not the name of an asymmetric signature."""
    if name not in SIGNATURES:
        raise ValueError("names a signature that is not " + ", ".join(SIGNATURES))
    return name


Whole = Annotated[int, BeforeValidator(_refuse_bool)]
Host = Annotated[str, Field(pattern=r"^[A-Za-z0-9.:_-]{1,253}$")]
PathWord = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,32}$")]
AbsolutePath = Annotated[Path, AfterValidator(_absolute)]
Networks = Annotated[tuple[IPv4Network | IPv6Network, ...], NoDecode, BeforeValidator(_read_networks)]


def cores() -> int:
    """Cores this process may use, 64 at most: one switch worker each."""
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(usable, 64)


def port(default: int, meaning: str) -> Any:
    """A setting that is a port."""
    return Field(default, ge=1, le=65_535, description=meaning)


def networks(meaning: str) -> Any:
    """A setting that is a list of networks; none unless it is set."""
    return Field(
        (),
        max_length=NETWORKS_MAX,
        description=meaning,
        json_schema_extra={"default_text": "none", "accepts": "networks with commas between: `10.1.0.0/16,192.0.2.7`"},
    )


def whole(default: int, low: int, high: int, meaning: str) -> Any:
    """A setting that is a whole number."""
    return Field(default, ge=low, le=high, description=meaning)
