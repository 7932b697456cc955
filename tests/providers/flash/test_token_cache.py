"""One access token for all calls: how long it is kept, who fetches it, and what a failed fetch means."""

import asyncio
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest

from providers.provider_support import Heard, RawServer, raw_server, until
from voucherswitch.message.codes import ErrorType
from voucherswitch.message.outcomes import NotSent
from voucherswitch.message.trace import LegOutcome, Trace
from voucherswitch.providers.contract.connector import Call
from voucherswitch.providers.contract.transport.http import HttpTransport
from voucherswitch.providers.contract.transport.masking import JsonMask
from voucherswitch.providers.contract.transport.tokens import (
    RENEW_BEFORE_S,
    TOKEN_CHARS_MAX,
    TOKEN_LIFE_S_MAX,
    Token,
    TokenCache,
)
from voucherswitch.providers.flash.settings import FlashSettings

KEY = "c2VjcmV0LWtleQ=="
Answer = Callable[[Heard], Awaitable[tuple[int, object]] | tuple[int, object]]


class Clock:
    """Seconds that a test moves."""

    def __init__(self) -> None:
        self.now_s = 1_000.0

    def __call__(self) -> float:
        return self.now_s


class Endpoint:
    """A token endpoint with a cache in front of it."""

    def __init__(self, server: RawServer, tokens: TokenCache, clock: Clock) -> None:
        self.server = server
        self.tokens = tokens
        self.clock = clock
        self.traces: list[Trace] = []

    def call(self, deadline_s: float = 5, advice_id: str | None = None) -> Call:
        self.traces.append(Trace())
        return Call(self.traces[-1], time.monotonic() + deadline_s, advice_id)

    async def get(self, deadline_s: float = 5) -> Token | NotSent:
        return await self.tokens.get(self.call(deadline_s))

    def held(self) -> Token | None:
        return self.tokens.held

    @property
    def fetches(self) -> int:
        return len(self.server.heard)


@asynccontextmanager
async def endpoint(answer: Answer, **settings: Any) -> AsyncIterator[Endpoint]:
    """A server that answers each fetch as told; `base_url` in the settings names another."""

    async def behave(heard: Heard, writer: asyncio.StreamWriter) -> bool | None:
        told = answer(heard)
        status, body = told if isinstance(told, tuple) else await told
        if status == 0:
            return False
        content = body if isinstance(body, bytes) else msgspec.json.encode(body)
        writer.write(f"HTTP/1.1 {status} X\r\nContent-Length: {len(content)}\r\n\r\n".encode() + content)
        return None

    async with raw_server(behave) as server:
        common: dict[str, Any] = {"base_url": server.url, "api_key": KEY, "account_number": "0000-0000-0000-0001"}
        http = HttpTransport("flash", FlashSettings(**(common | settings)), JsonMask())
        clock = Clock()
        tokens = TokenCache(http, "/token", f"Basic {KEY}", clock)
        try:
            yield Endpoint(server, tokens, clock)
        finally:
            await tokens.close()
            await http.close()


def granted(number: int = 1, expires_in: object = 3_600, **more: object) -> tuple[int, object]:
    body = {"access_token": f"token-{number}", "token_type": "Bearer", "expires_in": expires_in}
    return 200, {name: value for name, value in (body | more).items() if value is not ...}


def counting(expires_in: int = 3_600) -> Answer:
    """Each fetch brings another token."""
    return lambda heard: granted(heard.request + 1, expires_in)


async def test_a_fetch_is_the_samples_bytes() -> None:
    async with endpoint(counting()) as at:
        await at.get()
        [heard] = at.server.heard
        assert heard.line == "POST /token HTTP/1.1"
        assert heard.header("Authorization") == f"Basic {KEY}"
        assert heard.header("Content-Type") == "application/x-www-form-urlencoded"
        assert heard.header("Content-Length") == "29"
        assert heard.body == b"grant_type=client_credentials"


async def test_a_token_is_kept_until_120_s_before_it_ends() -> None:
    async with endpoint(counting(expires_in=3_600)) as at:
        first = await at.get()
        assert isinstance(first, Token)
        assert (first.text, first.authorization) == ("token-1", "Bearer token-1")
        at.clock.now_s += 3_600 - RENEW_BEFORE_S - 0.001
        assert await at.get() is first
        assert at.held() is first
        at.clock.now_s += 0.001
        assert at.held() is None
        second = await at.get()
        assert isinstance(second, Token)
        assert second.text == "token-2"
        assert at.fetches == 2


