"""An originator that uses another's ids: he learns that they are taken, and nothing else, and changes nothing.

OTHER is a customer like TILL, with a password of his own, and has got hold of every id that TILL ever sent: from a
slip, a log, a support mail. He has no code of a voucher, because a code is money and whoever has it may spend it.
"""

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from statistics import median
from typing import Any, Final

import pytest

from support.client import Answer
from support.expect import refused
from support.messages import (
    a_confirmation,
    a_provision,
    a_redemption,
    a_refund,
    a_reversal,
    a_tender_confirmation,
    new_id,
    rand,
)
from support.originators import TILL
from support.simulator import SimulatorControl
from support.switch import Switch
from support.till import Sale, Till

TIMED: Final = 9
# What an answer to a stranger may hold of a taken id: his own id again, and a sentence.
TOLD: Final = {"freeString", "voucherId"}


@dataclass(frozen=True)
class Attempt:
    """One thing to try with the id of somebody's request."""

    name: str
    send: Callable[[Till, str], Awaitable[Answer]]
    of: str  # whose id: "provision", "redemption" or "refund"


# Told apart from nothing at all by no means: the id might as well never have been used.
SILENT: Final = [
    Attempt("look the voucher up", lambda till, id: till.lookup(provisionRequestId=id), "provision"),
    Attempt("confirm it", lambda till, id: till.confirm_voucher(id), "provision"),
    Attempt("reverse it", lambda till, id: till.reverse_voucher(id), "provision"),
    Attempt("confirm the redemption", lambda till, id: till.confirm_redemption(id), "redemption"),
    Attempt("reverse the redemption", lambda till, id: till.reverse_redemption(id), "redemption"),
    Attempt("confirm the refund", lambda till, id: till.confirm_refund(id), "refund"),
    Attempt("reverse the refund", lambda till, id: till.reverse_refund(id), "refund"),
]
# An id must be new for everybody (I3, T8), so these say that it is taken.
TAKEN: Final = [
    Attempt("sell under it", lambda till, id: till.provision(a_provision(till.by, id=id)), "provision"),
    Attempt("retry it", lambda till, id: till.retry(a_provision(till.by, id=id)), "provision"),
    Attempt("sell under a redemption's", lambda till, id: till.provision(a_provision(till.by, id=id)), "redemption"),
    Attempt("retry a redemption's", lambda till, id: till.retry(a_provision(till.by, id=id)), "redemption"),
]
ATTEMPTS: Final = [*SILENT, *TAKEN]


@pytest.fixture(scope="module")
async def owned(switch: Switch) -> Sale:
    """A voucher that TILL sold, redeemed and refunded; the refund waits for its confirmation."""
    return await Till(switch, TILL).a_refunded()


def id_of(sale: Sale, what: str) -> str:
    """The id of one of its requests."""
    return {"provision": sale.id, "redemption": sale.redemption_id, "refund": sale.refund_id}[what]


async def all_of(switch: Switch, sale: Sale) -> list[Any]:
    """All that the journal says of TILL's requests, but for the messages that were exchanged about their ids."""
    ids = [sale.id, sale.redemption_id, sale.refund_id]
    found: list[Any] = []
    for table in ("transaction", "advice"):
        sql = f"SELECT t::text FROM {table} t WHERE request_id = ANY($1::text[]::uuid[]) ORDER BY 1"
        found.append([row["t"] for row in await switch.rows(sql, ids)])
    sql = "SELECT v::text FROM voucher v WHERE fingerprint = $1 ORDER BY 1"
    found.append([row["v"] for row in await switch.rows(sql, switch.vault.fingerprint(sale.code))])
    return found


def shape(answer: Answer, id: str) -> tuple[int, bytes, dict[str, str]]:
    """What can be seen of an answer: status, body and headers, with the sender's own ids taken out."""
    raw = answer.raw
    for own in (id, str((answer.body or {}).get("id"))):  # an advice has an id of its own, fresh each time
        raw = raw.replace(own.encode(), b"ID")
    return answer.status, raw, {name: value for name, value in answer.headers.items() if name != "date"}


@pytest.mark.parametrize("attempt", SILENT, ids=lambda attempt: attempt.name)
async def test_another_originators_id_is_answered_like_one_that_nobody_used(
    switch: Switch, other: Till, owned: Sale, attempt: Attempt
) -> None:
    """Status, every byte of the body, and every header."""
    theirs, nobodys = id_of(owned, attempt.of), new_id()
    before = await all_of(switch, owned)

    about_theirs = await attempt.send(other, theirs)
    about_nobodys = await attempt.send(other, nobodys)

    assert about_theirs.status == 404
    assert shape(about_theirs, theirs) == shape(about_nobodys, nobodys)
    assert await all_of(switch, owned) == before


@pytest.mark.parametrize("attempt", SILENT, ids=lambda attempt: attempt.name)
async def test_nor_is_it_told_by_how_long_the_answer_takes(other: Till, owned: Sale, attempt: Attempt) -> None:
    taken: dict[bool, list[float]] = {True: [], False: []}
    for _ in range(TIMED):
        for is_theirs, durations in taken.items():
            id = id_of(owned, attempt.of) if is_theirs else new_id()
            started = time.perf_counter()
            await attempt.send(other, id)
            durations.append(time.perf_counter() - started)

    theirs, nobodys = median(taken[True]), median(taken[False])
    assert 1 / 3 < theirs / nobodys < 3, taken


