"""Requests as bytes on a connection: where they go, and what stands around what is new in each."""

import random
import re
from base64 import b64encode
from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

from bench.errors import BenchError
from bench.provision import PATH, REQUEST, body_around_id, compact

# Where something is put into a message's JSON: {{id}} inside a string, "{{{list}}}" instead of a value, quotes and all.
PLACE: Final = re.compile(r'"\{\{\{[a-z]+\}\}\}"|\{\{[a-z]+\}\}')
ID_PLACES: Final = ("{{id}}", "{{request}}")
ID_LENGTH: Final = 36


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


class Form:
    """A request that is written once. Each that is sent is made of it by putting in what is new, in order of places.

    `head` is written without the number of its Content-Length, which comes last in it. Where only ids are put in, the
    length is always the same, and then making a request is one joining of bytes.
    """

    __slots__ = ("_head", "_pieces")

    def __init__(self, head: str, body: str) -> None:
        places = PLACE.findall(body)
        pieces = [piece.encode() for piece in PLACE.split(body)]
        self._head = head.encode()
        if all(place in ID_PLACES for place in places) and b"%b" not in self._head:
            length = sum(map(len, pieces)) + ID_LENGTH * len(places)
            pieces[0] = b"%b%d\r\n\r\n%b" % (self._head, length, pieces[0])
            self._head = b""
        self._pieces = [part for piece in pieces for part in (piece, b"")][:-1]

    def fill(self, *values: bytes, path: bytes | None = None) -> bytes:
        """Return the bytes to send.

        Args:
            values: one for each place of the body.
            path: what goes into the place of the path, where it has one.
        """
        pieces = self._pieces.copy()
        pieces[1::2] = values
        body = b"".join(pieces)
        if not self._head:
            return body
        head = self._head if path is None else self._head % path
        return b"%b%d\r\n\r\n%b" % (head, len(body), body)


class Question:
    """A GET that is written once, with a place in its path where it has one."""

    __slots__ = ("_head",)

    def __init__(self, head: str) -> None:
        self._head = head.encode()

    def fill(self, *path: bytes) -> bytes:
        """Return the bytes to send."""
        return self._head % path if path else self._head


class Address:
    """Where an originator's requests go, and as whose: makes forms for it."""

    def __init__(self, host: str, port: int, *, user: str, password: str, token: str | None = None) -> None:
        basic = b64encode(f"{user}:{password}".encode()).decode()
        credentials = f"Basic {basic}" if token is None else f"Bearer {token}"
        self._common = f"Host: {host}:{port}\r\nAuthorization: {credentials}\r\nAccept: application/json\r\n"

    def head(self, path: str) -> str:
        """Return the head of a POST with JSON up to the number of its Content-Length."""
        return f"POST {path} HTTP/1.1\r\n{self._common}Content-Type: application/json\r\nContent-Length: "

    def post(self, path: str, message: Mapping[str, object]) -> Form:
        """Return the form of a message; `%b` in the path is its place."""
        return Form(self.head(path), compact(message))

    def get(self, path: str) -> Question:
        """Return a question; `%b` in the path is its place."""
        return Question(f"GET {path} HTTP/1.1\r\n{self._common}\r\n")


def wire_request(
    host: str, port: int, *, user: str, password: str, request: Mapping[str, object] = REQUEST
) -> tuple[bytes, bytes]:
    """Return the bytes of a whole provision before and after its id, for a generator that is not ours."""
    before, after = body_around_id(request)
    head = Address(host, port, user=user, password=password).head(PATH)
    length = len(before.encode()) + 36 + len(after.encode())
    return f"{head}{length}\r\n\r\n{before}".encode(), after.encode()