async def test_the_life_counts_from_before_the_fetch() -> None:
    """The endpoint may have granted it as soon as it was asked."""

    def answer(_heard: Heard) -> tuple[int, object]:
        at.clock.now_s += 10
        return granted(expires_in=3_600)

    async with endpoint(answer) as at:
        await at.get()
        at.clock.now_s = 1_000 + 3_600 - RENEW_BEFORE_S
        assert at.held() is None


async def test_a_token_that_is_about_to_end_serves_the_call_it_was_fetched_for() -> None:
    async with endpoint(counting(expires_in=RENEW_BEFORE_S)) as at:
        assert isinstance(await at.get(), Token)
        assert at.held() is None
        assert isinstance(await at.get(), Token)
        assert at.fetches == 2


async def test_an_endpoint_that_repeats_its_token_until_it_ends_is_not_asked_for_every_call() -> None:
    ends_s = 1_000 + 3_600

    def answer(_heard: Heard) -> tuple[int, object]:
        if at.clock.now_s < ends_s:
            return granted(1, int(ends_s - at.clock.now_s))
        return granted(2)

    async with endpoint(answer) as at:
        first = await at.get()
        at.clock.now_s = ends_s - RENEW_BEFORE_S
        for _ in range(5):
            assert await at.get() is first
            at.clock.now_s += 20
        assert at.fetches == 2
        at.clock.now_s = ends_s
        second = await at.get()
        assert isinstance(second, Token)
        assert second.text == "token-2"
        assert at.fetches == 3


async def test_a_life_without_end_is_bounded() -> None:
    async with endpoint(counting(expires_in=10**9)) as at:
        await at.get()
        at.clock.now_s += TOKEN_LIFE_S_MAX
        assert at.held() is None


async def test_one_fetch_at_a_time_under_many_callers() -> None:
    free = asyncio.Event()

    async def answer(heard: Heard) -> tuple[int, object]:
        await free.wait()
        return granted(heard.request + 1)

    async with endpoint(answer) as at:
        waiting = [asyncio.create_task(at.get()) for _ in range(200)]
        await until(lambda: at.fetches == 1)
        await asyncio.sleep(0)
        free.set()
        tokens = await asyncio.gather(*waiting)
        assert {token.text for token in tokens if isinstance(token, Token)} == {"token-1"}
        assert len(tokens) == 200
        assert (at.fetches, len(at.server.connections)) == (1, 1)
        # One exchange, one leg.
        assert sum(len(trace.legs) for trace in at.traces) == 1
        assert len(at.traces[0].legs) == 1


async def test_a_failed_fetch_is_shared_by_those_who_waited_for_it() -> None:
    free = asyncio.Event()

    async def answer(_heard: Heard) -> tuple[int, object]:
        await free.wait()
        return 503, b""

    async with endpoint(answer) as at:
        waiting = [asyncio.create_task(at.get()) for _ in range(50)]
        await until(lambda: at.fetches == 1)
        await asyncio.sleep(0)
        free.set()
        assert all(isinstance(outcome, NotSent) for outcome in await asyncio.gather(*waiting))
        assert at.fetches == 1
        await at.get()
        assert at.fetches == 2


async def test_a_refused_token_is_dropped_once_and_never_the_one_after_it() -> None:
    async with endpoint(counting()) as at:
        first = await at.get()
        assert isinstance(first, Token)
        at.tokens.drop(first)
        assert at.held() is None
        second = await at.get()
        at.tokens.drop(first)  # a slower call tells of the same refusal
        assert at.held() is second
        assert at.fetches == 2


async def test_the_wait_ends_at_the_calls_deadline_and_the_fetch_serves_the_next() -> None:
    free = asyncio.Event()

    async def answer(heard: Heard) -> tuple[int, object]:
        await free.wait()
        return granted(heard.request + 1)

    async with endpoint(answer) as at:
        started = time.monotonic()
        outcome = await at.get(deadline_s=0.1)
        assert outcome == NotSent(ErrorType.UPSTREAM_UNAVAILABLE, provider_message="no access token in time")
        assert time.monotonic() - started < 2
        next_one = asyncio.create_task(at.get())
        await asyncio.sleep(0)
        free.set()
        assert isinstance(await next_one, Token)
        assert at.fetches == 1
        # The leg of the fetch went to the call that was there when it ended.
        assert [len(trace.legs) for trace in at.traces] == [0, 1]


async def test_nothing_is_fetched_after_the_deadline() -> None:
    async with endpoint(counting()) as at:
        outcome = await at.get(deadline_s=-1)
        assert outcome == NotSent(ErrorType.UPSTREAM_UNAVAILABLE, provider_message="the deadline is past")
        assert at.fetches == 0