@pytest.mark.parametrize("attempt", TAKEN, ids=lambda attempt: attempt.name)
async def test_a_taken_id_tells_that_it_is_taken_and_nothing_of_its_owner(
    switch: Switch, other: Till, owned: Sale, simulator: SimulatorControl, attempt: Attempt
) -> None:
    """The same words whatever became of the request, for whichever kind it is."""
    id = id_of(owned, attempt.of)
    before, asked = await all_of(switch, owned), await simulator.ops(id)

    answer = await attempt.send(other, id)

    refused(answer, 400, "DUPLICATE_RECORD", "Duplicate UUID.", id=id)
    assert set(answer.detail) <= TOLD
    tells_nothing_of(answer, owned)
    assert await all_of(switch, owned) == before
    assert await simulator.ops(id) == asked


async def test_a_taken_id_is_answered_the_same_in_every_state_of_its_request(till: Till, other: Till) -> None:
    sold, confirmed, undone = (await till.a_provisioned(), await till.a_confirmed(), await till.a_provisioned())
    assert (await till.reverse_voucher(undone.id)).status == 202
    never_came = new_id()
    assert (await till.reverse_voucher(never_came)).status == 404

    for send in (Till.provision, Till.retry):
        answers = [
            shape(await send(other, a_provision(other.by, id=id)), id)
            for id in (sold.id, confirmed.id, undone.id, never_came)
        ]
        assert answers[1:] == answers[:-1]


async def test_a_redemption_or_refund_under_a_taken_id_moves_no_money(
    switch: Switch, other: Till, owned: Sale, simulator: SimulatorControl
) -> None:
    """Even by somebody who holds a voucher of his own: it stays as it was, and his id is to be another."""
    mine = await other.a_confirmed()
    used = await other.a_used()
    before = await all_of(switch, owned)
    for id in (owned.id, owned.redemption_id, owned.refund_id):
        asked = await simulator.ops(id)
        redeemed = await other.post("/redemptions", a_redemption(other.by, code=mine.code, id=id))
        refund = a_refund(other.by, code=used.code, amounts={"requestAmount": rand(10_000)}, id=id)
        refunded = await other.post("/refunds", refund)

        for answer in (redeemed, refunded):
            refused(answer, 400, "DUPLICATE_RECORD", "Duplicate UUID.", id=id)
            assert set(answer.detail) <= TOLD
            tells_nothing_of(answer, owned)
        assert await simulator.ops(id) == asked
    assert await all_of(switch, owned) == before
    assert (await other.redeem(mine.code)).status == 201


async def test_the_lookup_of_a_redemption_by_anothers_id_says_only_that_the_id_is_taken(
    switch: Switch, till: Till, other: Till
) -> None:
    """K4: 403 without a body, which tells no more than the refusal of the id does."""
    sale = await till.a_refunded()
    before = await all_of(switch, sale)

    ids = (sale.redemption_id, sale.id, sale.refund_id)
    answers = [shape(await other.lookup_redemption(id), id) for id in ids]

    assert [answer[:2] for answer in answers] == [(403, b"")] * 3
    assert answers[1:] == answers[:-1]  # not even which of them is a redemption's
    assert await all_of(switch, sale) == before


async def test_the_id_of_anothers_advice_serves_nobody_else(
    switch: Switch, till: Till, other: Till, owned: Sale
) -> None:
    """I7: the id is taken; of whom and for what is not said, and the stranger's own advice is not lost by it."""
    mine = await other.a_provisioned()
    theirs = owned.confirmation
    assert theirs is not None
    before = await all_of(switch, owned)

    for advice in (
        a_tender_confirmation(mine.id, id=theirs["id"]),
        a_tender_confirmation(new_id(), id=theirs["id"]),
        a_tender_confirmation(owned.id, id=theirs["id"]),
        theirs,
    ):
        answer = await other.post("/vouchers/confirmations", advice)
        assert answer.status in (400, 404), answer
        tells_nothing_of(answer, owned)

    assert await all_of(switch, owned) == before
    assert (await other.confirm_voucher(mine.id)).status == 202
    assert (await till.post("/vouchers/confirmations", theirs)).status == 202


async def test_the_owner_goes_on_as_if_nobody_had_tried(switch: Switch, till: Till, other: Till) -> None:
    """Every attempt of the list on every id, and then the owner's own next steps."""
    sale = await till.a_redeemed()
    for attempt in ATTEMPTS:
        for id in (sale.id, sale.redemption_id):
            assert 400 <= (await attempt.send(other, id)).status < 500

    assert (await till.lookup_redemption(sale.redemption_id)).status == 200
    assert (await till.post("/redemptions/confirmations", a_confirmation(sale.redemption_id))).status == 202
    assert await switch.state(sale.id) == "CONFIRMED"
    again = await till.a_provisioned()
    for attempt in ATTEMPTS:
        await attempt.send(other, again.id)
    assert (await till.retry(again.request)).status == 201
    assert (await till.post("/vouchers/reversals", a_reversal(again.id))).status == 202


def tells_nothing_of(answer: Answer, sale: Sale) -> None:
    """No code, serial number, reference, name or amount of somebody else's sale is in an answer."""
    issued = sale.answer.body
    secrets = [
        sale.code,
        issued["voucher"]["serialNumber"],
        *(entry["transactionIdentifier"] for entry in issued["thirdPartyIdentifiers"]),
        sale.request["originator"]["terminalId"],
        TILL.id,
    ]
    told = answer.raw.decode()
    assert [secret for secret in secrets if secret in told] == []
