"""An originator's HTTP client. What the interface promises of every answer, it checks of every answer."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from pyreqwest.client import ClientBuilder
from pyreqwest.types import Stream

from support.certificates import ClientTls
from support.document import Document
from support.messages import Json
from support.originators import TILL, Originator

BASE: Final = "/suv/v1"
TIMEOUT_S: Final = 60
# Below the five seconds after which the server closes an idle connection.
KEEP_ALIVE_S: Final = 3
MAY_LACK_BODY: Final = (102, 403, 404)


@dataclass(frozen=True)
class Answer:
    """An HTTP answer. `headers` have lower-case names; `body` is the parsed JSON, None when there is none."""

    status: int
    headers: Mapping[str, str]
    raw: bytes
    body: Any

    def __repr__(self) -> str:
        return f"<Answer {self.status} {self.raw.decode(errors='replace')[:600]}>"

    @property
    def code(self) -> str:
        """The code of the voucher."""
        code: str = self.body["voucher"]["code"]
        return code

    @property
    def error_type(self) -> str | None:
        """What kind of refusal it is."""
        return self.body.get("errorType") if isinstance(self.body, dict) else None

    @property
    def detail(self) -> Json:
        """The detailMessage of a refusal."""
        detail: Json = self.body.get("detailMessage", {})
        return detail

    @property
    def violations(self) -> list[Json]:
        """The entries of a FORMAT_ERROR."""
        found: list[Json] = self.detail.get("formatErrors", [])
        return found


class Client:
    """Speaks to one switch. Connections are kept and shared by all originators, as behind a proxy.

    With a `document` every answer is also checked against what the document says of its operation.
    """

    def __init__(self, root: str, document: Document | None = None, tls: ClientTls | None = None) -> None:
        self.root = root
        self.document = document
        builder = ClientBuilder()
        if tls is not None:
            builder = builder.add_root_certificate_pem(tls.authority.read_bytes())
            if tls.own is not None:
                builder = builder.identity_pem(tls.own.identity)
        self._client = (
            builder.http1_only()
            .no_proxy()
            .follow_redirects(False)
            .pool_idle_timeout(timedelta(seconds=KEEP_ALIVE_S))
            .timeout(timedelta(seconds=TIMEOUT_S))
            .build()
        )

    async def close(self) -> None:
        """Close all connections."""
        await self._client.close()

    async def get(self, path: str, *, by: Originator | None = TILL, **query: str) -> Answer:
        """GET a path below the base path."""
        return await self.send("GET", BASE + path, by=by, query=list(query.items()))

    async def post(
        self,
        path: str,
        body: Json | bytes,
        *,
        by: Originator | None = TILL,
        user: str | None = None,
        password: str | None = None,
    ) -> Answer:
        """POST a message to a path below the base path, as `by` or with a user name and password of one's own."""
        if user is not None:
            by = Originator(user, password=password or "")
        elif by is not None and password is not None:
            by = Originator(by.id, password=password)
        return await self.send("POST", BASE + path, by=by, body=body)

    async def send(
        self,
        method: str,
        path: str,
        *,
        by: Originator | None = TILL,
        body: Json | bytes | None = None,
        stream: Stream | None = None,
        headers: Mapping[str, str] | None = None,
        query: Sequence[tuple[str, str]] = (),
    ) -> Answer:
        """Send anything to any path; a body is JSON unless `headers` say otherwise.

        Raises:
            AssertionError: the answer breaks a rule that holds for every answer.
        """
        given = {name.lower(): value for name, value in (headers or {}).items()}
        builder = self._client.request(method, self.root + path)
        if by is not None:
            builder = builder.basic_auth(by.id, by.password)
        if query:
            builder = builder.query(query)
        if body is not None or stream is not None:
            given.setdefault("content-type", "application/json")
        if body is not None:
            builder = builder.body_bytes(body if isinstance(body, bytes) else json.dumps(body).encode())
        if stream is not None:
            builder = builder.body_stream(stream)
        response = await builder.headers({name: value for name, value in given.items() if value}).build().send()
        raw = bytes(await response.bytes())
        found = _joined(response.headers.items())
        answer = read(method, path, response.status, found, raw)
        if self.document is not None:
            self.document.judge(method, path, answer.status, answer.body)
        return answer

    async def bare(
        self, method: str, path: str, body: bytes, headers: Mapping[str, str], basic: tuple[str, str] | None = None
    ) -> tuple[int, Mapping[str, str], bytes]:
        """Send what is not of the interface, such as a form to the token endpoint."""
        builder = self._client.request(method, self.root + path).headers(headers)
        if basic is not None:
            builder = builder.basic_auth(*basic)
        response = await (builder.body_bytes(body) if body else builder).build().send()
        return response.status, _joined(response.headers.items()), bytes(await response.bytes())


def _joined(headers: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Headers by their lower-case name; one that is there twice is a list (RFC 9110 §5.3)."""
    found: dict[str, str] = {}
    for name, value in headers:
        found[name.lower()] = f"{found[name.lower()]}, {value}" if name.lower() in found else value
    return found


def read(method: str, path: str, status: int, headers: Mapping[str, str], raw: bytes) -> Answer:
    """Read an answer, and check what holds for all of them: JSON without null, and the headers of its status."""
    body = None
    if raw:
        assert headers.get("content-type") == "application/json", (status, headers)
        body = json.loads(raw, parse_constant=_no_constant)
        assert not holds_null(body), raw
    answer = Answer(status, headers, raw, body)
    if status >= 400 and method != "HEAD":
        if body is None:
            assert status in MAY_LACK_BODY, answer
        else:
            assert body["errorType"], answer
            assert 1 <= len(body["errorMessage"]) <= 80, answer
    if status == 201:
        assert headers.get("location") == path.partition("?")[0], headers
    if status == 401:
        assert headers.get("www-authenticate"), headers
    if status == 503:
        assert headers.get("retry-after", "").isdigit(), headers
    return answer


def holds_null(value: Any) -> bool:
    """Whether there is a null anywhere in a JSON value."""
    if isinstance(value, dict):
        return any(holds_null(item) for item in value.values())
    if isinstance(value, list):
        return any(holds_null(item) for item in value)
    return value is None


def _no_constant(name: str) -> Any:
    raise AssertionError(f"{name} is no JSON")