async def test_a_cancelled_caller_takes_the_token_from_nobody() -> None:
    free = asyncio.Event()

    async def answer(heard: Heard) -> tuple[int, object]:
        await free.wait()
        return granted(heard.request + 1)

    async with endpoint(answer) as at:
        first = asyncio.create_task(at.get())
        await until(lambda: at.fetches == 1)
        second = asyncio.create_task(at.get())
        await asyncio.sleep(0)
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)
        free.set()
        assert isinstance(await second, Token)
        assert at.fetches == 1


async def test_a_close_ends_the_wait() -> None:
    silent = asyncio.Event()

    async def answer(_heard: Heard) -> tuple[int, object]:
        await silent.wait()
        return granted()

    async with endpoint(answer) as at:
        waiting = asyncio.create_task(at.get())
        await until(lambda: at.fetches == 1)
        await at.tokens.close()
        assert isinstance(await waiting, NotSent)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 429, 499])
async def test_a_refused_fetch_is_not_sent_and_a_routing_error(status: int) -> None:
    async with endpoint(lambda _: (status, {"error": "invalid_client", "error_description": "No such key"})) as at:
        assert await at.get() == NotSent(
            ErrorType.ROUTING_ERROR, "invalid_client", "No such key", alert="credentials_refused"
        )
    async with endpoint(lambda _: (status, b"<html>")) as at:
        assert await at.get() == NotSent(
            ErrorType.ROUTING_ERROR, None, f"no access token: HTTP {status}", alert="credentials_refused"
        )


@pytest.mark.parametrize("status", [302, 500, 502, 503, 504])
async def test_a_failing_endpoint_is_not_sent_and_unavailable(status: int) -> None:
    async with endpoint(lambda _: (status, b"")) as at:
        expected = NotSent(ErrorType.UPSTREAM_UNAVAILABLE, None, f"no access token: HTTP {status}")
        assert await at.get() == expected
        assert at.fetches == 1


async def test_an_endpoint_that_is_down_or_hangs_up_is_not_sent() -> None:
    async with endpoint(lambda _: (0, b"")) as at:
        outcome = await at.get()
        assert isinstance(outcome, NotSent)
        assert outcome.error_type is ErrorType.UPSTREAM_UNAVAILABLE
        assert at.fetches == 1
        assert at.traces[0].legs[0].outcome is LegOutcome.NO_ANSWER
        gone = at.server.url
    async with endpoint(lambda _: (0, b""), base_url=gone) as at:
        outcome = await at.get()
        assert isinstance(outcome, NotSent)
        assert outcome.error_type is ErrorType.UPSTREAM_UNAVAILABLE
        assert at.traces[0].legs[0].outcome is LegOutcome.NOT_SENT


@pytest.mark.parametrize(
    "told",
    [
        (200, b""),
        (200, b"{"),
        (200, b"[" * 5_000),
        (200, {}),
        granted(access_token=""),
        granted(access_token="two\r\nlines"),
        granted(access_token="spa ce"),
        granted(access_token="ü"),
        granted(access_token="x" * (TOKEN_CHARS_MAX + 1)),
        granted(access_token=7),
        granted(token_type="mac"),
        granted(token_type=...),
        granted(expires_in=...),
        granted(expires_in="3600"),
        granted(expires_in=-1),
        granted(expires_in=True),
        (200, b'{"access_token":"a","token_type":"Bearer","expires_in":' + b"9" * 5_000 + b"}"),
    ],
)
async def test_an_unusable_token_is_not_sent_and_alerts(told: tuple[int, object]) -> None:
    async with endpoint(lambda _: told) as at:
        outcome = await at.get()
        assert isinstance(outcome, NotSent)
        assert (outcome.error_type, outcome.alert) == (ErrorType.UPSTREAM_UNAVAILABLE, "bad_answer")
        assert at.held() is None


async def test_the_leg_of_a_fetch_shows_neither_token_nor_credentials() -> None:
    async with endpoint(counting()) as at:
        call = at.call(advice_id="A")
        await at.tokens.get(call)
        [leg] = call.trace.legs
        assert (leg.operation, leg.outcome, leg.status, leg.advice_id) == ("token", LegOutcome.ANSWERED, 200, "A")
        assert leg.request.startswith("POST /token")
        assert '"access_token":"***"' in (leg.response or "")
        assert not re.search(f"token-1|{re.escape(KEY)}", repr(leg))
    quoting = {"error": "invalid_client", "error_description": f"no key {KEY} here"}
    async with endpoint(lambda _: (401, quoting)) as at:
        call = at.call()
        await at.tokens.get(call)
        assert KEY not in repr(call.trace.legs)
