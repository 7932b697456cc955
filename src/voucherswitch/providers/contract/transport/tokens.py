"""One access token, shared by all calls of a connector (OAuth 2 client credentials, RFC 6749 section 4.4).

Kept for as long as the provider grants it, less a margin; fetched by one call at a time, whatever the load, because
providers throttle their token endpoint. A token that cannot be had means that the message it was for never left.
"""

import asyncio
import math
import time
from collections.abc import Callable
from typing import Annotated, Final

from msgspec import Meta, Struct, structs

from voucherswitch.message.codes import ErrorType
from voucherswitch.message.outcomes import NotSent
from voucherswitch.message.trace import Trace
from voucherswitch.providers.contract.alerts import BAD_ANSWER, CREDENTIALS_REFUSED
from voucherswitch.providers.contract.answers import BadAnswer, check, decoded
from voucherswitch.providers.contract.connector import Call
from voucherswitch.providers.contract.families import safe_code, safe_message
from voucherswitch.providers.contract.transport.http import HttpAnswer, HttpResult, HttpTransport
from voucherswitch.providers.contract.transport.results import NoAnswer

OPERATION: Final = "token"  # of the legs
RENEW_BEFORE_S: Final = 120  # of the end of its life: no message leaves with a token that may end on the way
TOKEN_LIFE_S_MAX: Final = 86_400  # whatever the provider grants
TOKEN_CHARS_MAX: Final = 8_192

_BODY: Final = b"grant_type=client_credentials"
_FORM_TYPE: Final = "application/x-www-form-urlencoded"


class Token(Struct, frozen=True):
    """An access token. `text` is secret; `authorization` is the header's value with it."""

    text: str
    authorization: str


class _Granted(Struct, frozen=True):
    """A token endpoint's success (RFC 6749 section 5.1). `expires_in` is in seconds."""

    access_token: Annotated[str, Meta(pattern=r"^[!-~]+$", max_length=TOKEN_CHARS_MAX)]
    token_type: str
    expires_in: Annotated[int, Meta(ge=0, le=10**9)]


class _Refused(Struct, frozen=True):
    """A token endpoint's refusal (RFC 6749 section 5.2)."""

    error: str | None = None
    error_description: str | None = None


class TokenCache:
    """The token of one connector.

    Args:
        http: the connections to the provider; every fetch becomes a leg, which shows neither credential nor token.
        path: of the token endpoint.
        credentials: the `Authorization` header of a fetch, whole.
        clock: seconds that only grow.
    """

    def __init__(
        self, http: HttpTransport, path: str, credentials: str, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._http = http
        self._path = path
        self._headers = {"Authorization": credentials, "Content-Type": _FORM_TYPE}
        self._secrets = (credentials, credentials.rpartition(" ")[2])
        self._clock = clock
        self._token: Token | None = None
        self._renew_at = -math.inf
        self._fetch: asyncio.Task[Token | NotSent] | None = None
        self._trace = Trace()  # of the fetch under way

    @property
    def held(self) -> Token | None:
        """The token, unless there is none or it is time for another."""
        return self._token if self._clock() < self._renew_at else None

    async def get(self, call: Call) -> Token | NotSent:
        """The token held, or a new one: fetched here, or by the call that is at it already, whose result all share.

        The wait ends at the call's deadline. The fetch then goes on for the others, inside the transport's own time.
        """
        if (token := self.held) is not None:
            return token
        left_s = call.deadline - time.monotonic()
        if left_s <= 0:
            return NotSent(ErrorType.UPSTREAM_UNAVAILABLE, provider_message="the deadline is past")
        fetch = self._fetch
        if fetch is None:
            self._trace = Trace()
            fetch = self._fetch = asyncio.create_task(self._fetched(self._trace))
        trace = self._trace
        await asyncio.wait((fetch,), timeout=left_s)
        # One exchange is one leg: of the call that started it, unless that one is gone.
        for leg in trace.take():
            leg.advice_id = call.advice_id
            call.trace.add(leg)
        if not fetch.done() or fetch.cancelled():
            return NotSent(ErrorType.UPSTREAM_UNAVAILABLE, provider_message="no access token in time")
        return fetch.result()

    def drop(self, token: Token) -> None:
        """Forget a token that was refused; not one that has come since."""
        if self._token is token:
            self._token, self._renew_at = None, -math.inf

    async def close(self) -> None:
        """End a fetch that is still under way."""
        if self._fetch is not None:
            self._fetch.cancel()
            await asyncio.gather(self._fetch, return_exceptions=True)

    async def _fetched(self, trace: Trace) -> Token | NotSent:
        try:
            started_s = self._clock()  # the life may count from as early as this
            answer = await self._http.send(
                # Bounded by the transport's total time: whoever started it may have less left than those who wait.
                Call(trace, deadline=math.inf),
                OPERATION,
                "POST",
                self._path,
                headers=self._headers,
                body=_BODY,
                secrets=self._secrets,
            )
            granted = _read(answer)
            if isinstance(granted, NotSent):
                return granted
            self._renew_at = started_s + min(granted.expires_in, TOKEN_LIFE_S_MAX)
            if self._token is not None and self._token.text == granted.access_token:
                # Some endpoints hand out the same token until it ends: asking again before that would be in vain.
                return self._token
            self._renew_at -= RENEW_BEFORE_S
            self._token = Token(granted.access_token, f"Bearer {granted.access_token}")
            return self._token
        finally:
            self._fetch = None


def bounded(call: Call, ends_s: float) -> Call:
    """The call with an earlier deadline: where several exchanges share one operation's time."""
    return structs.replace(call, deadline=min(call.deadline, ends_s))


def _read(answer: HttpResult) -> _Granted | NotSent:
    """What a fetch brought. Without a token nothing can be sent, so each failure is "not sent" of the message."""
    if not isinstance(answer, HttpAnswer):
        alert = answer.alert if isinstance(answer, NoAnswer) else None
        return NotSent(ErrorType.UPSTREAM_UNAVAILABLE, None, f"no access token: {answer.told}", alert)
    if 200 <= answer.status < 300:
        try:
            granted = decoded(answer.body, _Granted)
            check(granted.token_type.lower() == "bearer", "the token is of another type than Bearer")
        except BadAnswer as finding:
            return NotSent(ErrorType.UPSTREAM_UNAVAILABLE, None, f"no access token: {finding}", BAD_ANSWER)
        return granted
    try:
        refused = decoded(answer.body, _Refused)
    except BadAnswer:
        refused = _Refused()
    code = safe_code(refused.error)
    message = safe_message(refused.error_description) or f"no access token: HTTP {answer.status}"
    if 400 <= answer.status < 500:
        return NotSent(ErrorType.ROUTING_ERROR, code, message, CREDENTIALS_REFUSED)
    return NotSent(ErrorType.UPSTREAM_UNAVAILABLE, code, message)
