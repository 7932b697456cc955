"""A stranger without the right password: every way of not having it is answered with the same bytes.

What he must not learn: whether a user exists, is disabled, or has nearly that password; and nothing about any request.
"""

import base64
import json
from typing import Final

import pytest

from support.client import BASE
from support.messages import a_provision
from support.originators import DISABLED, DOES_NOT_EXIST, NON_ASCII, OTHER, TILL, Originator
from support.switch import Switch
from support.till import Till

# A password of its own: the others share theirs.
RICH: Final = Originator("threat-rich", password="the rich one's password")


def basic(credentials: bytes | str) -> bytes:
    """An Authorization header as it is sent."""
    raw = credentials.encode() if isinstance(credentials, str) else credentials
    return b"Authorization: Basic " + base64.b64encode(raw) + b"\r\n"


ATTEMPTS: Final = {
    "no password at all": b"",
    "an empty header": b"Authorization: \r\n",
    "a scheme that is none": b"Authorization: Trust me\r\n",
    "no credentials": b"Authorization: Basic\r\n",
    "wrong password": basic(f"{TILL.id}:wrong"),
    "unknown user": basic(f"{DOES_NOT_EXIST.id}:{TILL.password}"),
    "another originator's password": basic(f"{RICH.id}:{TILL.password}"),
    "the right password of somebody else's name": basic(f"{TILL.id}:{RICH.password}"),
    "disabled originator, right password": basic(f"{DISABLED.id}:{DISABLED.password}"),
    "disabled originator, wrong password": basic(f"{DISABLED.id}:wrong"),
    "empty password": basic(f"{TILL.id}:"),
    "empty user": basic(f":{TILL.password}"),
    "neither": basic(":"),
    "no colon": basic(f"{TILL.id}{TILL.password}"),
    "NUL behind the password": basic(f"{TILL.id}:{TILL.password}\0"),
    "NUL behind the user": basic(f"{TILL.id}\0:{TILL.password}"),
    "NUL and more": basic(f"{TILL.id}:{TILL.password}\0ignored"),
    "a beginning of the password": basic(f"{TILL.id}:{TILL.password[:-1]}"),
    "the password and a bit": basic(f"{TILL.id}:{TILL.password} "),
    "another case": basic(f"{TILL.id}:{TILL.password.upper()}"),
    "overlong password": basic(f"{TILL.id}:" + "x" * 8_000),
    "overlong user": basic("x" * 8_000 + f":{TILL.password}"),
    "no UTF-8": basic(TILL.id.encode() + b":\xff\xfe\xfd"),
    "no UTF-8 user": basic(b"\xff\xfe:" + TILL.password.encode()),
    "latin-1": basic(f"{NON_ASCII.id}:Größe".encode("latin-1")),
    "a surrogate": basic(TILL.id.encode() + b":\xed\xa0\x80"),
    "the hash's marker": basic(f"{TILL.id}:$argon2id$v=19$m=65536,t=3,p=4$"),
    "SQL": basic(f"' OR '1'='1:{TILL.password}"),
    "a wildcard": basic(f"%:{TILL.password}"),
    "white space in the base64": b"Authorization: Basic " + base64.b64encode(TILL.id.encode())[:4] + b" AAAA\r\n",
    "no base64": b"Authorization: Basic %%%%\r\n",
    "url-safe base64": b"Authorization: Basic " + base64.urlsafe_b64encode(b"\xff\xef\xfe:x") + b"\r\n",
    "two headers, the right one second": basic(f"{TILL.id}:wrong") + basic(f"{TILL.id}:{TILL.password}"),
    "the password in the URL's place": b"X-Authorization: Basic eDp5\r\n",
    "a proxy's header": b"Proxy-" + basic(f"{TILL.id}:{TILL.password}"),
}


@pytest.fixture(scope="module", autouse=True)
async def rich(switch: Switch) -> Originator:
    """An originator whose password nobody shares."""
    await switch.add_originator(RICH)
    return RICH


async def answer_to(switch: Switch, header: bytes, body: bytes, path: str = f"{BASE}/vouchers") -> bytes:
    """All that comes back for a request with one header of the attacker's, but for the date."""
    head = f"POST {path} HTTP/1.1\r\nHost: switch\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
    answered = await switch.raw(head.encode() + header + b"Connection: close\r\n\r\n" + body)
    lines = answered.split(b"\r\n")
    return b"\r\n".join(line for line in lines if not line.lower().startswith(b"date:"))


async def test_every_wrong_credential_is_answered_with_the_same_bytes(switch: Switch) -> None:
    """Whose request it is, is asked before what it says: nothing of the body comes back, its id least of all."""
    body = json.dumps(a_provision(TILL)).encode()
    before = await switch.written_for(TILL.id)

    answers = {name: await answer_to(switch, header, body) for name, header in ATTEMPTS.items()}

    expected = answers["no password at all"]
    assert expected.startswith(b"HTTP/1.1 401 ")
    assert b'"errorType":"AUTHENTICATION_ERROR"' in expected
    assert b"www-authenticate: basic realm=" in expected.lower()
    assert json.loads(body)["id"].encode() not in expected
    assert {name: answer for name, answer in answers.items() if answer != expected} == {}
    assert await switch.written_for(TILL.id) == before


async def test_the_answer_does_not_depend_on_what_is_asked(switch: Switch, till: Till) -> None:
    """An id that exists, one that does not, a message that is none, another operation: the same bytes."""
    sale = await till.a_provisioned()
    bodies = [json.dumps(sale.request), json.dumps(a_provision(TILL)), "{}", "no JSON at all", ""]
    paths = [f"{BASE}{path}" for path in ("/vouchers", f"/vouchers/{sale.id}/retry", "/redemptions", "/refunds")]
    header = ATTEMPTS["wrong password"]

    answers = {await answer_to(switch, header, body.encode(), path) for body in bodies for path in paths}

    assert len(answers) == 1


async def test_no_password_that_was_tried_is_in_a_log(switch: Switch) -> None:
    """Whoever reads the log must not find what somebody typed by mistake: it may be right elsewhere."""
    tried = "correct horse battery staple 7731"

    await answer_to(switch, basic(f"{TILL.id}:{tried}"), b"{}")
    await answer_to(switch, basic(f"{DOES_NOT_EXIST.id}:{tried}"), b"{}")

    told = "".join(process.text() for process in (*switch.workers, *switch.senders))
    assert tried not in told
    assert base64.b64encode(f"{TILL.id}:{tried}".encode()).decode() not in told


async def test_a_right_password_serves_its_own_user_only(switch: Switch, till: Till) -> None:
    """N4, N8: TILL's request under OTHER's password is refused, and TILL's id stays free."""
    request = a_provision(TILL)

    answer = await switch.client.post("/vouchers", request, by=OTHER)

    assert (answer.status, answer.error_type) == (400, "AUTHENTICATION_ERROR")
    assert (await till.post("/vouchers", request)).status == 201
