"""Guessing gets slower with every failure, costs little, tells nothing, and locks out nobody else (decision 0025)."""

import asyncio
import time
from ipaddress import IPv4Address, ip_network
from statistics import median
from types import MappingProxyType
from typing import Any

import pytest
from argon2 import PasswordHasher

from support.client import Client
from support.messages import new_id
from support.originators import Originator
from support.switch import Switch
from voucherswitch.catalogue import snapshot
from voucherswitch.config.limits import (
    FAILURES_FREE_OF_PAIR,
    FAILURES_FREE_OF_SOURCE,
    FAILURES_FREE_OF_USER,
    FAILURES_KEPT_MAX,
    LOCKED_OUT_GUESSES_MAX,
    LOCKED_OUT_MAX_S,
    PASSWORD_CHECKS_WAITING_MAX,
)
from voucherswitch.security import basic as basic_module
from voucherswitch.security.attempts import Attempts, pair_key, source_key, user_key
from voucherswitch.security.basic import BasicAuthenticator, ChecksBusyError
from voucherswitch.security.passwords import verify_password
from voucherswitch.security.refusals import Reason, Unproven

HERE = IPv4Address("198.51.100.7")
ELSEWHERE = IPv4Address("203.0.113.9")


def an_originator() -> Originator:
    """A new originator that nobody has tried a password on."""
    return Originator(f"B-{new_id()[:8]}", {"product_lookup": True})


async def guess(client: Client, user: str, password: str) -> tuple[int, bytes, str]:
    """One guess: what it is answered."""
    answer = await client.get("/products", by=Originator(user, password=password))
    return answer.status, answer.raw, answer.headers.get("www-authenticate", "")


async def test_after_a_few_failures_guesses_are_not_even_checked_and_hear_the_same(switch: Switch) -> None:
    """No answer tells a known originator from an unknown one, or that nobody listens."""
    known, unknown = an_originator(), an_originator()
    await switch.register(known)
    await switch.add_originator(an_originator())  # the worker knows all of them
    slow: dict[str, list[float]] = {known.id: [], unknown.id: []}
    quick: dict[str, list[float]] = {known.id: [], unknown.id: []}
    answers = set()
    for number in range(2 * FAILURES_FREE_OF_PAIR):
        for user in (known.id, unknown.id):
            started_s = time.perf_counter()
            answers.add(await guess(switch.client, user, f"wrong {number}"))
            taken = slow if number < FAILURES_FREE_OF_PAIR else quick
            taken[user].append(time.perf_counter() - started_s)

    assert len(answers) == 1
    assert {status for status, _, _ in answers} == {401}
    assert 1 / 4 < median(slow[known.id]) / median(slow[unknown.id]) < 4
    assert "locked out after failures" in switch.workers[0].text()


async def test_who_has_proved_his_password_here_is_served_while_guesses_are_not_listened_to(switch: Switch) -> None:
    known = an_originator()
    await switch.add_originator(known)
    for number in range(2 * FAILURES_FREE_OF_PAIR):
        assert (await guess(switch.client, known.id, f"wrong {number}"))[0] == 401

    assert (await guess(switch.client, known.id, known.password))[0] == 200


async def test_a_flood_of_guesses_leaves_the_switch_to_others(switch: Switch) -> None:
    """A hundred at once: each hears 401, or 503 where too many wait; a till that is known is served meanwhile."""
    till = an_originator()
    await switch.add_originator(till)
    flood = [
        asyncio.create_task(guess(switch.client, f"B-{new_id()[:8]}", "password"))
        for _ in range(2 * PASSWORD_CHECKS_WAITING_MAX)
    ]
    served = await guess(switch.client, till.id, till.password)

    assert served[0] == 200
    assert {status for status, _, _ in await asyncio.gather(*flood)} <= {401, 503}


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.s = 1_000.0

    def __call__(self) -> float:
        return self.s


