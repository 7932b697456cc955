"""A stranger without the right password: every way of not having it is answered with the same bytes.

What he must not learn: whether a user exists, is disabled, or has nearly that password; and nothing about any request.
"""

import base64
import json
from typing import Final

import pytest

from support.client import BASE
from support.messages import a_provision, new_id
from support.originators import OTHER, TILL, Originator
from support.switch import Switch
from support.till import Till

RUN: Final = new_id()[:8]
# Each is attacked so seldom that nobody is locked out (test_brute_force.py is about that).
VICTIMS: Final = [Originator(f"victim-{number}-{RUN}") for number in range(10)]
LOCKED: Final = Originator(f"victim-locked-{RUN}")
DISABLED: Final = Originator(f"victim-disabled-{RUN}", {"enabled": False})
# With a password of its own: the others share theirs.
RICH: Final = Originator(f"victim-rich-{RUN}", password="the rich one's password")
NON_ASCII: Final = Originator(f"victim-letters-{RUN}", password="Größe zählt")
RIGHT: Final = VICTIMS[0].password


def basic(user: bytes | str, password: bytes | str, separator: bytes = b":") -> bytes:
    """An Authorization header as it is sent."""
    pieces = [piece.encode() if isinstance(piece, str) else piece for piece in (user, password)]
    return b"Authorization: Basic " + base64.b64encode(separator.join(pieces)) + b"\r\n"


ONE, TWO, THREE, FOUR, FIVE, SIX = (victim.id for victim in VICTIMS[:6])

ATTEMPTS: Final = {
    "no password at all": b"",
    "an empty header": b"Authorization: \r\n",
    "a scheme that is none": b"Authorization: Trust me\r\n",
    "no credentials": b"Authorization: Basic\r\n",
    "wrong password": basic(ONE, "wrong"),
    "unknown user": basic(f"nobody-{RUN}", RIGHT),
    "another originator's password": basic(RICH.id, RIGHT),
    "the right password of somebody else": basic(ONE, RICH.password),
    "disabled originator, right password": basic(DISABLED.id, DISABLED.password),
    "disabled originator, wrong password": basic(DISABLED.id, "wrong"),
    "empty password": basic(ONE, ""),
    "empty user": basic("", RIGHT),
    "neither": basic("", ""),
    "no colon": basic(TWO, RIGHT, b""),
    "NUL behind the password": basic(TWO, RIGHT + "\0"),
    "NUL behind the user": basic(TWO + "\0", RIGHT),
    "NUL and more": basic(TWO, RIGHT + "\0ignored"),
    "a beginning of the password": basic(THREE, RIGHT[:-1]),
    "the password and a blank": basic(THREE, RIGHT + " "),
    "another case": basic(THREE, RIGHT.upper()),
    "overlong password": basic(FOUR, "x" * 8_000),
    "overlong user": basic("x" * 8_000, RIGHT),
    "no UTF-8": basic(FOUR, b"\xff\xfe\xfd"),
    "no UTF-8 user": basic(b"\xff\xfe", RIGHT),
    "latin-1": basic(NON_ASCII.id, NON_ASCII.password.encode("latin-1")),
    "a surrogate": basic(FOUR, b"\xed\xa0\x80"),
    "the beginning of a hash": basic(FIVE, "$argon2id$v=19$m=65536,t=3,p=4$"),
    "SQL": basic("' OR '1'='1", RIGHT),
    "a wildcard": basic("%", RIGHT),
    "white space in the base64": b"Authorization: Basic " + base64.b64encode(FIVE.encode())[:4] + b" AAAA\r\n",
    "no base64": b"Authorization: Basic %%%%\r\n",
    "not even ASCII": b"Authorization: Basic \xe9\xff\r\n",
    "url-safe base64": b"Authorization: Basic " + base64.urlsafe_b64encode(b"\xff\xef\xfe:x") + b"\r\n",
    "a header of another name": b"X-" + basic(SIX, RIGHT),
    "a proxy's header": b"Proxy-" + basic(SIX, RIGHT),
}


@pytest.fixture(scope="module", autouse=True)
async def victims(switch: Switch) -> None:
    """Originators whose passwords are tried here, and nowhere else."""
    for originator in (*VICTIMS, LOCKED, DISABLED, NON_ASCII):
        await switch.register(originator)
    await switch.add_originator(RICH)


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
    headers = (b"", basic(LOCKED.id, "wrong"))

    answers = {
        await answer_to(switch, header, body.encode(), path) for header in headers for body in bodies for path in paths
    }

    assert len(answers) == 1, "nor on whether anybody is still listened to"


async def test_no_password_that_was_tried_is_in_a_log(switch: Switch) -> None:
    """Whoever reads the log must not find what somebody typed by mistake: it may be right elsewhere."""
    tried = "correct horse battery staple 7731"

    await answer_to(switch, basic(VICTIMS[7].id, tried), b"{}")
    await answer_to(switch, basic(f"nobody-else-{RUN}", tried), b"{}")

    told = "".join(process.text() for process in (*switch.workers, *switch.senders))
    assert tried not in told
    assert base64.b64encode(f"{VICTIMS[7].id}:{tried}".encode()).decode() not in told


async def test_a_right_password_serves_its_own_user_only(switch: Switch, till: Till) -> None:
    """N4, N8: TILL's request under OTHER's password is refused, and TILL's id stays free."""
    request = a_provision(TILL)

    answer = await switch.client.post("/vouchers", request, by=OTHER)

    assert (answer.status, answer.error_type) == (400, "AUTHENTICATION_ERROR")
    assert (await till.post("/vouchers", request)).status == 201
