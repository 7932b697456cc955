"""One request of a connection and its answer, past ASGI: what is known is taken at once, what is said is said at once.

uvicorn's cycle keeps the state of the request, as for every other application. ASGI's two messages for an answer, whose
every header is looked at once more, and a task that is woken for a body that is there already, cost a sale a tenth of
its CPU time.
"""

from collections.abc import Awaitable, Callable
from typing import Any, Final, Protocol, TypeAlias, cast

from starlette.responses import Response
from starlette.types import Receive, Scope
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, RequestResponseCycle

# In the scope of a request whose body came whole with its head: the body.
BODY: Final = "voucherswitch.body"

Answering: TypeAlias = Callable[[Receive], Awaitable[Response]]


def header_values(scope: Scope, name: bytes) -> list[str]:
    """The values of a header, by its name in lower case. Starlette makes an object first, and looks with Python."""
    return [value.decode("latin-1") for found, value in scope["headers"] if found == name]


class Application(Protocol):
    """What serves some requests directly."""

    def answering(self, scope: Scope) -> Answering | None:
        """What answers this request and lets no exception out; None: ASGI does."""


async def take_turn(cycle: RequestResponseCycle, answering: Answering) -> None:
    """Answer a request, unless its originator has gone."""
    if not cycle.more_body:
        cycle.scope[BODY] = bytes(cycle.body)  # type: ignore[typeddict-unknown-key]  # ASGI leaves room for more than it names
    try:
        response = await answering(cast(Receive, cycle.receive))
        if cycle.flow.write_paused and not cycle.disconnected:
            await cycle.flow.drain()
        if not cycle.disconnected:
            _say(cycle, response)
    except BaseException:
        cycle.transport.close()  # nobody shall wait for an answer that does not come
        raise
    finally:
        cycle.on_response = _nothing


def _say(cycle: RequestResponseCycle, response: Response) -> None:
    """Write an answer in one piece. Its headers are ours: names in lower case, values without line breaks."""
    content = [STATUS_LINE[response.status_code]]
    for name, value in (*cycle.default_headers, *response.raw_headers):
        if name == b"connection":  # we say nothing but "close" in it, and below
            cycle.keep_alive = False
        else:
            content += (name, b": ", value, b"\r\n")
    content.append(b"\r\n" if cycle.keep_alive else b"connection: close\r\n\r\n")
    content.append(bytes(response.body))
    cycle.response_started = cycle.response_complete = True
    cycle.waiting_for_100_continue = False
    cycle.transport.write(b"".join(content))
    cycle.message_event.set()
    if not cycle.keep_alive:
        cycle.transport.close()
    cycle.on_response()


def _nothing(*_: Any) -> None:
    """Nobody is told twice."""
