"""A bare ASGI application: it reads the request's body and answers the same bytes every time.

What is left of a server when nothing is decided, written or asked: `uvicorn --factory bench.echo_app:build`.
"""

import os
from pathlib import Path
from typing import Any, Final

import msgspec

ANSWER_FILE: Final = "BENCH_ECHO_ANSWER"  # an environment variable: where `Fixed` is, as JSON


class Fixed(msgspec.Struct):
    """The answer: headers and body."""

    headers: list[tuple[str, str]]
    body: str


def build() -> Any:
    """Make the application, once a process."""
    answer = msgspec.json.decode(Path(os.environ[ANSWER_FILE]).read_bytes(), type=Fixed)
    headers = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in answer.headers]
    head = {"type": "http.response.start", "status": 201, "headers": headers}
    body = {"type": "http.response.body", "body": answer.body.encode()}

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        while (await receive()).get("more_body", False):
            pass
        await send(head)
        await send(body)

    return app
