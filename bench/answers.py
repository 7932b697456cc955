"""Do (a) and (b) answer the same JSON? One provision each, compared field by field before the rounds begin."""

import json
from base64 import b64encode
from collections.abc import Iterator, Mapping
from typing import Final
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen
from uuid import UUID, uuid4

from msgspec import Struct

from bench.errors import BenchError
from bench.provision import ORIGINATOR, PATH, REQUEST, body_around_id

ANSWER_S: Final = 30.0


class Answer(Struct, frozen=True):
    """What came back to one provision, and the id that it was sent with."""

    request_id: UUID
    headers: list[tuple[str, str]]
    body: bytes


def answer_of(url: str, password: str, who: str, provision: Mapping[str, object] = REQUEST) -> Answer:
    """Provision one voucher and return the answer.

    Raises:
        BenchError: it is anything but a 201 with JSON.
    """
    request_id = uuid4()
    before, after = body_around_id(provision)
    credentials = b64encode(f"{ORIGINATOR}:{password}".encode()).decode()
    request = Request(
        url + PATH,
        (before + str(request_id) + after).encode(),
        {"Authorization": f"Basic {credentials}", "Content-Type": "application/json"},
    )
    try:
        with urlopen(request, timeout=ANSWER_S) as answer:
            if answer.status != 201:
                raise BenchError(f"{who} answered a provision with {answer.status}, not 201")
            body = answer.read()
            json.loads(body)
            return Answer(request_id, answer.headers.items(), body)
    except HTTPError as error:
        said = error.read(300).decode("utf-8", "replace")
        raise BenchError(f"{who} answered a provision with {error.code}: {said}") from None
    except (URLError, OSError, ValueError) as error:
        raise BenchError(f"{who} did not answer a provision: {error}") from None


def differences(a: object, b: object) -> list[str]:
    """Of two answers as JSON, name the fields that only one of the answers has, or that have another type."""
    fields_a, fields_b = dict(fields(a)), dict(fields(b))
    return sorted(
        [f"only a has {field}" for field in fields_a.keys() - fields_b.keys()]
        + [f"only b has {field}" for field in fields_b.keys() - fields_a.keys()]
        + [f"{name} is not of one type" for name, kind in fields_a.items() if fields_b.get(name, kind) is not kind]
    )


def fields(value: object, path: str = "") -> Iterator[tuple[str, type]]:
    """Yield every field's path and type; the elements of a list share one path."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from fields(inner, f"{path}.{name}" if path else name)
    elif isinstance(value, list):
        for inner in value:
            yield from fields(inner, f"{path}[]")
    else:
        # JSON has one kind of number: 2 and 2.0 are the same answer.
        yield path, float if isinstance(value, int) and not isinstance(value, bool) else type(value)
