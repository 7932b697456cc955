"""One provision as bytes on a connection: where it goes, and what stands around its id."""

import random
from base64 import b64encode
from collections.abc import Mapping
from urllib.parse import urlsplit

from bench.errors import BenchError
from bench.provision import PATH, REQUEST, body_around_id


def fresh_id() -> bytes:
    """Return a random UUID of version 4 as text. Random, because ordered ids would flatter every index they enter."""
    digits = b"%032x" % random.getrandbits(128)
    return b"%b-%b-4%b-a%b-%b" % (digits[:8], digits[8:12], digits[13:16], digits[17:20], digits[20:])


def address_of(url: str) -> tuple[str, int]:
    """Return host and port of a base URL; plain HTTP only, TLS would cost the generator more than all else."""
    parts = urlsplit(url)
    if parts.scheme != "http" or parts.hostname is None or parts.path not in ("", "/"):
        raise BenchError(f"{url!r} is not a base URL like http://127.0.0.1:8080")
    return parts.hostname, parts.port or 80


def wire_request(
    host: str,
    port: int,
    *,
    user: str,
    password: str,
    request: Mapping[str, object] = REQUEST,
    token: str | None = None,
) -> tuple[bytes, bytes]:
    """Return the bytes of the whole HTTP request before and after the id; with a token instead of a password."""
    before, after = body_around_id(request)
    basic = b64encode(f"{user}:{password}".encode()).decode()
    credentials = f"Basic {basic}" if token is None else f"Bearer {token}"
    head = (
        f"POST {PATH} HTTP/1.1\r\nHost: {host}:{port}\r\nAuthorization: {credentials}\r\n"
        f"Accept: application/json\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(before.encode()) + 36 + len(after.encode())}\r\n\r\n"
    )
    return (head + before).encode(), after.encode()