class Checks:
    """Counts how often a password is really checked: what a guess costs us, and how long it takes."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.hashes: list[str] = []
        monkeypatch.setattr(basic_module, "verify_password", self._verify)

    def _verify(self, password_hash: str, password: str) -> bool:
        self.hashes.append(password_hash)
        return verify_password(password_hash, password)


@pytest.fixture(scope="module")
def password_hash() -> str:
    """Of "the right password", made to be checked quickly: how long a check takes is not what these tests are about."""
    return PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash("the right password")


class Desk:
    """An authenticator with its failures, on a clock of its own, and what it knows."""

    def __init__(self, clock: Clock, password_hash: str, **settings: Any) -> None:
        self.clock = clock
        self.attempts = Attempts(clock)
        self.basic = BasicAuthenticator(300, self.attempts)
        self.known = MappingProxyType(
            {"till": snapshot.Originator(id="till", name="till", password_hash=password_hash, **settings)}
        )

    async def ask(self, user: str, password: str, source: IPv4Address = HERE) -> Reason | str:
        """Who it is, or why not."""
        found = await self.basic.prove(user, password, self.known, source)
        return found.reason if isinstance(found, Unproven) else found.id


async def test_every_way_of_not_being_believed_costs_one_check(
    monkeypatch: pytest.MonkeyPatch, password_hash: str
) -> None:
    """Not the clock but the work is compared: it is the same, so no clock can tell them apart."""
    checks = Checks(monkeypatch)
    desk = Desk(Clock(), password_hash, sources=(ip_network("198.51.100.0/24"),))
    off = Desk(Clock(), password_hash, enabled=False)
    ways = [
        (desk, "nobody", "the right password", HERE, Reason.UNKNOWN),
        (desk, "till", "wrong", HERE, Reason.WRONG_PASSWORD),
        (desk, "till", "wrong", ELSEWHERE, Reason.WRONG_PASSWORD),
        (desk, "till", "the right password", ELSEWHERE, Reason.FOREIGN_SOURCE),
        (off, "till", "the right password", HERE, Reason.DISABLED),
        (desk, "till", "the right password", HERE, "till"),
    ]
    for number, (which, user, password, source, expected) in enumerate(ways, 1):
        assert await which.ask(user, password, source) == expected
        assert len(checks.hashes) == number
    # A password that its own source has proved, and is remembered, is still not told from a wrong one elsewhere.
    assert await desk.ask("till", "the right password", ELSEWHERE) == Reason.FOREIGN_SOURCE
    assert len(checks.hashes) == len(ways) + 1


async def test_the_lock_doubles_with_each_failure_up_to_its_bound_and_no_guess_is_checked_meanwhile(
    monkeypatch: pytest.MonkeyPatch, password_hash: str
) -> None:
    checks, clock = Checks(monkeypatch), Clock()
    desk = Desk(clock, password_hash)
    for _ in range(FAILURES_FREE_OF_PAIR):
        await desk.ask("till", "wrong")
    waits = []
    for _ in range(14):
        before = len(checks.hashes)
        locked_s = desk.attempts.locked_s([pair_key("till", HERE)])
        assert await desk.ask("till", "the right password") == Reason.LOCKED_OUT, "a guess may be right"
        assert len(checks.hashes) == before
        waits.append(locked_s)
        clock.s += locked_s + 0.001
        assert await desk.ask("till", "wrong") == Reason.WRONG_PASSWORD

    assert waits == pytest.approx([min(2.0**number, LOCKED_OUT_MAX_S) for number in range(14)], abs=0.01)
    clock.s += LOCKED_OUT_MAX_S + 1
    assert await desk.ask("till", "the right password") == "till", "it always ends"


async def test_a_stranger_locks_out_nobody_who_speaks_from_a_source_of_his_own(password_hash: str) -> None:
    desk = Desk(Clock(), password_hash, sources=(ip_network("198.51.100.0/24"),))
    for number in range(FAILURES_FREE_OF_USER):
        desk.attempts.failed([user_key("till"), source_key(HERE), pair_key("till", IPv4Address(number))])

    assert await desk.ask("till", "the right password") == "till"


async def test_a_stranger_locks_out_nobody_who_proved_his_password_here(
    monkeypatch: pytest.MonkeyPatch, password_hash: str
) -> None:
    """Also when it has to be checked anew; a stranger cannot use what is remembered of another source."""
    desk = Desk(Clock(), password_hash)
    desk.basic._cache_s = 0  # type: ignore[misc]  # every check anew
    assert await desk.ask("till", "the right password") == "till"
    for _ in range(FAILURES_FREE_OF_USER):
        desk.attempts.failed([user_key("till"), source_key(HERE), pair_key("till", HERE)])

    assert await desk.ask("till", "the right password") == "till"
    assert await desk.ask("till", "the right password", ELSEWHERE) == Reason.LOCKED_OUT


async def test_even_what_is_remembered_cannot_be_guessed_without_end(password_hash: str) -> None:
    """Behind the same address as the till, and not listened to: so many guesses, then not even the right one counts."""
    desk = Desk(Clock(), password_hash)
    assert await desk.ask("till", "the right password") == "till"
    pair = pair_key("till", HERE)
    for _ in range(FAILURES_FREE_OF_PAIR + 10):
        desk.attempts.failed([pair])
    for number in range(LOCKED_OUT_GUESSES_MAX + 1):
        assert await desk.ask("till", f"wrong {number}") == Reason.LOCKED_OUT

    assert await desk.ask("till", "the right password") == Reason.LOCKED_OUT
    desk.clock.s += LOCKED_OUT_MAX_S + 1
    assert await desk.ask("till", "the right password") == "till"


async def test_many_guesses_at_once_are_not_many_checks(monkeypatch: pytest.MonkeyPatch, password_hash: str) -> None:
    """Those that wait for their check are judged by the failures of those before them."""
    checks = Checks(monkeypatch)
    desk = Desk(Clock(), password_hash)
    found = await asyncio.gather(*(desk.ask("till", f"wrong {number}") for number in range(50)))

    assert len(checks.hashes) <= FAILURES_FREE_OF_PAIR + 1
    assert set(found) == {Reason.WRONG_PASSWORD, Reason.LOCKED_OUT}


async def test_a_source_that_tries_many_names_is_locked_out(password_hash: str) -> None:
    desk = Desk(Clock(), password_hash)
    found = [await desk.ask(f"name {number}", "password") for number in range(FAILURES_FREE_OF_SOURCE + 2)]

    assert found[-1] == Reason.LOCKED_OUT
    assert await desk.ask("till", "the right password") == Reason.LOCKED_OUT, "not known here yet"
    assert await desk.ask("till", "the right password", ELSEWHERE) == "till"


async def test_no_more_than_so_many_wait_for_a_check(password_hash: str) -> None:
    desk = Desk(Clock(), password_hash)
    guesses = [
        asyncio.create_task(desk.ask("till", f"wrong {number}", IPv4Address(number)))
        for number in range(PASSWORD_CHECKS_WAITING_MAX)
    ]
    await asyncio.sleep(0)
    with pytest.raises(ChecksBusyError):
        await desk.ask("till", "the right password", ELSEWHERE)
    await asyncio.gather(*guesses)


def test_failures_are_kept_within_bounds() -> None:
    attempts = Attempts(Clock())
    for number in range(FAILURES_KEPT_MAX + 10):
        attempts.failed([pair_key("x" * number, HERE)])

    assert len(attempts._failures) == FAILURES_KEPT_MAX


def test_a_failure_that_is_still_free_is_no_lock_out() -> None:
    attempts = Attempts(Clock())
    attempts.failed([pair_key("till", HERE)])

    assert attempts.locked_s([pair_key("till", HERE), user_key("somebody else")]) == 0
